//! Why a secure LDAP connection fails: docs/design/doctor.md.
//!
//! - [`probe`]: looks, and makes [`facts`]. [`rules`]: what they mean. [`report`]: one verdict.

pub(crate) mod facts;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod rules;
