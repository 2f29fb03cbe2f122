//! Modify (RFC 4511 §4.6).

use directory::{Change, Error, Modification};
use ldap::message::ModifyRequest;

use crate::controls::Controls;
use crate::in_flight::{Call, Progress};
use crate::operations::change;
use crate::session::Session;

pub(crate) fn run(
    session: &Session,
    call: &Call,
    request: &ModifyRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    let modifications = request.changes.iter().map(|one| Modification {
        operation: one.operation,
        attribute: change::owned(&one.attribute),
    });
    let change =
        Change::Modify { dn: request.dn.to_owned(), modifications: modifications.collect() };
    change::submit(session, call, change, controls)
}
