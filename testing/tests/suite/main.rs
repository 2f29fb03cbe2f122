//! Real clients and real servers, one binary.
//!
//! - `clients`: ldap-utils, python-ldap3, python-ldap and ldapts, each with a full scenario.
//! - `client`: our own client, against slapd, Chancery and mocks.
//! - `differential`: a few hundred requests to slapd and to Chancery, answers compared.
//! - `acme`: certificates from Pebble by every challenge, and failing orders.
//! - `alerts`: a webhook, a mail server, and what is told of it.
//! - `doctor`: what is said of servers that are wrong in one way, and of those that are well.
//! - `doctor_modes`: its modes and where its answers go.
//! - `dns`: records written to BIND and Knot, and seen from outside.
//! - `apache`: a web server that signs its users in through `mod_authnz_ldap`.
//! - `sssd`: a Linux login through SSSD.
//! - `certificates`: what is said of certificates, beside what OpenSSL says.
//! - `families`: who would accept a certificate, beside what each of them does.
//! - `first_run`: the first start, the second, and those that cannot be.
//! - `hostile`: clients that mean no good.
//! - `kill`: kill -9 under writers.
//! - `lab`: the fault lab, and the same faults seen by other tools. `lab_wire`: what the doctor
//!   sends, captured, and how long it takes.
//! - `ldap_commands`: `chancery ldap` against slapd and Chancery.
//! - `lockout`: accounts that lock, sources that are not listened to.
//! - `looking`: `chancery ldap` on slapd and Chancery.
//! - `maximums`: every limit of the configuration, reached.
//! - `operating`: reload, the end, systemd.
//! - `publishing`: rules, balancers and switches, from machines with addresses of their own.
//! - `seeds`: inputs for the fuzz targets, replayed.
//! - `forgotten`: no file in this folder is left out of this list.
//!
//! A peer that is not installed is skipped with a line that starts with `SKIPPED`;
//! `CHANCERY_REQUIRE_PEERS=1` makes it a failure.

// The lint's exception for tests does not reach the functions that tests share.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod acme;
mod alerts;
mod apache;
mod ca;
mod certificates;
mod client;
mod clients;
mod differential;
mod dns;
mod doctor;
mod doctor_modes;
mod families;
mod first_run;
mod forgotten;
mod hostile;
mod kill;
mod lab;
mod lab_wire;
mod ldap_commands;
mod lockout;
mod looking;
mod maximums;
mod operating;
mod pages;
mod pfx;
mod publishing;
mod seeds;
mod serving;
mod sssd;
mod trust;
