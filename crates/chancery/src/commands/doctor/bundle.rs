//! `chancery doctor TARGET --bundle FILE`: the whole chain as a file, once somebody has compared
//! the thumbprints.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use client::Trust;
use pki::judge::names::ServedName;
use serde_json::json;

use super::{authorities, look, outputs, runtime, wrong};
use crate::arguments::{Common, Doctor};
use crate::doctor::bundle::{self, Bundle, Known, thumbprint};
use crate::doctor::facts::Facts;
use crate::doctor::report::harmless;
use crate::failure::{DONE, FINDINGS, failed};

pub(super) fn run(common: &Common, doctor: &Doctor, file: &Path) -> Result<u8> {
    let outcome = look(doctor)?;
    outputs::files(&doctor.outputs, &outcome)?;
    let facts = outcome.seen.first().map(|one| &one.facts);
    let chain = facts.map(bundle::shown).unwrap_or_default();
    let (Some(facts), Some((leaf, above))) = (facts, chain.split_first()) else {
        println!("{}", outcome.text());
        return Err(failed("no certificate was shown, so there is no chain to complete"));
    };
    let sent = |der: &rustls::pki_types::CertificateDer<'static>| {
        (der.clone(), "sent by the server".to_owned())
    };
    let mut known: Known = above.iter().map(sent).collect();
    if let Some(ca) = &doctor.ca {
        let from = format!("from {}", ca.display());
        known.extend(authorities(ca)?.into_iter().map(|der| (der, from.clone())));
    }
    let patience = Duration::from_secs(doctor.timeout.clamp(1, 60));
    let bundle = runtime()?.block_on(bundle::assemble(leaf, known, patience));
    if !common.json {
        print!("{}", listed(facts, &bundle, accepted(facts, &chain, &bundle)));
    }
    let is_written = !bundle.links.is_empty() && (doctor.modes.yes || is_confirmed(file)?);
    if is_written {
        outputs::write(file, &bundle.pem()).map_err(|error| wrong(file, &error))?;
    }
    if common.json {
        println!("{}", serde_json::to_string_pretty(&as_json(file, &bundle, is_written))?);
    } else if is_written {
        println!("{} certificate(s) written to {}", bundle.links.len(), file.display());
    } else {
        println!("nothing is written: compare the SHA-256, then say --yes");
    }
    Ok(if is_written && bundle.missing.is_none() { DONE } else { FINDINGS })
}

/// What a client would say that trusts these.
fn accepted(
    facts: &Facts,
    chain: &[rustls::pki_types::CertificateDer<'_>],
    bundle: &Bundle,
) -> Option<String> {
    let certificates = bundle.links.iter().map(|link| link.certificate.clone()).collect();
    let name = ServedName::parse(&facts.name).ok()?;
    let judged = Trust::given(certificates).ok()?.judge(chain, &name, Vec::new());
    Some(match judged {
        Ok(()) => format!("with these as its CAs, a client accepts the certificate for {name}"),
        Err(error) => format!("even with these as its CAs, a client says: {error}"),
    })
}

fn listed(facts: &Facts, bundle: &Bundle, accepted: Option<String>) -> String {
    let mut lines = vec![format!("the chain above the certificate of {}:", facts.name)];
    for (link, number) in bundle.links.iter().zip(1..) {
        lines.push(format!("{number} {}", link.summary.subject));
        lines.push(format!("  {}, until {}", link.from, link.summary.not_after.date()));
        lines.push(format!("  SHA-256 {}", thumbprint(&link.summary)));
    }
    lines.extend(bundle.in_vain.iter().map(|error| format!("! {error}")));
    lines.extend(bundle.missing.iter().map(|ca| format!("! nobody has the certificate of {ca}")));
    lines.extend(accepted.map(|line| format!("i {line}")));
    lines.iter().map(|line| format!("{}\n", harmless(line))).collect()
}

/// Only somebody who has seen the thumbprints can know whether these are the right ones.
fn is_confirmed(file: &Path) -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Ok(false);
    }
    eprint!("compare each SHA-256 with its CA's; write to {}? [yes/no] ", file.display());
    std::io::stderr().flush()?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

fn as_json(file: &Path, bundle: &Bundle, is_written: bool) -> serde_json::Value {
    let each = bundle.links.iter().map(|link| {
        json!({
            "subject": link.summary.subject,
            "sha256": link.summary.thumbprint,
            "from": link.from,
        })
    });
    json!({
        "bundle": file.display().to_string(),
        "written": is_written,
        "certificates": each.collect::<Vec<_>>(),
        "missing": bundle.missing,
        "errors": bundle.in_vain,
    })
}
