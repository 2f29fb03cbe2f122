//! Compare (RFC 4511 §4.10).

use directory::Error;
use ldap::message::CompareRequest;
use ldap::result::ResultCode;

use crate::controls::Controls;
use crate::in_flight::Progress;
use crate::respond::Answer;
use crate::session::Session;

pub(crate) fn run(
    session: &Session,
    request: &CompareRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    let view = session.shared.directory.view(&session.subject)?;
    let assertion = controls.assertion.as_ref();
    let equal = view.compare(
        request.dn,
        request.attribute,
        request.value,
        assertion,
        controls.manage_dsa_it,
    )?;
    let code = if equal { ResultCode::COMPARE_TRUE } else { ResultCode::COMPARE_FALSE };
    Ok(Progress::Done(Answer::new(code, "")))
}
