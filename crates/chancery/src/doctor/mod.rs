//! Why a secure LDAP connection fails: docs/design/doctor.md.
//!
//! - [`probe`]: looks, and makes [`facts`]; [`application`]: tries what an application does.
//! - [`aia`]: fetches the issuer's certificate from where a certificate says it is.
//! - [`resolving`]: where a name leads by way of other name servers. [`fleet`]: every server that
//!   DNS names for a domain. [`outcome`]: what a run has come to, in whichever mode.
//! - [`configs`]: what an application's own file says.
//! - [`offline`]: a chain in a file, without a server.
//! - [`rules`]: what the facts mean. [`report`]: one verdict.

#[allow(dead_code, reason = "its callers come with the bundle")]
pub(crate) mod aia;
pub(crate) mod application;
pub(crate) mod configs;
pub(crate) mod facts;
pub(crate) mod fleet;
pub(crate) mod offline;
pub(crate) mod outcome;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod resolving;
pub(crate) mod rules;
