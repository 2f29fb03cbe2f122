//! The comparison: every server loaded with the same tree, the same work for each in turn, and what
//! was found.
//!
//! - `rows`: what is compared. `goals`: the figures to reach.
//! - `contest`: the servers of one comparison, and one run of one row on one of them.
//! - `results`: what is kept.
//!
//! All servers run all the time; only one is under load at a time, and an idle one costs nothing.
//! Runs alternate between the servers, so that a slow minute of the machine hits all of them.

mod contest;
pub mod goals;
pub mod results;
pub mod rows;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::compare::contest::{Contest, Contestant};
use crate::compare::results::{Cell, Results, RowResult};
use crate::compare::rows::{ROWS, Row};
use crate::data::Data;
use crate::machine::{self, Machine, Memory};
use crate::peers::{Bench, GENERATOR_CORE, Kind};
use crate::workloads;

/// Files that ten thousand connections need, on either side.
const OPEN_FILES: u64 = 20_000;

/// What to compare, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    pub people: u64,
    pub runs: usize,
    pub seconds: f64,
    pub peers: Vec<Kind>,
    /// Keys or workloads; all rows when empty.
    pub only: Vec<String>,
    /// Only rows that are plotted over the number of people.
    pub growth: bool,
    /// Idle LDAPS connections; none when 0.
    pub idle_connections: usize,
    /// Starts of each server that are timed.
    pub starts: usize,
    /// Whether the machine's floors are measured as well.
    pub floors: bool,
    /// Ends each run after so many operations: for trying out.
    pub operations_max: Option<u64>,
}

impl Options {
    fn rows(&self) -> Result<Vec<&'static Row>> {
        for name in &self.only {
            let known = ROWS.iter().any(|row| row.is_named(name));
            let keys = || ROWS.iter().map(|row| row.key).collect::<Vec<_>>().join(" ");
            ensure!(known, "no row is called `{name}`; there are: {}", keys());
        }
        let wanted = |row: &&Row| {
            let named = self.only.is_empty() || self.only.iter().any(|name| row.is_named(name));
            named && (row.growth || !self.growth)
        };
        Ok(ROWS.iter().filter(wanted).collect())
    }
}

/// Compares below `folder`, telling what it does, and after each row what it has so far.
pub fn compare(
    options: &Options,
    folder: &Path,
    tell: &mut dyn FnMut(&str),
    keep: &mut dyn FnMut(&Results),
) -> Result<Results> {
    let rows = options.rows()?;
    machine::raise_open_files(OPEN_FILES)?;
    let data = Data::new(options.people);
    tell(&format!("writing the tree: {} entries", data.entries()));
    let bench = Bench::prepare(folder, data)?;
    let mut results = Results {
        machine: Machine::here(),
        people: data.people,
        entries: data.entries(),
        ldif_bytes: bench.ldif_bytes()?,
        runs: options.runs,
        seconds: options.seconds,
        ..Results::default()
    };
    // Not before the machine was looked at: from here on we see one core only.
    machine::pin(GENERATOR_CORE)?;
    if options.floors {
        tell("measuring the machine's floors");
        results.floors = contest::floors(folder, options)?;
    }
    let contestants = options.peers.iter().map(|&kind| {
        tell(&format!("{}: configuring and loading", kind.name()));
        Contestant::prepare(kind, &bench, options.starts, results.machine.counts_instructions)
    });
    let mut contest = Contest { data, options, contestants: contestants.collect() };
    for one in &contest.contestants {
        if let Some(why) = &one.peer.failure {
            tell(&format!("{} is left out: {why}", one.peer.name));
        }
    }
    let mut progress = Progress::new(options, rows.len(), contest.contestants.len());
    for row in &rows {
        if row.administrator {
            contest.remember_memory();
        }
        if !contest.can_measure(row) {
            progress.skip(options.runs * options.peers.len());
            continue;
        }
        results.rows.push(measure_row(&mut contest, row, &mut progress, tell));
        results.peers = contest.contestants.iter().map(|one| one.peer.clone()).collect();
        keep(&results);
    }
    contest.remember_memory();
    for contestant in &mut contest.contestants {
        contestant.peer.memory = contestant.running.as_ref().map(|it| Memory::of(it.pid()));
        if options.idle_connections > 0 && contestant.running.is_some() {
            tell(&format!("{}: idle connections", contestant.peer.name));
            contestant.hold_idle(options.idle_connections);
        }
    }
    results.peers = contest.contestants.into_iter().map(|one| one.peer).collect();
    Ok(results)
}

/// All runs of one row, in turn on every server. A server that fails is left out from then on.
fn measure_row(
    contest: &mut Contest<'_>,
    row: &Row,
    progress: &mut Progress,
    tell: &mut dyn FnMut(&str),
) -> RowResult {
    let cell = |contestant: &Contestant| Cell {
        peer: contestant.peer.name.clone(),
        failure: contestant.peer.failure.clone(),
        ..Cell::default()
    };
    let mut cells: Vec<Cell> = contest.contestants.iter().map(cell).collect();
    let writes = workloads::find(row.workload).is_ok_and(|workload| workload.writes);
    let mut task = None;
    for run in 0..contest.options.runs {
        if task.is_none() || writes || row.writers > 0 {
            task = Some(contest.task(row, progress.number()));
        }
        for (at, cell) in cells.iter_mut().enumerate() {
            progress.step();
            if cell.failure.is_some() || contest.is_tedious(at, row) {
                continue;
            }
            tell(&progress.line(row, &cell.peer, run));
            let sample = match &task {
                Some(Ok(task)) => {
                    contest.sample(at, row, task).map_err(|error| format!("{error:#}"))
                }
                Some(Err(error)) => Err(format!("{error:#}")),
                None => continue,
            };
            match sample {
                Ok(sample) => cell.samples.push(sample),
                Err(error) => {
                    tell(&format!("{} {}: {error}", row.key, cell.peer));
                    cell.failure = Some(error);
                }
            }
        }
    }
    RowResult { key: row.key.to_owned(), cells }
}

/// How far it is, and how long it will take.
struct Progress {
    begin: Instant,
    done: usize,
    all: usize,
    runs: usize,
}

impl Progress {
    fn new(options: &Options, rows: usize, peers: usize) -> Progress {
        Progress {
            begin: Instant::now(),
            done: 0,
            all: rows * peers * options.runs,
            runs: options.runs,
        }
    }

    /// One that no earlier run had.
    fn number(&self) -> u64 {
        self.done as u64
    }

    fn skip(&mut self, steps: usize) {
        self.all -= steps;
    }

    fn step(&mut self) {
        self.done += 1;
    }

    fn line(&self, row: &Row, peer: &str, run: usize) -> String {
        let before = self.done.saturating_sub(1);
        let spent = self.begin.elapsed().as_secs_f64();
        let left = match before {
            0 => String::new(),
            before => {
                let left = spent / before as f64 * self.all.saturating_sub(before) as f64;
                format!(", {} left", minutes(Duration::from_secs_f64(left)))
            }
        };
        let (done, all, run, runs) = (self.done, self.all, run + 1, self.runs);
        format!("[{done}/{all}{left}] {}: {peer}, run {run} of {runs}", row.key)
    }
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}
