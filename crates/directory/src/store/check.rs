//! The invariants of the storage note as far as bytes tell, without a schema.

use std::collections::HashSet;

use super::{
    AttributeId, BlockBits, EntryId, IndexKind, PostingKey, Reader,
    block::{self, Block, id_in},
    fault::damaged,
    keys::{Fields, entry_key, link_key, loose_key},
    names,
    posting::split_row_key,
    reader::{names_key, parse_backlink, parse_link, parse_loose, parse_loose_name, parse_node},
    tables::Table,
};
use crate::refusal::Fault;

/// The longest change record header: version, kind, time, entry, UUID.
const CHANGE_HEAD_BYTES: usize = 2 + 8 + 8 + 16;
const CHANGE_KINDS: std::ops::RangeInclusive<u8> = 1..=5;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    /// The row or the entry.
    pub place: String,
}

/// How much has been looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub entries: u64,
    pub links: u64,
    pub posting_blocks: u64,
    pub changes: u64,
}

/// Looks at every row. Tells what is wrong to `report`, and fails only where it cannot go on.
pub fn check(reader: &Reader<'_>, report: &mut impl FnMut(Finding)) -> Result<Checked, Fault> {
    let mut check = Check { reader: *reader, report, checked: Checked::default() };
    check.entries()?;
    check.nodes()?;
    check.names()?;
    check.links()?;
    check.backlinks()?;
    check.loose()?;
    check.loose_names()?;
    check.postings()?;
    check.all_entries_posting()?;
    check.changes()?;
    Ok(check.checked)
}

type Row<'t> = (&'t [u8], &'t [u8]);

struct Check<'t, 'r, R> {
    reader: Reader<'t>,
    report: &'r mut R,
    checked: Checked,
}

impl<'t, R: FnMut(Finding)> Check<'t, '_, R> {
    fn find(&mut self, place: impl Into<String>, what: impl Into<String>) {
        (self.report)(Finding { what: what.into(), place: place.into() });
    }

    fn expect(&mut self, holds: bool, place: impl FnOnce() -> String, what: &str) {
        if !holds {
            self.find(place(), what);
        }
    }

    /// Calls `each` with every row. Damage in a row is a finding, and the next row follows.
    fn walk(
        &mut self,
        table: Table,
        name: &'static str,
        mut each: impl FnMut(&mut Self, Row<'t>) -> Result<(), Fault>,
    ) -> Result<u64, Fault> {
        let mut rows = 0;
        for row in self.reader.prefix(table, &[], "checking")? {
            let row = row?;
            rows += 1;
            match each(self, row) {
                Err(Fault::Damaged { what }) => self.find(format!("{name} {}", hex(row.0)), what),
                result => result?,
            }
        }
        Ok(rows)
    }

    /// Invariants 1 and 5, and the flags of 3.
    fn entries(&mut self) -> Result<(), Fault> {
        let table = self.reader.tables.entries;
        let counters = self.reader.counters()?;
        let rows = self.walk(table, "entries", |check, (key, _)| {
            let id = Fields::new(key, "entries").entry()?;
            check.entry(id)
        })?;
        self.checked.entries = rows;
        self.expect(rows == counters.entry_count, meta, "entry_count is not the number of entries");
        let next = counters.next_attribute.0 as usize;
        let known = self.reader.dictionary().len();
        self.expect(next == known + 1, meta, "next_attribute is not behind the dictionary");
        Ok(())
    }

    fn entry(&mut self, id: EntryId) -> Result<(), Fault> {
        let Some(record) = self.reader.entry(id)? else { return Err(damaged("it vanished")) };
        let place = || entry(id);
        let below = id > EntryId::ROOT && id < self.reader.counters()?.next_entry;
        self.expect(below, place, "its number was never given out");
        match self.reader.node(id)? {
            None => self.find(place(), "it has no row in nodes"),
            Some(node) => {
                self.expect(node.parent == record.parent(), place, "its record has another parent");
                self.expect(node.rdn == record.rdn(), place, "its record has another RDN");
            }
        }
        if let Err(what) = record.verify() {
            self.find(place(), what);
        }
        let mut seen = HashSet::new();
        for row in record.rows() {
            self.expect(seen.insert(row.attribute), place, "it has an attribute twice");
            self.description(id, row.attribute, row.description());
        }
        // Readers look at the rows where the flag is set: one too many costs a look, one too few
        // a value.
        let has_links = self.reader.links(id)?.next().is_some();
        let flagged = record.flags().has_links || !has_links;
        self.expect(flagged, place, "it has links, and no flag for them");
        let has_loose = self.reader.loose(id)?.next().is_some();
        let flagged = record.flags().has_loose || !has_loose;
        self.expect(flagged, place, "it has loose names, and no flag for them");
        Ok(())
    }

    fn description(&mut self, id: EntryId, attribute: AttributeId, description: &[u8]) {
        let known = self.reader.attribute_name(attribute);
        self.expect(known.is_some(), || entry(id), "it has an attribute without a name");
        let same = known.is_none_or(|name| name.as_bytes().eq_ignore_ascii_case(description));
        self.expect(same, || entry(id), "it has an attribute under another one's number");
    }

    /// Invariants 1 and 2, from the side of the nodes.
    fn nodes(&mut self) -> Result<(), Fault> {
        let table = self.reader.tables.nodes;
        let mut rooted = HashSet::new();
        self.walk(table, "nodes", |check, (key, value)| {
            let id = Fields::new(key, "nodes").entry()?;
            let node = parse_node(value)?;
            let has_entry = check.has_entry(id)?;
            check.expect(has_entry, || entry(id), "it has a name but no record");
            let named = check.reader.child(node.parent, node.name_key)? == Some(id);
            check.expect(named, || entry(id), "its row in names is missing or another one's");
            let children = check.reader.children(id)?.count() as u64;
            check.expect(children == node.children, || entry(id), "its count of children is wrong");
            check.root(node.parent, &mut rooted)
        })?;
        Ok(())
    }

    /// Walks up until the root or an ancestor that is known to lead there.
    fn root(&mut self, mut parent: EntryId, rooted: &mut HashSet<EntryId>) -> Result<(), Fault> {
        let mut path = HashSet::new();
        while parent != EntryId::ROOT && !rooted.contains(&parent) {
            if !path.insert(parent) {
                return Err(damaged("its ancestors form a cycle"));
            }
            let node = self.reader.node(parent)?;
            parent = node.ok_or_else(|| damaged("a parent above it is missing"))?.parent;
        }
        rooted.extend(path);
        Ok(())
    }

    /// Invariant 2, from the side of the names.
    fn names(&mut self) -> Result<(), Fault> {
        let table = self.reader.tables.names;
        self.walk(table, "names", |check, (key, value)| {
            let id = EntryId(Fields::new(value, "names").u64_le()?);
            let Some(node) = check.reader.node(id)? else {
                return Err(damaged(format!("it leads to entry {}, which has no name", id.0)));
            };
            let same = names_key(node.parent, node.name_key) == key;
            check.expect(same, || entry(id), "it is in names under another name");
            Ok(())
        })?;
        Ok(())
    }

    /// Invariant 3.
    fn links(&mut self) -> Result<(), Fault> {
        let tables = self.reader.tables;
        self.checked.links = self.walk(tables.links, "links", |check, (key, value)| {
            let from = Fields::new(key, "links").entry()?;
            let link = parse_link(Ok((key, value)))?;
            let place = || format!("the link from entry {} to entry {}", from.0, link.to.0);
            let mirror = link_key(link.to, link.attribute, from);
            let mirrored = check.has(tables.backlinks, &mirror)?;
            check.expect(mirrored, place, "it has no row in backlinks");
            let ends = check.has_entry(from)? && check.has_entry(link.to)?;
            check.expect(ends, place, "one of its ends does not exist");
            let known = check.reader.attribute_name(link.attribute).is_some();
            check.expect(known, place, "its attribute has no name");
            Ok(())
        })?;
        Ok(())
    }

    fn backlinks(&mut self) -> Result<(), Fault> {
        let tables = self.reader.tables;
        self.walk(tables.backlinks, "backlinks", |check, (key, value)| {
            let to = Fields::new(key, "backlinks").entry()?;
            let link = parse_backlink(Ok((key, value)))?;
            let place = || format!("the link from entry {} to entry {}", link.from.0, to.0);
            let mirrored = check.has(tables.links, &link_key(link.from, link.attribute, to))?;
            check.expect(mirrored, place, "it is in backlinks and not in links");
            Ok(())
        })?;
        Ok(())
    }

    fn loose(&mut self) -> Result<(), Fault> {
        let tables = self.reader.tables;
        let values = self.walk(tables.loose, "loose", |check, (key, value)| {
            let from = Fields::new(key, "loose").entry()?;
            parse_loose(Ok((key, value)))?;
            let has_entry = check.has_entry(from)?;
            check.expect(has_entry, || entry(from), "it has a loose name but no record");
            Ok(())
        })?;
        let named = self.walk(tables.loose_names, "loose_names", |_, _| Ok(()))?;
        self.expect(values == named, || "loose".into(), "loose and loose_names differ in number");
        Ok(())
    }

    fn loose_names(&mut self) -> Result<(), Fault> {
        let tables = self.reader.tables;
        self.walk(tables.loose_names, "loose_names", |check, (key, _)| {
            let (length, name) = parse_loose_name(key)?;
            let place = || format!("a loose name of {}", entry(name.from));
            let row = loose_key(name.from, name.attribute, &name.hash);
            let has_value = check.has(tables.loose, &row)?;
            check.expect(has_value, place, "it is in loose_names and not in loose");
            let reversed = key.get(..length).unwrap_or_default();
            if length < names::REVERSED_KEY_BYTES_MAX {
                let same = names::hash16(reversed) == name.hash;
                check.expect(same, place, "its hash is not that of its name");
                let entry = check.reader.resolve_reversed(reversed)?;
                check.expect(entry.is_none(), place, "it names an entry and should be a link");
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Invariant 4, without computing what the postings should be.
    fn postings(&mut self) -> Result<(), Fault> {
        let table = self.reader.tables.postings;
        let rows = self.walk(table, "postings", |check, (key, value)| check.block(key, value))?;
        self.checked.posting_blocks = rows;
        Ok(())
    }

    fn block(&mut self, key: &'t [u8], value: &'t [u8]) -> Result<(), Fault> {
        let place = || format!("postings {}", hex(key));
        let (prefix, number) = split_row_key(key)?;
        if let Some(what) = block::verify(value) {
            return Err(damaged(what));
        }
        let (&[letter, attribute @ ..], index_key) =
            prefix.split_first_chunk::<5>().ok_or_else(|| damaged("its key is too short"))?;
        let kind = IndexKind::of_letter(letter).ok_or_else(|| damaged("it has an unknown kind"))?;
        let closed = index_key.strip_suffix(&[0]).and_then(names::unescape);
        self.expect(closed.is_some(), place, "its key is not escaped and closed");
        if kind == IndexKind::All {
            let empty = attribute == [0; 4] && index_key == [0];
            self.expect(empty, place, "the posting of all entries has a key");
            return Ok(());
        }
        let known = self.reader.tables.attributes.get(self.reader.txn, &attribute);
        let known = known.map_err(super::fault::store("checking"))?.is_some();
        self.expect(known, place, "its attribute has no name");
        let mut strangers = BlockBits::from_block(&Block::parse(number, value)?);
        if let Some(all) = self.reader.posting_block(&PostingKey::ALL, number)? {
            strangers.and_not_block(&all);
        }
        self.expect(strangers.is_empty(), place, "it has members that are no entries");
        Ok(())
    }

    fn all_entries_posting(&mut self) -> Result<(), Fault> {
        let mut posting = self.reader.posting(&PostingKey::ALL)?;
        let mut members = 0;
        loop {
            let block = match posting.next_block() {
                // Told already, with the row's key.
                Err(Fault::Damaged { .. }) => return Ok(()),
                block => block?,
            };
            let Some(block) = block else { break };
            members += block.count();
            for low in BlockBits::from_block(&block).lows() {
                let id = id_in(block.number, low);
                let has_entry = self.has_entry(id)?;
                self.expect(has_entry, || entry(id), "it is among all entries but has no record");
            }
        }
        let all = members == self.checked.entries;
        self.expect(all, || "postings".into(), "the posting of all entries lacks some");
        Ok(())
    }

    /// Invariant 7.
    fn changes(&mut self) -> Result<(), Fault> {
        let counters = self.reader.counters()?;
        let table = self.reader.tables.changes;
        let mut next = counters.first_commit.0;
        self.checked.changes = self.walk(table, "changes", |check, (key, value)| {
            let number = Fields::new(key, "changes").commit()?.0;
            let place = || format!("change {number}");
            check.expect(number == next, place, "there is a gap in front of it");
            next = number.saturating_add(1);
            verify_change(value).map_err(damaged)
        })?;
        let same = next == counters.next_commit.0;
        self.expect(same, meta, "next_commit is not behind the last change");
        Ok(())
    }

    fn has(&self, table: Table, key: &[u8]) -> Result<bool, Fault> {
        self.reader.row(table, key, "checking").map(|row| row.is_some())
    }

    fn has_entry(&self, id: EntryId) -> Result<bool, Fault> {
        self.has(self.reader.tables.entries, &entry_key(id))
    }
}

/// What is wrong with a change record as far as its bytes tell.
fn verify_change(value: &[u8]) -> Result<(), &'static str> {
    let short = "its record is too short";
    let [version, kind, ..] = value else { return Err(short) };
    if *version != 1 || !CHANGE_KINDS.contains(kind) {
        return Err("its record has an unknown version or kind");
    }
    let mut rest = value.get(CHANGE_HEAD_BYTES..).ok_or(short)?;
    for _name in ["the entry's", "the author's"] {
        let (length, text) = rest.split_first_chunk::<4>().ok_or(short)?;
        let (name, behind) =
            text.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(short)?;
        std::str::from_utf8(name).map_err(|_| "a name in its record is not UTF-8")?;
        rest = behind;
    }
    Ok(())
}

fn entry(id: EntryId) -> String {
    format!("entry {}", id.0)
}

fn meta() -> String {
    "meta".into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
