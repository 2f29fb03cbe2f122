//! Performing a prepared change: every row it touches, inside the writer's transaction. Faults here
//! abort the transaction; refusals are no longer possible.

use std::collections::HashSet;
use std::sync::Arc;

use crate::catalogue::{Catalogue, Described};
use crate::change::prepare::links::{LinkChange, Target};
use crate::change::prepare::{Prepared, PreparedAdd, PreparedModify, PreparedRename, Removed};
use crate::change::record;
use crate::entry::{Entry, EntryAttribute};
use crate::index::{Indexes, OwnedKey};
use crate::lens::Reshaping;
use crate::names::Resolved;
use crate::refusal::Fault;
use crate::store::names::hash16;
use crate::store::{
    AttributeId, Batch, EntryBuilder, EntryFlags, EntryId, PostingKey, description,
};
use crate::tree::Tree;

/// What the writer needs to perform changes, for the length of one batch.
pub(crate) struct Performing<'b, 's> {
    pub batch: &'b mut Batch<'s>,
    pub catalogue: Arc<Catalogue>,
    pub indexes: Arc<Indexes>,
    pub author: &'b str,
    pub time_ms: u64,
}

/// Gives the tree over the rows written so far to whoever wants to look.
pub(crate) type Look<'l> = &'l dyn Fn(&Batch<'_>, Arc<Catalogue>, Act<'_>) -> Result<(), Fault>;
pub(crate) type Act<'a> = &'a mut dyn FnMut(&Tree<'_>) -> Result<(), Fault>;

/// The attributes that a change touched: as they were, and as they are.
pub(crate) type Differing<'e> = (Vec<&'e EntryAttribute>, Vec<&'e EntryAttribute>);

/// What performing came to.
pub(crate) struct Performed {
    pub id: Option<EntryId>,
    pub commit: u64,
    /// Names of other entries may have changed, so cached names are void after the commit.
    pub renamed: bool,
    /// What a lens may remember that is no longer true.
    pub reshaping: Reshaping,
}

impl Performing<'_, '_> {
    pub(crate) fn perform(
        &mut self,
        prepared: &Prepared,
        look: Look<'_>,
    ) -> Result<Performed, Fault> {
        match prepared {
            Prepared::Nothing => {
                Ok(Performed { id: None, commit: 0, renamed: false, reshaping: Reshaping::None })
            }
            Prepared::Add(add) => self.perform_add(add, look),
            Prepared::Delete(removed) => self.perform_delete(removed),
            Prepared::Modify(modify) => self.perform_modify(modify),
            Prepared::Rename(rename) => self.perform_rename(rename, look),
        }
    }

    fn perform_add(&mut self, add: &PreparedAdd, look: Look<'_>) -> Result<Performed, Fault> {
        let id = self.insert(add)?;
        let bound = self.bind_loose(&add.reversed, look)?;
        let record = record::added(&add.entry, &add.links);
        let dn = self.new_dn(id, look)?;
        let commit = self.log(record::Kind::Add, id, &add.entry, &dn, &record)?;
        let alone = add.links.is_empty() && !bound;
        let reshaping = if alone { Reshaping::Grown } else { Reshaping::Anyhow };
        Ok(Performed { id: Some(id), commit, renamed: false, reshaping })
    }

    fn perform_delete(&mut self, removed: &[Removed]) -> Result<Performed, Fault> {
        let mut commit = 0;
        let mut linked = false;
        for one in removed {
            linked |= self.remove(one)?;
            commit = self.log(record::Kind::Delete, one.id, &one.entry, &one.dn, &[])?;
        }
        let reshaping = match removed {
            [one] if !linked => Reshaping::Shrunk(one.id),
            _ => Reshaping::Anyhow,
        };
        Ok(Performed { id: None, commit, renamed: false, reshaping })
    }

    fn perform_modify(&mut self, modify: &PreparedModify) -> Result<Performed, Fault> {
        let differing = modify.before.differing(&modify.after);
        self.update(modify, &differing)?;
        let record = record::modified(&differing, &modify.links);
        let commit =
            self.log(record::Kind::Modify, modify.id, &modify.after, &modify.dn, &record)?;
        let is_class = |held: &&EntryAttribute| held.described.key == "objectclass";
        let reshapes = !modify.links.is_empty()
            || differing.0.iter().any(is_class)
            || differing.1.iter().any(is_class);
        let reshaping = if reshapes { Reshaping::Linked } else { Reshaping::None };
        Ok(Performed { id: Some(modify.id), commit, renamed: false, reshaping })
    }

    fn perform_rename(
        &mut self,
        rename: &PreparedRename,
        look: Look<'_>,
    ) -> Result<Performed, Fault> {
        let differing = rename.before.differing(&rename.after);
        self.rename(rename, &differing)?;
        self.bind_loose(&rename.reversed, look)?;
        let record = record::renamed(&differing, &rename.new_dn);
        let commit =
            self.log(record::Kind::Rename, rename.id, &rename.after, &rename.dn, &record)?;
        // Also of a leaf: it may have had children once, and its name is cached since.
        Ok(Performed { id: Some(rename.id), commit, renamed: true, reshaping: Reshaping::Anyhow })
    }

    fn new_dn(&self, id: EntryId, look: Look<'_>) -> Result<String, Fault> {
        let mut dn = String::new();
        look(self.batch, self.catalogue.clone(), &mut |tree| {
            dn = tree.dn(id)?;
            Ok(())
        })?;
        Ok(dn)
    }

    fn insert(&mut self, add: &PreparedAdd) -> Result<EntryId, Fault> {
        let id = self.batch.next_entry_id()?;
        self.batch.insert_node(id, add.parent, &add.name_key, &add.entry.rdn)?;
        self.change_links(id, &add.links)?;
        let flags = self.flags_after(id, &add.entry, &add.links)?;
        let record = self.record(&add.entry, flags)?;
        self.batch.insert_entry(id, &record)?;
        self.post(&self.index_keys(&add.entry.attributes), id, true)?;
        self.batch.posting_add_later(&PostingKey::ALL, id)?;
        Ok(id)
    }

    fn update(&mut self, modify: &PreparedModify, differing: &Differing<'_>) -> Result<(), Fault> {
        self.change_links(modify.id, &modify.links)?;
        let flags = self.flags_after(modify.id, &modify.before, &modify.links)?;
        self.put(modify.id, &modify.after, flags)?;
        self.repost(modify.id, differing, &modify.after)
    }

    fn rename(&mut self, rename: &PreparedRename, differing: &Differing<'_>) -> Result<(), Fault> {
        self.batch.move_node(rename.id, rename.new_parent, &rename.name_key, &rename.after.rdn)?;
        self.change_links(rename.id, &rename.links)?;
        let flags = self.flags_after(rename.id, &rename.before, &rename.links)?;
        self.put(rename.id, &rename.after, flags)?;
        self.repost(rename.id, differing, &rename.after)
    }

    /// Whether there were links to it or from it.
    fn remove(&mut self, removed: &Removed) -> Result<bool, Fault> {
        let id = removed.id;
        self.post(&self.index_keys(&removed.entry.attributes), id, false)?;
        self.batch.posting_remove_later(&PostingKey::ALL, id)?;
        let linked = self.remove_links(id)?;
        self.batch.remove_node(id)?;
        self.batch.delete_entry(id)?;
        Ok(linked)
    }

    /// Both directions, and what was loose: no dangling name remains. Whether there was any link.
    fn remove_links(&mut self, id: EntryId) -> Result<bool, Fault> {
        let reader = self.batch.reader();
        let links: Vec<_> = reader
            .links(id)?
            .map(|link| link.map(|link| (link.attribute, link.to)))
            .collect::<Result<_, _>>()?;
        let backlinks: Vec<_> = reader.backlinks(id)?.collect::<Result<_, _>>()?;
        let schema = self.catalogue.schema.clone();
        let mut loose = Vec::new();
        for row in reader.loose(id)? {
            let row = row?;
            if let Some(reversed) = crate::search::evaluate::reversed_of(&schema, row.value) {
                loose.push((row.attribute, reversed));
            }
        }
        let linked = !links.is_empty() || !backlinks.is_empty();
        for (attribute, to) in links {
            self.batch.unlink(id, attribute, to)?;
        }
        for backlink in backlinks {
            self.batch.unlink(backlink.from, backlink.attribute, id)?;
            let left = self.batch.reader().links(backlink.from)?.next().is_some();
            if !left && backlink.from != id {
                self.mark_links(backlink.from)?;
            }
        }
        for (attribute, reversed) in loose {
            self.batch.remove_loose(id, attribute, &reversed)?;
        }
        Ok(linked)
    }

    fn change_links(&mut self, id: EntryId, changes: &[LinkChange]) -> Result<(), Fault> {
        for change in changes {
            let attribute = self.attribute(&change.described)?;
            match (&change.target, &change.text) {
                (Target::Entry(to), Some(text)) => {
                    self.batch.link(id, attribute, *to, text)?;
                }
                (Target::Itself, Some(text)) => {
                    self.batch.link(id, attribute, id, text)?;
                }
                (Target::Loose(reversed), Some(value)) => {
                    self.batch.add_loose(id, attribute, reversed, value)?;
                }
                (Target::Entry(to), None) => {
                    self.batch.unlink(id, attribute, *to)?;
                }
                (Target::Itself, None) => {
                    self.batch.unlink(id, attribute, id)?;
                }
                (Target::Loose(reversed), None) => {
                    self.batch.remove_loose(id, attribute, reversed)?;
                }
            }
        }
        Ok(())
    }

    /// Loose values whose name now is an entry's become links. Whether there were any.
    fn bind_loose(&mut self, reversed: &[u8], look: Look<'_>) -> Result<bool, Fault> {
        let mut bound = Vec::new();
        look(self.batch, self.catalogue.clone(), &mut |tree| {
            for row in tree.reader.loose_below(reversed)? {
                let row = row?;
                let value = tree.reader.loose_value(row.from, row.attribute, &row.hash)?;
                let Some(value) = value else { continue };
                let text = std::str::from_utf8(value).unwrap_or_default();
                let (name, uid) = crate::search::filter::split_uid(text);
                let Ok(name) = tree.normalize(name) else { continue };
                if let Resolved::Found(to) = tree.resolve(&name)? {
                    let reversed = name.reversed();
                    debug_assert_eq!(hash16(&reversed), row.hash);
                    bound.push((row.from, row.attribute, to, reversed, uid.as_bytes().to_vec()));
                }
            }
            Ok(())
        })?;
        let any = !bound.is_empty();
        for (from, attribute, to, reversed, text) in bound {
            self.batch.remove_loose(from, attribute, &reversed)?;
            self.batch.link(from, attribute, to, &text)?;
            self.mark_links(from)?;
        }
        Ok(any)
    }

    /// Sets or clears the flags that make readers look at the link tables.
    fn mark_links(&mut self, id: EntryId) -> Result<(), Fault> {
        let entry = {
            let reader = self.batch.reader();
            let Some(record) = reader.entry(id)? else { return Ok(()) };
            Entry::decode(&record, &self.catalogue)?
        };
        let flags = EntryFlags {
            has_links: self.batch.reader().links(id)?.next().is_some(),
            has_loose: self.batch.reader().loose(id)?.next().is_some(),
        };
        self.put(id, &entry, flags)
    }

    /// What the link tables hold of an entry after these changes; looked up only where they went.
    fn flags_after(
        &self,
        id: EntryId,
        before: &Entry,
        changes: &[LinkChange],
    ) -> Result<EntryFlags, Fault> {
        let mut flags = before.flags;
        let is_loose = |change: &LinkChange| matches!(change.target, Target::Loose(_));
        if changes.iter().any(|change| !is_loose(change)) {
            flags.has_links = self.batch.reader().links(id)?.next().is_some();
        }
        if changes.iter().any(is_loose) {
            flags.has_loose = self.batch.reader().loose(id)?.next().is_some();
        }
        Ok(flags)
    }

    /// The number of a description, new if it must be.
    fn attribute(&mut self, described: &Described) -> Result<AttributeId, Fault> {
        match described.number {
            Some(number) => Ok(number),
            None => self.number(&described.key, &described.text),
        }
    }

    fn number(&mut self, key: &str, text: &str) -> Result<AttributeId, Fault> {
        if let Some(id) = self.catalogue.id(key) {
            return Ok(id);
        }
        let id = self.batch.attribute_id_or_new(text)?;
        self.catalogue = Arc::new(self.catalogue.extended(&[(id, text.to_owned())]));
        Ok(id)
    }

    /// Writes the entry's record over the one there is.
    fn put(&mut self, id: EntryId, entry: &Entry, flags: EntryFlags) -> Result<(), Fault> {
        let record = self.record(entry, flags)?;
        self.batch.replace_entry(id, &record)
    }

    fn record(&mut self, entry: &Entry, flags: EntryFlags) -> Result<Vec<u8>, Fault> {
        let mut numbers = Vec::with_capacity(entry.attributes.len());
        for attribute in &entry.attributes {
            numbers.push(self.attribute(&attribute.described)?);
        }
        encode(entry, &numbers, flags)
    }

    fn index_keys<'e>(
        &self,
        attributes: impl IntoIterator<Item = &'e EntryAttribute>,
    ) -> Vec<OwnedKey> {
        let mut keys = Vec::new();
        for attribute in attributes {
            let values = attribute.values.iter();
            self.indexes.keys(&self.catalogue.schema, &attribute.described, values, &mut keys);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Only the attributes that differ have other keys, so only theirs are made.
    fn repost(
        &mut self,
        id: EntryId,
        differing: &Differing<'_>,
        after: &Entry,
    ) -> Result<(), Fault> {
        let mut gone = self.index_keys(differing.0.iter().copied());
        let mut came = self.index_keys(differing.1.iter().copied());
        let stay: Vec<_> =
            gone.iter().filter(|key| came.binary_search(key).is_ok()).cloned().collect();
        gone.retain(|key| stay.binary_search(key).is_err());
        came.retain(|key| stay.binary_search(key).is_err());
        self.keep_shared(&mut gone, after);
        self.post(&gone, id, false)?;
        self.post(&came, id, true)
    }

    /// Takes out of `gone` what the entry still has under another description: `cn` and
    /// `cn;lang-de` are entered under one type, and so are the subtypes of one supertype.
    fn keep_shared(&self, gone: &mut Vec<OwnedKey>, after: &Entry) {
        if gone.is_empty() {
            return;
        }
        let types: HashSet<u32> = gone.iter().map(|(_, type_index, _)| *type_index).collect();
        let shares = |attribute: &&EntryAttribute| {
            let under = self.indexes.entered_under(&attribute.described);
            under.iter().any(|type_index| types.contains(type_index))
        };
        let held = self.index_keys(after.attributes.iter().filter(shares));
        gone.retain(|key| held.binary_search(key).is_err());
    }

    /// Enters the entry under these keys, or takes it out; keys of one type stand together.
    fn post(&mut self, keys: &[OwnedKey], id: EntryId, add: bool) -> Result<(), Fault> {
        let schema = self.catalogue.schema.clone();
        for keys in keys.chunk_by(|one, next| one.1 == next.1) {
            let kind = keys.first().and_then(|(_, index, _)| schema.attribute_type_at(*index));
            let Some(kind) = kind else { continue };
            let attribute = self.number(&kind.key, &kind.name)?;
            // Preparing the next change of this batch looks for an entryUUID, which no two share.
            let now = kind.key == "entryuuid";
            for (kind, _, value) in keys {
                let key = PostingKey { kind: *kind, attribute, key: value };
                match (now, add) {
                    (true, true) => self.batch.posting_add(&key, id).map(drop)?,
                    (true, false) => self.batch.posting_remove(&key, id).map(drop)?,
                    (false, true) => self.batch.posting_add_later(&key, id)?,
                    (false, false) => self.batch.posting_remove_later(&key, id)?,
                }
            }
        }
        Ok(())
    }

    fn log(
        &mut self,
        kind: record::Kind,
        id: EntryId,
        entry: &Entry,
        dn: &str,
        body: &[u8],
    ) -> Result<u64, Fault> {
        let head = record::Head {
            kind,
            time_ms: self.time_ms,
            id,
            uuid: entry.text("entryuuid").unwrap_or_default(),
            dn,
            author: self.author,
        };
        Ok(self.batch.append_change(&record::encode(&head, body))?.0)
    }
}

/// The record of an entry whose attributes have these numbers, in order.
pub(crate) fn encode(
    entry: &Entry,
    numbers: &[AttributeId],
    flags: EntryFlags,
) -> Result<Vec<u8>, Fault> {
    let mut builder = EntryBuilder::new(entry.parent, &entry.rdn).flags(flags);
    let stored = entry.attributes.iter().find_map(|attribute| attribute.values.whole_entry());
    builder.reserve(entry.attributes.len(), stored.map_or(0, <[u8]>::len));
    for (attribute, id) in entry.attributes.iter().zip(numbers) {
        let described = &attribute.described;
        // The schema may spell the description otherwise by now.
        let wire = attribute.values.wire();
        let wire = wire.filter(|wire| description(wire) == described.text.as_bytes());
        match (described.operational, wire) {
            (true, Some(wire)) => builder.operational_wire(*id, wire),
            (false, Some(wire)) => builder.user_wire(*id, wire),
            (true, None) => builder.operational(*id, &described.text, attribute.values.iter()),
            (false, None) => builder.user(*id, &described.text, attribute.values.iter()),
        };
    }
    builder.build().map_err(|error| Fault::Damaged { what: error.to_string() })
}
