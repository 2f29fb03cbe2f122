//! The directory as its users hold it: entries in, answers out. One module per concern.

mod crash;
mod model;
mod sample;
mod search;
