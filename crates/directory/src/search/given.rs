//! Searching entries that are not stored: the root DSE, the subschema, and entries on their way in.

use std::sync::Arc;

use ldap::response::write_attribute;

use crate::catalogue::Described;
use crate::change::NewAttribute;
use crate::permits::{IgnoringAccess, Permits};
use crate::refusal::{Error, Fault};
use crate::search::evaluate::{Truth, fold, may_search, test_value};
use crate::search::filter::{Leaf, Node, Test, ValueSource, compile};
use crate::search::projection::Selection;
use crate::search::{EntrySink, SearchQuery};
use crate::tree::Tree;

/// An entry given whole by its maker.
#[derive(Clone, Debug, Default)]
pub struct GivenEntry {
    pub dn: String,
    pub attributes: Vec<NewAttribute>,
}

/// Explained attributes with their values.
pub(crate) type Explained = (Arc<Described>, Vec<Vec<u8>>);

/// The entry's attributes under the schema in force.
pub(crate) fn explain(tree: &Tree<'_>, entry: &GivenEntry) -> Result<Vec<Explained>, Error> {
    let explained = entry.attributes.iter().map(|attribute| {
        Ok((tree.catalogue.describe(&attribute.description)?, attribute.values.clone()))
    });
    explained.collect()
}

/// Evaluates a compiled filter on attributes that are not stored.
pub(crate) fn evaluate_given(
    node: &Node,
    tree: &Tree<'_>,
    attributes: &[Explained],
    rights: &impl Permits,
) -> Result<Truth, Fault> {
    match node {
        Node::Undefined => Ok(None),
        Node::Not(part) => Ok(evaluate_given(part, tree, attributes, rights)?.map(|truth| !truth)),
        Node::And(parts) => {
            fold(parts, false, |part| evaluate_given(part, tree, attributes, rights))
        }
        Node::Or(parts) => fold(parts, true, |part| evaluate_given(part, tree, attributes, rights)),
        Node::Leaf(leaf) => evaluate_leaf(leaf, tree, attributes, rights),
    }
}

fn evaluate_leaf(
    leaf: &Leaf,
    tree: &Tree<'_>,
    attributes: &[Explained],
    rights: &impl Permits,
) -> Result<Truth, Fault> {
    let schema = tree.schema();
    let Some(wanted) = &leaf.wanted else { return Ok(Some(false)) };
    if !may_search(wanted, tree, rights)? {
        return Ok(None);
    }
    let Some(wanted_type) = schema.attribute_type_at(wanted.type_index) else { return Ok(None) };
    for (described, values) in attributes {
        let is_asked = described.attribute_type(schema).is_some_and(|kind| {
            (kind.index == wanted_type.index || schema.is_subtype(kind, wanted_type))
                && wanted.options.iter().all(|option| described.options.contains(option))
        });
        let matches = |value: &Vec<u8>| test_value(schema, &leaf.test, value) == Some(true);
        if is_asked && (matches!(leaf.test, Test::Present) || values.iter().any(matches)) {
            return Ok(Some(true));
        }
    }
    let elsewhere = !matches!(leaf.source, ValueSource::Stored | ValueSource::Links);
    Ok((!elsewhere).then_some(false))
}

/// Answers a search over one given entry: filter, selection, no access rules of its own.
pub(crate) fn search_given(
    tree: &Tree<'_>,
    entry: &GivenEntry,
    query: &SearchQuery<'_>,
    sink: &mut impl EntrySink,
) -> Result<(), Error> {
    let attributes = explain(tree, entry)?;
    let node = compile(tree, query.filter)?;
    if evaluate_given(&node, tree, &attributes, &IgnoringAccess)? != Some(true) {
        return Ok(());
    }
    let selection = Selection::new(tree, query.attributes, query.types_only);
    let mut wire = Vec::new();
    for (described, values) in &attributes {
        if selection.asks_for_given(tree, described) {
            let shown: &[Vec<u8>] = if selection.types_only() { &[] } else { values };
            write_attribute(&mut wire, described.text.as_bytes(), shown.iter().map(Vec::as_slice));
        }
    }
    sink.entry(entry.dn.as_bytes(), &[&wire]);
    Ok(())
}
