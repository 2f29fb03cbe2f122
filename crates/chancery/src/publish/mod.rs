//! Publishing: which listeners are open to whom, and how that changes.
//!
//! In reading order:
//!
//! - [`publication`]: what is published, as a value; what the file and the switches want.
//! - [`refusals`]: what stands against opening it; [`certified`]: what the certificate does.
//! - [`plan`]: what would change.
//! - [`record`]: the state on disk, `publish.json`.
//! - [`publisher`]: the running side: one change at a time, all of it or nothing.
//! - [`export`]: the same rules for packet filters and clouds.
//! - [`verdict`]: which rule decides about an address.
//! - [`watch`]: what an administrator should be told.

pub(crate) mod certified;
pub(crate) mod export;
pub(crate) mod plan;
pub(crate) mod publication;
pub(crate) mod publisher;
pub(crate) mod record;
pub(crate) mod refusals;
pub(crate) mod verdict;
pub(crate) mod watch;

pub(crate) use publication::Publication;
pub(crate) use publisher::Publisher;
