//! Making a folder whole that was not closed: back to the last checkpoint, and the journal's rows
//! again from there.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use heed::{Env, RwTxn, WithoutTls};

use super::{
    Checkpoint, State,
    checkpoint::{Root, Unreadable},
    disk, leave_flushing, pin,
    record::Rows,
    segment::{Place, Reading},
};
use crate::refusal::Fault;
use crate::store::{fault, fault::damaged, tables::Tables};

/// Rows are written in transactions of about this size.
const TRANSACTION_BYTES: usize = 8 << 20;

/// What a folder that is only read is.
pub(in crate::store) enum Settled {
    /// It can be read. Nobody begins to write it while this is held.
    Yes(Option<File>),
    /// Somebody must recover it first.
    No,
}

/// Whether a folder can be read as it is: it was closed, or is being served.
pub(in crate::store) fn settled(folder: &Path) -> io::Result<Result<Settled, Fault>> {
    let Some(file) = Checkpoint::open_existing(folder)? else {
        return Ok(Ok(Settled::Yes(None)));
    };
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(Ok(Settled::Yes(None))),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    Ok(match Checkpoint::read(file.try_clone()?)? {
        Err(Unreadable) => Err(unreadable()),
        Ok(Checkpoint { state: State::Open { .. }, .. }) => Ok(Settled::No),
        Ok(Checkpoint { state: State::Clean { .. }, .. }) => Ok(Settled::Yes(Some(file))),
    })
}

fn unreadable() -> Fault {
    damaged("neither slot of the file checkpoint can be read")
}

/// A folder on its way to being whole.
pub(in crate::store) struct Pending {
    folder: PathBuf,
    checkpoint: Checkpoint,
    /// Others have the file open, so its pages are those that the last writer left, and none of
    /// them may be taken from under them.
    is_shared: bool,
}

impl Pending {
    /// Looks at the checkpoint and, where the folder was not closed, puts LMDB's root page back.
    /// To be called before LMDB opens the file.
    pub(in crate::store) fn begin(folder: &Path) -> Result<Pending, Fault> {
        let opened = Checkpoint::open(folder).map_err(disk("opening the checkpoint"))?;
        let checkpoint = opened.map_err(|Unreadable| unreadable())?;
        let mut pending = Pending { folder: folder.to_owned(), checkpoint, is_shared: false };
        if let State::Open { root, .. } = &pending.checkpoint.state {
            let root = root.clone();
            pending.is_shared = !pending.restore(&root)?;
        }
        Ok(pending)
    }

    /// `false` where another process reads the file.
    fn restore(&self, root: &Root) -> Result<bool, Fault> {
        let doing = disk("recovering data.mdb");
        let open = |name: &str| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).open(self.folder.join(name))
        };
        // Whoever has LMDB's file open has a lock on this one.
        let others = match open("lock.mdb") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened.map_err(&doing)?),
        };
        if let Some(others) = &others {
            let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
            match rustix::fs::fcntl_lock(others, exclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => return Ok(false),
                Err(error) => return Err(doing(error.into())),
            }
        }
        let data = open("data.mdb").map_err(&doing)?;
        if root.restore(&data).map_err(&doing)? {
            return Ok(true);
        }
        Err(damaged("data.mdb is older than the checkpoint: it is not the file that belongs here"))
    }

    /// Writes the journal's rows again, and gives the checkpoint of a folder that is whole.
    pub(in crate::store) fn finish(
        mut self,
        env: &Env<WithoutTls>,
        tables: &Tables,
    ) -> Result<Checkpoint, Fault> {
        let State::Open { first_segment, snapshot, .. } = self.checkpoint.state else {
            return Ok(self.checkpoint);
        };
        let data = File::open(self.folder.join("data.mdb")).map_err(disk("opening data.mdb"))?;
        let newest = env.info().last_txn_id as u64;
        if newest < snapshot || newest > snapshot && !self.is_shared {
            return Err(damaged("data.mdb does not begin where the checkpoint says"));
        }
        let (pinned, root) = pin(env, &data, newest)?;
        if newest > snapshot {
            // Its pages are not those of the checkpoint's snapshot, which nobody holds any more.
            env.force_sync().map_err(fault::store("recovering data.mdb"))?;
            let state = State::Open { first_segment, snapshot: newest, root };
            self.checkpoint.write(state).map_err(disk("writing the checkpoint"))?;
        }
        let found = Found::of(&self.folder, first_segment, newest)?;
        leave_flushing(env, true)?;
        let replayed = replay(&self.folder, env, tables, newest, &found);
        leave_flushing(env, false)?;
        replayed?;
        drop(pinned);
        env.force_sync().map_err(fault::store("recovering data.mdb"))?;
        let state = State::Clean { next_segment: found.last_segment() + 1 };
        self.checkpoint.write(state).map_err(disk("writing the checkpoint"))?;
        let batches = found.last_batch.saturating_sub(newest);
        tracing::info!(batches, "the directory was not closed; its journal was replayed");
        Ok(self.checkpoint)
    }
}

/// How far the journal goes.
struct Found {
    /// Each segment, and where its last whole batch ends.
    segments: Vec<(u64, u64)>,
    last_batch: u64,
}

impl Found {
    fn of(folder: &Path, first_segment: u64, snapshot: u64) -> Result<Found, Fault> {
        let doing = disk("reading the journal");
        let mut found = Found { segments: Vec::new(), last_batch: snapshot };
        let Some(mut reading) = Reading::open(folder, first_segment).map_err(&doing)? else {
            return Err(damaged("the journal's first segment is missing"));
        };
        loop {
            let whole = found.measure(&mut reading)?;
            found.segments.push((reading.number, whole.at));
            // A segment is begun behind the last whole batch of the one before.
            match Reading::open(folder, reading.number + 1).map_err(&doing)? {
                Some(next) if next.before == whole.chain => reading = next,
                Some(_) => return Err(damaged("a part of the journal cannot be read")),
                None => return Ok(found),
            }
        }
    }

    /// Where the last whole batch of a segment ends.
    fn measure(&mut self, reading: &mut Reading) -> Result<Place, Fault> {
        let mut whole = reading.place;
        let mut expected = None;
        while let Some((head, _)) = reading.next().map_err(disk("reading the journal"))? {
            let fits = match expected {
                Some(expected) => (head.batch, head.piece) == expected,
                None => head.piece == 0,
            };
            if !fits {
                break;
            }
            if head.batch > self.last_batch + 1 {
                return Err(damaged("a batch is missing in the journal"));
            }
            expected = Some((head.batch, head.piece + 1));
            if head.is_last {
                self.last_batch = self.last_batch.max(head.batch);
                whole = reading.place;
                expected = None;
            }
        }
        Ok(whole)
    }

    fn last_segment(&self) -> u64 {
        self.segments.last().map_or(0, |(number, _)| *number)
    }
}

/// Writes the rows of all whole batches behind `snapshot` again.
fn replay(
    folder: &Path,
    env: &Env<WithoutTls>,
    tables: &Tables,
    snapshot: u64,
    found: &Found,
) -> Result<(), Fault> {
    let mut open: Option<RwTxn<'_>> = None;
    let mut bytes = 0;
    let commit = |open: &mut Option<RwTxn<'_>>| match open.take() {
        Some(txn) => txn.commit().map_err(fault::store("recovering data.mdb")),
        None => Ok(()),
    };
    for (number, end) in &found.segments {
        let reading = Reading::open(folder, *number).map_err(disk("reading the journal"))?;
        let mut reading = reading.ok_or_else(|| damaged("a segment of the journal is gone"))?;
        while reading.place.at < *end {
            let next = reading.next().map_err(disk("reading the journal"))?;
            let (head, rows) = next.ok_or_else(|| damaged("a batch of the journal is gone"))?;
            if head.batch <= snapshot {
                continue;
            }
            let txn = match &mut open {
                Some(txn) => txn,
                None => {
                    let begun = env.write_txn().map_err(fault::store("recovering data.mdb"))?;
                    open.insert(begun)
                }
            };
            write_rows(txn, tables, rows)?;
            bytes += rows.len();
            if head.is_last && bytes > TRANSACTION_BYTES {
                commit(&mut open)?;
                bytes = 0;
            }
        }
    }
    commit(&mut open)
}

fn write_rows(txn: &mut RwTxn<'_>, tables: &Tables, rows: &[u8]) -> Result<(), Fault> {
    let tables = tables.all();
    for row in Rows(rows) {
        let (number, key, value) = row.map_err(|()| damaged("a row of the journal is none"))?;
        let table = tables.get(usize::from(number));
        let table = table.ok_or_else(|| damaged("a row of the journal is in no table"))?;
        let written = match value {
            Some(value) => table.put(txn, key, value),
            None => table.delete(txn, key).map(drop),
        };
        written.map_err(fault::store("recovering data.mdb"))?;
    }
    Ok(())
}
