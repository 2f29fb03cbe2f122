//! When the disk is full, or the writer fails: what is refused, what goes on, and what is never
//! half done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use directory::clock::{Clock, SystemClock};
use directory::store::StoreOptions;
use directory::{Change, Error, Fault, NewAttribute, Settings};

use crate::sample::{PEOPLE, Sample};

const SUFFIX: &str = "dc=example,dc=com";

fn device(name: &str, bytes: usize) -> Change {
    Change::Add {
        dn: format!("cn={name},{SUFFIX}"),
        attributes: vec![
            NewAttribute::new("objectClass", ["device"]),
            NewAttribute::new("description", [format!("{name} {}", "x".repeat(bytes))]),
        ],
    }
}

fn small(map_bytes_max: usize) -> Settings {
    let store = StoreOptions { map_bytes_max, ..StoreOptions::default() };
    Settings { store, ..Settings::default() }
}

fn is_unavailable(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.code.0 == 52 && refusal.message.contains("full"))
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let mut sample = Sample::with_settings(small(2 << 20));
    sample.load(PEOPLE);
    let mut added = Vec::new();
    let full = loop {
        let name = format!("d{}", added.len());
        match sample.change(device(&name, 20_000)) {
            Ok(_) => added.push(name),
            Err(error) => break error,
        }
        assert!(added.len() < 1000, "the map never filled");
    };
    assert!(is_unavailable(&full), "{full:?}");
    assert!(!sample.directory.is_poisoned());
    // Reading goes on, and nothing is half there.
    assert_eq!(sample.names("(objectClass=device)").len(), added.len());
    assert_eq!(sample.names("(cn=d*)").len(), added.len());
    // Refused again, not worse.
    for _ in 0..3 {
        let again = sample.change(device("more", 20_000)).unwrap_err();
        assert!(is_unavailable(&again), "{again:?}");
    }
    assert_eq!(sample.names("(cn=more)").len(), 0);
    // Deleting makes room. LMDB gives pages back one transaction later, and a large value needs
    // several side by side.
    let remove = |name: &&String| {
        sample.change(Change::Delete { dn: format!("cn={name},{SUFFIX}") }).is_ok()
    };
    assert!(added.iter().rev().take(10).filter(remove).count() >= 5, "deleting is refused too");
    sample.change(device("small", 10)).unwrap();
    let (half, _) = added.split_at(added.len() - 10);
    assert_eq!(half.iter().filter(remove).count(), half.len());
    sample.change(device("after", 20_000)).unwrap();
    assert_eq!(sample.names("(cn=after)"), [format!("cn=after,{SUFFIX}")]);
    sample.reopen();
    assert_eq!(sample.names("(cn=after)"), [format!("cn=after,{SUFFIX}")]);
}

#[test]
fn a_full_disk_refuses_only_what_does_not_fit() {
    let sample = Sample::with_settings(small(2 << 20));
    sample.load(PEOPLE);
    let (sender, receiver) = std::sync::mpsc::channel();
    // Large and small together: whatever shares a transaction with the large ones is tried alone.
    for number in 0..40 {
        let bytes = if number % 2 == 0 { 400_000 } else { 10 };
        let request = directory::ChangeRequest {
            subject: crate::sample::operator(),
            change: device(&format!("n{number}"), bytes),
            controls: directory::ChangeControls::default(),
        };
        let sender = sender.clone();
        let reply = Box::new(move |result: Result<_, Error>| {
            sender.send((number, result.map(drop))).unwrap();
        });
        sample.directory.submit(request, reply).unwrap();
    }
    let mut done = 0;
    for _ in 0..40 {
        let (number, result) = receiver.recv().unwrap();
        let found = sample.names(&format!("(cn=n{number})"));
        match result {
            Ok(()) => {
                done += 1;
                assert_eq!(found, [format!("cn=n{number},{SUFFIX}")]);
            }
            Err(error) => {
                assert!(is_unavailable(&error), "{error:?}");
                assert!(found.is_empty(), "{found:?}");
            }
        }
    }
    assert!(done >= 20, "only {done} were done");
    // Names of children, whose parents' numbers were given twice, are right.
    for number in (1..40).step_by(2) {
        let dn = format!("cn=n{number},{SUFFIX}");
        assert!(sample.read(&dn, &["entryDN"]).ends_with(&format!("entryDN: {dn}")));
    }
}

/// Panics where the writer asks for the time, once it is told to.
struct Trap(AtomicBool);

impl Clock for Trap {
    fn now_ms(&self) -> u64 {
        assert!(!self.0.load(Ordering::SeqCst), "the clock was told to fail");
        SystemClock.now_ms()
    }
    fn random(&self, bytes: &mut [u8]) {
        SystemClock.random(bytes);
    }
}

#[test]
fn a_panic_in_the_writer_poisons_writing_and_nothing_else() {
    let trap = Arc::new(Trap(AtomicBool::new(false)));
    let settings = Settings { clock: trap.clone(), ..Settings::default() };
    let mut sample = Sample::with_settings(settings);
    sample.load(PEOPLE);
    trap.0.store(true, Ordering::SeqCst);
    let failed = sample.change(device("lost", 10));
    assert!(matches!(failed, Err(Error::Fault(Fault::Poisoned))), "{failed:?}");
    trap.0.store(false, Ordering::SeqCst);
    // The flag is set right after the reply; both ways of refusing are right in between.
    let refused = sample.change(device("later", 10));
    assert!(refused.is_err(), "{refused:?}");
    while !sample.directory.is_poisoned() {
        std::thread::yield_now();
    }
    let refused = sample.change(device("later", 10)).unwrap_err();
    assert!(matches!(&refused, Error::Refused(refusal) if refusal.code.0 == 52), "{refused:?}");
    assert_eq!(sample.names("(uid=*)").len(), 2);
    sample.reopen();
    assert_eq!(sample.names("(objectClass=device)"), Vec::<String>::new());
    sample.change(device("later", 10)).unwrap();
}

#[test]
fn a_full_queue_is_busy_and_a_closed_one_answers_all() {
    let settings = Settings { queue_changes_max: 1, ..Settings::default() };
    let sample = Sample::with_settings(settings);
    sample.load(PEOPLE);
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut accepted = 0;
    let mut busy = 0;
    for number in 0..2000 {
        let request = directory::ChangeRequest {
            subject: crate::sample::operator(),
            change: device(&format!("q{number}"), 1),
            controls: directory::ChangeControls::default(),
        };
        let sender = sender.clone();
        let reply = Box::new(move |result: Result<_, Error>| {
            let _ = sender.send(result.is_ok());
        });
        match sample.directory.submit(request, reply) {
            Ok(()) => accepted += 1,
            Err(refusal) => {
                assert_eq!(refusal.code.0, 51, "{refusal:?}");
                busy += 1;
            }
        }
        if busy > 3 && accepted > 3 {
            break;
        }
    }
    drop(sender);
    let Sample { directory, folder, lens } = sample;
    drop((lens, directory));
    assert_eq!(receiver.iter().filter(|done| *done).count(), accepted, "{busy} were refused");
    drop(folder);
}
