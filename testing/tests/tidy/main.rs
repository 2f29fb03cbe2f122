//! What STYLE.md asks for and a test can keep. Reads the sources; starts nothing.
//!
//! - `edges`: which crate may depend on which, as ARCHITECTURE.md draws it; crates never taken.
//! - `sizes`: lines, columns and functions that still fit in a head.
//! - `words`: what may not stand in a file, and what must.
//! - `map`: ARCHITECTURE.md, the fuzz manifest and the documentation index leave nothing out.
//! - `source`: the tree's files, and Rust text with comments and strings blanked.
//!
//! Every exception stands in a list beside its rule, with its reason. An exception that is no
//! longer needed fails too, so the lists only hold what is true.

// The lint's exception for tests does not reach the functions that tests share.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod edges;
mod map;
mod sizes;
mod source;
mod words;

/// Fails with every finding at once, so that one run shows all there is to do.
fn report(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}
