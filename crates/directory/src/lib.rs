//! The tree on disk: schema, access, search, change, store. Blocking, and ignorant of sockets, TLS,
//! message ids and async.
//!
//! In reading order:
//!
//! - [`refusal`]: a correct "no" ([`Refusal`]) and a fault of ours ([`Fault`]).
//! - [`subject`]: who asks, from where, how protected.
//! - [`schema`]: attribute types, object classes, syntaxes, matching rules, string preparation.
//! - [`access`]: who may do what to which entries and attributes.
//! - [`password`]: verifying and making password hashes.
//! - [`store`]: rows and bytes; `docs/design/storage.md` is its specification. Private to this crate.

pub mod access;
pub mod password;
pub mod refusal;
pub mod schema;
pub mod store;
pub mod subject;

pub use refusal::{Error, Fault, Refusal};
pub use subject::{Protection, Subject, Who};
