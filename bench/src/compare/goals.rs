//! The figures to reach, and whether they are.
//!
//! A goal is judged on medians of one comparison; nothing here knows a result in advance.

use crate::compare::results::{Results, Sample};
use crate::compare::rows::Row;

pub const OURS: &str = "chancery";
pub const THEIRS: &str = "slapd";

/// What one row has to reach, in terms of slapd, the machine, or another row of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// CPU at most this part of slapd's.
    Cpu(f64),
    /// CPU at most so many µs more than an echo server's under the same load.
    OverEcho(f64),
    /// At least so many times slapd's operations (or entries) a second.
    Rate(f64),
    /// CPU at most so many times one P-256 signature and two X25519 operations.
    Handshake(f64),
    /// CPU at most so many times that of another row.
    CpuOfRow(&'static str, f64),
    /// p99 at most so many times that of another row.
    P99OfRow(&'static str, f64),
}

/// A goal and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub wanted: String,
    pub found: String,
    /// `None` where it could not be judged.
    pub met: Option<bool>,
}

impl Judged {
    pub fn unknown(wanted: String) -> Judged {
        Judged { wanted, found: "not measured".to_owned(), met: None }
    }

    /// Wants at most `most`.
    pub fn at_most(wanted: String, found: String, value: f64, most: f64) -> Judged {
        Judged { wanted, found, met: Some(value <= most) }
    }
}

impl Goal {
    pub fn judge(self, row: &Row, results: &Results) -> Judged {
        let wanted = self.wanted();
        self.found(row, results).unwrap_or_else(|| Judged::unknown(wanted))
    }

    fn wanted(self) -> String {
        match self {
            Goal::Cpu(part) => format!("CPU ≤ 1/{} of slapd's", 1.0 / part),
            Goal::OverEcho(more) => format!("CPU ≤ echo server + {more} µs"),
            Goal::Rate(times) => format!("≥ {times}× slapd's rate"),
            Goal::Handshake(times) => format!("CPU ≤ {times} × (P-256 signature + 2 X25519)"),
            Goal::CpuOfRow(key, times) => format!("CPU ≤ {times}× `{key}`"),
            Goal::P99OfRow(key, times) => format!("p99 ≤ {times}× `{key}`"),
        }
    }

    fn found(self, row: &Row, results: &Results) -> Option<Judged> {
        let figure = |peer, of| results.figure(row.key, peer, of);
        let cpu: fn(&Sample) -> f64 = |sample| sample.cpu_us;
        let p99: fn(&Sample) -> f64 = |sample| sample.p99_us;
        let wanted = self.wanted();
        let judged = match self {
            Goal::Cpu(part) => {
                let (ours, theirs) = (figure(OURS, cpu)?, figure(THEIRS, cpu)?);
                let found = format!("1/{:.1} ({ours:.1} of {theirs:.1} µs)", theirs / ours);
                Judged::at_most(wanted, found, ours, theirs * part)
            }
            Goal::OverEcho(more) => {
                let (ours, echo) = (figure(OURS, cpu)?, echo_us(row, results)?);
                let found = format!("echo {echo:.1} {:+.1} µs", ours - echo);
                Judged::at_most(wanted, found, ours, echo + more)
            }
            Goal::Rate(times) => {
                let rate = |sample: &Sample| sample.per_second;
                let (ours, theirs) = (figure(OURS, rate)?, figure(THEIRS, rate)?);
                let found = format!("{:.1}× ({ours:.0} to {theirs:.0} /s)", ours / theirs);
                Judged { wanted, found, met: Some(ours >= theirs * times) }
            }
            Goal::Handshake(times) => {
                let floor = results.floors.sign_us? + 2.0 * results.floors.x25519_us?;
                let ours = figure(OURS, cpu)?;
                let found = format!("{:.1} × {floor:.1} µs", ours / floor);
                Judged::at_most(wanted, found, ours, floor * times)
            }
            Goal::CpuOfRow(key, times) => {
                let (ours, base) = (figure(OURS, cpu)?, results.figure(key, OURS, cpu)?);
                let found = format!("{:.2}× ({ours:.1} to {base:.1} µs)", ours / base);
                Judged::at_most(wanted, found, ours, base * times)
            }
            Goal::P99OfRow(key, times) => {
                let (ours, base) = (figure(OURS, p99)?, results.figure(key, OURS, p99)?);
                let found = format!("{:.2}× ({ours:.0} to {base:.0} µs)", ours / base);
                Judged::at_most(wanted, found, ours, base * times)
            }
        };
        Some(judged)
    }
}

/// The echo server's CPU under the same shape of load.
fn echo_us(row: &Row, results: &Results) -> Option<f64> {
    let shape = (row.connections, row.depth);
    let same = results.floors.echo.iter().find(|echo| (echo.connections, echo.depth) == shape);
    same.filter(|_| !row.secure).map(|echo| echo.cpu_us)
}

/// The goals that are judged on a server as a whole.
pub fn of_servers(results: &Results) -> Vec<(&'static str, Judged)> {
    let (ours, theirs) = (results.peer(OURS), results.peer(THEIRS));
    let both = ours.zip(theirs);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let wanted = || "≥ 2× `slapadd -q`".to_owned();
    let import = both.map(|(ours, theirs)| {
        let (ours, theirs) = (ours.import_seconds, theirs.import_seconds);
        let found = format!("{:.1}× ({ours:.1} s to {theirs:.1} s)", theirs / ours);
        Judged::at_most(wanted(), found, ours * 2.0, theirs)
    });
    let mut judged = vec![("import", import.unwrap_or_else(|| Judged::unknown(wanted())))];
    let wanted = || "≤ slapd's".to_owned();
    let memory = both.and_then(|(ours, theirs)| {
        let ours = mib(ours.memory_read?.anonymous);
        let theirs = mib(theirs.memory_read?.anonymous);
        let found = format!("{ours:.0} MiB to {theirs:.0} MiB");
        Some(Judged::at_most(wanted(), found, ours, theirs))
    });
    let memory = memory.unwrap_or_else(|| Judged::unknown(wanted()));
    judged.push(("anonymous memory, after warm-up", memory));
    let wanted = || "≤ 0.8× slapd's".to_owned();
    let disk = both.map(|(ours, theirs)| {
        let (ours, theirs) = (mib(ours.disk_bytes), mib(theirs.disk_bytes));
        let found = format!("{:.2}× ({ours:.0} MiB to {theirs:.0} MiB)", ours / theirs);
        Judged::at_most(wanted(), found, ours, theirs * 0.8)
    });
    judged.push(("disk", disk.unwrap_or_else(|| Judged::unknown(wanted()))));
    let wanted = || "≤ 100 ms".to_owned();
    let start = ours.and_then(|ours| super::results::median(ours.start_ms.iter().copied()));
    let start = start.map(|ms| Judged::at_most(wanted(), format!("{ms:.1} ms"), ms, 100.0));
    judged.push(("start to first answer", start.unwrap_or_else(|| Judged::unknown(wanted()))));
    let wanted = || "10 000 connections: ≤ 120 MB".to_owned();
    let idle = ours.and_then(|ours| ours.idle.as_ref()).filter(|idle| idle.failure.is_none());
    let idle = idle.map(|idle| {
        let megabytes = idle.bytes as f64 / 1e6 * 10_000.0 / idle.connections as f64;
        let found = format!("{megabytes:.0} MB ({} connections)", idle.connections);
        Judged::at_most(wanted(), found, megabytes, 120.0)
    });
    judged.push(("idle LDAPS connections", idle.unwrap_or_else(|| Judged::unknown(wanted()))));
    judged
}
