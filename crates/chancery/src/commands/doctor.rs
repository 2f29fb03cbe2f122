//! `chancery doctor`: why a secure LDAP connection fails.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use client::{Secret, Target, Trust};
use pki::{Summary, pem};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arguments::{Common, Doctor};
use crate::doctor::application::Trying;
use crate::doctor::facts::{Facts, Tls, Trusted, VERSION};
use crate::doctor::{acceptance, probe, report, rules};
use crate::failure::{failed, usage};

pub(crate) fn run(common: &Common, doctor: &Doctor) -> Result<u8> {
    // As facts have it, so that they are judged alike later.
    let now = OffsetDateTime::now_utc();
    let now = now.replace_nanosecond(0).unwrap_or(now);
    let (facts, now) = match (&doctor.facts, &doctor.target) {
        // Judged for the moment they were seen at: a certificate may have ended since.
        (Some(file), _) => saved(file)?,
        (None, Some(target)) => (seen(doctor, target, now)?, now),
        (None, None) => return Err(usage("say which server: chancery doctor ldaps://NAME")),
    };
    if let Some(file) = &doctor.save {
        let text = serde_json::to_string_pretty(&facts)?;
        std::fs::write(file, text).map_err(|error| wrong(file, &error))?;
    }
    let findings = rules::findings(&facts, now);
    let accepting = acceptance::of(&facts, now);
    if common.json {
        let verdicts = accepting.as_ref().map(|one| &one.verdicts);
        let all = json!({ "facts": facts, "findings": findings, "acceptance": verdicts });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{}", report::text(&facts, &findings, accepting.as_ref()));
    }
    Ok(report::code(&findings))
}

fn seen(doctor: &Doctor, text: &str, now: OffsetDateTime) -> Result<Facts> {
    let target = Target::parse(text).map_err(usage)?;
    let (trust, trusted) = trust(doctor.ca.as_deref())?;
    let addresses = doctor.address.iter().map(|text| address(text, target.port));
    let asked = probe::Asked {
        text: text.to_owned(),
        addresses: addresses.collect::<Result<_>>()?,
        target,
        trust,
        trusted,
        patience: Duration::from_secs(doctor.timeout.clamp(1, 60)),
        at: crate::alerts::text(now),
        trying: trying(doctor)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(probe::probe(&asked))
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

/// Facts of another run, and when they were.
fn saved(file: &Path) -> Result<(Facts, OffsetDateTime)> {
    const BYTES_MAX: u64 = 16 << 20;
    let mut text = String::new();
    let opened = File::open(file).map_err(|error| wrong(file, &error))?;
    opened.take(BYTES_MAX).read_to_string(&mut text).map_err(|error| wrong(file, &error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(file, &error))?;
    let version = value.get("version").and_then(Value::as_u64);
    if version != Some(VERSION.into()) {
        let why = format!(
            "these are no facts that version {VERSION} of their form describes: write them with \
             `chancery doctor TARGET --save FILE`, and read them with a program as new"
        );
        return Err(wrong(file, &why));
    }
    let facts: Facts = serde_json::from_value(value).map_err(|error| wrong(file, &error))?;
    let at = OffsetDateTime::parse(&facts.at, &Rfc3339).map_err(|error| wrong(file, &error))?;
    Ok((facts, at))
}

fn wrong(file: &Path, error: &dyn std::fmt::Display) -> anyhow::Error {
    usage(format!("{}: {error}", file.display()))
}

fn trust(file: Option<&Path>) -> Result<(Trust, Trusted)> {
    let Some(file) = file else {
        let source = "the system's CAs".to_owned();
        return Ok((Trust::system().map_err(failed)?, Trusted { source, ..Trusted::default() }));
    };
    let certificates = authorities(file)?;
    let subjects = certificates.iter().filter_map(|der| Summary::parse(der).ok());
    let subjects = subjects.map(|one| one.subject).collect();
    let roots = certificates.iter().map(Tls::encode).collect();
    let trust = Trust::given(certificates).map_err(|error| wrong(file, &error))?;
    let source = file.display().to_string();
    Ok((trust, Trusted { source, subjects, certificates: roots }))
}

/// The CAs of a PEM file. A device or a dump named by mistake is not read without end.
pub(super) fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    const BYTES_MAX: u64 = 16 << 20;
    let mut text = Vec::new();
    let opened = File::open(file).map_err(|error| wrong(file, &error))?;
    let read = opened.take(BYTES_MAX).read_to_end(&mut text);
    if read.map_err(|error| wrong(file, &error))? as u64 == BYTES_MAX {
        return Err(wrong(file, &"it is larger than 16 MiB: give a PEM file of CA certificates"));
    }
    pem::certificates(&text).map_err(|error| wrong(file, &error))
}

/// `IP` or `IP:PORT`.
pub(super) fn address(text: &str, port: u16) -> Result<SocketAddr> {
    let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
    text.parse().or_else(|_| bare()).map_err(|_| {
        usage(format!("--address '{text}' is no address: write 192.0.2.1 or 192.0.2.1:636"))
    })
}
