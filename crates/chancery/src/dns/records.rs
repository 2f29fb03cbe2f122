//! The records that lead clients to this server, as values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use serde::Serialize;

/// What a record says. Only kinds that are written here have one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Address(IpAddr),
    Service { priority: u16, weight: u16, port: u16, target: Name },
    Text(String),
    Alias(Name),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    A,
    Aaaa,
    Srv,
    Txt,
    Cname,
}

/// What records of one name and one kind are found by.
pub(crate) type Key = (Name, Kind);

/// All records of one name and one kind: DNS replaces them together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordSet {
    /// With all its labels, lower case.
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    pub(crate) ttl: u32,
    pub(crate) values: BTreeSet<Value>,
}

/// The same as text, for files and for `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) ttl: u32,
    pub(crate) values: Vec<String>,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::A, Kind::Aaaa, Kind::Srv, Kind::Txt, Kind::Cname];

    pub(crate) fn record_type(self) -> RecordType {
        match self {
            Kind::A => RecordType::A,
            Kind::Aaaa => RecordType::AAAA,
            Kind::Srv => RecordType::SRV,
            Kind::Txt => RecordType::TXT,
            Kind::Cname => RecordType::CNAME,
        }
    }

    fn of(value: &Value) -> Kind {
        match value {
            Value::Address(IpAddr::V4(_)) => Kind::A,
            Value::Address(IpAddr::V6(_)) => Kind::Aaaa,
            Value::Service { .. } => Kind::Srv,
            Value::Text(_) => Kind::Txt,
            Value::Alias(_) => Kind::Cname,
        }
    }

    fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.to_string() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.record_type())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Address(address) => write!(out, "{address}"),
            Value::Service { priority, weight, port, target } => {
                write!(out, "{priority} {weight} {port} {target}")
            }
            Value::Text(text) => {
                let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
                write!(out, "\"{quoted}\"")
            }
            Value::Alias(name) => write!(out, "{name}"),
        }
    }
}

impl Value {
    pub(crate) fn to_rdata(&self) -> RData {
        match self {
            Value::Address(IpAddr::V4(address)) => RData::A(A(*address)),
            Value::Address(IpAddr::V6(address)) => RData::AAAA(AAAA(*address)),
            Value::Service { priority, weight, port, target } => {
                RData::SRV(SRV::new(*priority, *weight, *port, target.clone()))
            }
            // A character string holds 255 bytes (RFC 1035 §3.3); what we write is shorter.
            Value::Text(text) => RData::TXT(TXT::new(vec![text.clone()])),
            Value::Alias(name) => RData::CNAME(CNAME(name.clone())),
        }
    }

    /// None for kinds that are not ours.
    pub(crate) fn from_rdata(data: &RData) -> Option<Value> {
        Some(match data {
            RData::A(A(address)) => Value::Address(IpAddr::V4(*address)),
            RData::AAAA(AAAA(address)) => Value::Address(IpAddr::V6(*address)),
            RData::SRV(srv) => Value::Service {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_lowercase(),
            },
            RData::TXT(txt) => {
                Value::Text(txt.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect())
            }
            RData::CNAME(CNAME(name)) => Value::Alias(name.to_lowercase()),
            _ => return None,
        })
    }

    fn parse(kind: Kind, text: &str) -> Option<Value> {
        match kind {
            Kind::A | Kind::Aaaa => text.parse().ok().map(Value::Address),
            Kind::Cname => absolute(text).ok().map(Value::Alias),
            Kind::Txt => {
                let inner = text.strip_prefix('"')?.strip_suffix('"')?;
                Some(Value::Text(inner.replace("\\\"", "\"").replace("\\\\", "\\")))
            }
            Kind::Srv => {
                let mut parts = text.split(' ');
                let mut number = || parts.next()?.parse().ok();
                let (priority, weight, port) = (number()?, number()?, number()?);
                let target = absolute(parts.next()?).ok()?;
                Some(Value::Service { priority, weight, port, target })
            }
        }
    }
}

impl RecordSet {
    pub(crate) fn new(name: Name, kind: Kind, ttl: u32) -> RecordSet {
        RecordSet { name: name.to_lowercase(), kind, ttl, values: BTreeSet::new() }
    }

    pub(crate) fn key(&self) -> Key {
        (self.name.clone(), self.kind)
    }

    pub(crate) fn same_values(&self, other: &RecordSet) -> bool {
        self.values == other.values
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        self.values
            .iter()
            .map(|value| Record::from_rdata(self.name.clone(), self.ttl, value.to_rdata()))
    }

    /// The records of one name and kind among those of an answer; none where there are none.
    pub(crate) fn among(records: &[Record], name: &Name, kind: Kind) -> Option<RecordSet> {
        let mut set = RecordSet::new(name.clone(), kind, u32::MAX);
        for record in records.iter().filter(|record| record.name == *name) {
            if let Some(value) = Value::from_rdata(&record.data)
                && Kind::of(&value) == kind
            {
                set.ttl = set.ttl.min(record.ttl);
                set.values.insert(value);
            }
        }
        (!set.values.is_empty()).then_some(set)
    }

    pub(crate) fn to_line(&self) -> Line {
        Line {
            name: bare(&self.name),
            kind: self.kind.to_string(),
            ttl: self.ttl,
            values: self.values.iter().map(Value::to_string).collect(),
        }
    }

    pub(crate) fn from_line(line: &Line) -> Option<RecordSet> {
        let kind = Kind::parse(&line.kind)?;
        let mut set = RecordSet::new(absolute(&line.name).ok()?, kind, line.ttl);
        for text in &line.values {
            set.values.insert(Value::parse(kind, text)?);
        }
        Some(set)
    }
}

/// As a zone file has them.
impl fmt::Display for RecordSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, value) in self.values.iter().enumerate() {
            let line_break = if number == 0 { "" } else { "\n" };
            let (name, ttl, kind) = (&self.name, self.ttl, self.kind);
            write!(out, "{line_break}{name} {ttl} IN {kind} {value}")?;
        }
        Ok(())
    }
}

/// A name that is read as complete, with or without its last dot.
pub(crate) fn absolute(text: &str) -> Result<Name, String> {
    let refused = |error: &dyn fmt::Display| {
        let shown: String = text.chars().take(100).collect();
        format!("'{shown}' is not a DNS name: {error}; right is ldap.example.com")
    };
    let mut name = Name::from_str_relaxed(text).map_err(|error| refused(&error))?;
    if name.is_root() {
        return Err(refused(&"it is empty"));
    }
    name.set_fqdn(true);
    Ok(name.to_lowercase())
}

/// As people write it: without the last dot.
pub(crate) fn bare(name: &Name) -> String {
    let text = name.to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// What is published, from which the records follow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Published {
    pub(crate) names: Vec<Name>,
    pub(crate) addresses: Vec<IpAddr>,
    /// The domain in which clients look the services up; None: no SRV records.
    pub(crate) domain: Option<Name>,
    /// `ldaps` and `ldap`, each with its port.
    pub(crate) services: Vec<(String, u16)>,
    pub(crate) ttl: u32,
}

/// The records that ought to be there, in the order of their names.
pub(crate) fn wanted(published: &Published) -> Vec<RecordSet> {
    let mut sets = BTreeMap::new();
    let mut add = |name: &Name, value: Value| {
        let kind = Kind::of(&value);
        let new = || RecordSet::new(name.clone(), kind, published.ttl);
        let set: &mut RecordSet = sets.entry((name.to_lowercase(), kind)).or_insert_with(new);
        set.values.insert(value);
    };
    for name in &published.names {
        published.addresses.iter().for_each(|address| add(name, Value::Address(*address)));
    }
    // RFC 2782: the target is a name with addresses of its own, which a wildcard is not.
    let target = published.names.iter().find(|name| !name.is_wildcard());
    if let (Some(domain), Some(target)) = (&published.domain, target) {
        for (service, port) in &published.services {
            let owner = Name::from_ascii(format!("_{service}._tcp"));
            if let Some(owner) = owner.ok().and_then(|owner| owner.append_domain(domain).ok()) {
                let (port, target) = (*port, target.to_lowercase());
                add(&owner, Value::Service { priority: 0, weight: 100, port, target });
            }
        }
    }
    sets.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn published() -> Published {
        Published {
            names: ["ldap.example.com", "*.Node.example.com"].map(|n| absolute(n).unwrap()).into(),
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            domain: Some(absolute("example.com").unwrap()),
            services: vec![("ldaps".to_owned(), 636)],
            ttl: 300,
        }
    }

    #[test]
    fn records_follow_from_what_is_published() {
        let lines: Vec<String> = wanted(&published()).iter().map(RecordSet::to_string).collect();
        assert_eq!(
            lines,
            [
                "_ldaps._tcp.example.com. 300 IN SRV 0 100 636 ldap.example.com.",
                "ldap.example.com. 300 IN A 192.0.2.1",
                "ldap.example.com. 300 IN AAAA 2001:db8::1",
                "*.node.example.com. 300 IN A 192.0.2.1",
                "*.node.example.com. 300 IN AAAA 2001:db8::1",
            ]
        );
    }

    #[test]
    fn a_wildcard_is_no_target() {
        let mut published = published();
        published.names.remove(0);
        assert!(wanted(&published).iter().all(|set| set.kind != Kind::Srv));
    }

    #[test]
    fn every_kind_survives_being_written_down() {
        let name = absolute("a.example.com").unwrap();
        for value in [
            Value::Address("192.0.2.7".parse().unwrap()),
            Value::Address("2001:db8::7".parse().unwrap()),
            Value::Service { priority: 1, weight: 2, port: 3, target: name.clone() },
            Value::Text("a \"quoted\" \\ text".to_owned()),
            Value::Alias(name.clone()),
        ] {
            let mut set = RecordSet::new(name.clone(), Kind::of(&value), 60);
            assert_eq!(Value::from_rdata(&value.to_rdata()), Some(value.clone()));
            set.values.insert(value);
            assert_eq!(RecordSet::from_line(&set.to_line()), Some(set));
        }
        let broken = Line {
            name: "a".to_owned(),
            kind: "A".to_owned(),
            ttl: 1,
            values: vec!["not an address".to_owned()],
        };
        assert_eq!(RecordSet::from_line(&broken), None);
    }
}
