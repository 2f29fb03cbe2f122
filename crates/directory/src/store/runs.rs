//! Sorted runs in nameless temporary files, and merging them: sorting more than fits in memory.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    fs::{self, File, OpenOptions},
    hash::BuildHasherDefault,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{EntryId, fault, fault::damaged, folding::Folding};
use crate::refusal::Fault;

/// Read and written at once per run.
const BUFFER_BYTES: usize = 256 * 1024;
/// What a row costs beside its bytes.
const ROW_COST: usize = size_of::<Place>();
/// What a posting costs, and a key that was not there yet: its box, its place in the map.
const PAIR_COST: usize = size_of::<(u32, u32)>();
const KEY_COST: usize = 64;

/// A sorted run: rows of `u16` key length, `u32` value length, key, value.
pub(super) struct Run {
    file: File,
    /// What the values' numbers are counted from; only of postings.
    pub(super) base: EntryId,
}

/// Makes files that vanish with the process.
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub(super) fn in_folder(folder: &Path) -> Scratch {
        Scratch { path: folder.join("bulk.tmp") }
    }

    fn file(&self) -> Result<File, Fault> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let opened = options.open(&self.path).and_then(|file| {
            fs::remove_file(&self.path)?;
            Ok(file)
        });
        opened.map_err(disk("making a temporary file"))
    }

    fn run(
        &self,
        base: EntryId,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<Run, Fault> {
        let mut file = self.file()?;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, &file);
        let written = write(&mut out).and_then(|()| out.flush());
        drop(out);
        let rewound = written.and_then(|()| file.rewind());
        rewound.map_err(disk("writing a temporary file"))?;
        Ok(Run { file, base })
    }
}

fn disk(doing: &'static str) -> impl Fn(io::Error) -> Fault {
    move |source| match source {
        error if fault::is_no_room(&error) => Fault::Full,
        source => Fault::Disk { doing: doing.into(), source },
    }
}

fn write_row(out: &mut impl Write, key: &[u8], value_bytes: usize) -> io::Result<()> {
    let too_long = |_| io::Error::other("a row is too long to be sorted");
    out.write_all(&u16::try_from(key.len()).map_err(too_long)?.to_le_bytes())?;
    out.write_all(&u32::try_from(value_bytes).map_err(too_long)?.to_le_bytes())?;
    out.write_all(key)
}

/// Where a row's bytes are: the value is right behind the key.
struct Place {
    start: usize,
    key_bytes: u32,
    value_bytes: u32,
}

impl Place {
    fn key<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.start..).and_then(|b| b.get(..self.key_bytes as usize)).unwrap_or_default()
    }

    fn value<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let start = self.start + self.key_bytes as usize;
        bytes.get(start..start + self.value_bytes as usize).unwrap_or_default()
    }
}

/// Collects rows and writes them out as sorted runs.
pub(super) struct RowSorter {
    bytes: Vec<u8>,
    rows: Vec<Place>,
    memory_bytes_max: usize,
    runs: Vec<Run>,
}

impl RowSorter {
    pub(super) fn new(memory_bytes_max: usize) -> RowSorter {
        RowSorter { bytes: Vec::new(), rows: Vec::new(), memory_bytes_max, runs: Vec::new() }
    }

    /// The key is `tag` and `parts`, one behind the other.
    pub(super) fn push(
        &mut self,
        scratch: &Scratch,
        tag: u8,
        parts: [&[u8]; 2],
        value: &[u8],
    ) -> Result<(), Fault> {
        let start = self.bytes.len();
        self.bytes.push(tag);
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        let key_bytes = (self.bytes.len() - start) as u32;
        self.bytes.extend_from_slice(value);
        self.rows.push(Place { start, key_bytes, value_bytes: value.len() as u32 });
        if self.bytes.len() + self.rows.len() * ROW_COST >= self.memory_bytes_max {
            self.spill(scratch)?;
        }
        Ok(())
    }

    fn spill(&mut self, scratch: &Scratch) -> Result<(), Fault> {
        let bytes = &self.bytes;
        self.rows.sort_unstable_by(|a, b| a.key(bytes).cmp(b.key(bytes)));
        let rows = &self.rows;
        let run = scratch.run(EntryId::ROOT, |out| {
            rows.iter().try_for_each(|row| {
                write_row(out, row.key(bytes), row.value_bytes as usize)?;
                out.write_all(row.value(bytes))
            })
        })?;
        self.runs.push(run);
        self.bytes.clear();
        self.rows.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, scratch: &Scratch) -> Result<Vec<Run>, Fault> {
        if !self.rows.is_empty() {
            self.spill(scratch)?;
        }
        Ok(self.runs)
    }
}

/// Collects the ids of many keys and writes them out as runs sorted by key. Of one key, the ids
/// keep the order in which they came.
pub(super) struct IdSorter {
    slots: HashMap<Box<[u8]>, u32, BuildHasherDefault<Folding>>,
    /// In the order they came: the key's slot, and the id counted from `base`.
    pairs: Vec<(u32, u32)>,
    base: EntryId,
    key_bytes: usize,
    memory_bytes_max: usize,
    runs: Vec<Run>,
}

impl IdSorter {
    pub(super) fn new(memory_bytes_max: usize) -> IdSorter {
        IdSorter {
            slots: HashMap::default(),
            pairs: Vec::new(),
            base: EntryId::ROOT,
            key_bytes: 0,
            memory_bytes_max,
            runs: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, scratch: &Scratch, key: &[u8], id: EntryId) -> Result<(), Fault> {
        if self.pairs.is_empty() {
            self.base = id;
        }
        let from_base = id.0.checked_sub(self.base.0).and_then(|id| u32::try_from(id).ok());
        let from_base = from_base.ok_or_else(|| damaged("postings came out of order"))?;
        let slot = match self.slots.get(key) {
            Some(&slot) => slot,
            None => self.new_slot(key),
        };
        self.pairs.push((slot, from_base));
        if self.pairs.len() * PAIR_COST + self.key_bytes >= self.memory_bytes_max {
            self.spill(scratch)?;
        }
        Ok(())
    }

    fn new_slot(&mut self, key: &[u8]) -> u32 {
        let slot = self.slots.len() as u32;
        self.slots.insert(key.into(), slot);
        self.key_bytes += key.len() + KEY_COST;
        slot
    }

    /// Orders the pairs by slot by counting, which keeps the order within a slot, and the keys by
    /// comparing, of which there are far fewer.
    fn spill(&mut self, scratch: &Scratch) -> Result<(), Fault> {
        let mut ends = vec![0usize; self.slots.len() + 1];
        let mut ids = vec![0u32; self.pairs.len()];
        count_slots(&self.pairs, &mut ends);
        place_ids(&self.pairs, &mut ends, &mut ids);
        self.pairs.clear();
        self.key_bytes = 0;
        let mut keys: Vec<(Box<[u8]>, u32)> = self.slots.drain().collect();
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let run = scratch.run(self.base, |out| {
            keys.iter().try_for_each(|(key, slot)| {
                let ids = slot_ids(&ids, &ends, *slot as usize);
                write_row(out, key, size_of_val(ids))?;
                ids.iter().try_for_each(|id| out.write_all(&id.to_le_bytes()))
            })
        })?;
        self.runs.push(run);
        Ok(())
    }

    pub(super) fn finish(mut self, scratch: &Scratch) -> Result<Vec<Run>, Fault> {
        if !self.pairs.is_empty() {
            self.spill(scratch)?;
        }
        Ok(self.runs)
    }
}

/// Where each slot's ids begin.
fn count_slots(pairs: &[(u32, u32)], begins: &mut [usize]) {
    for (slot, _) in pairs {
        if let Some(count) = begins.get_mut(*slot as usize + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for begin in begins {
        sum += *begin;
        *begin = sum;
    }
}

/// Puts each id behind those of its slot; afterwards `begins` has where each slot ends.
fn place_ids(pairs: &[(u32, u32)], begins: &mut [usize], ids: &mut [u32]) {
    for (slot, id) in pairs {
        let Some(at) = begins.get_mut(*slot as usize) else { continue };
        if let Some(place) = ids.get_mut(*at) {
            *place = *id;
        }
        *at += 1;
    }
}

fn slot_ids<'i>(ids: &'i [u32], ends: &[usize], slot: usize) -> &'i [u32] {
    let begin = slot.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    ends.get(slot).and_then(|&end| ids.get(begin..end)).unwrap_or_default()
}

/// A run that is being read: its present row.
struct Head {
    input: BufReader<File>,
    key: Vec<u8>,
    value: Vec<u8>,
    base: EntryId,
}

impl Head {
    /// Reads the next row; `false` behind the last one.
    fn advance(&mut self) -> io::Result<bool> {
        let mut lengths = [0; 6];
        match self.input.read_exact(&mut lengths) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        let [k0, k1, v0, v1, v2, v3] = lengths;
        self.key.resize(usize::from(u16::from_le_bytes([k0, k1])), 0);
        self.input.read_exact(&mut self.key)?;
        self.value.resize(u32::from_le_bytes([v0, v1, v2, v3]) as usize, 0);
        self.input.read_exact(&mut self.value)?;
        Ok(true)
    }
}

/// Calls `each` with the rows of all runs in order of their keys; rows with the same key in the
/// order of their runs. Gets the key, the value and the run's base.
pub(super) fn merge(
    runs: Vec<Run>,
    mut each: impl FnMut(&[u8], &[u8], EntryId) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut heads = Vec::new();
    let mut queue = BinaryHeap::new();
    for run in runs {
        let input = BufReader::with_capacity(BUFFER_BYTES, run.file);
        let mut head = Head { input, key: Vec::new(), value: Vec::new(), base: run.base };
        if head.advance().map_err(disk("reading a temporary file"))? {
            queue.push(Reverse((head.key.clone(), heads.len())));
        }
        heads.push(head);
    }
    while let Some(Reverse((mut key, index))) = queue.pop() {
        let Some(head) = heads.get_mut(index) else { continue };
        each(&head.key, &head.value, head.base)?;
        if head.advance().map_err(disk("reading a temporary file"))? {
            key.clone_from(&head.key);
            queue.push(Reverse((key, index)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn rows_come_back_in_order(
            rows in proptest::collection::btree_map(
                vec(any::<u8>(), 0..6),
                vec(any::<u8>(), 0..6),
                0..80,
            ),
            memory in 1usize..2000,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let scratch = Scratch::in_folder(folder.path());
            let mut sorter = RowSorter::new(memory);
            for (key, value) in rows.iter().rev() {
                let (head, tail) = key.split_at(key.len() / 2);
                sorter.push(&scratch, 7, [head, tail], value).unwrap();
            }
            let mut merged = Vec::new();
            merge(sorter.finish(&scratch).unwrap(), |key, value, _| {
                merged.push((key[1..].to_vec(), value.to_vec()));
                Ok(())
            })
            .unwrap();
            prop_assert_eq!(merged, Vec::from_iter(rows));
            prop_assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        }

        #[test]
        fn ids_come_back_by_key(keys in vec(vec(0u8..4, 0..3), 0..300), memory in 1usize..3000) {
            let folder = tempfile::tempdir().unwrap();
            let scratch = Scratch::in_folder(folder.path());
            let mut sorter = IdSorter::new(memory);
            let mut model: BTreeMap<&[u8], Vec<u64>> = BTreeMap::new();
            for (id, key) in (100u64..).zip(&keys) {
                sorter.push(&scratch, key, EntryId(id)).unwrap();
                model.entry(key).or_default().push(id);
            }
            let mut merged: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
            let mut last = Vec::new();
            merge(sorter.finish(&scratch).unwrap(), |key, value, base| {
                assert!(last.as_slice() <= key);
                last = key.to_vec();
                let ids = value.as_chunks::<4>().0.iter().map(|id| u32::from_le_bytes(*id));
                let ids = ids.map(|id| base.0 + u64::from(id));
                merged.entry(key.to_vec()).or_default().extend(ids);
                Ok(())
            })
            .unwrap();
            let merged = merged.iter().map(|(key, ids)| (&key[..], ids));
            prop_assert!(merged.eq(model.iter().map(|(key, ids)| (*key, ids))));
        }
    }
}
