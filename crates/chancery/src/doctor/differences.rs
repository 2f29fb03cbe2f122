//! What has changed between two runs, in words. How long things took is no change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use pki::Summary;

use super::facts::{End, Facts, Node, Resolved, Tcp, Tls};
use super::outcome::Seen;
use super::rules::Finding;

/// One line for each change; none where nothing has changed.
pub(crate) fn of(before: &[Seen], after: &[Seen]) -> Vec<String> {
    let by_target = |all: &'_ [Seen]| -> BTreeMap<String, Seen> {
        all.iter().map(|one| (one.facts.target.clone(), one.clone())).collect()
    };
    let (old, new) = (by_target(before), by_target(after));
    if let ([one], [other]) = (before, after) {
        let mut lines = changed("target", &one.facts.target, &other.facts.target);
        lines.extend(between(one, other));
        return lines;
    }
    let mut lines = Vec::new();
    for target in old.keys().filter(|target| !new.contains_key(*target)) {
        lines.push(format!("{target}: not among them any more"));
    }
    for (target, other) in &new {
        match old.get(target) {
            None => lines.push(format!("{target}: new among them")),
            Some(one) => {
                lines.extend(between(one, other).iter().map(|line| format!("{target}: {line}")));
            }
        }
    }
    lines
}

fn changed(what: &str, old: &str, new: &str) -> Vec<String> {
    if old == new { Vec::new() } else { vec![format!("{what}: {old} -> {new}")] }
}

fn between(one: &Seen, other: &Seen) -> Vec<String> {
    let (old, new) = (&one.facts, &other.facts);
    let mut lines = changed("trusted CAs", &old.trust.source, &new.trust.source);
    lines.extend(changed("name resolution", &resolution(old), &resolution(new)));
    let (before, after) = (addresses(old), addresses(new));
    lines.extend(before.difference(&after).map(|gone| format!("address {gone} is gone")));
    lines.extend(after.difference(&before).map(|new| format!("address {new} is new")));
    for node in &new.nodes {
        let same = old.nodes.iter().find(|one| one.address == node.address);
        let Some(was) = same else { continue };
        let (was, is) = (attributes(was), attributes(node));
        let all: BTreeSet<&&str> = was.keys().chain(is.keys()).collect();
        for what in all {
            let value = |of: &BTreeMap<&'static str, String>| {
                of.get(*what).cloned().unwrap_or_else(|| "nothing".to_owned())
            };
            let what = format!("{}: {what}", node.address);
            lines.extend(changed(&what, &value(&was), &value(&is)));
        }
    }
    lines.extend(changed("sign-in and search", &application(old), &application(new)));
    let is_in = |finding: &Finding, all: &[Finding]| {
        all.iter().any(|one| (one.code, &one.cause) == (finding.code, &finding.cause))
    };
    for gone in one.findings.iter().filter(|finding| !is_in(finding, &other.findings)) {
        lines.push(format!("no longer said: {} {}", gone.code, gone.cause));
    }
    for new in other.findings.iter().filter(|finding| !is_in(finding, &one.findings)) {
        lines.push(format!("now said: {} {}", new.code, new.cause));
    }
    lines
}

fn resolution(facts: &Facts) -> String {
    match &facts.resolved {
        Resolved::Literal => "none is needed".to_owned(),
        Resolved::Found { .. } | Resolved::Given { .. } => "done".to_owned(),
        Resolved::Failed { error, .. } => error.clone(),
    }
}

fn addresses(facts: &Facts) -> BTreeSet<IpAddr> {
    match &facts.resolved {
        Resolved::Found { addresses, .. } | Resolved::Given { addresses } => {
            addresses.iter().copied().collect()
        }
        _ => facts.nodes.iter().map(|node| node.address.ip()).collect(),
    }
}

/// What is compared of one address.
fn attributes(node: &Node) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::from([("TCP", tcp(&node.tcp).to_owned())]);
    if let Some(tls) = &node.tls {
        all.insert("TLS", end(&tls.end));
        all.extend(tls.version.clone().map(|version| ("TLS version", version)));
        let verification = tls.refused.clone().unwrap_or_else(|| "passed".to_owned());
        if !tls.chain.is_empty() {
            all.insert("verification", verification);
        }
        all.extend(certificate(tls));
    }
    if let Some(ldap) = &node.ldap {
        let answers = || "answers".to_owned();
        all.insert("LDAP", ldap.error.clone().unwrap_or_else(answers));
    }
    all
}

fn certificate(tls: &Tls) -> Vec<(&'static str, String)> {
    let chain = tls.certificates();
    let Some(leaf) = chain.first().and_then(|der| Summary::parse(der).ok()) else {
        return Vec::new();
    };
    let names: Vec<String> = leaf.names.iter().map(ToString::to_string).collect();
    vec![
        ("certificate, SHA-256", leaf.thumbprint),
        ("certificate, issued by", leaf.issuer),
        ("certificate, valid until", leaf.not_after.date().to_string()),
        ("certificate, for", names.join(", ")),
        ("certificates sent", chain.len().to_string()),
    ]
}

pub(super) fn tcp(tcp: &Tcp) -> &'static str {
    match tcp {
        Tcp::Open { .. } => "open",
        Tcp::Refused => "refused",
        Tcp::TimedOut { .. } => "no answer",
        Tcp::Reset => "reset",
        Tcp::Unreachable { .. } => "no way there",
    }
}

fn end(end: &End) -> String {
    match end {
        End::Done => "done".to_owned(),
        End::Alert { alert } => format!("alert {alert}"),
        End::NotTls => "no TLS is spoken".to_owned(),
        End::Closed => "closed".to_owned(),
        End::Reset => "reset".to_owned(),
        End::TimedOut => "no answer".to_owned(),
        End::NoStartTls { why } => format!("no StartTLS: {why}"),
        End::Other { error } => error.clone(),
    }
}

fn application(facts: &Facts) -> String {
    let Some(tried) = &facts.application else { return "not tried".to_owned() };
    let who = tried.signed_in_as.as_deref().unwrap_or("nobody");
    match (&tried.refused, &tried.search) {
        (Some(refused), _) => format!("{who} is refused: {}", refused.message),
        (None, Some(search)) => match &search.refused {
            Some(refused) => format!("{who} may not search: {}", refused.message),
            None => format!("{who} finds {}", search.count),
        },
        (None, None) => format!("{who} is signed in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::tests::{NOW, facts, node};

    fn seen(nodes: Vec<Node>) -> Seen {
        Seen::judged(facts(nodes), NOW)
    }

    #[test]
    fn what_has_changed_is_said_and_how_long_it_took_is_not() {
        let alone = std::slice::from_ref::<Seen>;
        let before = seen(vec![node(1), node(2)]);
        let mut slower = node(1);
        slower.tcp = Tcp::Open { ms: 500 };
        assert_eq!(of(alone(&before), &[seen(vec![slower, node(2)])]), [""; 0]);
        let mut refused = node(1);
        (refused.tcp, refused.tls, refused.ldap) = (Tcp::Refused, None, None);
        let mut other = node(2);
        if let Some(tls) = &mut other.tls {
            tls.version = Some("TLSv1.2".to_owned());
        }
        let lines = of(alone(&before), &[seen(vec![refused, other, node(3)])]);
        for expected in [
            "address 192.0.2.3 is new",
            "192.0.2.1:636: TCP: open -> refused",
            "192.0.2.1:636: LDAP: answers -> nothing",
            "192.0.2.2:636: TLS version: TLSv1.3 -> TLSv1.2",
        ] {
            assert!(lines.iter().any(|line| line == expected), "{expected}: {lines:?}");
        }
        let is_new = |line: &&String| line.starts_with("now said: ");
        assert_eq!(lines.iter().filter(is_new).count(), 2, "{lines:?}");
        let back = of(&[seen(vec![node(1)])], alone(&before));
        assert_eq!(back, ["address 192.0.2.2 is new"]);
        let mut renamed = before.clone();
        renamed.facts.target = "ldaps://other".to_owned();
        let pair = [before.clone(), renamed.clone()];
        assert_eq!(of(&pair, &[before]), ["ldaps://other: not among them any more"]);
    }
}
