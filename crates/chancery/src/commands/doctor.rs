//! `chancery doctor`: why a secure LDAP connection fails.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use client::{Target, Trust};
use pki::{Summary, pem};
use serde_json::json;
use time::OffsetDateTime;

use crate::arguments::{Common, Doctor};
use crate::doctor::facts::Trusted;
use crate::doctor::{probe, report, rules};
use crate::failure::{failed, usage};

pub(crate) fn run(common: &Common, doctor: &Doctor) -> Result<u8> {
    let target = Target::parse(&doctor.target).map_err(usage)?;
    let (trust, trusted) = trust(doctor.ca.as_deref())?;
    let addresses = doctor.address.iter().map(|text| address(text, target.port));
    let now = OffsetDateTime::now_utc();
    let asked = probe::Asked {
        text: doctor.target.clone(),
        addresses: addresses.collect::<Result<_>>()?,
        target,
        trust,
        trusted,
        patience: Duration::from_secs(doctor.timeout.clamp(1, 60)),
        at: crate::alerts::text(now),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let facts = runtime.block_on(probe::probe(&asked))?;
    let findings = rules::findings(&facts, now);
    if common.json {
        let all = json!({ "facts": facts, "findings": findings });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{}", report::text(&facts, &findings));
    }
    Ok(report::code(&findings))
}

fn trust(file: Option<&Path>) -> Result<(Trust, Trusted)> {
    let Some(file) = file else {
        let source = "the system's CAs".to_owned();
        return Ok((Trust::system().map_err(failed)?, Trusted { source, subjects: Vec::new() }));
    };
    let wrong = |error: &dyn std::fmt::Display| usage(format!("{}: {error}", file.display()));
    let text = std::fs::read(file).map_err(|error| wrong(&error))?;
    let certificates = pem::certificates(&text).map_err(|error| wrong(&error))?;
    let subjects = certificates.iter().filter_map(|der| Summary::parse(der).ok());
    let subjects = subjects.map(|one| one.subject).collect();
    let trust = Trust::given(certificates).map_err(|error| wrong(&error))?;
    Ok((trust, Trusted { source: file.display().to_string(), subjects }))
}

/// `IP` or `IP:PORT`.
fn address(text: &str, port: u16) -> Result<SocketAddr> {
    let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
    text.parse().or_else(|_| bare()).map_err(|_| {
        usage(format!("--address '{text}' is no address: write 192.0.2.1 or 192.0.2.1:636"))
    })
}
