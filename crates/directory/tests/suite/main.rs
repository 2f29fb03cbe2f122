//! The directory as its users hold it: entries in, answers out. One module per concern.

mod changes;
mod crash;
mod disclosure;
mod faults;
mod model;
mod sample;
mod search;
mod searching;
