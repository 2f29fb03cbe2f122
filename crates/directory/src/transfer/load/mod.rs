//! Loading LDIF content into an empty directory: parsed and checked on every core, placed in the
//! order of the file by one thread, written once in sorted order. All of it is one transaction.
//!
//! Entries may come in any order: one whose parent has not come yet waits in memory (up to
//! [`WAITING_BYTES_MAX`]). Names that no entry has in the end are kept as loose values.

mod placing;
mod reading;

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crate::directory::{Inner, OpenError, Settings, inner_over};
use crate::refusal::Fault;
use crate::store::Store;
use crate::transfer::records::{RawRecord, ReadError, Records};
use crate::transfer::{Progress, Rejected};
use placing::Placing;
use reading::{Read as ReadRecord, Reading};

/// What waits for parents that come later in the file.
pub const WAITING_BYTES_MAX: usize = 512 << 20;

/// What is collected before it is sorted and put aside.
const SORTING_BYTES_MAX: usize = 384 << 20;

/// Records that one thread takes at a time.
const RECORDS_PER_BATCH: usize = 256;

/// What to do with passwords that stand in the clear in the file. They are never stored so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passwords {
    /// Hash them with the configured cost: tens of milliseconds each, on every core.
    #[default]
    Hash,
    /// Refuse records that have them.
    Refuse,
}

pub struct LoadOptions {
    pub passwords: Passwords,
    /// Go on after a record that is refused.
    pub keep_going: bool,
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
    #[error(
        "entries that wait for their parents need more than {WAITING_BYTES_MAX} bytes; sort the file so that parents come first"
    )]
    TooManyWaiting,
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
type Done = (u64, Vec<Result<ReadRecord, Rejected>>);

impl<'l> Loading<'l> {
    fn run(&mut self, records: Records<impl Read + Send>) -> Result<Loaded, LoadError> {
        let reading = Reading::new(self.inner, self.options.passwords);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (to_readers, batches) = sync_channel::<(u64, Batch)>(threads * 2);
        let batches = Arc::new(std::sync::Mutex::new(batches));
        let (to_placing, read) = sync_channel::<Done>(threads * 2);
        std::thread::scope(|scope| {
            let splitter = scope.spawn(move || split(records, &to_readers));
            for _ in 0..threads {
                let (batches, to_placing, reading) =
                    (Arc::clone(&batches), to_placing.clone(), &reading);
                scope.spawn(move || read_batches(&batches, &to_placing, reading));
            }
            drop((to_placing, batches));
            let placed = self.place(&read);
            drop(read); // ends the readers where placing ended early
            let split = splitter.join().unwrap_or(Ok(()));
            let placing = placed?;
            split?;
            self.finish(placing)
        })
    }

    /// Places records in the order of the file, whichever thread read them.
    fn place(&mut self, read: &std::sync::mpsc::Receiver<Done>) -> Result<Placing<'l>, LoadError> {
        let mut placing = Placing::begin(self.inner, SORTING_BYTES_MAX)?;
        let mut early = std::collections::BTreeMap::new();
        let mut next = 0u64;
        while let Ok((number, batch)) = read.recv() {
            early.insert(number, batch);
            while let Some(batch) = early.remove(&next) {
                next += 1;
                for record in batch {
                    let refused = match record {
                        Ok(record) => placing.place(record)?,
                        Err(rejected) => vec![rejected],
                    };
                    for rejected in refused {
                        reject(self.options, self.rejects, &mut placing, rejected)?;
                    }
                }
                (self.progress)(Progress {
                    phase: "reading",
                    entries: placing.loaded.entries,
                    bytes: placing.bytes,
                });
            }
        }
        for rejected in placing.orphans() {
            reject(self.options, self.rejects, &mut placing, rejected)?;
        }
        let entries = placing.loaded.entries;
        (self.progress)(Progress { phase: "writing", entries, bytes: placing.bytes });
        Ok(placing)
    }

    fn finish(&self, placing: Placing<'_>) -> Result<Loaded, LoadError> {
        Ok(placing.finish()?)
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

fn split(
    records: Records<impl Read>,
    to_readers: &std::sync::mpsc::SyncSender<(u64, Batch)>,
) -> Result<(), ReadError> {
    let mut batch = Vec::with_capacity(RECORDS_PER_BATCH);
    let mut number = 0;
    for record in records {
        batch.push(record?);
        if batch.len() == RECORDS_PER_BATCH {
            if to_readers.send((number, std::mem::take(&mut batch))).is_err() {
                return Ok(()); // placing has ended early and says why
            }
            number += 1;
        }
    }
    let _ = to_readers.send((number, batch));
    Ok(())
}

fn read_batches(
    batches: &std::sync::Mutex<std::sync::mpsc::Receiver<(u64, Batch)>>,
    to_placing: &std::sync::mpsc::SyncSender<Done>,
    reading: &Reading<'_>,
) {
    let mut known = reading::Known::default();
    loop {
        let next = batches.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
        let Ok((number, batch)) = next else { return };
        let read = batch.into_iter().filter_map(|raw| reading.read(raw, &mut known)).collect();
        if to_placing.send((number, read)).is_err() {
            return;
        }
    }
}
