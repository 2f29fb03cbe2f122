//! `compare`, `report` and `data`: servers side by side.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::compare::{self, Options, results::Results};
use crate::data::Data;
use crate::peers::Kind;
use crate::{plot, report};

/// People and runs of `--quick`.
const QUICK: (u64, usize, f64) = (5000, 1, 0.3);
/// Idle connections, and the few of `--quick`.
const IDLE: (usize, usize) = (10_000, 500);
/// Starts of each server that are timed.
const STARTS: usize = 3;
/// Growth is a line over sizes, so each of its points may be rougher.
const GROWTH_RUNS: usize = 3;

/// Loads every server with the same tree, gives each the same work, and reports.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// People in the tree
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// Runs of each row on each server, in turn
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Length of one run
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Servers beside chancery: slapd, slapd-multival, 389ds
    #[arg(long, value_delimiter = ',', default_value = "slapd,389ds")]
    peers: Vec<String>,
    /// Only these rows or workloads
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A small tree, short runs, once: to see that it works
    #[arg(long)]
    quick: bool,
    /// The report; its results are kept beside it as .json
    #[arg(long, default_value = "bench/RESULTS.md")]
    output: PathBuf,
    /// CPU over the number of people as well, as plots beside the report
    #[arg(long)]
    growth: bool,
    /// Sizes for --growth
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 10_000, 100_000])]
    growth_entries: Vec<u64>,
    /// Where servers keep their trees while it runs; on the disk that is to be measured
    #[arg(long, env = "TMPDIR", default_value = "/var/tmp")]
    folder: PathBuf,
}

/// Writes the report anew from results that were kept.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Files that `compare` wrote
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// The report; plots go beside it
    #[arg(long, default_value = "bench/RESULTS.md")]
    output: PathBuf,
}

/// Writes the tree as LDIF, to load it into a server of your own.
#[derive(Debug, Args)]
pub(super) struct Ldif {
    /// People in the tree
    #[arg(long, default_value_t = 100_000)]
    entries: u64,
    /// With memberOf on the people, for a server that does not derive it
    #[arg(long)]
    member_of: bool,
    /// The file to write
    output: PathBuf,
}

/// What is kept of one call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    comparisons: Vec<Results>,
    growth: Vec<Results>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let options = options(arguments)?;
    let mut kept = Kept::default();
    if !arguments.growth {
        let results = once(arguments, &options, &kept)?;
        kept.comparisons.push(results);
    }
    for &people in arguments.growth_entries.iter().filter(|_| arguments.growth) {
        let runs = options.runs.min(GROWTH_RUNS);
        let options =
            Options { people, runs, growth: true, idle_connections: 0, ..options.clone() };
        let results = once(arguments, &options, &kept)?;
        kept.growth.push(results);
    }
    keep(&kept, &arguments.output)?;
    write_report(&kept, &arguments.output)
}

/// One comparison. What it has is kept after each row: an hour's work does not depend on its end.
fn once(arguments: &Arguments, options: &Options, before: &Kept) -> Result<Results> {
    let made = tempfile::Builder::new().prefix("chancery-bench-").tempdir_in(&arguments.folder);
    let folder = made.context("--folder")?;
    let mut tell = |text: &str| eprintln!("{text}");
    let mut failed = None;
    let mut so_far = |results: &Results| {
        let mut kept = before.clone();
        match options.growth {
            true => kept.growth.push(results.clone()),
            false => kept.comparisons.push(results.clone()),
        }
        failed = keep(&kept, &arguments.output).err();
    };
    let results = compare::compare(options, folder.path(), &mut tell, &mut so_far)?;
    failed.map_or(Ok(results), Err)
}

/// Beside the report, as JSON.
fn keep(kept: &Kept, report: &Path) -> Result<()> {
    let file = report.with_extension("json");
    let text = serde_json::to_string(kept)? + "\n";
    fs::write(&file, text).with_context(|| file.display().to_string())
}

fn options(arguments: &Arguments) -> Result<Options> {
    let mut peers = vec![Kind::Chancery];
    for name in arguments.peers.iter().filter(|name| *name != "none") {
        let kind = Kind::named(name)?;
        if !peers.contains(&kind) {
            peers.push(kind);
        }
    }
    let mut options = Options {
        people: arguments.entries,
        runs: arguments.runs.max(1),
        seconds: arguments.seconds,
        peers,
        only: arguments.only.clone(),
        growth: false,
        idle_connections: if arguments.only.is_empty() { IDLE.0 } else { 0 },
        starts: STARTS,
        floors: true,
        operations_max: None,
    };
    if arguments.quick {
        (options.people, options.runs, options.seconds) = QUICK;
        options.idle_connections = options.idle_connections.min(IDLE.1);
    }
    Ok(options)
}

fn write_report(kept: &Kept, output: &Path) -> Result<()> {
    let mut plots = Vec::new();
    let folder = output.parent().unwrap_or(Path::new("")).join("plots");
    for (file, title, svg) in plot::plots(&kept.growth) {
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(&file), svg)?;
        plots.push((title, format!("plots/{file}")));
    }
    let text = report::render(&kept.comparisons, &kept.growth, &plots);
    fs::write(output, text).with_context(|| output.display().to_string())?;
    println!("{}", output.display());
    Ok(())
}

pub(super) fn report(arguments: &Report) -> Result<()> {
    let mut all = Kept::default();
    for file in &arguments.results {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let kept: Kept = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        all.comparisons.extend(kept.comparisons);
        all.growth.extend(kept.growth);
    }
    write_report(&all, &arguments.output)
}

pub(super) fn data(arguments: &Ldif) -> Result<()> {
    let mut out = BufWriter::new(File::create(&arguments.output).context("the file to write")?);
    Data::new(arguments.entries).write_ldif(&mut out, arguments.member_of)?;
    Ok(out.flush()?)
}
