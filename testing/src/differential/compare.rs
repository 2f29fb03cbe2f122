//! Two answers made comparable: order and what cannot be equal is taken out, the rest has to match.

use std::collections::BTreeMap;

use super::request::{POST_READ, PRE_READ};
use crate::wire::ber::Element;
use crate::wire::{self, Answer, Entry};

/// Attributes whose values are not compared, each with its reason.
pub const NOT_COMPARED: [(&str, &str); 7] = [
    ("entryuuid", "random"),
    ("entrycsn", "holds a time and a server's number"),
    ("createtimestamp", "a time"),
    ("modifytimestamp", "a time"),
    ("userpassword", "salted, and the schemes differ on purpose"),
    ("numsubordinates", "slapd does not have it"),
    ("subschemasubentry", "each server names its own subschema entry"),
];

type Attributes = BTreeMap<String, Vec<String>>;

/// An answer without order, spelling of names, or values that are never equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparable {
    code: i64,
    matched: String,
    referrals: Vec<String>,
    value: Option<Vec<u8>>,
    entries: BTreeMap<String, Attributes>,
    references: Vec<Vec<String>>,
    read: Vec<(String, BTreeMap<String, Attributes>)>,
}

impl Comparable {
    pub fn of(answer: &Answer) -> Comparable {
        let mut references = answer.references.clone();
        references.iter_mut().for_each(|uris| uris.sort());
        references.sort();
        let mut referrals = answer.referrals.clone();
        referrals.sort();
        Comparable {
            code: answer.code,
            matched: name(&answer.matched),
            referrals,
            value: answer.value.clone(),
            entries: entries(&answer.entries),
            references,
            read: read_controls(answer),
        }
    }

    /// Every difference as a sentence; `names` are those of the two sides.
    pub fn differences(&self, other: &Comparable, names: (&str, &str)) -> Vec<String> {
        let mut found = Vec::new();
        let mut note = |what: &str, left: String, right: String| {
            if left != right {
                found.push(format!("{what}: {} {left}, {} {right}", names.0, names.1));
            }
        };
        note("result code", self.code.to_string(), other.code.to_string());
        note("matched DN", self.matched.clone(), other.matched.clone());
        note("referrals", debug(&self.referrals), debug(&other.referrals));
        note("references", debug(&self.references), debug(&other.references));
        note("response value", debug(&self.value), debug(&other.value));
        note("pre/post-read", debug(&self.read), debug(&other.read));
        let dns = self.entries.keys().chain(other.entries.keys());
        let dns: std::collections::BTreeSet<&String> = dns.collect();
        for dn in dns {
            match (self.entries.get(dn), other.entries.get(dn)) {
                (Some(left), Some(right)) => attribute_differences(dn, left, right, &mut note),
                (left, right) => note(dn, presence(left), presence(right)),
            }
        }
        found
    }
}

fn attribute_differences(
    dn: &str,
    left: &Attributes,
    right: &Attributes,
    note: &mut impl FnMut(&str, String, String),
) {
    let names = left.keys().chain(right.keys());
    for name in names.collect::<std::collections::BTreeSet<_>>() {
        note(&format!("{dn} {name}"), debug(&left.get(name)), debug(&right.get(name)));
    }
}

fn presence(entry: Option<&Attributes>) -> String {
    if entry.is_some() { "answers it".to_owned() } else { "does not answer it".to_owned() }
}

fn debug(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

fn entries(list: &[Entry]) -> BTreeMap<String, Attributes> {
    list.iter().map(|entry| (name(&entry.dn), attributes(entry))).collect()
}

fn attributes(entry: &Entry) -> Attributes {
    let mut comparable = Attributes::new();
    for (description, values) in &entry.attributes {
        let description = canonical(description);
        let kind = description.split(';').next().unwrap_or_default();
        if NOT_COMPARED.iter().any(|(skipped, _)| *skipped == kind) {
            continue;
        }
        let mut values: Vec<String> = values.iter().map(|value| readable(value)).collect();
        values.sort();
        comparable.insert(description, values);
    }
    comparable
}

/// Attribute types and options are case-insensitive, options unordered (RFC 4512 §2.5).
fn canonical(description: &str) -> String {
    let lower = description.to_ascii_lowercase();
    let mut parts: Vec<&str> = lower.split(';').collect();
    if let Some(options) = parts.get_mut(1..) {
        options.sort_unstable();
    }
    parts.join(";")
}

fn readable(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|byte| format!("\\{byte:02x}")).collect(),
    }
}

/// Names of entries are compared parsed and without case: which spelling is kept, and how special
/// characters are escaped (RFC 4514 §2.4 leaves a choice), is not promised anywhere.
fn name(dn: &str) -> String {
    match ldap::dn::Dn::parse(dn) {
        Ok(parsed) => parsed.to_string().to_lowercase(),
        Err(_) => dn.to_lowercase(),
    }
}

fn read_controls(answer: &Answer) -> Vec<(String, BTreeMap<String, Attributes>)> {
    let read = answer.controls.iter().filter(|(oid, _)| oid == PRE_READ || oid == POST_READ);
    let entry = |value: &[u8]| {
        let element = Element::all(value).ok()?.pop()?;
        wire::entry(&element).ok()
    };
    read.map(|(oid, value)| (oid.clone(), entries(&entry(value).into_iter().collect::<Vec<_>>())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(dn: &str, name: &str, values: &[&str]) -> Answer {
        let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        let entry = Entry { dn: dn.to_owned(), attributes: vec![(name.to_owned(), values)] };
        Answer { entries: vec![entry], ..Answer::default() }
    }

    #[test]
    fn order_and_spelling_do_not_count_but_values_do() {
        let names = ("a", "b");
        let left = Comparable::of(&answer("cn=X", "cn;lang-de;x-b", &["1", "2"]));
        let same = Comparable::of(&answer("CN=x", "CN;x-b;lang-DE", &["2", "1"]));
        assert_eq!(left.differences(&same, names), Vec::<String>::new());
        let other = Comparable::of(&answer("cn=x", "cn;lang-de;x-b", &["2"]));
        assert_eq!(left.differences(&other, names).len(), 1);
        let gone = Comparable::of(&Answer { code: 32, ..Answer::default() });
        assert_eq!(left.differences(&gone, names).len(), 2);
    }

    #[test]
    fn volatile_attributes_are_left_out() {
        let left = Comparable::of(&answer("cn=x", "entryUUID", &["1"]));
        let right = Comparable::of(&answer("cn=x", "entryUUID", &["2"]));
        assert_eq!(left, right);
    }
}
