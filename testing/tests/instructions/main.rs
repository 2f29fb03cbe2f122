//! The instruction guard: what the hottest paths cost, against what they cost when it was recorded.
//!
//! Instructions in user space, counted by valgrind's callgrind, do not depend on what else the
//! machine does, so that a path that has become dearer is found where a time would be noise. Only
//! the session and the writer are counted: no TLS, no runtime, no kernel.
//!
//! - `paths`: the data, and each path as a row: what is asked, of whom, what the answer must be.
//! - `callgrind`: a server under valgrind, and one count for each path.
//! - `recorded`: the file `counts.txt`, and the judgement of a count.
//!
//! `./check instructions` runs it, `CHANCERY_RECORD=1 ./check instructions` records anew.

// The lint's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod callgrind;
mod paths;
mod recorded;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use testing::peers::chancery::target_folder;
use testing::peers::missing::{Peer, present};

use paths::PATHS;
use recorded::{Circumstances, Recorded, Verdict, judge};

/// How the counts are recorded, as the messages say it.
const RECORD: &str = "CHANCERY_RECORD=1 ./check instructions";

/// Instructions of one operation of a path, and the file that says where they were spent.
#[derive(Debug)]
struct Counted {
    path: &'static str,
    instructions: u64,
    kept: PathBuf,
}

#[test]
#[ignore = "half a minute under valgrind; ./check instructions runs it"]
fn the_hottest_paths_cost_what_is_recorded() {
    let needed = [Peer::program("valgrind", "/usr/bin/valgrind"), callgrind::release()];
    if !present("instructions", &needed) {
        return;
    }
    let here = Circumstances::find().unwrap();
    if std::env::var("CHANCERY_RECORD").is_ok_and(|value| value == "1") {
        return record(here);
    }
    let text = fs::read_to_string(file()).unwrap_or_else(|error| {
        panic!("counts.txt cannot be read ({error}); {RECORD} writes it");
    });
    let recorded = Recorded::parse(&text).unwrap();
    let there = &recorded.circumstances;
    if *there != here {
        println!(
            "SKIPPED: instruction counts were recorded for {there}; here it is {here}; record anew with {RECORD}"
        );
        return;
    }
    let dearer = compare(&recorded, &count_all().unwrap());
    assert!(dearer.is_empty(), "\n{}\n", dearer.join("\n"));
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions/counts.txt")
}

fn record(circumstances: Circumstances) {
    let counted = count_all().unwrap();
    let counts = counted.iter().map(|one| (one.path.to_owned(), one.instructions)).collect();
    fs::write(file(), Recorded { circumstances, counts }.to_string()).unwrap();
    for Counted { path, instructions, .. } in counted {
        println!("recorded {path:<40} {instructions:>9}");
    }
}

fn count_all() -> Result<Vec<Counted>> {
    // Beside what else `./check` leaves to be looked at.
    let kept = target_folder().join("check/instructions");
    fs::create_dir_all(&kept)?;
    let mut guarded = callgrind::Guarded::start()?;
    PATHS.iter().map(|path| guarded.count(path, &kept)).collect()
}

/// Prints every path, and answers with a sentence for each that has become dearer.
fn compare(recorded: &Recorded, counted: &[Counted]) -> Vec<String> {
    let mut dearer = Vec::new();
    for Counted { path, instructions, kept } in counted {
        let before = recorded.count_of(path);
        let verdict = judge(before, *instructions);
        let was = before.map_or("-".to_owned(), |before| before.to_string());
        println!("counted {path:<40} {was:>9} recorded {instructions:>9} measured  {verdict}");
        if verdict == Verdict::Dearer || verdict == Verdict::NotRecorded {
            dearer.push(format!(
                "{path}: {was} instructions recorded, {instructions} measured: {verdict}\n  \
                 where they are: callgrind_annotate --auto=no --inclusive=yes {}\n  \
                 where this is the price of something worth it: {RECORD}",
                kept.display()
            ));
        }
    }
    dearer
}
