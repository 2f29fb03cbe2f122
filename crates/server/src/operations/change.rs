//! What add, delete, modify and modifyDN have in common: into the writer's queue, out with its reply.

use directory::{Change, ChangeRequest, Error, NewAttribute, Outcome, ReadEntry};
use ldap::control::encode_read_entry;
use ldap::message::Attribute;
use ldap::oid::control;

use crate::controls::Controls;
use crate::in_flight::{Call, Finished, Progress, Work};
use crate::respond::Answer;
use crate::session::Session;

/// Queues the change; a full queue is `busy` at once.
pub(crate) fn submit(
    session: &Session,
    call: &Call,
    change: Change,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    let request =
        ChangeRequest { subject: session.subject.clone(), change, controls: controls.for_change() };
    let slot = session.reply_slot(call);
    let reply = Box::new(move |result| slot.send(Finished::Changed(result)));
    session.shared.directory.submit(request, reply)?;
    Ok(Progress::InFlight(Work::Change))
}

/// The writer has made it durable.
pub(crate) fn answer(outcome: &Outcome) -> Answer {
    let mut answer = Answer::success();
    let read = [(control::PRE_READ, &outcome.pre_read), (control::POST_READ, &outcome.post_read)];
    for (oid, entry) in read {
        if let Some(entry) = entry {
            answer = answer.with_control(oid, encoded(entry));
        }
    }
    answer
}

fn encoded(entry: &ReadEntry) -> Vec<u8> {
    let mut value = Vec::new();
    encode_read_entry(entry.dn.as_bytes(), &[&entry.attributes], &mut value);
    value
}

/// A copy that outlives the read buffer.
pub(crate) fn owned(attribute: &Attribute<'_>) -> NewAttribute {
    NewAttribute {
        description: attribute.description.to_owned(),
        values: attribute.values.iter().map(|value| value.to_vec()).collect(),
    }
}
