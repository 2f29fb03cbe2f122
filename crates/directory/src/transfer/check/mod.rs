//! Every invariant of docs/design/storage.md: those that bytes tell (`store::check`), and those
//! that need the schema: names, indexes, loose values, classes, identifiers.

mod postings;

use std::collections::HashSet;

use crate::directory::Directory;
use crate::entry::{Entry, equality_key};
use crate::names::{Resolved, parse, suffix_key};
use crate::refusal::Fault;
use crate::schema::AttributeType;
use crate::schema::check::{EntryToCheck, check_entry};
use crate::schema::names::normalize_rdn;
use crate::search::filter::split_uid;
use crate::store::EntryId;
use crate::store::names::cut_key;
use crate::subject::{Protection, Subject, Who};
use crate::transfer::Progress;
use crate::tree::{Candidate, Tree};
use postings::Sums;

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
        called: Sums::new(),
        indexes_are_built: true,
        entries: 0,
    };
    check.compare_definition()?;
    for row in tree.reader.entries_from(EntryId(1))? {
        let Ok((id, record)) = row else { break }; // named by the check of the rows
        check.entry(&Candidate::new(&tree, id, record))?;
        if check.entries.is_multiple_of(10_000) {
            progress(Progress { phase: "checking entries", entries: check.entries, bytes: 0 });
        }
    }
    progress(Progress { phase: "checking indexes", entries: check.entries, bytes: 0 });
    if check.indexes_are_built {
        check.postings()?;
    }
    check.loose()?;
    Ok(check.entries)
}

struct Check<'c, 't> {
    tree: &'c Tree<'t>,
    indexes: std::sync::Arc<crate::index::Indexes>,
    report: &'c mut dyn FnMut(Finding),
    uuids: HashSet<Vec<u8>>,
    /// What the entries call for in each index.
    called: Sums,
    /// Whether the postings are those of the configured indexes.
    indexes_are_built: bool,
    entries: u64,
}

impl Check<'_, '_> {
    /// Other indexes than those on disk may be configured: the next start builds them.
    fn compare_definition(&mut self) -> Result<(), Fault> {
        let built = self.tree.reader.meta(crate::reindex::META)?;
        let wanted = self.indexes.text(self.tree.schema());
        self.indexes_are_built = built == Some(wanted.as_bytes());
        if !self.indexes_are_built {
            let what = "they are not those that are configured; the next start builds them anew";
            let (severity, place) = (Severity::Warning, "the indexes".to_owned());
            (self.report)(Finding { severity, what: what.to_owned(), place });
        }
        Ok(())
    }

    fn broken(&mut self, place: String, what: impl Into<String>) {
        (self.report)(Finding { severity: Severity::Broken, what: what.into(), place });
    }

    fn entry(&mut self, candidate: &Candidate<'_, '_>) -> Result<(), Fault> {
        self.entries += 1;
        let place = place(candidate);
        let entry = match Entry::decode(&candidate.record, self.tree.catalogue) {
            Ok(entry) => entry,
            Err(fault) => {
                self.broken(place, fault.to_string());
                return Ok(());
            }
        };
        self.name(candidate, &entry, &place)?;
        self.identifier(&entry, &place);
        self.values(&entry, &place);
        if self.indexes_are_built {
            self.sum_entry(candidate.id, &entry, &place);
        }
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
            let held = entry.values(&kind.key);
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

    /// RFC 4511 §4.1.7: a set of values has no two equal ones.
    fn values(&mut self, entry: &Entry, place: &str) {
        let schema = self.tree.schema().clone();
        for attribute in entry.attributes.iter().filter(|held| held.values.len() > 1) {
            let kind = attribute.described.attribute_type(&schema);
            let rule = kind.and_then(|kind| kind.equality);
            let mut seen = HashSet::new();
            let equal = |value: &[u8]| !seen.insert(equality_key(&schema, rule, value));
            if attribute.values.iter().any(equal) {
                let what = format!("'{}' has two values that are equal", attribute.described.text);
                self.broken(place.to_owned(), what);
            }
        }
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
        let classes = entry.values("objectclass");
        let to_check = EntryToCheck { classes: &classes, attributes: &present, rdn_types: &[] };
        if let Err(refusal) = check_entry(&schema, &to_check, true) {
            let place = place.to_owned();
            (self.report)(Finding { severity: Severity::Warning, what: refusal.message, place });
        }
        Ok(())
    }
}

/// An entry's number and name, as far as it has one.
fn place(candidate: &Candidate<'_, '_>) -> String {
    match candidate.dn() {
        Ok(dn) => format!("entry {} ({dn})", candidate.id.0),
        Err(_) => format!("entry {}", candidate.id.0),
    }
}
