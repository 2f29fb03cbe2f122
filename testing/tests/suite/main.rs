//! Real clients and real servers, one binary.
//!
//! - `clients`: ldap-utils, python-ldap3, python-ldap and ldapts, each with a full scenario.
//! - `differential`: a few hundred requests to slapd and to Chancery, answers compared.
//! - `apache`: a web server that signs its users in through `mod_authnz_ldap`.
//! - `sssd`: a Linux login through SSSD.
//! - `hostile`: clients that mean no good.
//! - `seeds`: inputs for the fuzz targets, replayed.
//! - `forgotten`: no file in this folder is left out of this list.
//!
//! A peer that is not installed is skipped with a line that starts with `SKIPPED`;
//! `CHANCERY_REQUIRE_PEERS=1` makes it a failure.

// The lint's exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod apache;
mod clients;
mod differential;
mod forgotten;
mod hostile;
mod seeds;
mod sssd;
