//! Names that lead nowhere, or to the wrong place.

use std::net::IpAddr;

use super::{Finding, Layer};
use crate::doctor::facts::{Dns, Expected, Facts, Resolved, Tcp};

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let name = &facts.name;
    match &facts.resolved {
        Resolved::Failed { error, .. } => vec![unresolved(facts, error)],
        Resolved::Found { addresses, .. } if addresses.is_empty() => vec![
            one(format!("{name} has no address"))
                .fix(format!("make an A or AAAA record for {name}")),
        ],
        Resolved::Found { addresses, .. } => {
            let strays = addresses.iter().filter(|one| is_stray(one));
            let mut found: Vec<Finding> = strays.map(|stray| stray_record(facts, *stray)).collect();
            found.extend(this_machine(facts, addresses));
            found.extend(unexpected(facts, addresses));
            found.extend(differs(facts, addresses));
            found
        }
        Resolved::Literal | Resolved::Given { .. } => Vec::new(),
    }
}

fn one(cause: String) -> Finding {
    Finding::new("DNS", Layer::Dns, cause)
}

fn unresolved(facts: &Facts, error: &str) -> Finding {
    let name = &facts.name;
    let dns = facts.dns.as_ref();
    let services = dns.map_or(&[][..], |dns| &dns.services);
    let addresses = dns.map_or(&[][..], |dns| &dns.addresses);
    if let Some(first) = services.first() {
        return one(format!("{name} is a domain, and has no address of its own"))
            .seen(error)
            .seen(format!("its servers by SRV records: {}", services.join(", ")))
            .fix(format!("use a server's name: ldaps://{first}"))
            .fix(format!("look at all of them: chancery doctor --fleet {name}"));
    }
    if !addresses.is_empty() {
        return one(format!("{name} does not resolve on this machine, though DNS has it"))
            .seen(error)
            .seen(format!("name servers say {}", list(addresses)))
            .fix("see `hosts:` in /etc/nsswitch.conf, and which resolver this machine asks");
    }
    let one = one(format!("{name} does not resolve")).seen(error);
    let one = match dns.and_then(|dns| dns.error.as_ref()) {
        Some(error) => one.seen(error.clone()),
        None => one,
    };
    one.fix(format!("make an A or AAAA record for {name}, or use the name that has one"))
        .fix(format!("see which resolver is asked: getent hosts {name}"))
}

/// No server is reached at these from elsewhere.
fn is_stray(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(one) => one.is_link_local() || one.is_unspecified() || one.is_broadcast(),
        IpAddr::V6(one) => one.is_unicast_link_local() || one.is_unspecified(),
    }
}

/// It is the cause where that address does not answer, and untidy where it does.
fn stray_record(facts: &Facts, stray: IpAddr) -> Finding {
    let name = &facts.name;
    let cause = format!("{name} resolves to {stray}, which no server is reached at");
    let fix = format!("take the record {stray} out: a server registered it by itself");
    let found = one(cause).seen("an address that a machine gives itself, without a network");
    let found = found.fix(fix);
    let nodes = facts.nodes.iter().filter(|node| node.address.ip() == stray);
    let fails: Vec<_> = nodes.filter(|node| !is_open(&node.tcp)).map(|one| one.address).collect();
    match fails.is_empty() {
        true => found.warning(),
        false => Finding { nodes: fails, ..found },
    }
}

/// A name that means another machine and leads to this one: where nothing answers, that is why.
fn this_machine(facts: &Facts, addresses: &[IpAddr]) -> Option<Finding> {
    let name = &facts.name;
    let is_meant = name == "localhost" || name.ends_with(".localhost");
    // On a port of one's own this machine may well be meant: that is how tunnels begin.
    let is_usual = [636, 389, 3269].contains(&facts.port);
    let is_refused = facts.nodes.iter().all(|node| node.tcp == Tcp::Refused);
    let is_here = !addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback);
    if is_meant || !is_usual || !is_refused || !is_here {
        return None;
    }
    let found = one(format!("{name} resolves to {}: this machine itself", list(addresses)))
        .seen("no directory listens here")
        .fix(format!("take {name} out of this machine's /etc/hosts, or correct the record"));
    let nodes = facts.nodes.iter().map(|node| node.address).collect();
    Some(Finding { nodes, ..found })
}

fn is_open(tcp: &Tcp) -> bool {
    matches!(tcp, Tcp::Open { .. })
}

/// RFC 1918, RFC 6598, RFC 4193, and this machine itself.
pub(crate) fn is_inside(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(one) => {
            let [first, second, ..] = one.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            one.is_private() || one.is_loopback() || one.is_link_local() || is_shared
        }
        IpAddr::V6(one) => {
            one.is_unique_local() || one.is_loopback() || one.is_unicast_link_local()
        }
    }
}

fn unexpected(facts: &Facts, addresses: &[IpAddr]) -> Option<Finding> {
    let name = &facts.name;
    let (wrong, meant): (Vec<IpAddr>, String) = match facts.expected? {
        Expected::Inside => (
            addresses.iter().copied().filter(|one| !is_inside(one)).collect(),
            "the address inside".to_owned(),
        ),
        Expected::Outside => {
            (addresses.iter().copied().filter(is_inside).collect(), "the public address".to_owned())
        }
        Expected::Address(expected) if addresses.contains(&expected) => return None,
        Expected::Address(expected) => (addresses.to_vec(), expected.to_string()),
    };
    if wrong.is_empty() {
        return None;
    }
    let where_to = match facts.expected? {
        Expected::Outside => "inside, where clients outside cannot reach it",
        Expected::Inside => "outside, where it is meant to be reached inside",
        Expected::Address(_) => "somewhere else than expected",
    };
    Some(
        one(format!("{name} resolves to {}: {where_to}", list(&wrong)))
            .seen(format!("expected: {meant}"))
            .fix(format!("let the record of {name} that these clients see be {meant}")),
    )
}

/// This machine's own opinion (/etc/hosts, a cache) against that of DNS.
fn differs(facts: &Facts, addresses: &[IpAddr]) -> Option<Finding> {
    let Dns { error: None, addresses: said, .. } = facts.dns.as_ref()? else { return None };
    if said.is_empty() || addresses.iter().any(|one| said.contains(one)) {
        return None;
    }
    let name = &facts.name;
    let cause = format!("{name} is {} on this machine, and {} in DNS", list(addresses), list(said));
    let found = one(cause)
        .seen("this machine does not ask DNS for it, or remembers an older answer")
        .fix(format!("take {name} out of /etc/hosts, or correct it there"))
        .fix("clear the cache of the resolver: resolvectl flush-caches, or restart nscd");
    let is_reached = facts.nodes.iter().any(|node| node.ldap.is_some());
    Some(if is_reached { found.warning() } else { found.likely() })
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}
