//! What an administrator should be told in time.
//!
//! Each area of the program says which [`Condition`]s hold now; nothing else decides whether an
//! alert is raised, told again, or cleared.

#![allow(dead_code, reason = "the areas that know conditions come one by one")]

use serde::Serialize;
use time::OffsetDateTime;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// Nothing is broken, but it should be known.
    Notice,
    /// Something will break, or is less safe than it should be.
    Warning,
    /// Clients are turned away, or everybody is let in.
    Critical,
}

/// Something that is the case now and should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Condition {
    /// Stable: what scripts and runbooks know it by.
    pub(crate) id: &'static str,
    /// What tells two conditions with one id apart: a thumbprint, a name, an address.
    pub(crate) cause: String,
    pub(crate) level: Level,
    /// One sentence: what is the case.
    pub(crate) what: String,
    /// One sentence: what to do.
    pub(crate) fix: String,
}

/// An area of the program that knows conditions.
pub(crate) trait Watches: Send + Sync {
    /// All that hold at this time. Reads state, does not wait for anything.
    fn conditions(&self, now: OffsetDateTime) -> Vec<Condition>;
}
