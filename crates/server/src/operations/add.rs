//! Add (RFC 4511 §4.7).

use directory::{Change, Error};
use ldap::message::AddRequest;

use crate::controls::Controls;
use crate::in_flight::{Call, Progress};
use crate::operations::change;
use crate::session::Session;

pub(crate) fn run(
    session: &Session,
    call: &Call,
    request: &AddRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    let attributes = request.attributes.iter().map(change::owned).collect();
    change::submit(session, call, Change::Add { dn: request.dn.to_owned(), attributes }, controls)
}
