//! Loading LDIF content into an empty directory: parsed and checked on every core, placed in the
//! order of the file by one thread, written once in sorted order. All of it is one transaction.
//!
//! Entries may come in any order: one whose parent has not come yet waits in memory (up to
//! [`WAITING_BYTES_MAX`]), then in a temporary file that is gone through again at the end. Names
//! that no entry has in the end are kept as loose values. What grows with the number of entries is
//! two hashes for each (its name and its entryUUID), some 80 bytes.

mod numbers;
mod placing;
mod reading;

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::directory::{Inner, OpenError, Settings, inner_over};
use crate::refusal::Fault;
use crate::store::Store;
use crate::transfer::records::{RawRecord, ReadError, Records};
use crate::transfer::{Progress, Rejected};
use placing::Placing;
use reading::{Known, Read as ReadRecord, Reading};

/// What waits in memory for parents that come later in the file.
pub const WAITING_BYTES_MAX: usize = 256 << 20;

/// Written to the temporary file at once.
const ASIDE_BYTES_MAX: usize = 1 << 20;

/// What is collected before it is sorted and put aside.
const SORTING_BYTES_MAX: usize = 384 << 20;

/// Records that one thread takes at a time.
const RECORDS_PER_BATCH: usize = 256;

/// Batches that wait at each door between threads.
const BATCHES_WAITING_MAX: usize = 2;

/// Passwords in the clear that are hashed without having been asked to.
pub const CLEAR_PASSWORDS_MAX: u64 = 1_000;

/// What to do with passwords that stand in the clear in the file. They are never stored so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passwords {
    /// Hash [`CLEAR_PASSWORDS_MAX`] of them, and refuse the next.
    #[default]
    Few,
    /// Hash them with the configured cost: tens of milliseconds each, on every core.
    Hash,
    /// Refuse records that have them.
    Refuse,
}

#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    pub passwords: Passwords,
    /// Go on after a record that is refused.
    pub keep_going: bool,
    /// Read the files that `:<` values name; else such records are refused.
    pub file_urls: bool,
    pub waiting_bytes_max: usize,
}

impl LoadOptions {
    pub const fn new() -> LoadOptions {
        LoadOptions {
            passwords: Passwords::Few,
            keep_going: false,
            file_urls: false,
            waiting_bytes_max: WAITING_BYTES_MAX,
        }
    }
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions::new()
    }
}

/// What a load came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub entries: u64,
    pub rejected: u64,
    /// Values that name no entry.
    pub loose: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the directory already holds {0} entries")]
    NotEmpty(u64),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{0}")]
    Rejected(Rejected),
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Loads everything `reader` gives. After an error the directory is as empty as it was.
pub fn load(
    store: Store,
    settings: Settings,
    options: &LoadOptions,
    reader: impl Read + Send,
    rejects: &mut dyn FnMut(&Rejected),
    progress: &mut dyn FnMut(Progress),
) -> Result<Loaded, LoadError> {
    let inner = inner_over(store, settings)?;
    let held = inner.store.snapshot()?.reader().entry_count()?;
    if held > 0 {
        return Err(LoadError::NotEmpty(held));
    }
    let mut loading = Loading { inner: &inner, options, rejects, progress };
    loading.run(Records::new(reader))
}

struct Loading<'l> {
    inner: &'l Inner,
    options: &'l LoadOptions,
    rejects: &'l mut dyn FnMut(&Rejected),
    progress: &'l mut dyn FnMut(Progress),
}

type Batch = Vec<RawRecord>;
type Done = Vec<Result<ReadRecord, Rejected>>;

impl Loading<'_> {
    /// Batches go round the reading threads, and come back in the same order: no more of them are
    /// under way than wait at the doors.
    fn run(&mut self, records: Records<impl Read + Send>) -> Result<Loaded, LoadError> {
        let reading = Reading::new(self.inner, self.options);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let (mut to_readers, mut read) = (Vec::new(), Vec::new());
            for _ in 0..threads {
                let (to_reader, batches) = sync_channel::<Batch>(BATCHES_WAITING_MAX);
                let (to_placing, from_reader) = sync_channel::<Done>(BATCHES_WAITING_MAX);
                let reading = &reading;
                scope.spawn(move || read_batches(&batches, &to_placing, reading));
                to_readers.push(to_reader);
                read.push(from_reader);
            }
            let splitter = scope.spawn(move || split(records, &to_readers));
            let placing = self.place(&reading, &read);
            drop(read); // ends the readers where placing ended early
            let split = splitter.join().unwrap_or(Ok(()));
            let mut placing = placing?;
            split?;
            self.place_rest(&mut placing)?;
            let (entries, bytes) = (placing.loaded.entries, placing.bytes);
            (self.progress)(Progress { phase: "writing", entries, bytes });
            Ok(placing.finish()?)
        })
    }

    /// Places records in the order of the file, whichever thread read them.
    fn place<'p>(
        &mut self,
        reading: &'p Reading<'p>,
        read: &[Receiver<Done>],
    ) -> Result<Placing<'p>, LoadError>
    where
        Self: 'p,
    {
        let mut placing = Placing::begin(reading.inner, reading, self.options.waiting_bytes_max)?;
        for from_reader in read.iter().cycle() {
            let Ok(batch) = from_reader.recv() else { break };
            placing.enter_numbers()?;
            for record in batch {
                let refused = match record {
                    Ok(record) => placing.place(record)?,
                    Err(rejected) => vec![rejected],
                };
                for rejected in refused {
                    reject(self.options, self.rejects, &mut placing, rejected)?;
                }
            }
            let (entries, bytes) = (placing.loaded.entries, placing.bytes);
            (self.progress)(Progress { phase: "reading", entries, bytes });
        }
        Ok(placing)
    }

    fn place_rest(&mut self, placing: &mut Placing<'_>) -> Result<(), LoadError> {
        let (options, rejects) = (self.options, &mut *self.rejects);
        let mut refuse =
            |placing: &mut Placing<'_>, rejected| reject(options, &mut *rejects, placing, rejected);
        placing.place_aside(&mut refuse)?;
        placing.orphans(&mut refuse)
    }
}

fn reject(
    options: &LoadOptions,
    rejects: &mut dyn FnMut(&Rejected),
    placing: &mut Placing<'_>,
    rejected: Rejected,
) -> Result<(), LoadError> {
    if !options.keep_going {
        return Err(LoadError::Rejected(rejected));
    }
    placing.loaded.rejected += 1;
    rejects(&rejected);
    Ok(())
}

fn split(records: Records<impl Read>, to_readers: &[SyncSender<Batch>]) -> Result<(), ReadError> {
    let mut records = records.fuse();
    for to_reader in to_readers.iter().cycle() {
        let batch = records.by_ref().take(RECORDS_PER_BATCH).collect::<Result<Batch, _>>()?;
        let ended = batch.len() < RECORDS_PER_BATCH;
        // Where nobody takes it, placing has ended early and says why.
        if to_reader.send(batch).is_err() || ended {
            break;
        }
    }
    Ok(())
}

fn read_batches(batches: &Receiver<Batch>, to_placing: &SyncSender<Done>, reading: &Reading<'_>) {
    let mut known = Known::default();
    while let Ok(batch) = batches.recv() {
        let read = batch.into_iter().filter_map(|raw| reading.read(raw, &mut known)).collect();
        if to_placing.send(read).is_err() {
            return;
        }
    }
}
