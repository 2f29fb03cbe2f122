//! Delete (RFC 4511 §4.8).

use directory::{Change, Error};
use ldap::message::DeleteRequest;

use crate::controls::Controls;
use crate::in_flight::{Call, Progress};
use crate::operations::change;
use crate::session::Session;

pub(crate) fn run(
    session: &Session,
    call: &Call,
    request: &DeleteRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    change::submit(session, call, Change::Delete { dn: request.dn.to_owned() }, controls)
}
