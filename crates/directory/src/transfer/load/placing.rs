//! Placing read records in the tree, in order, by one thread: ids, numbers of descriptions, links.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::reading::{LinkValue, NameHash, Read};
use super::{LoadError, Loaded, WAITING_BYTES_MAX};
use crate::change::perform::encode;
use crate::change::record;
use crate::directory::Inner;
use crate::refusal::Fault;
use crate::schema::Schema;
use crate::store::bulk::{BulkNode, BulkWriter};
use crate::store::{AttributeId, EntryFlags, EntryId, PostingKey};
use crate::transfer::Rejected;

pub(super) struct Placing<'p> {
    inner: &'p Inner,
    bulk: BulkWriter<'p>,
    schema: Arc<Schema>,
    ids: HashMap<NameHash, EntryId>,
    uuids: HashSet<[u8; 16]>,
    /// Numbers of descriptions, by key; of bare types, by their place in the schema.
    numbers: HashMap<String, AttributeId>,
    types: HashMap<u32, AttributeId>,
    /// Records whose parent has not come yet, by the parent's name.
    waiting: HashMap<NameHash, Vec<Read>>,
    waiting_bytes: usize,
    /// Values whose entry has not come yet.
    unbound: Vec<Unbound>,
    pub(super) loaded: Loaded,
    pub(super) bytes: u64,
}

struct Unbound {
    from: EntryId,
    attribute: AttributeId,
    target: NameHash,
    reversed: Box<[u8]>,
    uid: Box<[u8]>,
    value: Box<[u8]>,
}

impl<'p> Placing<'p> {
    pub(super) fn begin(inner: &'p Inner, sorting_bytes: usize) -> Result<Placing<'p>, Fault> {
        Ok(Placing {
            inner,
            bulk: BulkWriter::begin(&inner.store, sorting_bytes)?,
            schema: inner.catalogue.load().schema.clone(),
            ids: HashMap::new(),
            uuids: HashSet::new(),
            numbers: HashMap::new(),
            types: HashMap::new(),
            waiting: HashMap::new(),
            waiting_bytes: 0,
            unbound: Vec::new(),
            loaded: Loaded::default(),
            bytes: 0,
        })
    }

    /// Places a record, and everything that waited for it.
    pub(super) fn place(&mut self, read: Read) -> Result<Vec<Rejected>, LoadError> {
        self.bytes += read.text.len() as u64;
        let parent = match &read.parent {
            None => EntryId::ROOT,
            Some(parent) => match self.ids.get(parent) {
                Some(id) => *id,
                None => return self.wait(*parent, read).map(|()| Vec::new()),
            },
        };
        let mut ready = vec![(parent, read)];
        let mut refused = Vec::new();
        while let Some((parent, read)) = ready.pop() {
            let name = read.name;
            match self.write(parent, read)? {
                Ok(id) => {
                    let waited = self.waiting.remove(&name).unwrap_or_default();
                    self.waiting_bytes -= waited.iter().map(weight).sum::<usize>();
                    // The last is taken first: the order of the file is kept.
                    ready.extend(waited.into_iter().rev().map(|read| (id, read)));
                }
                Err(rejected) => refused.push(rejected),
            }
        }
        Ok(refused)
    }

    fn wait(&mut self, parent: NameHash, read: Read) -> Result<(), LoadError> {
        self.waiting_bytes += weight(&read);
        if self.waiting_bytes > WAITING_BYTES_MAX {
            return Err(LoadError::TooManyWaiting);
        }
        self.waiting.entry(parent).or_default().push(read);
        Ok(())
    }

    /// What waits in vain, in the order of the file.
    pub(super) fn orphans(&mut self) -> Vec<Rejected> {
        let mut orphans: Vec<Rejected> = std::mem::take(&mut self.waiting)
            .into_values()
            .flatten()
            .map(|read| rejected(read, "the entry above it is not in the file"))
            .collect();
        orphans.sort_by_key(|rejected| rejected.line);
        orphans
    }

    fn write(
        &mut self,
        parent: EntryId,
        mut read: Read,
    ) -> Result<Result<EntryId, Rejected>, Fault> {
        if self.ids.contains_key(&read.name) {
            return Ok(Err(rejected(read, "an entry of this name came before")));
        }
        if !self.uuids.insert(read.uuid) {
            return Ok(Err(rejected(read, "another entry has the same entryUUID")));
        }
        let id = self.bulk.next_id();
        self.ids.insert(read.name, id);
        read.entry.parent = parent;
        let mut numbers = Vec::with_capacity(read.entry.attributes.len());
        for attribute in &read.entry.attributes {
            numbers.push(self.number(&attribute.described.key, &attribute.described.text)?);
        }
        let flags = self.link(id, &read.links)?;
        let record = encode(&read.entry, &numbers, flags)?;
        let node = BulkNode { parent, name_key: &read.name_key, rdn: &read.entry.rdn };
        self.bulk.add(&record, &node)?;
        for (kind, type_index, value) in &read.keys {
            let attribute = self.type_number(*type_index)?;
            self.bulk.posting(&PostingKey { kind: *kind, attribute, key: value }, id)?;
        }
        self.bulk.posting(&PostingKey::ALL, id)?;
        self.loaded.entries += 1;
        Ok(Ok(id))
    }

    /// A value whose entry may still come sets both flags: a flag without rows is harmless.
    fn link(&mut self, id: EntryId, links: &[LinkValue]) -> Result<EntryFlags, Fault> {
        let mut flags = EntryFlags::default();
        for link in links {
            let attribute = self.number(&link.described.key, &link.described.text)?;
            flags.has_links = true;
            match self.ids.get(&link.target) {
                Some(to) => self.bulk.link(id, attribute, *to, &link.uid)?,
                None => {
                    flags.has_loose = true;
                    self.unbound.push(Unbound {
                        from: id,
                        attribute,
                        target: link.target,
                        reversed: link.reversed.clone().into(),
                        uid: link.uid.clone().into(),
                        value: link.value.clone().into(),
                    });
                }
            }
        }
        Ok(flags)
    }

    fn number(&mut self, key: &str, text: &str) -> Result<AttributeId, Fault> {
        if let Some(number) = self.numbers.get(key) {
            return Ok(*number);
        }
        let number = self.bulk.attribute_id_or_new(text)?;
        self.numbers.insert(key.to_owned(), number);
        Ok(number)
    }

    fn type_number(&mut self, type_index: u32) -> Result<AttributeId, Fault> {
        if let Some(number) = self.types.get(&type_index) {
            return Ok(*number);
        }
        let schema = self.schema.clone();
        let kind = schema.attribute_type_at(type_index);
        let kind = kind.ok_or_else(|| Fault::Damaged { what: "an index of no type".to_owned() })?;
        let number = self.number(&kind.key, &kind.name)?;
        self.types.insert(type_index, number);
        Ok(number)
    }

    /// Binds what could not be bound before, writes everything sorted, and commits.
    pub(super) fn finish(mut self) -> Result<Loaded, Fault> {
        for unbound in std::mem::take(&mut self.unbound) {
            let Unbound { from, attribute, target, reversed, uid, value } = unbound;
            match self.ids.get(&target) {
                Some(to) => self.bulk.link(from, attribute, *to, &uid)?,
                None => {
                    self.loaded.loose += 1;
                    self.bulk.loose(from, attribute, &reversed, &value)?;
                }
            }
        }
        let Placing { inner, bulk, loaded, schema, .. } = self;
        let (mut batch, _) = bulk.finish()?;
        let head = record::Head {
            kind: record::Kind::BulkLoad,
            time_ms: inner.clock.now_ms(),
            id: EntryId::ROOT,
            uuid: "",
            dn: "",
            author: "cn=operator",
        };
        let body = format!("entries: {}\n", loaded.entries);
        batch.append_change(&record::encode(&head, body.as_bytes()))?;
        batch.put_meta(crate::reindex::META, inner.indexes().text(&schema).as_bytes())?;
        batch.commit()?;
        Ok(loaded)
    }
}

fn weight(read: &Read) -> usize {
    let values = read.entry.attributes.iter().flat_map(|held| &held.values).map(Vec::len);
    let keys = read.keys.iter().map(|(_, _, key)| key.len() + 40);
    512 + read.text.len() + values.sum::<usize>() + keys.sum::<usize>() + read.links.len() * 256
}

fn rejected(read: Read, what: &str) -> Rejected {
    Rejected { line: read.line, dn: read.dn, what: what.to_owned(), text: read.text }
}
