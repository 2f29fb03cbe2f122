//! One record on any thread: parsed, explained, checked as an add is, and its index keys made.
//! Needs nothing of the tree.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ldap::dn::Rdn;
use ldap::ldif::{Record, RecordKind};

use super::Passwords;
use crate::catalogue::{Catalogue, Described};
use crate::change::NewAttribute;
use crate::directory::Inner;
use crate::entry::{Entry, equality_key};
use crate::index::{Indexes, OwnedKey};
use crate::names::{Suffixes, parse, suffix_key};
use crate::password;
use crate::schema::AttributeType;
use crate::schema::check::{EntryToCheck, check_entry};
use crate::schema::names::{NormalizedDn, normalize_dn};
use crate::search::filter::split_uid;
use crate::store::EntryId;
use crate::store::names::hash16;
use crate::transfer::Rejected;
use crate::transfer::changes::gathered;
use crate::transfer::records::RawRecord;

/// A name as it is looked up while loading: a hash of its whole reversed form.
pub(super) type NameHash = [u8; 16];

/// A record that nothing but its place in the tree stands against.
pub(super) struct Read {
    pub(super) line: u32,
    pub(super) dn: String,
    pub(super) text: Vec<u8>,
    pub(super) name: NameHash,
    /// None: a suffix.
    pub(super) parent: Option<NameHash>,
    pub(super) name_key: Vec<u8>,
    /// Its parent is not known yet.
    pub(super) entry: Entry,
    pub(super) links: Vec<LinkValue>,
    pub(super) keys: Vec<OwnedKey>,
    pub(super) uuid: [u8; 16],
}

pub(super) struct LinkValue {
    pub(super) described: Arc<Described>,
    pub(super) target: NameHash,
    /// The target's reversed name, for a value that stays loose.
    pub(super) reversed: Vec<u8>,
    pub(super) uid: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Descriptions that this thread has met.
#[derive(Default)]
pub(super) struct Known(HashMap<String, Arc<Described>>);

pub(super) struct Reading<'r> {
    inner: &'r Inner,
    catalogue: Arc<Catalogue>,
    suffixes: Arc<Suffixes>,
    indexes: Arc<Indexes>,
    passwords: Passwords,
    time: String,
}

impl<'r> Reading<'r> {
    pub(super) fn new(inner: &'r Inner, passwords: Passwords) -> Reading<'r> {
        Reading {
            inner,
            catalogue: inner.catalogue.load_full(),
            suffixes: inner.suffixes.load_full(),
            indexes: inner.indexes(),
            passwords,
            time: crate::clock::generalized_time(inner.clock.now_ms()),
        }
    }

    /// None for what holds no entry: comments, the version line.
    pub(super) fn read(&self, raw: RawRecord, known: &mut Known) -> Option<Result<Read, Rejected>> {
        let RawRecord { line, text } = raw;
        let record = match Record::parse(&text, line) {
            Ok(None) => return None,
            Ok(Some(record)) => record,
            Err(error) => {
                let (line, what) = (error.line, error.what);
                return Some(Err(Rejected { line, dn: String::new(), what, text }));
            }
        };
        let (line, dn) = (record.line, record.dn.to_string());
        let read = self.read_record(&record, &dn, known);
        drop(record);
        Some(match read {
            Ok(read) => Ok(Read { line, dn, text, ..read }),
            Err(what) => Err(Rejected { line, dn, what, text }),
        })
    }

    fn read_record(
        &self,
        record: &Record<'_>,
        dn: &str,
        known: &mut Known,
    ) -> Result<Read, String> {
        let lines = match &record.kind {
            RecordKind::Content(lines) | RecordKind::Add(lines) => lines,
            _ => {
                return Err("a change of an entry can only be loaded into a directory that has it"
                    .to_owned());
            }
        };
        let written = parse(dn).map_err(|refusal| refusal.message)?;
        let schema = &self.catalogue.schema;
        let name = normalize_dn(schema, &written).map_err(|error| error.to_string())?;
        let place = self.place(&name)?;
        let rdns: Vec<Rdn> =
            if place.1 { written.rdns } else { written.rdns.into_iter().take(1).collect() };
        let rdn = ldap::dn::Dn { rdns: rdns.clone() }.to_string();
        let mut entry = Entry { parent: EntryId::ROOT, rdn, attributes: Vec::new() };
        let mut links = Vec::new();
        for attribute in gathered(lines)? {
            self.take(attribute, &mut entry, &mut links, known)?;
        }
        self.add_naming_values(&mut entry, &rdns, known)?;
        let uuid = self.stamp(&mut entry, &links, &rdns, known)?;
        let mut keys = Vec::new();
        for attribute in &entry.attributes {
            let values = attribute.values.iter().map(Vec::as_slice);
            self.indexes.keys(schema, &attribute.described, values, &mut keys);
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(Read {
            line: 0,
            dn: String::new(),
            text: Vec::new(),
            name: hash16(&name.reversed()),
            parent: (!place.1).then(|| hash16(&above(&name).reversed())),
            name_key: place.0,
            entry,
            links,
            keys,
            uuid,
        })
    }

    /// The name key, and whether the entry is a suffix.
    fn place(&self, name: &NormalizedDn) -> Result<(Vec<u8>, bool), String> {
        if let Some(unknown) = &name.unknown_type {
            return Err(format!(
                "the schema has no attribute type '{unknown}', which the name uses"
            ));
        }
        let node = self.suffixes.node_key(name).ok_or_else(|| {
            let held: Vec<&str> = self.suffixes.texts().collect();
            format!(
                "it is not below a suffix of this directory ({}); give --suffix",
                held.join(" and ")
            )
        })?;
        debug_assert!(!node.is_suffix || node.key == suffix_key(&name.keys));
        Ok((node.key, node.is_suffix))
    }

    fn describe(&self, text: &str, known: &mut Known) -> Result<Arc<Described>, String> {
        if let Some(described) = known.0.get(text) {
            return Ok(described.clone());
        }
        let described = self.catalogue.describe(text).map_err(|refusal| refusal.message)?;
        known.0.insert(text.to_owned(), described.clone());
        Ok(described)
    }

    fn take(
        &self,
        attribute: NewAttribute,
        entry: &mut Entry,
        links: &mut Vec<LinkValue>,
        known: &mut Known,
    ) -> Result<(), String> {
        let schema = &self.catalogue.schema;
        let described = self.describe(&attribute.description, known)?;
        let kind = described.attribute_type(schema);
        if described.link {
            return self.take_links(&described, attribute.values, links);
        }
        let mut values = attribute.values;
        if described.type_key == "userpassword" {
            self.settle(&mut values)?;
        }
        let rule = kind.and_then(|kind| kind.equality);
        let mut seen = HashSet::with_capacity(if values.len() > 1 { values.len() } else { 0 });
        for value in &values {
            if let Some(kind) = kind.filter(|_| !described.secret) {
                kind.syntax.check(schema, value).map_err(|invalid| {
                    format!("a value of '{}' does not fit its syntax: {invalid}", described.text)
                })?;
            }
            if values.len() > 1 && !seen.insert(equality_key(schema, rule, value)) {
                return Err(format!("'{}' is given the same value twice", described.text));
            }
        }
        if entry.find(&described.key).is_some() {
            return Err(format!("'{}' is given under two names", described.text));
        }
        entry.attributes.push(crate::entry::EntryAttribute { described, values });
        Ok(())
    }

    fn settle(&self, values: &mut [Vec<u8>]) -> Result<(), String> {
        for value in values {
            if password::is_hash(value) {
                continue;
            }
            if self.passwords == Passwords::Refuse {
                return Err("its password stands in the clear".to_owned());
            }
            let mut salt = [0; password::SALT_LENGTH];
            self.inner.clock.random(&mut salt);
            let hasher = self.inner.settings.hasher;
            *value = hasher.hash(value, &salt).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn take_links(
        &self,
        described: &Arc<Described>,
        values: Vec<Vec<u8>>,
        links: &mut Vec<LinkValue>,
    ) -> Result<(), String> {
        let mut seen = HashSet::with_capacity(values.len());
        for value in values {
            let text = std::str::from_utf8(&value)
                .map_err(|_| format!("a value of '{}' must be a name in UTF-8", described.text))?;
            let (name, uid) = split_uid(text);
            let name = crate::names::parse_and_normalize(&self.catalogue.schema, name).map_err(
                |refusal| format!("'{}' must be a name: {}", described.text, refusal.message),
            )?;
            let reversed = name.reversed();
            let target = hash16(&reversed);
            if !seen.insert(target) {
                return Err(format!("'{}' is given the same name twice: {text}", described.text));
            }
            let uid = uid.as_bytes().to_vec();
            links.push(LinkValue { described: described.clone(), target, reversed, uid, value });
        }
        Ok(())
    }

    fn add_naming_values(
        &self,
        entry: &mut Entry,
        rdns: &[Rdn],
        known: &mut Known,
    ) -> Result<(), String> {
        let schema = &self.catalogue.schema;
        for part in rdns.first().iter().flat_map(|rdn| &rdn.values) {
            let described = self.describe(&part.attribute, known)?;
            let rule = described.attribute_type(schema).and_then(|kind| kind.equality);
            let key = equality_key(schema, rule, &part.value);
            let held = entry.find_mut(&described.key);
            match held {
                Some(held)
                    if held.values.iter().any(|value| equality_key(schema, rule, value) == key) => {
                }
                Some(held) => held.values.push(part.value.clone()),
                None => entry.set(described, vec![part.value.clone()]),
            }
        }
        Ok(())
    }

    /// The schema as a whole, and what the server keeps by itself where the file does not have it.
    fn stamp(
        &self,
        entry: &mut Entry,
        links: &[LinkValue],
        rdns: &[Rdn],
        known: &mut Known,
    ) -> Result<[u8; 16], String> {
        let structural = self.check_schema(entry, links, rdns)?;
        let uuid = match entry.text("entryuuid") {
            Some(text) => {
                *uuid::Uuid::try_parse(text).map_err(|error| error.to_string())?.as_bytes()
            }
            None => {
                let mut random = [0; 16];
                self.inner.clock.random(&mut random);
                *uuid::Builder::from_random_bytes(random).as_uuid().as_bytes()
            }
        };
        let author = "cn=operator";
        let kept = [
            ("structuralObjectClass", structural),
            ("entryUUID", uuid::Uuid::from_bytes(uuid).to_string()),
            ("creatorsName", author.to_owned()),
            ("createTimestamp", self.time.clone()),
            ("modifiersName", author.to_owned()),
            ("modifyTimestamp", self.time.clone()),
        ];
        for (name, value) in kept {
            let described = self.describe(name, known)?;
            if entry.find(&described.key).is_none() {
                entry.set(described, vec![value.into_bytes()]);
            }
        }
        Ok(uuid)
    }

    fn check_schema(
        &self,
        entry: &Entry,
        links: &[LinkValue],
        rdns: &[Rdn],
    ) -> Result<String, String> {
        let schema = &self.catalogue.schema;
        let mut present: Vec<(&AttributeType, usize)> =
            Vec::with_capacity(entry.attributes.len() + 2);
        for attribute in &entry.attributes {
            if let Some(kind) = attribute.described.attribute_type(schema) {
                present.push((kind, attribute.values.len()));
            }
        }
        for link in links {
            let Some(kind) = link.described.attribute_type(schema) else { continue };
            match present.iter_mut().find(|(held, _)| held.index == kind.index) {
                Some((_, count)) => *count += 1,
                None => present.push((kind, 1)),
            }
        }
        let classes =
            entry.find("objectclass").map(|held| held.values.as_slice()).unwrap_or_default();
        let classes: Vec<&[u8]> = classes.iter().map(Vec::as_slice).collect();
        let named = rdns.iter().flat_map(|rdn| &rdn.values);
        let rdn_types: Vec<&AttributeType> =
            named.filter_map(|part| schema.attribute_type(&part.attribute)).collect();
        let to_check =
            EntryToCheck { classes: &classes, attributes: &present, rdn_types: &rdn_types };
        // Data that was valid where it comes from: obsolete elements pass.
        let checked = check_entry(schema, &to_check, true).map_err(|refusal| refusal.message)?;
        let class = schema.object_class_at(checked.structural);
        Ok(class.map(|class| class.name.clone()).unwrap_or_default())
    }
}

fn above(name: &NormalizedDn) -> NormalizedDn {
    NormalizedDn {
        keys: name.keys.get(1..).unwrap_or_default().to_vec(),
        unknown_type: name.unknown_type.clone(),
    }
}
