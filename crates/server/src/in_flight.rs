//! What a connection is working on, and how answers from other threads find their way back.

use std::sync::Arc;
use std::task::Waker;

use directory::password::HashFailed;
use directory::{Error, Outcome, Refusal};
use ldap::message::MessageId;
use ldap::response::ResponseOperation;
use tokio::sync::mpsc::UnboundedSender;

use crate::audit::Record;
use crate::operations::bind::Binding;
use crate::operations::bind::attempt::Concluded;
use crate::operations::extended::password_modify::PasswordChange;
use crate::operations::search::RunningSearch;
use crate::post::Post;

/// One operation, from its request to its response.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: MessageId,
    /// Never used again on this connection, unlike `id`, which a client may reuse after abandoning.
    pub(crate) serial: u64,
    pub(crate) operation: ResponseOperation,
    pub(crate) record: Record,
}

/// What an operation waits for.
#[derive(Debug)]
pub(crate) enum Work {
    Search(Box<RunningSearch>),
    /// In the writer's queue or being made durable.
    Change,
    Bind(Binding),
    /// Answered already, and the answer is held back for a while.
    Held(Box<crate::respond::Answer>),
    PasswordModify(Box<PasswordChange>),
    /// With the program around the server.
    Steward,
}

impl Work {
    /// Whether a password is being tried: nothing else is read meanwhile, so that whoever tries
    /// one cannot be gone before it counts.
    pub(crate) fn is_attempt(&self) -> bool {
        match self {
            Work::Bind(_) | Work::Held(_) => true,
            Work::PasswordModify(change) => change.is_attempt(),
            Work::Search(_) | Work::Change | Work::Steward => false,
        }
    }
}

/// How far an operation came.
#[derive(Debug)]
pub(crate) enum Progress {
    Done(crate::respond::Answer),
    InFlight(Work),
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) call: Call,
    pub(crate) work: Work,
    /// Abandoned, though it cannot be stopped: no response is sent.
    pub(crate) abandoned: bool,
}

/// The operations of one connection, oldest first. Bounded by `Limits::operations_in_flight`, so
/// that looking through it is cheap.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    pending: Vec<Pending>,
}

impl InFlight {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Keeps nothing where nothing is at work.
    pub(crate) fn rest(&mut self) {
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    pub(crate) fn into_pending(self) -> Vec<Pending> {
        self.pending
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Puts back what was taken out to be worked on.
    pub(crate) fn put_back(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    pub(crate) fn find(&mut self, id: MessageId) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.call.id == id && !pending.abandoned)
    }

    pub(crate) fn take(&mut self, id: MessageId) -> Option<Pending> {
        let at = self.pending.iter().position(|p| p.call.id == id && !p.abandoned)?;
        Some(self.pending.remove(at))
    }

    pub(crate) fn take_serial(&mut self, serial: u64) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.call.serial == serial)?;
        Some(self.pending.remove(at))
    }

    /// An answer that is held back.
    pub(crate) fn take_held(&mut self) -> Option<Pending> {
        let at = self.pending.iter().position(|p| matches!(p.work, Work::Held(_)))?;
        Some(self.pending.remove(at))
    }

    pub(crate) fn has_search(&self) -> bool {
        self.pending.iter().any(|pending| matches!(pending.work, Work::Search(_)))
    }

    /// The search that has rested longest, taken out: put back at the end, all get their turn.
    pub(crate) fn take_next_search(&mut self) -> Option<Pending> {
        let at = self.pending.iter().position(|p| matches!(p.work, Work::Search(_)))?;
        Some(self.pending.remove(at))
    }

    pub(crate) fn searches(&self) -> usize {
        self.pending.iter().filter(|pending| matches!(pending.work, Work::Search(_))).count()
    }
}

/// News for a connection from another thread.
pub(crate) struct Event {
    pub(crate) serial: u64,
    /// Apart, because the channel of each connection keeps room for many of these.
    pub(crate) finished: Box<Finished>,
}

/// What it says may be secret.
impl std::fmt::Debug for Event {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Event({})", self.serial)
    }
}

pub(crate) enum Finished {
    Changed(Result<Outcome, Error>),
    Verified(Concluded),
    Hashed(Result<Vec<u8>, HashFailed>),
    /// What was held back may go out.
    Released,
    Advised(Result<Option<Vec<u8>>, Refusal>),
    /// Whoever should have answered is gone without a word: it panicked or was stopped.
    Lost,
}

/// The way of news to one connection.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    connection: UnboundedSender<Event>,
    /// Of the connection's worker, where it has one.
    post: Option<Arc<Post>>,
}

impl Events {
    pub(crate) fn by_post(connection: UnboundedSender<Event>, post: Arc<Post>) -> Events {
        Events { connection, post: Some(post) }
    }
}

impl From<UnboundedSender<Event>> for Events {
    fn from(connection: UnboundedSender<Event>) -> Events {
        Events { connection, post: None }
    }
}

/// The right to answer one operation once. Dropped without an answer, it says so.
#[derive(Debug)]
pub(crate) struct ReplySlot {
    events: Events,
    serial: u64,
    answered: bool,
}

impl ReplySlot {
    pub(crate) fn new(events: Events, serial: u64) -> ReplySlot {
        ReplySlot { events, serial, answered: false }
    }

    pub(crate) fn send(mut self, finished: Finished) {
        self.answered = true;
        self.post(finished);
    }

    /// The same for one of many answers, after which whoever is given back is to be woken.
    pub(crate) fn send_among_others(mut self, finished: Finished) -> Option<Waker> {
        self.answered = true;
        let Some(post) = &self.events.post else {
            self.post(finished);
            return None;
        };
        let event = Event { serial: self.serial, finished: Box::new(finished) };
        post.put(self.events.connection.clone(), event)
    }

    fn post(&self, finished: Finished) {
        let event = Event { serial: self.serial, finished: Box::new(finished) };
        // The connection may be gone: then nobody waits for the answer.
        let _ = self.events.connection.send(event);
    }
}

impl Drop for ReplySlot {
    fn drop(&mut self) {
        if !self.answered {
            self.post(Finished::Lost);
        }
    }
}
