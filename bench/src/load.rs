//! The load generator: one thread that keeps many connections busy and checks every answer.
//!
//! A [`Work`] says what each operation asks and what its answer must be; [`run`] sends it over N
//! connections with D requests in flight on each, and returns what was [`Measured`]. A wrong answer
//! ends the run: figures of wrong answers are worthless.
//!
//! - `endpoint`: where to, from an LDAP URI. `transport`: a socket, with TLS or without.
//!   `recognizing`: a chain that was verified is not verified again.
//! - `lane`: one connection, its requests in flight, their answers. `party`: all lanes of a work.
//! - `engine`: all lanes under one epoll, and the measured interval.
//! - `histogram`: latencies, log-linear.

mod endpoint;
mod engine;
mod histogram;
mod lane;
mod party;
mod recognizing;
mod transport;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::load::engine::Engine;

pub use crate::load::endpoint::Endpoint;
pub use crate::load::histogram::Histogram;

/// How much load, and towards what.
#[derive(Clone, Debug)]
pub struct Load {
    pub endpoint: Endpoint,
    /// Name and password every connection signs in with; anonymous without.
    pub bind: Option<(String, String)>,
    pub connections: usize,
    /// Requests in flight on each connection.
    pub depth: usize,
    /// Length of the measured interval.
    pub duration: Duration,
    /// Work done, and checked, before the measured interval begins.
    pub warm_up: Duration,
    /// Ends the measured interval after so many operations, should that come first.
    pub operations_max: Option<u64>,
}

/// Which operation a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Counts all operations of this work, from 0, in the order in which they are sent.
    pub number: u64,
    /// The connection it goes over, from 0.
    pub lane: u32,
    /// Counts the operations of this lane, from 0.
    pub turn: u64,
}

/// What the final answer of an operation must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Tag of the answer's protocolOp, as [`crate::answer`] names them.
    pub tag: u8,
    /// Result code.
    pub code: u32,
    pub content: Content,
}

/// What came with it: entries before the final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// So many entries whose checksums ([`crate::answer::EntrySum`]) add up to this.
    Sum { entries: u64, sum: u64 },
    /// The same as the first answer with this index (below [`Work::references`]).
    First(usize),
}

/// How an operation uses its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Over the connection that is open.
    Kept,
    /// Connect, handshake, bind, the request, unbind and close, for each operation.
    Full,
    /// The same, the handshake resumed from the lane's previous one if that gave tickets.
    Resumed,
}

/// What is asked, and what must be answered.
pub trait Work {
    /// One line for reports and errors.
    fn name(&self) -> String;

    /// Appends the protocolOp of this operation (see [`crate::request`]); the generator puts the
    /// message id around it.
    fn request(&self, turn: Turn, out: &mut Vec<u8>);

    fn expected(&self, turn: Turn) -> Expected;

    /// This operation in words, for an error.
    fn describe(&self, turn: Turn) -> String {
        format!("operation {}", turn.number)
    }

    /// No more operations than this can be made.
    fn operations_max(&self) -> Option<u64> {
        None
    }

    /// Asks for pages of so many entries, all pages being one operation.
    fn page(&self) -> Option<u32> {
        None
    }

    fn session(&self) -> Session {
        Session::Kept
    }

    /// Who signs in on the connection that is opened about now, in place of [`Load::bind`].
    fn sign_in(&self, turn: Turn) -> Option<(String, String)> {
        let _ = turn;
        None
    }

    /// Answers compared with their first one: how many different ones.
    fn references(&self) -> usize {
        0
    }

    /// Whether a lane that made this many operations leaves things as they were: a lane ends only
    /// where this holds.
    fn may_rest(&self, turns: u64) -> bool {
        let _ = turns;
        true
    }

    /// More connections than this cannot do it.
    fn lanes_max(&self) -> Option<u64> {
        None
    }

    /// Must be done, unmeasured, before: for half as long again as the work itself.
    fn before(&self) -> Option<Box<dyn Work>> {
        None
    }

    /// So many operations were made of what must be done before.
    fn prepared(&self, operations: u64) {
        let _ = operations;
    }

    /// Must be done, unmeasured, after so many operations to leave the data as it was.
    fn after(&self, operations: u64) -> Option<Box<dyn Work>> {
        let _ = operations;
        None
    }
}

/// Is told when the measured interval begins and ends, at once, from the generator's thread: the
/// place to read a server's clocks.
pub trait Watch {
    fn begins(&mut self) {}
    fn ends(&mut self) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// Another work that keeps other connections busy meanwhile. Its answers are checked too.
pub struct Beside<'w> {
    pub work: &'w dyn Work,
    pub connections: usize,
    pub depth: usize,
    pub bind: Option<(String, String)>,
}

/// What happened in the measured interval.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Operations whose final answer came in the interval.
    pub operations: u64,
    /// Operations of the work beside it.
    pub operations_beside: u64,
    /// All operations made, warm-up and rest included.
    pub issued: u64,
    pub issued_beside: u64,
    /// Sessions whose handshake was a resumed one: none where the server gives no tickets.
    pub resumed: u64,
    pub seconds: f64,
    pub entries: u64,
    /// Bytes read from the sockets, TLS records included.
    pub bytes_received: u64,
    /// Nanoseconds from sending (for [`Session::Full`]: connecting) to the final answer.
    pub latency: Histogram,
    pub latency_beside: Histogram,
    /// Sum over the content of all answers.
    pub checksum: u64,
    /// CPU time of the generator's thread.
    pub client_cpu_seconds: f64,
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    /// The generator's own cost.
    pub fn client_cpu_us(&self) -> f64 {
        self.client_cpu_seconds * 1e6 / (self.operations.max(1)) as f64
    }
}

/// Runs a work; with what must come before and after it.
pub fn run(load: &Load, work: &dyn Work) -> Result<Measured> {
    run_watched(load, work, None, &mut Unwatched)
}

/// Runs a work, perhaps beside another one, and tells when the interval begins and ends.
pub fn run_watched(
    load: &Load,
    work: &dyn Work,
    beside: Option<Beside<'_>>,
    watch: &mut dyn Watch,
) -> Result<Measured> {
    if let Some(before) = work.before() {
        let duration = (load.warm_up + load.duration).mul_f64(1.5);
        let in_flight = (load.connections * load.depth) as u64;
        let most = load.operations_max.map(|most| most + in_flight);
        let issued = run_unmeasured(load, before.as_ref(), duration, most).context("preparing")?;
        work.prepared(issued);
    }
    let beside_work = beside.as_ref().map(|beside| beside.work);
    let mut engine = Engine::new(load, work, beside)?;
    engine.open()?;
    let measured = engine.measure(load, watch)?;
    drop(engine);
    let after = work.after(measured.issued);
    let after_beside = beside_work.and_then(|work| work.after(measured.issued_beside));
    for after in [after, after_beside].into_iter().flatten() {
        run_unmeasured(load, after.as_ref(), Duration::MAX, None).context("cleaning up")?;
    }
    Ok(measured)
}

/// What comes before or after, over many connections; returns how many operations that was.
fn run_unmeasured(
    load: &Load,
    work: &dyn Work,
    duration: Duration,
    operations_max: Option<u64>,
) -> Result<u64> {
    let load = Load {
        connections: PREPARING_CONNECTIONS,
        depth: 1,
        duration,
        warm_up: Duration::ZERO,
        operations_max,
        ..load.clone()
    };
    let mut engine = Engine::new(&load, work, None)?;
    engine.open()?;
    Ok(engine.measure(&load, &mut Unwatched)?.issued)
}

const PREPARING_CONNECTIONS: usize = 64;

/// Opens so many connections, signs in on each, tells `watch` when all are open, and keeps them for
/// [`Load::duration`]. Returns the seconds that opening took.
pub fn hold(load: &Load, watch: &mut dyn Watch) -> Result<f64> {
    let mut engine = Engine::new(load, &Idle, None)?;
    let begin = Instant::now();
    engine.open()?;
    let seconds = begin.elapsed().as_secs_f64();
    watch.begins();
    engine.hold(load.duration)?;
    watch.ends();
    Ok(seconds)
}

/// Asks for nothing.
struct Idle;

impl Work for Idle {
    fn name(&self) -> String {
        "idle".to_owned()
    }

    fn request(&self, _: Turn, _: &mut Vec<u8>) {}

    fn expected(&self, _: Turn) -> Expected {
        Expected { tag: 0, code: 0, content: Content::Sum { entries: 0, sum: 0 } }
    }

    fn operations_max(&self) -> Option<u64> {
        Some(0)
    }
}

#[cfg(test)]
mod tests;
