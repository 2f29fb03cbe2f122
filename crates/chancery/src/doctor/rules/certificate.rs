//! What is wrong with the certificate that was shown.

use pki::judge::names::ServedName;
use pki::{Level, Policy, Rule, Summary, Wanted, judge};
use time::OffsetDateTime;

use super::{Finding, Layer, Severity, is_error, trust};
use crate::doctor::facts::{Dns, Facts, Resolved, Tls};

pub(super) fn findings(facts: &Facts, tls: &Tls, now: OffsetDateTime) -> Vec<Finding> {
    let chain = tls.certificates();
    let names: Vec<ServedName> = ServedName::parse(&facts.name).into_iter().collect();
    let policy = Policy { lifetime_days_min: 30, ..Policy::default() };
    let wanted = Wanted { names: &names, policy, ..Wanted::default() };
    let judged = judge::judge_server(&chain, None, &wanted, now);
    let mut found: Vec<Finding> = judged.findings.iter().filter_map(of_judge).collect();
    if let Some(mismatch) = found.iter_mut().find(|one| one.code == "NAME-MISMATCH") {
        which_names_work(facts, mismatch);
    }
    if tls.issuer_unknown {
        let read: Vec<Summary> = chain.iter().filter_map(|der| Summary::parse(der).ok()).collect();
        found.push(trust::finding(facts, &read));
    }
    let is_told = found.iter().any(is_error);
    if let (Some(refused), false) = (&tls.refused, is_told) {
        // What is a warning to some is what this client, and others, refuse it for.
        let is_reason = |one: &&mut Finding| one.code != "EXPIRY" && one.code != "CHAIN-ORDER";
        match found.iter_mut().find(is_reason) {
            Some(reason) => {
                reason.severity = Severity::Error;
                reason.evidence.push(refused.clone());
            }
            None => found.push(
                Finding::new("CERT-OTHER", Layer::Certificate, "the certificate is not accepted")
                    .seen(refused.clone())
                    .fix("see all that is to be said of it: chancery cert check chain.pem"),
            ),
        }
    }
    found
}

/// What lists of revoked certificates say, where they were asked for.
pub(super) fn revocation(facts: &Facts) -> Option<Finding> {
    let revocation = facts.revocation.as_ref()?;
    let one = |code, cause: &str| Finding::new(code, Layer::Certificate, cause);
    if let Some(revoked) = &revocation.revoked {
        return Some(
            one("REVOKED", "the certificate was revoked")
                .seen(format!("{revoked}, by {}", revocation.read.as_deref().unwrap_or_default()))
                .fix("have a new certificate issued, with a new key, and let the server load it"),
        );
    }
    if revocation.read.is_some() {
        return None;
    }
    let mut found = match revocation.urls.as_slice() {
        [] => return None,
        urls if urls.iter().all(|url| !url.starts_with("http://")) => {
            one("REVOCATION", "its lists of revoked certificates are not to be had over HTTP")
                .seen(urls.join(", "))
                .fix("publish the list over http:// as well: clients outside cannot use ldap:///")
        }
        _ => one("REVOCATION", "its list of revoked certificates cannot be had")
            .fix("publish the list where the certificate says it is, and before it ends"),
    };
    found.evidence.extend(revocation.errors.iter().take(3).cloned());
    Some(found.warning())
}

/// Which name would work: one of the certificate's that leads to the same place, or what the
/// address is called in DNS.
fn which_names_work(facts: &Facts, mismatch: &mut Finding) {
    let nodes: Vec<_> = facts.nodes.iter().map(|node| node.address.ip()).collect();
    let Some(Dns { certificate, pointers, .. }) = &facts.dns else { return };
    let leads = |addresses: &[std::net::IpAddr]| addresses.iter().any(|one| nodes.contains(one));
    let works = certificate.iter().find(|one| leads(&one.addresses));
    if facts.resolved == Resolved::Literal {
        mismatch.evidence.push("an address was given; certificates are for names".to_owned());
    }
    if let Some(pointer) = pointers.first() {
        mismatch.evidence.push(format!("in DNS the address is called {}", pointer.name));
    }
    if let Some(works) = works {
        let scheme = if facts.starttls { "ldap" } else { "ldaps" };
        let fix = format!("use {scheme}://{}, which leads to the same address", works.name);
        mismatch.fixes.insert(0, fix);
    }
}

/// A finding of the judge, under our code.
fn of_judge(finding: &pki::Finding) -> Option<Finding> {
    let code = match finding.rule {
        // It is not here, and what is not sent is looked at below.
        Rule::KeyMissing | Rule::KeyMismatch | Rule::KeyExposed | Rule::ChainIncomplete => {
            return None;
        }
        Rule::KeyUnsupported | Rule::PfxEncryption | Rule::ChainSurplus => return None,
        Rule::Expired => "CERT-EXPIRED",
        Rule::NotYetValid => "CLOCK",
        Rule::LifetimeShort => "EXPIRY",
        Rule::NameNotCovered => "NAME-MISMATCH",
        Rule::NameOnlyInSubject => "CERT-NO-SAN",
        Rule::Purpose | Rule::KeyUsage => "EKU",
        Rule::KeyWeak | Rule::SignatureWeak => "WEAK-CRYPTO",
        Rule::ChainOrder => "CHAIN-ORDER",
        Rule::Unreadable
        | Rule::ChainBroken
        | Rule::IssuerNotCa
        | Rule::PathLength
        | Rule::NameConstraint
        | Rule::SignaturePss
        | Rule::LeafIsCa => "CERT-OTHER",
    };
    let cause = match finding.rule {
        Rule::Expired => format!("the certificate has expired: {}", finding.found),
        Rule::NotYetValid => format!("the certificate is not valid yet: {}", finding.found),
        Rule::NameNotCovered => "the certificate is for other names".to_owned(),
        Rule::NameOnlyInSubject => "the name stands in the subject only".to_owned(),
        _ => format!("{}: {}", finding.rule, finding.found),
    };
    let one = Finding::new(code, Layer::Certificate, cause)
        .seen(format!("{}: {}", finding.subject, finding.found))
        .seen(format!("expected: {}", finding.expected))
        .fix(finding.fix.clone());
    match finding.level {
        // A name in the subject is refused by us and others, whatever else it is to the judge.
        _ if finding.rule == Rule::NameOnlyInSubject => Some(one),
        Level::Refused => Some(one),
        Level::Warning => Some(one.warning()),
        Level::Note => None,
    }
}
