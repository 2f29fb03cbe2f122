//! What differs between addresses of one name, and between ports of one address.

use std::collections::BTreeMap;

use pki::Summary;

use super::{Finding, Layer, Severity, is_error};
use crate::doctor::facts::{Facts, Node, Tls};

/// Some addresses are well and others are not: that is the cause, and what ails them the evidence.
pub(super) fn one_bad_node(facts: &Facts, found: &mut Vec<Finding>) {
    // What is tried at one address only says nothing about the others.
    let errors: Vec<&Finding> = found
        .iter()
        .filter(|one| one.severity == Severity::Error && one.layer <= Layer::Ldap)
        .collect();
    // What is about none of them is about all.
    let Some(first) = errors.first().filter(|one| one.code != "DNS") else { return };
    let mut bad: Vec<_> = errors.iter().flat_map(|one| one.nodes.clone()).collect();
    bad.sort();
    bad.dedup();
    if errors.iter().any(|one| one.nodes.is_empty()) || bad.len() >= facts.nodes.len() {
        return;
    }
    let list: Vec<String> = bad.iter().map(ToString::to_string).collect();
    let (count, all) = (bad.len(), facts.nodes.len());
    let cause = format!("{count} of {all} addresses of {} fail: {}", facts.name, list.join(", "));
    let mut one = Finding::new("ONE-BAD-NODE", first.layer, cause);
    for error in errors.iter().take(3) {
        one = one.seen(format!("there: {} {}", error.code, error.cause));
    }
    one = one.seen(format!("the other {} answer", all - count));
    one.fixes.clone_from(&first.fixes);
    one = one.fix(format!("or take {} out of DNS until it is mended", list.join(", ")));
    one.nodes = bad;
    found.insert(0, one);
}

/// The same service shows certificates of different issuers, where none of them fails.
pub(super) fn other_certificates(facts: &Facts) -> Option<Finding> {
    let mut issuers: BTreeMap<String, Vec<&Node>> = BTreeMap::new();
    for node in &facts.nodes {
        let leaf = node.tls.as_ref().and_then(leaf)?;
        issuers.entry(leaf.issuer).or_default().push(node);
    }
    if issuers.len() < 2 {
        return None;
    }
    // The smaller part is the odd one.
    let odd = issuers.iter().min_by_key(|(_, nodes)| nodes.len())?;
    let list: Vec<String> = odd.1.iter().map(|node| node.address.to_string()).collect();
    let cause = format!("{} show a certificate of another issuer: {}", list.join(", "), odd.0);
    let mut one = Finding::new("WRONG-CERT", Layer::Certificate, cause).warning().fix(
        "let all servers of one name have certificates of one CA; on a domain controller put the \
         wanted one in NTDS\\Personal, where it comes before all others",
    );
    for (issuer, nodes) in &issuers {
        one = one.seen(format!("{} of {}", nodes.len(), issuer));
    }
    one.nodes = odd.1.iter().map(|node| node.address).collect();
    Some(one)
}

/// Another port of the same machine shows another certificate.
pub(super) fn other_port(facts: &Facts, node: &Node) -> Option<Finding> {
    let own = leaf(node.tls.as_ref()?)?;
    let beside = node.siblings.iter().filter(|one| one.port != facts.port);
    let (port, other) = beside.filter_map(|one| Some((one.port, one.leaf()?))).next()?;
    if other.thumbprint == own.thumbprint {
        return None;
    }
    let cause = format!("port {port} of the same machine shows another certificate");
    Some(
        Finding::new("WRONG-CERT", Layer::Certificate, cause)
            .seen(format!("here: of {}, until {}", own.issuer, own.not_after.date()))
            .seen(format!("there: of {}, until {}", other.issuer, other.not_after.date()))
            .fix(
                "let the server load the newer one on all ports: restart it, or on a domain \
                  controller write renewServerCertificate to the root DSE",
            )
            .warning(),
    )
}

/// A certificate that comes only to those who say a name, or only to those who do not.
pub(super) fn by_name(node: &Node) -> Option<Finding> {
    let with = node.tls.as_ref()?;
    let without = node.without_name.as_ref()?;
    let own = leaf(with);
    let other = leaf(without);
    let is_well = with.refused.is_none() && own.is_some();
    let one = |cause: &str| Finding::new("SNI", Layer::Tls, cause).warning();
    let fix = "let applications send the server name (SNI), or make this certificate the default";
    match (own, other) {
        (Some(own), Some(other)) if own.thumbprint != other.thumbprint && is_well => Some(
            one("clients that do not say the name get another certificate")
                .seen(format!("with the name: {}", own.subject))
                .seen(format!("without: {}", other.subject))
                .fix(fix),
        ),
        (Some(_), None) if is_well => Some(
            one("clients that do not say the name are turned away")
                .seen(format!("without the name the handshake ended: {:?}", without.end))
                .fix(fix),
        ),
        _ => None,
    }
}

pub(super) fn leaf(tls: &Tls) -> Option<Summary> {
    Summary::parse(tls.certificates().first()?).ok()
}

/// An error that is explained by another is not told beside it.
pub(super) fn explain(found: &mut Vec<Finding>) {
    const EXPLAINS: &[(&str, &[&str])] = &[
        ("DNS", &["TCP-FILTERED", "TCP-REFUSED", "TCP-UNREACHABLE"]),
        ("CLOCK", &["CERT-EXPIRED", "EXPIRY"]),
        ("MTU", &["TLS-FAILED"]),
        ("CERT-EXPIRED", &["EXPIRY"]),
    ];
    let errors: Vec<Finding> = found.iter().filter(|one| is_error(one)).cloned().collect();
    for (cause, explained) in EXPLAINS {
        let Some(by) = errors.iter().find(|one| one.code == *cause) else { continue };
        found.retain(|one| {
            let is_elsewhere = one.nodes.iter().any(|node| !by.nodes.contains(node));
            let is_of_it = by.nodes.is_empty() || !is_elsewhere;
            !(explained.contains(&one.code) && is_of_it)
        });
    }
}
