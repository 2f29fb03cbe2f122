//! Folders as a crash leaves them: what was committed is there, and nothing else.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::*;

const SECTOR: usize = 4096;

/// Segments of this length end every few batches.
fn short() -> StoreOptions {
    StoreOptions { journal_segment_bytes: 10 * SECTOR as u64, ..options() }
}

struct Served {
    folder: tempfile::TempDir,
    store: Store,
}

impl Served {
    fn new(options: &StoreOptions) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join("data"), options).unwrap();
        store.serve();
        Served { folder, store }
    }

    /// The folder as it is now, under another name.
    fn copy(&self, name: &str) -> PathBuf {
        let to = self.folder.path().join(name);
        copied(self.store.folder(), &to);
        to
    }

    fn put(&self, numbers: std::ops::RangeInclusive<u64>) {
        numbers.for_each(|number| put(&self.store, number, 100));
    }
}

/// A batch that can be told by its number.
fn put(store: &Store, number: u64, bytes: usize) {
    let mut batch = store.batch().unwrap();
    fill(&mut batch, number, bytes).unwrap();
    batch.commit().unwrap();
}

fn fill(batch: &mut Batch<'_>, number: u64, bytes: usize) -> Result<(), Fault> {
    batch.put_meta(&format!("own{number}"), &vec![number as u8; bytes])?;
    batch.posting_add(&PostingKey::ALL, EntryId(number))?;
    Ok(())
}

/// How many batches there are, each of them whole.
fn count(store: &Store) -> u64 {
    let snapshot = store.snapshot().unwrap();
    let reader = snapshot.reader();
    let ids = reader.posting(&PostingKey::ALL).unwrap().ids().unwrap();
    assert_eq!(ids, (1..=ids.len() as u64).map(EntryId).collect::<Vec<_>>());
    for EntryId(number) in &ids {
        let value = reader.meta(&format!("own{number}")).unwrap().expect("half a batch");
        assert!(value.iter().all(|byte| *byte == *number as u8), "another one's value");
    }
    assert_eq!(reader.meta(&format!("own{}", ids.len() + 1)).unwrap(), None, "half a batch");
    ids.len() as u64
}

fn recovered(folder: &Path) -> u64 {
    count(&Store::open(folder, &options()).unwrap())
}

#[test]
fn what_was_committed_comes_back_again_and_again() {
    let served = Served::new(&options());
    for number in 1..=12 {
        served.put(number..=number);
        let copy = served.copy(&format!("copy{number}"));
        assert_eq!(recovered(&copy), number);
        assert_eq!(recovered(&copy), number, "after the recovery was closed");
        // And what is written there afterwards.
        let store = Store::open(&copy, &options()).unwrap();
        store.serve();
        put(&store, number + 1, 9);
        let again = served.folder.path().join(format!("again{number}"));
        copied(&copy, &again);
        assert_eq!(recovered(&again), number + 1);
    }
}

#[test]
fn a_closed_folder_needs_no_journal() {
    let served = Served::new(&options());
    served.put(1..=5);
    let path = served.store.folder().to_owned();
    let Served { folder: _folder, store } = served;
    drop(store);
    for name in ["journal.0", "checkpoint"] {
        fs::remove_file(path.join(name)).unwrap();
    }
    assert_eq!(recovered(&path), 5);
}

#[test]
fn a_folder_that_is_not_served_is_made_durable_by_lmdb() {
    let (_folder, store) = created();
    put(&store, 1, 100);
    assert!(!store.folder().join("journal.0").exists());
    assert_eq!(fs::metadata(store.folder().join("checkpoint")).unwrap().len(), 0);
}

#[test]
fn a_journal_cut_anywhere_gives_the_batches_before() {
    let served = Served::new(&options());
    let journal = served.store.folder().join("journal.0");
    // Where each record begins and its last row ends.
    let mut records = Vec::new();
    for number in 1..=3 {
        let begin = fs::metadata(&journal).map_or(SECTOR, |found| found.len() as usize);
        // The second one is in two sectors.
        put(&served.store, number, if number == 2 { 5000 } else { 20 });
        let rows = fs::read(&journal).unwrap()[begin + 16..][..4].try_into().unwrap();
        records.push((begin, begin + 24 + u32::from_le_bytes(rows) as usize));
    }
    let whole = fs::read(&journal).unwrap();
    let copy = served.copy("crashed");
    let left = ["checkpoint", "data.mdb"].map(|name| (name, fs::read(copy.join(name)).unwrap()));
    for at in (SECTOR..whole.len()).filter(|at| at % 97 == 0 || at % SECTOR < 70) {
        let cut = whole[..at].to_vec();
        let mut flipped = whole.clone();
        flipped[at] ^= 0x40;
        let record = records.iter().rposition(|(begin, _)| *begin <= at).unwrap();
        let is_padding = at >= records[record].1;
        for (torn, expected) in [
            (cut, record + usize::from(is_padding)),
            (flipped, if is_padding { records.len() } else { record }),
        ] {
            fs::write(copy.join("journal.0"), &torn).unwrap();
            left.iter().for_each(|(name, bytes)| fs::write(copy.join(name), bytes).unwrap());
            assert_eq!(recovered(&copy), expected as u64, "at {at}");
        }
    }
}

/// Pages that were written since, as a power failure may leave them.
fn spoil(data: &Path, whole: &[u8], mut kind: impl FnMut(usize) -> u8) {
    let now = fs::read(data).unwrap();
    let file = File::options().write(true).open(data).unwrap();
    let pages = now.chunks(SECTOR).zip((0..).step_by(SECTOR));
    for (number, (page, at)) in pages.enumerate() {
        let old = whole.get(at..at + SECTOR);
        if old == Some(page) && number > 1 {
            continue;
        }
        let left = match kind(number) {
            0 => vec![0xA5; SECTOR],
            1 => old.map_or(vec![0; SECTOR], <[u8]>::to_vec),
            2 => [&page[..SECTOR / 2], &[0; SECTOR / 2]].concat(),
            _ => page.to_vec(),
        };
        file.write_all_at(&left, at as u64).unwrap();
    }
}

#[test]
fn pages_that_a_power_failure_left_behind_do_not_matter() {
    let mut rng = 7u64;
    let mut next = move |below: u64| {
        rng = rng.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (rng >> 33) % below
    };
    for round in 0..24u8 {
        let served = Served::new(&options());
        let data = served.store.folder().join("data.mdb");
        served.put(1..=30);
        // Everything until here is in the checkpoint's snapshot.
        assert!(served.store.make_room().unwrap());
        let whole = fs::read(&data).unwrap();
        let last = 30 + 1 + next(60);
        served.put(31..=last);
        let copy = served.copy("crashed");
        match round {
            // All of them garbage, or as before, or torn; then anything, with both root pages.
            0..3 => spoil(&copy.join("data.mdb"), &whole, |_| round),
            _ => spoil(&copy.join("data.mdb"), &whole, |_| next(4) as u8),
        }
        assert_eq!(recovered(&copy), last, "round {round}");
        let store = Store::open(&copy, &options()).unwrap();
        put(&store, last + 1, 10);
        assert_eq!(count(&store), last + 1);
    }
}

#[test]
fn pages_of_checkpoints_made_beside_the_writer_stay_as_they_are() {
    let served = Served::new(&short());
    let folder = served.store.folder().to_owned();
    let newest_segment = || {
        let number = |name| {
            let bytes = fs::read(folder.join(name)).unwrap_or_default();
            bytes.get(8..16).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
        };
        number("journal.0").max(number("journal.1"))
    };
    let mut segment = None;
    let mut whole = Vec::new();
    for number in 1..=150 {
        put(&served.store, number, if number % 11 == 0 { 9000 } else { 200 });
        // The snapshot of a new segment, and of the checkpoint before while that one is not made,
        // is in what lies there now.
        if newest_segment() != segment {
            segment = newest_segment();
            whole = fs::read(folder.join("data.mdb")).unwrap();
        }
        let copy = served.copy("crashed");
        spoil(&copy.join("data.mdb"), &whole, |_| (number % 3) as u8);
        assert_eq!(recovered(&copy), number);
        fs::remove_dir_all(&copy).unwrap();
    }
    assert!(segment > Some(10), "{segment:?}");
}

#[test]
fn a_recovery_that_was_interrupted_is_made_again() {
    let served = Served::new(&options());
    served.put(1..=10);
    let crashed = served.copy("crashed");
    let whole = fs::read(crashed.join("data.mdb")).unwrap();
    let left =
        ["checkpoint", "journal.0"].map(|name| (name, fs::read(crashed.join(name)).unwrap()));
    for round in 0..4 {
        assert_eq!(recovered(&crashed), 10);
        // As if the end of it had not reached the disk.
        for (name, bytes) in &left {
            fs::write(crashed.join(name), bytes).unwrap();
        }
        let file = File::options().write(true).open(crashed.join("data.mdb")).unwrap();
        match round {
            0 => file.write_all_at(&[0xA5; 2 * SECTOR], 0).unwrap(),
            1 => file.write_all_at(&[0xA5; SECTOR], SECTOR as u64).unwrap(),
            2 => fs::write(crashed.join("data.mdb"), &whole).unwrap(),
            _ => {}
        }
    }
    assert_eq!(recovered(&crashed), 10);
}

#[test]
fn segments_follow_each_other() {
    let served = Served::new(&short());
    for number in 1..=120u64 {
        put(&served.store, number, if number % 7 == 0 { 20_000 } else { 50 });
        if number % 3 == 0 {
            assert_eq!(recovered(&served.copy(&format!("copy{number}"))), number);
        }
    }
    // Both files are used, and neither grows without end.
    for name in ["journal.0", "journal.1"] {
        let bytes = fs::metadata(served.store.folder().join(name)).unwrap().len();
        assert!((10 * SECTOR as u64..40 * SECTOR as u64).contains(&bytes), "{name}: {bytes}");
    }
    let store = reopened(served.store);
    assert_eq!(count(&store), 120);
}

#[test]
fn large_batches_go_in_pieces_and_come_back_whole_or_not_at_all() {
    for options in [options(), short()] {
        let served = Served::new(&options);
        served.put(1..=2);
        for round in 0..3 {
            // Given up after some pieces, which stay behind in the file.
            let mut batch = served.store.batch().unwrap();
            for number in 0..3 {
                batch.put_meta(&format!("lost{number}"), &vec![1; 700_000]).unwrap();
            }
            let copy = served.copy(&format!("open{round}"));
            assert_eq!(recovered(&copy), 2 + 2 * round);
            batch.abort();
            let mut batch = served.store.batch().unwrap();
            let number = 3 + 2 * round;
            for part in 0..4 {
                batch.put_meta(&format!("large{part}"), &vec![round as u8; 600_000]).unwrap();
            }
            fill(&mut batch, number, 10).unwrap();
            batch.commit().unwrap();
            served.put(number + 1..=number + 1);
            let copy = served.copy(&format!("crashed{round}"));
            let store = Store::open(&copy, &super::options()).unwrap();
            assert_eq!(count(&store), number + 1);
            let snapshot = store.snapshot().unwrap();
            let large = snapshot.reader().meta("large3").unwrap().unwrap().to_vec();
            assert_eq!(large, vec![round as u8; 600_000]);
            assert_eq!(snapshot.reader().meta("lost0").unwrap(), None);
        }
    }
}

#[test]
fn no_room_for_the_journal_refuses_and_any_other_fault_stops_writing() {
    let served = Served::new(&options());
    let journal = served.store.folder().join("journal.0");
    let attempt = |number| {
        let mut batch = served.store.batch().unwrap();
        fill(&mut batch, number, 10).and_then(|()| batch.commit())
    };
    std::os::unix::fs::symlink("/dev/full", &journal).unwrap();
    for _ in 0..3 {
        assert!(matches!(attempt(1), Err(Fault::Full)));
        assert_eq!(count(&served.store), 0);
    }
    fs::remove_file(&journal).unwrap();
    attempt(1).unwrap();
    assert_eq!(recovered(&served.copy("crashed")), 1);

    let served = Served::new(&options());
    let journal = served.store.folder().join("journal.0");
    fs::create_dir(&journal).unwrap();
    let attempt = || {
        let mut batch = served.store.batch().unwrap();
        fill(&mut batch, 1, 10).and_then(|()| batch.commit())
    };
    assert!(matches!(attempt(), Err(Fault::Disk { .. })));
    fs::remove_dir(&journal).unwrap();
    assert!(matches!(attempt(), Err(Fault::Poisoned)), "not tried again");
    assert_eq!(count(&served.store), 0);
    let path = served.store.folder().to_owned();
    drop(served.store);
    assert_eq!(recovered(&path), 0);
}

#[test]
fn what_lmdb_did_not_take_does_not_come_back() {
    let small = StoreOptions { map_bytes_max: 1 << 20, ..options() };
    let served = Served::new(&small);
    let mut number = 0;
    while number < 400 {
        let mut batch = served.store.batch().unwrap();
        match fill(&mut batch, number + 1, 9000).and_then(|()| batch.commit()) {
            Ok(()) => number += 1,
            Err(Fault::Full) => break,
            Err(fault) => panic!("{fault}"),
        }
    }
    assert!(number < 400, "the map never filled");
    assert_eq!(recovered(&served.copy("crashed")), number);
    assert_eq!(count(&served.store), number);
}

#[test]
fn damage_is_told_and_not_passed_over() {
    type Breaker = fn(&Path);
    let cases: &[(&str, Breaker)] = &[
        ("neither slot", |path| fs::write(path.join("checkpoint"), [7; 8192]).unwrap()),
        ("first segment is missing", |path| fs::remove_file(path.join("journal.1")).unwrap()),
        ("first segment is missing", |path| fs::write(path.join("journal.1"), [7; 9000]).unwrap()),
        ("not the file that belongs here", |path| {
            let file = File::options().write(true).open(path.join("data.mdb")).unwrap();
            for place in [0, SECTOR as u64] {
                file.write_all_at(&1u64.to_le_bytes(), place + 144).unwrap();
            }
        }),
    ];
    let served = Served::new(&options());
    served.put(1..=3);
    assert!(served.store.make_room().unwrap());
    served.put(4..=5);
    for (number, (expected, breaker)) in cases.iter().enumerate() {
        let copy = served.copy(&format!("broken{number}"));
        breaker(&copy);
        let error = Store::open(&copy, &options()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn who_only_reads_recovers_first_and_reads_beside_a_server_at_once() {
    let reading = StoreOptions { read_only: true, ..options() };
    let served = Served::new(&options());
    served.put(1..=3);
    let copy = served.copy("crashed");
    let store = Store::open(&copy, &reading).unwrap();
    assert_eq!(count(&store), 3);
    drop(store);
    // Another one has it, and is not done with it.
    let copy = served.copy("starting");
    let lock = File::create(copy.join("lock")).unwrap();
    lock.lock().unwrap();
    let error = Store::open(&copy, &reading).unwrap_err();
    assert!(matches!(error, OpenError::Recovering { .. }), "{error:?}");
    assert!(error.to_string().contains("try again"), "{error}");
    // Served: what is open belongs to the server.
    let checkpoint = File::options().write(true).open(copy.join("checkpoint")).unwrap();
    checkpoint.lock().unwrap();
    let before = fs::read(copy.join("checkpoint")).unwrap();
    assert_eq!(count(&Store::open(&copy, &reading).unwrap()), 3);
    assert_eq!(fs::read(copy.join("checkpoint")).unwrap(), before);
}

#[test]
fn a_folder_of_the_format_before_is_taken_over() {
    let (_folder, store) = created();
    let path = store.folder().to_owned();
    put(&store, 1, 10);
    drop(store);
    fs::remove_file(path.join("checkpoint")).unwrap();
    fs::write(path.join("format"), "chancery directory 1\n").unwrap();
    let format = || fs::read_to_string(path.join("format")).unwrap();
    let store = Store::open(&path, &options()).unwrap();
    put(&store, 2, 10);
    assert_eq!(format(), "chancery directory 1\n", "nothing an older program would not know");
    store.serve();
    put(&store, 3, 10);
    assert_eq!(format(), "chancery directory 2\n");
    assert_eq!(count(&reopened(store)), 3);
}
