//! `chancery doctor`: why a secure LDAP connection fails.

mod bundle;
mod diff;
mod fleet;
mod from_config;
mod offline;
mod outputs;
mod own;
mod saved;
mod vantages;
mod watching;

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use client::{NameServers, Secret, Target, Trust};
use pki::{Summary, pem};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::arguments::{Common, Doctor, DoctorCommand};
use crate::doctor::application::Trying;
use crate::doctor::facts::{Expected, Tls, Trusted};
use crate::doctor::outcome::{Outcome, Seen};
use crate::doctor::{probe, resolving};
use crate::failure::{failed, usage};

pub(crate) fn run(common: &Common, doctor: &Doctor) -> Result<u8> {
    if let Some(command) = &doctor.command {
        return match command {
            DoctorCommand::Diff(diff) => diff::run(common, diff),
            DoctorCommand::Own(own) => own::run(common, own),
            DoctorCommand::Run(run) => vantages::run(run),
        };
    }
    if let Some(file) = &doctor.modes.bundle {
        return bundle::run(common, doctor, file);
    }
    if let Some(seconds) = doctor.outputs.watch {
        return watching::run(common, doctor, seconds);
    }
    let outcome = vantages::compared(doctor, look(doctor)?)?;
    outputs::deliver(common, &doctor.outputs, outcome)
}

/// One look, in the mode that was asked for.
fn look(doctor: &Doctor) -> Result<Outcome> {
    let now = now();
    if let Some(domain) = &doctor.modes.fleet {
        return fleet::look(doctor, domain, now);
    }
    if let Some(file) = &doctor.modes.from_config {
        return from_config::look(doctor, file, now);
    }
    if let Some(file) = &doctor.modes.offline {
        return offline::look(doctor, file, now);
    }
    match (&doctor.facts, &doctor.target) {
        // Judged for the moment they were seen at: a certificate may have ended since.
        (Some(file), _) => saved::one(file).map(Outcome::of),
        (None, Some(target)) => seen(doctor, target, now).map(Outcome::of),
        (None, None) => Err(usage("say which server: chancery doctor ldaps://NAME")),
    }
}

/// As facts have it, so that they are judged alike later.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now)
}

fn seen(doctor: &Doctor, text: &str, now: OffsetDateTime) -> Result<Seen> {
    let target = Target::parse(text).map_err(usage)?;
    let servers = name_servers(&doctor.name_server)?;
    let asked = asked(doctor, text, target, trust(doctor.ca.as_deref())?, now)?;
    let asked = probe::Asked { trying: trying(doctor)?, ..asked };
    let facts = runtime()?.block_on(resolving::look(asked, servers.as_ref()))?;
    Ok(Seen::judged(facts, now))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// As the options say; no sign-in and no search.
fn asked(
    doctor: &Doctor,
    text: &str,
    target: Target,
    (trust, trusted): (Trust, Trusted),
    now: OffsetDateTime,
) -> Result<probe::Asked> {
    let addresses = doctor.address.iter().map(|text| address(text, target.port));
    Ok(probe::Asked {
        text: text.to_owned(),
        addresses: addresses.collect::<Result<_>>()?,
        resolved: None,
        target,
        trust,
        trusted,
        patience: Duration::from_secs(doctor.timeout.clamp(1, 60)),
        at: crate::alerts::text(now),
        trying: None,
        name_servers: asked_about(doctor)?,
        expected: doctor.expect.as_deref().map(expected).transpose()?,
        in_the_clear: doctor.in_the_clear,
        asks_revocation: doctor.revocation,
        idle: doctor.idle.map(Duration::from_secs),
    })
}

/// Those that are named; none means the system's.
fn name_servers(texts: &[String]) -> Result<Option<NameServers>> {
    let servers = texts.iter().map(|text| {
        parsed(text, 53).ok_or_else(|| {
            usage(format!("--name-server '{text}' is no address: write 192.0.2.1 or 192.0.2.1:53"))
        })
    });
    let servers = servers.collect::<Result<Vec<_>>>()?;
    match servers.is_empty() {
        true => Ok(None),
        false => NameServers::given(servers).map(Some).map_err(usage),
    }
}

/// Who is asked what DNS says of the name. Where the addresses are given, nobody is.
fn asked_about(doctor: &Doctor) -> Result<Option<NameServers>> {
    let given = name_servers(&doctor.name_server)?;
    // Without a resolv.conf nobody is known, and the rest can be looked at all the same.
    let is_open = doctor.address.is_empty();
    Ok(given.or_else(|| NameServers::system().ok().filter(|_| is_open)))
}

fn expected(text: &str) -> Result<Expected> {
    match text {
        "inside" => Ok(Expected::Inside),
        "outside" => Ok(Expected::Outside),
        address => address.parse().map(Expected::Address).map_err(|_| {
            usage(format!("--expect '{text}': write inside, outside or an address: 192.0.2.1"))
        }),
    }
}

fn trying(doctor: &Doctor) -> Result<Option<Trying>> {
    let sign_in = match &doctor.sign_in {
        None => None,
        Some(name) => {
            let password = doctor.password.require(&format!("password of {name}"))?;
            Some((name.clone(), Secret::new(password.as_bytes())))
        }
    };
    let search = doctor.base.clone().zip(doctor.filter.clone());
    Ok((sign_in.is_some() || search.is_some()).then_some(Trying { sign_in, search }))
}

fn wrong(file: &Path, error: &dyn std::fmt::Display) -> anyhow::Error {
    usage(format!("{}: {error}", file.display()))
}

fn trust(file: Option<&Path>) -> Result<(Trust, Trusted)> {
    let Some(file) = file else {
        let source = "the system's CAs".to_owned();
        return Ok((Trust::system().map_err(failed)?, Trusted { source, ..Trusted::default() }));
    };
    trust_in(authorities(file)?, file)
}

/// Exactly these, which were read from there.
fn trust_in(certificates: Vec<CertificateDer<'static>>, file: &Path) -> Result<(Trust, Trusted)> {
    let subjects = certificates.iter().filter_map(|der| Summary::parse(der).ok());
    let subjects = subjects.map(|one| one.subject).collect();
    let roots = certificates.iter().map(Tls::encode).collect();
    let trust = Trust::given(certificates).map_err(|error| wrong(file, &error))?;
    let source = file.display().to_string();
    Ok((trust, Trusted { source, subjects, certificates: roots }))
}

/// The CAs of a PEM file.
pub(super) fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = bounded(file, "give a PEM file of CA certificates")?;
    pem::certificates(&text).map_err(|error| wrong(file, &error))
}

/// A file's content. A device or a dump named by mistake is not read without end.
fn bounded(file: &Path, otherwise: &str) -> Result<Vec<u8>> {
    const BYTES_MAX: u64 = 16 << 20;
    let mut text = Vec::new();
    let opened = File::open(file).map_err(|error| wrong(file, &error))?;
    let read = opened.take(BYTES_MAX).read_to_end(&mut text);
    if read.map_err(|error| wrong(file, &error))? as u64 == BYTES_MAX {
        return Err(wrong(file, &format!("it is larger than 16 MiB: {otherwise}")));
    }
    Ok(text)
}

/// `IP` or `IP:PORT`.
pub(super) fn address(text: &str, port: u16) -> Result<SocketAddr> {
    parsed(text, port).ok_or_else(|| {
        usage(format!("--address '{text}' is no address: write 192.0.2.1 or 192.0.2.1:636"))
    })
}

fn parsed(text: &str, port: u16) -> Option<SocketAddr> {
    let bare = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port));
    text.parse().ok().or_else(bare)
}
