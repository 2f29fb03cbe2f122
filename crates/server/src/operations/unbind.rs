//! Unbind (RFC 4511 §4.3): the client is done; there is no response.

use crate::session::{Session, State};

pub(crate) fn run(session: &mut Session) {
    session.state = State::Closing;
}
