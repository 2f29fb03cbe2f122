//! Extended operations (RFC 4511 §4.12), one file each.

pub(crate) mod cancel;
pub(crate) mod password_modify;
pub(crate) mod start_tls;
pub(crate) mod steward;
pub(crate) mod who_am_i;

use directory::{Error, Refusal};
use ldap::message::ExtendedRequest;
use ldap::oid::extended;
use ldap::result::ResultCode;

use crate::in_flight::{Call, Progress};
use crate::session::Session;

pub(crate) fn run(
    session: &mut Session,
    call: &Call,
    request: &ExtendedRequest<'_>,
) -> Result<Progress, Error> {
    match request.oid {
        extended::START_TLS => start_tls::run(session, request.value),
        extended::WHO_AM_I => who_am_i::run(session, request.value),
        extended::PASSWORD_MODIFY => password_modify::run(session, call, request.value),
        extended::CANCEL => cancel::run(session, request.value),
        extended::MANAGE => steward::manage(session, call, request.value),
        extended::ENROL => steward::enrol(session, call, request.value),
        oid => {
            // RFC 4511 §4.12 wants protocolError, and no response name.
            let message = format!(
                "the extended operation {oid} is not known here; \
                 supportedExtension in the root DSE lists those that are"
            );
            Err(Refusal::new(ResultCode::PROTOCOL_ERROR, message).into())
        }
    }
}

/// For operations that have no request value.
fn refuse_value(value: Option<&[u8]>) -> Result<(), Refusal> {
    match value {
        None => Ok(()),
        Some(_) => Err(Refusal::new(
            ResultCode::PROTOCOL_ERROR,
            "this extended operation takes no request value",
        )),
    }
}
