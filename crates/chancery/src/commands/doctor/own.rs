//! `chancery doctor self`: our own service, as a client of this machine meets it.

use std::net::SocketAddr;

use anyhow::Result;
use client::{Security, Target};
use serde_json::Value;

use super::{asked, now, outputs, runtime, trust};
use crate::arguments::{Common, Doctor, DoctorOwn, Outputs};
use crate::commands::account::{field, text};
use crate::commands::alerts::list;
use crate::config::Config;
use crate::doctor::outcome::{Outcome, Seen, What};
use crate::doctor::own::{self, Door, pairs};
use crate::doctor::probe::Asked;
use crate::doctor::{fleet, resolving};
use crate::failure::failed;
use crate::local::{is_served, manage};
use crate::opening;
use crate::steward;

pub(super) fn run(common: &Common, own: &DoctorOwn) -> Result<u8> {
    let outcome = look(common, own)?;
    let outputs = Outputs {
        save: own.save.clone(),
        junit: own.junit.clone(),
        prometheus: own.prometheus.clone(),
        ..Outputs::default()
    };
    outputs::deliver(common, &outputs, outcome)
}

fn look(common: &Common, arguments: &DoctorOwn) -> Result<Outcome> {
    let config = opening::load(common, &common.overrides())?;
    if !is_served(&config.data) {
        let data = config.data.display();
        return Err(failed(format!(
            "no server runs on the data folder {data}: start it with `chancery serve`, or name \
             the folder with --data"
        )));
    }
    let status = manage(&config.data, &steward::Asked::Status)?;
    let certificate = field(&status, "certificate");
    let outcome = |seen, findings| Outcome { what: What::Own, seen, findings };
    if certificate.is_null() {
        return Ok(outcome(Vec::new(), vec![own::without_certificate()]));
    }
    let names = names(&config, certificate);
    let pairs = pairs(&doors(&status), &names);
    if pairs.is_empty() {
        return Ok(outcome(Vec::new(), vec![own::without_listener()]));
    }
    let (now, with) = (now(), trusted(&config, arguments)?);
    let doctor = Doctor { timeout: arguments.timeout, ..Doctor::default() };
    let each = pairs.iter().map(|(door, name)| {
        let target =
            Target { name: name.clone(), port: door.address.port(), security: Security::Ldaps };
        let text = format!("ldaps://{name}:{}", target.port);
        let asked = asked(&doctor, &text, target, with.clone(), now)?;
        // It is our own: what DNS says of its names is a matter for `chancery dns verify`.
        Ok(Asked { addresses: vec![door.address], name_servers: None, ..asked })
    });
    let each = each.collect::<Result<Vec<_>>>()?;
    let found = runtime()?.block_on(resolving::all(each, None))?;
    let judged = found.into_iter().zip(&pairs).map(|(facts, (door, _))| {
        let mut seen = Seen::judged(facts, now);
        if let (true, Some(first)) = (door.is_published, seen.findings.first_mut()) {
            let ip = door.address.ip();
            first.fixes.push(format!("see whether its rules let in: chancery publish test {ip}"));
        }
        seen
    });
    let seen: Vec<Seen> = judged.collect();
    let findings = fleet::findings("this machine", &seen, &[]);
    Ok(outcome(seen, findings))
}

/// Where it listens now.
fn doors(status: &Value) -> Vec<Door> {
    let own = list(field(status, "listening")).iter().filter_map(|uri| {
        // What follows the URI is for people.
        let uri = text(uri).strip_prefix("ldaps://")?.split(' ').next()?;
        let address: SocketAddr = uri.trim_end_matches('/').parse().ok()?;
        Some(Door { address, is_published: false })
    });
    let mut all: Vec<Door> = own.collect();
    for listener in list(field(field(status, "publishing"), "listeners")) {
        let Ok(address) = text(field(listener, "address")).parse() else { continue };
        let published = Door { address, is_published: true };
        match all.iter_mut().find(|door| door.address == address) {
            Some(door) => *door = published,
            None => all.push(published),
        }
    }
    all
}

/// Those of the certificate, and those that clients are told.
fn names(config: &Config, certificate: &Value) -> Vec<String> {
    let published = config.publish.names.iter().map(ToString::to_string);
    let mut all: Vec<String> = published.collect();
    for name in list(field(certificate, "names")).iter().filter_map(Value::as_str) {
        if !all.iter().any(|one| one == name) {
            all.push(name.to_owned());
        }
    }
    all
}

type With = (client::Trust, crate::doctor::facts::Trusted);

/// The CA that clients are given: the one that is named, the in-house CA where it issues, the
/// system's otherwise.
fn trusted(config: &Config, own: &DoctorOwn) -> Result<With> {
    let in_house = config.data.join("ca.pem");
    let issues = config.tls.sources.is_empty() && config.acme.is_none() && in_house.exists();
    let file = own.ca.clone().or_else(|| issues.then_some(in_house));
    trust(file.as_deref())
}
