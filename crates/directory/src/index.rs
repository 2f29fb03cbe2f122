//! Which attributes have which index, and the index keys of an entry.

use crate::catalogue::{Described, LOCKED_TIME};
use crate::schema::Schema;
use crate::store::IndexKind;
use crate::store::names::grams;

/// Values longer than this are not entered under their grams, which would be most of the alphabet,
/// but under the empty key, which every substring search looks at.
pub(crate) const SUBSTRING_VALUE_BYTES_MAX: usize = 4096;

/// Counts up whenever index keys are made differently, so that old postings are built anew.
const KEYS_VERSION: u32 = 2;

/// What is configured: attribute names under each kind of index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSettings {
    pub equality: Vec<String>,
    pub presence: Vec<String>,
    pub substring: Vec<String>,
}

impl Default for IndexSettings {
    fn default() -> IndexSettings {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect();
        IndexSettings {
            equality: list(
                "objectClass uid cn sn givenName displayName mail ou o dc c l uidNumber gidNumber \
                 memberUid employeeNumber employeeType departmentNumber telephoneNumber mobile \
                 entryUUID createTimestamp modifyTimestamp memberNisNetgroup sudoUser \
                 ipHostNumber macAddress automountKey nisMapName",
            ),
            presence: list("uid mail uidNumber gidNumber memberUid"),
            substring: list("uid cn sn givenName displayName mail"),
        }
    }
}

/// The indexes of one attribute type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexOf {
    pub equality: bool,
    pub presence: bool,
    pub substring: bool,
}

impl IndexOf {
    fn any(self) -> bool {
        self.equality || self.presence || self.substring
    }
}

/// The settings under the schema in force, by attribute type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Indexes {
    by_type: Vec<IndexOf>,
    /// For each type, itself and its supertypes that have any index.
    entered_under: Vec<Vec<u32>>,
}

/// An index key as the store takes it: kind, type, value.
pub(crate) type OwnedKey = (IndexKind, u32, Vec<u8>);

impl Indexes {
    pub(crate) fn new(settings: &IndexSettings, schema: &Schema) -> Indexes {
        let count = schema.attribute_types().count();
        let mut indexes =
            Indexes { by_type: vec![IndexOf::default(); count], entered_under: Vec::new() };
        let mut turn_on = |names: &[String], set: fn(&mut IndexOf)| {
            for kind in names.iter().filter_map(|name| schema.attribute_type(name)) {
                if let Some(slot) = indexes.by_type.get_mut(kind.index as usize) {
                    set(slot);
                }
            }
        };
        turn_on(&settings.equality, |index| index.equality = true);
        turn_on(&settings.presence, |index| index.presence = true);
        turn_on(&settings.substring, |index| index.substring = true);
        // The server asks itself which accounts are locked, whatever is configured.
        turn_on(&[LOCKED_TIME.to_owned()], |index| index.presence = true);
        indexes.entered_under = (0..count)
            .map(|kind| indexes.lineage(schema, u32::try_from(kind).unwrap_or(0)))
            .collect();
        indexes
    }

    fn lineage(&self, schema: &Schema, kind: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut at = Some(kind);
        while let Some(index) = at {
            if self.of(index).any() {
                found.push(index);
            }
            at = schema.attribute_type_at(index).and_then(|kind| kind.superior);
        }
        found
    }

    pub(crate) fn of(&self, type_index: u32) -> IndexOf {
        self.by_type.get(type_index as usize).copied().unwrap_or_default()
    }

    /// What the postings on disk were built with, to notice a change of configuration.
    pub(crate) fn text(&self, schema: &Schema) -> String {
        let mut lines = Vec::new();
        for kind in schema.attribute_types() {
            let index = self.of(kind.index);
            if index.any() {
                let flag = |on: bool, letter: char| if on { letter } else { '-' };
                lines.push(format!(
                    "{} {}{}{}",
                    kind.key,
                    flag(index.equality, 'e'),
                    flag(index.presence, 'p'),
                    flag(index.substring, 's'),
                ));
            }
        }
        lines.sort();
        format!("keys {KEYS_VERSION}\n{}", lines.join("\n"))
    }

    /// The types under which an attribute of this description is entered.
    pub(crate) fn entered_under(&self, described: &Described) -> &[u32] {
        let none: &[u32] = &[];
        if described.secret || described.link {
            return none;
        }
        let position = described.type_index.map(|index| index as usize);
        position.and_then(|index| self.entered_under.get(index)).map_or(none, Vec::as_slice)
    }

    /// Appends the index keys of one attribute.
    pub(crate) fn keys<'v>(
        &self,
        schema: &Schema,
        described: &Described,
        values: impl Iterator<Item = &'v [u8]> + Clone,
        out: &mut Vec<OwnedKey>,
    ) {
        for type_index in self.entered_under(described) {
            let index = self.of(*type_index);
            if index.presence {
                out.push((IndexKind::Presence, *type_index, Vec::new()));
            }
            for value in values.clone() {
                self.value_keys(schema, *type_index, index, value, out);
            }
        }
    }

    fn value_keys(
        &self,
        schema: &Schema,
        type_index: u32,
        index: IndexOf,
        value: &[u8],
        out: &mut Vec<OwnedKey>,
    ) {
        let Some(kind) = schema.attribute_type_at(type_index) else { return };
        let is_class = kind.key == "structuralobjectclass" && index.equality;
        if kind.key == "objectclass" || is_class {
            return class_keys(schema, type_index, value, out);
        }
        if index.equality
            && let Some(key) = normalized(schema, kind.equality.or(kind.ordering), value)
        {
            out.push((IndexKind::Equality, type_index, key));
        }
        if index.substring && value.len() > SUBSTRING_VALUE_BYTES_MAX {
            out.push((IndexKind::Substring, type_index, Vec::new()));
        } else if index.substring
            && let Some(key) = normalized(schema, kind.substring, value)
        {
            let mut found = Vec::new();
            grams(&key, &mut found);
            out.extend(found.iter().map(|gram| (IndexKind::Substring, type_index, gram.to_vec())));
        }
    }
}

/// A class is entered with all its superclasses, so `(objectClass=person)` is one row.
fn class_keys(schema: &Schema, type_index: u32, value: &[u8], out: &mut Vec<OwnedKey>) {
    let class = std::str::from_utf8(value).ok().and_then(|name| schema.object_class(name));
    let Some(class) = class else { return };
    let rule = schema.attribute_type_at(type_index).and_then(|kind| kind.equality);
    for above in schema.superclasses(class) {
        if let Some(key) = normalized(schema, rule, above.name.as_bytes()) {
            out.push((IndexKind::Equality, type_index, key));
        }
    }
}

fn normalized(
    schema: &Schema,
    rule: Option<crate::schema::MatchingRule>,
    value: &[u8],
) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(value.len() + 8);
    rule?.normalize(schema, value, &mut key).ok().map(|()| key)
}
