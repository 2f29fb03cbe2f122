//! `chancery ca status`: what there is, how long it lives, and what is wrong with it.

use std::path::Path;

use anyhow::Result;
use pki::Summary;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::alerts::Watches;
use crate::arguments::Common;
use crate::ca::audit::{Deed, text};
use crate::ca::watch::CaWatch;
use crate::ca::{Ca, summary};
use crate::config::Config;
use crate::failure::{DONE, FINDINGS};

pub(super) fn run(common: &Common, config: &Config, ca: &Ca, now: OffsetDateTime) -> Result<u8> {
    let conditions = CaWatch::of(config).conditions(now);
    let code = if conditions.is_empty() { DONE } else { FINDINGS };
    if common.json {
        let state = json!({
            "root": authority(&ca.root_pem(), &ca.root_key()),
            "issuing": authority(&ca.issuing_pem(), &ca.issuing_key()),
            "issued": count(ca, Deed::Issued)? + count(ca, Deed::Renewed)?,
            "revoked": ca.revoked()?.len(),
            "crl-until": ca.list()?.and_then(|list| list.next_update).map(text),
            "conditions": conditions,
        });
        println!("{}", serde_json::to_string_pretty(&state)?);
        return Ok(code);
    }
    print_authority("root", &ca.root_pem(), &ca.root_key());
    if ca.issuing_pem().exists() {
        print_authority("issuing CA", &ca.issuing_pem(), &ca.issuing_key());
    } else {
        println!("issuing CA     none: this root signs certificates itself, as older folders do");
    }
    let until = ca.list()?.and_then(|list| list.next_update);
    let until = until.map_or("not made yet".to_owned(), |at| format!("until {}", at.date()));
    println!("revocations    {}, list {until}", ca.revoked()?.len());
    let issued = count(ca, Deed::Issued)? + count(ca, Deed::Renewed)?;
    println!("issued         {issued} (chancery ca log)");
    for one in &conditions {
        println!("{}: {}\n  fix       {}", one.id, one.what, one.fix);
    }
    Ok(code)
}

fn authority(cert: &Path, key: &Path) -> Value {
    let Ok(one) = summary(cert) else { return Value::Null };
    json!({
        "subject": one.subject,
        "thumbprint": one.thumbprint,
        "not-after": text(one.not_after),
        "key-here": key.exists(),
    })
}

fn print_authority(name: &str, cert: &Path, key: &Path) {
    let told = match summary(cert) {
        Ok(Summary { subject, not_after, .. }) => format!("{subject}, until {}", not_after.date()),
        Err(error) => format!("{error:#}"),
    };
    let whereabouts = if key.exists() { "" } else { " (its key is elsewhere)" };
    println!("{name:<14} {told}{whereabouts}");
}

fn count(ca: &Ca, deed: Deed) -> Result<usize> {
    Ok(ca.history()?.events.iter().filter(|event| event.deed == deed).count())
}
