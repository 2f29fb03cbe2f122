//! A rule as the operator writes it, and what can be wrong with it.

use std::fmt;

/// One `[[access]]` table. A single string in the file is a list of one here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleText {
    pub who: Vec<String>,
    pub may: Vec<String>,
    /// Empty: everything.
    pub on: Vec<String>,
    /// `where`: an RFC 4515 filter.
    pub filter: Option<String>,
    /// Absent: the entry itself and all its attributes.
    pub attributes: Option<Vec<String>>,
    /// Client networks; empty: from anywhere.
    pub from: Vec<String>,
}

impl RuleText {
    pub fn new(who: &str, may: &[&str]) -> RuleText {
        let may = may.iter().map(|&word| word.to_owned()).collect();
        RuleText { who: vec![who.to_owned()], may, ..RuleText::default() }
    }

    #[must_use]
    pub fn on(mut self, place: &str) -> RuleText {
        self.on.push(place.to_owned());
        self
    }

    #[must_use]
    pub fn filter(mut self, filter: &str) -> RuleText {
        self.filter = Some(filter.to_owned());
        self
    }

    #[must_use]
    pub fn attributes(mut self, names: &[&str]) -> RuleText {
        self.attributes = Some(names.iter().map(|&name| name.to_owned()).collect());
        self
    }

    #[must_use]
    pub fn from(mut self, network: &str) -> RuleText {
        self.from.push(network.to_owned());
        self
    }
}

/// The rule as a sentence: `signed-in may read on subtree "…" where (…) attributes a, b`.
impl fmt::Display for RuleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may {}", self.who.join(" or "), self.may.join(", "))?;
        if !self.on.is_empty() {
            write!(f, " on {}", self.on.join(" or "))?;
        }
        if let Some(filter) = &self.filter {
            write!(f, " where {filter}")?;
        }
        if let Some(attributes) = &self.attributes {
            write!(f, " attributes {}", attributes.join(", "))?;
        }
        if !self.from.is_empty() {
            write!(f, " from {}", self.from.join(" or "))?;
        }
        Ok(())
    }
}

/// One fault in one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("access rule {}, {field}: {what}; {right}", .rule + 1)]
pub struct RuleError {
    /// The rule's place in the file, from 0; printed from 1.
    pub rule: usize,
    pub field: &'static str,
    pub what: String,
    /// What would be right.
    pub right: String,
}
