//! A client's filter against the schema and the tree: attributes become numbers, values their
//! normal forms, names entries. What the schema does not know becomes `Undefined` (RFC 4511
//! §4.5.1.7).

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};

use ldap::filter::{Assertion, Extensible, Filter, Substrings};

use crate::catalogue::Numbers;
use crate::names::Resolved;
use crate::refusal::Error;
use crate::schema::{
    AttributeDescription, AttributeType, MatchingRule, Piece, RuleKind, Schema, Syntax,
};
use crate::search::evaluate::reversed_of;
use crate::search::plan::Blocks;
use crate::store::{AttributeId, EntryId, TransactionNumber};
use crate::tree::Tree;

/// A compiled filter.
#[derive(Debug)]
pub(crate) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Leaf(Leaf),
    Undefined,
}

impl Node {
    pub(crate) fn as_leaf(&self) -> Option<&Leaf> {
        match self {
            Node::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }
}

impl Leaf {
    /// The upper end, where it is one.
    pub(crate) fn at_most(&self) -> Option<(&Leaf, &[u8])> {
        match &self.test {
            Test::AtMost { key, .. } => Some((self, key)),
            _ => None,
        }
    }
}

/// One assertion about one attribute (or, without `wanted`, about all that the rule fits).
#[derive(Debug)]
pub(crate) struct Leaf {
    pub wanted: Option<Wanted>,
    /// The stored descriptions this leaf looks at.
    pub ids: Numbers,
    pub source: ValueSource,
    pub test: Test,
    /// `:dn:`: the values in the entry's name count as well.
    pub dn_attributes: bool,
    /// Of a `memberOf`: the group's members, where planning has listed them.
    pub members: OnceCell<Listed>,
}

/// Members as of one snapshot; of another one they say nothing.
#[derive(Debug)]
pub(crate) struct Listed {
    pub snapshot: TransactionNumber,
    pub members: Blocks,
}

/// The attribute as the client named it, for access and for entries that are not stored.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub type_index: u32,
    /// The number of the bare type, where it has one.
    pub bare: Option<AttributeId>,
    pub options: Vec<String>,
}

/// Where the values of an attribute are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueSource {
    Stored,
    Links,
    MemberOf,
    EntryDn,
    HasSubordinates,
    NumSubordinates,
    SubschemaSubentry,
}

#[derive(Debug)]
pub(crate) enum Test {
    Present,
    Equal {
        rule: MatchingRule,
        key: Vec<u8>,
        raw: Vec<u8>,
    },
    /// `objectClass` and `structuralObjectClass`: any of the class and its subclasses.
    OneOf {
        keys: HashSet<Vec<u8>>,
        class_key: Vec<u8>,
        rule: MatchingRule,
    },
    AtLeast {
        rule: MatchingRule,
        key: Vec<u8>,
    },
    AtMost {
        rule: MatchingRule,
        key: Vec<u8>,
    },
    Substring {
        rule: MatchingRule,
        initial: Option<Vec<u8>>,
        any: Vec<Vec<u8>>,
        last: Option<Vec<u8>>,
    },
    Rule {
        rule: MatchingRule,
        assertion: Vec<u8>,
    },
    /// A name: the entry it leads to, and its reversed form for loose values.
    Names {
        target: Option<EntryId>,
        reversed: Reversed,
    },
    /// In-chain: any of these entries itself satisfies it.
    Chain(BTreeSet<EntryId>),
}

/// A name's reversed form, worked out when it is asked for: where the name leads to an entry that
/// is hardly ever.
#[derive(Debug)]
pub(crate) struct Reversed {
    text: Box<str>,
    form: OnceCell<Option<Vec<u8>>>,
}

impl Reversed {
    /// None: it is no name.
    pub(crate) fn get(&self, schema: &Schema) -> Option<&[u8]> {
        self.form.get_or_init(|| reversed_of(schema, self.text.as_bytes())).as_deref()
    }
}

/// Compiles a whole filter.
pub(crate) fn compile(tree: &Tree<'_>, filter: &Filter<'_>) -> Result<Node, Error> {
    Ok(match filter {
        Filter::And(parts) => Node::And(compile_all(tree, parts)?),
        Filter::Or(parts) => Node::Or(compile_all(tree, parts)?),
        Filter::Not(part) => Node::Not(Box::new(compile(tree, part)?)),
        Filter::Present(attribute) => present(tree, attribute),
        Filter::Equality(assertion) => equality(tree, assertion, false)?,
        Filter::Approx(assertion) => equality(tree, assertion, true)?,
        Filter::GreaterOrEqual(assertion) => ordering(tree, assertion, true),
        Filter::LessOrEqual(assertion) => ordering(tree, assertion, false),
        Filter::Substrings(pieces) => substrings(tree, pieces),
        Filter::Extensible(extensible) => extended(tree, extensible)?,
    })
}

fn compile_all(tree: &Tree<'_>, parts: &[Filter<'_>]) -> Result<Vec<Node>, Error> {
    parts.iter().map(|part| compile(tree, part)).collect()
}

fn leaf(tree: &Tree<'_>, wanted: AttributeDescription<'_>, test: Test) -> Leaf {
    let kind = wanted.attribute_type;
    Leaf {
        ids: tree.catalogue.subtypes(&wanted),
        source: source_of(kind),
        wanted: Some(Wanted {
            type_index: kind.index,
            bare: tree.catalogue.bare(kind.index),
            options: wanted.options,
        }),
        test,
        dn_attributes: false,
        members: OnceCell::new(),
    }
}

pub(crate) fn source_of(kind: &AttributeType) -> ValueSource {
    match kind.key.as_str() {
        "memberof" => ValueSource::MemberOf,
        "entrydn" => ValueSource::EntryDn,
        "hassubordinates" => ValueSource::HasSubordinates,
        "numsubordinates" => ValueSource::NumSubordinates,
        "subschemasubentry" => ValueSource::SubschemaSubentry,
        _ if kind.is_link() => ValueSource::Links,
        _ => ValueSource::Stored,
    }
}

fn describe<'s>(tree: &'s Tree<'_>, attribute: &str) -> Option<AttributeDescription<'s>> {
    AttributeDescription::parse(tree.schema(), attribute).ok()
}

fn present(tree: &Tree<'_>, attribute: &str) -> Node {
    match describe(tree, attribute) {
        Some(wanted) => Node::Leaf(leaf(tree, wanted, Test::Present)),
        // RFC 4511 §4.5.1.7.5 leaves presence of an unknown attribute to false; slapd says
        // undefined.
        None => Node::Undefined,
    }
}

fn equality(tree: &Tree<'_>, assertion: &Assertion<'_>, approximate: bool) -> Result<Node, Error> {
    let Some(wanted) = describe(tree, assertion.attribute) else { return Ok(Node::Undefined) };
    let Some(rule) = wanted.attribute_type.equality else { return Ok(Node::Undefined) };
    let rule = if approximate { rule.approximate() } else { rule };
    Ok(match equality_test(tree, wanted.attribute_type, rule, &assertion.value)? {
        Some(test) => Node::Leaf(leaf(tree, wanted, test)),
        None => Node::Undefined,
    })
}

fn equality_test(
    tree: &Tree<'_>,
    kind: &AttributeType,
    rule: MatchingRule,
    value: &[u8],
) -> Result<Option<Test>, Error> {
    match source_of(kind) {
        ValueSource::Links | ValueSource::MemberOf | ValueSource::EntryDn => names(tree, value),
        _ if kind.key == "objectclass" || kind.key == "structuralobjectclass" => {
            Ok(class_test(tree, rule, value))
        }
        _ => Ok(plain(tree, rule, value)),
    }
}

fn plain(tree: &Tree<'_>, rule: MatchingRule, value: &[u8]) -> Option<Test> {
    let mut key = Vec::with_capacity(value.len() + 8);
    rule.normalize(tree.schema(), value, &mut key).ok()?;
    Some(Test::Equal { rule, key, raw: value.to_vec() })
}

fn class_test(tree: &Tree<'_>, rule: MatchingRule, value: &[u8]) -> Option<Test> {
    let schema = tree.schema();
    let class = schema.object_class(std::str::from_utf8(value).ok()?)?;
    let key_of = |name: &str| {
        let mut key = Vec::new();
        rule.normalize(schema, name.as_bytes(), &mut key).ok().map(|()| key)
    };
    let keys = schema
        .object_classes()
        .filter(|sub| sub.index == class.index || schema.is_subclass(sub, class))
        .filter_map(|sub| key_of(&sub.name))
        .collect();
    Some(Test::OneOf { keys, class_key: key_of(&class.name)?, rule })
}

fn names(tree: &Tree<'_>, value: &[u8]) -> Result<Option<Test>, Error> {
    let Ok(text) = std::str::from_utf8(value) else { return Ok(None) };
    let (text, _) = split_uid(text);
    let target = match tree.resolve_text(text) {
        Ok(Resolved::Found(id)) => Some(id),
        Ok(Resolved::Missing { .. }) => None,
        Err(Error::Refused(_)) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let reversed = Reversed { text: text.into(), form: OnceCell::new() };
    Ok(Some(Test::Names { target, reversed }))
}

/// `name#'0101'B` (RFC 4517 §3.3.21): the name, and the unique identifier with its `#`.
pub(crate) fn split_uid(value: &str) -> (&str, &str) {
    if value.ends_with("'B")
        && let Some(hash) = value.rfind("#'")
    {
        return value.split_at(hash);
    }
    (value, "")
}

fn ordering(tree: &Tree<'_>, assertion: &Assertion<'_>, at_least: bool) -> Node {
    let Some(wanted) = describe(tree, assertion.attribute) else { return Node::Undefined };
    let Some(rule) = wanted.attribute_type.ordering else { return Node::Undefined };
    let mut key = Vec::new();
    if rule.normalize(tree.schema(), &assertion.value, &mut key).is_err() {
        return Node::Undefined;
    }
    let test = if at_least { Test::AtLeast { rule, key } } else { Test::AtMost { rule, key } };
    Node::Leaf(leaf(tree, wanted, test))
}

fn substrings(tree: &Tree<'_>, pieces: &Substrings<'_>) -> Node {
    let Some(wanted) = describe(tree, pieces.attribute) else { return Node::Undefined };
    let Some(rule) = wanted.attribute_type.substring else { return Node::Undefined };
    match substring_test(tree, rule, pieces) {
        Some(test) => Node::Leaf(leaf(tree, wanted, test)),
        None => Node::Undefined,
    }
}

fn substring_test(tree: &Tree<'_>, rule: MatchingRule, pieces: &Substrings<'_>) -> Option<Test> {
    let normal = |piece: &[u8], position: Piece| {
        let mut out = Vec::new();
        rule.normalize_piece(tree.schema(), piece, position, &mut out).ok().map(|()| out)
    };
    let initial = match &pieces.initial {
        Some(piece) => Some(normal(piece, Piece::Initial)?),
        None => None,
    };
    let last = match &pieces.last {
        Some(piece) => Some(normal(piece, Piece::Final)?),
        None => None,
    };
    let any =
        pieces.any.iter().map(|piece| normal(piece, Piece::Any)).collect::<Option<Vec<_>>>()?;
    Some(Test::Substring { rule, initial, any, last })
}

fn extended(tree: &Tree<'_>, extensible: &Extensible<'_>) -> Result<Node, Error> {
    let wanted = match extensible.attribute {
        Some(attribute) => match describe(tree, attribute) {
            Some(wanted) => Some(wanted),
            None => return Ok(Node::Undefined),
        },
        None => None,
    };
    let rule = match extensible.rule {
        Some(name) => tree.schema().matching_rule(name),
        None => wanted.as_ref().and_then(|wanted| wanted.attribute_type.equality),
    };
    let Some(rule) = rule else { return Ok(Node::Undefined) };
    if wanted.as_ref().is_some_and(|wanted| !fits(rule, wanted.attribute_type)) {
        return Ok(Node::Undefined);
    }
    let test = match &wanted {
        Some(wanted) if rule == MatchingRule::InChainMatch => {
            chain(tree, wanted, &extensible.value)?
        }
        Some(wanted) if Some(rule) == wanted.attribute_type.equality => {
            equality_test(tree, wanted.attribute_type, rule, &extensible.value)?
        }
        _ => rule_test(tree, rule, &extensible.value),
    };
    let Some(test) = test else { return Ok(Node::Undefined) };
    let mut leaf = match wanted {
        Some(wanted) => leaf(tree, wanted, test),
        None => any_attribute(tree, rule, test),
    };
    leaf.dn_attributes = extensible.dn_attributes;
    Ok(Node::Leaf(leaf))
}

/// RFC 4511 §4.5.1.7.7: a rule that is not for values of this attribute makes it Undefined.
fn fits(rule: MatchingRule, kind: &AttributeType) -> bool {
    let own = [kind.equality, kind.ordering, kind.substring];
    own.contains(&Some(rule)) || rule.applies_to(kind.syntax)
}

fn rule_test(tree: &Tree<'_>, rule: MatchingRule, value: &[u8]) -> Option<Test> {
    if rule.kind() == RuleKind::Equality {
        return plain(tree, rule, value);
    }
    if rule.applies_to(Syntax::DistinguishedName) {
        rule.normalize(tree.schema(), value, &mut Vec::new()).ok()?; // no name: Undefined
    }
    Some(Test::Rule { rule, assertion: value.to_vec() })
}

/// `:rule:=value` without an attribute: every stored attribute the rule can be used with.
fn any_attribute(tree: &Tree<'_>, rule: MatchingRule, test: Test) -> Leaf {
    let fits = |kind: &AttributeType| rule.applies_to(kind.syntax);
    let ids = tree.catalogue.iter().filter_map(|(id, described)| {
        let kind = described.attribute_type(tree.schema())?;
        (fits(kind) && !described.secret).then_some(id)
    });
    Leaf {
        wanted: None,
        ids: ids.collect(),
        source: ValueSource::Stored,
        test,
        dn_attributes: false,
        members: OnceCell::new(),
    }
}

/// 1.2.840.113556.1.4.1941: follow the attribute over any number of entries.
fn chain(
    tree: &Tree<'_>,
    wanted: &AttributeDescription<'_>,
    value: &[u8],
) -> Result<Option<Test>, Error> {
    let Some(Test::Names { target, .. }) = names(tree, value)? else { return Ok(None) };
    let Some(target) = target else { return Ok(Some(Test::Chain(BTreeSet::new()))) };
    let reached = match source_of(wanted.attribute_type) {
        ValueSource::Links => tree.chain_to(target, &tree.catalogue.subtypes(wanted))?,
        ValueSource::MemberOf => tree.chain_from(target, &tree.membership().collect::<Vec<_>>())?,
        _ => return Ok(None),
    };
    Ok(Some(Test::Chain(reached)))
}
