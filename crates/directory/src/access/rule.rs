//! Compiled rules: attributes resolved against the schema, names still as text, because an entry
//! may be created after the rule that speaks of it.

use super::attributes::{AttributeClass, AttributeSet, Classes};
use super::network::Network;
use super::rights::Rights;
use super::text::RuleText;

/// All rules of a directory, compiled against one schema. Parse again when the schema changes.
#[derive(Clone, Debug, Default)]
pub struct AccessRules {
    pub(crate) rules: Vec<Rule>,
    /// Every name the rules speak of, each once; a rule holds its place in this list.
    pub(crate) names: Vec<String>,
    pub(crate) filters: Vec<RuleFilter>,
    pub(crate) classes: Classes,
}

impl AccessRules {
    /// The rules as they were written, in order.
    pub fn texts(&self) -> impl Iterator<Item = &RuleText> {
        self.rules.iter().map(|rule| &rule.text)
    }

    /// The filters of all rules; a filter's `index` is its place in here.
    pub fn filters(&self) -> &[RuleFilter] {
        &self.filters
    }

    /// The class of an attribute, by the key of its type (lower case). Options are ignored.
    pub fn class_of(&self, key: &str) -> AttributeClass {
        self.classes.of(key)
    }
}

/// A rule's `where`. The evaluator compiles it once and finds its compiled form by `index`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFilter {
    pub index: usize,
    pub text: String,
}

/// A name in `AccessRules::names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameIndex(pub(crate) usize);

#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) text: RuleText,
    pub(crate) who: Vec<WhoTerm>,
    pub(crate) rights: Rights,
    pub(crate) on: Vec<Place>,
    /// A filter in `AccessRules::filters`.
    pub(crate) filter: Option<usize>,
    pub(crate) attributes: AttributeSet,
    pub(crate) from: Vec<Network>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WhoTerm {
    Anyone,
    Anonymous,
    SignedIn,
    Oneself,
    Entry(NameIndex),
    Group(NameIndex),
    Role(NameIndex),
    Subtree(NameIndex),
    /// Whom this DN attribute of the entry names.
    ValueOf(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) scope: PlaceScope,
    pub(crate) name: NameIndex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceScope {
    Entry,
    Children,
    Subtree,
    /// The subtree without its top.
    Below,
}
