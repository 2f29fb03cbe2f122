//! What the facts mean. One file for each layer; none of them probes, and the time is an argument.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::facts::{End, Facts, Node, Tls};

mod application;
mod certificate;
mod clock;
mod compared;
mod directory;
mod dns;
mod tcp;
mod tls;
mod trust;

/// What is wrong, why we think so, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) layer: Layer,
    /// Where; none where it is about all of them.
    pub(crate) nodes: Vec<SocketAddr>,
    pub(crate) cause: String,
    pub(crate) evidence: Vec<String>,
    pub(crate) fixes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    Error,
    Warning,
    /// Worth knowing, and nothing to be done where all is well.
    Note,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Confidence {
    Certain,
    Likely,
}

/// From the ground up: the lowest that is broken speaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layer {
    /// What the application is told to do.
    Config,
    Dns,
    Tcp,
    Tls,
    Certificate,
    Ldap,
    SignIn,
    Search,
}

impl Finding {
    pub(super) fn new(code: &'static str, layer: Layer, cause: impl Into<String>) -> Finding {
        Finding {
            code,
            severity: Severity::Error,
            confidence: Confidence::Certain,
            layer,
            nodes: Vec::new(),
            cause: cause.into(),
            evidence: Vec::new(),
            fixes: Vec::new(),
        }
    }

    pub(super) fn warning(mut self) -> Finding {
        self.severity = Severity::Warning;
        self
    }

    pub(super) fn note(mut self) -> Finding {
        self.severity = Severity::Note;
        self
    }

    pub(super) fn likely(mut self) -> Finding {
        self.confidence = Confidence::Likely;
        self
    }

    pub(super) fn seen(mut self, evidence: impl Into<String>) -> Finding {
        self.evidence.push(evidence.into());
        self
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Finding {
        self.fixes.push(fix.into());
        self
    }
}

/// All findings, the first cause first. The same of several nodes is one.
pub(crate) fn findings(facts: &Facts, now: OffsetDateTime) -> Vec<Finding> {
    let mut found = dns::findings(facts);
    let mut by_node: BTreeMap<(&'static str, String), Finding> = BTreeMap::new();
    for node in &facts.nodes {
        for one in of_node(facts, node, now) {
            let key = (one.code, one.cause.clone());
            by_node.entry(key).or_insert(one).nodes.push(node.address);
        }
    }
    found.extend(by_node.into_values());
    let is_dated = found.iter().any(|one| one.code == "CERT-EXPIRED" || one.code == "CLOCK");
    let is_ours = is_dated && is_well_at_the_server(facts, now);
    if let Some(clock) = clock::finding(facts, now, is_ours) {
        found.retain(|one| !is_ours || one.code != "CLOCK");
        found.push(clock);
    }
    found.extend(clock::doubt(facts, &found, now));
    found.extend(certificate::revocation(facts));
    if !found.iter().any(is_error) {
        found.extend(compared::other_certificates(facts));
    }
    found.extend(facts.application.iter().flat_map(|it| application::findings(facts, it)));
    found.sort_by_key(|one| (one.severity, one.layer, rank(one.code), one.confidence));
    compared::explain(&mut found);
    compared::one_bad_node(facts, &mut found);
    found
}

/// Whether the dates are in order by the server's own clock, where that is known.
fn is_well_at_the_server(facts: &Facts, now: OffsetDateTime) -> bool {
    facts.nodes.iter().all(|node| {
        let Some(leaf) = node.tls.as_ref().and_then(compared::leaf) else { return true };
        let at = clock::server_time(node).map_or(now, |server| server.at);
        leaf.is_valid_at(at) || clock::is_impossible(now)
    })
}

/// Within a layer: what explains the rest comes first.
fn rank(code: &str) -> usize {
    let order =
        ["CLOCK", "CERT-EXPIRED", "NAME-MISMATCH", "CERT-NO-SAN", "TRUST-CHAIN", "TRUST-CA"];
    order.iter().position(|one| *one == code).unwrap_or(order.len())
}

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}

fn of_node(facts: &Facts, node: &Node, now: OffsetDateTime) -> Vec<Finding> {
    if let Some(finding) = tcp::finding(facts, node) {
        return vec![finding];
    }
    let Some(tls) = &node.tls else { return Vec::new() };
    let mut found: Vec<Finding> = tls::finding(facts, node, tls).into_iter().collect();
    if !tls.chain.is_empty() {
        let said = certificate::findings(facts, tls, now);
        // Our own end of the handshake fails where the certificate cannot even be used.
        if matches!(tls.end, End::Other { .. }) && said.iter().any(is_error) {
            found.clear();
        }
        found.extend(said);
    } else if tls.end != End::Done {
        found = with_what_greetings_show(facts, node, found, now);
    }
    found.extend(directory::findings(facts, node));
    found.extend(tls::warnings(node));
    found.extend(compared::by_name(node));
    found.extend(compared::other_port(facts, node));
    found
}

/// A certificate that only an older greeting was answered with may be why ours was not.
fn with_what_greetings_show(
    facts: &Facts,
    node: &Node,
    mut found: Vec<Finding>,
    now: OffsetDateTime,
) -> Vec<Finding> {
    let shown = node.greetings.iter().find(|one| !one.chain.is_empty());
    let (Some(greeting), Some(tls)) = (shown, &node.tls) else { return found };
    let chain = greeting.chain.clone();
    let as_shown = Tls { chain, refused: None, issuer_unknown: false, ..tls.clone() };
    let said = certificate::findings(facts, &as_shown, now).into_iter().filter(is_error);
    let said: Vec<Finding> = said.collect();
    let is_weak = said.iter().any(|one| one.code == "WEAK-CRYPTO");
    if is_weak && matches!(tls.end, End::Alert { .. }) {
        found.retain(|one| one.code != "TLS-VERSION");
    }
    found.extend(said);
    found
}

#[cfg(test)]
pub(in crate::doctor) mod tests;
