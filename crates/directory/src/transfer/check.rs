//! Every invariant of docs/design/storage.md: those that bytes tell (`store::check`), and those
//! that need the schema: names, indexes, loose values, classes, identifiers.

use std::collections::{HashMap, HashSet};

use crate::directory::Directory;
use crate::entry::{Entry, equality_key};
use crate::index::OwnedKey;
use crate::names::{Resolved, parse, suffix_key};
use crate::refusal::Fault;
use crate::schema::AttributeType;
use crate::schema::check::{EntryToCheck, check_entry};
use crate::schema::names::normalize_rdn;
use crate::search::filter::split_uid;
use crate::store::block::block_of;
use crate::store::names::cut_key;
use crate::store::{AttributeId, EntryId, IndexKind, PostingKey};
use crate::subject::{Protection, Subject, Who};
use crate::transfer::Progress;
use crate::tree::{Candidate, Tree};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// An invariant does not hold: answers may be wrong.
    Broken,
    /// The data does not fit the schema in force, which may have changed since.
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub what: String,
    pub place: String,
}

/// Looks at everything in one snapshot; gives the number of entries.
pub fn check(
    directory: &Directory,
    report: &mut dyn FnMut(Finding),
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, Fault> {
    let operator = Subject { who: Who::Operator, address: None, protection: Protection::Local };
    let view = directory.view(&operator)?;
    let tree = view.tree();
    progress(Progress { phase: "checking rows", entries: 0, bytes: 0 });
    crate::store::check::check(&tree.reader, &mut |finding| {
        report(Finding { severity: Severity::Broken, what: finding.what, place: finding.place });
    })?;
    let mut check = Check {
        tree: &tree,
        indexes: directory.inner().indexes(),
        report,
        uuids: HashSet::new(),
        posted: HashMap::new(),
        entries: 0,
    };
    for row in tree.reader.entries_from(EntryId(1))? {
        let Ok((id, record)) = row else { break }; // named by the check of the rows
        check.entry(&Candidate::new(&tree, id, record))?;
        if check.entries.is_multiple_of(10_000) {
            progress(Progress { phase: "checking entries", entries: check.entries, bytes: 0 });
        }
    }
    progress(Progress { phase: "checking indexes", entries: check.entries, bytes: 0 });
    check.posting_counts()?;
    check.loose()?;
    Ok(check.entries)
}

struct Check<'c, 't> {
    tree: &'c Tree<'t>,
    indexes: std::sync::Arc<crate::index::Indexes>,
    report: &'c mut dyn FnMut(Finding),
    uuids: HashSet<Vec<u8>>,
    /// Ids that the entries say each index must have.
    posted: HashMap<(u8, u32), u64>,
    entries: u64,
}

impl Check<'_, '_> {
    fn broken(&mut self, place: String, what: impl Into<String>) {
        (self.report)(Finding { severity: Severity::Broken, what: what.into(), place });
    }

    fn entry(&mut self, candidate: &Candidate<'_, '_>) -> Result<(), Fault> {
        self.entries += 1;
        let place = match candidate.dn() {
            Ok(dn) => format!("entry {} ({dn})", candidate.id.0),
            Err(_) => format!("entry {}", candidate.id.0),
        };
        let entry = match Entry::decode(&candidate.record, &self.tree.catalogue) {
            Ok(entry) => entry,
            Err(fault) => {
                self.broken(place, fault.to_string());
                return Ok(());
            }
        };
        self.name(candidate, &entry, &place)?;
        self.identifier(&entry, &place);
        self.postings(candidate, &entry, &place)?;
        self.schema(candidate, &entry, &place)
    }

    /// The name key is that of the RDN text, and the RDN's values are among the entry's.
    fn name(
        &mut self,
        candidate: &Candidate<'_, '_>,
        entry: &Entry,
        place: &str,
    ) -> Result<(), Fault> {
        let schema = self.tree.schema();
        let Ok(written) = parse(&entry.rdn) else {
            self.broken(place.to_owned(), format!("its name '{}' cannot be read", entry.rdn));
            return Ok(());
        };
        let keys: Result<Vec<Vec<u8>>, _> =
            written.rdns.iter().map(|rdn| normalize_rdn(schema, rdn)).collect();
        let Ok(keys) = keys else {
            self.broken(place.to_owned(), format!("its name '{}' cannot be normalized", entry.rdn));
            return Ok(());
        };
        let key = match (candidate.record.parent(), keys.as_slice()) {
            (EntryId::ROOT, keys) => suffix_key(keys),
            (_, [key]) => key.clone(),
            _ => {
                self.broken(place.to_owned(), "its name has several parts and it is no suffix");
                return Ok(());
            }
        };
        let found = self.tree.reader.child(candidate.record.parent(), &cut_key(&key))?;
        if found != Some(candidate.id) {
            self.broken(place.to_owned(), "it is not found under its own name");
        }
        let mut missing = Vec::new();
        for part in written.rdns.first().iter().flat_map(|rdn| &rdn.values) {
            let Some(kind) = schema.attribute_type(&part.attribute) else { continue };
            let wanted = equality_key(schema, kind.equality, &part.value);
            let held = entry.find(&kind.key).map(|held| held.values.as_slice()).unwrap_or_default();
            if !held.iter().any(|value| equality_key(schema, kind.equality, value) == wanted) {
                missing.push(kind.name.clone());
            }
        }
        for name in missing {
            self.broken(
                place.to_owned(),
                format!("it lacks the value of '{name}' that its name has"),
            );
        }
        Ok(())
    }

    fn identifier(&mut self, entry: &Entry, place: &str) {
        match entry.text("entryuuid").map(str::to_lowercase) {
            None => self.broken(place.to_owned(), "it has no entryUUID"),
            Some(uuid) => {
                if !self.uuids.insert(uuid.into_bytes()) {
                    self.broken(place.to_owned(), "another entry has the same entryUUID");
                }
            }
        }
    }

    /// Every key that the entry calls for is there; that there are no others, the counts tell.
    fn postings(
        &mut self,
        candidate: &Candidate<'_, '_>,
        entry: &Entry,
        place: &str,
    ) -> Result<(), Fault> {
        let schema = self.tree.schema().clone();
        let mut keys: Vec<OwnedKey> = Vec::new();
        for attribute in &entry.attributes {
            let values = attribute.values.iter().map(Vec::as_slice);
            self.indexes.keys(&schema, &attribute.described, values, &mut keys);
        }
        keys.sort_unstable();
        keys.dedup();
        let (number, low) = block_of(candidate.id);
        for (kind, type_index, value) in &keys {
            let Some(attribute_type) = schema.attribute_type_at(*type_index) else { continue };
            let Some(attribute) = self.tree.catalogue.id(&attribute_type.key) else {
                self.broken(place.to_owned(), format!("'{}' is not indexed", attribute_type.name));
                continue;
            };
            *self.posted.entry((letter(*kind), attribute.0)).or_default() += 1;
            let key = PostingKey { kind: *kind, attribute, key: value };
            let block = self.tree.reader.posting_block(&key, number)?;
            if !block.is_some_and(|block| block.contains(low)) {
                let what = format!(
                    "it is missing from the {} index of '{}'",
                    name(*kind),
                    attribute_type.name
                );
                self.broken(place.to_owned(), what);
            }
        }
        Ok(())
    }

    fn posting_counts(&mut self) -> Result<(), Fault> {
        let attributes: Vec<(AttributeId, String)> = self
            .tree
            .catalogue
            .iter()
            .map(|(id, described)| (id, described.text.clone()))
            .collect();
        for (attribute, text) in attributes {
            for kind in [IndexKind::Equality, IndexKind::Presence, IndexKind::Substring] {
                let mut held = 0;
                let unbounded = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
                for row in
                    self.tree.reader.posting_range(kind, attribute, unbounded.0, unbounded.1)?
                {
                    held += row?.block.count();
                }
                let called = self.posted.get(&(letter(kind), attribute.0)).copied().unwrap_or(0);
                if held > called {
                    let what = format!("{} ids are in it that no entry calls for", held - called);
                    self.broken(format!("the {} index of '{text}'", name(kind)), what);
                }
            }
        }
        Ok(())
    }

    /// No loose value names an entry.
    fn loose(&mut self) -> Result<(), Fault> {
        let mut found = Vec::new();
        for row in self.tree.reader.loose_below(&[])? {
            let row = row?;
            let value = self.tree.reader.loose_value(row.from, row.attribute, &row.hash)?;
            let text = value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
            let Ok(name) = self.tree.normalize(split_uid(text).0) else { continue };
            if matches!(self.tree.resolve(&name)?, Resolved::Found(_)) {
                found.push((row.from, text.to_owned()));
            }
        }
        for (from, text) in found {
            self.broken(
                format!("entry {}", from.0),
                format!("its value '{text}' names an entry but is loose"),
            );
        }
        Ok(())
    }

    fn schema(
        &mut self,
        candidate: &Candidate<'_, '_>,
        entry: &Entry,
        place: &str,
    ) -> Result<(), Fault> {
        let schema = self.tree.schema().clone();
        let mut present: Vec<(&AttributeType, usize)> = Vec::new();
        for attribute in &entry.attributes {
            if let Some(kind) = attribute.described.attribute_type(&schema) {
                present.push((kind, attribute.values.len()));
            }
        }
        for (id, described) in self.tree.catalogue.iter().filter(|(_, described)| described.link) {
            let Some(kind) = described.attribute_type(&schema) else { continue };
            let links = self.tree.reader.links_of(candidate.id, id)?.take(2).count();
            let loose = self.tree.reader.loose_of(candidate.id, id)?.take(2).count();
            if links + loose > 0 {
                present.push((kind, links + loose));
            }
        }
        let classes =
            entry.find("objectclass").map(|held| held.values.as_slice()).unwrap_or_default();
        let classes: Vec<&[u8]> = classes.iter().map(Vec::as_slice).collect();
        let to_check = EntryToCheck { classes: &classes, attributes: &present, rdn_types: &[] };
        if let Err(refusal) = check_entry(&schema, &to_check, true) {
            let place = place.to_owned();
            (self.report)(Finding { severity: Severity::Warning, what: refusal.message, place });
        }
        Ok(())
    }
}

fn letter(kind: IndexKind) -> u8 {
    match kind {
        IndexKind::All => b'a',
        IndexKind::Equality => b'e',
        IndexKind::Presence => b'p',
        IndexKind::Substring => b's',
    }
}

fn name(kind: IndexKind) -> &'static str {
    match kind {
        IndexKind::All => "entry",
        IndexKind::Equality => "equality",
        IndexKind::Presence => "presence",
        IndexKind::Substring => "substring",
    }
}
