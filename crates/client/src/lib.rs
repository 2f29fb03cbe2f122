//! An LDAP client that speaks TLS or not at all: docs/design/client.md says what it can never do.
//!
//! In reading order:
//!
//! - [`target`]: who is meant, and where that is. [`trust`]: which CAs may vouch for it.
//! - [`connect`]: from a target to a verified [`Session`]; the only way to one.
//! - [`session`]: one connection, shared by clones; every operation but search.
//! - [`search`]: entries as a bounded stream, pages and ranges drained inside.
//! - [`look`]: a handshake to look at, over which nothing can be said.
//! - [`hello`]: the first message of TLS by hand, for what our own TLS does not offer.
//! - [`discovery`]: which servers a domain names in DNS.
//! - [`pool`]: several sessions, lent one at a time, with whichever server can be reached.
//! - [`entry`]: what comes back. [`error`]: why it did not.
//! - [`subcode`]: what Active Directory means by a refused sign-in.

pub mod connect;
pub mod discovery;
pub mod entry;
pub mod error;
pub mod hello;
pub mod look;
pub mod pool;
pub mod search;
pub mod session;
pub mod subcode;
pub mod target;
pub mod trust;

pub use connect::{Connector, Limits};
pub use discovery::{Discovered, DiscoveryError, NameServers, Service, Wanted, discover};
pub use entry::{Answer, Entry};
pub use error::{Ended, Error};
pub use pool::{Credentials, Lent, Pool, PooledEntries, Settings};
pub use search::{Entries, Found, Query};
pub use session::{Change, ScramError, Secret, Session};
pub use target::{Security, Target};
pub use trust::{Identity, Trust};
