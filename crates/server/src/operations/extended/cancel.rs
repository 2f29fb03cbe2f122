//! Cancel (RFC 3909): like abandon, but both operations are answered.

use directory::{Error, Refusal};
use ldap::extended::decode_cancel;
use ldap::message::MessageId;
use ldap::result::ResultCode;

use crate::in_flight::{Progress, Work};
use crate::respond::Answer;
use crate::session::Session;

#[inline(never)] // the instruction guard marks the end of a path by it
pub(crate) fn run(session: &mut Session, value: Option<&[u8]>) -> Result<Progress, Error> {
    let id = decode_cancel(value.unwrap_or_default()).map_err(|error| {
        let message = format!("the request value of cancel cannot be decoded: {error}");
        Refusal::new(ResultCode::PROTOCOL_ERROR, message)
    })?;
    cancel(session, id)?;
    Ok(Progress::Done(Answer::success()))
}

fn cancel(session: &mut Session, id: MessageId) -> Result<(), Refusal> {
    let Some(pending) = session.in_flight.find(id) else {
        let message = format!("no operation with message id {} is in progress", id.0);
        return Err(Refusal::new(ResultCode::NO_SUCH_OPERATION, message));
    };
    match pending.work {
        Work::Search(_) => {}
        Work::Change => {
            let message =
                "the change is with the writer already; its own response tells the outcome";
            return Err(Refusal::new(ResultCode::TOO_LATE, message));
        }
        // RFC 3909 §2.3.
        Work::Bind(_) | Work::Held(_) | Work::PasswordModify(_) | Work::Steward => {
            let message = "operations of this kind cannot be canceled";
            return Err(Refusal::new(ResultCode::CANNOT_CANCEL, message));
        }
    }
    if let Some(stopped) = session.in_flight.take(id) {
        session.answer(&stopped.call, &Answer::new(ResultCode::CANCELED, "canceled on request"));
    }
    Ok(())
}
