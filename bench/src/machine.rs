//! The machine that is measured on: what it is, what it counts, and its bare floors.
//!
//! A process is judged by its own accounting: time on a core from `/proc`, and instructions from
//! `perf` where the machine can count them (most virtual ones cannot).

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use testing::process::run;

/// Commits measured for the disk's floor.
const SYNCS: usize = 300;
/// What one of them writes: a page.
const SYNC_BYTES: usize = 4096;

/// For the head of a report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gib: f64,
    pub kernel: String,
    pub system: String,
    /// When, in UTC.
    pub date: String,
    /// Whether `perf` can count a process's instructions here.
    pub counts_instructions: bool,
}

/// All of the machine's, not only those that this process is bound to by now.
fn cores() -> usize {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().filter(|line| line.starts_with("processor")).count().max(1)
}

impl Machine {
    pub fn here() -> Machine {
        let said = |program: &str, arguments: &[&str]| {
            let told = run(Command::new(program).args(arguments));
            told.map(|told| told.stdout.trim().to_owned()).unwrap_or_default()
        };
        let memory = field("/proc/meminfo", "MemTotal:").unwrap_or(0);
        Machine {
            processor: value("/proc/cpuinfo", "model name").unwrap_or_default(),
            cores: cores(),
            memory_gib: memory as f64 / f64::from(1 << 20),
            kernel: said("uname", &["-r"]),
            system: value("/etc/os-release", "PRETTY_NAME").unwrap_or_default(),
            date: said("date", &["-u", "+%Y-%m-%d %H:%M"]),
            counts_instructions: counts_instructions(),
        }
    }
}

/// What follows a name and `:` or `=` in a file of lines.
fn value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once([':', '='])?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// The number after a name.
fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What the machine itself needs, below which no server can be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Floors {
    /// One signature with P-256, and one X25519 operation, in microseconds.
    pub sign_us: Option<f64>,
    pub x25519_us: Option<f64>,
    /// Writing a page and `fdatasync`, in microseconds.
    pub sync_p50_us: f64,
    pub sync_p99_us: f64,
    /// Server CPU of a bare echo server: shape of the load, microseconds, operations a second.
    pub echo: Vec<Echo>,
}

/// The echo server under one shape of load.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Echo {
    pub connections: usize,
    pub depth: usize,
    pub cpu_us: f64,
    pub per_second: f64,
    pub client_cpu_us: f64,
}

/// `openssl speed` of what a handshake needs: microseconds of one operation.
pub fn openssl_speed(algorithm: &str, line: &str) -> Option<f64> {
    let mut command = Command::new("openssl");
    let told = run(command.args(["speed", "-seconds", "1", algorithm])).ok()?;
    let found = told.stdout.lines().find(|text| text.contains(line))?;
    let rates: Vec<f64> = found.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // Behind the number of bits.
    rates.get(1).map(|rate| 1e6 / rate)
}

/// Median and 99th percentile of a small durable write in a folder, in microseconds.
pub fn sync_latency(folder: &Path) -> Result<(f64, f64)> {
    let path = folder.join("sync-latency");
    let mut file = File::create(&path)?;
    let page = [7; SYNC_BYTES];
    file.write_all(&page)?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.rewind()?;
        let begin = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(&path)?;
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(SYNCS * share / 100).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}

/// Nanoseconds that a process has been on a core: all its threads that live.
pub fn cpu_ns(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let time = |task: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    tasks.filter_map(time).sum()
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    pub resident: u64,
    /// Not backed by a file: what the process itself took.
    pub anonymous: u64,
}

impl Memory {
    pub fn of(pid: u32) -> Memory {
        let status = format!("/proc/{pid}/status");
        let bytes = |name| field(&status, name).unwrap_or(0) * 1024;
        Memory { resident: bytes("VmRSS:"), anonymous: bytes("RssAnon:") }
    }
}

/// Lets this process, and those it starts, open as many files as the machine allows.
pub fn raise_open_files(wanted: u64) -> Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted.min(limit.maximum.unwrap_or(wanted)));
        setrlimit(Resource::Nofile, limit).context("raising the number of open files")?;
    }
    Ok(())
}

/// Keeps this process, with all its threads, on one core.
pub fn pin(core: usize) -> Result<()> {
    let pid = std::process::id().to_string();
    run(Command::new("taskset").args(["-acp", &core.to_string(), &pid])).map(drop)
}

fn counts_instructions() -> bool {
    let told = run(Command::new("perf").args(["stat", "-x", ",", "-e", "instructions", "true"]));
    told.ok().and_then(|told| counted(&told.stderr)).is_some()
}

/// The count in what `perf stat -x ,` wrote; none where the machine cannot count.
fn counted(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("instructions"))?;
    line.split(',').next()?.parse().ok()
}

/// Counts the instructions of a process from beginning to [`Instructions::end`].
pub struct Instructions {
    perf: Child,
}

impl Instructions {
    pub fn begin(pid: u32) -> Result<Instructions> {
        let mut command = Command::new("perf");
        command.args(["stat", "-x", ",", "-e", "instructions", "-p", &pid.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(Instructions { perf: command.spawn().context("perf stat")? })
    }

    pub fn end(self) -> Option<u64> {
        let pid = self.perf.id().to_string();
        run(Command::new("kill").args(["-s", "INT", &pid])).ok()?;
        let said = self.perf.wait_with_output().ok()?;
        counted(&String::from_utf8_lossy(&said.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_cannot_count_says_so() {
        for (text, expected) in [
            ("1234567,,instructions,5000,100.00,,\n", Some(1_234_567)),
            ("<not supported>,,instructions,0,100.00,,\n", None),
            ("", None),
        ] {
            assert_eq!(counted(text), expected, "{text}");
        }
    }

    #[test]
    fn our_own_process_takes_time_and_memory() {
        let pid = std::process::id();
        assert!(cpu_ns(pid) > 0);
        let memory = Memory::of(pid);
        assert!(memory.resident >= memory.anonymous && memory.anonymous > 0);
    }
}
