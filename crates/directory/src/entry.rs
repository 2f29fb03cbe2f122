//! An entry taken apart, to be changed and put together again. Reading never needs this: answers
//! are copied from the stored bytes.

use std::sync::Arc;

use crate::catalogue::{Catalogue, Described};
use crate::refusal::Fault;
use crate::schema::{MatchingRule, Schema};
use crate::store::{EntryId, EntryRecord};

/// One entry without its links: those are rows of their own.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub parent: EntryId,
    pub rdn: String,
    pub attributes: Vec<EntryAttribute>,
}

#[derive(Clone, Debug)]
pub(crate) struct EntryAttribute {
    pub described: Arc<Described>,
    pub values: Vec<Vec<u8>>,
}

impl Entry {
    pub(crate) fn decode(record: &EntryRecord<'_>, catalogue: &Catalogue) -> Result<Entry, Fault> {
        let mut attributes = Vec::new();
        for row in record.rows() {
            let described = catalogue.described(row.attribute).cloned().ok_or_else(|| {
                Fault::Damaged { what: format!("attribute number {} has no name", row.attribute.0) }
            })?;
            let values = row.values().map(<[u8]>::to_vec).collect();
            attributes.push(EntryAttribute { described, values });
        }
        Ok(Entry { parent: record.parent(), rdn: record.rdn().to_owned(), attributes })
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

    /// Puts the attribute's values in place of whatever is there; none removes it.
    pub(crate) fn set(&mut self, described: Arc<Described>, values: Vec<Vec<u8>>) {
        if values.is_empty() {
            self.attributes.retain(|attribute| attribute.described.key != described.key);
        } else if let Some(attribute) = self.find_mut(&described.key) {
            attribute.values = values;
        } else {
            self.attributes.push(EntryAttribute { described, values });
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
