//! The file `counts.txt`: what was counted, and where a count may be compared with it.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use testing::process::run_checked;

/// More than this above or below what is recorded is said.
const TOLERANCE_PERCENT: u64 = 10;

/// All that decides about a count beside the sources: another compiler writes other instructions,
/// another libc copies bytes differently, and without AVX2 other variants of both are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    toolchain: String,
    target: String,
    libc: String,
    cpu: String,
    valgrind: String,
}

impl Circumstances {
    /// Those of this machine.
    pub(crate) fn find() -> Result<Circumstances> {
        let ask = |program: &str, argument: &str| {
            let said = run_checked(Command::new(program).arg(argument))?;
            anyhow::Ok(said.trim().to_owned())
        };
        let rustc = ask("rustc", "-vV")?;
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let avx2 = flags.split_whitespace().any(|flag| flag == "avx2");
        Ok(Circumstances {
            toolchain: rustc.lines().next().unwrap_or_default().to_owned(),
            target: host.context("rustc says no host")?.to_owned(),
            libc: ask("getconf", "GNU_LIBC_VERSION").unwrap_or_else(|_| "unknown".to_owned()),
            cpu: if avx2 { "with avx2" } else { "without avx2" }.to_owned(),
            valgrind: ask("valgrind", "--version")?,
        })
    }

    fn fields(&self) -> [(&'static str, &str); 5] {
        [
            ("toolchain", &self.toolchain),
            ("target", &self.target),
            ("libc", &self.libc),
            ("cpu", &self.cpu),
            ("valgrind", &self.valgrind),
        ]
    }

    fn field(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "toolchain" => &mut self.toolchain,
            "target" => &mut self.target,
            "libc" => &mut self.libc,
            "cpu" => &mut self.cpu,
            "valgrind" => &mut self.valgrind,
            _ => return None,
        })
    }
}

impl fmt::Display for Circumstances {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.fields().map(|(_, value)| value).join(", "))
    }
}

/// What stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) circumstances: Circumstances,
    /// Path and instructions of one operation.
    pub(crate) counts: Vec<(String, u64)>,
}

impl Recorded {
    pub(crate) fn parse(text: &str) -> Result<Recorded> {
        let mut recorded = Recorded::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let wrong = || format!("'{line}' is not `name: value`; record anew");
            let (name, value) = line.split_once(": ").with_context(wrong)?;
            match recorded.circumstances.field(name) {
                Some(field) => *field = value.to_owned(),
                None => {
                    let count = value.parse().with_context(wrong)?;
                    recorded.counts.push((name.to_owned(), count));
                }
            }
        }
        Ok(recorded)
    }

    pub(crate) fn count_of(&self, path: &str) -> Option<u64> {
        self.counts.iter().find(|(name, _)| name == path).map(|(_, count)| *count)
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "# Instructions of one operation in user space, without TLS and runtime.")?;
        writeln!(out, "# Written by: {}", crate::RECORD)?;
        for (name, value) in self.circumstances.fields() {
            writeln!(out, "{name}: {value}")?;
        }
        self.counts.iter().try_for_each(|(name, count)| writeln!(out, "{name}: {count}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    Dearer,
    Cheaper,
    NotRecorded,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Same => out.write_str("as recorded"),
            Verdict::Dearer => write!(out, "more than {TOLERANCE_PERCENT} % dearer"),
            Verdict::Cheaper => write!(
                out,
                "more than {TOLERANCE_PERCENT} % cheaper: keep it so, with {}",
                crate::RECORD
            ),
            Verdict::NotRecorded => write!(out, "not recorded yet, with {}", crate::RECORD),
        }
    }
}

pub(crate) fn judge(recorded: Option<u64>, measured: u64) -> Verdict {
    let Some(recorded) = recorded else { return Verdict::NotRecorded };
    let measured = measured * 100;
    if measured > recorded * (100 + TOLERANCE_PERCENT) {
        Verdict::Dearer
    } else if measured < recorded * (100 - TOLERANCE_PERCENT) {
        Verdict::Cheaper
    } else {
        Verdict::Same
    }
}

#[test]
fn a_count_is_judged_by_a_tenth() {
    for (recorded, measured, expected) in [
        (Some(1_000), 1_000, Verdict::Same),
        (Some(1_000), 1_100, Verdict::Same),
        (Some(1_000), 1_101, Verdict::Dearer),
        (Some(1_000), 900, Verdict::Same),
        (Some(1_000), 899, Verdict::Cheaper),
        (None, 1_000, Verdict::NotRecorded),
    ] {
        assert_eq!(judge(recorded, measured), expected, "{recorded:?} {measured}");
    }
}

#[test]
fn what_is_written_is_read() {
    let circumstances = Circumstances {
        toolchain: "rustc 1.95.0 (59807616e 2026-04-14)".to_owned(),
        target: "x86_64-unknown-linux-gnu".to_owned(),
        libc: "glibc 2.36".to_owned(),
        cpu: "with avx2".to_owned(),
        valgrind: "valgrind-3.19.0".to_owned(),
    };
    let counts = vec![("base read, all".to_owned(), 23_780), ("compare".to_owned(), 20_500)];
    let recorded = Recorded { circumstances, counts };
    assert_eq!(Recorded::parse(&recorded.to_string()).unwrap(), recorded);
    assert_eq!(recorded.count_of("compare"), Some(20_500));
    assert_eq!(recorded.count_of("add"), None);
    for wrong in ["compare 20500\n", "compare: many\n"] {
        let said = format!("{:#}", Recorded::parse(wrong).unwrap_err());
        assert!(said.contains("record anew"), "{said}");
    }
}
