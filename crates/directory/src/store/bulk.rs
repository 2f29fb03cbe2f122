//! Filling an empty directory: every page is written once, in order, and full.

use std::collections::HashMap;

use super::{
    AttributeId, Batch, EntryId, PostingKey, Reader, Store,
    batch::{loose_name_key, node_value},
    block::{self, block_of},
    fault,
    fault::damaged,
    keys::{entry_key, link_key, loose_key},
    names::{cut_key, hash16},
    posting::{KeyBytes, row_key},
    runs::{IdSorter, RowSorter, Run, Scratch, merge},
    tables::{Table, Tables},
};
use crate::refusal::Fault;

/// How much memory the loader collects rows in, when nothing else is asked for.
pub const MEMORY_BYTES_MAX: usize = 256 << 20;

const NAMES: u8 = 0;
const LINKS: u8 = 1;
const BACKLINKS: u8 = 2;
const LOOSE: u8 = 3;
const LOOSE_NAMES: u8 = 4;

/// An entry's place in the tree.
#[derive(Clone, Copy, Debug)]
pub struct BulkNode<'a> {
    pub parent: EntryId,
    /// May be longer than what is kept of it.
    pub name_key: &'a [u8],
    pub rdn: &'a str,
}

/// What has been written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkTotals {
    pub entries: u64,
    pub posting_blocks: u64,
    /// Rows of names, links, backlinks and loose names.
    pub other_rows: u64,
    pub runs: usize,
}

/// Loads entries in the order of their ids. All of it is one transaction: dropped before the end,
/// the directory is as empty as it was.
pub struct BulkWriter<'s> {
    batch: Batch<'s>,
    tables: Tables,
    scratch: Scratch,
    rows: RowSorter,
    postings: IdSorter,
    children: HashMap<EntryId, u64>,
    posting_prefix: KeyBytes,
    totals: BulkTotals,
}

impl<'s> BulkWriter<'s> {
    /// Begins, in a directory without entries. `memory_bytes_max` bounds what is collected before
    /// it is sorted and put aside, into files without names in the data folder.
    pub fn begin(store: &'s Store, memory_bytes_max: usize) -> Result<BulkWriter<'s>, Fault> {
        let batch = store.batch()?;
        let tables = store.tables;
        for table in [tables.entries, tables.nodes, tables.names, tables.links, tables.postings] {
            let rows = table.len(batch.reader().txn).map_err(fault::store("beginning a load"))?;
            if rows != 0 {
                return Err(damaged("only an empty directory can be loaded into"));
            }
        }
        Ok(BulkWriter {
            batch,
            tables,
            scratch: Scratch::in_folder(&store.folder),
            rows: RowSorter::new(memory_bytes_max / 4),
            // The rest is for sorting, which needs the ids once more.
            postings: IdSorter::new(memory_bytes_max / 2),
            children: HashMap::new(),
            posting_prefix: KeyBytes::new(),
            totals: BulkTotals::default(),
        })
    }

    pub fn reader(&self) -> Reader<'_> {
        self.batch.reader()
    }

    pub fn attribute_id_or_new(&mut self, description: &str) -> Result<AttributeId, Fault> {
        self.batch.attribute_id_or_new(description)
    }

    /// The id that the next entry gets.
    pub fn next_id(&self) -> EntryId {
        self.batch.counters().next_entry
    }

    /// Writes the next entry. Its parent must have been written before it. Its postings (among
    /// them [`PostingKey::ALL`]), links and loose values are the caller's to add.
    pub fn add(&mut self, record: &[u8], node: &BulkNode<'_>) -> Result<EntryId, Fault> {
        let id = self.batch.next_entry_id()?;
        if node.parent >= id {
            return Err(damaged(format!("entry {} comes before its parent", id.0)));
        }
        let (key, tables) = (entry_key(id), self.tables);
        self.batch.append(tables.entries, &key, record, "loading entries")?;
        let value = node_value(node.parent, 0, node.name_key, node.rdn);
        self.batch.append(tables.nodes, &key, &value, "loading names")?;
        let name = [&entry_key(node.parent)[..], &cut_key(node.name_key)];
        self.rows.push(&self.scratch, NAMES, name, &id.0.to_le_bytes())?;
        if node.parent != EntryId::ROOT {
            *self.children.entry(node.parent).or_default() += 1;
        }
        self.totals.entries += 1;
        Ok(id)
    }

    /// Enters an entry in a posting. Ids come in ascending order; twice the same is once.
    pub fn posting(&mut self, key: &PostingKey<'_>, id: EntryId) -> Result<(), Fault> {
        self.posting_prefix.clear();
        key.push_prefix(&mut self.posting_prefix);
        self.postings.push(&self.scratch, &self.posting_prefix, id)
    }

    /// Links two entries; the other one may come later. Twice the same is a fault at the end.
    pub fn link(
        &mut self,
        from: EntryId,
        attribute: AttributeId,
        to: EntryId,
        text: &[u8],
    ) -> Result<(), Fault> {
        let (key, mirror) = (link_key(from, attribute, to), link_key(to, attribute, from));
        self.rows.push(&self.scratch, LINKS, [&key, &[]], text)?;
        self.rows.push(&self.scratch, BACKLINKS, [&mirror, &[]], &[])
    }

    /// Keeps a value whose name is no entry's.
    pub fn loose(
        &mut self,
        from: EntryId,
        attribute: AttributeId,
        reversed_name: &[u8],
        value: &[u8],
    ) -> Result<(), Fault> {
        let hash = hash16(reversed_name);
        let by_name = loose_name_key(reversed_name, from, attribute, &hash);
        let key = loose_key(from, attribute, &hash);
        self.rows.push(&self.scratch, LOOSE, [&key, &[]], value)?;
        self.rows.push(&self.scratch, LOOSE_NAMES, [&by_name, &[]], &[])
    }

    /// Sorts and writes what was collected. The caller adds the change record and its rows of
    /// `meta` to the batch, and commits it.
    pub fn finish(self) -> Result<(Batch<'s>, BulkTotals), Fault> {
        let BulkWriter { mut batch, tables, scratch, rows, postings, children, mut totals, .. } =
            self;
        let rows = rows.finish(&scratch)?;
        let postings = postings.finish(&scratch)?;
        totals.runs = rows.len() + postings.len();
        totals.other_rows = write_rows(&mut batch, &tables, rows)?;
        totals.posting_blocks = write_postings(&mut batch, tables.postings, postings)?;
        for (parent, count) in children {
            batch.set_children(parent, count)?;
        }
        batch.count_entries(totals.entries);
        Ok((batch, totals))
    }
}

fn write_rows(batch: &mut Batch<'_>, tables: &Tables, runs: Vec<Run>) -> Result<u64, Fault> {
    let mut rows = 0;
    let mut last = Vec::new();
    merge(runs, |tagged, value, _| {
        if last == tagged {
            return Err(twice(tagged));
        }
        last.clear();
        last.extend_from_slice(tagged);
        let (tag, key) = tagged.split_first().ok_or_else(|| damaged("a run has an empty key"))?;
        let table = match *tag {
            NAMES => tables.names,
            LINKS => tables.links,
            BACKLINKS => tables.backlinks,
            LOOSE => tables.loose,
            _ => tables.loose_names,
        };
        rows += 1;
        batch.append(table, key, value, "loading sorted rows")
    })?;
    Ok(rows)
}

fn twice(tagged: &[u8]) -> Fault {
    let what = match tagged.first() {
        Some(&NAMES) => "two entries have the same name",
        Some(&LINKS | &BACKLINKS) => "an entry has the same link twice",
        _ => "an entry has the same loose name twice",
    };
    damaged(format!("the load gave a row twice: {what}"))
}

/// The block that is being filled.
struct Filling<'b, 's> {
    batch: &'b mut Batch<'s>,
    table: Table,
    prefix: Vec<u8>,
    last: EntryId,
    number: u32,
    lows: Vec<u16>,
    value: Vec<u8>,
    blocks: u64,
}

fn write_postings(batch: &mut Batch<'_>, table: Table, runs: Vec<Run>) -> Result<u64, Fault> {
    let mut filling = Filling {
        batch,
        table,
        prefix: Vec::new(),
        last: EntryId::ROOT,
        number: 0,
        lows: Vec::new(),
        value: Vec::new(),
        blocks: 0,
    };
    merge(runs, |prefix, ids, base| {
        filling.begin(prefix)?;
        let ids = ids.as_chunks::<4>().0.iter().map(|id| u64::from(u32::from_le_bytes(*id)));
        ids.map(|id| EntryId(base.0 + id)).try_for_each(|id| filling.add(id))
    })?;
    filling.flush()?;
    Ok(filling.blocks)
}

impl Filling<'_, '_> {
    fn begin(&mut self, prefix: &[u8]) -> Result<(), Fault> {
        if self.prefix == prefix {
            return Ok(());
        }
        self.flush()?;
        self.prefix.clear();
        self.prefix.extend_from_slice(prefix);
        self.last = EntryId::ROOT;
        Ok(())
    }

    fn add(&mut self, id: EntryId) -> Result<(), Fault> {
        if id == self.last {
            return Ok(());
        }
        if id < self.last {
            return Err(damaged("postings came out of order"));
        }
        let (number, low) = block_of(id);
        if number != self.number {
            self.flush()?;
            self.number = number;
        }
        self.last = id;
        self.lows.push(low);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if self.lows.is_empty() {
            return Ok(());
        }
        self.value.clear();
        block::encode(&self.lows, &mut self.value);
        self.lows.clear();
        self.blocks += 1;
        let key = row_key(&self.prefix, self.number);
        self.batch.append(self.table, &key, &self.value, "loading an index")
    }
}

#[cfg(test)]
mod tests;
