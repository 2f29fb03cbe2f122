//! Load for any directory, and the measurements of ours beside others.
//!
//! - [`load`]: the generator. [`request`] and [`answer`]: its bytes.
//! - [`workloads`]: what is measured, by name.
//! - [`echo`]: a bare server of the same shapes, which shows what generator and machine can do.
//! - [`cli`]: the command `chancery-bench`.
//!
//! The side-by-side harness:
//!
//! - [`data`]: the deterministic directory that all servers are loaded with.

#![allow(
    clippy::indexing_slicing,
    reason = "a tool for whoever measures: a wrong index ends one measurement"
)]

pub mod answer;
pub mod cli;
pub mod data;
pub mod echo;
pub mod load;
pub mod request;
pub mod workloads;
