//! One record on any thread: parsed, explained, checked as an add is, encoded, and its index keys
//! made. Needs nothing of the tree.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ldap::dn::Rdn;
use ldap::ldif::{LdifAttribute, LdifValue, Record, RecordKind, file_url_path};

use super::numbers::Numbers;
use super::{CLEAR_PASSWORDS_MAX, LoadOptions, Passwords};
use crate::catalogue::{Catalogue, Described};
use crate::change::perform::encode;
use crate::change::prepare::check_names;
use crate::directory::Inner;
use crate::entry::{Entry, EntryAttribute, equality_key};
use crate::index::{Indexes, OwnedKey};
use crate::names::{NodeKey, Suffixes, parse};
use crate::password;
use crate::schema::AttributeType;
use crate::schema::check::{EntryToCheck, check_entry};
use crate::schema::names::{NormalizedDn, normalize_dn};
use crate::search::filter::split_uid;
use crate::store::names::hash16;
use crate::store::{AttributeId, EntryFlags, EntryId, IndexKind};
use crate::transfer::Rejected;
use crate::transfer::changes::is_dropped;
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
    pub(super) rdn: String,
    /// Encoded, but for its place.
    pub(super) record: Vec<u8>,
    pub(super) links: Vec<LinkValue>,
    pub(super) keys: Keys,
    pub(super) uuid: [u8; 16],
}

pub(super) struct LinkValue {
    pub(super) attribute: AttributeId,
    pub(super) target: NameHash,
    /// The target's reversed name, for a value that stays loose.
    pub(super) reversed: Vec<u8>,
    /// Where in the value the text beyond the name begins.
    pub(super) uid_at: usize,
    pub(super) value: Vec<u8>,
}

/// Index keys, one behind the other: given to another thread at the price of one allocation.
#[derive(Default)]
pub(super) struct Keys(Vec<u8>);

impl Keys {
    fn push(&mut self, kind: IndexKind, attribute: AttributeId, key: &[u8]) {
        let letter = match kind {
            IndexKind::Presence => 0,
            IndexKind::Substring => 1,
            IndexKind::Equality | IndexKind::All => 2,
        };
        self.0.push(letter);
        self.0.extend_from_slice(&attribute.0.to_le_bytes());
        self.0.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend_from_slice(key);
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IndexKind, AttributeId, &[u8])> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (letter, after) = rest.split_first()?;
            let (attribute, after) = after.split_first_chunk::<4>()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            let (key, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            let kind = match letter {
                0 => IndexKind::Presence,
                1 => IndexKind::Substring,
                _ => IndexKind::Equality,
            };
            Some((kind, AttributeId(u32::from_le_bytes(*attribute)), key))
        })
    }
}

/// What is wrong, and on which line, where that is not the record's first.
pub(super) struct Wrong {
    line: Option<u32>,
    what: String,
}

impl From<String> for Wrong {
    fn from(what: String) -> Wrong {
        Wrong { line: None, what }
    }
}

fn on<T>(line: u32, result: Result<T, String>) -> Result<T, Wrong> {
    result.map_err(|what| Wrong { line: Some(line), what })
}

/// Descriptions that this thread has met; None for those that are dropped.
#[derive(Default)]
pub(super) struct Known {
    descriptions: HashMap<String, Option<(Arc<Described>, AttributeId)>>,
    types: HashMap<u32, AttributeId>,
    keys: Vec<OwnedKey>,
}

/// The lines of one attribute.
struct Lines {
    described: Arc<Described>,
    number: AttributeId,
    lines: Vec<u32>,
    values: Vec<Vec<u8>>,
}

pub(super) struct Reading<'r> {
    pub(super) inner: &'r Inner,
    catalogue: Arc<Catalogue>,
    suffixes: Arc<Suffixes>,
    indexes: Arc<Indexes>,
    pub(super) numbers: Numbers,
    options: &'r LoadOptions,
    clear_passwords: AtomicU64,
    time: String,
}

impl<'r> Reading<'r> {
    pub(super) fn new(inner: &'r Inner, options: &'r LoadOptions) -> Reading<'r> {
        let ruling = inner.in_force.load();
        let catalogue = Arc::clone(&ruling.catalogue);
        Reading {
            inner,
            suffixes: Arc::clone(&ruling.suffixes),
            indexes: Arc::clone(&ruling.indexes),
            numbers: Numbers::new(&catalogue),
            catalogue,
            options,
            clear_passwords: AtomicU64::new(0),
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
            Err(wrong) => {
                let line = wrong.line.unwrap_or(line);
                Err(Rejected { line, dn, what: wrong.what, text })
            }
        })
    }

    fn read_record(&self, record: &Record<'_>, dn: &str, known: &mut Known) -> Result<Read, Wrong> {
        let (RecordKind::Content(lines) | RecordKind::Add(lines)) = &record.kind else {
            let what = "a change of an entry can only be loaded into a directory that has it";
            return Err(what.to_owned().into());
        };
        let written = parse(dn).map_err(|refusal| refusal.message)?;
        let schema = &self.catalogue.schema;
        let name = normalize_dn(schema, &written).map_err(|error| error.to_string())?;
        let place = self.place(&name)?;
        let mut rdns = written.rdns;
        rdns.truncate(if place.is_suffix { rdns.len() } else { 1 });
        let rdns = ldap::dn::Dn { rdns };
        let mut entry = Entry {
            parent: EntryId::ROOT,
            rdn: rdns.to_string(),
            flags: EntryFlags::default(),
            attributes: Vec::new(),
        };
        let mut links = Vec::new();
        let mut present = Vec::with_capacity(lines.len());
        for attribute in self.gather(lines, known)? {
            self.take(attribute, &mut entry, &mut links, &mut present)?;
        }
        self.add_naming_values(&mut entry, &rdns.rdns, known)?;
        let uuid = self.stamp(&mut entry, &present, &rdns.rdns, known)?;
        let mut numbers = Vec::with_capacity(entry.attributes.len());
        for attribute in &entry.attributes {
            let number = self.describe(&attribute.described.text, known)?.map(|known| known.1);
            numbers.push(number.unwrap_or(AttributeId(0)));
        }
        let record = encode(&entry, &numbers, EntryFlags::default());
        let reversed = name.reversed();
        Ok(Read {
            line: 0,
            dn: String::new(),
            text: Vec::new(),
            name: hash16(&reversed),
            parent: (!place.is_suffix).then(|| hash16(above(&reversed))),
            name_key: place.key,
            record: record.map_err(|fault| fault.to_string())?,
            keys: self.keys(&entry, known),
            rdn: entry.rdn,
            links,
            uuid,
        })
    }

    fn place(&self, name: &NormalizedDn) -> Result<NodeKey, String> {
        if let Some(unknown) = &name.unknown_type {
            return Err(format!(
                "the schema has no attribute type '{unknown}', which the name uses"
            ));
        }
        self.suffixes.node_key(name).ok_or_else(|| {
            let held: Vec<&str> = self.suffixes.texts().collect();
            format!(
                "it is not below a suffix of this directory ({}); give --suffix",
                held.join(" and ")
            )
        })
    }

    /// The description and its number; None where it is never taken from a file.
    fn describe(
        &self,
        text: &str,
        known: &mut Known,
    ) -> Result<Option<(Arc<Described>, AttributeId)>, String> {
        if let Some(known) = known.descriptions.get(text) {
            return Ok(known.clone());
        }
        // The structural class keeps its place, so that an export loads to the same export.
        let found = match is_dropped(text) && !text.eq_ignore_ascii_case("structuralObjectClass") {
            true => None,
            false => {
                let described = self.catalogue.describe(text).map_err(|refusal| refusal.message)?;
                let number = self.numbers.of(&described.key, &described.text);
                Some((described, number))
            }
        };
        known.descriptions.insert(text.to_owned(), found.clone());
        Ok(found)
    }

    /// The lines of each attribute together, whichever of its names they use.
    fn gather(&self, lines: &[LdifAttribute<'_>], known: &mut Known) -> Result<Vec<Lines>, Wrong> {
        let mut gathered: Vec<Lines> = Vec::with_capacity(lines.len());
        for line in lines {
            let found = on(line.line, self.describe(&line.description, known))?;
            let Some((described, number)) = found else { continue };
            let value = on(line.line, self.value(&line.value))?;
            // The lines of an attribute mostly stand together, so the last is looked at first.
            let same = |held: &&mut Lines| held.number == number;
            match gathered.iter_mut().rev().find(same) {
                Some(held) => {
                    held.lines.push(line.line);
                    held.values.push(value);
                }
                None => {
                    let (lines, values) = (vec![line.line], vec![value]);
                    gathered.push(Lines { described, number, lines, values });
                }
            }
        }
        Ok(gathered)
    }

    fn value(&self, value: &LdifValue<'_>) -> Result<Vec<u8>, String> {
        match value {
            LdifValue::Inline(value) => Ok(value.to_vec()),
            LdifValue::Url(url) if !self.options.file_urls => {
                Err(format!("'{url}' is not read; allow it, or give the value itself"))
            }
            LdifValue::Url(url) => {
                let path = file_url_path(url)?;
                std::fs::read(&path).map_err(|error| format!("{path} cannot be read: {error}"))
            }
        }
    }

    fn take(
        &self,
        attribute: Lines,
        entry: &mut Entry,
        links: &mut Vec<LinkValue>,
        present: &mut Vec<(u32, usize)>,
    ) -> Result<(), Wrong> {
        let schema = &self.catalogue.schema;
        let kind = attribute.described.attribute_type(schema);
        if attribute.described.link {
            present.extend(kind.map(|kind| (kind.index, attribute.values.len())));
            return self.take_links(attribute, links);
        }
        let Lines { described, lines, mut values, .. } = attribute;
        let rule = kind.and_then(|kind| kind.equality);
        let mut seen = HashSet::new();
        let several = values.len() > 1;
        for (value, line) in values.iter_mut().zip(lines) {
            if described.type_key == "userpassword" {
                on(line, self.settle(value))?;
            }
            if let Some(kind) = kind.filter(|_| !described.secret) {
                on(line, check_syntax(schema, &described, kind, value))?;
            }
            if several && !seen.insert(equality_key(schema, rule, value)) {
                let what = format!("'{}' is given the same value twice", described.text);
                return Err(Wrong { line: Some(line), what });
            }
        }
        entry.attributes.push(EntryAttribute { described, values: values.into() });
        Ok(())
    }

    /// A password is a hash, or becomes one.
    fn settle(&self, value: &mut Vec<u8>) -> Result<(), String> {
        if password::is_hash(value) {
            return Ok(());
        }
        let met = self.clear_passwords.fetch_add(1, Ordering::Relaxed);
        match self.options.passwords {
            Passwords::Refuse => {
                return Err("its password stands in the clear; hash it first".to_owned());
            }
            Passwords::Few if met >= CLEAR_PASSWORDS_MAX => {
                return Err(format!(
                    "more than {CLEAR_PASSWORDS_MAX} passwords stand in the clear; hashing each takes tens \
                     of milliseconds, which `--passwords hash` allows"
                ));
            }
            Passwords::Few | Passwords::Hash => {}
        }
        let mut salt = [0; password::SALT_LENGTH];
        self.inner.clock.random(&mut salt);
        let hasher = self.inner.settings.hasher;
        let hashed = hasher.hash(password::cleartext(value), &salt);
        *value = hashed.map_err(|error| error.to_string())?;
        Ok(())
    }

    fn take_links(&self, attribute: Lines, links: &mut Vec<LinkValue>) -> Result<(), Wrong> {
        let (schema, text) = (&self.catalogue.schema, &attribute.described.text);
        let mut seen = HashSet::with_capacity(attribute.values.len());
        for (value, line) in attribute.values.into_iter().zip(attribute.lines) {
            let wrong = |what: String| Wrong { line: Some(line), what };
            let written = std::str::from_utf8(&value)
                .map_err(|_| wrong(format!("a value of '{text}' must be a name in UTF-8")))?;
            let (name, uid) = split_uid(written);
            let name = crate::names::parse_and_normalize(schema, name).map_err(|refusal| {
                wrong(format!("'{text}' must be a name: {}", refusal.message))
            })?;
            if name.keys.is_empty() {
                return Err(wrong(format!("'{text}' must be a name, and the empty one is none")));
            }
            let reversed = name.reversed();
            let target = hash16(&reversed);
            if !seen.insert(target) {
                return Err(wrong(format!("'{text}' is given the same name twice: {written}")));
            }
            let uid_at = written.len() - uid.len();
            let attribute = attribute.number;
            links.push(LinkValue { attribute, target, reversed, uid_at, value });
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
            let described = match self.describe(&part.attribute, known)? {
                Some((described, _)) => described,
                None => self.catalogue.describe(&part.attribute).map_err(|no| no.message)?,
            };
            let kind = described.attribute_type(schema);
            check_names(&described, kind).map_err(|refusal| refusal.message)?;
            if let Some(kind) = kind {
                check_syntax(schema, &described, kind, &part.value)?;
            }
            let rule = kind.and_then(|kind| kind.equality);
            let key = equality_key(schema, rule, &part.value);
            match entry.find_mut(&described.key) {
                Some(held) => {
                    if !held.values.iter().any(|value| equality_key(schema, rule, value) == key) {
                        let mut values = held.values.to_vec();
                        values.push(part.value.clone());
                        held.values = values.into();
                    }
                }
                None => entry.set(described, vec![part.value.clone()]),
            }
        }
        Ok(())
    }

    /// The schema as a whole, and what the server keeps by itself where the file does not have it.
    fn stamp(
        &self,
        entry: &mut Entry,
        links: &[(u32, usize)],
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
            let Some((described, _)) = self.describe(name, known)? else { continue };
            if name == "structuralObjectClass" {
                entry.set(described, vec![value.into_bytes()]); // found anew, in its old place
            } else if entry.find(&described.key).is_none() {
                let values = vec![value.into_bytes()];
                entry.attributes.push(EntryAttribute { described, values: values.into() });
            }
        }
        Ok(uuid)
    }

    fn check_schema(
        &self,
        entry: &Entry,
        links: &[(u32, usize)],
        rdns: &[Rdn],
    ) -> Result<String, String> {
        let schema = &self.catalogue.schema;
        let mut present: Vec<(&AttributeType, usize)> =
            Vec::with_capacity(entry.attributes.len() + links.len());
        for attribute in &entry.attributes {
            if let Some(kind) = attribute.described.attribute_type(schema) {
                present.push((kind, attribute.values.len()));
            }
        }
        let links = links
            .iter()
            .filter_map(|(kind, count)| schema.attribute_type_at(*kind).map(|kind| (kind, *count)));
        present.extend(links);
        let classes = entry.values("objectclass");
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

    fn keys(&self, entry: &Entry, known: &mut Known) -> Keys {
        let schema = &self.catalogue.schema;
        let Known { types, keys: made, .. } = known;
        for attribute in &entry.attributes {
            let values = attribute.values.iter();
            self.indexes.keys(schema, &attribute.described, values, made);
        }
        let mut keys = Keys(Vec::with_capacity(made.len() * 12));
        for (kind, type_index, key) in made.drain(..) {
            let number = match types.get(&type_index) {
                Some(number) => *number,
                None => {
                    let Some(of) = schema.attribute_type_at(type_index) else { continue };
                    let number = self.numbers.of(&of.key, &of.name);
                    types.insert(type_index, number);
                    number
                }
            };
            keys.push(kind, number, &key);
        }
        keys
    }
}

fn check_syntax(
    schema: &crate::schema::Schema,
    described: &Described,
    kind: &AttributeType,
    value: &[u8],
) -> Result<(), String> {
    kind.syntax
        .check(schema, value)
        .map_err(|why| format!("a value of '{}' does not fit its syntax: {why}", described.text))
}

/// The reversed name of what is above: without the last part, which ends in the only zero it has.
fn above(reversed: &[u8]) -> &[u8] {
    let inside = reversed.split_last().map_or(reversed, |(_, inside)| inside);
    let end = memchr::memrchr(0, inside).map_or(0, |zero| zero + 1);
    reversed.get(..end).unwrap_or_default()
}
