//! An answer that can be shown to anybody: without names, addresses and certificates. What was
//! found is kept, because it cannot be found again in what is left.
//!
//! - [`words`]: which parts of a text are such.

mod words;

use pki::Summary;
use serde_json::{Value, json};

use self::words::{Kind, Words};
use super::facts::{Facts, Told, decoded};
use super::outcome::{Outcome, Seen, What};
use super::rules::Finding;
use crate::failure::failed;

/// The same pseudonym stands for the same thing in all of it.
pub(crate) fn redacted(outcome: &Outcome) -> anyhow::Result<Outcome> {
    let seen = outcome.seen.iter().map(|one| {
        let told: Vec<Told> = one.findings.iter().map(Told::of).collect();
        json!({ "facts": Facts { told: None, ..one.facts.clone() }, "told": told })
    });
    let seen: Vec<Value> = seen.collect();
    let findings: Vec<Told> = outcome.findings.iter().map(Told::of).collect();
    let mut words = Words::default();
    // The targets come first, so that they are host-1 and so on.
    for one in &outcome.seen {
        words.know(&one.facts.name, Kind::Host);
    }
    let mut whole = json!({ "seen": seen, "findings": findings });
    learn(&whole, "", &mut words);
    let what = what(&outcome.what, &mut words);
    replace(&mut whole, "", &mut words);
    let findings: Vec<Told> = taken(&mut whole, "findings")?;
    let seen: Vec<Both> = taken(&mut whole, "seen")?;
    let seen = seen.into_iter().map(|one| {
        let facts = Facts { told: Some(one.told.clone()), ..one.facts };
        // Its reasons quote the certificate, which is not there any more.
        let findings = one.told.into_iter().map(Told::finding).collect();
        Seen { facts, findings, accepting: None }
    });
    let findings = findings.into_iter().map(Told::finding).collect();
    Ok(Outcome { what, seen: seen.collect(), findings })
}

#[derive(serde::Deserialize)]
struct Both {
    facts: Facts,
    told: Vec<Told>,
}

fn taken<T: serde::de::DeserializeOwned>(whole: &mut Value, name: &str) -> anyhow::Result<T> {
    let part = whole.get_mut(name).map(Value::take).unwrap_or_default();
    serde_json::from_value(part).map_err(|error| failed(format!("cannot be redacted: {error}")))
}

fn what(what: &What, words: &mut Words) -> What {
    match what {
        What::Target => What::Target,
        What::Own => What::Own,
        What::Fleet(domain) => {
            words.know(domain, Kind::Host);
            What::Fleet(words.replace(domain))
        }
        What::Offline(file) => {
            words.know(file, Kind::File);
            What::Offline(words.replace(file))
        }
        // Which settings were used, and not what they say.
        What::Config { file, used } => What::Config {
            file: file.clone(),
            used: used
                .iter()
                .map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" "))
                .collect(),
        },
    }
}

/// What a value is by the name that it stands under.
fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "name" | "host" | "services" => Kind::Host,
        "base" | "matched" | "naming-contexts" | "subjects" | "takes" => Kind::Dn,
        "signed-in-as" => Kind::User,
        "filter" => Kind::Filter,
        "source" => Kind::File,
        "url" | "urls" => Kind::Url,
        // Whatever a server says may name somebody.
        "message" | "text" | "why" => Kind::Text,
        _ => return None,
    })
}

/// Words with a meaning to programs.
const CODES: &[&str] = &[
    "at",
    "code",
    "confidence",
    "how",
    "layer",
    "offered",
    "outcome",
    "severity",
    "suite",
    "version",
];

const SYSTEM: &str = "the system's CAs";

fn learn(value: &Value, name: &str, words: &mut Words) {
    match value {
        Value::String(text) => match kind(name) {
            _ if text == SYSTEM || CODES.contains(&name) => {}
            Some(kind) => words.know(text, kind),
            None => {
                if let Ok(certificate) = Summary::parse(&decoded(text)) {
                    know(&certificate, words);
                }
                words.avoid(text);
            }
        },
        Value::Array(all) => all.iter().for_each(|one| learn(one, name, words)),
        Value::Object(all) => all.iter().for_each(|(name, one)| learn(one, name, words)),
        _ => {}
    }
}

fn know(certificate: &Summary, words: &mut Words) {
    words.know(&certificate.subject, Kind::Dn);
    words.know(&certificate.issuer, Kind::Dn);
    words.know(&certificate.serial, Kind::Digits);
    words.know(&certificate.thumbprint, Kind::Digits);
    for name in &certificate.names {
        words.know(&name.to_string(), Kind::Host);
    }
    // A part of a subject is shown by itself where it is the name that is not in the extension.
    for part in certificate.subject.split(',').chain(certificate.issuer.split(',')) {
        if let Some((_, value)) = part.split_once('=') {
            words.know(value, Kind::Host);
        }
    }
}

fn replace(value: &mut Value, name: &str, words: &mut Words) {
    match value {
        Value::String(text) if text == SYSTEM || CODES.contains(&name) => {}
        // Free text, and often a product's name, which stands in findings for good reason.
        Value::String(text) if name == "vendor" => *text = "not shown".to_owned(),
        Value::String(text) => *text = words.replace(text),
        Value::Array(all) => {
            // What a certificate says is in what was found.
            let is_certificate = |one: &Value| {
                one.as_str().is_some_and(|text| Summary::parse(&decoded(text)).is_ok())
            };
            all.retain(|one| !is_certificate(one));
            all.iter_mut().for_each(|one| replace(one, name, words));
        }
        Value::Object(all) => {
            if let Some(certificate) = all.get_mut("certificate").filter(|one| one.is_string()) {
                *certificate = Value::Null;
            }
            all.iter_mut().for_each(|(name, one)| replace(one, name, words));
        }
        _ => {}
    }
}

impl Told {
    pub(super) fn of(finding: &Finding) -> Told {
        Told {
            code: finding.code.to_owned(),
            severity: finding.severity,
            confidence: finding.confidence,
            layer: finding.layer,
            nodes: finding.nodes.clone(),
            cause: finding.cause.clone(),
            evidence: finding.evidence.clone(),
            fixes: finding.fixes.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
