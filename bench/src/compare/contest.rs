//! The servers of one comparison, and one run of one row on one of them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::compare::Options;
use crate::compare::results::{Idle, Peer, Sample, median};
use crate::compare::rows::Row;
use crate::data::{self, Data, Group};
use crate::echo;
use crate::load::{self, Beside, Endpoint, Load, Watch, Work};
use crate::machine::{self, Echo, Floors, Instructions, Memory};
use crate::peers::{Bench, Kind, Prepared, Running};
use crate::workloads;

/// Before each run: connections are opened and pages are warm.
const WARM_UP: Duration = Duration::from_millis(200);
/// With fewer operations than this on each connection, what is under way at the end of a run is
/// not little beside what is done.
const FEW: u64 = 2;
/// A slow run: so many operations, in at most so long.
const SLOW_OPERATIONS: u64 = 4;
const SLOW: Duration = Duration::from_secs(100);
/// A server that was at a run for so long is not asked for another of that row.
const TEDIOUS: Duration = Duration::from_secs(20);
/// How long idle connections are looked at.
const IDLE: Duration = Duration::from_secs(1);

/// Everybody who takes part.
pub(super) struct Contest<'o> {
    pub(super) data: Data,
    pub(super) options: &'o Options,
    pub(super) contestants: Vec<Contestant>,
}

impl Contest<'_> {
    /// A tree that is too small has no group of a million.
    pub(super) fn can_measure(&self, row: &Row) -> bool {
        !row.key.starts_with("member-add-1m") || self.data.has(Group::Million)
    }

    /// Memory after the searches: taken once, before the first write.
    pub(super) fn remember_memory(&mut self) {
        for one in &mut self.contestants {
            let memory = one.running.as_ref().map(|running| Memory::of(running.pid()));
            one.peer.memory_read = one.peer.memory_read.or(memory);
        }
    }

    /// The work of one run. Only what writes needs a new one each time.
    pub(super) fn task(&self, row: &Row, number: u64) -> Result<Task> {
        let writers = (row.writers > 0).then(|| workloads::named("modify", self.data, number));
        let work = workloads::named(row.workload, self.data, number)?;
        Ok(Task { work, writers: writers.transpose()? })
    }

    /// Whether one run of this row has taken so long on this server that it has to do.
    pub(super) fn is_tedious(&self, at: usize, row: &Row) -> bool {
        self.contestants.get(at).is_some_and(|one| one.tedious.contains(&row.key))
    }

    pub(super) fn sample(&mut self, at: usize, row: &Row, task: &Task) -> Result<Sample> {
        let begin = Instant::now();
        let sampled = self.run(at, row, task);
        if let Some(one) = self.contestants.get_mut(at).filter(|_| begin.elapsed() > TEDIOUS) {
            one.tedious.push(row.key);
        }
        sampled
    }

    fn run(&mut self, at: usize, row: &Row, task: &Task) -> Result<Sample> {
        let one = self.contestants.get_mut(at).context("a contestant")?;
        one.revive()?;
        if !one.slow.contains(&row.key) {
            let load = one.load(row, self.options)?;
            let sample = one.sample(row, task, &load)?;
            let few = sample.operations < (FEW * row.connections as u64).max(SLOW_OPERATIONS);
            // Beside writers it is time that counts: they must have begun.
            if !few || row.writers > 0 || load.operations_max.is_some() {
                return Ok(sample);
            }
            one.slow.push(row.key);
        }
        let load = one.load(row, self.options)?;
        one.sample(row, task, &slowly(load))
    }
}

/// Counts operations instead of time, so that none is cut by the end of the interval.
fn slowly(load: Load) -> Load {
    let operations = (load.connections as u64).max(SLOW_OPERATIONS);
    Load { duration: SLOW, warm_up: Duration::ZERO, operations_max: Some(operations), ..load }
}

/// What a run does, and what the writers beside it do.
pub(super) struct Task {
    work: Box<dyn Work>,
    writers: Option<Box<dyn Work>>,
}

/// One server and what is known of it.
pub(super) struct Contestant {
    pub(super) peer: Peer,
    // Before `prepared`: the process must be gone before its files are.
    pub(super) running: Option<Running>,
    prepared: Option<Prepared>,
    /// Whether the machine counts instructions.
    counting: bool,
    /// Rows of which a run sees few operations.
    slow: Vec<&'static str>,
    /// Rows of which one run is enough.
    tedious: Vec<&'static str>,
}

impl Contestant {
    /// Loads and starts it; a failure is kept as its result.
    pub(super) fn prepare(kind: Kind, bench: &Bench, starts: usize, counting: bool) -> Contestant {
        let peer = Peer { name: kind.name().to_owned(), ..Peer::default() };
        let mut contestant = Contestant {
            peer,
            running: None,
            prepared: None,
            counting,
            slow: Vec::new(),
            tedious: Vec::new(),
        };
        if let Err(error) = contestant.come_up(kind, bench, starts) {
            contestant.peer.failure = Some(format!("{error:#}"));
        }
        contestant
    }

    fn come_up(&mut self, kind: Kind, bench: &Bench, starts: usize) -> Result<()> {
        let prepared = kind.prepare(bench)?;
        self.peer.version.clone_from(&prepared.version);
        self.peer.configuration.clone_from(&prepared.configuration);
        self.peer.import_seconds = prepared.import.as_secs_f64();
        self.peer.disk_bytes = prepared.disk_bytes();
        let prepared = self.prepared.insert(prepared);
        for left in (0..starts.max(1)).rev() {
            let running = prepared.start()?;
            self.peer.start_ms.push(running.start.as_secs_f64() * 1e3);
            match left {
                0 => self.running = Some(running),
                _ => running.stop()?,
            }
        }
        Ok(())
    }

    /// Starts it again where it has died.
    fn revive(&mut self) -> Result<()> {
        let prepared = self.prepared.as_ref().context("not loaded")?;
        if self.running.as_ref().is_none_or(|running| !running.alive()) {
            self.running = None;
            self.running = Some(prepared.start()?);
        }
        Ok(())
    }

    fn load(&self, row: &Row, options: &Options) -> Result<Load> {
        let prepared = self.prepared.as_ref().context("not loaded")?;
        Ok(Load {
            endpoint: Endpoint::parse(&prepared.uri(row.secure), Some(&prepared.ca))?,
            bind: self.signed_in(row),
            connections: row.connections,
            depth: row.depth,
            duration: Duration::from_secs_f64(options.seconds),
            warm_up: if options.operations_max.is_some() { Duration::ZERO } else { WARM_UP },
            operations_max: options.operations_max,
        })
    }

    /// Changes are the administrator's; a session is that of a person, whose password is hashed as
    /// on every server.
    fn signed_in(&self, row: &Row) -> Option<(String, String)> {
        if row.workload.starts_with("session") {
            return Some((data::person_dn(0), data::password(0)));
        }
        row.administrator.then(|| self.administrator()).flatten()
    }

    fn administrator(&self) -> Option<(String, String)> {
        let prepared = self.prepared.as_ref()?;
        Some((prepared.administrator.clone(), prepared.password.clone()))
    }

    fn sample(&self, row: &Row, task: &Task, load: &Load) -> Result<Sample> {
        let pid = self.running.as_ref().context("not running")?.pid();
        let beside = task.writers.as_ref().map(|writers| Beside {
            work: &**writers,
            connections: row.writers,
            depth: 1,
            bind: self.administrator(),
        });
        let writers = beside.is_some();
        // Counting begins before the connections do: a perf that attaches late would disturb.
        let counter = self.counting.then(|| Instructions::begin(pid)).transpose()?;
        let mut clock = Clock { pid, begin: 0, spent: 0 };
        let measured = load::run_watched(load, &*task.work, beside, &mut clock)?;
        let instructions = counter.and_then(Instructions::end);
        ensure!(
            row.writers == 0 || measured.operations > 0,
            "no operation ended beside the writers"
        );
        let operations = measured.operations.max(1) as f64;
        Ok(Sample {
            operations: measured.operations,
            per_second: measured.per_second(),
            entries_per_second: measured.entries as f64 / measured.seconds,
            cpu_us: clock.spent as f64 / 1e3 / operations,
            instructions: instructions.map(|count| count as f64 / measured.issued.max(1) as f64),
            p50_us: measured.latency.p50_us(),
            p99_us: measured.latency.p99_us(),
            p999_us: measured.latency.quantile_us(0.999),
            client_cpu_us: measured.client_cpu_us(),
            beside_per_second: writers
                .then(|| measured.operations_beside as f64 / measured.seconds),
        })
    }

    /// What so many LDAPS connections that say nothing take.
    pub(super) fn hold_idle(&mut self, connections: usize) {
        let found = self.idle_bytes(connections);
        let failure = found.as_ref().err().map(|error| format!("{error:#}"));
        let (bytes, open_seconds) = found.unwrap_or_default();
        self.peer.idle = Some(Idle { connections, bytes, open_seconds, failure });
    }

    fn idle_bytes(&mut self, connections: usize) -> Result<(u64, f64)> {
        // A fresh process, which has no memory of earlier connections to give away again.
        self.running.take().map_or(Ok(()), Running::stop)?;
        self.revive()?;
        let prepared = self.prepared.as_ref().context("not loaded")?;
        let load = Load {
            endpoint: Endpoint::parse(&prepared.uri(true), Some(&prepared.ca))?,
            bind: None,
            connections,
            depth: 1,
            duration: IDLE,
            warm_up: Duration::ZERO,
            operations_max: None,
        };
        let pid = self.running.as_ref().context("not running")?.pid();
        let mut scale = Scale { pid, before: Memory::of(pid), most: 0 };
        let seconds = load::hold(&load, &mut scale)?;
        Ok((scale.most.saturating_sub(scale.before.resident), seconds))
    }
}

/// Reads a server's time on its core when the interval begins and ends.
struct Clock {
    pid: u32,
    begin: u64,
    spent: u64,
}

impl Watch for Clock {
    fn begins(&mut self) {
        self.begin = machine::cpu_ns(self.pid);
    }

    fn ends(&mut self) {
        self.spent = machine::cpu_ns(self.pid).saturating_sub(self.begin);
    }
}

/// Weighs a server while connections are held.
struct Scale {
    pid: u32,
    before: Memory,
    most: u64,
}

impl Watch for Scale {
    fn begins(&mut self) {
        self.most = Memory::of(self.pid).resident;
    }

    fn ends(&mut self) {
        self.most = self.most.max(Memory::of(self.pid).resident);
    }
}

/// Loads under which the echo server is measured.
const ECHO: [(usize, usize); 3] = [(1, 1), (16, 1), (16, 8)];

/// What the machine itself needs.
pub(super) fn floors(folder: &Path, options: &Options) -> Result<Floors> {
    let (sync_p50_us, sync_p99_us) = machine::sync_latency(folder)?;
    let mut floors = Floors {
        sign_us: machine::openssl_speed("ecdsap256", "(nistp256)"),
        x25519_us: machine::openssl_speed("ecdhx25519", "(X25519)"),
        sync_p50_us,
        sync_p99_us,
        echo: Vec::new(),
    };
    for (connections, depth) in ECHO {
        let mut found = Vec::new();
        for _ in 0..options.runs {
            found.push(echo::ceiling(
                connections,
                depth,
                Duration::from_secs_f64(options.seconds),
            )?);
        }
        let of = |figure: &dyn Fn(&echo::Ceiling) -> f64| {
            median(found.iter().map(figure)).unwrap_or_default()
        };
        floors.echo.push(Echo {
            connections,
            depth,
            cpu_us: of(&|one| one.server_cpu_us),
            per_second: of(&|one| one.measured.per_second()),
            client_cpu_us: of(&|one| one.measured.client_cpu_us()),
        });
    }
    Ok(floors)
}
