//! The same target from two places: what one of them sees that the other does not. Which place is
//! outside is known by its label only.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pki::Summary;

use super::bundle::shown;
use super::differences;
use super::facts::{Facts, Node, Resolved, Tcp};
use super::outcome::Seen;
use super::rules::{Finding, Layer, Severity};

/// A look, and how its place is called.
struct Place<'s> {
    label: &'s str,
    facts: &'s Facts,
    findings: &'s [Finding],
}

/// What is to be said of the difference; nothing where both see the same.
pub(crate) fn findings(here: &Seen, there: &Seen) -> Vec<Finding> {
    let place = |one: &'_ Seen, otherwise: &'static str| -> String {
        one.facts.vantage.clone().unwrap_or_else(|| otherwise.to_owned())
    };
    let (one, other) = (place(here, "here"), place(there, "elsewhere"));
    let here = Place { label: &one, facts: &here.facts, findings: &here.findings };
    let there = Place { label: &other, facts: &there.facts, findings: &there.findings };
    let mut found = names(&here, &there);
    if found.is_empty() {
        found.extend(ports(&here, &there).or_else(|| ports(&there, &here)));
        found.extend(certificates(&here, &there));
    }
    if found.iter().all(|one| one.severity != Severity::Error) {
        found.extend(verdicts(&here, &there).or_else(|| verdicts(&there, &here)));
    }
    found
}

/// Why the two cannot be compared.
pub(crate) fn mismatch(here: &Facts, there: &Facts) -> Option<String> {
    let is_redacted = here.told.is_some() || there.told.is_some();
    let is_same = is_redacted || here.name.eq_ignore_ascii_case(&there.name);
    let (one, other) = (&here.target, &there.target);
    (!is_same || (here.port, here.starttls) != (there.port, there.starttls))
        .then(|| format!("these are the facts of {other}, and not of {one}"))
}

fn vantage(layer: Layer, cause: String) -> Finding {
    Finding::new("VANTAGE", layer, cause)
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(one) => {
            // RFC 6598: addresses behind a provider's translation.
            let is_shared = matches!(one.octets(), [100, 64..=127, ..]);
            one.is_private() || one.is_loopback() || one.is_link_local() || is_shared
        }
        IpAddr::V6(one) => {
            one.is_loopback() || one.is_unique_local() || one.is_unicast_link_local()
        }
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

fn listed(place: &Place<'_>) -> String {
    let all: Vec<String> = addresses(place.facts).iter().take(4).map(ToString::to_string).collect();
    let all = if all.is_empty() { "no address".to_owned() } else { all.join(", ") };
    format!("{}: {all}", place.label)
}

fn names(here: &Place<'_>, there: &Place<'_>) -> Vec<Finding> {
    let name = &here.facts.name;
    let both = |one: Finding| one.seen(listed(here)).seen(listed(there));
    for (one, other) in [(there, here), (here, there)] {
        let (own, others) = (addresses(one.facts), addresses(other.facts));
        if own.is_empty() && !others.is_empty() {
            let cause = format!("{name} has no address {}", at(one));
            let fix = format!("make a record for {name} in the DNS that is asked {}", at(one));
            return vec![both(vantage(Layer::Dns, cause)).fix(fix)];
        }
        let is_reached = one.facts.nodes.iter().any(is_open);
        let leads_inside = !own.is_empty() && own.iter().all(is_private);
        if one.label == "outside" && leads_inside && !is_reached {
            let cause = format!("{name} resolves to a private address outside");
            let fix = format!(
                "let the public record of {name} lead to its public address; a private one is \
                 for the DNS inside"
            );
            return vec![both(vantage(Layer::Dns, cause)).fix(fix)];
        }
    }
    Vec::new()
}

fn at(place: &Place<'_>) -> String {
    match place.label {
        "here" | "elsewhere" | "outside" | "inside" => place.label.to_owned(),
        label => format!("at {label}"),
    }
}

fn is_open(node: &Node) -> bool {
    matches!(node.tcp, Tcp::Open { .. })
}

/// Open for the one, and for the other not.
fn ports(good: &Place<'_>, bad: &Place<'_>) -> Option<Finding> {
    let node = bad.facts.nodes.first()?;
    if bad.facts.nodes.iter().any(is_open) || !good.facts.nodes.iter().any(is_open) {
        return None;
    }
    let (port, how) = (good.facts.port, differences::tcp(&node.tcp));
    let cause = match node.tcp {
        Tcp::TimedOut { .. } => {
            format!("port {port} is open {} and filtered {}", at(good), at(bad))
        }
        _ => format!("port {port} is open {}, and {}: {how}", at(good), at(bad)),
    };
    let one = vantage(Layer::Tcp, cause)
        .seen(listed(good))
        .seen(format!("{}, {how}", listed(bad)))
        .fix(format!("allow TCP {port} from {}, in all firewalls between", bad.label));
    Some(if addresses(good.facts) == addresses(bad.facts) {
        one
    } else {
        one.fix("or the name leads to another machine there: compare the addresses")
    })
}

fn certificates(here: &Place<'_>, there: &Place<'_>) -> Option<Finding> {
    let leaf =
        |place: &Place<'_>| shown(place.facts).first().and_then(|der| Summary::parse(der).ok());
    let (one, other) = (leaf(here)?, leaf(there)?);
    if one.thumbprint == other.thumbprint {
        return None;
    }
    let seen = |place: &Place<'_>, leaf: &Summary| {
        format!("{}: issued by {}, SHA-256 {}", place.label, leaf.issuer, leaf.thumbprint)
    };
    let finding = if one.issuer == other.issuer {
        let cause = format!("another certificate of the same CA is shown {}", at(there));
        let fix = "another server answers there, or one that has not loaded its new certificate";
        vantage(Layer::Certificate, cause).warning().fix(fix)
    } else {
        let issuer = &other.issuer;
        let cause = format!("a certificate of another CA is shown {}: {issuer}", at(there));
        let known = vantage(Layer::Certificate, cause).likely().fix(
            "if the CA belongs to a firewall, it opens the connection on its way: take LDAPS to \
             this server out of its inspection",
        );
        known.fix("if not, another server answers there: compare the addresses")
    };
    Some(finding.seen(seen(here, &one)).seen(seen(there, &other)))
}

/// It works for the one and fails for the other, for whichever reason.
fn verdicts(good: &Place<'_>, bad: &Place<'_>) -> Option<Finding> {
    let failure = |place: &Place<'_>| {
        place.findings.iter().find(|one| one.severity == Severity::Error).cloned()
    };
    let first = failure(bad).filter(|_| failure(good).is_none())?;
    let (code, why) = (first.code, &first.cause);
    let cause = format!("it works {} and fails {}: {code} {why}", at(good), at(bad));
    let mut one = vantage(first.layer, cause);
    one.evidence.clone_from(&first.evidence);
    one.fixes.clone_from(&first.fixes);
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::facts::End;
    use crate::doctor::rules::tests::{NOW, facts, node};

    fn seen(label: &str, change: impl FnOnce(&mut Facts)) -> Seen {
        let mut facts = facts(vec![node(1)]);
        facts.vantage = (!label.is_empty()).then(|| label.to_owned());
        change(&mut facts);
        Seen::judged(facts, NOW)
    }

    fn lead_to(facts: &mut Facts, address: [u8; 4], tcp: Tcp) {
        facts.resolved = Resolved::Found { addresses: vec![address.into()], ms: 1 };
        for node in &mut facts.nodes {
            node.address = (address, 636).into();
            node.tcp = tcp.clone();
            if tcp != (Tcp::Open { ms: 1 }) {
                (node.tls, node.ldap) = (None, None);
            }
        }
    }

    #[test]
    fn each_difference_has_its_words() {
        let same = |_: &mut Facts| {};
        let filtered = |facts: &mut Facts| {
            lead_to(facts, [192, 0, 2, 1], Tcp::TimedOut { ms: 3000 });
        };
        let inside = |facts: &mut Facts| lead_to(facts, [10, 0, 0, 1], Tcp::TimedOut { ms: 1 });
        let nowhere = |facts: &mut Facts| {
            facts.nodes.clear();
            facts.resolved = Resolved::Failed { error: "no such name".to_owned(), ms: 1 };
        };
        let hangs_up = |facts: &mut Facts| {
            for node in &mut facts.nodes {
                node.ldap = None;
                node.tls.as_mut().unwrap().end = End::Closed;
            }
        };
        type Change = fn(&mut Facts);
        let cases: [(Change, &str, Layer); 4] = [
            (filtered, "port 636 is open here and filtered outside", Layer::Tcp),
            (inside, "dc1.corp.example resolves to a private address outside", Layer::Dns),
            (nowhere, "dc1.corp.example has no address outside", Layer::Dns),
            (hangs_up, "it works here and fails outside: NO-LDAPS-CERT", Layer::Tls),
        ];
        for (change, cause, layer) in cases {
            let found = findings(&seen("", same), &seen("outside", change));
            let [one] = found.as_slice() else { panic!("{cause}: {found:?}") };
            assert_eq!((one.code, one.severity, one.layer), ("VANTAGE", Severity::Error, layer));
            assert!(one.cause.starts_with(cause), "{}", one.cause);
            assert!(!one.fixes.is_empty());
        }
        let split = |facts: &mut Facts| lead_to(facts, [10, 0, 0, 1], Tcp::Open { ms: 1 });
        assert_eq!(findings(&seen("inside", split), &seen("outside", same)), [], "as it should be");
        assert_eq!(findings(&seen("", same), &seen("", same)), []);
        let back = findings(&seen("", filtered), &seen("office", same));
        assert_eq!(back[0].cause, "port 636 is open at office and filtered here");
    }

    #[test]
    fn only_the_same_target_is_compared() {
        let one = facts(vec![node(1)]);
        assert_eq!(mismatch(&one, &one), None);
        let other = Facts { name: "dc2.corp.example".to_owned(), ..one.clone() };
        assert!(mismatch(&one, &other).is_some());
        let hidden = Facts { told: Some(Vec::new()), ..other };
        assert_eq!(mismatch(&one, &hidden), None, "its name is not known");
        assert!(mismatch(&one, &Facts { port: 389, ..one.clone() }).is_some());
    }
}
