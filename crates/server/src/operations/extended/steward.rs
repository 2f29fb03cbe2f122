//! Extended operations of Chancery's own, done by the program around the server.

use directory::{Error, Refusal, Who};
use ldap::result::ResultCode;

use crate::in_flight::{Call, Progress};
use crate::operations::bind::refuse_unprotected;
use crate::session::Session;
use crate::steward::ask;

/// A request of one of the product's own commands.
pub(crate) fn manage(
    session: &Session,
    call: &Call,
    value: Option<&[u8]>,
) -> Result<Progress, Error> {
    if session.subject.who != Who::Operator {
        let message = "this is for the owner of the data folder, on the local socket";
        return Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message).into());
    }
    let request = value.unwrap_or_default().to_vec();
    Ok(ask(session, call, move |steward| steward.manage(&request).map(Some))?)
}

/// A certificate signing request.
pub(crate) fn enrol(
    session: &Session,
    call: &Call,
    value: Option<&[u8]>,
) -> Result<Progress, Error> {
    refuse_unprotected(session)?;
    if session.is_anonymous() {
        let message = "a certificate is issued to somebody; bind first";
        return Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message).into());
    }
    let Some(request) = value.map(<[u8]>::to_vec) else {
        let message = "the request value is missing: a template's name, a line feed, and the \
                       signing request in PEM";
        return Err(Refusal::new(ResultCode::PROTOCOL_ERROR, message).into());
    };
    let requester = session.subject.clone();
    Ok(ask(session, call, move |steward| steward.enrol(&requester, &request).map(Some))?)
}
