//! From where the journal is replayed: the root page of a snapshot that is whole on the disk, and
//! the first segment behind it.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use super::record::{checksum, u32_at, u64_at};

const NAME: &str = "checkpoint";
const MAGIC: &[u8; 8] = b"chncryC1";
/// Two slots, written in turn: where one is cut short the other one is still there.
const SLOT_BYTES: u64 = 4096;
const ROOT_AT: usize = 40;
const SUM_AT: usize = ROOT_AT + Root::BYTES;

/// What of LMDB's root page is kept: all that LMDB writes of it, and more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root([u8; Root::BYTES]);

/// `MDB_page` and `MDB_meta` of LMDB 0.9 with 64 bits (mdb.c): a head of 16 bytes, then magic,
/// version, address, map size, two `MDB_db` of 48 bytes whose first word is the page size, the last
/// page, and the number of the transaction.
impl Root {
    const BYTES: usize = 256;
    const MAGIC_AT: usize = 16;
    const PAGE_BYTES_AT: usize = 40;
    const TRANSACTION_AT: usize = 144;
    const MAGIC: u32 = 0xBEEF_C0DE;

    /// The root page of this snapshot. Nobody commits meanwhile.
    pub(super) fn of(data: &File, snapshot: u64) -> io::Result<Root> {
        let first = Root::at(data, 0)?;
        let second = Root::at(data, u64::from(first.page_bytes()))?;
        let mut found = [first, second].into_iter().filter(|root| root.is_of(snapshot));
        found.next().ok_or_else(|| io::Error::other("no root page of the newest snapshot"))
    }

    fn at(data: &File, offset: u64) -> io::Result<Root> {
        let mut bytes = [0; Root::BYTES];
        data.read_exact_at(&mut bytes, offset)?;
        Ok(Root(bytes))
    }

    fn is_of(&self, snapshot: u64) -> bool {
        self.is_one() && self.transaction() == snapshot
    }

    fn is_one(&self) -> bool {
        u32_at(&self.0, Root::MAGIC_AT) == Root::MAGIC
    }

    fn transaction(&self) -> u64 {
        u64_at(&self.0, Root::TRANSACTION_AT)
    }

    fn page_bytes(&self) -> u32 {
        u32_at(&self.0, Root::PAGE_BYTES_AT)
    }

    /// Puts it into both of LMDB's root places, durably. `false` where what is there is older, so
    /// that this cannot be the file it was taken from.
    pub(super) fn restore(&self, data: &File) -> io::Result<bool> {
        let places = [0, u64::from(self.page_bytes())];
        let found = places.map(|place| Root::at(data, place));
        let newest = found.iter().flatten().filter(|root| root.is_one()).map(Root::transaction);
        let are_whole = found.iter().flatten().filter(|root| root.is_one()).count() == 2;
        if are_whole && newest.max() < Some(self.transaction()) {
            return Ok(false);
        }
        for (number, place) in (0u64..).zip(places) {
            let mut page = self.0;
            // The page's own number is what it begins with.
            page.iter_mut().zip(number.to_ne_bytes()).for_each(|(to, from)| *to = from);
            data.write_all_at(&page, place)?;
        }
        data.sync_all()?;
        Ok(true)
    }
}

/// What the folder was when the slot was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// `data.mdb` is whole by itself. The next segment has this number.
    Clean { next_segment: u64 },
    /// It is whole as of this snapshot; what came later is in the journal.
    Open { first_segment: u64, snapshot: u64, root: Box<Root> },
}

/// The file, held for as long as the folder is.
pub(in crate::store) struct Checkpoint {
    file: File,
    generation: u64,
    pub(super) state: State,
}

/// The slots of a file say nothing that fits.
pub(super) struct Unreadable;

impl Checkpoint {
    /// Opens the file, making it where it is missing. A folder that never had a journal is clean.
    pub(super) fn open(folder: &Path) -> io::Result<Result<Checkpoint, Unreadable>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        Checkpoint::read(options.open(folder.join(NAME))?)
    }

    /// The file of a folder that is only read; `None` where there is none.
    pub(super) fn open_existing(folder: &Path) -> io::Result<Option<File>> {
        match File::open(folder.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    pub(super) fn read(file: File) -> io::Result<Result<Checkpoint, Unreadable>> {
        let length = file.metadata()?.len();
        let mut newest: Option<(u64, State)> = None;
        for place in [0, SLOT_BYTES] {
            let mut slot = [0; SUM_AT + 8];
            if length < place + slot.len() as u64 {
                continue;
            }
            file.read_exact_at(&mut slot, place)?;
            let Some(found) = decode(&slot) else { continue };
            if newest.as_ref().is_none_or(|newest| newest.0 < found.0) {
                newest = Some(found);
            }
        }
        Ok(match newest {
            Some((generation, state)) => Ok(Checkpoint { file, generation, state }),
            // The very first write may have been cut short; nothing had been answered by then.
            None if length <= SLOT_BYTES => {
                let state = State::Clean { next_segment: 0 };
                Ok(Checkpoint { file, generation: 0, state })
            }
            None => Err(Unreadable),
        })
    }

    /// Says to others that the folder is served: they read what is there, and recover nothing.
    pub(in crate::store) fn hold(&self) -> io::Result<()> {
        self.file.lock()
    }

    /// Whether nothing was ever written.
    pub(super) fn is_new(&self) -> bool {
        self.generation == 0
    }

    /// Writes the slot that is not in force, durably; then it is.
    pub(super) fn write(&mut self, state: State) -> io::Result<()> {
        let generation = self.generation + 1;
        let mut slot = encode(generation, &state);
        let place = ((generation + 1) % 2) * SLOT_BYTES;
        slot.resize(SLOT_BYTES as usize, 0);
        self.file.write_all_at(&slot, place)?;
        self.file.sync_all()?;
        self.generation = generation;
        self.state = state;
        Ok(())
    }
}

fn encode(generation: u64, state: &State) -> Vec<u8> {
    let (is_open, segment, snapshot, root) = match state {
        State::Clean { next_segment } => (0u64, *next_segment, 0, &[0; Root::BYTES]),
        State::Open { first_segment, snapshot, root } => (1, *first_segment, *snapshot, &root.0),
    };
    let mut slot = MAGIC.to_vec();
    for number in [generation, is_open, segment, snapshot] {
        slot.extend_from_slice(&number.to_le_bytes());
    }
    slot.extend_from_slice(root);
    slot.extend_from_slice(&checksum(0, &slot).to_le_bytes());
    slot
}

fn decode(slot: &[u8; SUM_AT + 8]) -> Option<(u64, State)> {
    let (covered, _) = slot.split_at_checked(SUM_AT)?;
    if !slot.starts_with(MAGIC) || checksum(0, covered) != u64_at(slot, SUM_AT) {
        return None;
    }
    let (segment, snapshot) = (u64_at(slot, 24), u64_at(slot, 32));
    let state = match u64_at(slot, 16) {
        0 => State::Clean { next_segment: segment },
        _ => {
            let root = Root(*covered.get(ROOT_AT..)?.first_chunk()?);
            State::Open { first_segment: segment, snapshot, root: Box::new(root) }
        }
    };
    Some((u64_at(slot, 8), state))
}
