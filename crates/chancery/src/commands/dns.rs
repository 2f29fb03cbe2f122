//! `chancery dns`: records printed, planned, written, removed, and seen from outside.

use std::collections::BTreeSet;

use anyhow::Result;
use hickory_proto::rr::Name;
use serde_json::json;
use time::OffsetDateTime;

use crate::arguments::{Common, Dns, DnsChange};
use crate::certificates::{self, Looking};
use crate::config::Config;
use crate::dns::desk::{self, Desk};
use crate::dns::plan::Step;
use crate::dns::records::{RecordSet, absolute, wanted};
use crate::dns::verify::{Verdict, verify as look, worst};
use crate::dns::{Format, text};
use crate::failure::{DONE, FAILED, FINDINGS, failed, usage};
use crate::steward::Asked;
use crate::{local, opening};

pub(crate) fn run(common: &Common, dns: &Dns) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    match dns {
        Dns::Print { format } => {
            let format = if common.json { Format::Json } else { *format };
            println!("{}", text::print(&wanted(&desk::published(&config)?), format)?);
            Ok(DONE)
        }
        Dns::Plan(change) => plan(common, &config, change),
        Dns::Apply(change) => {
            let wanted = wanted(&desk::published(&config)?);
            apply(common, &config, &wanted, replaced(change)?)
        }
        Dns::Remove => apply(common, &config, &[], BTreeSet::new()),
        Dns::Verify { thumbprint, records_only } => {
            let meant = match (records_only, thumbprint) {
                (true, _) => None,
                (false, Some(text)) => Some(thumbprint_of(text)?),
                (false, None) => Some(served(&config)?),
            };
            verify(common, &config, meant.as_deref())
        }
    }
}

fn replaced(change: &DnsChange) -> Result<BTreeSet<Name>> {
    change.replace.iter().map(|name| absolute(name).map_err(usage)).collect()
}

fn plan(common: &Common, config: &Config, change: &DnsChange) -> Result<u8> {
    let desk = Desk::open(config)?;
    let steps = desk.plan(&wanted(&desk::published(config)?), replaced(change)?)?;
    let differs = steps.iter().any(|step| !matches!(step, Step::Keep(_) | Step::Outside(_)));
    show(common, &desk, &steps, if differs { "differs" } else { "as it should be" })?;
    Ok(if differs { FINDINGS } else { DONE })
}

fn apply(
    common: &Common,
    config: &Config,
    wanted: &[RecordSet],
    replace: BTreeSet<Name>,
) -> Result<u8> {
    let desk = Desk::open(config)?;
    let steps = desk.plan(wanted, replace)?;
    if steps.iter().any(Step::is_foreign) {
        show(common, &desk, &steps, "nothing was written: there are records of somebody else")?;
        return Ok(FINDINGS);
    }
    desk.apply(config, wanted, &steps, OffsetDateTime::now_utc())?;
    let writes = steps.iter().any(Step::writes);
    show(common, &desk, &steps, if writes { "written" } else { "already as it should be" })?;
    Ok(DONE)
}

fn show(common: &Common, desk: &Desk<'_>, steps: &[Step], verdict: &str) -> Result<()> {
    let left = desk.left_behind();
    if common.json {
        let steps: Vec<_> = steps.iter().map(Step::to_json).collect();
        let shown = json!({
            "server": desk.server.to_string(),
            "zone": desk.zone.to_ascii(),
            "verdict": verdict,
            "steps": steps,
            "left-in-other-zones": left,
        });
        println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(());
    }
    steps.iter().for_each(|step| println!("{step}"));
    for zone in left {
        println!(
            "records that we wrote are still in the zone {zone}; to remove them, run \
             `chancery dns remove` with that zone in the configuration"
        );
    }
    println!("{} at {}: {verdict}", desk.zone, desk.server);
    Ok(())
}

/// As it is printed anywhere: with or without colons, in either case.
fn thumbprint_of(text: &str) -> Result<String> {
    let bare: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let bare = bare.to_ascii_lowercase();
    if bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(bare);
    }
    Err(usage(
        "that is no SHA-256 thumbprint; right are 64 hexadecimal digits, as \
         `openssl x509 -noout -fingerprint -sha256` prints them",
    ))
}

/// The thumbprint of what the running server serves; without one, of what it would serve.
fn served(config: &Config) -> Result<String> {
    if local::is_served(&config.data) {
        let status = local::manage(&config.data, &Asked::Status)?;
        let thumbprint = status.pointer("/certificate/thumbprint").and_then(|text| text.as_str());
        return thumbprint
            .map(str::to_owned)
            .ok_or_else(|| failed("the server does not say which certificate it serves"));
    }
    let why = certificates::why(&Looking::from(config), OffsetDateTime::now_utc());
    let chosen = why.choice.winner().and_then(|one| one.summary.as_ref());
    chosen
        .map(|summary| summary.thumbprint.clone())
        .ok_or_else(|| failed("no certificate passes, so none can be met; see `chancery cert why`"))
}

fn verify(common: &Common, config: &Config, meant: Option<&str>) -> Result<u8> {
    let published = desk::published(config)?;
    if config.dns.resolvers.is_empty() && config.dns.name_servers.is_empty() {
        return Err(usage(
            "nobody is there to be asked: write `resolvers` in [dns], servers that look names up \
             as clients' do",
        ));
    }
    let sights = look(&config.dns, &published, meant);
    let (verdict, code) = match worst(&sights) {
        Verdict::Right => ("the outside sees what is published", DONE),
        Verdict::Wrong => ("the outside sees something else than what is published", FINDINGS),
        Verdict::Unknown => ("not everybody could be asked; what was seen is right", FAILED),
    };
    if common.json {
        let shown = json!({ "verdict": worst(&sights), "thumbprint": meant, "sights": sights });
        println!("{}", serde_json::to_string_pretty(&shown)?);
    } else {
        sights.iter().for_each(|sight| println!("{sight}"));
        println!("{verdict}");
    }
    Ok(code)
}
