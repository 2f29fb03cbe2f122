//! The journal in front of LMDB: a batch is durable once it is written here, so that LMDB's own
//! pages need no flush. Why, and what makes it right: `docs/design/writing.md`.
//!
//! - `record`: the bytes of records and rows. `segment`: one of the two files they lie in.
//! - `checkpoint`: from where they are replayed. `recovery`: replaying them.

mod checkpoint;
mod record;
mod recovery;
mod segment;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use heed::{Env, EnvFlags, FlagSetMode, RoTxn, WithoutTls};

pub(super) use self::checkpoint::Checkpoint;
use self::checkpoint::{Root, State};
pub(super) use self::record::Record;
pub(super) use self::recovery::{Pending, Settled, settled};
use self::segment::Segment;
use super::{fault, fault::damaged};
use crate::refusal::Fault;

/// Where a segment ends and a checkpoint is due. One batch may be longer. The writer waits for the
/// checkpoint where a segment has twice this length.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;
/// A checkpoint is due as well after about so many pages of LMDB's: until then none of them can be
/// used again, and the file grows by them.
const PAGES_MAX: u64 = 16 << 10;
/// Pages of a batch beside one for each of its rows: roots, branches, the list of free pages.
const BATCH_PAGES: u64 = 16;
/// A batch with more rows than this is written in pieces, so that memory stays bounded.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// The journal of a folder that this process may write.
pub(super) struct Journal {
    is_serving: AtomicBool,
    state: Mutex<Kept>,
}

struct Kept {
    env: Env<WithoutTls>,
    folder: PathBuf,
    segment_bytes: u64,
    checkpoint: Arc<Mutex<Checkpoint>>,
    running: Option<Running>,
    /// Something could not be made durable, and nobody knows what is on the disk.
    has_failed: bool,
    spare: Option<Record>,
}

/// Since the first batch.
struct Running {
    data: File,
    segment: Segment,
    /// Keeps the pages of the last checkpoint from being used again.
    pinned: RoTxn<'static, WithoutTls>,
    /// The same for the checkpoint before, until that one is made.
    before: Option<RoTxn<'static, WithoutTls>>,
    /// Written by LMDB since, as far as can be told.
    pages: u64,
    background: Option<JoinHandle<io::Result<()>>>,
}

fn disk(doing: &'static str) -> impl Fn(io::Error) -> Fault {
    move |source| match source {
        error if fault::is_no_room(&error) => Fault::Full,
        source => Fault::Disk { doing: doing.to_owned(), source },
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    pub(super) fn new(
        env: Env<WithoutTls>,
        folder: &Path,
        segment_bytes: u64,
        checkpoint: Checkpoint,
    ) -> Journal {
        let state = Mutex::new(Kept {
            env,
            folder: folder.to_owned(),
            segment_bytes: segment_bytes.next_multiple_of(record::SECTOR_BYTES as u64),
            checkpoint: Arc::new(Mutex::new(checkpoint)),
            running: None,
            has_failed: false,
            spare: None,
        });
        Journal { is_serving: AtomicBool::new(false), state }
    }

    /// From now on batches are journaled.
    pub(super) fn serve(&self) {
        self.is_serving.store(true, Ordering::SeqCst);
    }

    /// What a new batch notes its rows in; `None` where LMDB makes its commits durable itself.
    pub(super) fn record(&self) -> Option<Record> {
        if !self.is_serving.load(Ordering::SeqCst) {
            return None;
        }
        Some(locked(&self.state).spare.take().unwrap_or_else(Record::new))
    }

    /// Writes a piece of batch `number`, durably, and empties the record. Without room nothing has
    /// happened.
    pub(super) fn write(
        &self,
        number: u64,
        record: &mut Record,
        piece: u32,
        is_last: bool,
    ) -> Result<(), Fault> {
        let kept = &mut *locked(&self.state);
        let written = kept.write(number, record, piece, is_last);
        kept.has_failed |= written.as_ref().is_err_and(|fault| !matches!(fault, Fault::Full));
        written
    }

    /// The batch is visible.
    pub(super) fn keep(&self, mut record: Record) {
        let kept = &mut *locked(&self.state);
        if let Some(running) = &mut kept.running {
            running.segment.keep();
            running.pages += BATCH_PAGES + record.take_rows();
        }
        kept.spare = Some(record);
    }

    /// The batch was written whole, and LMDB did not take it: it must not come back.
    pub(super) fn take_back(&self) -> Result<(), Fault> {
        let kept = &mut *locked(&self.state);
        let Some(running) = &mut kept.running else { return Ok(()) };
        let taken = running.segment.take_back();
        kept.has_failed |= taken.is_err();
        taken.map_err(|source| Fault::Disk { doing: "taking a batch back".to_owned(), source })
    }

    /// Makes `data.mdb` whole, so that neither pages of the last checkpoint nor the journal need
    /// room. Whether there was anything to gain. Not within a batch.
    pub(super) fn make_room(&self) -> Result<bool, Fault> {
        let kept = &mut *locked(&self.state);
        let made = kept.make_room();
        kept.has_failed |= made.is_err();
        made
    }

    /// Nobody knows what is on the disk; nothing is written any more, and the folder stays open.
    pub(super) fn fail(&self) {
        locked(&self.state).has_failed = true;
    }
}

impl Kept {
    fn write(
        &mut self,
        number: u64,
        record: &mut Record,
        piece: u32,
        is_last: bool,
    ) -> Result<(), Fault> {
        if self.has_failed {
            return Err(Fault::Poisoned);
        }
        if piece == 0 {
            self.begin_batch(number)?;
        }
        let running = self.running.as_mut().ok_or(Fault::Poisoned)?;
        let written = running.segment.append(record, number, piece, is_last);
        record.clear();
        written.map_err(disk("writing the journal"))
    }

    fn begin_batch(&mut self, number: u64) -> Result<(), Fault> {
        let snapshot = number.saturating_sub(1);
        let Some(running) = &mut self.running else { return self.start(snapshot) };
        running.segment.rewind();
        let is_idle = running.background.as_ref().is_none_or(JoinHandle::is_finished);
        if is_idle {
            running.wait()?;
        }
        let length = running.segment.kept.at;
        let is_due = length >= self.segment_bytes || running.pages >= PAGES_MAX;
        if is_due && (is_idle || length >= 2 * self.segment_bytes) {
            self.change_segment(snapshot)?;
        }
        Ok(())
    }

    /// The first batch: what was there before is whole on the disk, and becomes the first
    /// checkpoint. From then on LMDB flushes nothing by itself.
    fn start(&mut self, snapshot: u64) -> Result<(), Fault> {
        let doing = disk("beginning the journal");
        let mut checkpoint = locked(&self.checkpoint);
        super::open::take_over(&self.folder).map_err(&doing)?;
        if checkpoint.is_new() {
            checkpoint.write(State::Clean { next_segment: 0 }).map_err(&doing)?;
        }
        let State::Clean { next_segment } = checkpoint.state else { return Err(Fault::Poisoned) };
        let data = File::open(self.folder.join("data.mdb")).map_err(&doing)?;
        let (pinned, root) = pin(&self.env, &data, snapshot)?;
        let segment = Segment::begin(&self.folder, next_segment, 0).map_err(&doing)?;
        let state = State::Open { first_segment: next_segment, snapshot, root };
        checkpoint.write(state).map_err(&doing)?;
        leave_flushing(&self.env, true)?;
        let (before, background) = (None, None);
        self.running = Some(Running { data, segment, pinned, before, pages: 0, background });
        Ok(())
    }

    /// Goes on in the other file, and has a checkpoint made of all that is in this one.
    fn change_segment(&mut self, snapshot: u64) -> Result<(), Fault> {
        let Some(running) = &mut self.running else { return Err(Fault::Poisoned) };
        running.wait()?;
        let (pinned, root) = pin(&self.env, &running.data, snapshot)?;
        let number = running.segment.number + 1;
        let begun = Segment::begin(&self.folder, number, running.segment.kept.chain);
        running.segment = begun.map_err(disk("beginning a segment of the journal"))?;
        running.pages = 0;
        running.before = Some(std::mem::replace(&mut running.pinned, pinned));
        let (env, checkpoint) = (self.env.clone(), Arc::clone(&self.checkpoint));
        let state = State::Open { first_segment: number, snapshot, root };
        running.begin(move || {
            env.force_sync().map_err(io::Error::other)?;
            locked(&checkpoint).write(state)
        })
    }

    /// Everything from the beginning: what is whole needs no journal.
    fn make_room(&mut self) -> Result<bool, Fault> {
        let Some(running) = self.running.as_ref().filter(|_| !self.has_failed) else {
            return Ok(false);
        };
        if running.pages == 0 && running.pinned.id() == self.env.info().last_txn_id {
            return Ok(false);
        }
        self.close()?;
        for number in [0, 1] {
            match File::options().write(true).open(segment::path(&self.folder, number)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                opened => opened.and_then(|file| file.set_len(0)),
            }
            .map_err(disk("emptying the journal"))?;
        }
        Ok(true)
    }

    /// Makes `data.mdb` whole by itself.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        running.wait()?;
        if self.has_failed {
            return Ok(());
        }
        self.env.force_sync().map_err(fault::store("closing the directory"))?;
        leave_flushing(&self.env, false)?;
        let state = State::Clean { next_segment: running.segment.number + 1 };
        locked(&self.checkpoint).write(state).map_err(disk("closing the journal"))
    }
}

impl Running {
    fn begin(
        &mut self,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<(), Fault> {
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(work);
        self.background = Some(thread.map_err(disk("starting a thread"))?);
        Ok(())
    }

    /// Until what runs beside the writer is done.
    fn wait(&mut self) -> Result<(), Fault> {
        let Some(background) = self.background.take() else { return Ok(()) };
        let done = background.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")));
        // Without room for it or not: what the writer counted on has not happened.
        let doing = || "making a checkpoint".to_owned();
        done.map_err(|source| Fault::Disk { doing: doing(), source })?;
        self.before = None;
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(fault) = locked(&self.state).close() {
            tracing::error!(%fault, "the journal could not be closed; opening will replay it");
        }
    }
}

/// A snapshot whose pages stay as they are, and its root page.
fn pin(
    env: &Env<WithoutTls>,
    data: &File,
    snapshot: u64,
) -> Result<(RoTxn<'static, WithoutTls>, Box<Root>), Fault> {
    let pinned = env.clone().static_read_txn().map_err(fault::store("beginning a checkpoint"))?;
    if pinned.id() as u64 != snapshot {
        return Err(damaged("somebody else has written to data.mdb"));
    }
    let root = Root::of(data, snapshot).map_err(disk("beginning a checkpoint"))?;
    Ok((pinned, Box::new(root)))
}

/// Whether LMDB leaves the flushing of its commits to us.
#[allow(unsafe_code, reason = "heed: without its flushes LMDB's file may be torn by a crash")]
fn leave_flushing(env: &Env<WithoutTls>, leave: bool) -> Result<(), Fault> {
    let mode = if leave { FlagSetMode::Enable } else { FlagSetMode::Disable };
    // SAFETY: NO_SYNC endangers what is on the disk after a crash, not memory. After a crash the
    // folder is not opened before the root page of a snapshot that was flushed is back in its
    // place, and none of that snapshot's pages is used again while it is pinned, which is before
    // this flag is set and until a later one was flushed. One thread at a time: whoever writes, or
    // opens.
    unsafe { env.set_flags(EnvFlags::NO_SYNC, mode) }.map_err(fault::store("opening the journal"))
}
