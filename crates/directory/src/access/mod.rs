//! Who may do what to which entries and attributes. For the operator: `docs/reference/access.md`.
//!
//! In reading order:
//!
//! - [`rights`]: what may be done, as a set of bits.
//! - [`text`]: a rule as it stands in `chancery.toml` ([`RuleText`]) and what can be wrong with it.
//! - [`parse`]: from text to compiled rules, every fault listed at once.
//! - [`rule`]: the compiled rule; [`attributes`]: the attributes it speaks of; [`network`]: client
//!   networks.
//! - [`evaluate`]: rules for one asker ([`AskerRules`]), then for one entry ([`EntryAccess`]).
//! - [`explain`]: which rule decided and why the ones before it did not.
//! - [`defaults`]: the rules of a directory whose operator wrote none.
//!
//! The rules do not know the store. They ask the schema through [`Vocabulary`], the tree through
//! [`Tree`] and the entry through [`Target`].

mod attributes;
mod defaults;
mod evaluate;
mod explain;
mod mask;
mod network;
mod parse;
mod rights;
mod rule;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use attributes::ClassMemo;
pub use attributes::{AttributeClass, ClassSet, SECRETS};
pub use evaluate::{AskerRules, Decision, EntryAccess, Target, Tree, UserAttributes};
pub use explain::{Considered, Explanation, Reason};
pub use mask::RULES_MAX;
pub use network::Network;
pub use parse::Vocabulary;
pub use rights::Rights;
pub use rule::{AccessRules, RuleFilter};
pub use text::{RuleError, RuleText};
