//! `chancery doctor --offline CHAIN`: the certificate rules alone.

use std::path::Path;

use anyhow::Result;
use pki::judge::names::ServedName;
use pki::{collection, pem};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{bounded, trust, wrong};
use crate::arguments::Doctor;
use crate::doctor::offline::{self, Chain};
use crate::doctor::outcome::{Outcome, Seen, What};
use crate::failure::usage;

pub(super) fn look(doctor: &Doctor, file: &Path, now: OffsetDateTime) -> Result<Outcome> {
    let modes = &doctor.modes;
    let at = modes.at.as_ref().map(|text| {
        OffsetDateTime::parse(text, &Rfc3339).map_err(|error| {
            usage(format!("--at '{text}' is no time ({error}): write 2030-01-31T12:00:00Z"))
        })
    });
    let at = at.transpose()?.unwrap_or(now);
    let content = bounded(file, "give the certificates of one server")?;
    let certificates = pem::certificates(&content)
        .or_else(|error| collection::parse(&content).map_err(|_| error))
        .map_err(|error| wrong(file, &error))?;
    let name =
        modes.name.as_ref().map(|name| ServedName::parse(name).map_err(usage)).transpose()?;
    let (trust, trusted) = trust(doctor.ca.as_deref())?;
    let shown = file.display().to_string();
    let chain = Chain { file: shown.clone(), certificates, name, trust: &trust, trusted };
    let seen = Seen::judged(offline::facts(chain, at), at);
    Ok(Outcome { what: What::Offline(shown), seen: vec![seen], findings: Vec::new() })
}
