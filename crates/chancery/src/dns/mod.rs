//! The records by which clients find this server: what they should be, writing them, and what the
//! outside sees. Described in `docs/reference/dns.md`.
//!
//! In reading order:
//!
//! - [`records`]: records as values, and which are wanted. [`text`]: as files and JSON.
//! - [`plan`]: what has to change and what must not. [`written`]: what we wrote last.
//! - [`key`]: the key that signs. [`wire`]: messages to and from a name server.
//! - [`update`]: reading and changing a zone (RFC 2136). [`desk`]: the steps of a command.
//! - [`verify`]: asking as clients ask, and connecting as they connect. [`drift`]: once an hour.

pub(crate) mod desk;
mod drift;
pub(crate) mod key;
pub(crate) mod plan;
pub(crate) mod records;
pub(crate) mod text;
pub(crate) mod update;
pub(crate) mod verify;
mod wire;
mod written;

pub(crate) use drift::Drift;
pub(crate) use text::Format;
