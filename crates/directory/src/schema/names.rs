//! Distinguished names to name keys (`docs/design/storage.md`, Name keys).

use std::borrow::Cow;

use ldap::dn::{AttributeValue, Dn, Rdn};
use sha2::{Digest, Sha256};

use super::matching::Form;
use super::{InvalidValue, Schema, normalize};

/// Longer keys are cut; LMDB's keys end at 511 bytes.
pub const MAX_KEY: usize = 400;
/// What a cut key keeps in front of its hash.
pub const CUT_KEY: usize = 384;

/// Why a name cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("in the name, the value of '{attribute}' {what}")]
pub struct InvalidName {
    pub attribute: String,
    pub what: String,
}

impl InvalidName {
    pub(super) fn into_value(self) -> InvalidValue {
        InvalidValue::new(format!("is no name: its '{}' {}", self.attribute, self.what))
    }
}

/// A name as name keys, leaf first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NormalizedDn {
    /// Whole name keys; [`cut_key`] makes them storable.
    pub keys: Vec<Vec<u8>>,
    /// The first attribute type the schema does not know. Such a name can be looked up (and is not
    /// found, or is left from an older schema), but no entry can be added under it.
    pub unknown_type: Option<String>,
}

impl NormalizedDn {
    /// Whether this is `above` or a name below it.
    pub fn is_at_or_below(&self, above: &NormalizedDn) -> bool {
        self.keys.ends_with(&above.keys)
    }

    /// Appends the name root first, each key closed by a zero byte after escaping: names below a
    /// name begin with it. The keys are whole.
    pub fn write_reversed(&self, out: &mut Vec<u8>) {
        for key in self.keys.iter().rev() {
            write_escaped(key, out);
        }
    }

    /// The reversed name of storage.md, of keys that are cut.
    pub fn reversed(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for key in self.keys.iter().rev() {
            write_escaped(&cut_key(key.clone()), &mut out);
        }
        out
    }
}

fn write_escaped(key: &[u8], out: &mut Vec<u8>) {
    for &byte in key {
        match byte {
            0 => out.extend_from_slice(&[1, 1]),
            1 => out.extend_from_slice(&[1, 2]),
            other => out.push(other),
        }
    }
    out.push(0);
}

/// The key as it is stored: one longer than [`MAX_KEY`] is cut and followed by half a SHA-256.
pub fn cut_key(mut key: Vec<u8>) -> Vec<u8> {
    if key.len() > MAX_KEY {
        let hash = Sha256::digest(&key);
        key.truncate(CUT_KEY);
        key.extend(hash.iter().take(16));
    }
    key
}

pub fn normalize_dn(schema: &Schema, dn: &Dn) -> Result<NormalizedDn, InvalidName> {
    let keys = dn.rdns.iter().map(|rdn| normalize_rdn(schema, rdn)).collect::<Result<_, _>>()?;
    let mut types = dn.rdns.iter().flat_map(|rdn| &rdn.values).map(|value| &value.attribute);
    let unknown_type = types.find(|name| schema.attribute_type(name).is_none()).cloned();
    Ok(NormalizedDn { keys, unknown_type })
}

/// The name key of one RDN: its values sorted by type and value.
pub fn normalize_rdn(schema: &Schema, rdn: &Rdn) -> Result<Vec<u8>, InvalidName> {
    if let [value] = rdn.values.as_slice() {
        let mut key = Vec::with_capacity(8 + value.attribute.len() + value.value.len() + 4);
        write_pair(schema, value, &mut key)?;
        return Ok(key);
    }
    let mut pairs = Vec::with_capacity(rdn.values.len());
    for value in &rdn.values {
        let mut pair = Vec::new();
        let type_end = write_pair(schema, value, &mut pair)?;
        pairs.push((type_end, pair));
    }
    pairs.sort_by(|one, two| sort_key(one).cmp(&sort_key(two)));
    Ok(pairs.into_iter().flat_map(|(_, pair)| pair).collect())
}

/// Type and value without their lengths, which would sort short before long.
fn sort_key((type_end, pair): &(usize, Vec<u8>)) -> (Option<&[u8]>, Option<&[u8]>) {
    (pair.get(2..*type_end), pair.get(*type_end + 2..))
}

/// Appends u16 length and type, u16 length and value; returns where the type ends.
fn write_pair(
    schema: &Schema,
    value: &AttributeValue,
    key: &mut Vec<u8>,
) -> Result<usize, InvalidName> {
    let fail = |what: String| InvalidName { attribute: value.attribute.clone(), what };
    let known = schema.attribute_type(&value.attribute);
    let type_key = match known {
        Some(known) => Cow::Borrowed(known.key.as_bytes()),
        None => Cow::Owned(value.attribute.to_ascii_lowercase().into_bytes()),
    };
    key.extend_from_slice(&length(type_key.len()).map_err(fail)?);
    key.extend_from_slice(&type_key);
    let type_end = key.len();
    key.extend_from_slice(&[0, 0]);
    write_value(schema, known, &value.value, key).map_err(|error| fail(error.what))?;
    let value_length = length(key.len() - type_end - 2).map_err(fail)?;
    if let Some(place) = key.get_mut(type_end..type_end + 2) {
        place.copy_from_slice(&value_length);
    }
    Ok(type_end)
}

/// Values of unknown types are compared as text without case, or as bytes where they are not text.
fn write_value(
    schema: &Schema,
    known: Option<&super::AttributeType>,
    value: &[u8],
    key: &mut Vec<u8>,
) -> Result<(), InvalidValue> {
    let Some(known) = known else {
        let start = key.len();
        if normalize::value(Form::CaseIgnore, schema, value, key).is_err() {
            key.truncate(start);
            key.extend_from_slice(value);
        }
        return Ok(());
    };
    match known.equality {
        Some(rule) => rule.normalize(schema, value, key),
        None => {
            key.extend_from_slice(value);
            Ok(())
        }
    }
}

fn length(length: usize) -> Result<[u8; 2], String> {
    let length = u16::try_from(length).map_err(|_| "is too long for a name".to_owned())?;
    Ok(length.to_le_bytes())
}
