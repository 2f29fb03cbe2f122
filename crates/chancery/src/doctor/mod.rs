//! Why a secure LDAP connection fails: docs/design/doctor.md.
//!
//! - [`probe`]: looks, and makes [`facts`]; [`application`]: tries what an application does.
//! - [`rules`]: what the facts mean. [`acceptance`]: who would accept the certificate.
//!   [`report`]: one verdict.

pub(crate) mod acceptance;
pub(crate) mod application;
pub(crate) mod facts;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod rules;
