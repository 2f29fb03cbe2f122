//! Certificates from a CA that speaks ACME. Described in `docs/reference/acme.md`.
//!
//! In reading order:
//!
//! - [`timing`]: when an order is due; pure. [`shelf`]: what is kept on disk.
//! - [`renewal`]: the whole way, for the duty and for the commands.
//! - [`duty`]: the renewal beside the server, and what an administrator is told.
//! - [`account`], [`order`], [`proof`]: the CA's side of it. [`http`]: the connection to it.
//! - [`problem`]: what a CA says, with what to do. [`clock`]: the time of an order.

mod account;
mod clock;
mod duty;
mod http;
mod order;
mod problem;
mod proof;
pub(crate) mod renewal;
pub(crate) mod shelf;
#[cfg(test)]
mod tests;
pub(crate) mod timing;

pub(crate) use duty::Renewing;
