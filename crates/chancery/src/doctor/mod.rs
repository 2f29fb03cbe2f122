//! Why a secure LDAP connection fails: docs/design/doctor.md.
//!
//! - [`probe`]: looks, and makes [`facts`]; [`application`]: tries what an application does.
//!   [`aia`]: fetches what certificates point to.
//! - [`resolving`]: where a name leads by way of other name servers. [`fleet`]: every server that
//!   DNS names for a domain. [`outcome`]: what a run has come to, in whichever mode.
//! - [`bundle`]: the CAs above a certificate, whoever has them.
//! - [`configs`]: what an application's own file says.
//! - [`differences`]: what has changed between two runs.
//! - [`junit`], [`prometheus`]: an answer for programs that know neither of us.
//! - [`redact`]: an answer that can be shown to anybody.
//! - [`own`]: our own service.
//! - [`offline`]: a chain in a file, without a server.
//! - [`vantage`]: the same target from two places.
//! - [`rules`]: what the facts mean. [`acceptance`]: who would accept the certificate.
//!   [`report`]: one verdict.

pub(crate) mod acceptance;
pub(crate) mod aia;
pub(crate) mod application;
pub(crate) mod bundle;
pub(crate) mod configs;
pub(crate) mod differences;
pub(crate) mod facts;
pub(crate) mod fleet;
pub(crate) mod junit;
pub(crate) mod offline;
pub(crate) mod outcome;
pub(crate) mod own;
pub(crate) mod probe;
pub(crate) mod prometheus;
pub(crate) mod redact;
pub(crate) mod report;
pub(crate) mod resolving;
pub(crate) mod rules;
pub(crate) mod vantage;
