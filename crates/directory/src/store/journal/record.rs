//! The bytes of the journal's records: rows as a batch writes them, behind a checksum that takes in
//! the record before.
//!
//! A record begins on a sector of its own, so that writing it touches nothing that was flushed.

use std::hash::Hasher;

use super::super::folding::Folding;

pub(super) const SECTOR_BYTES: usize = 4096;
/// Checksum, batch number, length of the rows, and which piece of the batch this is.
const HEAD_BYTES: usize = 24;
const ROW_HEAD_BYTES: usize = 8;
/// Set in the number of the last piece.
const LAST: u32 = 1 << 31;
/// What a kept buffer may hold; larger ones are given back.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Bytes that lie where `O_DIRECT` wants them.
pub(super) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
}

impl Aligned {
    pub(super) fn with_capacity(capacity: usize) -> Aligned {
        let mut bytes: Vec<u8> = Vec::with_capacity(capacity + SECTOR_BYTES);
        let start = bytes.as_ptr().addr().wrapping_neg() % SECTOR_BYTES;
        bytes.resize(start, 0);
        Aligned { bytes, start }
    }

    pub(super) fn extend(&mut self, more: &[u8]) {
        self.reserve(more.len());
        self.bytes.extend_from_slice(more);
    }

    /// Zeros up to the end of the sector.
    pub(super) fn fill_sector(&mut self) {
        let missing = self.len().wrapping_neg() % SECTOR_BYTES;
        self.reserve(missing);
        self.bytes.resize(self.bytes.len() + missing, 0);
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(self.start + length);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    /// Where the vector would move, the bytes move to an aligned place of their own.
    fn reserve(&mut self, more: usize) {
        if self.bytes.len() + more > self.bytes.capacity() {
            let mut larger = Aligned::with_capacity((self.len() + more) * 2);
            larger.bytes.extend_from_slice(self.bytes());
            *self = larger;
        }
    }
}

/// Rows on their way into the journal.
pub(in crate::store) struct Record {
    bytes: Aligned,
    /// Of all pieces of the batch.
    rows: u64,
}

impl Record {
    pub(super) fn new() -> Record {
        let mut bytes = Aligned::with_capacity(16 * SECTOR_BYTES);
        bytes.extend(&[0; HEAD_BYTES]);
        Record { bytes, rows: 0 }
    }

    /// Notes a row that is written, or with `None` removed.
    pub(in crate::store) fn push(&mut self, table: u8, key: &[u8], value: Option<&[u8]>) {
        let value_bytes = value.map_or(0, <[u8]>::len) as u32;
        let key_bytes = (key.len() as u16).to_le_bytes();
        let [k0, k1] = key_bytes;
        let [v0, v1, v2, v3] = value_bytes.to_le_bytes();
        self.bytes.extend(&[table, u8::from(value.is_some()), k0, k1, v0, v1, v2, v3]);
        self.bytes.extend(key);
        self.bytes.extend(value.unwrap_or_default());
        self.rows += 1;
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.bytes.len() == HEAD_BYTES
    }

    pub(in crate::store) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Empties it, to be filled with the next piece.
    pub(super) fn clear(&mut self) {
        if self.bytes.len() > KEPT_BYTES_MAX {
            self.bytes = Record::new().bytes;
        }
        self.bytes.truncate(HEAD_BYTES);
    }

    /// How many rows the batch has had, which has ended.
    pub(super) fn take_rows(&mut self) -> u64 {
        std::mem::take(&mut self.rows)
    }

    /// The record as it is written, and its checksum.
    pub(super) fn seal(&mut self, chain: u64, batch: u64, piece: u32, last: bool) -> (&[u8], u64) {
        let rows_bytes = (self.bytes.len() - HEAD_BYTES) as u32;
        let piece = if last { piece | LAST } else { piece };
        let mut head = [0; HEAD_BYTES];
        let (batch, rows_bytes) = (batch.to_le_bytes(), rows_bytes.to_le_bytes());
        let parts = [&[0; 8][..], &batch, &rows_bytes, &piece.to_le_bytes()].concat();
        head.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        self.set_head(&head);
        let sum = checksum(chain, self.bytes.bytes().get(8..).unwrap_or_default());
        self.set_head(&sum.to_le_bytes());
        self.bytes.fill_sector();
        (self.bytes.bytes(), sum)
    }

    fn set_head(&mut self, head: &[u8]) {
        self.bytes.bytes_mut().iter_mut().zip(head).for_each(|(to, from)| *to = *from);
    }
}

pub(super) fn checksum(chain: u64, bytes: &[u8]) -> u64 {
    let mut folding = Folding::from(chain);
    folding.write(bytes);
    folding.finish()
}

/// What stands before the rows of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    checksum: u64,
    pub(super) batch: u64,
    pub(super) rows_bytes: u32,
    pub(super) piece: u32,
    pub(super) is_last: bool,
}

impl Head {
    pub(super) const BYTES: usize = HEAD_BYTES;

    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Head {
        let piece = u32_at(bytes, 20);
        Head {
            checksum: u64_at(bytes, 0),
            batch: u64_at(bytes, 8),
            rows_bytes: u32_at(bytes, 16),
            piece: piece & !LAST,
            is_last: piece & LAST != 0,
        }
    }

    /// What the record takes in its file.
    pub(super) fn record_bytes(&self) -> u64 {
        (u64::from(self.rows_bytes) + HEAD_BYTES as u64).next_multiple_of(SECTOR_BYTES as u64)
    }

    /// The checksum, if it is that of the record behind one whose checksum is `chain`.
    pub(super) fn fits(&self, chain: u64, record: &[u8]) -> Option<u64> {
        let sum = checksum(chain, record.get(8..)?);
        (sum == self.checksum).then_some(sum)
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    u32::from_le_bytes(found.copied().unwrap_or_default())
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    u64::from_le_bytes(found.copied().unwrap_or_default())
}

/// A row of a record: its table's number, its key, and its value unless it was removed.
pub(super) type JournalRow<'b> = (u8, &'b [u8], Option<&'b [u8]>);

/// The rows of a record; `Err` where the bytes are none.
pub(super) struct Rows<'b>(pub(super) &'b [u8]);

impl<'b> Iterator for Rows<'b> {
    type Item = Result<JournalRow<'b>, ()>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let row = split_row(self.0);
        self.0 = row.map_or(&[], |(_, rest)| rest);
        Some(row.map(|(row, _)| row).ok_or(()))
    }
}

fn split_row(bytes: &[u8]) -> Option<(JournalRow<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<ROW_HEAD_BYTES>()?;
    let [table, has_value, k0, k1, v0, v1, v2, v3] = *head;
    let key_bytes = usize::from(u16::from_le_bytes([k0, k1]));
    let value_bytes = u32::from_le_bytes([v0, v1, v2, v3]) as usize;
    let (key, rest) = rest.split_at_checked(key_bytes)?;
    let (value, rest) = rest.split_at_checked(value_bytes)?;
    Some(((table, key, (has_value != 0).then_some(value)), rest))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn row() -> impl Strategy<Value = (u8, Vec<u8>, Option<Vec<u8>>)> {
        (0u8..11, vec(any::<u8>(), 1..9), option::of(vec(any::<u8>(), 0..5000)))
    }

    proptest! {
        #[test]
        fn rows_come_back(
            rows in vec(row(), 1..20),
            chain in any::<u64>(),
            piece in 0u32..9,
            is_last in any::<bool>(),
        ) {
            let mut record = Record::new();
            for (table, key, value) in &rows {
                record.push(*table, key, value.as_deref());
            }
            let (bytes, sum) = record.seal(chain, 77, piece, is_last);
            prop_assert_eq!(bytes.len() % SECTOR_BYTES, 0);
            prop_assert_eq!(bytes.as_ptr().addr() % SECTOR_BYTES, 0);
            let head = Head::decode(bytes.first_chunk().unwrap());
            prop_assert_eq!((head.batch, head.piece, head.is_last), (77, piece, is_last));
            prop_assert_eq!(head.record_bytes(), bytes.len() as u64);
            let whole = &bytes[..HEAD_BYTES + head.rows_bytes as usize];
            prop_assert_eq!(head.fits(chain, whole), Some(sum));
            prop_assert_eq!(head.fits(chain ^ 1, whole), None);
            let found: Result<Vec<_>, ()> = Rows(&whole[HEAD_BYTES..]).collect();
            let expected: Vec<_> =
                rows.iter().map(|(t, k, v)| (*t, k.as_slice(), v.as_deref())).collect();
            prop_assert_eq!(found.unwrap(), expected);
            prop_assert_eq!(record.take_rows(), rows.len() as u64);
        }

        #[test]
        fn bytes_that_are_no_rows_are_refused(bytes in vec(any::<u8>(), 0..200)) {
            let rows: Vec<_> = Rows(&bytes).collect();
            let is_whole = rows.iter().all(Result::is_ok);
            prop_assert!(rows.len() <= bytes.len() / ROW_HEAD_BYTES + 1);
            prop_assert!(is_whole || rows.iter().filter(|row| row.is_err()).count() == 1);
        }
    }
}
