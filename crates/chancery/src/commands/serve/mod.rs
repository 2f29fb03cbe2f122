//! `chancery serve`: the boot in order, then waiting for signals.

mod greeting;
mod sockets;
mod supervision;

use std::sync::Arc;

use anyhow::Result;
use directory::Directory;
use ldap::message::DecodeLimits;
use server::{Limits, Server, ServerSettings};
use time::OffsetDateTime;

use crate::arguments::{Common, Serve};
use crate::config::{Anonymous, Config, Overrides};
use crate::duties::Duties;
use crate::failure::{DONE, failed};
use crate::publish::Publisher;
use crate::publish::certified::Serving;
use crate::steward::{self, Steward};
use crate::{first_run, logging, opening};

pub(crate) fn run(common: &Common, serve: &Serve) -> Result<u8> {
    let flags = Overrides {
        listen: serve.listen.clone(),
        listen_starttls: serve.listen_starttls.clone(),
        ..Overrides::default()
    };
    let overrides = flags.over(common.overrides());
    let config = opening::load(common, &overrides)?;
    logging::start(&config.log)?;
    let directory = opening::directory(&config)?;
    first_run::certificates(&config)?;
    first_run::tree(&config, &directory)?;
    let tls = opening::tls(&config)?;
    let certificate =
        Serving { common: common.clone(), overrides: overrides.clone(), tls: tls.clone() };
    let publisher = Arc::new(Publisher::new(config.data.clone(), Box::new(certificate))?);
    let steward = Arc::new(Steward {
        common: common.clone(),
        overrides: overrides.clone(),
        directory: directory.clone(),
        tls: tls.clone(),
        started: OffsetDateTime::now_utc(),
        publisher: Arc::clone(&publisher),
    });
    let settings = ServerSettings { steward: Some(steward), ..server_settings(&config, &tls)? };
    let server = Server::start(directory.clone(), settings).map_err(failed)?;
    steward::publish::start(&publisher, &config, server.listeners(), OffsetDateTime::now_utc());
    // After a first start that failed, the next is the first that anybody sees.
    let untried = first_run::is_untried(&config, &directory)?;
    greeting::print(&config, untried, &server, &tls, &publisher);
    let duties = Duties::start(Vec::new())?;
    let serving = supervision::Serving { common, overrides, directory, tls, publisher };
    supervision::until_stopped(&serving)?;
    drop(duties);
    server.shutdown(config.shutdown_grace);
    Ok(DONE)
}

fn server_settings(config: &Config, tls: &server::tls::ServingTls) -> Result<ServerSettings> {
    Ok(ServerSettings {
        listeners: sockets::listeners(config)?,
        tls: Some(tls.config()),
        anonymous: match config.anonymous {
            Anonymous::None => server::Anonymous::Nothing,
            Anonymous::RootDse => server::Anonymous::RootDse,
            Anonymous::Search => server::Anonymous::Search,
        },
        // Whoever may write their password by a modify may do so by this operation as well.
        own_password_without_old: true,
        password_threads: config.passwords.threads as usize,
        limits: limits(config),
        decode: decode_limits(config),
        ..ServerSettings::default()
    })
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    let bytes = |value: crate::config::Bytes| usize::try_from(value.0).unwrap_or(usize::MAX);
    Limits {
        connections: limits.connections as usize,
        connections_per_address: limits.connections_per_address as usize,
        connections_per_network: limits.connections_per_network as usize,
        message_bytes_before_bind: bytes(limits.message_bytes_before_bind),
        message_bytes: bytes(limits.message_bytes),
        operations_in_flight: limits.operations_in_flight as usize,
        output_bytes: bytes(limits.output_bytes),
        search_step: limits.search_step,
        search_entries: limits.search_entries,
        search_seconds: u32::try_from(limits.search_time.as_secs()).unwrap_or(u32::MAX),
        search_lookthrough: limits.search_lookthrough,
        page_entries: limits.page_entries,
        handshake: limits.handshake_time,
        idle: limits.idle_time,
        idle_before_bind: limits.idle_time_before_bind,
        write_stall: limits.write_stall_time,
        passwords_waiting: config.passwords.queue as usize,
        password_bytes: bytes(limits.password_bytes),
        audit_text: limits.audit_text as usize,
    }
}

fn decode_limits(config: &Config) -> DecodeLimits {
    let limits = &config.limits;
    DecodeLimits {
        filter_depth_max: limits.filter_depth as usize,
        filter_nodes_max: limits.filter_nodes as usize,
        attributes_max: limits.requested_attributes as usize,
        controls_max: limits.controls as usize,
        modifications_max: limits.modifications as usize,
        attributes_per_add_max: limits.attributes_per_add as usize,
        values_max: limits.values as usize,
    }
}

/// Reads schema, access rules, certificate and publishing again; whatever is wrong leaves the old
/// in force.
pub(crate) fn reload(
    common: &Common,
    overrides: &Overrides,
    directory: &Directory,
    tls: &server::tls::ServingTls,
    publisher: &Publisher,
) -> Result<()> {
    let config = opening::load(common, overrides)?;
    directory.reload_schema().map_err(failed)?;
    directory
        .replace_access(&config.access)
        .map_err(|errors| failed(config.access_error(&errors)))?;
    let (chain, key) = opening::certificate_files(&config);
    let credential = server::tls::load(&chain, &key).map_err(failed)?;
    tls.replace(credential, rustls::pki_types::UnixTime::now()).map_err(failed)?;
    steward::publish::reload(publisher, &config, OffsetDateTime::now_utc())
        .map_err(|not_done| failed(format!("publishing; the rest is reloaded: {not_done}")))
}
