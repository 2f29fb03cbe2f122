//! `chancery`: one binary. This file is the map.
//!
//! - `arguments`: the command line. `config`: `chancery.toml` in two steps, raw and resolved.
//! - `commands`: one file per command; `serve` is the main one.
//! - `certificates`: which certificate is served, from where, and when it is replaced.
//! - `first_run`: what the first start makes: certificates, the administrator, an example tree.
//! - `ca`: the in-house CA: made, issuing, revoking, and its log.
//! - `opening`: from configuration to an open directory and a server's settings.
//! - `local`: a client on the running server's local socket, for commands that must ask it.
//! - `password`: from a file, a descriptor or the terminal, never from the command line.
//! - `steward`: what the running server does when a command or a client asks for it; `duties`: what
//!   it does now and then; `alerts`: what an administrator should be told in time.
//! - `acme`: certificates from a CA that speaks ACME.
//! - `dns`: the records by which clients find the server. `durable`: small files that must survive.
//! - `doctor`: why a secure LDAP connection fails.
//! - `publish`: which listeners are open to whom, and how that changes.
//! - `durable`: small files that must survive. `sources`: where failed sign-ins came from.
//! - `logging`: what is written where. `failure`: errors with a next step, and exit codes.

mod acme;
mod alerts;
mod arguments;
mod ca;
mod certificates;
mod commands;
mod config;
mod dns;
mod doctor;
mod durable;
mod duties;
mod failure;
mod first_run;
mod local;
mod logging;
mod opening;
mod password;
mod publish;
mod sources;
mod steward;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::arguments::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    failure::while_somebody_reads(|| failure::report(run(arguments)))
}

fn run(arguments: Arguments) -> Result<u8> {
    let common = &arguments.common;
    match arguments.command.unwrap_or_default() {
        Command::Serve(serve) => commands::serve::run(common, &serve),
        Command::Reload => commands::reload::run(common),
        Command::Import(import) => commands::import::run(common, &import),
        Command::Export(export) => commands::export::run(common, &export),
        Command::Backup(backup) => commands::backup::run(common, &backup),
        Command::Restore(restore) => commands::restore::run(common, &restore),
        Command::Check(check) => commands::check::run(common, &check),
        Command::Access(access) => commands::access::run(common, &access),
        Command::Status(status) => commands::status::run(common, &status),
        Command::Alerts(alerts) => commands::alerts::run(common, &alerts),
        Command::Account(account) => commands::account::run(common, &account),
        Command::Ca(ca) => commands::ca::run(common, &ca),
        Command::Cert(cert) => commands::cert::run(common, &cert),
        Command::Acme(acme) => commands::acme::run(common, &acme),
        Command::Dns(dns) => commands::dns::run(common, &dns),
        Command::Doctor(doctor) => commands::doctor::run(common, &doctor),
        Command::Publish(publish) => commands::publish::run(common, &publish),
        Command::Ldap(ldap) => commands::ldap::run(common, &ldap),
        Command::Config(config) => commands::config::run(common, &config),
    }
}
