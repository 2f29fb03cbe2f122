//! Why a secure LDAP connection fails: docs/design/doctor.md.
//!
//! - [`probe`]: looks, and makes [`facts`]; [`application`]: tries what an application does.
//!   [`aia`]: fetches what certificates point to.
//! - [`resolving`]: where a name leads by way of other name servers. [`fleet`]: every server that
//!   DNS names for a domain. [`outcome`]: what a run has come to, in whichever mode.
//! - [`rules`]: what the facts mean. [`acceptance`]: who would accept the certificate.
//!   [`report`]: one verdict.

pub(crate) mod acceptance;
pub(crate) mod aia;
pub(crate) mod application;
pub(crate) mod facts;
pub(crate) mod fleet;
pub(crate) mod outcome;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod resolving;
pub(crate) mod rules;
