//! `chancery acme`: a certificate ordered, renewed, and how it stands.

use anyhow::Result;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::acme::renewal::{Outcome, Renewal, Standing, Urgency};
use crate::acme::timing::Due;
use crate::arguments::{Acme, Common};
use crate::config::Config;
use crate::failure::{DONE, FINDINGS, usage};
use crate::opening;
use crate::steward::certificate::text;

pub(crate) fn run(common: &Common, acme: &Acme) -> Result<u8> {
    let config = opening::load(common, &common.overrides())?;
    let renewal = open(&config)?;
    let now = OffsetDateTime::now_utc();
    match acme {
        Acme::Status => status(common, &renewal, now),
        Acme::Order { dry_run: true } | Acme::Renew { dry_run: true } => {
            rehearse(common, &renewal, matches!(acme, Acme::Order { .. }), now)
        }
        Acme::Order { dry_run: false } => order(common, &renewal, Urgency::Now, now),
        Acme::Renew { dry_run: false } => order(common, &renewal, Urgency::WhenDue, now),
    }
}

fn open(config: &Config) -> Result<Renewal<'_>> {
    Renewal::new(config).ok_or_else(|| {
        usage("no ACME server is configured: write `directory` in [acme] (chancery config example)")
    })
}

fn order(
    common: &Common,
    renewal: &Renewal<'_>,
    urgency: Urgency,
    now: OffsetDateTime,
) -> Result<u8> {
    let outcome = renewal.run(urgency, now)?;
    let file = renewal.certificate_file();
    let (said, shown) = match &outcome {
        Outcome::Renewed(thumbprint) => (
            format!("{}: new, thumbprint {thumbprint}", file.display()),
            json!({ "renewed": true, "file": file, "thumbprint": thumbprint }),
        ),
        Outcome::NotDue(until, why) => (
            format!("nothing ordered: {why}; due at {}", text(*until)),
            json!({ "renewed": false, "due": text(*until), "why": why }),
        ),
    };
    print(common, &said, &shown)?;
    // By hand an order was wanted, and there is none.
    let refused = urgency == Urgency::Now && matches!(outcome, Outcome::NotDue(..));
    Ok(if refused { FINDINGS } else { DONE })
}

fn print(common: &Common, said: &str, shown: &Value) -> Result<()> {
    match common.json {
        true => println!("{}", serde_json::to_string_pretty(shown)?),
        false => println!("{said}"),
    }
    Ok(())
}

fn rehearse(
    common: &Common,
    renewal: &Renewal<'_>,
    by_hand: bool,
    now: OffsetDateTime,
) -> Result<u8> {
    let standing = renewal.standing(now)?;
    let authority = renewal.rehearse()?;
    let (would, why) = match (&standing.due, by_hand) {
        (_, true) => (true, "it was asked for".to_owned()),
        (Due::Now(why), false) => (true, (*why).to_owned()),
        (Due::Later(until, why), false) => (false, format!("{why}, at {}", text(*until))),
    };
    let names = renewal.acme().names.join(", ");
    let terms = authority.meta.terms_of_service.clone().unwrap_or_else(|| "none".to_owned());
    let word = if would { "would order" } else { "would not order" };
    let said = format!(
        "{word} {names} from {}: {why}\nterms of the CA: {terms}\nagreed: {}\nan account that \
         exists there: {}",
        renewal.acme().directory,
        yes(renewal.acme().agree_to_terms),
        if authority.meta.external_account_required { "needed" } else { "not needed" },
    );
    let shown = json!({
        "would-order": would,
        "why": why,
        "names": renewal.acme().names,
        "directory": renewal.acme().directory,
        "terms": authority.meta.terms_of_service,
        "agreed": renewal.acme().agree_to_terms,
        "external-account-required": authority.meta.external_account_required,
        "renewal-suggestions": authority.suggests,
    });
    print(common, &said, &shown)?;
    Ok(DONE)
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn status(common: &Common, renewal: &Renewal<'_>, now: OffsetDateTime) -> Result<u8> {
    let standing = renewal.standing(now)?;
    let code = if standing.state.failures > 0 { FINDINGS } else { DONE };
    if common.json {
        println!("{}", serde_json::to_string_pretty(&status_json(renewal, &standing))?);
        return Ok(code);
    }
    println!("names       {}", renewal.acme().names.join(", "));
    println!("directory   {}", renewal.acme().directory);
    match &standing.held {
        Some(held) => println!(
            "certificate {} until {}, thumbprint {}",
            renewal.certificate_file().display(),
            text(held.not_after),
            held.thumbprint
        ),
        None => println!("certificate none yet"),
    }
    match &standing.due {
        Due::Now(why) => println!("next order  now: {why}"),
        Due::Later(until, why) => println!("next order  {}: {why}", text(*until)),
    }
    if let Some(trouble) = &standing.state.trouble {
        println!("failing     {} times: {trouble}", standing.state.failures);
    }
    Ok(code)
}

fn status_json(renewal: &Renewal<'_>, standing: &Standing) -> Value {
    let (due, why) = match &standing.due {
        Due::Now(why) => ("now".to_owned(), why),
        Due::Later(until, why) => (text(*until), why),
    };
    let certificate = standing.held.as_ref().map(|held| {
        json!({
            "file": renewal.certificate_file(),
            "thumbprint": held.thumbprint,
            "not-before": text(held.not_before),
            "not-after": text(held.not_after),
            "names-match": held.names_match,
        })
    });
    json!({
        "names": renewal.acme().names,
        "directory": renewal.acme().directory,
        "certificate": certificate,
        "next-order": { "at": due, "why": why },
        "failures": standing.state.failures,
        "trouble": standing.state.trouble,
    })
}
