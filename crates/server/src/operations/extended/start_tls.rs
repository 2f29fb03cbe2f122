//! StartTLS (RFC 4511 §4.14): answered in the clear, then nothing in the clear any more.

use directory::{Error, Refusal};
use ldap::oid::extended;
use ldap::result::ResultCode;

use crate::in_flight::Progress;
use crate::operations::extended::refuse_value;
use crate::respond::Answer;
use crate::session::{Session, State};

pub(crate) fn run(session: &mut Session, value: Option<&[u8]>) -> Result<Progress, Error> {
    refuse_value(value)?;
    if !session.offers.start_tls {
        return Err(not_possible(session).into());
    }
    if !session.in_flight.is_empty() {
        // RFC 4511 §4.14.1.
        let message = "other operations are in progress; send StartTLS after their responses";
        return Err(Refusal::new(ResultCode::OPERATIONS_ERROR, message).into());
    }
    if session.has_more_input {
        // What comes in the clear behind StartTLS would be taken for something said under TLS.
        session.state = State::Closing;
        let message = "nothing may follow StartTLS before its response";
        return Err(Refusal::new(ResultCode::PROTOCOL_ERROR, message).into());
    }
    session.state = State::StartingTls;
    Ok(Progress::Done(Answer::success().with_name(extended::START_TLS)))
}

fn not_possible(session: &Session) -> Refusal {
    match session.subject.protection {
        directory::Protection::None => {
            Refusal::new(ResultCode::PROTOCOL_ERROR, "StartTLS is not offered here; use LDAPS")
        }
        _ => Refusal::new(ResultCode::OPERATIONS_ERROR, "the connection is protected already"),
    }
}
