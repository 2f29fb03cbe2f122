//! Compare (RFC 4511 §4.10).

use directory::Error;
use ldap::message::CompareRequest;
use ldap::result::ResultCode;

use crate::controls::Controls;
use crate::in_flight::Progress;
use crate::respond::Answer;
use crate::root_dse;
use crate::session::Session;

pub(crate) fn run(
    session: &Session,
    request: &CompareRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    let view = session.shared.directory.view_through(&session.subject, &session.lens)?;
    let assertion = controls.assertion.as_ref();
    let equal = if request.dn.is_empty() && assertion.is_none() {
        let entry = root_dse::entry(&session.shared.directory.suffixes(), session.offers);
        view.compare_given(&entry, request.attribute, request.value)?
    } else {
        view.compare(
            request.dn,
            request.attribute,
            request.value,
            assertion,
            controls.manage_dsa_it,
        )?
    };
    let code = if equal { ResultCode::COMPARE_TRUE } else { ResultCode::COMPARE_FALSE };
    Ok(Progress::Done(Answer::new(code, "")))
}
