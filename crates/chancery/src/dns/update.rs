//! Reading what a zone's server holds, and changing it (RFC 2136): everything in one message with
//! prerequisites, so that it happens as planned or not at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, Record, RecordType, TSigner};
use time::OffsetDateTime;

use super::plan::Step;
use super::records::{Key, Kind, RecordSet, Value, bare};
use super::wire::{self, NoAnswer};
use crate::failure::failed;

/// The server that holds a zone, and the key to change it.
pub(crate) struct Primary {
    pub(crate) server: SocketAddr,
    pub(crate) zone: Name,
    pub(crate) key: TSigner,
}

/// That the server is responsible for the zone at all.
pub(crate) fn check_zone(server: SocketAddr, zone: &Name) -> Result<()> {
    let holds = match wire::ask(server, zone, RecordType::SOA, false) {
        Ok(answer) => {
            let of_zone = answer.answers.iter().any(|record| record.name == *zone);
            answer.metadata.authoritative && of_zone
        }
        // So a server speaks of zones that it does not have.
        Err(NoAnswer::Refused { code: ResponseCode::Refused | ResponseCode::NotAuth, .. }) => false,
        Err(error) => return Err(failed(error)),
    };
    if holds {
        return Ok(());
    }
    let zone = bare(zone);
    Err(failed(format!(
        "{server} is not the server of the zone {zone}; `dns.zone` must be a zone that \
         `dns.server` holds, and not a name inside one (dig @{} {zone} SOA)",
        server.ip()
    )))
}

/// What the server holds of these sets.
pub(crate) fn current(
    server: SocketAddr,
    questions: impl IntoIterator<Item = Key>,
) -> Result<BTreeMap<Key, RecordSet>> {
    let mut found = BTreeMap::new();
    for (name, kind) in questions {
        let answer = wire::ask(server, &name, kind.record_type(), false).map_err(failed)?;
        if !answer.metadata.authoritative {
            return Err(failed(format!(
                "{server} has given the names below {} to other servers; name one of those as \
                 `dns.server`, and its zone as `dns.zone`",
                bare(&name)
            )));
        }
        if let Some(set) = RecordSet::among(&answer.answers, &name, kind) {
            found.insert((name, kind), set);
        }
    }
    Ok(found)
}

impl Primary {
    /// Performs the steps that write, all or none.
    pub(crate) fn perform(&self, steps: &[Step], now: OffsetDateTime) -> Result<()> {
        self.send(message(&self.zone, steps), now)
    }

    /// Adds one text beside those that are there, as several may prove something under one name.
    pub(crate) fn add_text(
        &self,
        name: &Name,
        text: &str,
        ttl: u32,
        now: OffsetDateTime,
    ) -> Result<()> {
        let mut message = message(&self.zone, &[]);
        message.add_authority(record(name, ttl, text));
        self.send(message, now)
    }

    /// Takes away this one text and no other.
    pub(crate) fn remove_text(&self, name: &Name, text: &str, now: OffsetDateTime) -> Result<()> {
        let mut message = message(&self.zone, &[]);
        let mut gone = record(name, 0, text);
        gone.dns_class = DNSClass::NONE;
        message.add_authority(gone);
        self.send(message, now)
    }

    fn send(&self, message: Message, now: OffsetDateTime) -> Result<()> {
        let now = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        wire::update(self.server, message, &self.key, now).map_err(failed)
    }
}

/// What has to be the case, and what is to become of it.
fn message(zone: &Name, steps: &[Step]) -> Message {
    let id = Message::query().metadata.id;
    let mut message = Message::new(id, MessageType::Query, OpCode::Update);
    message.add_query(Query::query(zone.clone(), RecordType::SOA));
    for step in steps {
        match step {
            Step::Create(set) => create(&mut message, set),
            Step::Change { from, to } => {
                expect(&mut message, from);
                delete(&mut message, from);
                message.add_authorities(to.records());
            }
            Step::Remove(set) => {
                expect(&mut message, set);
                delete(&mut message, set);
            }
            _ => {}
        }
    }
    message
}

fn record(name: &Name, ttl: u32, text: &str) -> Record {
    Record::from_rdata(name.clone(), ttl, Value::Text(text.to_owned()).to_rdata())
}

/// RFC 2136 §2.4.3: no such set exists. Nor an alias: beside one the server would leave out what
/// is added, without a word (§3.4.2.2).
fn create(message: &mut Message, set: &RecordSet) {
    let is_replaced = message
        .authorities
        .iter()
        .any(|record| record.name == set.name && record.record_type() == RecordType::CNAME);
    let kinds = if is_replaced { vec![set.kind] } else { vec![set.kind, Kind::Cname] };
    for kind in kinds {
        let mut absent = Record::update0(set.name.clone(), 0, kind.record_type());
        absent.dns_class = DNSClass::NONE;
        if !message.answers.contains(&absent) {
            message.add_answer(absent);
        }
    }
    message.add_authorities(set.records());
}

/// RFC 2136 §2.4.2: exactly these values are there.
fn expect(message: &mut Message, set: &RecordSet) {
    message.add_answers(set.records().map(|mut record| {
        record.ttl = 0;
        record
    }));
}

/// RFC 2136 §2.5.2.
fn delete(message: &mut Message, set: &RecordSet) {
    let mut gone = Record::update0(set.name.clone(), 0, set.kind.record_type());
    gone.dns_class = DNSClass::ANY;
    message.add_authority(gone);
}

#[cfg(test)]
mod tests {
    use super::super::records::{Line, absolute};
    use super::*;

    fn set(kind: &str, value: &str) -> RecordSet {
        let (name, kind) = ("a.example.com".to_owned(), kind.to_owned());
        let line = Line { name, kind, ttl: 300, values: vec![value.to_owned()] };
        RecordSet::from_line(&line).unwrap()
    }

    /// Class, kind and time to live, as RFC 2136 §2.4 and §2.5 tell them apart.
    fn said(records: &[Record]) -> Vec<String> {
        let one = |record: &Record| {
            format!("{} {} {}", record.dns_class, record.record_type(), record.ttl)
        };
        records.iter().map(one).collect()
    }

    #[test]
    fn nothing_happens_unless_all_is_as_it_was_read() {
        let (old, new) = (set("A", "192.0.2.1"), set("A", "192.0.2.2"));
        let alias = set("CNAME", "b.example.com.");
        let change = Step::Change { from: old.clone(), to: new.clone() };
        let create = Step::Create(new.clone());
        for (steps, prerequisites, updates) in [
            (vec![create.clone()], vec!["NONE A 0", "NONE CNAME 0"], vec!["IN A 300"]),
            (vec![change], vec!["IN A 0"], vec!["ANY A 0", "IN A 300"]),
            (vec![Step::Remove(old.clone())], vec!["IN A 0"], vec!["ANY A 0"]),
            (
                vec![Step::Remove(alias), create],
                vec!["IN CNAME 0", "NONE A 0"],
                vec!["ANY CNAME 0", "IN A 300"],
            ),
            (vec![Step::Keep(old.clone())], vec![], vec![]),
        ] {
            let message = message(&absolute("example.com").unwrap(), &steps);
            assert_eq!(said(&message.answers), prerequisites, "{steps:?}");
            assert_eq!(said(&message.authorities), updates, "{steps:?}");
            let expected = old.records().next().unwrap().data;
            let values = message.answers.iter().filter(|record| {
                record.dns_class == DNSClass::IN && record.record_type() == RecordType::A
            });
            assert!(values.map(|record| &record.data).all(|data| *data == expected));
        }
    }
}
