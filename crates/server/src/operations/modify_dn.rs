//! ModifyDN (RFC 4511 §4.9), with a new superior or without.

use directory::{Change, Error};
use ldap::message::ModifyDnRequest;

use crate::controls::Controls;
use crate::in_flight::{Call, Progress};
use crate::operations::change;
use crate::session::Session;

pub(crate) fn run(
    session: &Session,
    call: &Call,
    request: &ModifyDnRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    let change = Change::ModifyDn {
        dn: request.dn.to_owned(),
        new_rdn: request.new_rdn.to_owned(),
        delete_old_rdn: request.delete_old_rdn,
        new_superior: request.new_superior.map(str::to_owned),
    };
    change::submit(session, call, change, controls)
}
