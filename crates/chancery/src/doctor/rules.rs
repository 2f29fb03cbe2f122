//! What the facts mean. One function for each layer; none of them probes, and the time is an
//! argument.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use pki::judge::names::ServedName;
use pki::{Level, Policy, Rule, Summary, Wanted, judge};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

mod application;

use super::facts::{End, Facts, Node, Resolved, Tcp, Tls};

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
    let mut found: Vec<Finding> = dns(facts).into_iter().collect();
    let mut by_node: BTreeMap<(&'static str, String), Finding> = BTreeMap::new();
    for node in &facts.nodes {
        for one in of_node(facts, node, now) {
            let key = (one.code, one.cause.clone());
            by_node.entry(key).or_insert(one).nodes.push(node.address);
        }
    }
    found.extend(by_node.into_values());
    found.extend(facts.application.iter().flat_map(application::findings));
    found.sort_by_key(|one| (one.severity, one.layer, rank(one.code), one.confidence));
    one_bad_node(facts, &mut found);
    found
}

/// Within a layer: what explains the rest comes first.
fn rank(code: &str) -> usize {
    let order =
        ["CERT-EXPIRED", "CLOCK", "NAME-MISMATCH", "CERT-NO-SAN", "TRUST-CHAIN", "TRUST-CA"];
    order.iter().position(|one| *one == code).unwrap_or(order.len())
}

/// Some addresses are well and others are not: that is the cause, and what ails them the evidence.
fn one_bad_node(facts: &Facts, found: &mut Vec<Finding>) {
    let Some(first) = found.first() else { return };
    let (bad, all) = (first.nodes.len(), facts.nodes.len());
    // What is tried at one address only says nothing about the others.
    let is_of_all = first.layer <= Layer::Ldap;
    if first.severity != Severity::Error || !is_of_all || bad == 0 || bad >= all {
        return;
    }
    let list: Vec<String> = first.nodes.iter().map(ToString::to_string).collect();
    let cause = format!("{bad} of {all} addresses of {} fail: {}", facts.name, list.join(", "));
    let one =
        Finding { nodes: first.nodes.clone(), ..Finding::new("ONE-BAD-NODE", first.layer, cause) }
            .seen(format!("there: {} {}", first.code, first.cause))
            .seen(format!("the other {} answer", all - bad));
    let fixes = first.fixes.clone();
    found.insert(0, Finding { fixes, ..one });
}

fn dns(facts: &Facts) -> Option<Finding> {
    let name = &facts.name;
    match &facts.resolved {
        Resolved::Failed { error, .. } => Some(
            Finding::new("DNS", Layer::Dns, format!("{name} does not resolve"))
                .seen(error.clone())
                .fix(format!("make an A or AAAA record for {name}, or use the name that has one"))
                .fix(format!("see which resolver is asked: getent hosts {name}")),
        ),
        Resolved::Found { addresses, .. } if addresses.is_empty() => Some(
            Finding::new("DNS", Layer::Dns, format!("{name} has no address"))
                .fix(format!("make an A or AAAA record for {name}")),
        ),
        Resolved::Found { addresses, .. } => {
            let stray = addresses.iter().find(|one| match one {
                std::net::IpAddr::V4(one) => one.is_link_local() || one.is_unspecified(),
                std::net::IpAddr::V6(one) => one.is_unicast_link_local() || one.is_unspecified(),
            })?;
            let cause = format!("{name} resolves to {stray}, which no server is reached at");
            let fix = format!("take the record {stray} out: a server registered it by itself");
            Some(Finding::new("DNS", Layer::Dns, cause).fix(fix).warning())
        }
        Resolved::Literal => None,
    }
}

fn of_node(facts: &Facts, node: &Node, now: OffsetDateTime) -> Vec<Finding> {
    if let Some(finding) = tcp(facts, &node.tcp) {
        return vec![finding];
    }
    let Some(tls) = &node.tls else { return Vec::new() };
    let mut found: Vec<Finding> = handshake(facts, tls).into_iter().collect();
    if !tls.chain.is_empty() {
        let said = certificate(facts, tls, now);
        // Our own end of the handshake fails where the certificate cannot even be used.
        if matches!(tls.end, End::Other { .. }) && said.iter().any(is_error) {
            found.clear();
        }
        found.extend(said);
    }
    if let Some(error) = node.ldap.as_ref().and_then(|ldap| ldap.error.as_ref()) {
        let cause = "TLS stands, but nothing answers as a directory";
        let fix = "see whether another service listens on this port";
        found.push(Finding::new("LDAP", Layer::Ldap, cause).seen(error.clone()).fix(fix));
    }
    found
}

fn tcp(facts: &Facts, tcp: &Tcp) -> Option<Finding> {
    let port = facts.port;
    let one = |code, cause: String| Finding::new(code, Layer::Tcp, cause);
    Some(match tcp {
        Tcp::Open { .. } => return None,
        Tcp::Refused => one("TCP-REFUSED", format!("nothing listens on port {port}"))
            .seen("the machine answered, and refused the connection")
            .fix("start the directory, or let it listen for LDAPS: nothing does on this port")
            .fix(format!("see what listens there: ss -ltn 'sport = :{port}'")),
        Tcp::Reset => one("TCP-REFUSED", format!("port {port} resets connections"))
            .seen("a reset came instead of an answer")
            .fix("a firewall on the way or at the server rejects it: allow this client there"),
        Tcp::TimedOut { ms } => {
            one("TCP-FILTERED", format!("no answer from port {port}: filtered, or no machine"))
                .seen(format!("{ms} ms without any answer; a closed port would have refused"))
                .fix(format!("allow TCP {port} from this client, in all firewalls between"))
        }
        Tcp::Unreachable { error } => {
            one("TCP-UNREACHABLE", "there is no way to the address".to_owned())
                .seen(error.clone())
                .fix("see the route, or an IPv6 address that this network does not carry")
        }
    })
}

fn handshake(facts: &Facts, tls: &Tls) -> Option<Finding> {
    let one = |code, cause: String| Finding::new(code, Layer::Tls, cause);
    let (name, port) = (&facts.name, facts.port);
    if tls.speaks_ldap == Some(true) {
        return Some(
            one("SCHEME-MIX", format!("port {port} speaks LDAP in the clear, not LDAPS"))
                .seen("an LDAP request without TLS was answered")
                .fix(format!("use ldaps://{name} (port 636), or StartTLS: ldap://{name}:{port}")),
        );
    }
    Some(match &tls.end {
        End::Done => return None,
        End::NotTls => one("SCHEME-MIX", format!("what listens on port {port} does not speak TLS"))
            .fix(format!("use the port of LDAPS: ldaps://{name}")),
        End::NoStartTls { why } => {
            one("SCHEME-MIX", "the server does not take StartTLS".to_owned())
                .seen(why.clone())
                .fix(format!("use ldaps://{name}, or give the server a certificate"))
        }
        End::Closed | End::Reset if tls.chain.is_empty() => {
            one("NO-LDAPS-CERT", "it accepts, and hangs up on the first bytes of TLS".to_owned())
                .likely()
                .seen(format!("ended: {:?}", tls.end).to_lowercase())
                .fix(
                    "give the server a certificate with its name, serverAuth and its key; on a \
                      domain controller in its Personal store, then renewServerCertificate",
                )
        }
        End::Closed | End::Reset | End::Alert { .. } if tls.asked_for_certificate => {
            one("MTLS", "it goes away because no client certificate was shown".to_owned())
                .seen("it asked for a certificate in the handshake")
                .fix("give the application a client certificate of a CA that the server trusts")
        }
        End::Alert { alert } if alert == "ProtocolVersion" || alert == "HandshakeFailure" => {
            one("TLS-VERSION", "no TLS version or suite is common to both".to_owned())
                .seen(format!("alert {alert}; TLS 1.2 and 1.3 were offered"))
                .fix("enable TLS 1.2 at the server, with an ECDHE suite and AES-GCM")
        }
        End::Alert { alert } => {
            one("TLS-FAILED", format!("the server ended the handshake: {alert}"))
                .seen(format!("alert {alert}"))
                .fix("see the server's log for this moment")
        }
        End::TimedOut => one("TLS-FAILED", "the handshake was begun and not answered".to_owned())
            .likely()
            .seen(format!("{} ms without an answer", tls.ms))
            .fix("a network that loses large packets (MTU), or a server that is stuck"),
        End::Closed | End::Reset => one("TLS-FAILED", "the server broke the handshake".to_owned())
            .fix("see the server's log for this moment"),
        End::Other { error } => one("TLS-FAILED", format!("the handshake failed: {error}"))
            .fix("see the server's log for this moment"),
    })
}

fn certificate(facts: &Facts, tls: &Tls, now: OffsetDateTime) -> Vec<Finding> {
    let chain = tls.certificates();
    let names: Vec<ServedName> = ServedName::parse(&facts.name).into_iter().collect();
    let policy = Policy { lifetime_days_min: 30, ..Policy::default() };
    let wanted = Wanted { names: &names, policy, ..Wanted::default() };
    let judged = judge::judge_server(&chain, None, &wanted, now);
    let mut found: Vec<Finding> = judged.findings.iter().filter_map(of_judge).collect();
    if tls.issuer_unknown {
        found.push(trust(
            facts,
            &chain.iter().filter_map(|der| Summary::parse(der).ok()).collect::<Vec<_>>(),
        ));
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

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
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

/// Whose signature is not known, or what is missing in between.
fn trust(facts: &Facts, chain: &[Summary]) -> Finding {
    let Some(top) = chain.last() else {
        return Finding::new("TRUST-CA", Layer::Certificate, "no certificate can be read");
    };
    let sent = format!("sent: {} certificate(s), the last signed by {}", chain.len(), top.issuer);
    let known = format!("trusted: {}", facts.trust.source);
    if top.issuer == top.subject {
        let cause = format!("{} is not trusted here, and signed itself", top.subject);
        return Finding::new("TRUST-CA", Layer::Certificate, cause)
            .seen(sent)
            .seen(known)
            .seen(format!("SHA-256 {}", top.thumbprint))
            .fix("get its certificate from those who run it, compare the SHA-256, and trust it");
    }
    let is_kin = |subject: &String| shares_an_organisation(subject, &top.issuer);
    let kin = facts.trust.subjects.iter().find(|subject| is_kin(subject));
    match kin {
        Some(root) if chain.len() == 1 => {
            let cause = format!("the server does not send its intermediate CA {}", top.issuer);
            Finding::new("TRUST-CHAIN", Layer::Certificate, cause)
                .likely()
                .seen(sent)
                .seen(format!("trusted and of the same organisation: {root}"))
                .fix("let the server send the whole chain: its own, then the intermediate CA's")
        }
        _ => {
            let cause = format!("the CA {} is not trusted here", top.issuer);
            Finding::new("TRUST-CA", Layer::Certificate, cause).seen(sent).seen(known).fix(format!(
                "get the certificate of {} and trust it: --ca FILE here, and at the application",
                top.issuer
            ))
        }
    }
}

/// The same `O=`, or the same innermost `DC=`.
fn shares_an_organisation(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let parts = text.split(',').map(|part| part.trim().to_ascii_lowercase());
        parts.filter(|part| part.starts_with("o=") || part.starts_with("dc=")).collect()
    };
    let (one, other) = (parts(one), parts(other));
    !one.is_empty() && one == other
}

#[cfg(test)]
pub(in crate::doctor) mod tests;
