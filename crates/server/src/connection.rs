//! One task per connection: the only place where a client's bytes come in and go out.
//!
//! Each turn: handle every whole message in the read buffer, step the searches, then wait until
//! something can be written or read, an event arrives, or a deadline passes.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use ldap::ber::{Frame, frame};
use ldap::result::ResultCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::in_flight::Event;
use crate::network::{Passage, Rule};
use crate::session::{Received, Session, State};
use crate::worker::give_way;

/// What a busy connection keeps for reading ...
const READ_BUFFER: usize = 8 * 1024;

/// ... and what one begins with: enough for a few requests, and little for the many that are opened
/// and then silent.
const FIRST_BUFFER: usize = 1024;

/// After this long without a byte a connection gives its buffers back.
const RESTS_AFTER: Duration = Duration::from_secs(1);

/// How long one connection works before the others on its thread get their turn. Only whole steps
/// are counted, so `Limits::search_step` bounds by how much it may be exceeded.
const TURN: Duration = Duration::from_millis(5);

/// How a connection's conversation ended.
#[derive(Debug)]
pub(crate) enum Ending<S> {
    Closed,
    /// The response to StartTLS is out; the handshake comes next, on this stream.
    StartTls(S),
}

/// What ends a connection from our side.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// The server stops.
    pub(crate) server: watch::Receiver<bool>,
    /// The gate it came through lets it in no longer.
    pub(crate) passage: Option<Passage>,
}

impl From<watch::Receiver<bool>> for Ends {
    fn from(server: watch::Receiver<bool>) -> Ends {
        Ends { server, passage: None }
    }
}

/// Which of them it was.
#[derive(Debug)]
enum End {
    Server,
    /// The rule that decides now.
    Cut(Box<Rule>),
}

impl Ends {
    /// In a box of its own size: most connections have no gate to listen to.
    fn come(mut self) -> Pin<Box<dyn Future<Output = End>>> {
        let stopped = async move {
            // An error means that the server itself is gone, which is a reason to stop as well.
            _ = self.server.wait_for(|stop| *stop).await;
            End::Server
        };
        match self.passage {
            None => Box::pin(stopped),
            Some(passage) => Box::pin(async move {
                tokio::select! {
                    end = stopped => end,
                    rule = passage.over() => End::Cut(Box::new(rule)),
                }
            }),
        }
    }

    /// Whether there is news since [`Ends::mark_seen`].
    fn have_news(&self) -> bool {
        !matches!(self.server.has_changed(), Ok(false))
            || self.passage.as_ref().is_some_and(Passage::may_be_over)
    }

    /// The gate's news may be of others only.
    fn mark_seen(&mut self) {
        if let Some(passage) = &mut self.passage {
            passage.mark_seen();
        }
    }
}

/// Bytes received and not yet handled.
#[derive(Debug)]
struct Input {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The first message is complete but must wait for what is in flight.
    waits: bool,
    /// The client will send no more.
    ended: bool,
}

struct Connection<'c, S> {
    stream: S,
    input: Input,
    session: &'c mut Session,
    events: &'c mut UnboundedReceiver<Event>,
    ends: Ends,
    stopping: Pin<Box<dyn Future<Output = End>>>,
    is_stopping: bool,
    /// Whoever is to be woken by events, by the stop and by the alarm knows it already.
    registered: Option<Waker>,
    must_flush: bool,
    /// The buffers are given back, until the next byte.
    is_resting: bool,
    /// The last time that a byte went either way; before a bind, that a message was handled.
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
}

/// Talks LDAP on `stream` until one side ends it.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    session: &mut Session,
    events: &mut UnboundedReceiver<Event>,
    ends: Ends,
) -> io::Result<Ending<S>> {
    let now = Instant::now();
    let mut connection = Connection {
        stream,
        input: Input::new(),
        session,
        events,
        stopping: ends.clone().come(),
        ends,
        is_stopping: false,
        registered: None,
        must_flush: false,
        is_resting: false,
        moved: now,
        alarm: Box::pin(sleep_until(now)),
    };
    let talked = connection.talk().await;
    connection.session.give_up();
    talked?;
    connection.finish().await
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    async fn talk(&mut self) -> io::Result<()> {
        while !self.is_over() {
            self.session.now = give_way(self.session.shared.directory.turns(), Instant::now());
            let turn_ends = self.session.now + TURN;
            self.handle_input(turn_ends);
            self.session.step_searches(turn_ends);
            self.end_drained();
            let busy = self.is_busy();
            let mut waited = false;
            poll_fn(|context| {
                // What this turn does itself is done by its own clock.
                if std::mem::replace(&mut waited, true) {
                    self.session.now = Instant::now();
                }
                self.poll_turn(context, busy)
            })
            .await?;
            if busy {
                // Others on this thread get their turn between two steps.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Everything is said that will be.
    fn is_over(&self) -> bool {
        matches!(self.session.state, State::Closing | State::StartingTls)
            && self.session.output.is_empty()
            && !self.must_flush
    }

    async fn finish(mut self) -> io::Result<Ending<S>> {
        if self.session.state == State::StartingTls {
            return Ok(Ending::StartTls(self.stream));
        }
        // A peer that is gone already, or does not listen, has nothing to lose.
        let _ = timeout(self.session.shared.limits.handshake, self.stream.shutdown()).await;
        Ok(Ending::Closed)
    }

    /// Whether there is work that waits for nothing.
    fn is_busy(&self) -> bool {
        self.session.can_step() || self.can_handle()
    }

    fn can_handle(&self) -> bool {
        self.session.has_room() && !self.input.waits && self.input.has_message()
    }

    /// Handles whole messages until there are none, no room for their answers, or no time left.
    fn handle_input(&mut self, turn_ends: Instant) {
        self.input.waits = false;
        let mut handled = false;
        while self.session.has_room() {
            // One look at the clock for each message; the first one's is that of the turn.
            if handled {
                self.session.now = Instant::now();
            }
            if self.session.now >= turn_ends {
                return;
            }
            let max = self.session.message_bytes_max();
            match frame(self.input.unhandled(), max) {
                Ok(Frame::Complete { length }) => {
                    let Some(bytes) = self.input.unhandled().get(..length) else { return };
                    self.session.has_more_input = self.input.unhandled().len() > length;
                    match self.session.receive(bytes) {
                        Received::Consumed => {
                            self.input.consume(length);
                            self.moved = self.session.now;
                            handled = true;
                        }
                        Received::NotYet => {
                            self.input.waits = true;
                            return;
                        }
                    }
                }
                Ok(Frame::Incomplete { needed }) => {
                    if self.input.ended {
                        return self.session.drain();
                    }
                    return self.input.make_room(needed);
                }
                Err(error) => {
                    let sentence = format!("this is not an LDAP message: {error}");
                    return self.session.disconnect(ResultCode::PROTOCOL_ERROR, &sentence);
                }
            }
        }
    }

    /// All that was in flight is answered: now the connection may close.
    fn end_drained(&mut self) {
        if self.session.state != State::Draining || !self.session.in_flight.is_empty() {
            return;
        }
        if self.is_stopping {
            self.session.disconnect(ResultCode::UNAVAILABLE, "the server is stopping");
        } else if self.input.unhandled().is_empty() {
            self.session.state = State::Closing;
        } else {
            let sentence = "the last message ends before its length says";
            self.session.disconnect(ResultCode::PROTOCOL_ERROR, sentence);
        }
    }

    /// Ready when anything happened, or at once when there is work left.
    fn poll_turn(&mut self, context: &mut Context<'_>, busy: bool) -> Poll<io::Result<()>> {
        let mut happened = busy;
        // Polling what is silent, only to be remembered again, costs more than asking it.
        let is_known =
            self.registered.as_ref().is_some_and(|known| known.will_wake(context.waker()));
        if !is_known || !self.events.is_empty() {
            happened |= self.poll_events(context);
        }
        if !is_known || self.ends.have_news() {
            happened |= self.poll_stop(context);
        }
        // Room for answers is worth a turn where something waits for it.
        happened |= self.poll_write(context)? && self.is_busy();
        happened |= self.poll_read(context)?;
        happened |= self.poll_alarm(context, is_known)?;
        if !has_budget_remaining() {
            // Some of them may have said "pending" without remembering whom to wake.
            self.registered = None;
        } else if !is_known {
            self.registered = Some(context.waker().clone());
        }
        if happened || self.is_over() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_events(&mut self, context: &mut Context<'_>) -> bool {
        let mut happened = false;
        // Bounded: there is at most one event for each operation in flight.
        while let Poll::Ready(Some(event)) = self.events.poll_recv(context) {
            self.session.resume(event);
            happened = true;
        }
        happened
    }

    fn poll_stop(&mut self, context: &mut Context<'_>) -> bool {
        if self.is_stopping {
            return false;
        }
        // Before looking: what comes after that is news again.
        self.ends.mark_seen();
        let Poll::Ready(end) = self.stopping.as_mut().poll(context) else { return false };
        self.is_stopping = true;
        match end {
            End::Server => self.session.drain(),
            End::Cut(rule) => {
                let (name, priority) = (&rule.name, rule.priority);
                let sentence = format!("the network rule {name} ({priority}) ends this session");
                self.session.disconnect(ResultCode::UNAVAILABLE, &sentence);
            }
        }
        true
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let mut happened = false;
        while !self.session.output.is_empty() {
            let bytes = self.session.output.unsent();
            match Pin::new(&mut self.stream).poll_write(context, bytes) {
                Poll::Pending => return Ok(happened),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.session.output.mark_sent(count),
                Poll::Ready(Err(error)) => return Err(error),
            }
            happened = true;
            self.must_flush = true;
            self.moved = self.session.now;
        }
        if self.must_flush {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Pending => return Ok(happened),
                Poll::Ready(result) => result?,
            }
            self.must_flush = false;
            happened = true;
        }
        Ok(happened)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        // Not reading is the back-pressure: the client's bytes stay with the client.
        if !self.session.has_room() || self.input.waits || self.input.ended {
            return Ok(false);
        }
        match self.input.poll_fill(&mut self.stream, context) {
            Poll::Pending => Ok(false),
            Poll::Ready(count) => {
                self.input.ended = count? == 0;
                self.is_resting = false;
                // Before a bind only whole messages count: a byte now and then must not be enough
                // to hold a connection.
                if !self.session.is_anonymous() {
                    self.moved = self.session.now;
                }
                Ok(true)
            }
        }
    }

    /// When this connection has been still for too long; none while it waits for us.
    fn deadline(&self) -> Option<Instant> {
        let limits = &self.session.shared.limits;
        let patience = if !self.session.output.is_empty() || self.must_flush {
            limits.write_stall
        } else if !self.session.in_flight.is_empty() {
            return None;
        } else if self.session.is_anonymous() {
            limits.idle_before_bind
        } else {
            limits.idle
        };
        Some(self.moved + patience)
    }

    /// The timer is moved only when it fires too early, which costs less than at every turn.
    fn poll_alarm(&mut self, context: &mut Context<'_>, is_known: bool) -> io::Result<bool> {
        let Some(deadline) = self.deadline() else { return Ok(false) };
        let next = self.next_alarm(deadline);
        if next < self.alarm.deadline() || self.alarm.is_elapsed() {
            self.alarm.as_mut().reset(next);
        } else if is_known && self.session.now < self.alarm.deadline() {
            return Ok(false);
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if now >= deadline {
                return self.time_out();
            }
            if now >= self.moved + RESTS_AFTER {
                self.rest();
            }
            let next = self.next_alarm(deadline);
            self.alarm.as_mut().reset(next);
        }
        Ok(false)
    }

    fn next_alarm(&self, deadline: Instant) -> Instant {
        match self.is_resting {
            true => deadline,
            false => deadline.min(self.moved + RESTS_AFTER),
        }
    }

    /// Many connections are silent most of the time: what is empty is given back.
    fn rest(&mut self) {
        self.is_resting = true;
        self.input.rest();
        self.session.output.rest();
        self.session.in_flight.rest();
        self.session.lens.clear();
    }

    fn time_out(&mut self) -> io::Result<bool> {
        if !self.session.output.is_empty() || self.must_flush {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.moved = Instant::now();
        self.session.disconnect(ResultCode::UNAVAILABLE, "idle for too long");
        Ok(true)
    }
}

impl Input {
    fn new() -> Input {
        Input { buffer: Vec::new(), start: 0, end: 0, waits: false, ended: false }
    }

    fn rest(&mut self) {
        if self.start == self.end {
            (self.buffer, self.start, self.end) = (Vec::new(), 0, 0);
        }
    }

    fn unhandled(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn has_message(&self) -> bool {
        matches!(frame(self.unhandled(), usize::MAX), Ok(Frame::Complete { .. }) | Err(_))
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > READ_BUFFER {
                self.buffer = vec![0; READ_BUFFER];
            }
        }
    }

    /// Room for a message of `needed` bytes. Grows by doubling, as the bytes really come: a length
    /// alone must not make a server reserve memory.
    fn make_room(&mut self, needed: usize) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            let doubled = self.buffer.len().saturating_mul(2).max(READ_BUFFER);
            let grown = doubled.min(needed.max(READ_BUFFER));
            self.buffer.resize(if self.buffer.is_empty() { FIRST_BUFFER } else { grown }, 0);
        }
    }

    fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.end == self.buffer.len() {
            self.make_room(self.end.saturating_add(READ_BUFFER));
        }
        let mut free = ReadBuf::new(self.buffer.get_mut(self.end..).unwrap_or_default());
        ready!(Pin::new(stream).poll_read(context, &mut free))?;
        let count = free.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }
}

#[cfg(test)]
mod tests;
