//! Everything that can be written, in one transaction that commits wholly or not at all.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use heed::{Env, PutFlags, RwTxn, WithoutTls};

use super::{
    AttributeId, CommitNumber, Counters, Dictionary, EntryId, PostingKey, Reader, Store,
    block::{self, Changed, Without, block_of},
    fault,
    fault::damaged,
    journal::{Journal, PIECE_BYTES, Record},
    keys::{attribute_key, commit_key, entry_key, link_key, loose_key},
    names,
    open::FORMAT,
    pending::PendingPostings,
    posting::row_key,
    reader::names_key,
    tables::{Table, Tables, present},
    versions::{Touched, TransactionNumber},
};
use crate::refusal::Fault;

/// Ids beyond this have no posting block.
const ENTRY_ID_MAX: u64 = (1 << (32 + block::BLOCK_SHIFT)) - 1;

/// The write transaction. Dropped without [`Batch::commit`], nothing of it remains.
pub struct Batch<'s> {
    txn: RwTxn<'s>,
    store: &'s Store,
    dictionary: Arc<Dictionary>,
    before: Counters,
    counters: Counters,
    touched: Touched,
    pending: PendingPostings,
    journaled: Option<Journaled<'s>>,
}

/// What the journal gets of a batch.
struct Journaled<'s> {
    journal: &'s Journal,
    record: Record,
    /// Pieces that are written already.
    pieces: u32,
}

impl<'s> Batch<'s> {
    pub(super) fn begin(store: &'s Store) -> Result<Batch<'s>, Fault> {
        let txn = store.env.write_txn().map_err(fault::store("beginning to write"))?;
        let counters = Counters::read(&txn, &store.tables)?;
        let dictionary = store.dictionary.load_full();
        let (touched, pending) = (Touched::default(), PendingPostings::default());
        let journaled = store.journal.as_ref().and_then(|journal| {
            journal.record().map(|record| Journaled { journal, record, pieces: 0 })
        });
        let before = counters;
        Ok(Batch { txn, store, dictionary, before, counters, touched, pending, journaled })
    }

    /// Everything that can be read, with what this batch has written.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            txn: &self.txn,
            tables: &self.store.tables,
            dictionary: &self.dictionary,
            versions: &self.store.versions,
            pending: Some(self.counters),
        }
    }

    /// A number for a new entry, never given out before.
    pub fn next_entry_id(&mut self) -> Result<EntryId, Fault> {
        let id = self.counters.next_entry;
        if id.0 > ENTRY_ID_MAX {
            return Err(Fault::Full);
        }
        self.counters.next_entry = EntryId(id.0 + 1);
        Ok(id)
    }

    /// Writes an entry record, over the one there may be, and counts a new one.
    pub fn put_entry(&mut self, id: EntryId, record: &[u8]) -> Result<(), Fault> {
        let table = self.tables().entries;
        if self.reader().row(table, &entry_key(id), "reading an entry")?.is_none() {
            self.counters.entry_count += 1;
        }
        self.put(table, &entry_key(id), record, "writing an entry")
    }

    /// Writes the record of a new entry, behind all others.
    pub fn insert_entry(&mut self, id: EntryId, record: &[u8]) -> Result<(), Fault> {
        self.append(self.tables().entries, &entry_key(id), record, "writing an entry")?;
        self.counters.entry_count += 1;
        Ok(())
    }

    /// Writes the record of an entry that is known to have one.
    pub fn replace_entry(&mut self, id: EntryId, record: &[u8]) -> Result<(), Fault> {
        self.put(self.tables().entries, &entry_key(id), record, "writing an entry")
    }

    /// Removes an entry record. Its names, links and postings are removed by their own functions.
    pub fn delete_entry(&mut self, id: EntryId) -> Result<bool, Fault> {
        let was = self.delete(self.tables().entries, &entry_key(id), "deleting an entry")?;
        self.counters.entry_count = self.counters.entry_count.saturating_sub(u64::from(was));
        Ok(was)
    }

    /// Gives an entry its place below `parent`, which must be free.
    pub fn insert_node(
        &mut self,
        id: EntryId,
        parent: EntryId,
        name_key: &[u8],
        rdn: &str,
    ) -> Result<(), Fault> {
        self.claim_name(id, parent, name_key)?;
        let node = node_value(parent, 0, name_key, rdn);
        self.put(self.tables().nodes, &entry_key(id), &node, "writing a name")?;
        self.count_child(parent, true)
    }

    /// Takes an entry's place away. It must have no children.
    pub fn remove_node(&mut self, id: EntryId) -> Result<(), Fault> {
        let (parent, children, old_key) = self.node_place(id)?;
        if children != 0 {
            return Err(damaged(format!("entry {} has children and cannot go", id.0)));
        }
        let tables = *self.tables();
        self.delete(tables.names, &old_key, "removing a name")?;
        self.delete(tables.nodes, &entry_key(id), "removing a name")?;
        self.count_child(parent, false)
    }

    /// Gives an entry another name, another parent, or both. Nothing below it changes.
    pub fn move_node(
        &mut self,
        id: EntryId,
        new_parent: EntryId,
        new_name_key: &[u8],
        new_rdn: &str,
    ) -> Result<(), Fault> {
        self.touched.moved = true;
        let (parent, children, old_key) = self.node_place(id)?;
        self.delete(self.tables().names, &old_key, "removing a name")?;
        self.claim_name(id, new_parent, new_name_key)?;
        let node = node_value(new_parent, children, new_name_key, new_rdn);
        self.put(self.tables().nodes, &entry_key(id), &node, "writing a name")?;
        if parent != new_parent {
            self.count_child(parent, false)?;
            self.count_child(new_parent, true)?;
        }
        Ok(())
    }

    /// Adds a link, or gives the one there is another text. Whether it was new.
    pub fn link(
        &mut self,
        from: EntryId,
        attribute: AttributeId,
        to: EntryId,
        text: &[u8],
    ) -> Result<bool, Fault> {
        self.touched.links.insert(from);
        let new = !self.reader().has_link(from, attribute, to)?;
        let tables = *self.tables();
        self.put(tables.links, &link_key(from, attribute, to), text, "writing a link")?;
        if new {
            let mirror = link_key(to, attribute, from);
            self.put(tables.backlinks, &mirror, &[], "writing a link")?;
        }
        Ok(new)
    }

    /// Removes a link. Whether there was one.
    pub fn unlink(
        &mut self,
        from: EntryId,
        attribute: AttributeId,
        to: EntryId,
    ) -> Result<bool, Fault> {
        self.touched.links.insert(from);
        let tables = *self.tables();
        let was = self.delete(tables.links, &link_key(from, attribute, to), "removing a link")?;
        if was {
            self.delete(tables.backlinks, &link_key(to, attribute, from), "removing a link")?;
        }
        Ok(was)
    }

    /// Keeps a value whose name is no entry's. Whether it was new.
    pub fn add_loose(
        &mut self,
        from: EntryId,
        attribute: AttributeId,
        reversed_name: &[u8],
        value: &[u8],
    ) -> Result<bool, Fault> {
        self.touched.links.insert(from);
        let hash = names::hash16(reversed_name);
        let new = self.reader().loose_value(from, attribute, &hash)?.is_none();
        let tables = *self.tables();
        let doing = "writing a loose name";
        self.put(tables.loose, &loose_key(from, attribute, &hash), value, doing)?;
        let by_name = loose_name_key(reversed_name, from, attribute, &hash);
        self.put(tables.loose_names, &by_name, &[], doing)?;
        Ok(new)
    }

    /// Removes a loose value. Whether there was one.
    pub fn remove_loose(
        &mut self,
        from: EntryId,
        attribute: AttributeId,
        reversed_name: &[u8],
    ) -> Result<bool, Fault> {
        self.touched.links.insert(from);
        let hash = names::hash16(reversed_name);
        let tables = *self.tables();
        let doing = "removing a loose name";
        let was = self.delete(tables.loose, &loose_key(from, attribute, &hash), doing)?;
        let by_name = loose_name_key(reversed_name, from, attribute, &hash);
        self.delete(tables.loose_names, &by_name, doing)?;
        Ok(was)
    }

    /// Adds an entry to a posting. Whether it was new.
    pub fn posting_add(&mut self, key: &PostingKey<'_>, id: EntryId) -> Result<bool, Fault> {
        let (number, low) = block_of(id);
        let row = row_key(&key.prefix(), number);
        let table = self.tables().postings;
        let old = self.reader().row(table, &row, "reading an index")?;
        match block::with(old, low)? {
            Some(new) => self.put(table, &row, &new, "writing an index").map(|()| true),
            None => Ok(false),
        }
    }

    /// Takes an entry out of a posting. Whether it was there.
    pub fn posting_remove(&mut self, key: &PostingKey<'_>, id: EntryId) -> Result<bool, Fault> {
        let (number, low) = block_of(id);
        let row = row_key(&key.prefix(), number);
        let table = self.tables().postings;
        let Some(old) = self.reader().row(table, &row, "reading an index")? else {
            return Ok(false);
        };
        match block::without(old, low)? {
            Without::Unchanged => Ok(false),
            Without::Empty => self.delete(table, &row, "writing an index"),
            Without::Left(left) => self.put(table, &row, &left, "writing an index").map(|()| true),
        }
    }

    /// Adds an entry to a posting when the batch commits; until then its reader does not know.
    pub fn posting_add_later(&mut self, key: &PostingKey<'_>, id: EntryId) -> Result<(), Fault> {
        self.posting_later(key, id, true)
    }

    /// Takes an entry out of a posting when the batch commits.
    pub fn posting_remove_later(&mut self, key: &PostingKey<'_>, id: EntryId) -> Result<(), Fault> {
        self.posting_later(key, id, false)
    }

    fn posting_later(
        &mut self,
        key: &PostingKey<'_>,
        id: EntryId,
        comes: bool,
    ) -> Result<(), Fault> {
        self.pending.push(key, id, comes);
        if self.pending.is_full() { self.write_postings() } else { Ok(()) }
    }

    /// Writes what waits, each row once.
    fn write_postings(&mut self) -> Result<(), Fault> {
        let table = self.tables().postings;
        for (row, members) in self.pending.take() {
            let old = self.reader().row(table, &row, "reading an index")?;
            match block::changed(old, &members)? {
                Changed::Unchanged => {}
                Changed::Empty => {
                    self.delete(table, &row, "writing an index")?;
                }
                Changed::To(new) => self.put(table, &row, &new, "writing an index")?,
            }
        }
        Ok(())
    }

    /// Removes up to `rows_max` rows of an index that is no longer wanted. Whether none is left.
    pub fn drop_postings(
        &mut self,
        kind: super::IndexKind,
        attribute: AttributeId,
        rows_max: usize,
    ) -> Result<bool, Fault> {
        let prefix = [&[kind.letter()][..], &attribute.0.to_be_bytes()].concat();
        let table = self.tables().postings;
        let keys = self
            .reader()
            .prefix(table, &prefix, "dropping an index")?
            .take(rows_max)
            .map(|row| row.map(|(key, _)| key.to_vec()))
            .collect::<Result<Vec<_>, _>>()?;
        for key in &keys {
            self.delete(table, key, "dropping an index")?;
        }
        Ok(keys.len() < rows_max)
    }

    /// The number of a description (options sorted), which gets one now if it has none.
    pub fn attribute_id_or_new(&mut self, description: &str) -> Result<AttributeId, Fault> {
        if let Some(id) = self.dictionary.id(&description.to_ascii_lowercase()) {
            return Ok(id);
        }
        let id = self.counters.next_attribute;
        let next = id.0.checked_add(1).ok_or(Fault::Full)?;
        let table = self.tables().attributes;
        self.put(table, &attribute_key(id), description.as_bytes(), "naming an attribute")?;
        if Arc::make_mut(&mut self.dictionary).push(description) != id {
            return Err(damaged("the attribute dictionary and its counter disagree"));
        }
        self.counters.next_attribute = AttributeId(next);
        Ok(id)
    }

    /// Writes the next change record.
    pub fn append_change(&mut self, record: &[u8]) -> Result<CommitNumber, Fault> {
        let number = self.counters.next_commit;
        self.append(self.tables().changes, &commit_key(number), record, "writing a change")?;
        self.counters.next_commit = CommitNumber(number.0 + 1);
        Ok(number)
    }

    /// Removes change records in front of `before`, at most `rows_max` of them. How many.
    pub fn trim_changes(&mut self, before: CommitNumber, rows_max: u64) -> Result<u64, Fault> {
        let first = self.counters.first_commit.0;
        let end = before.0.min(self.counters.next_commit.0).min(first.saturating_add(rows_max));
        for number in first..end {
            let key = commit_key(CommitNumber(number));
            self.delete(self.tables().changes, &key, "trimming changes")?;
        }
        self.counters.first_commit = CommitNumber(first.max(end));
        Ok(end.saturating_sub(first))
    }

    /// Writes a row of `meta` that is not one of the counters.
    pub fn put_meta(&mut self, name: &str, value: &[u8]) -> Result<(), Fault> {
        self.put(self.tables().meta, name.as_bytes(), value, "writing settings")
    }

    /// Makes everything durable, then visible. After a fault of kind `Store` nobody knows what is
    /// on the disk: the caller accepts no more writes. After `Full` nothing has changed.
    pub fn commit(mut self) -> Result<(), Fault> {
        self.write_postings()?;
        self.put_counters()?;
        self.store.versions.note(self.txn.id() as TransactionNumber, &self.touched);
        let known = self.store.dictionary.load_full();
        // Published first: whoever sees the new rows must know the numbers in them.
        self.store.dictionary.store(Arc::clone(&self.dictionary));
        let committed = commit(self.txn, self.journaled, &self.store.folder);
        if committed.is_err() {
            self.store.dictionary.store(known);
        }
        // Failed or not: whoever reads next looks for itself.
        self.store.commits.fetch_add(1, Ordering::SeqCst);
        committed
    }

    /// Gives everything up; the same as dropping it.
    pub fn abort(self) {}

    fn put_counters(&mut self) -> Result<(), Fault> {
        let meta = self.tables().meta;
        let (before, now) = (counter_rows(&self.before), counter_rows(&self.counters));
        for (row, _) in now.iter().zip(&before).filter(|(now, before)| now != before) {
            let (name, value, bytes) = row;
            let value = value.get(..*bytes).unwrap_or_default();
            self.put(meta, name, value, "writing settings")?;
        }
        Ok(())
    }

    fn claim_name(&mut self, id: EntryId, parent: EntryId, name_key: &[u8]) -> Result<(), Fault> {
        let key = names_key(parent, name_key);
        if self.reader().row(self.tables().names, &key, "looking up a name")?.is_some() {
            return Err(damaged(format!("the name of entry {} is another one's", id.0)));
        }
        self.put(self.tables().names, &key, &id.0.to_le_bytes(), "writing a name")
    }

    /// A node's parent, number of children, and its key in `names`.
    fn node_place(&self, id: EntryId) -> Result<(EntryId, u64, Vec<u8>), Fault> {
        let node = present(self.reader().node(id)?, "the name of an entry")?;
        Ok((node.parent, node.children, names_key(node.parent, node.name_key)))
    }

    fn count_child(&mut self, parent: EntryId, more: bool) -> Result<(), Fault> {
        if parent == EntryId::ROOT {
            return Ok(());
        }
        let children = present(self.reader().node(parent)?, "the name of a parent")?.children;
        let counted = if more { children.checked_add(1) } else { children.checked_sub(1) };
        self.set_children(parent, counted.ok_or_else(|| damaged("a count of children is wrong"))?)
    }

    pub(super) fn set_children(&mut self, parent: EntryId, children: u64) -> Result<(), Fault> {
        let node = present(self.reader().node(parent)?, "the name of a parent")?;
        let value = node_value(node.parent, children, node.name_key, node.rdn);
        self.put(self.tables().nodes, &entry_key(parent), &value, "counting children")
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Counts entries that were appended.
    pub(super) fn count_entries(&mut self, more: u64) {
        self.counters.entry_count += more;
    }

    fn tables(&self) -> &'s Tables {
        &self.store.tables
    }

    fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
        doing: &'static str,
    ) -> Result<(), Fault> {
        table.put(&mut self.txn, key, value).map_err(fault::store(doing))?;
        self.note(table, key, Some(value))
    }

    fn delete(&mut self, table: Table, key: &[u8], doing: &'static str) -> Result<bool, Fault> {
        let was = table.delete(&mut self.txn, key).map_err(fault::store(doing))?;
        if was {
            self.note(table, key, None)?;
        }
        Ok(was)
    }

    /// Writes a row behind all rows of its table.
    pub(super) fn append(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
        doing: &'static str,
    ) -> Result<(), Fault> {
        table
            .put_with_flags(&mut self.txn, PutFlags::APPEND, key, value)
            .map_err(fault::store(doing))?;
        self.note(table, key, Some(value))
    }

    /// The journal gets every row that LMDB gets.
    fn note(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), Fault> {
        let Some(journaled) = &mut self.journaled else { return Ok(()) };
        journaled.record.push(table.number, key, value);
        if journaled.record.len() >= PIECE_BYTES {
            journaled.write(self.txn.id() as u64, false)?;
        }
        Ok(())
    }
}

impl Journaled<'_> {
    fn write(&mut self, batch: u64, is_last: bool) -> Result<(), Fault> {
        self.journal.write(batch, &mut self.record, self.pieces, is_last)?;
        self.pieces += 1;
        Ok(())
    }
}

/// Makes a transaction durable, then visible: by the journal where there is one, else by LMDB.
fn commit(txn: RwTxn<'_>, journaled: Option<Journaled<'_>>, folder: &Path) -> Result<(), Fault> {
    let commit = |txn: RwTxn<'_>| {
        txn.commit().map_err(|error| match error {
            // Before LMDB's root page was written, or LMDB itself takes no more writes.
            heed::Error::Io(error) if fault::was_cut_short(&error, folder) => Fault::Full,
            error => fault::store("making changes durable")(error),
        })
    };
    let Some(mut journaled) = journaled else { return commit(txn) };
    if journaled.record.is_empty() && journaled.pieces == 0 {
        return commit(txn);
    }
    journaled.write(txn.id() as u64, true)?;
    match commit(txn) {
        Ok(()) => {
            journaled.journal.keep(journaled.record);
            Ok(())
        }
        Err(Fault::Full) => journaled.journal.take_back().and(Err(Fault::Full)),
        Err(fault) => {
            journaled.journal.fail();
            Err(fault)
        }
    }
}

/// The value of a row of `nodes`. The name key is kept as far as `names` keeps it.
pub(super) fn node_value(parent: EntryId, children: u64, name_key: &[u8], rdn: &str) -> Vec<u8> {
    let name_key = names::cut_key(name_key);
    let mut value = Vec::with_capacity(18 + name_key.len() + rdn.len());
    value.extend_from_slice(&parent.0.to_le_bytes());
    value.extend_from_slice(&children.to_le_bytes());
    value.extend_from_slice(&(name_key.len() as u16).to_le_bytes());
    value.extend_from_slice(&name_key);
    value.extend_from_slice(rdn.as_bytes());
    value
}

pub(super) fn loose_name_key(
    reversed_name: &[u8],
    from: EntryId,
    attribute: AttributeId,
    hash: &[u8; names::HASH_BYTES],
) -> Vec<u8> {
    [names::reversed_prefix(reversed_name), &loose_key(from, attribute, hash)].concat()
}

/// A counter as a row of `meta`: its name, its value, and how many bytes of it are stored.
type CounterRow = (&'static [u8], [u8; 8], usize);

fn counter_rows(counters: &Counters) -> [CounterRow; 5] {
    let row = |name: &'static str, value: u64, bytes| (name.as_bytes(), value.to_le_bytes(), bytes);
    [
        row("next_entry", counters.next_entry.0, 8),
        row("next_attribute", u64::from(counters.next_attribute.0), 4),
        row("next_commit", counters.next_commit.0, 8),
        row("first_commit", counters.first_commit.0, 8),
        row("entry_count", counters.entry_count, 8),
    ]
}

/// The rows of `meta` in an empty directory.
pub(super) fn first_rows(env: &Env<WithoutTls>, tables: &Tables) -> Result<(), heed::Error> {
    let mut txn = env.write_txn()?;
    if tables.meta.get(&txn, b"format")?.is_none() {
        tables.meta.put(&mut txn, b"format", &FORMAT.to_le_bytes())?;
        for (name, value, bytes) in counter_rows(&Counters::FIRST) {
            tables.meta.put(&mut txn, name, value.get(..bytes).unwrap_or_default())?;
        }
    }
    txn.commit()
}

#[cfg(test)]
impl Batch<'_> {
    /// Writes or removes a row behind the back of all invariants.
    pub(super) fn break_row(&mut self, table: usize, key: &[u8], value: Option<&[u8]>) {
        let t = *self.tables();
        let first = [t.entries, t.nodes, t.names, t.links, t.backlinks];
        let all = [&first[..], &[t.loose, t.loose_names, t.postings, t.changes, t.meta]].concat();
        match value {
            Some(value) => self.put(all[table], key, value, "testing").unwrap(),
            None => assert!(self.delete(all[table], key, "testing").unwrap()),
        }
    }
}
