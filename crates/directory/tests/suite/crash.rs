//! SIGKILL under concurrent writers: what was answered is there, what was not is there whole or not
//! at all.
//!
//! The parent runs this test binary again as the victim, which writes with several threads and says
//! on its standard output what was answered.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use directory::store::{CommitNumber, Store, StoreOptions};
use directory::{Change, Directory, Modification, NewAttribute, Settings};
use ldap::message::{ModifyOperation, Scope};

use crate::model::rng::Rng;
use crate::sample::{Sample, check_store, operator};

const FOLDER: &str = "CHANCERY_CRASH_FOLDER";
const READER_FOLDER: &str = "CHANCERY_CRASH_READER_FOLDER";
const FIRST: &str = "CHANCERY_CRASH_FIRST";
const THREADS: usize = 4;
const ROUNDS: usize = 8;
/// Numbers of one round begin at a multiple of this.
const ROUND: usize = 1_000_000;
/// How far behind the newest entry the deleted one is.
const LAG: usize = 5;

fn person(thread: usize, number: usize) -> String {
    format!("uid=t{thread}-{number},dc=example,dc=com")
}

fn group(thread: usize) -> String {
    format!("cn=group {thread},dc=example,dc=com")
}

fn replace(name: &str, value: &str) -> Modification {
    let attribute = NewAttribute::new(name, [value]);
    Modification { operation: ModifyOperation::Replace, attribute }
}

/// The victim: does nothing unless the parent named a folder.
#[test]
fn victim() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let first: usize = std::env::var(FIRST).unwrap().parse().unwrap();
    // So that checkpoints are made all the time.
    let store = StoreOptions { journal_segment_bytes: 64 << 10, ..StoreOptions::default() };
    let settings = Settings { store, ..Settings::default() };
    let directory = Directory::open(Path::new(&folder), settings).unwrap();
    let writers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let directory = directory.clone();
            std::thread::spawn(move || write(&directory, thread, first))
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

fn write(directory: &Directory, thread: usize, first: usize) {
    let submit = |verb: &str, number: usize, change: Change| {
        Sample::submit_to(directory, operator(), change).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nanswered {verb} {thread} {number} .").unwrap();
        out.flush().unwrap();
    };
    for number in first.. {
        submit("add", number, added(thread, number));
        submit("modify", number, modified(thread, number));
        if number >= first + LAG && number % 2 == 0 {
            let number = number - LAG;
            submit("delete", number, Change::Delete { dn: person(thread, number) });
        }
    }
}

fn added(thread: usize, number: usize) -> Change {
    Change::Add {
        dn: person(thread, number),
        attributes: vec![
            NewAttribute::new("objectClass", ["inetOrgPerson"]),
            NewAttribute::new("cn", [number.to_string()]),
            NewAttribute::new("sn", [number.to_string()]),
            NewAttribute::new("seeAlso", [group(thread)]),
        ],
    }
}

/// Two values and a link that must not be seen apart.
fn modified(thread: usize, number: usize) -> Change {
    let member = NewAttribute::new("member", [person(thread, number)]);
    let text = number.to_string();
    Change::Modify {
        dn: group(thread),
        modifications: vec![
            replace("description", &text),
            Modification { operation: ModifyOperation::Add, attribute: member },
            replace("businessCategory", &text),
        ],
    }
}

#[derive(Default)]
struct Answered {
    added: Vec<usize>,
    modified: usize,
    deleted: Vec<usize>,
}

#[test]
fn what_was_answered_survives_sigkill() {
    let seed = std::env::var("CHANCERY_CRASH_SEED").ok().and_then(|text| text.parse().ok());
    let rounds = std::env::var("CHANCERY_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut rng = Rng::new(seed.unwrap_or(1));
    let mut sample = Sample::empty();
    sample.load("dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n");
    for thread in 0..THREADS {
        let (dn, own) = (group(thread), group(thread));
        sample.load(&format!(
            "dn: {dn}\nobjectClass: groupOfNames\ncn: group {thread}\nmember: {own}\n\
             description: 0\nbusinessCategory: 0\n"
        ));
    }
    let mut answered: BTreeMap<usize, Answered> = BTreeMap::new();
    for round in 1..=rounds.unwrap_or(ROUNDS) {
        let Sample { directory, folder, lens } = sample;
        drop((lens, directory));
        run_victim(folder.path(), round * ROUND, rng.below(250), &mut answered, &mut |_| {});
        check_log(folder.path());
        check_store(folder.path());
        let directory = Directory::open(folder.path(), Settings::default()).unwrap();
        sample = Sample::of(directory, folder);
        for (thread, answered) in &mut answered {
            check(&sample, *thread, answered);
        }
    }
    assert!(answered.values().all(|answered| !answered.added.is_empty()), "nothing was written");
}

/// Reads on in a snapshot of its own until it is told to end; does nothing unless the parent named
/// a folder.
#[test]
fn reader() {
    let Ok(folder) = std::env::var(READER_FOLDER) else { return };
    let options = StoreOptions { read_only: true, ..StoreOptions::default() };
    let store = Store::open(Path::new(&folder), &options).unwrap();
    let snapshot = store.snapshot().unwrap();
    let rows = || {
        let rows = snapshot.reader().entries_from(directory::store::EntryId(0)).unwrap();
        rows.map(|row| row.unwrap()).map(|(id, entry)| (id, entry.rdn().to_owned()))
    };
    let before: Vec<_> = rows().collect();
    println!("\nreading {} .", before.len());
    std::io::stdin().read_line(&mut String::new()).unwrap();
    assert!(rows().eq(before), "the snapshot is another one");
    // And what it sees from now on is what the server has recovered.
    let now = store.snapshot().unwrap();
    println!("\nsees {} .", now.reader().last_commit().unwrap().0);
}

#[test]
fn a_reader_that_outlives_the_server_reads_on() {
    let mut sample = Sample::empty();
    sample.load("dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n");
    for thread in 0..THREADS {
        let (dn, own) = (group(thread), group(thread));
        sample.load(&format!(
            "dn: {dn}\nobjectClass: groupOfNames\ncn: group {thread}\nmember: {own}\n\
             description: 0\nbusinessCategory: 0\n"
        ));
    }
    for round in 1..=3 {
        let Sample { directory, folder, lens } = sample;
        drop((lens, directory));
        let mut reading = None;
        let mut answered = BTreeMap::new();
        run_victim(folder.path(), round * ROUND, 150, &mut answered, &mut |seen| {
            if seen == 40 {
                reading = Some(start_reader(folder.path()));
            }
        });
        let mut reading = reading.unwrap();
        check_log(folder.path());
        check_store(folder.path());
        let directory = Directory::open(folder.path(), Settings::default()).unwrap();
        sample = Sample::of(directory, folder);
        for (thread, answered) in &mut answered {
            check(&sample, *thread, answered);
        }
        // Where pages are used again, what the reader holds must not be among them.
        for number in 0..60 {
            sample.change(added(0, round * ROUND + ROUND / 2 + number)).unwrap();
        }
        let commit = sample.change(modified(0, round * ROUND + ROUND / 2)).unwrap().commit;
        reading.stdin.take().unwrap().write_all(b"\n").unwrap();
        let sees = format!("sees {} .", commit);
        let lines: Vec<String> = reading.out.lines().map(Result::unwrap).collect();
        assert!(lines.contains(&sees), "{sees}: {lines:?}");
        assert!(reading.child.wait().unwrap().success(), "{lines:?}");
    }
}

struct Reading {
    child: Child,
    stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
}

/// Waits until it has its snapshot.
fn start_reader(folder: &Path) -> Reading {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::reader", "--exact", "--nocapture", "--test-threads=1"])
        .env(READER_FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("reading ") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the reader has ended");
    }
    Reading { stdin: child.stdin.take(), child, out }
}

/// Kills the victim after that many answers; `each` is told how many there have been.
fn run_victim(
    folder: &Path,
    first: usize,
    answers: usize,
    answered: &mut BTreeMap<usize, Answered>,
    each: &mut dyn FnMut(usize),
) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::victim", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let ["answered", verb, thread, number, "."] = words.as_slice() else { continue };
        let of_thread = answered.entry(thread.parse().unwrap()).or_default();
        let number = number.parse().unwrap();
        match *verb {
            "add" => of_thread.added.push(number),
            "modify" => of_thread.modified = number,
            _ => of_thread.deleted.push(number),
        }
        seen += 1;
        each(seen);
        if seen == answers + 1 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen > answers, "the victim ended by itself");
}

fn check(sample: &Sample, thread: usize, answered: &mut Answered) {
    let newest = answered.added.iter().max().copied().unwrap_or_default();
    for number in answered.added.clone() {
        let there = !sample.names(&format!("(uid=t{thread}-{number})")).is_empty();
        if !there && number + LAG == newest {
            answered.deleted.push(number); // done, and killed before it was answered
        }
        assert_eq!(there, !answered.deleted.contains(&number), "{}", person(thread, number));
    }
    let found = sample
        .search_as(&operator(), &group(thread), Scope::Base, "(objectClass=*)", &["*"])
        .unwrap();
    let values = |name: &str| {
        let held = found[0].attributes.iter().find(|(held, _)| held == name);
        held.map(|(_, values)| values.clone()).unwrap_or_default()
    };
    let number: usize = values("description")[0].parse().unwrap();
    assert_eq!(values("description"), values("businessCategory"), "half a modify");
    assert!(number >= answered.modified, "an answered modify is gone");
    let members = values("member");
    let newest = person(thread, number);
    assert!(number == 0 || members.contains(&newest), "{newest} is not in {members:?}");
    for member in members.iter().filter(|member| member.starts_with("uid=")) {
        let entry = sample.read(member, &["memberOf", "seeAlso", "cn", "sn"]);
        let group = group(thread);
        for part in [format!("memberOf: {group}"), format!("seeAlso: {group}"), "cn: ".into()] {
            assert!(entry.contains(&part), "{member} is half there: {entry:?}");
        }
    }
}

/// Change numbers without a gap, each record whole.
fn check_log(folder: &Path) {
    let store = Store::open(folder, &StoreOptions::default()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let reader = snapshot.reader();
    let mut expected = 1;
    for change in reader.changes_from(CommitNumber(1)).unwrap() {
        let (number, record) = change.unwrap();
        assert_eq!(number.0, expected, "a gap in the change log");
        assert!(record.len() > 34 && record[0] == 1, "change {expected} is damaged");
        expected += 1;
    }
    assert_eq!(reader.last_commit().unwrap().0 + 1, expected);
}
