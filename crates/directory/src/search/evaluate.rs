//! Whether an entry matches a compiled filter: three-valued (RFC 4511 §4.5.1.7), on the stored
//! bytes. An attribute that the asker may not search is Undefined, so a filter cannot probe it.

use crate::permits::Permits;
use crate::refusal::Fault;
use crate::schema::{AttributeType, Schema};
use crate::search::filter::{Leaf, Node, Test, ValueSource, Wanted};
use crate::search::links::has_links;
use crate::store::EntryId;
use crate::store::names::hash16;
use crate::tree::{Candidate, Tree};

/// `None` is Undefined.
pub(crate) type Truth = Option<bool>;

pub(crate) fn evaluate(
    node: &Node,
    candidate: &Candidate<'_, '_>,
    rights: &impl Permits,
) -> Result<Truth, Fault> {
    match node {
        Node::Undefined => Ok(None),
        Node::Leaf(leaf) => evaluate_leaf(leaf, candidate, rights),
        Node::Not(part) => Ok(evaluate(part, candidate, rights)?.map(|truth| !truth)),
        Node::And(parts) => fold(parts, false, |part| evaluate(part, candidate, rights)),
        Node::Or(parts) => fold(parts, true, |part| evaluate(part, candidate, rights)),
    }
}

/// And and Or: `decisive` ends it; otherwise Undefined wins over the neutral value.
pub(crate) fn fold(
    parts: &[Node],
    decisive: bool,
    mut truth_of: impl FnMut(&Node) -> Result<Truth, Fault>,
) -> Result<Truth, Fault> {
    let mut truth = Some(!decisive);
    for part in parts {
        match truth_of(part)? {
            Some(value) if value == decisive => return Ok(Some(decisive)),
            Some(_) => {}
            None => truth = None,
        }
    }
    Ok(truth)
}

fn evaluate_leaf(
    leaf: &Leaf,
    candidate: &Candidate<'_, '_>,
    rights: &impl Permits,
) -> Result<Truth, Fault> {
    if let Some(wanted) = &leaf.wanted
        && !may_search(wanted, candidate.tree, rights)?
    {
        return Ok(None);
    }
    let found = match leaf.source {
        ValueSource::Stored => stored(leaf, candidate, rights)?,
        ValueSource::Links => links(leaf, candidate, rights)?,
        ValueSource::MemberOf => member_of(leaf, candidate)?,
        ValueSource::EntryDn => Some(entry_dn(leaf, candidate)?),
        ValueSource::HasSubordinates
        | ValueSource::NumSubordinates
        | ValueSource::SubschemaSubentry => {
            let value = computed_value(leaf.source, candidate)?;
            test_value(candidate.tree.schema(), &leaf.test, value.as_bytes())
        }
    };
    if leaf.dn_attributes && found != Some(true) && in_name(leaf, candidate, rights)? {
        return Ok(Some(true));
    }
    Ok(found)
}

pub(crate) fn may_search(
    wanted: &Wanted,
    tree: &Tree<'_>,
    rights: &impl Permits,
) -> Result<bool, Fault> {
    if let Some(described) = wanted.bare.and_then(|id| tree.catalogue.described(id)) {
        return rights.may_search(described);
    }
    match tree.schema().attribute_type_at(wanted.type_index) {
        Some(kind) => rights.may_search_type(&kind.key),
        None => Ok(false), // the schema was replaced since the filter was compiled
    }
}

fn stored(
    leaf: &Leaf,
    candidate: &Candidate<'_, '_>,
    rights: &impl Permits,
) -> Result<Truth, Fault> {
    let schema = candidate.tree.schema();
    let mut hidden = false;
    let mut undefined = false;
    let asked = leaf.ids.iter().filter_map(|id| candidate.record.row(*id));
    for row in asked {
        let Some(described) = candidate.described(row.attribute) else { continue };
        if !rights.may_search(described)? {
            hidden = true;
            continue;
        }
        if matches!(leaf.test, Test::Present) {
            return Ok(Some(true));
        }
        for value in row.values() {
            match test_value(schema, &leaf.test, value) {
                Some(true) => return Ok(Some(true)),
                Some(false) => {}
                None => undefined = true,
            }
        }
    }
    Ok(if hidden || undefined { None } else { Some(false) })
}

/// One value against one test. A stored value its own rule cannot read never matches.
pub(crate) fn test_value(schema: &Schema, test: &Test, value: &[u8]) -> Truth {
    let normal = |rule: crate::schema::MatchingRule| {
        let mut key = Vec::with_capacity(value.len() + 8);
        rule.normalize(schema, value, &mut key).ok().map(|()| key)
    };
    match test {
        Test::Present => Some(true),
        Test::Equal { rule, key, raw } => {
            Some(value == raw.as_slice() || normal(*rule).is_some_and(|held| held == *key))
        }
        Test::OneOf { keys, rule, .. } => {
            Some(normal(*rule).is_some_and(|held| keys.contains(&held)))
        }
        Test::AtLeast { rule, key } => Some(normal(*rule).is_some_and(|held| held >= *key)),
        Test::AtMost { rule, key } => Some(normal(*rule).is_some_and(|held| held <= *key)),
        Test::Substring { rule, initial, any, last } => Some(
            normal(*rule)
                .is_some_and(|held| has_pieces(&held, initial.as_deref(), any, last.as_deref())),
        ),
        Test::Rule { rule, assertion } => rule.matches(schema, value, assertion).ok(),
        Test::Names { reversed, .. } => {
            let held = reversed_of(schema, value);
            Some(held.is_some() && held.as_deref() == reversed.get(schema))
        }
        Test::Chain(_) => Some(false),
    }
}

/// The pieces in order, not overlapping (RFC 4511 §4.5.1.7.2).
fn has_pieces(value: &[u8], initial: Option<&[u8]>, any: &[Vec<u8>], last: Option<&[u8]>) -> bool {
    let mut rest = value;
    if let Some(initial) = initial {
        match rest.strip_prefix(initial) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if let Some(last) = last {
        match rest.strip_suffix(last) {
            Some(before) => rest = before,
            None => return false,
        }
    }
    for piece in any {
        match memchr::memmem::find(rest, piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

pub(crate) fn reversed_of(schema: &Schema, value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let (text, _) = crate::search::filter::split_uid(text);
    let name = crate::names::parse_and_normalize(schema, text).ok()?;
    Some(name.reversed())
}

/// Rows of `links` and `loose`; a name attribute with options is stored like any other.
fn links(
    leaf: &Leaf,
    candidate: &Candidate<'_, '_>,
    rights: &impl Permits,
) -> Result<Truth, Fault> {
    let reader = &candidate.tree.reader;
    let flags = candidate.record.flags();
    let mut truth = stored(leaf, candidate, rights)?;
    if truth == Some(true) {
        return Ok(truth);
    }
    for attribute in &leaf.ids {
        let Some(described) = candidate.described(*attribute) else { continue };
        if !described.link {
            continue;
        }
        if !rights.may_search(described)? {
            truth = None;
            continue;
        }
        let found = match &leaf.test {
            Test::Present => has_links(candidate, *attribute)?,
            Test::Names { target, reversed } => match target {
                Some(target) => {
                    flags.has_links && reader.has_link(candidate.id, *attribute, *target)?
                }
                None => match reversed.get(candidate.tree.schema()) {
                    Some(reversed) if flags.has_loose => {
                        let hash = hash16(reversed);
                        reader.loose_value(candidate.id, *attribute, &hash)?.is_some()
                    }
                    _ => false,
                },
            },
            Test::Chain(reached) => return Ok(Some(reached.contains(&candidate.id))),
            other => any_link_value(other, candidate, *attribute)?,
        };
        if found {
            return Ok(Some(true));
        }
    }
    Ok(truth)
}

/// A rule that names do not usually meet: printed names are tested one by one.
fn any_link_value(
    test: &Test,
    candidate: &Candidate<'_, '_>,
    attribute: crate::store::AttributeId,
) -> Result<bool, Fault> {
    let tree = candidate.tree;
    for link in tree.reader.links_of(candidate.id, attribute)? {
        let name = tree.dn(link?.to)?;
        if test_value(tree.schema(), test, name.as_bytes()) == Some(true) {
            return Ok(true);
        }
    }
    for loose in tree.reader.loose_of(candidate.id, attribute)? {
        if test_value(tree.schema(), test, loose?.value) == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn member_of(leaf: &Leaf, candidate: &Candidate<'_, '_>) -> Result<Truth, Fault> {
    let tree = candidate.tree;
    match &leaf.test {
        Test::Chain(reached) => Ok(Some(reached.contains(&candidate.id))),
        Test::Names { target: Some(group), .. } => {
            if let Some(listed) = leaf.members.get()
                && tree.reader.snapshot_number() == Some(listed.snapshot)
            {
                return Ok(Some(listed.members.contains(candidate.id)));
            }
            for attribute in tree.membership() {
                if tree.reader.has_link(*group, attribute, candidate.id)? {
                    return Ok(Some(true));
                }
            }
            Ok(Some(false))
        }
        Test::Present => Ok(Some(!tree.groups_of(candidate.id)?.is_empty())),
        Test::Names { target: None, .. } => Ok(Some(false)),
        test => {
            for group in tree.groups_of(candidate.id)? {
                if test_value(tree.schema(), test, tree.dn(group)?.as_bytes()) == Some(true) {
                    return Ok(Some(true));
                }
            }
            Ok(Some(false))
        }
    }
}

fn entry_dn(leaf: &Leaf, candidate: &Candidate<'_, '_>) -> Result<bool, Fault> {
    Ok(match &leaf.test {
        Test::Present => true,
        Test::Names { target, .. } => *target == Some(candidate.id),
        test => {
            let dn = candidate.dn()?;
            test_value(candidate.tree.schema(), test, dn.as_bytes()) == Some(true)
        }
    })
}

/// The single value of a computed attribute that is not a name of other entries.
pub(crate) fn computed_value(
    source: ValueSource,
    candidate: &Candidate<'_, '_>,
) -> Result<String, Fault> {
    let children = |id: EntryId| -> Result<u64, Fault> {
        Ok(candidate.tree.reader.node(id)?.map_or(0, |node| node.children))
    };
    Ok(match source {
        ValueSource::HasSubordinates => {
            if children(candidate.id)? > 0 {
                "TRUE".to_owned()
            } else {
                "FALSE".to_owned()
            }
        }
        ValueSource::NumSubordinates => children(candidate.id)?.to_string(),
        ValueSource::SubschemaSubentry => crate::SUBSCHEMA_DN.to_owned(),
        _ => candidate.dn()?.to_owned(),
    })
}

/// `:dn:`: the attribute values that make up the entry's name.
fn in_name(
    leaf: &Leaf,
    candidate: &Candidate<'_, '_>,
    rights: &impl Permits,
) -> Result<bool, Fault> {
    let schema = candidate.tree.schema();
    let Ok(name) = ldap::dn::Dn::parse(candidate.dn()?) else { return Ok(false) };
    for part in name.rdns.iter().flat_map(|rdn| &rdn.values) {
        let Some(kind) = schema.attribute_type(&part.attribute) else { continue };
        if asks_about(leaf, schema, kind)
            && rights.may_search_type(&kind.key)?
            && test_value(schema, &leaf.test, &part.value) == Some(true)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn asks_about(leaf: &Leaf, schema: &Schema, kind: &AttributeType) -> bool {
    match &leaf.wanted {
        Some(wanted) => schema
            .attribute_type_at(wanted.type_index)
            .is_some_and(|wanted| wanted.index == kind.index || schema.is_subtype(kind, wanted)),
        None => match &leaf.test {
            Test::Equal { rule, .. } | Test::Rule { rule, .. } => rule.applies_to(kind.syntax),
            _ => false,
        },
    }
}
