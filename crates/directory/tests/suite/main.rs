//! The directory as its users hold it: entries in, answers out. One module per concern.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop where it stands"
)]

mod batches;
mod changes;
mod crash;
mod disclosure;
mod faults;
mod large_groups;
mod lens;
mod model;
mod renaming;
mod sample;
mod search;
mod searching;
