//! What add, delete, modify and modifyDN have in common: into the writer's queue, out with its
//! reply.

use std::sync::{Arc, Mutex, PoisonError};

use directory::{
    Change, ChangeRequest, Directory, Error, NewAttribute, Outcome, ReadEntry, Refusal,
};
use ldap::control::encode_read_entry;
use ldap::message::Attribute;
use ldap::oid::control;
use ldap::result::ResultCode;

use crate::controls::Controls;
use crate::in_flight::{Call, Finished, Progress, ReplySlot, Work};
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
    let longest = Directory::clear_passwords(&request).iter().map(|password| password.len()).max();
    let slot = session.reply_slot(call);
    if let Some(longest) = longest {
        refuse_too_long(longest, session.shared.limits.password_bytes)?;
        let directory = session.shared.directory.clone();
        session.shared.passwords.submit(move || settle_and_submit(&directory, request, slot))?;
    } else {
        let reply = Box::new(move |result| slot.send_among_others(Finished::Changed(result)));
        session.shared.directory.submit_waking(request, reply)?;
    }
    Ok(Progress::InFlight(Work::Change))
}

fn refuse_too_long(length: usize, limit: usize) -> Result<(), Refusal> {
    if length <= limit {
        return Ok(());
    }
    let message = format!("the new password is longer than {limit} bytes");
    Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, message))
}

/// On the password pool: a change that carries passwords in the clear is hashed before it queues.
fn settle_and_submit(directory: &Directory, mut request: ChangeRequest, slot: ReplySlot) {
    if let Err(error) = directory.settle(&mut request) {
        return slot.send(Finished::Changed(Err(error)));
    }
    // Either the writer answers or, where the queue is full, this thread: whoever takes the slot.
    let slot = Arc::new(Mutex::new(Some(slot)));
    let replying = Arc::clone(&slot);
    let reply = Box::new(move |result| send_once(&replying, result));
    if let Err(refusal) = directory.submit(request, reply) {
        send_once(&slot, Err(refusal.into()));
    }
}

fn send_once(slot: &Mutex<Option<ReplySlot>>, result: Result<Outcome, Error>) {
    let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(slot) = taken {
        slot.send(Finished::Changed(result));
    }
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
