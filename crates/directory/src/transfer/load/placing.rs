//! Placing read records in the tree, in order, by one thread: ids, links, what waits.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use super::reading::{Known, LinkValue, NameHash, Read, Reading};
use super::{Loaded, SORTING_BYTES_MAX};
use crate::change::record;
use crate::directory::Inner;
use crate::refusal::Fault;
use crate::store::bulk::{BulkNode, BulkWriter};
use crate::store::entry::settle;
use crate::store::{AttributeId, EntryFlags, EntryId, PostingKey};
use crate::transfer::Rejected;
use crate::transfer::aside::Aside;
use crate::transfer::records::RawRecord;

/// Link values kept in memory until their entry comes.
const UNBOUND_BYTES_MAX: usize = 64 << 20;

pub(super) struct Placing<'p> {
    inner: &'p Inner,
    reading: &'p Reading<'p>,
    bulk: BulkWriter<'p>,
    ids: HashMap<NameHash, EntryId, BuildHasherDefault<FirstBytes>>,
    uuids: HashSet<[u8; 16]>,
    /// Records whose parent has not come yet, by the parent's name.
    waiting: HashMap<NameHash, Vec<Read>>,
    waiting_bytes: usize,
    waiting_bytes_max: usize,
    /// The texts of those for which there was no room.
    aside: Aside,
    /// Values whose entry has not come yet.
    unbound: Aside,
    pub(super) loaded: Loaded,
    pub(super) bytes: u64,
}

impl<'p> Placing<'p> {
    pub(super) fn begin(
        inner: &'p Inner,
        reading: &'p Reading<'p>,
        waiting_bytes_max: usize,
    ) -> Result<Placing<'p>, Fault> {
        Ok(Placing {
            inner,
            reading,
            bulk: BulkWriter::begin(&inner.store, SORTING_BYTES_MAX)?,
            ids: HashMap::default(),
            uuids: HashSet::new(),
            waiting: HashMap::new(),
            waiting_bytes: 0,
            waiting_bytes_max,
            aside: new_aside(inner),
            unbound: Aside::new(inner.store.folder(), "unbound.tmp", UNBOUND_BYTES_MAX),
            loaded: Loaded::default(),
            bytes: 0,
        })
    }

    /// Enters the numbers that records from here on may have.
    pub(super) fn enter_numbers(&mut self) -> Result<(), Fault> {
        self.reading.numbers.enter(&mut self.bulk)
    }

    /// Places a record, and everything that waited for it.
    pub(super) fn place(&mut self, read: Read) -> Result<Vec<Rejected>, Fault> {
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

    fn wait(&mut self, parent: NameHash, read: Read) -> Result<(), Fault> {
        let weight = weight(&read);
        if self.waiting_bytes + weight > self.waiting_bytes_max {
            return self.aside.push(&[&read.line.to_le_bytes(), &read.text]);
        }
        self.waiting_bytes += weight;
        self.waiting.entry(parent).or_default().push(read);
        Ok(())
    }

    /// Tries again what was put aside, as long as that gets any further. Gives what is refused on
    /// the way.
    pub(super) fn place_aside(
        &mut self,
        refuse: &mut dyn FnMut(&mut Self, Rejected) -> Result<(), super::LoadError>,
    ) -> Result<(), super::LoadError> {
        let mut known = Known::default();
        loop {
            let aside = std::mem::replace(&mut self.aside, new_aside(self.inner));
            let before = (aside.records(), self.loaded.entries);
            let mut records = aside.read()?;
            while let Some([line, text]) = records.next()? {
                let line = line.try_into().map_or(0, u32::from_le_bytes);
                let Some(read) = self.reading.read(RawRecord { line, text }, &mut known) else {
                    continue;
                };
                self.enter_numbers()?;
                let refused = match read {
                    Ok(read) => self.place(read)?,
                    Err(rejected) => vec![rejected],
                };
                for rejected in refused {
                    refuse(self, rejected)?;
                }
            }
            if (self.aside.records(), self.loaded.entries) == before || self.aside.records() == 0 {
                return Ok(());
            }
        }
    }

    /// What waits in vain, in the order of the file.
    pub(super) fn orphans(
        &mut self,
        refuse: &mut dyn FnMut(&mut Self, Rejected) -> Result<(), super::LoadError>,
    ) -> Result<(), super::LoadError> {
        const WHAT: &str = "the entry above it is not in the file, or was refused";
        let waiting = std::mem::take(&mut self.waiting).into_values().flatten();
        let mut orphans: Vec<Rejected> = waiting.map(|read| rejected(read, WHAT)).collect();
        orphans.sort_by_key(|rejected| rejected.line);
        for orphan in orphans {
            refuse(self, orphan)?;
        }
        let aside = std::mem::replace(&mut self.aside, new_aside(self.inner));
        let mut records = aside.read()?;
        while let Some([line, text]) = records.next()? {
            let line = line.try_into().map_or(0, u32::from_le_bytes);
            let orphan = Rejected { line, dn: dn_of(&text, line), what: WHAT.to_owned(), text };
            refuse(self, orphan)?;
        }
        Ok(())
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
        let flags = self.link(id, &read.links)?;
        settle(&mut read.record, parent, flags)?;
        let node = BulkNode { parent, name_key: &read.name_key, rdn: &read.rdn };
        self.bulk.add(&read.record, &node)?;
        for (kind, attribute, key) in read.keys.iter() {
            self.bulk.posting(&PostingKey { kind, attribute, key }, id)?;
        }
        self.bulk.posting(&PostingKey::ALL, id)?;
        self.loaded.entries += 1;
        Ok(Ok(id))
    }

    /// A value whose entry may still come sets both flags: a flag without rows is harmless.
    fn link(&mut self, id: EntryId, links: &[LinkValue]) -> Result<EntryFlags, Fault> {
        let mut flags = EntryFlags::default();
        for link in links {
            flags.has_links = true;
            match self.ids.get(&link.target) {
                Some(to) => {
                    self.bulk.link(id, link.attribute, *to, uid(link.uid_at, &link.value))?
                }
                None => {
                    flags.has_loose = true;
                    self.unbound.push(&[
                        &id.0.to_le_bytes(),
                        &link.attribute.0.to_le_bytes(),
                        &link.target,
                        &(link.uid_at as u64).to_le_bytes(),
                        &link.reversed,
                        &link.value,
                    ])?;
                }
            }
        }
        Ok(flags)
    }

    /// Links what could not be linked before.
    fn bind(&mut self) -> Result<(), Fault> {
        let folder = self.inner.store.folder();
        let unbound = std::mem::replace(&mut self.unbound, Aside::new(folder, "unbound.tmp", 0));
        let mut values = unbound.read()?;
        while let Some([from, attribute, target, uid_at, reversed, value]) = values.next()? {
            let from = EntryId(from.try_into().map_or(0, u64::from_le_bytes));
            let attribute = AttributeId(attribute.try_into().map_or(0, u32::from_le_bytes));
            let target: NameHash = target.try_into().unwrap_or_default();
            let uid_at = uid_at.try_into().map_or(0, u64::from_le_bytes) as usize;
            match self.ids.get(&target) {
                Some(to) => self.bulk.link(from, attribute, *to, uid(uid_at, &value))?,
                None => {
                    self.loaded.loose += 1;
                    self.bulk.loose(from, attribute, &reversed, &value)?;
                }
            }
        }
        Ok(())
    }

    /// Binds what could not be bound before, writes everything sorted, and commits.
    pub(super) fn finish(mut self) -> Result<Loaded, Fault> {
        self.bind()?;
        let Placing { inner, bulk, loaded, .. } = self;
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
        let ruling = inner.in_force.load();
        let indexes = ruling.indexes.text(&ruling.catalogue.schema);
        batch.put_meta(crate::reindex::META, indexes.as_bytes())?;
        batch.commit()?;
        Ok(loaded)
    }
}

/// Hashes what is a hash already.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }
}

fn new_aside(inner: &Inner) -> Aside {
    Aside::new(inner.store.folder(), "waiting.tmp", super::ASIDE_BYTES_MAX)
}

fn uid(at: usize, value: &[u8]) -> &[u8] {
    value.get(at..).unwrap_or_default()
}

fn dn_of(text: &[u8], line: u32) -> String {
    let record = ldap::ldif::Record::parse(text, line);
    record.ok().flatten().map(|record| record.dn.into_owned()).unwrap_or_default()
}

fn weight(read: &Read) -> usize {
    let links: usize =
        read.links.iter().map(|link| link.value.len() + link.reversed.len() + 120).sum();
    512 + read.text.len() + read.record.len() + read.keys.bytes() + links
}

fn rejected(read: Read, what: &str) -> Rejected {
    Rejected { line: read.line, dn: read.dn, what: what.to_owned(), text: read.text }
}
