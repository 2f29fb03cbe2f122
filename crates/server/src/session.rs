//! One client's session: who it is, what it may ask now, and the one match on what it asks.
//!
//! No I/O: bytes in with [`Session::receive`], bytes out through [`Session::output`].

use std::net::IpAddr;
use std::sync::Arc;

use directory::{Directory, Error, Lens, Protection, Refusal, Subject, Who};
use ldap::message::{DecodeFailure, DecodeLimits, Message, MessageId, Request};
use ldap::response::{ResponseOperation, write_notice_of_disconnection};
use ldap::result::ResultCode;
use pki::Summary;
use tokio::time::Instant;

use crate::audit::{Origin, Record};
use crate::certificate_map::CertificateRules;
use crate::controls;
use crate::door::Door;
use crate::in_flight::{
    Call, Event, Events, Finished, InFlight, Pending, Progress, ReplySlot, Work,
};
use crate::limits::Limits;
use crate::operations::extended::password_modify;
use crate::operations::{
    abandon, add, bind, change, compare, delete, extended, modify, modify_dn, search, unbind,
};
use crate::output::Output;
use crate::password_pool::PasswordPool;
use crate::respond::Answer;
use crate::root_dse::Offers;
use crate::settings::Anonymous;
use crate::steward::Office;

/// What all sessions of a server have in common.
pub(crate) struct Shared {
    pub(crate) directory: Directory,
    pub(crate) limits: Limits,
    pub(crate) decode: DecodeLimits,
    pub(crate) passwords: PasswordPool,
    pub(crate) door: Arc<Door>,
    pub(crate) anonymous: Anonymous,
    pub(crate) own_password_without_old: bool,
    pub(crate) certificate_rules: CertificateRules,
    /// The program around the server, where there is one.
    pub(crate) office: Option<Office>,
    /// The user this process runs as.
    pub(crate) own_user: u32,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Shared({:?})", self.limits)
    }
}

/// Where a connection comes from.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) connection: u64,
    pub(crate) address: Option<IpAddr>,
    /// The balancer that said so.
    pub(crate) via: Option<IpAddr>,
    pub(crate) protection: Protection,
    pub(crate) proof: Proof,
    pub(crate) start_tls: bool,
}

/// What the peer has proved below LDAP, for SASL EXTERNAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Nothing,
    /// A verified client certificate.
    Certificate(Arc<Summary>),
    User(LocalUser),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalUser {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// RFC 4511 §4.2.1: nothing else is processed until the bind is answered.
    Binding,
    /// The response is written, the handshake comes next.
    StartingTls,
    /// Nothing is read any more; what is in flight is answered, then the connection closes.
    Draining,
    /// What is written goes out, then the connection closes.
    Closing,
}

/// What became of some received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Consumed,
    /// To be given again when something in flight has ended.
    NotYet,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) subject: Subject,
    /// What the directory remembers for this session between two operations.
    pub(crate) lens: Lens,
    pub(crate) offers: Offers,
    pub(crate) proof: Proof,
    pub(crate) state: State,
    pub(crate) output: Output,
    pub(crate) in_flight: InFlight,
    /// When the message or event at hand came up: one look at the clock serves all that ask.
    pub(crate) now: Instant,
    /// Whether more bytes stand behind the message that is being handled.
    pub(crate) has_more_input: bool,
    connection: u64,
    /// The balancer in between.
    via: Option<IpAddr>,
    serials: u64,
    events: Events,
}

impl Session {
    pub(crate) fn new(
        shared: Arc<Shared>,
        lens: Lens,
        peer: Peer,
        events: impl Into<Events>,
    ) -> Session {
        let subject =
            Subject { who: Who::Anonymous, address: peer.address, protection: peer.protection };
        let offers = Offers {
            start_tls: peer.start_tls,
            external: peer.proof != Proof::Nothing,
            plain: peer.protection != Protection::None,
            enrol: shared.office.is_some(),
        };
        Session {
            shared,
            subject,
            lens,
            offers,
            proof: peer.proof,
            state: State::Open,
            output: Output::default(),
            in_flight: InFlight::default(),
            now: Instant::now(),
            has_more_input: false,
            connection: peer.connection,
            via: peer.via,
            serials: 0,
            events: events.into(),
        }
    }

    /// After the handshake that StartTLS asked for. RFC 4511 §4.14.1: what was known before does
    /// not count any more.
    pub(crate) fn secured(&mut self, proof: Proof) {
        self.subject.who = Who::Anonymous;
        self.subject.protection = Protection::Tls;
        let external = proof != Proof::Nothing;
        self.offers = Offers { start_tls: false, external, plain: true, ..self.offers };
        self.proof = proof;
        self.state = State::Open;
    }

    /// Larger messages only from those who have signed in.
    pub(crate) fn message_bytes_max(&self) -> usize {
        match self.subject.who {
            Who::Anonymous => self.shared.limits.message_bytes_before_bind,
            _ => self.shared.limits.message_bytes,
        }
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        self.subject.who == Who::Anonymous
    }

    /// Whether another request may be looked at.
    pub(crate) fn has_room(&self) -> bool {
        self.state == State::Open
            && self.in_flight.len() < self.shared.limits.operations_in_flight
            && self.output.len() < self.shared.limits.output_bytes
    }

    /// One whole `LDAPMessage`.
    #[inline(never)] // the instruction guard counts what is below this name
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Received {
        match Message::decode(bytes, &self.shared.decode) {
            Ok(message) => return self.handle(&message),
            Err(failure) => self.answer_malformed(&failure),
        }
        Received::Consumed
    }

    fn handle(&mut self, message: &Message<'_>) -> Received {
        match &message.request {
            // RFC 4511 §4.2.1: what is in progress must complete, or be abandoned, before a bind.
            Request::Bind(_) if !self.in_flight.is_empty() => return Received::NotYet,
            Request::Unbind => {
                self.note(message);
                unbind::run(self);
            }
            Request::Abandon(id) => {
                self.note(message);
                abandon::run(self, *id);
            }
            request => match request.response_operation() {
                Some(operation) => self.operate(message, operation),
                None => self.disconnect(ResultCode::PROTOCOL_ERROR, "this request has no response"),
            },
        }
        Received::Consumed
    }

    fn operate(&mut self, message: &Message<'_>, operation: ResponseOperation) {
        if self.in_flight.find(message.id).is_some() {
            let text = "the message id is that of an operation in progress";
            return self.disconnect(ResultCode::PROTOCOL_ERROR, text);
        }
        self.serials += 1;
        let record = Record::start(&message.request, self.now, self.shared.limits.audit_text);
        let mut call = Call { id: message.id, serial: self.serials, operation, record };
        let result = self.dispatch(message, &mut call);
        self.conclude(call, result, false);
    }

    /// The one match.
    fn dispatch(&mut self, message: &Message<'_>, call: &mut Call) -> Result<Progress, Error> {
        let shared = Arc::clone(&self.shared);
        if matches!(message.request, Request::Bind(_)) {
            // RFC 4513 §4: anonymous from the request on, and again if it fails in whatever way.
            self.subject.who = Who::Anonymous;
        }
        let controls = controls::decode(&message.controls, call.operation, &shared.decode)?;
        self.refuse_anonymous(&message.request)?;
        match &message.request {
            Request::Bind(request) => bind::run(self, call, request),
            Request::Search(request) => search::run(self, call, request, &controls),
            Request::Compare(request) => compare::run(self, request, &controls),
            Request::Add(request) => add::run(self, call, request, &controls),
            Request::Modify(request) => modify::run(self, call, request, &controls),
            Request::ModifyDn(request) => modify_dn::run(self, call, request, &controls),
            Request::Delete(request) => delete::run(self, call, request, &controls),
            Request::Extended(request) => extended::run(self, call, request),
            Request::Unbind | Request::Abandon(_) => Ok(Progress::Done(Answer::success())),
        }
    }

    /// Those who have not signed in may find out how to, and nothing else, unless configured.
    fn refuse_anonymous(&self, request: &Request<'_>) -> Result<(), Refusal> {
        if self.subject.who != Who::Anonymous {
            return Ok(());
        }
        match (request, self.shared.anonymous) {
            (Request::Bind(_) | Request::Extended(_), _) | (_, Anonymous::Search) => Ok(()),
            (Request::Search(request), Anonymous::RootDse) if search::is_public(request) => Ok(()),
            _ => Err(Refusal::new(
                ResultCode::INSUFFICIENT_ACCESS_RIGHTS,
                "nothing but the root DSE and the schema is open to the anonymous; bind first",
            )),
        }
    }

    /// Answers what is done, remembers what is not.
    fn conclude(&mut self, call: Call, result: Result<Progress, Error>, abandoned: bool) {
        let answer = match result {
            Ok(Progress::InFlight(work)) => {
                return self.in_flight.put_back(Pending { call, work, abandoned });
            }
            Ok(Progress::Done(answer)) => answer,
            Err(error) => Answer::from(error),
        };
        if abandoned {
            call.record.end_abandoned(self.origin(call.id));
        } else {
            self.answer(&call, &answer);
        }
    }

    pub(crate) fn answer(&mut self, call: &Call, answer: &Answer) {
        answer.write(self.output.buffer(), call.id, call.operation);
        let told = answer.note.unwrap_or(&answer.message);
        call.record.end(self.origin(call.id), answer.code, told);
    }

    /// The audit event of an operation that has no response.
    fn note(&self, message: &Message<'_>) {
        let record = Record::start(&message.request, self.now, self.shared.limits.audit_text);
        record.end(self.origin(message.id), ResultCode::SUCCESS, "");
    }

    /// RFC 4511 §4.1.1: an answer where the envelope was good, the end of the session otherwise.
    fn answer_malformed(&mut self, failure: &DecodeFailure) {
        let sentence = format!("the request cannot be decoded: {failure}");
        match failure.answer() {
            Some((id, operation)) if self.in_flight.find(id).is_none() => {
                if operation == ResponseOperation::Bind {
                    self.subject.who = Who::Anonymous;
                }
                let answer = Answer::new(failure.result_code(), sentence);
                answer.write(self.output.buffer(), id, operation);
                tracing::info!(connection = self.connection, message = id.0, %failure, "malformed");
            }
            _ => self.disconnect(ResultCode::PROTOCOL_ERROR, &sentence),
        }
    }

    /// Notice of disconnection (RFC 4511 §4.4.1), after which nothing is said.
    pub(crate) fn disconnect(&mut self, code: ResultCode, sentence: &str) {
        if self.state == State::Closing {
            return;
        }
        write_notice_of_disconnection(self.output.buffer(), code, sentence);
        self.state = State::Closing;
        tracing::info!(connection = self.connection, %code, sentence, "disconnecting");
    }

    /// News from the writer or the password pool.
    #[inline(never)] // the instruction guard counts what is below this name
    pub(crate) fn resume(&mut self, event: Event) {
        self.now = Instant::now();
        let Some(pending) = self.in_flight.take_serial(event.serial) else { return };
        let Pending { call, work, abandoned } = pending;
        if self.state == State::Binding && work.is_attempt() {
            self.state = State::Open;
        }
        let result = self.proceed(&call, work, *event.finished);
        self.conclude(call, result, abandoned);
    }

    fn proceed(&mut self, call: &Call, work: Work, news: Finished) -> Result<Progress, Error> {
        match (work, news) {
            (Work::Change, Finished::Changed(outcome)) => {
                Ok(Progress::Done(change::answer(&outcome?)))
            }
            (Work::Bind(binding), Finished::Verified(concluded)) => {
                Ok(bind::finish(self, call, concluded, binding))
            }
            (Work::Held(answer), Finished::Released) => Ok(Progress::Done(*answer)),
            (Work::PasswordModify(pending), news) => {
                password_modify::proceed(self, call, pending, news)
            }
            (Work::Steward, Finished::Advised(value)) => Ok(Progress::Done(match value? {
                Some(value) => Answer::success().with_value(value),
                None => Answer::success(),
            })),
            (Work::Search(_) | Work::Change | Work::Bind(_) | Work::Held(_) | Work::Steward, _) => {
                Err(lost().into())
            }
        }
    }

    /// Whether a search could go on.
    pub(crate) fn can_step(&self) -> bool {
        matches!(self.state, State::Open | State::Draining)
            && self.output.len() < self.shared.limits.output_bytes
            && self.in_flight.has_search()
    }

    /// Gives each search one step, as long as the client keeps up and the turn lasts.
    #[inline(never)] // the instruction guard counts what is below this name
    pub(crate) fn step_searches(&mut self, turn_ends: Instant) {
        for _ in 0..self.in_flight.searches() {
            self.now = Instant::now();
            if !self.can_step() || self.now >= turn_ends {
                return;
            }
            let Some(pending) = self.in_flight.take_next_search() else { return };
            let Pending { mut call, work, abandoned } = pending;
            let Work::Search(running) = work else { return };
            let result = search::advance(self, &mut call, running);
            self.conclude(call, result, abandoned);
        }
    }

    /// The conversation is over: whatever is still in flight will not be answered.
    pub(crate) fn give_up(&mut self) {
        for pending in std::mem::take(&mut self.in_flight).into_pending() {
            let sentence = "the connection ended first";
            let record = &pending.call.record;
            record.end(self.origin(pending.call.id), ResultCode::CANCELED, sentence);
        }
    }

    /// The server stops: what is in flight is still answered, and what is held back at once.
    pub(crate) fn drain(&mut self) {
        while let Some(Pending { call, work, abandoned }) = self.in_flight.take_held() {
            if let Work::Held(answer) = work {
                self.conclude(call, Ok(Progress::Done(*answer)), abandoned);
            }
        }
        self.state = match self.state {
            State::Open | State::Binding | State::Draining => State::Draining,
            // What would follow the response to StartTLS must not be said in the clear.
            State::StartingTls | State::Closing => State::Closing,
        };
    }

    pub(crate) fn reply_slot(&self, call: &Call) -> ReplySlot {
        ReplySlot::new(self.events.clone(), call.serial)
    }

    pub(crate) fn origin(&self, message: MessageId) -> Origin<'_> {
        Origin { connection: self.connection, message, subject: &self.subject, via: self.via }
    }
}

/// Whoever should have answered is gone.
pub(crate) fn lost() -> Refusal {
    Refusal::new(
        ResultCode::UNAVAILABLE,
        "the operation was lost inside the server; look before trying again whether it took effect",
    )
}

#[cfg(test)]
mod tests;
