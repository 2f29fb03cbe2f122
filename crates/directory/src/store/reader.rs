//! Everything that can be read: from a snapshot, or from the transaction that is being written.

use std::{ops::Bound, sync::Arc};

use heed::{RoTxn, WithoutTls};

use super::{
    AttributeId, CommitNumber, Dictionary, EntryId, EntryRecord, IndexKind, LinkVersions, Posting,
    PostingKey, TransactionNumber,
    block::Block,
    fault,
    fault::damaged,
    keys::{Fields, attribute_key, commit_key, entry_key, link_key, side_key, utf8},
    names::{self, HASH_BYTES, REVERSED_KEY_BYTES_MAX},
    posting::PostingRange,
    tables::{Scan, Table, Tables, Transaction, present},
};
use crate::refusal::Fault;

/// More ancestors than this are a cycle: names are far shorter.
const DEPTH_MAX: usize = 10_000;

/// The state at one moment. [`Snapshot::reader`] reads from it.
pub struct Snapshot<'s> {
    pub(super) txn: RoTxn<'s, WithoutTls>,
    pub(super) tables: Tables,
    pub(super) dictionary: Arc<Dictionary>,
    pub(super) versions: Arc<LinkVersions>,
}

/// Reads rows. Borrowed from a snapshot or a batch; what it returns points into the map.
#[derive(Clone, Copy)]
pub struct Reader<'t> {
    pub(super) txn: &'t Transaction<'t>,
    pub(super) tables: &'t Tables,
    pub(super) dictionary: &'t Dictionary,
    pub(super) versions: &'t LinkVersions,
    /// Inside a batch: counters that are not in their rows yet.
    pub(super) pending: Option<Counters>,
}

/// The numbers in `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    pub next_entry: EntryId,
    pub next_attribute: AttributeId,
    pub next_commit: CommitNumber,
    /// The oldest kept change; `next_commit` when none is kept.
    pub first_commit: CommitNumber,
    pub entry_count: u64,
}

/// A place in the tree of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node<'t> {
    pub parent: EntryId,
    /// The number of children.
    pub children: u64,
    /// The name key as stored: cut when it was too long.
    pub name_key: &'t [u8],
    /// The RDN as written; of a suffix, all its RDNs.
    pub rdn: &'t str,
}

/// A value that names an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'t> {
    pub attribute: AttributeId,
    pub to: EntryId,
    /// The value's own text beyond the name; mostly empty.
    pub text: &'t [u8],
}

/// An entry that names this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlink {
    pub attribute: AttributeId,
    pub from: EntryId,
}

/// A value that names no entry yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loose<'t> {
    pub attribute: AttributeId,
    /// Of the reversed name.
    pub hash: [u8; HASH_BYTES],
    /// As written.
    pub value: &'t [u8],
}

/// A loose value found by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LooseName {
    pub from: EntryId,
    pub attribute: AttributeId,
    /// Of the whole reversed name: equal to that of the name asked for when the value is exactly
    /// it.
    pub hash: [u8; HASH_BYTES],
    /// Whether the value is at or below the name for certain. Names of which only the beginning is
    /// compared, because they are so long, must be compared by their value.
    pub certain: bool,
}

impl<'t> Reader<'t> {
    /// The transaction that led to this snapshot; none inside a batch, whose rows are nobody
    /// else's yet.
    pub fn snapshot_number(&self) -> Option<TransactionNumber> {
        self.pending.is_none().then(|| self.txn.id() as TransactionNumber)
    }

    /// The last transaction, of this snapshot or after it, that changed the links of `from` or any
    /// name.
    pub fn links_changed_in(&self, from: EntryId) -> TransactionNumber {
        self.versions.changed_in(from)
    }

    pub fn entry(&self, id: EntryId) -> Result<Option<EntryRecord<'t>>, Fault> {
        let bytes = self.row(self.tables.entries, &entry_key(id), "reading an entry")?;
        bytes.map(EntryRecord::parse).transpose()
    }

    /// All entries from this one on, in order of their numbers.
    pub fn entries_from(
        &self,
        id: EntryId,
    ) -> Result<impl Iterator<Item = Result<(EntryId, EntryRecord<'t>), Fault>> + use<'t>, Fault>
    {
        let start = entry_key(id);
        let rows =
            self.scan(self.tables.entries, Bound::Included(&start), &[], "reading entries")?;
        Ok(rows.map(|row| {
            let (key, value) = row?;
            Ok((Fields::new(key, "entries").entry()?, EntryRecord::parse(value)?))
        }))
    }

    pub fn node(&self, id: EntryId) -> Result<Option<Node<'t>>, Fault> {
        let bytes = self.row(self.tables.nodes, &entry_key(id), "reading a name")?;
        bytes.map(parse_node).transpose()
    }

    /// The child of this name key, which may be longer than what is kept of it.
    pub fn child(&self, parent: EntryId, name_key: &[u8]) -> Result<Option<EntryId>, Fault> {
        let key = names_key(parent, name_key);
        let value = self.row(self.tables.names, &key, "looking up a name")?;
        value.map(|value| Fields::new(value, "names").u64_le().map(EntryId)).transpose()
    }

    /// The children, in the order of their name keys.
    pub fn children(
        &self,
        parent: EntryId,
    ) -> Result<impl Iterator<Item = Result<EntryId, Fault>> + use<'t>, Fault> {
        let rows = self.prefix(self.tables.names, &entry_key(parent), "reading names")?;
        Ok(rows.map(|row| Fields::new(row?.1, "names").u64_le().map(EntryId)))
    }

    /// The children behind the one of this name key: where a walk goes on.
    pub fn children_after(
        &self,
        parent: EntryId,
        name_key: &[u8],
    ) -> Result<impl Iterator<Item = Result<EntryId, Fault>> + use<'t>, Fault> {
        let (start, prefix) = (names_key(parent, name_key), entry_key(parent));
        let start = Bound::Excluded(&start[..]);
        let rows = self.scan(self.tables.names, start, &prefix, "reading names")?;
        Ok(rows.map(|row| Fields::new(row?.1, "names").u64_le().map(EntryId)))
    }

    /// The ancestors from the parent up to the suffix.
    pub fn ancestors(&self, id: EntryId) -> Result<Vec<EntryId>, Fault> {
        let mut ancestors = Vec::new();
        let mut parent = present(self.node(id)?, "the name of an entry")?.parent;
        while parent != EntryId::ROOT {
            if ancestors.len() == DEPTH_MAX {
                return Err(damaged(format!("the names above entry {} form a cycle", id.0)));
            }
            ancestors.push(parent);
            parent = present(self.node(parent)?, "the name of a parent")?.parent;
        }
        Ok(ancestors)
    }

    /// The reversed name of an entry, under which loose values may be waiting for it.
    pub fn reversed_name(&self, id: EntryId) -> Result<Vec<u8>, Fault> {
        let mut path = self.ancestors(id)?;
        path.reverse();
        path.push(id);
        let mut name = Vec::new();
        for (depth, id) in path.into_iter().enumerate() {
            let node = present(self.node(id)?, "the name of an entry")?;
            if depth > 0 {
                names::push_reversed(&mut name, node.name_key);
                continue;
            }
            let parts = names::split_suffix_key(node.name_key);
            let parts = parts.ok_or_else(|| damaged("a suffix's name key has no parts"))?;
            parts.iter().rev().for_each(|part| names::push_reversed(&mut name, part));
        }
        Ok(name)
    }

    /// The entry of a reversed name that is not cut.
    pub fn resolve_reversed(&self, reversed_name: &[u8]) -> Result<Option<EntryId>, Fault> {
        let Some(closed) = reversed_name.strip_suffix(&[0]) else { return Ok(None) };
        let parts = closed.split(|&byte| byte == 0).map(names::unescape);
        let Some(parts) = parts.collect::<Option<Vec<_>>>() else { return Ok(None) };
        // How many RDNs the suffix has is not told by the name.
        for suffix in 1..=parts.len() {
            let (suffix, below) = parts.split_at(suffix);
            let leaf_first = suffix.iter().rev().map(Vec::as_slice);
            let Some(key) = names::suffix_key(leaf_first) else { break };
            let mut at = self.child(EntryId::ROOT, &key)?;
            for rdn_key in below {
                let Some(parent) = at else { break };
                at = self.child(parent, rdn_key)?;
            }
            if at.is_some() {
                return Ok(at);
            }
        }
        Ok(None)
    }

    /// All links of an entry.
    pub fn links(
        &self,
        from: EntryId,
    ) -> Result<impl Iterator<Item = Result<Link<'t>, Fault>> + use<'t>, Fault> {
        let rows = self.prefix(self.tables.links, &entry_key(from), "reading links")?;
        Ok(rows.map(parse_link))
    }

    /// The links of one attribute, in order of the entries they lead to.
    pub fn links_of(
        &self,
        from: EntryId,
        attribute: AttributeId,
    ) -> Result<impl Iterator<Item = Result<Link<'t>, Fault>> + use<'t>, Fault> {
        let rows = self.prefix(self.tables.links, &side_key(from, attribute), "reading links")?;
        Ok(rows.map(parse_link))
    }

    /// The links of one attribute to entries behind this one.
    pub fn links_from_after(
        &self,
        from: EntryId,
        attribute: AttributeId,
        after: EntryId,
    ) -> Result<impl Iterator<Item = Result<Link<'t>, Fault>> + use<'t>, Fault> {
        let start = link_key(from, attribute, after);
        let prefix = side_key(from, attribute);
        let rows =
            self.scan(self.tables.links, Bound::Excluded(&start), &prefix, "reading links")?;
        Ok(rows.map(parse_link))
    }

    /// The link from one entry to another, where there is one.
    pub fn link(
        &self,
        from: EntryId,
        attribute: AttributeId,
        to: EntryId,
    ) -> Result<Option<Link<'t>>, Fault> {
        let text =
            self.row(self.tables.links, &link_key(from, attribute, to), "looking up a link")?;
        Ok(text.map(|text| Link { attribute, to, text }))
    }

    pub fn has_link(
        &self,
        from: EntryId,
        attribute: AttributeId,
        to: EntryId,
    ) -> Result<bool, Fault> {
        self.link(from, attribute, to).map(|link| link.is_some())
    }

    /// All links to an entry.
    pub fn backlinks(
        &self,
        to: EntryId,
    ) -> Result<impl Iterator<Item = Result<Backlink, Fault>> + use<'t>, Fault> {
        let rows = self.prefix(self.tables.backlinks, &entry_key(to), "reading backlinks")?;
        Ok(rows.map(parse_backlink))
    }

    /// The links of one attribute to an entry, in order of the entries they come from.
    pub fn backlinks_of(
        &self,
        to: EntryId,
        attribute: AttributeId,
    ) -> Result<impl Iterator<Item = Result<Backlink, Fault>> + use<'t>, Fault> {
        let prefix = side_key(to, attribute);
        let rows = self.prefix(self.tables.backlinks, &prefix, "reading backlinks")?;
        Ok(rows.map(parse_backlink))
    }

    /// All loose values of an entry.
    pub fn loose(
        &self,
        from: EntryId,
    ) -> Result<impl Iterator<Item = Result<Loose<'t>, Fault>> + use<'t>, Fault> {
        let rows = self.prefix(self.tables.loose, &entry_key(from), "reading loose names")?;
        Ok(rows.map(parse_loose))
    }

    /// The loose values of one attribute.
    pub fn loose_of(
        &self,
        from: EntryId,
        attribute: AttributeId,
    ) -> Result<impl Iterator<Item = Result<Loose<'t>, Fault>> + use<'t>, Fault> {
        let prefix = side_key(from, attribute);
        let rows = self.prefix(self.tables.loose, &prefix, "reading loose names")?;
        Ok(rows.map(parse_loose))
    }

    /// The loose value of one attribute with this reversed name, as written.
    pub fn loose_value(
        &self,
        from: EntryId,
        attribute: AttributeId,
        hash: &[u8; HASH_BYTES],
    ) -> Result<Option<&'t [u8]>, Fault> {
        let key = super::keys::loose_key(from, attribute, hash);
        self.row(self.tables.loose, &key, "looking up a loose name")
    }

    /// The loose values that name this reversed name or one below it.
    pub fn loose_below(
        &self,
        reversed_name: &[u8],
    ) -> Result<impl Iterator<Item = Result<LooseName, Fault>> + use<'t>, Fault> {
        let prefix = names::reversed_prefix(reversed_name);
        let cut = reversed_name.len() > REVERSED_KEY_BYTES_MAX;
        let rows = self.prefix(self.tables.loose_names, prefix, "looking up loose names")?;
        let prefix_bytes = prefix.len();
        Ok(rows.filter_map(move |row| match row.and_then(|(key, _)| parse_loose_name(key)) {
            // Shorter names: what looked like the rest of the name was the numbers behind it.
            Ok((reversed, _)) if reversed < prefix_bytes => None,
            Ok((_, name)) => Some(Ok(LooseName { certain: !cut, ..name })),
            Err(fault) => Some(Err(fault)),
        }))
    }

    /// The blocks of entries that have this key.
    pub fn posting(&self, key: &PostingKey<'_>) -> Result<Posting<'t>, Fault> {
        Ok(Posting::new(self.txn, self.tables.postings, key))
    }

    /// One block of a posting: the cheapest way to ask for one entry.
    pub fn posting_block(
        &self,
        key: &PostingKey<'_>,
        number: u32,
    ) -> Result<Option<Block<'t>>, Fault> {
        self.posting(key)?.block(number)
    }

    /// The rows of an index between two whole normalized values. A superset where values are
    /// longer than what an index keeps of them: verify on the entry.
    pub fn posting_range(
        &self,
        kind: IndexKind,
        attribute: AttributeId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> Result<PostingRange<'t>, Fault> {
        PostingRange::new(self.txn, self.tables.postings, (kind, attribute), lower, upper)
    }

    /// The number of a description, given in lower case with its options sorted.
    pub fn attribute_id(&self, description_lower: &str) -> Option<AttributeId> {
        self.dictionary.id(description_lower)
    }

    /// The description as it was first written.
    pub fn attribute_name(&self, id: AttributeId) -> Option<&'t str> {
        self.dictionary.name(id)
    }

    pub fn dictionary(&self) -> &'t Dictionary {
        self.dictionary
    }

    pub fn change(&self, number: CommitNumber) -> Result<Option<&'t [u8]>, Fault> {
        self.row(self.tables.changes, &commit_key(number), "reading a change")
    }

    /// The room that the change log takes on disk.
    pub fn changes_bytes(&self) -> Result<u64, Fault> {
        let stat = self.tables.changes.stat(self.txn);
        let stat = stat.map_err(super::fault::store("measuring the change log"))?;
        let pages = stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
        Ok(pages as u64 * u64::from(stat.page_size))
    }

    /// All changes from this one on, in order.
    pub fn changes_from(
        &self,
        number: CommitNumber,
    ) -> Result<impl Iterator<Item = Result<(CommitNumber, &'t [u8]), Fault>> + use<'t>, Fault>
    {
        let start = commit_key(number);
        let rows =
            self.scan(self.tables.changes, Bound::Included(&start), &[], "reading changes")?;
        Ok(rows.map(|row| {
            let (key, value) = row?;
            Ok((Fields::new(key, "changes").commit()?, value))
        }))
    }

    /// The number of the last change; 0 when there was none.
    pub fn last_commit(&self) -> Result<CommitNumber, Fault> {
        Ok(CommitNumber(self.counters()?.next_commit.0.saturating_sub(1)))
    }

    pub fn entry_count(&self) -> Result<u64, Fault> {
        Ok(self.counters()?.entry_count)
    }

    pub fn counters(&self) -> Result<Counters, Fault> {
        match self.pending {
            Some(counters) => Ok(counters),
            None => Counters::read(self.txn, self.tables),
        }
    }

    /// A row of `meta`. The counters are read with [`Reader::counters`].
    pub fn meta(&self, name: &str) -> Result<Option<&'t [u8]>, Fault> {
        self.row(self.tables.meta, name.as_bytes(), "reading settings")
    }

    pub(super) fn row(
        &self,
        table: Table,
        key: &[u8],
        doing: &'static str,
    ) -> Result<Option<&'t [u8]>, Fault> {
        table.get(self.txn, key).map_err(fault::store(doing))
    }

    pub(super) fn prefix(
        &self,
        table: Table,
        prefix: &[u8],
        doing: &'static str,
    ) -> Result<Scan<'t>, Fault> {
        Scan::prefix(self.txn, table, prefix, doing)
    }

    fn scan(
        &self,
        table: Table,
        start: Bound<&[u8]>,
        prefix: &[u8],
        doing: &'static str,
    ) -> Result<Scan<'t>, Fault> {
        Scan::new(self.txn, table, start, prefix, doing)
    }
}

type Pair<'t> = Result<(&'t [u8], &'t [u8]), Fault>;

pub(super) fn parse_node(value: &[u8]) -> Result<Node<'_>, Fault> {
    let mut fields = Fields::new(value, "nodes");
    let (parent, children) = (EntryId(fields.u64_le()?), fields.u64_le()?);
    let key_bytes = usize::from(fields.u16_le()?);
    let name_key = fields.bytes(key_bytes)?;
    Ok(Node { parent, children, name_key, rdn: utf8(fields.rest(), "nodes")? })
}

pub(super) fn parse_link(row: Pair<'_>) -> Result<Link<'_>, Fault> {
    let (key, text) = row?;
    let mut fields = Fields::new(key, "links");
    let _from = fields.entry()?;
    let link = Link { attribute: fields.attribute()?, to: fields.entry()?, text };
    fields.end().map(|()| link)
}

pub(super) fn parse_backlink(row: Pair<'_>) -> Result<Backlink, Fault> {
    let mut fields = Fields::new(row?.0, "backlinks");
    let _to = fields.entry()?;
    let link = Backlink { attribute: fields.attribute()?, from: fields.entry()? };
    fields.end().map(|()| link)
}

pub(super) fn parse_loose(row: Pair<'_>) -> Result<Loose<'_>, Fault> {
    let (key, value) = row?;
    let mut fields = Fields::new(key, "loose");
    let _from = fields.entry()?;
    let loose = Loose { attribute: fields.attribute()?, hash: *fields.array()?, value };
    fields.end().map(|()| loose)
}

/// How long the reversed name in the key is, and what the key leads to.
pub(super) fn parse_loose_name(key: &[u8]) -> Result<(usize, LooseName), Fault> {
    let (reversed, tail) = key
        .split_last_chunk::<{ 8 + 4 + HASH_BYTES }>()
        .ok_or_else(|| damaged("a row of loose_names is too short"))?;
    let mut fields = Fields::new(tail, "loose_names");
    let (from, attribute, hash) = (fields.entry()?, fields.attribute()?, *fields.array()?);
    Ok((reversed.len(), LooseName { from, attribute, hash, certain: false }))
}

pub(super) fn names_key(parent: EntryId, name_key: &[u8]) -> Vec<u8> {
    [&entry_key(parent)[..], &names::cut_key(name_key)].concat()
}

pub(super) fn meta_row<'t>(
    txn: &'t Transaction<'_>,
    tables: &Tables,
    name: &str,
) -> Result<&'t [u8], Fault> {
    let value = tables.meta.get(txn, name.as_bytes()).map_err(fault::store("reading settings"))?;
    present(value, &format!("the row {name} of meta"))
}

pub(super) fn meta_u32(txn: &Transaction<'_>, tables: &Tables, name: &str) -> Result<u32, Fault> {
    Fields::new(meta_row(txn, tables, name)?, "meta").u32_le()
}

fn meta_u64(txn: &Transaction<'_>, tables: &Tables, name: &str) -> Result<u64, Fault> {
    Fields::new(meta_row(txn, tables, name)?, "meta").u64_le()
}

impl Counters {
    pub(super) const FIRST: Counters = Counters {
        next_entry: EntryId(1),
        next_attribute: AttributeId(1),
        next_commit: CommitNumber(1),
        first_commit: CommitNumber(1),
        entry_count: 0,
    };

    pub(super) fn read(txn: &Transaction<'_>, tables: &Tables) -> Result<Counters, Fault> {
        Ok(Counters {
            next_entry: EntryId(meta_u64(txn, tables, "next_entry")?),
            next_attribute: AttributeId(meta_u32(txn, tables, "next_attribute")?),
            next_commit: CommitNumber(meta_u64(txn, tables, "next_commit")?),
            first_commit: CommitNumber(meta_u64(txn, tables, "first_commit")?),
            entry_count: meta_u64(txn, tables, "entry_count")?,
        })
    }
}

pub(super) fn load_dictionary(txn: &Transaction<'_>, tables: &Tables) -> Result<Dictionary, Fault> {
    let mut dictionary = Dictionary::default();
    for row in Scan::prefix(txn, tables.attributes, &[], "reading the attribute dictionary")? {
        let (key, value) = row?;
        let id = dictionary.push(utf8(value, "attributes")?);
        if key != attribute_key(id) {
            return Err(damaged("the attribute dictionary has a gap"));
        }
    }
    Ok(dictionary)
}
