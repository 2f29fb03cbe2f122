//! `chancery ca`: the in-house CA for its operator, with or without a running server.

mod clients;
mod export;
mod history;
mod issue;
mod status;
mod template;

use anyhow::Result;
use pki::Reason;
use serde_json::json;
use time::OffsetDateTime;

use crate::arguments::{Ca as Asked, CaRevoke, Common};
use crate::ca::audit::text;
use crate::ca::own::Outcome;
use crate::ca::{Ca, own, revoke};
use crate::config::Config;
use crate::failure::{DONE, failed, usage};
use crate::opening;

pub(crate) fn run(common: &Common, asked: &Asked) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let ca = Ca::at(&config.data);
    if !ca.exists() && !matches!(asked, Asked::Template(_)) {
        return Err(failed(format!(
            "there is no CA in {}; the first `chancery serve` makes one where no certificate is \
             configured",
            config.data.display()
        )));
    }
    let now = OffsetDateTime::now_utc();
    match asked {
        Asked::Status => status::run(common, &config, &ca, now),
        Asked::Issue(issue) => issue::run(common, &config, &ca, issue, now),
        Asked::Revoke(asked) => revoked(common, &ca, asked, now),
        Asked::Crl { renew } => list(common, &ca, *renew, now),
        Asked::Renew => renewed(common, &config, now),
        Asked::Export(asked) => export::run(common, &config, &ca, asked, now),
        Asked::Log(log) => history::run(common, &ca, log),
        Asked::Template(template) => template::run(common, &ca, template, now),
    }
}

fn renewed(common: &Common, config: &Config, now: OffsetDateTime) -> Result<u8> {
    match own::renew(&config.data, &own::names(config), now, true)? {
        Outcome::Renewed(made) if common.json => {
            let until = text(made.not_after);
            println!(
                "{}",
                json!({ "serial": made.serial, "thumbprint": made.thumbprint, "until": until })
            );
            Ok(DONE)
        }
        Outcome::Renewed(made) => {
            println!("issued {}, until {}", made.serial, text(made.not_after));
            println!("thumbprint {}", made.thumbprint);
            if !config.tls.sources.is_empty() {
                println!("it is not served: [tls] names other certificates");
            }
            Ok(DONE)
        }
        Outcome::NotOurs | Outcome::NotDue => Err(failed(format!(
            "{} was not issued by this CA: whoever put it there renews it",
            own::files(&config.data).0.display()
        ))),
    }
}

fn revoked(common: &Common, ca: &Ca, asked: &CaRevoke, now: OffsetDateTime) -> Result<u8> {
    let reason: Reason =
        asked.reason.parse().map_err(|error| usage(format!("--reason: {error}")))?;
    let outcome = ca.revoke(&asked.serial, reason, now)?;
    let certificate = match &outcome {
        revoke::Outcome::Revoked(certificate) => Some(certificate),
        revoke::Outcome::Already => None,
    };
    if common.json {
        println!(
            "{}",
            json!({
                "revoked": certificate.is_some(),
                "subject": certificate.map(|one| &one.subject),
            })
        );
        return Ok(DONE);
    }
    match certificate {
        Some(one) => println!(
            "revoked {} ({}); the list is in {}",
            one.subject,
            one.serial,
            ca.crl_pem().display()
        ),
        None => println!("it was revoked before; nothing has changed"),
    }
    Ok(DONE)
}

fn list(common: &Common, ca: &Ca, renew: bool, now: OffsetDateTime) -> Result<u8> {
    let list = match (renew, ca.list()?) {
        (false, Some(list)) => list,
        _ => ca.renew_list(now)?,
    };
    if !common.json {
        print!("{}", ca.list_pem()?);
        return Ok(DONE);
    }
    let revoked: Vec<_> = list
        .revoked
        .iter()
        .map(|one| {
            json!({
                "serial": one.serial,
                "at": text(one.at),
                "reason": one.reason.to_string(),
            })
        })
        .collect();
    println!(
        "{}",
        serde_json::to_string_pretty(&json!({
            "issuer": list.issuer,
            "number": list.number,
            "this-update": text(list.this_update),
            "next-update": list.next_update.map(text),
            "revoked": revoked,
        }))?
    );
    Ok(DONE)
}
