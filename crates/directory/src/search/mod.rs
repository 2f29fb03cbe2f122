//! Searching: from a typed query to a stream of projected entries.
//!
//! ```text
//! SearchQuery ─► filter::compile ─► plan ─► walk (block by block, resumable at any id)
//!             ─► scope ─► evaluate (filter under access) ─► projection ─► EntrySink
//! ```
//!
//! A [`Search`] owns everything it needs between two steps and holds no transaction, so a slow
//! client delays nobody. Entries that change while a search runs are seen as they are when it
//! reaches them.

pub(crate) mod base;
pub(crate) mod evaluate;
pub(crate) mod filter;
pub(crate) mod given;
pub(crate) mod links;
pub(crate) mod plan;
pub(crate) mod printed;
pub(crate) mod projection;
pub(crate) mod step;
pub(crate) mod walk;

use ldap::filter::Filter;
use ldap::message::{DerefAliases, Scope};

pub use given::GivenEntry;
pub use step::Search;

/// A search request with its controls, typed.
#[derive(Clone, Copy, Debug)]
pub struct SearchQuery<'q> {
    pub base: &'q str,
    pub scope: Scope,
    pub deref: DerefAliases,
    /// 0 is no limit.
    pub size_limit: u32,
    pub types_only: bool,
    pub filter: &'q Filter<'q>,
    pub attributes: &'q [&'q str],
    pub manage_dsa_it: bool,
    pub page: Option<Page<'q>>,
    /// RFC 4528, on the base entry.
    pub assertion: Option<&'q Filter<'q>>,
}

/// RFC 2696: how many entries this page may have, and where the last one ended.
#[derive(Clone, Copy, Debug)]
pub struct Page<'q> {
    pub size: u32,
    pub cookie: &'q [u8],
}

/// What one step of a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    More,
    Done(SearchDone),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchDone {
    /// For a paged search: where the next page begins, empty when this was the last one.
    pub cookie: Option<Vec<u8>>,
    /// Entries looked at, for the audit record.
    pub examined: u64,
    /// How candidates were found, for the audit record.
    pub plan: &'static str,
}

/// Where found entries go.
pub trait EntrySink {
    /// One entry: its name, and slices that together are its PartialAttribute TLVs.
    fn entry(&mut self, dn: &[u8], attributes: &[&[u8]]);
    /// A continuation reference (RFC 4511 §4.5.3).
    fn reference(&mut self, uris: &[String]);
    /// Whether the step should end so that what was found can be sent.
    fn is_full(&self) -> bool;
}
