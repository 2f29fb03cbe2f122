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
//! - [`peers`]: the servers. [`machine`]: what they run on, and its floors.
//! - [`compare`]: the same work for each in turn; rows, goals and results.
//! - [`report`], [`plot`]: results for people.

#![allow(
    clippy::indexing_slicing,
    reason = "a tool for whoever measures: a wrong index ends one measurement"
)]

pub mod answer;
pub mod cli;
pub mod compare;
pub mod data;
pub mod echo;
pub mod load;
pub mod machine;
pub mod peers;
pub mod plot;
pub mod report;
pub mod request;
pub mod workloads;
