//! Locks under a clock that is set by hand: the table alone, and with a directory on disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::access::RuleText;
use crate::change::{Change, ChangeControls, ChangeRequest, Modification, NewAttribute};
use crate::clock::Clock;
use crate::credentials::{Unfit, Verdict};
use crate::password::Hasher;
use crate::store::EntryId;
use crate::subject::{Protection, Subject, Who};
use crate::{Directory, Error, Settings};
use ldap::message::ModifyOperation;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
/// 2026-11-21.
const START: u64 = 1_795_253_000_000;

fn attempt(lockout: &Lockout, id: u64, stored: Standing) -> Attempt {
    Attempt { id: EntryId(id), dn: Arc::from("cn=a"), stored, era: lockout.era() }
}

fn judge(lockout: &Lockout, attempt: &Attempt, matched: bool, now_ms: u64) -> table::Judged {
    lockout.judge(attempt, matched, now_ms).unwrap()
}

/// `-` a wrong password, `+` the right one, a number that many seconds, `w` the writer is done.
/// Comes out as `-` or `+` for what was answered, `!` for the attempt that locks, `x` for locked.
fn play(lockout: &Lockout, now: &mut u64, script: &str) -> String {
    let mut said = String::new();
    for word in script.split(' ') {
        match word {
            "w" => {
                lockout.to_store(EntryId(1));
                lockout.stored(EntryId(1), true);
            }
            "-" | "+" => {
                let matched = word == "+";
                let attempt = attempt(lockout, 1, Standing::default());
                let judged = judge(lockout, &attempt, matched, *now);
                said.push_str(match (judged.refused, judged.locks) {
                    (true, _) => "x",
                    (_, true) => "!",
                    _ => word,
                });
            }
            seconds => *now = now.saturating_add_signed(seconds.parse::<i64>().unwrap() * 1000),
        }
    }
    said
}

#[test]
fn a_lock_comes_with_the_failures_and_goes_with_time() {
    for (script, expected) in [
        ("- - - - - -", "----!x"),
        ("- - - - - +", "----!x"),
        ("- - - - + - - - - + -", "----+----+-"),
        ("- - - - 119 -", "----!"),
        ("- - - - 121 - - - - -", "--------!"),
        ("- 60 - 59 - 1 - - - -", "-----!x"),
        // Held for half an hour, not for longer because of what was tried meanwhile.
        ("- - - - - 1799 + 1 +", "----!x+"),
        ("- - - - - 900 - - - 900 - - - - -", "----!xxx----!"),
        // A clock that was set back makes no lock longer than it is.
        ("- - - - - -9999999 + 1799 + 1 +", "----!xx+"),
        ("- - - - -9999999 - -", "------"),
        ("- - - - - w +", "----!x"),
        ("- w - w - w - w - w - w", "----!x"),
    ] {
        let lockout = Lockout::new(LockoutPolicy::default());
        let mut now = START;
        assert_eq!(play(&lockout, &mut now, script), expected, "{script}");
    }
}

#[test]
fn a_policy_of_none_and_one_without_end() {
    let off = Lockout::new(LockoutPolicy::OFF);
    assert_eq!(play(&off, &mut START.clone(), "- - - - - - - +"), "-------+");
    let clear = attempt(&off, 1, Standing::default());
    assert!(off.is_quiet(&clear), "and nothing is remembered");
    let policy = LockoutPolicy { duration_ms: 0, ..LockoutPolicy::default() };
    let forever = Lockout::new(policy);
    assert_eq!(play(&forever, &mut START.clone(), "- - - - - 999999999 +"), "----!x");
    let lock = Some(Lock::Always);
    let stored = Standing { lock, failures: Times::new() };
    let judged = judge(&off, &attempt(&off, 1, stored), true, START);
    assert!(judged.refused, "an administrator's lock holds without a policy");
}

#[test]
fn what_the_entry_says_counts_after_a_restart_and_not_after_an_unlock() {
    let failed = |count: u64| Standing {
        lock: None,
        failures: (0..count).map(|number| START - number * SECOND).rev().collect(),
    };
    let lockout = Lockout::new(LockoutPolicy::default());
    let before = attempt(&lockout, 1, failed(4));
    assert!(judge(&lockout, &before, false, START).locks, "four before, one now");
    lockout.forget(EntryId(1));
    assert_eq!(lockout.judge(&before, false, START), None, "looked up before the unlock");
    let after = attempt(&lockout, 2, failed(4));
    assert!(judge(&lockout, &after, false, START).locks, "looked up after it");
}

#[test]
fn only_so_much_is_written_and_all_of_it_is_remembered() {
    let lockout = Lockout::new(LockoutPolicy::default());
    let fail =
        |id: u64, now| judge(&lockout, &attempt(&lockout, id, Standing::default()), false, now);
    let written = |now| (0..1000).filter(|id| fail(*id, now).write).count();
    assert_eq!(written(START), 100, "at once");
    for id in 0..1000 {
        lockout.to_store(EntryId(id));
    }
    assert_eq!(written(START + SECOND), 20, "each second");
    // Those in the queue take it along.
    assert_eq!(written(START + SECOND), 0);
    let locked = (0..1000).filter(|id| {
        lockout.to_store(EntryId(*id));
        fail(*id, START + SECOND);
        lockout.to_store(EntryId(*id));
        let judged = fail(*id, START + SECOND);
        judged.locks && judged.write
    });
    assert_eq!(locked.count(), 1000, "a lock is always written");
}

#[test]
fn the_table_is_rid_of_what_entries_say_and_never_grows_without_end() {
    let lockout = Lockout::new(LockoutPolicy::default());
    let fail =
        |id: u64, now| judge(&lockout, &attempt(&lockout, id, Standing::default()), false, now);
    for id in 0..10 {
        fail(id, START);
        lockout.to_store(EntryId(id));
        lockout.stored(EntryId(id), true);
    }
    fail(99, START + 2 * MINUTE);
    let known = |id: u64| lockout.to_store(EntryId(id)).is_some();
    assert!(!known(3) && known(99));
    let max = 65_536;
    for id in 100..100 + max + 1000 {
        fail(id, START + 2 * MINUTE + id);
    }
    assert!(!known(100), "touched longest ago");
    assert!(known(100 + max + 999));
    assert!((0..100 + max + 1000).filter(|id| known(*id)).count() <= max as usize);
}

#[derive(Clone)]
struct HandSet(Arc<AtomicU64>);

impl Clock for HandSet {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

impl HandSet {
    fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

const SUFFIX: &str = "dc=example,dc=com";
const EVA: &str = "uid=eva,dc=example,dc=com";
const ADMIN: &str = "uid=admin,dc=example,dc=com";
const RIGHT: &[u8] = b"cheap";

fn open(folder: &Path, clock: &HandSet) -> Directory {
    let settings = Settings {
        suffixes: vec![SUFFIX.to_owned()],
        access: vec![
            RuleText::new(&format!("entry \"{ADMIN}\""), &["manage"]),
            RuleText::new("self", &["auth", "write"]).attributes(&["@secrets"]),
            RuleText::new("anyone", &["auth"]).attributes(&["@secrets"]),
            RuleText::new("signed-in", &["read"]),
        ],
        hasher: Hasher::new(8, 1, 1).unwrap(),
        rehash: false,
        clock: Arc::new(clock.clone()),
        ..Settings::default()
    };
    Directory::open(folder, settings).unwrap()
}

fn operator() -> Subject {
    Subject { who: Who::Operator, address: None, protection: Protection::Local }
}

fn change(directory: &Directory, subject: &Subject, change: Change) -> Result<(), Error> {
    let controls = ChangeControls::default();
    let request = ChangeRequest { subject: subject.clone(), change, controls };
    directory.submit_and_wait(request).map(drop)
}

fn filled(folder: &Path, clock: &HandSet) -> Directory {
    let directory = open(folder, clock);
    let suffix =
        vec![NewAttribute::new("objectClass", ["domain"]), NewAttribute::new("dc", ["example"])];
    let add = |dn: &str, attributes| Change::Add { dn: dn.to_owned(), attributes };
    change(&directory, &operator(), add(SUFFIX, suffix)).unwrap();
    for (uid, dn) in [("eva", EVA), ("admin", ADMIN)] {
        let attributes = vec![
            NewAttribute::new("objectClass", ["inetOrgPerson"]),
            NewAttribute::new("cn", [uid]),
            NewAttribute::new("sn", [uid]),
            // `cheap` under a fast scheme: what is slow must be slow by intent.
            NewAttribute::new("userPassword", ["{SHA}+430Gha0scKAenV8HqIjjkbNy5Y="]),
        ];
        change(&directory, &operator(), add(dn, attributes)).unwrap();
    }
    directory
}

fn bind(directory: &Directory, dn: &str, password: &[u8]) -> Verdict {
    let nobody = Subject { who: Who::Anonymous, address: None, protection: Protection::Tls };
    let target = directory.view(&nobody).unwrap().bind_target(dn).unwrap();
    let verdict = target.verify_quickly(password).unwrap_or_else(|| target.verify(password));
    let verdict = directory.conclude(verdict);
    // What it wrote comes before the next change.
    directory.settled();
    verdict
}

impl Directory {
    /// Waits until the writer has done what was submitted before.
    fn settled(&self) {
        let nothing = Change::StoreStanding { dn: SUFFIX.to_owned() };
        change(self, &operator(), nothing).unwrap();
    }
}

fn signs_in(directory: &Directory, dn: &str) -> bool {
    bind(directory, dn, RIGHT).accepted.is_some()
}

fn fail(directory: &Directory, count: usize) -> Vec<Option<Unfit>> {
    let wrong = (0..count).map(|_| bind(directory, EVA, b"wrong"));
    wrong.map(|verdict| verdict.refusal).collect()
}

fn values(directory: &Directory, attribute: &str) -> usize {
    let account = directory.account(EVA).unwrap();
    let subject = operator();
    let view = directory.view(&subject).unwrap();
    let tree = view.tree();
    let id = tree.find(&account.dn).unwrap().unwrap();
    tree.expect_entry(id).unwrap().values(attribute).len()
}

fn modify(dn: &str, attribute: &str, operation: ModifyOperation, values: &[&str]) -> Change {
    let attribute = NewAttribute::new(attribute, values.iter().copied());
    Change::Modify { dn: dn.to_owned(), modifications: vec![Modification { operation, attribute }] }
}

fn signed_in(directory: &Directory, dn: &str) -> Subject {
    let who = directory.view(&operator()).unwrap().who_named(dn).unwrap().unwrap();
    Subject { who, address: None, protection: Protection::Tls }
}

#[test]
fn a_lock_is_in_the_entry_and_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandSet(Arc::new(AtomicU64::new(START)));
    let mut directory = filled(folder.path(), &clock);
    assert_eq!(fail(&directory, 3), [None; 3]);
    assert_eq!((values(&directory, FAILURE_TIME), values(&directory, LOCKED_TIME)), (3, 0));
    drop(directory);
    directory = open(folder.path(), &clock);
    assert_eq!(fail(&directory, 3), [None, Some(Unfit::NowLocked), Some(Unfit::Locked)]);
    assert_eq!((values(&directory, FAILURE_TIME), values(&directory, LOCKED_TIME)), (5, 1));
    for _ in 0..2 {
        drop(directory);
        directory = open(folder.path(), &clock);
        assert!(!signs_in(&directory, EVA), "the right password");
        assert!(signs_in(&directory, ADMIN), "somebody else");
        let (locked, count) = directory.locked_accounts(10).unwrap();
        let until_ms = Some(START / SECOND * SECOND + 30 * MINUTE);
        let expected = LockedAccount { dn: EVA.to_owned(), lock: locked[0].lock, until_ms };
        assert_eq!((locked, count), (vec![expected], 1));
    }
    clock.pass(30 * MINUTE);
    assert_eq!(directory.locked_accounts(10).unwrap(), (vec![], 0));
    assert!(signs_in(&directory, EVA), "after its time");
    assert_eq!((values(&directory, FAILURE_TIME), values(&directory, LOCKED_TIME)), (0, 0));
}

#[test]
fn what_was_too_much_to_be_written_is_written_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandSet(Arc::new(AtomicU64::new(START)));
    let directory = filled(folder.path(), &clock);
    let names: Vec<String> = (0..150).map(|number| format!("cn=p{number},{SUFFIX}")).collect();
    for dn in &names {
        let attributes = vec![
            NewAttribute::new("objectClass", ["person"]),
            NewAttribute::new("sn", ["p"]),
            NewAttribute::new("userPassword", ["{SHA}+430Gha0scKAenV8HqIjjkbNy5Y="]),
        ];
        let add = Change::Add { dn: dn.clone(), attributes };
        change(&directory, &operator(), add).unwrap();
        bind(&directory, dn, b"wrong");
    }
    assert_eq!(directory.inner().verifying.lockout.unwritten().len(), 50);
    directory.store_standings();
    drop(directory);
    let directory = open(folder.path(), &clock);
    for dn in &names {
        assert_eq!(directory.account(dn).unwrap().failures.len(), 1, "{dn}");
    }
}

#[test]
fn a_sign_in_that_nothing_is_known_of_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = HandSet(Arc::new(AtomicU64::new(START)));
    let directory = filled(folder.path(), &clock);
    fail(&directory, 2);
    assert!(signs_in(&directory, EVA));
    assert_eq!(values(&directory, FAILURE_TIME), 0, "the first clears what was counted");
    let commits = || directory.inner().store.snapshot().unwrap().reader().counters().unwrap();
    let before = commits().next_commit;
    for _ in 0..5 {
        assert!(signs_in(&directory, EVA));
    }
    assert_eq!(commits().next_commit, before);
}

#[test]
fn who_unlocks_and_who_does_not() {
    let remove = ModifyOperation::Delete;
    let set = ModifyOperation::Replace;
    for (who, what, unlocks) in [
        (ADMIN, modify(EVA, "pwdAccountLockedTime", remove, &[]), true),
        (ADMIN, modify(EVA, "userPassword", set, &["cheap"]), true),
        (ADMIN, modify(EVA, "pwdAccountLockedTime", set, &["000001010000Z"]), false),
        (ADMIN, modify(EVA, "description", set, &["x"]), false),
        // Signed in since before, and no more able to unlock itself than to sign in.
        (EVA, modify(EVA, "userPassword", set, &["cheap"]), false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let clock = HandSet(Arc::new(AtomicU64::new(START)));
        let directory = filled(folder.path(), &clock);
        fail(&directory, 5);
        assert!(!signs_in(&directory, EVA));
        let subject = signed_in(&directory, who);
        change(&directory, &subject, what.clone()).unwrap();
        assert_eq!(signs_in(&directory, EVA), unlocks, "{who} {what:?}");
        let failures = fail(&directory, 4);
        assert_eq!(failures.iter().all(Option::is_none), unlocks, "counted from the beginning");
    }
    let folder = tempfile::tempdir().unwrap();
    let directory = filled(folder.path(), &HandSet(Arc::new(AtomicU64::new(START))));
    fail(&directory, 5);
    let eva = signed_in(&directory, EVA);
    let own = modify(EVA, "pwdAccountLockedTime", remove, &[]);
    assert!(change(&directory, &eva, own).is_err(), "not without the right to write it");
    assert!(directory.unlock(EVA).unwrap());
    assert!(signs_in(&directory, EVA));
    assert!(!directory.unlock(EVA).unwrap(), "there is nothing to unlock");
    let standing = directory.account("uid=eva, DC=example,dc=com").unwrap();
    assert_eq!((standing.lock, standing.failures.len()), (None, 0));
    assert!(directory.account("uid=nobody,dc=example,dc=com").is_err());
}

#[test]
fn what_others_do_meanwhile_takes_no_lock_off() {
    let always = modify(EVA, "pwdAccountLockedTime", ModifyOperation::Replace, &["000001010000Z"]);
    // Somebody else mistypes and then signs in, or the lock itself comes meanwhile.
    for (by_an_administrator, meanwhile) in [(false, false), (true, false), (true, true)] {
        for password in [RIGHT, b"wrong"] {
            let folder = tempfile::tempdir().unwrap();
            let clock = HandSet(Arc::new(AtomicU64::new(START)));
            let mut directory = filled(folder.path(), &clock);
            let lock = |directory: &Directory| match by_an_administrator {
                true => change(directory, &operator(), always.clone()).unwrap(),
                false => drop(fail(directory, 5)),
            };
            if !meanwhile {
                lock(&directory);
                drop(directory);
                directory = open(folder.path(), &clock);
            }
            let nobody =
                Subject { who: Who::Anonymous, address: None, protection: Protection::Tls };
            let target = directory.view(&nobody).unwrap().bind_target(EVA).unwrap();
            let verdict = target.verify(password);
            if meanwhile {
                lock(&directory);
            }
            bind(&directory, ADMIN, b"wrong");
            assert!(signs_in(&directory, ADMIN));
            let verdict = directory.conclude(verdict);
            directory.settled();
            assert_eq!(verdict.refusal, Some(Unfit::Locked), "{by_an_administrator} {meanwhile}");
            assert!(verdict.accepted.is_none());
            assert_eq!(values(&directory, LOCKED_TIME), 1);
            assert!(!signs_in(&directory, EVA));
        }
    }
}

#[test]
fn no_attempt_writes_over_the_lock_of_an_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let directory = filled(folder.path(), &HandSet(Arc::new(AtomicU64::new(START))));
    let always = modify(EVA, "pwdAccountLockedTime", ModifyOperation::Replace, &["000001010000Z"]);
    change(&directory, &operator(), always).unwrap();
    // As if it had been counted between the lock and its commit.
    let Who::Entry { id, .. } = signed_in(&directory, EVA).who else { panic!("{EVA}") };
    let lockout = &directory.inner().verifying.lockout;
    assert!(judge(lockout, &attempt(lockout, id.0, Standing::default()), false, START).write);
    change(&directory, &operator(), Change::StoreStanding { dn: EVA.to_owned() }).unwrap();
    assert_eq!(values(&directory, LOCKED_TIME), 1);
    assert!(!signs_in(&directory, EVA), "what was counted is forgotten");
}

#[test]
fn guesses_at_the_same_time_are_no_more_than_guesses_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let directory = filled(folder.path(), &HandSet(Arc::new(AtomicU64::new(START))));
    let nobody = Subject { who: Who::Anonymous, address: None, protection: Protection::Tls };
    // All are looked up and verified before any of them is judged; the last one is right.
    let verdicts: Vec<Verdict> = (0..20)
        .map(|number| {
            let target = directory.view(&nobody).unwrap().bind_target(EVA).unwrap();
            target.verify(if number == 19 { RIGHT } else { b"wrong" })
        })
        .collect();
    assert!(verdicts[19].accepted.is_some());
    let concluded: Vec<Verdict> =
        verdicts.into_iter().map(|verdict| directory.conclude(verdict)).collect();
    assert!(concluded.iter().all(|verdict| verdict.accepted.is_none()));
    let unfit = |count: usize| concluded[count].refusal;
    assert_eq!((unfit(3), unfit(4)), (None, Some(Unfit::NowLocked)));
    assert!((5..20).all(|number| unfit(number) == Some(Unfit::Locked)));
}

#[test]
fn a_locked_account_is_refused_as_slowly_as_a_wrong_password() {
    let folder = tempfile::tempdir().unwrap();
    let directory = filled(folder.path(), &HandSet(Arc::new(AtomicU64::new(START))));
    fail(&directory, 5);
    let nobody = Subject { who: Who::Anonymous, address: None, protection: Protection::Tls };
    let target = directory.view(&nobody).unwrap().bind_target(EVA).unwrap();
    assert!(target.verify_quickly(RIGHT).is_none(), "although the scheme is a fast one");
    assert!(target.verify(RIGHT).accepted.is_none(), "and nothing says that it was right");
}
