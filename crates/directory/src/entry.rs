//! An entry taken apart, to be changed and put together again. Reading never needs this: answers
//! are copied from the stored bytes.

use std::sync::Arc;

use crate::catalogue::{Catalogue, Described};
use crate::refusal::Fault;
use crate::schema::{MatchingRule, Schema};
use crate::store::{EntryFlags, EntryId, EntryRecord};

/// One entry without its links: those are rows of their own.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub parent: EntryId,
    pub rdn: String,
    /// As its record said: whether to look for rows in the link tables.
    pub flags: EntryFlags,
    pub attributes: Vec<EntryAttribute>,
}

#[derive(Clone, Debug)]
pub(crate) struct EntryAttribute {
    pub described: Arc<Described>,
    /// Shared between an entry as it was and as it will be.
    pub values: Arc<Vec<Vec<u8>>>,
}

impl Entry {
    pub(crate) fn decode(record: &EntryRecord<'_>, catalogue: &Catalogue) -> Result<Entry, Fault> {
        let mut attributes = Vec::new();
        for row in record.rows() {
            let described = catalogue.described(row.attribute).cloned().ok_or_else(|| {
                Fault::Damaged { what: format!("attribute number {} has no name", row.attribute.0) }
            })?;
            let values = Arc::new(row.values().map(<[u8]>::to_vec).collect());
            attributes.push(EntryAttribute { described, values });
        }
        let (parent, rdn) = (record.parent(), record.rdn().to_owned());
        Ok(Entry { parent, rdn, flags: record.flags(), attributes })
    }

    pub(crate) fn find(&self, key: &str) -> Option<&EntryAttribute> {
        self.attributes.iter().find(|attribute| attribute.described.key == key)
    }

    pub(crate) fn find_mut(&mut self, key: &str) -> Option<&mut EntryAttribute> {
        self.attributes.iter_mut().find(|attribute| attribute.described.key == key)
    }

    /// The first value of an attribute, as text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.find(key)?.values.first()?).ok()
    }

    /// The attributes that `other` does not have with the same values.
    pub(crate) fn differing<'e>(&'e self, other: &Entry) -> Vec<&'e EntryAttribute> {
        let same = |(position, mine): &(usize, &EntryAttribute)| {
            // Most changes leave the order as it is.
            let beside = other.attributes.get(*position);
            let beside = beside.filter(|held| Arc::ptr_eq(&held.described, &mine.described));
            let theirs = beside.or_else(|| other.find(&mine.described.key));
            theirs.is_some_and(|held| {
                Arc::ptr_eq(&held.values, &mine.values) || held.values == mine.values
            })
        };
        let all = self.attributes.iter().enumerate();
        all.filter(|attribute| !same(attribute)).map(|(_, mine)| mine).collect()
    }

    /// Puts the attribute's values in place of whatever is there; none removes it.
    pub(crate) fn set(&mut self, described: Arc<Described>, values: Vec<Vec<u8>>) {
        if values.is_empty() {
            self.attributes.retain(|attribute| attribute.described.key != described.key);
        } else if let Some(attribute) = self.find_mut(&described.key) {
            attribute.values = Arc::new(values);
        } else {
            self.attributes.push(EntryAttribute { described, values: Arc::new(values) });
        }
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.attributes.retain(|attribute| attribute.described.key != key);
    }
}

/// A value in the form in which equal values have equal bytes; as it is where no rule applies.
pub(crate) fn equality_key(schema: &Schema, rule: Option<MatchingRule>, value: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(value.len());
    let normalized = rule.is_some_and(|rule| rule.normalize(schema, value, &mut key).is_ok());
    if !normalized {
        key.clear();
        key.extend_from_slice(value);
    }
    key
}
