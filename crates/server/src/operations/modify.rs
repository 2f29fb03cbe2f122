//! Modify (RFC 4511 §4.6).

use directory::{Change, Error, Modification, Refusal};
use ldap::message::{ModifyOperation, ModifyRequest};
use ldap::result::ResultCode;

use crate::controls::Controls;
use crate::in_flight::{Call, Progress};
use crate::operations::change;
use crate::session::Session;
use crate::steward::ask;

pub(crate) fn run(
    session: &Session,
    call: &Call,
    request: &ModifyRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    if request.dn.is_empty() {
        return modify_root_dse(session, call, request);
    }
    let modifications = request.changes.iter().map(|one| Modification {
        operation: one.operation,
        attribute: change::owned(&one.attribute),
    });
    let change =
        Change::Modify { dn: request.dn.to_owned(), modifications: modifications.collect() };
    change::submit(session, call, change, controls)
}

/// Active Directory's way to say that a new certificate is there: `renewServerCertificate: 1`.
fn modify_root_dse(
    session: &Session,
    call: &Call,
    request: &ModifyRequest<'_>,
) -> Result<Progress, Error> {
    let view = session.shared.directory.view_through(&session.subject, &session.lens)?;
    if !view.administers()? {
        let message = "the root DSE is changed by administrators only";
        return Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message).into());
    }
    let is_renewal = match request.changes.as_slice() {
        [one] => {
            let attribute = &one.attribute;
            one.operation != ModifyOperation::Delete
                && attribute.description.eq_ignore_ascii_case("renewServerCertificate")
                && matches!(attribute.values.as_slice(), [b"1"])
        }
        _ => false,
    };
    if !is_renewal {
        let message = "the root DSE takes one change: renewServerCertificate with the value 1";
        return Err(Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message).into());
    }
    let requester = session.subject.clone();
    let renewed =
        ask(session, call, move |steward| steward.renew_certificate(&requester).map(|()| None));
    Ok(renewed?)
}
