//! Abandon (RFC 4511 §4.11): stops a search, silences what cannot be stopped. No response, ever.

use ldap::message::MessageId;

use crate::in_flight::Work;
use crate::session::Session;

pub(crate) fn run(session: &mut Session, id: MessageId) {
    let Some(pending) = session.in_flight.find(id) else { return };
    match pending.work {
        Work::Search(_) => {
            if let Some(stopped) = session.in_flight.take(id) {
                stopped.call.record.end_abandoned(session.origin(id));
            }
        }
        // A change may already be on its way to the disk, so it is neither stopped nor answered.
        Work::Change | Work::PasswordModify(_) | Work::Steward => pending.abandoned = true,
        // RFC 4511 §4.11: nor can abandon, unbind and StartTLS be abandoned.
        Work::Bind(_) | Work::Held(_) => {}
    }
}
