//! `chancery serve`: the boot in order, then waiting for signals.

mod doors;
mod greeting;
mod sockets;
mod supervision;

use std::sync::{Arc, OnceLock};

use anyhow::Result;
use directory::Directory;
use ldap::message::DecodeLimits;
use server::{CertificateRules, Door, Limits, Listen, Server, ServerSettings};
use time::OffsetDateTime;

use doors::{Doors, Opening};

use crate::acme::Renewing;
use crate::alerts::delivery::{self, Delivery};
use crate::alerts::evaluation::{Alerts, Hourly, Sooner};
use crate::alerts::watches::Guessing;
use crate::arguments::{Common, Serve};
use crate::ca::Ca;
use crate::ca::duty::CaDuty;
use crate::ca::watch::CaWatch;
use crate::certificates::{Certificates, ListenersTls, Looking, Revocations, Watching};
use crate::config::{Anonymous, Config, Overrides};
use crate::dns::Drift;
use crate::duties::{Aside, Duties, Duty};
use crate::failure::{DONE, failed, usage};
use crate::publish::Publisher;
use crate::publish::certified::Serving;
use crate::publish::publisher::{OpensBehindGates, Retrying};
use crate::publish::watch::NotUnderRules;
use crate::sources::Sources;
use crate::steward::{self, Running, Steward};
use crate::{first_run, logging, opening};

pub(crate) fn run(common: &Common, serve: &Serve) -> Result<u8> {
    let overrides = overrides(common, serve);
    let config = opening::load(common, &overrides)?;
    logging::start(&config.log)?;
    let directory = opening::directory(&config)?;
    first_run::certificates(&config)?;
    first_run::tree(&config, &directory)?;
    let now = OffsetDateTime::now_utc();
    let certificates = Arc::new(Certificates::open(Looking::from(&config), now));
    let listeners = Arc::new(ListenersTls::open(&config, certificates.serving(), now)?);
    let (at_once, waiting) = sockets::listeners(&config, &listeners, certificates.is_ready())?;
    let doors = Arc::new(Doors::new(waiting));
    let publisher = Arc::new(publisher(&config, &certificates, now));
    let door = Arc::new(Door::new(opening::door(&config)));
    let sources = Sources::open(&config.data, Arc::clone(&door), now);
    let alerts = open_alerts(&config)?;
    let (renewing, drift) = (Renewing::new(common, &overrides), Drift::new(common, &overrides));
    watch(&alerts, &config, &directory, &door);
    alerts.watch(Arc::clone(&certificates) as _);
    alerts.watch(Arc::clone(&doors) as _);
    alerts.watch(Arc::clone(&publisher) as _);
    alerts.watch(Arc::new(renewing.clone()));
    alerts.watch(Arc::new(drift.clone()));
    let ca = CaWatch::of(&config);
    alerts.watch(Arc::new(ca.clone()));
    let steward = Arc::new(Steward {
        common: common.clone(),
        overrides: overrides.clone(),
        data: config.data.clone(),
        directory: directory.clone(),
        certificates: Arc::clone(&certificates),
        listeners: Arc::clone(&listeners),
        certificate_rules: CertificateRules::new(config.certificate_rules.clone()),
        started_with: config.clone(),
        door,
        alerts: Arc::clone(&alerts),
        ca,
        running: OnceLock::new(),
        started: now,
        publisher: Arc::clone(&publisher),
    });
    let settings = server_settings(&config, at_once, &steward);
    let server = Server::start(directory.clone(), settings).map_err(failed)?;
    let opens = OpensBehindGates { listeners: server.listeners(), tls: listeners.clone() };
    steward::publish::start(&publisher, &config, Box::new(opens), now);
    // After a first start that failed, the next is the first that anybody sees.
    let untried = first_run::is_untried(&config, &directory)?;
    greeting::print(&config, untried, &server, &certificates, &publisher);
    doors.begin(&server, &certificates, &publisher);
    steward.runs(running(&server, &doors));
    let duties = Duties::start(vec![
        watching(&certificates, &doors, &steward, now),
        Box::new(Opening { doors, certificates, publisher: Arc::clone(&publisher) }),
        Box::new(Retrying(publisher)),
        Box::new(sources),
        Box::new(Hourly(Arc::clone(&alerts))),
        Box::new(Sooner::new(Arc::clone(&alerts))),
        Box::new(ca_duty(common, &overrides, &config)),
        Box::new(Aside::new(renewing)),
        Box::new(Aside::new(drift)),
        Box::new(Revocations::new(Ca::at(&config.data), Arc::clone(&listeners))),
    ])?;
    let delivery = Delivery::start(alerts)?;
    supervision::until_stopped(&supervision::Serving { steward })?;
    server.shutdown(config.shutdown_grace);
    drop((duties, delivery));
    Ok(DONE)
}

/// The command line over the environment.
fn overrides(common: &Common, serve: &Serve) -> Overrides {
    let flags = Overrides {
        listen: serve.listen.clone(),
        listen_starttls: serve.listen_starttls.clone(),
        ..Overrides::default()
    };
    flags.over(common.overrides())
}

fn publisher(config: &Config, served: &Arc<Certificates>, now: OffsetDateTime) -> Publisher {
    Publisher::new(config.data.clone(), Box::new(Serving(Arc::clone(served))), now)
}

fn open_alerts(config: &Config) -> Result<Arc<Alerts>> {
    let channels = delivery::open(&config.alerts).map_err(|error| usage(format!("{error:#}")))?;
    Ok(Arc::new(Alerts::open(config.data.join("alerts.json"), Vec::new(), channels)))
}

/// The areas that know alert conditions from the beginning.
fn watch(alerts: &Alerts, config: &Config, directory: &Directory, door: &Arc<Door>) {
    alerts.watch(Arc::new(Guessing { directory: directory.clone(), door: Arc::clone(door) }));
    alerts.watch(Arc::new(NotUnderRules::of(config)));
}

fn running(server: &Server, doors: &Arc<Doors>) -> Running {
    let at_once: Vec<String> = server.addresses().iter().map(greeting::uri).collect();
    let doors = Arc::clone(doors);
    Running {
        gauge: server.gauge(),
        listening: Box::new(move || [at_once.clone(), doors.late()].concat()),
    }
}

fn watching(
    certificates: &Arc<Certificates>,
    doors: &Arc<Doors>,
    steward: &Arc<Steward>,
    now: OffsetDateTime,
) -> Box<dyn Duty> {
    let (doors, steward) = (Arc::clone(doors), Arc::clone(steward));
    let after = Box::new(move || {
        doors.certificate_came();
        steward::publish::certificate_came(&steward);
        doors.check(&steward.certificates, &steward.publisher);
    });
    Box::new(Watching::new(Arc::clone(certificates), now, after))
}

fn ca_duty(common: &Common, overrides: &Overrides, config: &Config) -> CaDuty {
    let (common, overrides) = (common.clone(), overrides.clone());
    let configured = Box::new(move || opening::load(&common, &overrides));
    CaDuty::new(Ca::at(&config.data), configured)
}

fn server_settings(
    config: &Config,
    listeners: Vec<Listen>,
    steward: &Arc<Steward>,
) -> ServerSettings {
    ServerSettings {
        listeners,
        steward: Some(Arc::clone(steward) as _),
        door: Arc::clone(&steward.door),
        certificate_rules: steward.certificate_rules.clone(),
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
    }
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
