//! Which rule decided, and why the ones before it did not: `chancery access explain`.

use std::fmt;
use std::sync::Arc;

use super::attributes::{AttributeClass, is_secret};
use super::evaluate::{Decision, EntryAccess, Target, Tree, speaks_from};
use super::rule::{AccessRules, Rule};
use super::text::RuleText;
use crate::refusal::Fault;
use crate::subject::{Subject, Who};

/// The way to a decision. Prints as lines, one per rule, the decision last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub decision: Decision,
    /// The rules in order, up to and with the one that decided.
    pub considered: Vec<Considered>,
    by_operator: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// From 0; printed from 1.
    pub rule: usize,
    pub text: RuleText,
    /// Why it did not decide; none for the one that did.
    pub reason: Option<Reason>,
}

/// The first thing about a rule that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Attributes,
    /// It covers all attributes, but does not name this secret.
    Secret,
    From,
    Who,
    On,
    Where,
}

impl AccessRules {
    /// Decides like [`AccessRules::decide`] and tells how.
    pub fn explain(
        self: &Arc<Self>,
        subject: &Subject,
        tree: &impl Tree,
        target: &impl Target,
        attribute: Option<&str>,
    ) -> Result<Explanation, Fault> {
        let class = attribute.map_or(AttributeClass::ENTRY, |key| self.class_of(key));
        let asker = self.for_asker(subject, tree, self.resolve_names(tree)?)?;
        let access = asker.for_entry(target);
        let decision = access.decide(class)?;
        let by_operator = subject.who == Who::Operator;
        let mut considered = Vec::new();
        for (index, rule) in self.rules.iter().enumerate().filter(|_| !by_operator) {
            let reason = match self.classes.rules(class).contains(index) {
                true => access.reason(index, rule, subject)?,
                false => Some(silent(rule, attribute)),
            };
            considered.push(Considered { rule: index, text: rule.text.clone(), reason });
            if reason.is_none() {
                break;
            }
        }
        Ok(Explanation { decision, considered, by_operator })
    }
}

/// Why a rule does not speak of an attribute.
fn silent(rule: &Rule, attribute: Option<&str>) -> Reason {
    let unnamed = rule.attributes.user && attribute.is_some_and(is_secret);
    let excepted = attribute.is_some_and(|key| rule.attributes.except.contains(key));
    if unnamed && !excepted { Reason::Secret } else { Reason::Attributes }
}

impl<T: Target> EntryAccess<'_, T> {
    fn reason(
        &self,
        index: usize,
        rule: &Rule,
        subject: &Subject,
    ) -> Result<Option<Reason>, Fault> {
        Ok(if !speaks_from(rule, subject) {
            Some(Reason::From)
        } else if !self.means_asker(index, rule)? {
            Some(Reason::Who)
        } else if !self.means_place(rule)? {
            Some(Reason::On)
        } else if !self.satisfies_filter(rule)? {
            Some(Reason::Where)
        } else {
            None
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for considered in &self.considered {
            writeln!(f, "{considered}")?;
        }
        match self.decision.rule {
            Some(rule) => write!(f, "rule {} decides: {}", rule + 1, self.decision.rights),
            None if self.by_operator => write!(f, "the operator may do everything: manage"),
            None => write!(f, "no rule speaks of this, so it is denied: none"),
        }
    }
}

impl fmt::Display for Considered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: {}\n    ", self.rule + 1, self.text)?;
        match self.reason {
            Some(reason) => write!(f, "not this one: {reason}"),
            None => write!(f, "matches"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Attributes => "it speaks of other attributes",
            Reason::Secret => "a secret must be named, or meant by `@secrets`",
            Reason::From => "the asker is not in that network",
            Reason::Who => "it speaks of other askers",
            Reason::On => "the entry is not there",
            Reason::Where => "the entry does not satisfy the filter",
        })
    }
}
