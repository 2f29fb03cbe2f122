//! Modifications against an entry's stored attributes: pure, in order, all or nothing (RFC 4511
//! §4.6). Link attributes are not here; `prepare::links` applies those to their rows.

use std::collections::HashSet;
use std::sync::Arc;

use ldap::message::ModifyOperation;
use ldap::result::ResultCode;

use crate::catalogue::Described;
use crate::entry::{Entry, equality_key};
use crate::refusal::Refusal;
use crate::schema::{MatchingRule, Schema};

/// One modification with its attribute explained.
pub(crate) struct Explained<'r> {
    pub operation: ModifyOperation,
    pub described: Arc<Described>,
    pub values: &'r [Vec<u8>],
}

/// Applies one modification; the entry is left half-changed on refusal, so callers work on a copy.
pub(crate) fn apply(
    entry: &mut Entry,
    schema: &Schema,
    modification: &Explained<'_>,
    permissive: bool,
) -> Result<(), Refusal> {
    match modification.operation {
        ModifyOperation::Add => add(entry, schema, modification, permissive),
        ModifyOperation::Delete => delete(entry, schema, modification, permissive),
        ModifyOperation::Replace => replace(entry, schema, modification),
        ModifyOperation::Increment => increment(entry, schema, modification),
    }
}

fn rule(schema: &Schema, described: &Described) -> Option<MatchingRule> {
    described.attribute_type(schema).and_then(|kind| kind.equality)
}

fn keys(schema: &Schema, described: &Described, values: &[Vec<u8>]) -> HashSet<Vec<u8>> {
    let rule = rule(schema, described);
    values.iter().map(|value| equality_key(schema, rule, value)).collect()
}

fn add(
    entry: &mut Entry,
    schema: &Schema,
    modification: &Explained<'_>,
    permissive: bool,
) -> Result<(), Refusal> {
    let described = &modification.described;
    if modification.values.is_empty() {
        return Err(needs_value(described));
    }
    let equality = rule(schema, described);
    let mut values =
        entry.find(&described.key).map(|held| held.values.to_vec()).unwrap_or_default();
    let mut present = keys(schema, described, &values);
    for value in modification.values {
        if present.insert(equality_key(schema, equality, value)) {
            values.push(value.clone());
        } else if !permissive {
            return Err(Refusal::new(
                ResultCode::ATTRIBUTE_OR_VALUE_EXISTS,
                format!("'{}' already has one of the values to add", described.text),
            ));
        }
    }
    entry.set(described.clone(), values);
    Ok(())
}

fn delete(
    entry: &mut Entry,
    schema: &Schema,
    modification: &Explained<'_>,
    permissive: bool,
) -> Result<(), Refusal> {
    let described = &modification.described;
    let missing = |what: String| match permissive {
        true => Ok(()),
        false => Err(Refusal::new(ResultCode::NO_SUCH_ATTRIBUTE, what)),
    };
    let Some(held) = entry.find(&described.key) else {
        return missing(format!("the entry has no '{}'", described.text));
    };
    if modification.values.is_empty() {
        entry.remove(&described.key);
        return Ok(());
    }
    let mut unwanted = keys(schema, described, modification.values);
    if unwanted.len() < modification.values.len() {
        return Err(repeated(described));
    }
    let equality = rule(schema, described);
    let mut values = held.values.to_vec();
    values.retain(|value| !unwanted.remove(&equality_key(schema, equality, value)));
    if !unwanted.is_empty() {
        missing(format!("'{}' does not have one of the values to delete", described.text))?;
    }
    entry.set(described.clone(), values);
    Ok(())
}

fn replace(
    entry: &mut Entry,
    schema: &Schema,
    modification: &Explained<'_>,
) -> Result<(), Refusal> {
    let described = &modification.described;
    let values = modification.values;
    if values.len() > 1 && keys(schema, described, values).len() < values.len() {
        return Err(repeated(described));
    }
    entry.set(described.clone(), values.to_vec());
    Ok(())
}

/// RFC 4511 §4.1.7: a set of values has no two equal ones.
pub(crate) fn repeated(described: &Described) -> Refusal {
    Refusal::new(
        ResultCode::ATTRIBUTE_OR_VALUE_EXISTS,
        format!("'{}' is given the same value twice", described.text),
    )
}

/// RFC 4511 §4.6: an addition lists what it adds.
pub(crate) fn needs_value(described: &Described) -> Refusal {
    Refusal::new(
        ResultCode::PROTOCOL_ERROR,
        format!("adding to '{}' needs at least one value", described.text),
    )
}

/// RFC 4525 §2.1.
pub(crate) fn holds_no_integers(described: &Described) -> Refusal {
    Refusal::new(
        ResultCode::CONSTRAINT_VIOLATION,
        format!("'{}' does not hold integers, so it cannot be incremented", described.text),
    )
}

/// RFC 4525: every value of the attribute grows by the one given integer.
fn increment(
    entry: &mut Entry,
    schema: &Schema,
    modification: &Explained<'_>,
) -> Result<(), Refusal> {
    let described = &modification.described;
    let integer = crate::schema::Syntax::Integer;
    if described.attribute_type(schema).map(|kind| kind.syntax) != Some(integer) {
        return Err(holds_no_integers(described));
    }
    let [step] = modification.values else {
        return Err(Refusal::new(
            ResultCode::PROTOCOL_ERROR,
            "an increment takes exactly one value".to_owned(),
        ));
    };
    let step = number(step).ok_or_else(|| out_of_range(described))?;
    let held = entry.find_mut(&described.key).ok_or_else(|| {
        Refusal::new(
            ResultCode::NO_SUCH_ATTRIBUTE,
            format!("the entry has no '{}' to increment", described.text),
        )
    })?;
    let mut values = Vec::new();
    for value in held.values.iter() {
        let sum = number(value).and_then(|old| old.checked_add(step));
        values.push(sum.ok_or_else(|| out_of_range(described))?.to_string().into_bytes());
    }
    held.values = values.into();
    Ok(())
}

fn number(value: &[u8]) -> Option<i128> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn out_of_range(described: &Described) -> Refusal {
    Refusal::new(
        ResultCode::CONSTRAINT_VIOLATION,
        format!("'{}' cannot be incremented: not an integer within 127 bits", described.text),
    )
}
