//! Looking from outside: what resolvers and name servers answer, and whom clients meet there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::{Name, RData, RecordType};
use serde::Serialize;

use super::records::{Kind, Published, RecordSet, Value, bare, wanted};
use super::wire;
use crate::certificates::{Shown, shown};
use crate::config::Dns;

/// What is to be said of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Right,
    /// Nobody answered, which says nothing about the records.
    Unknown,
    Wrong,
}

/// One look: from where, at what, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Sight {
    pub(crate) verdict: Verdict,
    /// `resolver 9.9.9.9:53`, `name server …`, `client`.
    pub(crate) from: String,
    pub(crate) about: String,
    pub(crate) seen: String,
}

impl fmt::Display for Sight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Right => "right",
            Verdict::Unknown => "unknown",
            Verdict::Wrong => "WRONG",
        };
        write!(out, "{word:7} {}: {}: {}", self.from, self.about, self.seen)
    }
}

/// Whom is asked.
#[derive(Clone, Copy, Debug)]
struct View {
    server: SocketAddr,
    /// A resolver may remember an older answer; a name server knows.
    is_resolver: bool,
}

impl fmt::Display for View {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_resolver { "resolver" } else { "name server" };
        write!(out, "{kind} {}", self.server)
    }
}

/// Every record from every view, then every address that any of them gave.
pub(crate) fn verify(dns: &Dns, published: &Published, thumbprint: Option<&str>) -> Vec<Sight> {
    let mut sights = Vec::new();
    let mut given = BTreeMap::new();
    for view in views(dns) {
        for set in wanted(published) {
            let (sight, found) = look(&view, &set);
            sights.push(sight);
            addresses_into(&mut given, found);
        }
    }
    if let Some(thumbprint) = thumbprint {
        sights.extend(meetings(&given, dns.port, thumbprint));
    }
    sights
}

/// The worst of all, and right where nothing was looked at.
pub(crate) fn worst(sights: &[Sight]) -> Verdict {
    sights.iter().map(|sight| sight.verdict).max().unwrap_or(Verdict::Right)
}

fn views(dns: &Dns) -> Vec<View> {
    let resolvers = dns.resolvers.iter().map(|server| View { server: *server, is_resolver: true });
    let servers = name_servers(dns).into_iter();
    resolvers.chain(servers.map(|server| View { server, is_resolver: false })).collect()
}

/// The zone's name servers as configured, or as the first resolver that answers names them.
pub(crate) fn name_servers(dns: &Dns) -> Vec<SocketAddr> {
    if !dns.name_servers.is_empty() {
        return dns.name_servers.clone();
    }
    let Some(zone) = &dns.zone else { return Vec::new() };
    for resolver in &dns.resolvers {
        if let Ok(answer) = wire::ask(*resolver, zone, RecordType::NS, true) {
            let names = answer.answers.iter().filter_map(|record| match &record.data {
                RData::NS(name) => Some(name.0.clone()),
                _ => None,
            });
            let addresses: BTreeSet<IpAddr> =
                names.flat_map(|name| addresses(*resolver, &name)).collect();
            return addresses.into_iter().map(|address| SocketAddr::new(address, 53)).collect();
        }
    }
    Vec::new()
}

fn addresses(resolver: SocketAddr, name: &Name) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for kind in [RecordType::A, RecordType::AAAA] {
        if let Ok(answer) = wire::ask(resolver, name, kind, true) {
            found.extend(answer.answers.iter().filter_map(|record| match &record.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            }));
        }
    }
    found
}

fn look(view: &View, set: &RecordSet) -> (Sight, Option<RecordSet>) {
    let about = format!("{} {}", bare(&set.name), set.kind);
    let sight = |verdict, seen| Sight { verdict, from: view.to_string(), about, seen };
    match wire::ask(view.server, &set.name, set.kind.record_type(), view.is_resolver) {
        Err(error) => (sight(Verdict::Unknown, error.to_string()), None),
        Ok(answer) => {
            let found = followed(&answer.answers, set);
            let (verdict, seen) = compare(view.is_resolver, set, found.as_ref());
            (sight(verdict, seen), found)
        }
    }
}

/// All of the kind, whichever name an alias led to.
fn followed(answers: &[hickory_proto::rr::Record], set: &RecordSet) -> Option<RecordSet> {
    let owners: BTreeSet<&Name> = answers.iter().map(|record| &record.name).collect();
    let mut all = RecordSet::new(set.name.clone(), set.kind, u32::MAX);
    for part in owners.into_iter().filter_map(|name| RecordSet::among(answers, name, set.kind)) {
        all.ttl = all.ttl.min(part.ttl);
        all.values.extend(part.values);
    }
    (!all.values.is_empty()).then_some(all)
}

fn compare(is_resolver: bool, set: &RecordSet, found: Option<&RecordSet>) -> (Verdict, String) {
    let said =
        |set: &RecordSet| set.values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
    let Some(found) = found else {
        return (Verdict::Wrong, format!("nothing, and {} should be there", said(set)));
    };
    if !found.same_values(set) {
        return (Verdict::Wrong, format!("{}, and it should be {}", said(found), said(set)));
    }
    let too_long = found.ttl > set.ttl || (!is_resolver && found.ttl != set.ttl);
    if too_long {
        let text = format!("{} for {} seconds instead of {}", said(found), found.ttl, set.ttl);
        return (Verdict::Wrong, text);
    }
    (Verdict::Right, format!("{}, for {} seconds", said(found), found.ttl))
}

/// Addresses by name, from whoever gave them.
type Given = BTreeMap<Name, BTreeSet<IpAddr>>;

fn addresses_into(given: &mut Given, found: Option<RecordSet>) {
    let Some(set) = found.filter(|set| matches!(set.kind, Kind::A | Kind::Aaaa)) else { return };
    for value in set.values {
        if let Value::Address(address) = value {
            given.entry(set.name.clone()).or_default().insert(address);
        }
    }
}

fn meetings(given: &Given, port: u16, thumbprint: &str) -> Vec<Sight> {
    let mut sights = Vec::new();
    for (name, addresses) in given {
        let name = bare(name);
        for address in addresses.iter().map(|address| SocketAddr::new(*address, port)) {
            let (verdict, seen) = match shown(address, Some(&name)) {
                Shown::Certificate { thumbprint: met } if met == thumbprint => {
                    (Verdict::Right, "the certificate meant".to_owned())
                }
                Shown::Certificate { thumbprint: met } => (
                    Verdict::Wrong,
                    format!("another certificate, thumbprint {met}; meant is {thumbprint}"),
                ),
                Shown::Nothing { reason } => {
                    (Verdict::Unknown, format!("nobody was met: {reason}"))
                }
            };
            let from = "client".to_owned();
            sights.push(Sight { verdict, from, about: format!("{name} at {address}"), seen });
        }
    }
    sights
}

#[cfg(test)]
mod tests {
    use super::super::records::absolute;
    use super::*;

    fn set(ttl: u32, addresses: &[&str]) -> RecordSet {
        let mut set = RecordSet::new(absolute("ldap.example.com").unwrap(), Kind::A, ttl);
        set.values.extend(addresses.iter().map(|text| Value::Address(text.parse().unwrap())));
        set
    }

    #[test]
    fn an_answer_is_compared_by_values_and_time() {
        let wanted = set(300, &["192.0.2.1"]);
        for (is_resolver, found, verdict, words) in [
            (true, Some(set(300, &["192.0.2.1"])), Verdict::Right, "192.0.2.1"),
            (true, Some(set(17, &["192.0.2.1"])), Verdict::Right, "17 seconds"),
            (false, Some(set(17, &["192.0.2.1"])), Verdict::Wrong, "17 seconds instead of 300"),
            (true, Some(set(900, &["192.0.2.1"])), Verdict::Wrong, "900 seconds"),
            (true, Some(set(300, &["192.0.2.2"])), Verdict::Wrong, "should be 192.0.2.1"),
            (true, Some(set(300, &["192.0.2.1", "192.0.2.2"])), Verdict::Wrong, "192.0.2.2"),
            (true, None, Verdict::Wrong, "nothing"),
        ] {
            let (said, text) = compare(is_resolver, &wanted, found.as_ref());
            assert_eq!(said, verdict, "{text}");
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn silence_weighs_less_than_a_wrong_answer() {
        let sight = |verdict| Sight {
            verdict,
            from: String::new(),
            about: String::new(),
            seen: String::new(),
        };
        let (right, unknown, wrong) =
            (sight(Verdict::Right), sight(Verdict::Unknown), sight(Verdict::Wrong));
        for (sights, expected) in [
            (vec![], Verdict::Right),
            (vec![right.clone(), unknown.clone()], Verdict::Unknown),
            (vec![wrong, unknown, right], Verdict::Wrong),
        ] {
            assert_eq!(worst(&sights), expected);
        }
    }
}
