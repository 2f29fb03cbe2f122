//! Keys as bytes: integers big-endian, so that key order is number order.

use super::{AttributeId, CommitNumber, EntryId, fault::damaged};
use crate::refusal::Fault;

pub(super) fn entry_key(id: EntryId) -> [u8; 8] {
    id.0.to_be_bytes()
}

pub(super) fn attribute_key(id: AttributeId) -> [u8; 4] {
    id.0.to_be_bytes()
}

pub(super) fn commit_key(number: CommitNumber) -> [u8; 8] {
    number.0.to_be_bytes()
}

/// `from` and `attribute`: what the rows of `links`, `backlinks` and `loose` begin with.
pub(super) fn side_key(end: EntryId, attribute: AttributeId) -> [u8; 12] {
    let mut key = [0; 12];
    let (first, second) = key.split_at_mut(8);
    first.copy_from_slice(&end.0.to_be_bytes());
    second.copy_from_slice(&attribute.0.to_be_bytes());
    key
}

/// A row of `links` or `backlinks`.
pub(super) fn link_key(near: EntryId, attribute: AttributeId, far: EntryId) -> [u8; 20] {
    let mut key = [0; 20];
    let (first, second) = key.split_at_mut(12);
    first.copy_from_slice(&side_key(near, attribute));
    second.copy_from_slice(&far.0.to_be_bytes());
    key
}

pub(super) fn loose_key(from: EntryId, attribute: AttributeId, hash: &[u8; 16]) -> [u8; 28] {
    let mut key = [0; 28];
    let (first, second) = key.split_at_mut(12);
    first.copy_from_slice(&side_key(from, attribute));
    second.copy_from_slice(hash);
    key
}

/// Reads fixed-width numbers off the front of a key or a value.
pub(super) struct Fields<'t> {
    rest: &'t [u8],
    table: &'static str,
}

impl<'t> Fields<'t> {
    pub(super) fn new(bytes: &'t [u8], table: &'static str) -> Fields<'t> {
        Fields { rest: bytes, table }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<&'t [u8; N], Fault> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'t [u8], Fault> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn entry(&mut self) -> Result<EntryId, Fault> {
        self.array().map(|bytes| EntryId(u64::from_be_bytes(*bytes)))
    }

    pub(super) fn attribute(&mut self) -> Result<AttributeId, Fault> {
        self.array().map(|bytes| AttributeId(u32::from_be_bytes(*bytes)))
    }

    pub(super) fn commit(&mut self) -> Result<CommitNumber, Fault> {
        self.array().map(|bytes| CommitNumber(u64::from_be_bytes(*bytes)))
    }

    pub(super) fn u16_le(&mut self) -> Result<u16, Fault> {
        self.array().map(|bytes| u16::from_le_bytes(*bytes))
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, Fault> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    pub(super) fn u64_le(&mut self) -> Result<u64, Fault> {
        self.array().map(|bytes| u64::from_le_bytes(*bytes))
    }

    pub(super) fn rest(self) -> &'t [u8] {
        self.rest
    }

    /// What was read must have been all.
    pub(super) fn end(self) -> Result<(), Fault> {
        match self.rest {
            [] => Ok(()),
            _ => Err(damaged(format!("a row of {} has trailing bytes", self.table))),
        }
    }

    fn short(&self) -> Fault {
        damaged(format!("a row of {} is too short", self.table))
    }
}

pub(super) fn utf8<'t>(bytes: &'t [u8], table: &'static str) -> Result<&'t str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| damaged(format!("text in {table} is not UTF-8")))
}
