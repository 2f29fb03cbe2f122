//! Why a secure LDAP connection fails: docs/design/doctor.md.
//!
//! - [`probe`]: looks, and makes [`facts`]; [`application`]: tries what an application does.
//!   [`aia`]: fetches what certificates point to.
//! - [`rules`]: what the facts mean. [`report`]: one verdict.

pub(crate) mod aia;
pub(crate) mod application;
pub(crate) mod facts;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod rules;
