//! An entry taken apart, to be changed and put together again. Reading never needs this: answers
//! are copied from the stored bytes.

use std::ops::Range;
use std::sync::Arc;

use crate::catalogue::{Catalogue, Described};
use crate::refusal::Fault;
use crate::schema::{MatchingRule, Schema};
use crate::store::{EntryFlags, EntryId, EntryRecord, Values, values};

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
    pub values: EntryValues,
}

/// The values of one attribute. Clones share them: an entry as it was and as it will be.
#[derive(Clone, Debug)]
pub(crate) enum EntryValues {
    Given(Arc<Vec<Vec<u8>>>),
    /// Still as they were stored: a `PartialAttribute`, and its place among all of the entry's.
    Stored(Arc<[u8]>, Range<usize>),
}

impl EntryValues {
    pub(crate) fn iter(&self) -> ValuesIter<'_> {
        match self {
            EntryValues::Given(values) => ValuesIter::Given(values.iter()),
            EntryValues::Stored(..) => ValuesIter::Stored(values(self.wire().unwrap_or_default())),
        }
    }

    /// The `PartialAttribute`, where the values are still as they were stored.
    pub(crate) fn wire(&self) -> Option<&[u8]> {
        match self {
            EntryValues::Given(_) => None,
            EntryValues::Stored(wire, place) => wire.get(place.clone()),
        }
    }

    /// All of the entry's bytes that these are among.
    pub(crate) fn whole_entry(&self) -> Option<&[u8]> {
        match self {
            EntryValues::Given(_) => None,
            EntryValues::Stored(wire, _) => Some(wire),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            EntryValues::Given(values) => values.len(),
            EntryValues::Stored(..) => self.iter().count(),
        }
    }

    /// Whether there is more than one.
    pub(crate) fn are_several(&self) -> bool {
        self.iter().nth(1).is_some()
    }

    pub(crate) fn to_vec(&self) -> Vec<Vec<u8>> {
        self.iter().map(<[u8]>::to_vec).collect()
    }
}

impl From<Vec<Vec<u8>>> for EntryValues {
    fn from(values: Vec<Vec<u8>>) -> EntryValues {
        EntryValues::Given(Arc::new(values))
    }
}

impl PartialEq for EntryValues {
    fn eq(&self, other: &EntryValues) -> bool {
        match (self, other) {
            (EntryValues::Stored(wire, place), EntryValues::Stored(bytes, beside)) => {
                (Arc::ptr_eq(wire, bytes) && place == beside) || self.iter().eq(other.iter())
            }
            _ => self.iter().eq(other.iter()),
        }
    }
}

/// In the order in which they were added.
#[derive(Clone)]
pub(crate) enum ValuesIter<'v> {
    Given(std::slice::Iter<'v, Vec<u8>>),
    Stored(Values<'v>),
}

impl<'v> Iterator for ValuesIter<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        match self {
            ValuesIter::Given(values) => values.next().map(Vec::as_slice),
            ValuesIter::Stored(values) => values.next(),
        }
    }
}

impl Entry {
    pub(crate) fn decode(record: &EntryRecord<'_>, catalogue: &Catalogue) -> Result<Entry, Fault> {
        let wire: Arc<[u8]> = Arc::from(record.wire());
        let mut attributes = Vec::with_capacity(record.row_count() + 2);
        for (attribute, place) in record.places() {
            let described = catalogue.described(attribute).cloned().ok_or_else(|| {
                Fault::Damaged { what: format!("attribute number {} has no name", attribute.0) }
            })?;
            let values = EntryValues::Stored(Arc::clone(&wire), place);
            attributes.push(EntryAttribute { described, values });
        }
        let (parent, rdn) = (record.parent(), record.rdn().to_owned());
        Ok(Entry { parent, rdn, flags: record.flags(), attributes })
    }

    pub(crate) fn find(&self, key: &str) -> Option<&EntryAttribute> {
        self.attributes.iter().find(|attribute| attribute.described.key == key)
    }

    /// The values of an attribute; none where the entry does not have it.
    pub(crate) fn values(&self, key: &str) -> Vec<&[u8]> {
        self.find(key).map(|held| held.values.iter().collect()).unwrap_or_default()
    }

    pub(crate) fn find_mut(&mut self, key: &str) -> Option<&mut EntryAttribute> {
        self.attributes.iter_mut().find(|attribute| attribute.described.key == key)
    }

    /// The first value of an attribute, as text.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.find(key)?.values.iter().next()?).ok()
    }

    /// The attributes that are not the same in both: as they are here, and as they are in `other`.
    pub(crate) fn differing<'e>(
        &'e self,
        other: &'e Entry,
    ) -> (Vec<&'e EntryAttribute>, Vec<&'e EntryAttribute>) {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        let mut one = self.attributes.as_slice();
        let mut two = other.attributes.as_slice();
        // Most changes leave the order as it is, and most attributes as they are.
        while let ([first, rest @ ..], [second, rest_of_other @ ..]) = (one, two) {
            if !Arc::ptr_eq(&first.described, &second.described) {
                break;
            }
            if first.values != second.values {
                mine.push(first);
                theirs.push(second);
            }
            (one, two) = (rest, rest_of_other);
        }
        mine.extend(one.iter().filter(|held| !other.has(held)));
        theirs.extend(two.iter().filter(|held| !self.has(held)));
        (mine, theirs)
    }

    fn has(&self, attribute: &EntryAttribute) -> bool {
        let held = self.find(&attribute.described.key);
        held.is_some_and(|held| held.values == attribute.values)
    }

    /// Puts the attribute's values in place of whatever is there; none removes it.
    pub(crate) fn set(&mut self, described: Arc<Described>, values: Vec<Vec<u8>>) {
        if values.is_empty() {
            self.attributes.retain(|attribute| attribute.described.key != described.key);
        } else if let Some(attribute) = self.find_mut(&described.key) {
            attribute.values = values.into();
        } else {
            self.attributes.push(EntryAttribute { described, values: values.into() });
        }
    }

    /// Makes this the only value, unless it is already.
    pub(crate) fn set_one(&mut self, described: Arc<Described>, value: &[u8]) {
        let held = self.find(&described.key);
        if held.is_none_or(|held| !held.values.iter().eq([value])) {
            self.set(described, vec![value.to_vec()]);
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
