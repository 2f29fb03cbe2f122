//! What a server answers, owned.

use std::fmt;

use ldap::response::{Outcome, SearchResultEntry};
use ldap::result::ResultCode;

/// A result code with what was said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: ResultCode,
    pub matched: String,
    pub message: String,
    pub referrals: Vec<String>,
}

impl Answer {
    pub(crate) fn of(outcome: &Outcome<'_>) -> Answer {
        Answer {
            code: outcome.code,
            matched: outcome.matched.to_owned(),
            message: outcome.message.clone().into_owned(),
            referrals: outcome.referrals.iter().map(|&uri| uri.to_owned()).collect(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.code)?;
        if !self.message.is_empty() {
            // AD ends its messages with a NUL.
            write!(out, ": {}", self.message.trim_end_matches('\0').trim_end())?;
        }
        Ok(())
    }
}

/// An entry as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    pub attributes: Vec<Attribute>,
}

/// Values under one attribute description. Its `Debug` prints how many: they may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    pub description: String,
    pub values: Vec<Vec<u8>>,
}

impl fmt::Debug for Attribute {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({} values)", self.description, self.values.len())
    }
}

impl Entry {
    pub fn of(found: &SearchResultEntry<'_>) -> Entry {
        let attributes = found.attributes.map(|one| Attribute {
            description: String::from_utf8_lossy(one.description).into_owned(),
            values: one.values.map(<[u8]>::to_vec).collect(),
        });
        Entry { dn: found.dn.to_owned(), attributes: attributes.collect() }
    }

    /// The values of an attribute; names are compared without regard to case.
    pub fn values(&self, description: &str) -> &[Vec<u8>] {
        let is_it = |one: &&Attribute| one.description.eq_ignore_ascii_case(description);
        self.attributes.iter().find(is_it).map_or(&[], |one| &one.values)
    }

    /// The first value, where it is text.
    pub fn text(&self, description: &str) -> Option<&str> {
        self.values(description).first().and_then(|value| std::str::from_utf8(value).ok())
    }
}
