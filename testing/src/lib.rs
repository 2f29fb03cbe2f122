//! Whole-system tests against real peers. Only `bench` depends on this crate.
//!
//! In reading order:
//!
//! - [`process`]: a child process that dies with its owner and is waited for by looking, not
//!   sleeping.
//! - [`ports`]: loopback ports nobody uses.
//! - [`namespaces`]: machines with addresses of their own.
//! - [`certificates`]: a throw-away CA and certificates from the `openssl` command.
//! - [`peers`]: the servers under test ([`peers::Subject`]) and the tools that talk to them.
//! - [`wire`]: a second, independent LDAP client, so that a mistake in `crates/ldap` cannot hide
//!   behind itself.
//! - [`lab`]: servers that are wrong in one known way, for the doctor.
//! - [`fuzzed`]: what must hold for any input; `fuzz/` finds inputs, the suite replays seeds.
//! - [`differential`]: requests written as text, asked of two servers, answers compared.
//!
//! The tests are in `tests/suite`, scripts in other languages in `clients`, and `peers.sh` installs
//! what they need.

pub mod certificates;
pub mod differential;
pub mod fuzzed;
pub mod lab;
pub mod namespaces;
pub mod peers;
pub mod ports;
pub mod process;
pub mod wire;
