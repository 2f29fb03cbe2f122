//! Every server that DNS names for a domain, looked at side by side: which one is unlike the
//! others.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use client::{DiscoveryError, NameServers, Target, Wanted, discover};
use pki::Summary;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::facts::{End, Node, Resolved, Tcp, Tls};
use super::outcome::Seen;
use super::probe::{Asked, probe, since};
use super::resolving;
use super::rules::{Finding, Layer, Severity};
use crate::failure::{failed, usage};

/// More servers than these are not looked at.
pub(crate) const SERVERS_MAX: usize = 64;
/// Each step has no longer than this, so that one that says nothing does not hold up the rest.
pub(crate) const STEP: Duration = Duration::from_millis(1500);
/// All steps of one server together.
const WHOLE: Duration = Duration::from_millis(4500);

/// Who is to be looked at.
pub(crate) struct Named {
    pub(crate) targets: Vec<Target>,
    /// Outside the domain, and so not looked at; and what was left out for their number.
    pub(crate) left_out: Vec<String>,
}

/// Asks DNS: the records of LDAPS, those of LDAP, and those of an Active Directory.
pub(crate) async fn named(
    servers: &NameServers,
    domain: &str,
    site: Option<&str>,
) -> Result<Named> {
    let mut found = Named { targets: Vec::new(), left_out: Vec::new() };
    let mut why_not = None;
    for wanted in [Wanted::of(domain), Wanted::active_directory(domain, site)] {
        match discover(servers, &wanted.map_err(usage)?).await {
            Ok(discovered) => {
                found.targets.extend(discovered.services.into_iter().map(|one| one.target));
                found.left_out.extend(discovered.refused);
            }
            Err(silent @ DiscoveryError::Silent { .. }) => return Err(failed(silent)),
            Err(error) => why_not = Some(error),
        }
    }
    let mut seen = HashSet::new();
    found.targets.retain(|target| seen.insert((target.name.to_string(), target.port)));
    found.left_out.sort();
    found.left_out.dedup();
    if found.targets.len() > SERVERS_MAX {
        let more = found.targets.split_off(SERVERS_MAX);
        found.left_out.extend(more.iter().map(|target| target.name.to_string()));
    }
    match (found.targets.is_empty(), why_not) {
        (true, Some(error)) => Err(failed(error)),
        _ => Ok(found),
    }
}

/// Looks at all of them at once; in the order in which they were named.
pub(crate) async fn look(
    all: Vec<Asked>,
    servers: Option<&NameServers>,
    now: OffsetDateTime,
) -> Result<Vec<Seen>> {
    let mut looking = JoinSet::new();
    for (place, asked) in all.into_iter().enumerate() {
        let servers = servers.cloned();
        looking.spawn(async move { (place, whole(asked, servers.as_ref(), now).await) });
    }
    let mut members = BTreeMap::new();
    while let Some(done) = looking.join_next().await {
        let (place, member) = done.map_err(failed)?;
        members.insert(place, member?);
    }
    Ok(members.into_values().collect())
}

async fn whole(asked: Asked, servers: Option<&NameServers>, now: OffsetDateTime) -> Result<Seen> {
    let started = Instant::now();
    let nothing = Asked {
        resolved: Some(Resolved::Found { addresses: Vec::new(), ms: 0 }),
        name_servers: None,
        trying: None,
        ..asked.clone()
    };
    if let Ok(facts) = timeout(WHOLE, resolving::look(asked, servers)).await {
        return Ok(Seen::judged(facts?, now));
    }
    // What was seen until then is gone with the look; that it was slow is what is known.
    let cause = format!("it was not looked at to the end in {} ms", since(started));
    let slow = Finding::new("TCP-FILTERED", Layer::Tcp, cause).likely();
    let slow = slow.fix("look at it by itself, with more time: chancery doctor NAME");
    Ok(Seen { facts: probe(&nothing).await?, findings: vec![slow], accepting: None })
}

/// What is to be said of the whole: who is down, and whose certificate is unlike the others'.
pub(crate) fn findings(domain: &str, members: &[Seen], left_out: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut by_cause: BTreeMap<(Severity, Layer, String, String), Vec<&Seen>> = BTreeMap::new();
    let mut told: BTreeMap<(String, String), &Finding> = BTreeMap::new();
    for member in members {
        for one in member.findings.iter().filter(|one| one.severity != Severity::Note) {
            // What follows from a failure is told of the server alone.
            let is_first = member.failure().is_none_or(|first| first == one);
            if is_first {
                let key = (one.severity, one.layer, one.code.to_owned(), one.cause.clone());
                by_cause.entry(key).or_default().push(member);
                told.entry((one.code.to_owned(), one.cause.clone())).or_insert(one);
            }
        }
    }
    for ((_, _, code, cause), who) in by_cause {
        let Some(one) = told.get(&(code, cause)) else { continue };
        let mut nodes: Vec<_> = who.iter().flat_map(|member| addresses(member)).collect();
        nodes.sort();
        let cause = format!("{}: {}", listed(&who), one.cause);
        found.push(Finding { cause, nodes, ..(*one).clone() });
    }
    found.extend(unlike(members));
    if !left_out.is_empty() {
        let cause = format!("{} named by DNS and not looked at", left_out.len());
        let one = Finding::new("DNS", Layer::Dns, cause).warning();
        found
            .push(one.seen(left_out.iter().take(10).cloned().collect::<Vec<_>>().join(", ")).fix(
                format!("look at those outside {domain} by themselves: chancery doctor NAME"),
            ));
    }
    found.sort_by_key(|one| (one.severity, one.layer));
    if let Some(first) = one_bad(domain, members) {
        found.insert(0, first);
    }
    found
}

fn addresses(member: &Seen) -> impl Iterator<Item = std::net::SocketAddr> {
    member.facts.nodes.iter().map(|node| node.address)
}

fn listed(who: &[&Seen]) -> String {
    let names: Vec<String> = who.iter().take(8).map(|member| member.name()).collect();
    let more = who.len().saturating_sub(names.len());
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

fn one_bad(domain: &str, members: &[Seen]) -> Option<Finding> {
    let bad: Vec<&Seen> = members.iter().filter(|member| member.failure().is_some()).collect();
    if bad.is_empty() || bad.len() == members.len() {
        return None;
    }
    let first = bad.iter().filter_map(|member| member.failure()).min_by_key(|one| one.layer)?;
    let (count, all, names) = (bad.len(), members.len(), listed(&bad));
    let verb = if count == 1 { "fails" } else { "fail" };
    let cause = format!("{count} of {all} servers of {domain} {verb}: {names}");
    let mut one = Finding::new("ONE-BAD-NODE", first.layer, cause);
    one.nodes = bad.iter().flat_map(|member| addresses(member)).collect();
    for member in bad.iter().take(4) {
        let Some(failure) = member.failure() else { continue };
        one = one.seen(format!("{}: {} {}", member.name(), failure.code, failure.cause));
    }
    one = one.seen(format!("the other {} answer", all - count));
    for fix in &first.fixes {
        one = one.fix(fix.clone());
    }
    Some(one)
}

/// What can be compared of a server's certificate.
struct Shown<'m> {
    member: &'m Seen,
    issuer: String,
    lifetime_days: i64,
    sent: usize,
    ends: OffsetDateTime,
}

fn shown(member: &Seen) -> Option<Shown<'_>> {
    let chain = member.facts.nodes.iter().filter_map(|node| node.tls.as_ref());
    let chain = chain.map(Tls::certificates).find(|chain| !chain.is_empty())?;
    let leaf = Summary::parse(chain.first()?).ok()?;
    let lifetime_days = (leaf.not_after - leaf.not_before).whole_days();
    let (issuer, ends) = (leaf.issuer, leaf.not_after);
    Some(Shown { member, issuer, lifetime_days, sent: chain.len(), ends })
}

/// Certificates unlike those of most others. Between two, neither is most.
fn unlike(members: &[Seen]) -> Option<Finding> {
    let all: Vec<Shown<'_>> = members.iter().filter_map(shown).collect();
    if all.len() < 2 {
        return None;
    }
    let mut evidence = Vec::new();
    let mut odd: Vec<&Seen> = Vec::new();
    type Attribute = (&'static str, fn(&Shown<'_>) -> String);
    let attributes: [Attribute; 3] = [
        ("issued by", |one| one.issuer.clone()),
        ("a lifetime of", |one| format!("{} days", one.lifetime_days)),
        ("a chain of", |one| format!("{} certificate(s)", one.sent)),
    ];
    for (what, of) in attributes {
        for (value, usual, who) in deviants(&all, of) {
            evidence.push(format!("{}: {what} {value}; others: {usual}", listed(&who)));
            odd.extend(who);
        }
    }
    for one in early(&all) {
        let (name, ends) = (one.member.name(), one.ends.date());
        evidence.push(format!("{name}: ends on {ends}, long before the others"));
        odd.push(one.member);
    }
    if odd.is_empty() {
        return None;
    }
    let mut names = HashSet::new();
    odd.retain(|member| names.insert(member.name()));
    let is_are = if odd.len() == 1 { "its certificate is" } else { "their certificates are" };
    let cause = format!("{}: {is_are} unlike the others'", listed(&odd));
    let mut one = Finding::new("WRONG-CERT", Layer::Certificate, cause).warning();
    one.nodes = odd.iter().flat_map(|member| addresses(member)).collect();
    one.evidence = evidence;
    Some(if all.len() == 2 { one.likely() } else { one }.fix(
        "see which certificates the server has to choose from; on a domain controller put the \
         right one into the store of the service NTDS and take the others away",
    ))
}

/// A value that others do not have, what most others have, and who has it.
type Deviation<'m> = (String, String, Vec<&'m Seen>);

/// Values of fewer than half, and what most have.
fn deviants<'m>(all: &[Shown<'m>], of: fn(&Shown<'_>) -> String) -> Vec<Deviation<'m>> {
    let mut by_value: BTreeMap<String, Vec<&Seen>> = BTreeMap::new();
    for one in all {
        by_value.entry(of(one)).or_default().push(one.member);
    }
    let most = by_value.iter().max_by_key(|(_, who)| who.len());
    let Some((usual, count)) = most.map(|(value, who)| (value.clone(), who.len())) else {
        return Vec::new();
    };
    // Where nothing is usual, nothing is odd; but two that differ are worth a look.
    if count * 2 <= all.len() && all.len() != 2 {
        return Vec::new();
    }
    let others = by_value.into_iter().filter(|(value, _)| *value != usual);
    others.map(|(value, who)| (value, usual.clone(), who)).collect()
}

/// Those that end much earlier than the one in the middle. Where certificates renew themselves
/// they end on all kinds of days, so only a good part of the lifetime is remarkable.
fn early<'a, 'm>(all: &'a [Shown<'m>]) -> Vec<&'a Shown<'m>> {
    if all.len() < 3 {
        return Vec::new();
    }
    let mut ends: Vec<OffsetDateTime> = all.iter().map(|one| one.ends).collect();
    ends.sort();
    let Some(&middle) = ends.get(ends.len() / 2) else { return Vec::new() };
    let is_early = |one: &&Shown<'_>| {
        let days = (middle - one.ends).whole_days();
        days >= 14 && days * 2 >= one.lifetime_days
    };
    all.iter().filter(is_early).collect()
}

/// One line for each server.
pub(crate) fn table(members: &[Seen]) -> String {
    let width = members.iter().map(|member| member.name().chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for member in members {
        let warning = member.findings.iter().find(|one| one.severity == Severity::Warning);
        let (sign, said) = match (member.failure(), warning) {
            (Some(one), _) => ("✗", format!("{}  {}", one.code, one.cause)),
            (None, Some(one)) => ("!", format!("{}  {}", one.code, one.cause)),
            (None, None) => ("✓", well(member)),
        };
        let name = member.name();
        // Writing to a string does not fail.
        let _ = writeln!(out, "{sign} {name:width$}  {said}");
    }
    out
}

fn well(member: &Seen) -> String {
    let version = |node: &Node| match (&node.tcp, &node.tls) {
        (Tcp::Open { ms }, Some(tls)) if tls.end == End::Done => {
            let version = tls.version.as_deref().unwrap_or("TLS");
            Some(format!("{version}, {} ms", ms + tls.ms))
        }
        _ => None,
    };
    let version = member.facts.nodes.iter().find_map(version).unwrap_or_default();
    let until = shown(member).map(|one| format!(", until {}, by {}", one.ends.date(), one.issuer));
    format!("{version}{}", until.unwrap_or_default())
}

#[cfg(test)]
mod tests;
