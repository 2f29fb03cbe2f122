//! One file of the journal: a sector that says which segment it is, and records behind it.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::record::{Aligned, Head, Record, SECTOR_BYTES, checksum, u64_at};

const MAGIC: &[u8; 8] = b"chncryJ1";
/// Magic, number, the last checksum of the segment before, and a checksum over them.
const HEAD_BYTES: usize = 32;

/// The file in which a segment lies: two are used in turn.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(if number.is_multiple_of(2) { "journal.0" } else { "journal.1" })
}

/// Where the next record goes, and the checksum of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) chain: u64,
}

/// The segment that is written to.
pub(super) struct Segment {
    file: File,
    pub(super) number: u64,
    /// Behind the last batch that was committed.
    pub(super) kept: Place,
    /// Behind what is written of the present one.
    next: Place,
}

impl Segment {
    /// Begins a segment over whatever an older one left in its file. Its head is durable, and
    /// nothing of the older one fits behind it.
    pub(super) fn begin(folder: &Path, number: u64, chain: u64) -> io::Result<Segment> {
        let path = path(folder, number);
        let is_new = !path.exists();
        let mut head = Aligned::with_capacity(SECTOR_BYTES);
        head.extend(MAGIC);
        head.extend(&number.to_le_bytes());
        head.extend(&chain.to_le_bytes());
        let sum = checksum(0, head.bytes());
        head.extend(&sum.to_le_bytes());
        head.fill_sector();
        let mut file = open(&path)?;
        match file.write_all_at(head.bytes(), 0) {
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                file = open_plain(&path)?;
                file.write_all_at(head.bytes(), 0)?;
            }
            written => written?,
        }
        if is_new {
            File::open(folder)?.sync_all()?;
        }
        let kept = Place { at: SECTOR_BYTES as u64, chain: sum };
        Ok(Segment { file, number, kept, next: kept })
    }

    /// Goes back to where the last committed batch ends.
    pub(super) fn rewind(&mut self) {
        self.next = self.kept;
    }

    /// Writes a piece of a batch, durably.
    pub(super) fn append(
        &mut self,
        record: &mut Record,
        batch: u64,
        piece: u32,
        is_last: bool,
    ) -> io::Result<()> {
        let (bytes, chain) = record.seal(self.next.chain, batch, piece, is_last);
        self.file.write_all_at(bytes, self.next.at)?;
        self.next = Place { at: self.next.at + bytes.len() as u64, chain };
        Ok(())
    }

    /// What was appended is committed.
    pub(super) fn keep(&mut self) {
        self.kept = self.next;
    }

    /// Makes a batch that was written whole one that was not, durably.
    pub(super) fn take_back(&mut self) -> io::Result<()> {
        let mut zeros = Aligned::with_capacity(SECTOR_BYTES);
        zeros.extend(&[0; SECTOR_BYTES]);
        self.rewind();
        self.file.write_all_at(zeros.bytes(), self.kept.at)
    }
}

/// Every write is durable when it returns. Past the page cache where the file system can: that
/// takes half of the time, and the pages would be of no use.
fn open(path: &Path) -> io::Result<File> {
    match open_with(path, OFlags::DSYNC | OFlags::DIRECT) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => open_plain(path),
        opened => opened,
    }
}

fn open_plain(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::DSYNC)
}

fn open_with(path: &Path, flags: OFlags) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(flags.bits() as i32).open(path)
}

/// A segment that is read again: the records that fit, in order.
pub(super) struct Reading {
    file: File,
    length: u64,
    pub(super) number: u64,
    /// The last checksum of the segment before.
    pub(super) before: u64,
    pub(super) place: Place,
    bytes: Vec<u8>,
}

impl Reading {
    /// `None` where the file is not that segment.
    pub(super) fn open(folder: &Path, number: u64) -> io::Result<Option<Reading>> {
        let file = match File::open(path(folder, number)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        let mut head = [0; HEAD_BYTES];
        if length < SECTOR_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut head, 0)?;
        let chain = checksum(0, head.get(..24).unwrap_or_default());
        let fits = head.starts_with(MAGIC) && u64_at(&head, 24) == chain;
        if !fits || u64_at(&head, 8) != number {
            return Ok(None);
        }
        let (before, place) = (u64_at(&head, 16), Place { at: SECTOR_BYTES as u64, chain });
        Ok(Some(Reading { file, length, number, before, place, bytes: Vec::new() }))
    }

    /// The next record and its rows; `None` where none fits any more.
    pub(super) fn next(&mut self) -> io::Result<Option<(Head, &[u8])>> {
        let mut head = [0; Head::BYTES];
        if self.place.at + Head::BYTES as u64 > self.length {
            return Ok(None);
        }
        self.file.read_exact_at(&mut head, self.place.at)?;
        let decoded = Head::decode(&head);
        let record_bytes = Head::BYTES + decoded.rows_bytes as usize;
        if self.place.at + record_bytes as u64 > self.length {
            return Ok(None);
        }
        self.bytes.resize(record_bytes, 0);
        self.file.read_exact_at(&mut self.bytes, self.place.at)?;
        let Some(chain) = decoded.fits(self.place.chain, &self.bytes) else { return Ok(None) };
        self.place = Place { at: self.place.at + decoded.record_bytes(), chain };
        Ok(Some((decoded, self.bytes.get(Head::BYTES..).unwrap_or_default())))
    }
}
