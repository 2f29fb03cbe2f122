//! The server's own certificate: key, purposes, names, lifetime.

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use time::{Duration, OffsetDateTime};
use x509_parser::public_key::PublicKey;

use super::names::{ServedName, canonical};
use super::{Finding, Level, Link, Policy, Rule, Wanted, common_name, day, families, words};
use crate::certificate::AlternativeName;

/// The curves of TLS 1.3 that every client family has, by OID.
const CURVES: [(&str, &str); 3] =
    [("1.2.840.10045.3.1.7", "P-256"), ("1.3.132.0.34", "P-384"), ("1.3.132.0.35", "P-521")];
const ED25519: &str = "1.3.101.112";

pub(super) fn judge(
    leaf: &Link<'_>,
    key: Option<&PrivateKeyDer<'static>>,
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
    findings: &mut Vec<Finding>,
) {
    findings.extend(private_key(leaf, key));
    findings.extend(public_key(leaf, &wanted.policy));
    findings.extend(purpose(leaf));
    findings.extend(key_usage(leaf));
    findings.extend(leaf_is_ca(leaf));
    findings.extend(wanted.names.iter().filter_map(|name| covered(leaf, name)));
    findings.extend(lifetime(leaf, wanted, now));
}

fn private_key(leaf: &Link<'_>, key: Option<&PrivateKeyDer<'static>>) -> Option<Finding> {
    let refused = |rule, words| Some(leaf.finding(rule, Level::Refused, words));
    let Some(key) = key else {
        return refused(
            Rule::KeyMissing,
            words(
                "no private key",
                "the key that belongs to this certificate",
                "give the key in a file of its own, or a PFX that holds it; a certificate \
                 downloaded from a CA comes without it",
            ),
        );
    };
    let public = any_supported_type(key)
        .map(|signing| signing.public_key().map(|public| public.as_ref().to_vec()));
    match public {
        Ok(Some(public)) if public == leaf.summary.public_key => None,
        Ok(Some(_)) => refused(
            Rule::KeyMismatch,
            words(
                "a private key of another certificate",
                "the key whose public half is in this certificate",
                "use the key that the request for this certificate was made with, or have the \
                 certificate issued anew for this key",
            ),
        ),
        Ok(None) => refused(Rule::KeyUnsupported, unsupported("its public half is not known")),
        Err(error) => refused(Rule::KeyUnsupported, unsupported(&error.to_string())),
    }
}

fn unsupported(reason: &str) -> super::Words {
    words(
        format!("a private key that cannot be used: {reason}"),
        "ECDSA P-256, P-384 or P-521, RSA of 2048 bits or more, or Ed25519",
        "make a new key, best `openssl ecparam -name prime256v1 -genkey`, and a new request",
    )
}

pub(super) fn public_key(link: &Link<'_>, policy: &Policy) -> Option<Finding> {
    let key = link.parsed.public_key();
    let weak = |found: String| {
        let expected =
            format!("RSA of {} bits or more, ECDSA on P-256 to P-521", policy.rsa_bits_min);
        let fix = "have it issued anew for a stronger key";
        Some(link.finding(Rule::KeyWeak, Level::Refused, words(found, expected, fix)))
    };
    let algorithm = key.algorithm.algorithm.to_id_string();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let bits = rsa.key_size();
            (bits < policy.rsa_bits_min).then(|| weak(format!("RSA of {bits} bits"))).flatten()
        }
        Ok(PublicKey::EC(_)) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let curve = curve.map(|oid| oid.to_id_string()).unwrap_or_default();
            match CURVES.iter().any(|(oid, _)| *oid == curve) {
                true => None,
                false => weak(format!("the curve {curve}, which TLS clients do not have")),
            }
        }
        _ if algorithm == ED25519 => None,
        _ => weak(format!("a key of the kind {algorithm}")),
    }
}

fn purpose(leaf: &Link<'_>) -> Option<Finding> {
    if leaf.summary.serves() {
        return None;
    }
    let found = format!("extended key usage: {}", leaf.summary.purposes.join(", "));
    Some(leaf.finding(
        Rule::Purpose,
        Level::Refused,
        words(
            found,
            "extended key usage with serverAuth (1.3.6.1.5.5.7.3.1), or none at all",
            "have it issued from a template for web or LDAP servers, with server authentication",
        ),
    ))
}

/// RFC 5280 §4.2.1.3. TLS 1.3 and every exchange with forward secrecy sign; RSA without it
/// encrypts.
fn key_usage(leaf: &Link<'_>) -> Option<Finding> {
    let usage = leaf.parsed.key_usage().ok().flatten()?;
    let is_rsa = matches!(leaf.parsed.public_key().parsed(), Ok(PublicKey::RSA(_)));
    let found = format!("key usage: {}", usage.value);
    let fix = "have it issued with digitalSignature, for an RSA key with keyEncipherment as well";
    if !usage.value.digital_signature() {
        let words = words(found, "digitalSignature among the key usages", fix);
        return Some(leaf.finding(Rule::KeyUsage, Level::Refused, words));
    }
    if is_rsa && !usage.value.key_encipherment() {
        let expected = "keyEncipherment as well, for TLS 1.2 clients without (EC)DHE";
        return Some(leaf.finding(Rule::KeyUsage, Level::Note, words(found, expected, fix)));
    }
    None
}

fn leaf_is_ca(leaf: &Link<'_>) -> Option<Finding> {
    leaf.summary.is_ca.then(|| {
        leaf.finding(
            Rule::LeafIsCa,
            Level::Warning,
            words(
                "basic constraints with CA:TRUE: `openssl req -x509` writes it so",
                "CA:FALSE on a server's certificate; rustls and others refuse a CA as a server",
                "make it with `-addext basicConstraints=critical,CA:FALSE`, or have a CA issue one",
            ),
        )
    })
}

fn covered(leaf: &Link<'_>, name: &ServedName) -> Option<Finding> {
    if leaf.summary.names.iter().any(|by| name.is_covered_by(by)) {
        return None;
    }
    let has_dns_names =
        leaf.summary.names.iter().any(|name| matches!(name, AlternativeName::Dns(_)));
    let subject = common_name(leaf).filter(|text| match name {
        ServedName::Dns(name) => super::names::covers(&canonical(text), name),
        ServedName::Ip(_) => false,
    });
    let expected = format!("{name} among the subject alternative names");
    let fix = match name {
        ServedName::Dns(name) => {
            format!("have it issued anew with the alternative name DNS:{name}")
        }
        ServedName::Ip(address) => format!(
            "reach the server by a name; if it must be the address, issue with IP:{address}"
        ),
    };
    let (rule, level, found) = match subject {
        Some(text) if !has_dns_names => (
            Rule::NameOnlyInSubject,
            Level::Warning,
            format!("CN={text} in the subject only: {}", families::verdict(false)),
        ),
        Some(text) => (
            Rule::NameNotCovered,
            Level::Refused,
            format!("CN={text}, which does not count beside {}", listed(leaf)),
        ),
        None => (Rule::NameNotCovered, Level::Refused, listed(leaf)),
    };
    Some(leaf.finding(rule, level, words(found, expected, fix)))
}

fn listed(leaf: &Link<'_>) -> String {
    let names: Vec<String> = leaf.summary.names.iter().map(ToString::to_string).collect();
    match names.is_empty() {
        true => "no alternative names".to_owned(),
        false => format!("the alternative names {}", names.join(", ")),
    }
}

fn lifetime(leaf: &Link<'_>, wanted: &Wanted<'_>, now: OffsetDateTime) -> Option<Finding> {
    let until = leaf.summary.not_after;
    let least = Duration::days(wanted.policy.lifetime_days_min);
    if wanted.renews_itself || until < now || until - now >= least {
        return None;
    }
    let days = (until - now).whole_days();
    Some(leaf.finding(
        Rule::LifetimeShort,
        Level::Warning,
        words(
            format!("{days} days left, until {}", day(until)),
            format!("{} days or more, or a certificate that renews itself", least.whole_days()),
            "renew it now, or let the in-house CA or ACME do it",
        ),
    ))
}
