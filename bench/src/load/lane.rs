//! One connection, its requests in flight and their answers.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};

use super::endpoint::{Address, Endpoint};
use super::party::Party;
use super::transport::{Buffers, Transport};
use super::{Session, Turn};
use crate::answer::{self, Message};
use crate::request;

/// Message id of the bind that opens a connection.
const BIND_ID: u32 = 1;
/// Message ids of operations begin here.
const FIRST_ID: u32 = 2;

/// A request that waits for its answer.
#[derive(Debug)]
struct Flight {
    id: u32,
    turn: Turn,
    began: u64,
    entries: u64,
    sum: u64,
    cookie: Vec<u8>,
}

const NO_TURN: Turn = Turn { number: 0, lane: 0, turn: 0 };

pub(super) struct Lane {
    index: u32,
    pub(super) party: usize,
    pub(super) transport: Option<Transport>,
    config: Option<Arc<ClientConfig>>,
    /// The beginning of a message whose rest has not come.
    input: Vec<u8>,
    flights: Vec<Flight>,
    free: Vec<usize>,
    /// Flights whose next page must be asked for.
    again: Vec<usize>,
    generation: u32,
    pub(super) turns: u64,
    /// Signed in.
    pub(super) is_ready: bool,
    /// Sessions that were opened.
    sessions: u64,
    /// Tickets that the last session got.
    tickets: u32,
    /// What epoll was last told.
    pub(super) wants_write: bool,
}

/// What an answer says of its operation.
enum Step {
    More,
    NextPage,
    Done,
}

impl Lane {
    pub(super) fn new(index: u32, party: usize, depth: usize, endpoint: &Endpoint) -> Self {
        let flight =
            |_| Flight { id: 0, turn: NO_TURN, began: 0, entries: 0, sum: 0, cookie: Vec::new() };
        Self {
            index,
            party,
            transport: None,
            config: resuming(endpoint),
            input: Vec::new(),
            flights: (0..depth).map(flight).collect(),
            free: (0..depth).rev().collect(),
            again: Vec::new(),
            generation: 0,
            turns: 0,
            is_ready: false,
            sessions: 0,
            tickets: 0,
            wants_write: true,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.free.len() == self.flights.len()
    }

    /// Connects, and asks to sign in.
    pub(super) fn open(&mut self, endpoint: &Endpoint, party: &Party<'_>) -> Result<()> {
        let config = (party.session == Session::Resumed).then_some(self.config.as_ref()).flatten();
        let mut transport = Transport::open(endpoint, config)?;
        let turn = Turn { number: party.issued, lane: self.index, turn: self.turns };
        let own = party.work.sign_in(turn);
        let bind = own.as_ref().or(party.bind.as_ref());
        self.is_ready = bind.is_none();
        self.sessions += 1;
        self.wants_write = true;
        self.input.clear();
        if let Some((dn, password)) = bind {
            let mut operation = Vec::new();
            request::bind(&mut operation, dn, password);
            let mut out = Vec::new();
            request::message(&mut out, BIND_ID, &operation);
            transport.write(&out)?;
        }
        self.transport = Some(transport);
        Ok(())
    }

    /// The socket can be written.
    pub(super) fn writable(&mut self, endpoint: &Endpoint) -> Result<()> {
        self.transport.as_mut().map_or(Ok(()), |transport| transport.writable(endpoint))
    }

    /// Reads once and takes every whole answer.
    pub(super) fn readable(
        &mut self,
        buffers: &mut Buffers,
        party: &mut Party<'_>,
        now: u64,
    ) -> Result<()> {
        let Some(transport) = &mut self.transport else { return Ok(()) };
        let received = transport.receive(buffers)?;
        party.received(received.wire_bytes);
        if self.input.is_empty() {
            let taken = self.take(received.plain, party, now)?;
            self.input.extend_from_slice(received.plain.get(taken..).unwrap_or_default());
        } else if !received.plain.is_empty() {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(received.plain);
            let taken = self.take(&input, party, now)?;
            input.drain(..taken);
            self.input = input;
        }
        if received.closed && self.transport.is_some() {
            let waiting = self.flights.len() - self.free.len();
            bail!("the server closed a connection on which {waiting} requests were unanswered");
        }
        Ok(())
    }

    /// Takes whole messages from the front; returns their octets.
    fn take(&mut self, bytes: &[u8], party: &mut Party<'_>, now: u64) -> Result<usize> {
        let mut taken = 0;
        while let Some((message, size)) = answer::message(bytes.get(taken..).unwrap_or_default())? {
            taken += size;
            self.answer(&message, party, now)?;
        }
        Ok(taken)
    }

    fn answer(&mut self, message: &Message<'_>, party: &mut Party<'_>, now: u64) -> Result<()> {
        if !self.is_ready {
            return self.signed_in(message, party);
        }
        let slot = message.id.wrapping_sub(FIRST_ID) as usize % self.flights.len();
        let flight = self.flights.get_mut(slot).filter(|flight| flight.id == message.id);
        let Some(flight) = flight else { return Err(unasked(message)) };
        let step = flight.take(message, party);
        match step.with_context(|| party.work.describe(flight.turn))? {
            Step::More => {}
            Step::NextPage => self.again.push(slot),
            Step::Done => {
                flight.id = 0;
                let (turn, began) = (flight.turn, flight.began);
                let (entries, sum) = (flight.entries, flight.sum);
                self.free.push(slot);
                // A lane's first session gets the ticket that the next ones use.
                let is_primer = party.session == Session::Resumed && self.sessions == 1;
                let counts = party.is_measuring && !is_primer;
                party.done(turn, now.saturating_sub(began), entries, sum, counts)?;
                if party.session != Session::Kept {
                    party.tally.resumed += u64::from(self.close(party.session)? && counts);
                }
            }
        }
        Ok(())
    }

    fn signed_in(&mut self, message: &Message<'_>, party: &Party<'_>) -> Result<()> {
        if message.id != BIND_ID || message.tag != answer::BIND {
            return Err(unasked(message));
        }
        let outcome = answer::outcome(message)?;
        let who = party.bind.as_ref().map_or("one of the people", |(dn, _)| dn.as_str());
        ensure!(
            outcome.code == 0,
            "signing in as `{who}` was refused: {} ({}){}; check `--bind` and the password",
            outcome.code,
            answer::code_name(outcome.code),
            said(outcome.diagnostic),
        );
        self.is_ready = true;
        Ok(())
    }

    /// Ends a session that was for one operation; whether it was a resumed one.
    fn close(&mut self, session: Session) -> Result<bool> {
        let Some(mut transport) = self.transport.take() else { return Ok(false) };
        let is_resumed = transport.handshake() == Some(HandshakeKind::Resumed);
        ensure!(!is_resumed || session == Session::Resumed, "a full handshake was resumed");
        // A server that gives no tickets cannot resume; that none was is in the figures.
        let has_refused = session == Session::Resumed && !is_resumed && self.tickets > 0;
        ensure!(!has_refused, "the server did not take a ticket that it gave for resuming");
        self.tickets = transport.tickets();
        transport.write(&[0x30, 5, 0x02, 1, 0x7f, 0x42, 0])?;
        transport.close_notify()?;
        Ok(is_resumed)
    }

    /// Sends as many requests as may be in flight.
    pub(super) fn fill(
        &mut self,
        party: &mut Party<'_>,
        endpoint: &Endpoint,
        now: u64,
    ) -> Result<()> {
        if party.session != Session::Kept && self.transport.is_none() {
            let Some(slot) = self.free.last().copied() else { return Ok(()) };
            if !party.may_issue(self.turns) {
                return Ok(());
            }
            self.flights[slot].began = now;
            self.open(endpoint, party)?;
        }
        if !self.is_ready {
            return Ok(());
        }
        let mut out = std::mem::take(&mut party.out);
        out.clear();
        while let Some(slot) = self.again.pop() {
            self.compose(slot, party, &mut out);
        }
        // A session was opened for one operation, which is then made.
        let is_session = party.session != Session::Kept;
        while !self.free.is_empty() && (is_session || party.may_issue(self.turns)) {
            let Some(slot) = self.free.pop() else { break };
            let turn = Turn { number: party.issued, lane: self.index, turn: self.turns };
            let flight = &mut self.flights[slot];
            flight.turn = turn;
            (flight.entries, flight.sum) = (0, 0);
            flight.cookie.clear();
            if !is_session {
                flight.began = now;
            }
            party.issued += 1;
            self.turns += 1;
            self.compose(slot, party, &mut out);
            if is_session {
                break;
            }
        }
        if !out.is_empty() {
            let sent = self.transport.as_mut().map_or(Ok(()), |transport| transport.write(&out));
            sent?;
        }
        party.out = out;
        Ok(())
    }

    fn compose(&mut self, slot: usize, party: &mut Party<'_>, out: &mut Vec<u8>) {
        let depth = self.flights.len() as u32;
        // Ids stay below 2^31, RFC 4511 §4.1.1.1.
        self.generation = (self.generation + 1) % ((1 << 30) / depth);
        let flight = &mut self.flights[slot];
        flight.id = FIRST_ID + self.generation * depth + slot as u32;
        party.scratch.clear();
        party.work.request(flight.turn, &mut party.scratch);
        if let Some(entries) = party.page {
            request::paged(&mut party.scratch, entries, &flight.cookie);
        }
        request::message(out, flight.id, &party.scratch);
    }
}

impl Flight {
    /// Counts an entry, or judges the final answer.
    fn take(&mut self, message: &Message<'_>, party: &Party<'_>) -> Result<Step> {
        match message.tag {
            answer::ENTRY => {
                self.entries += 1;
                self.sum = self.sum.wrapping_add(answer::entry_sum(message.content)?);
                return Ok(Step::More);
            }
            answer::REFERENCE => {
                bail!("the search was continued at another server: choose a base without referrals")
            }
            answer::INTERMEDIATE => return Ok(Step::More),
            _ => {}
        }
        let expected = party.work.expected(self.turn);
        let outcome = answer::outcome(message)?;
        ensure!(
            message.tag == expected.tag,
            "wrong answer: of type 0x{:02x} instead of 0x{:02x}",
            message.tag,
            expected.tag
        );
        if outcome.code != expected.code {
            return Err(wrong_code(outcome, expected.code));
        }
        if party.page.is_some() {
            let cookie = answer::page_cookie(message)?;
            if !cookie.is_empty() {
                self.cookie.clear();
                self.cookie.extend_from_slice(cookie);
                return Ok(Step::NextPage);
            }
        }
        Ok(Step::Done)
    }
}

fn wrong_code(outcome: answer::Outcome<'_>, expected: u32) -> anyhow::Error {
    let hint = match outcome.code {
        32 => "; is the base right, and was the data loaded? `chancery-bench data` writes it",
        50 => "; sign in as somebody who may: `--bind`",
        4 | 11 => "; the server limits how much may be read: sign in as somebody without the limit",
        13 => "; use ldaps or ldapi",
        _ => "",
    };
    anyhow!(
        "wrong answer: result code {} ({}) instead of {expected} ({}){}{hint}",
        outcome.code,
        answer::code_name(outcome.code),
        answer::code_name(expected),
        said(outcome.diagnostic),
    )
}

fn said(diagnostic: &[u8]) -> String {
    if diagnostic.is_empty() {
        return String::new();
    }
    format!(", `{}`", String::from_utf8_lossy(diagnostic))
}

fn unasked(message: &Message<'_>) -> anyhow::Error {
    let told = match answer::outcome(message) {
        Ok(outcome) if message.id == 0 => {
            format!(
                ": the server ends the connection, {}{}",
                outcome.code,
                said(outcome.diagnostic)
            )
        }
        _ => String::new(),
    };
    anyhow!("an answer that nothing was asked for: id {}, type 0x{:02x}{told}", message.id, {
        message.tag
    })
}

/// The endpoint's TLS with a ticket store of this lane's own.
fn resuming(endpoint: &Endpoint) -> Option<Arc<ClientConfig>> {
    let Address::Tls { config, .. } = &endpoint.address else { return None };
    let mut config = ClientConfig::clone(config);
    config.resumption = Resumption::in_memory_sessions(8);
    Some(Arc::new(config))
}
