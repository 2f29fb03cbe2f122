//! Searches, compares, binds and sessions on the deterministic data.

use anyhow::Result;

use super::Table;
use crate::answer::{self, EntrySum, name_hash};
use crate::data::{self, Data, Entry, Group, SUFFIX, UID_NUMBER_FIRST};
use crate::load::{Content, Expected, Session, Work};
use crate::request::{self, Scope};

/// Different people asked for; spread evenly over all.
const TARGETS_MAX: u64 = 100_000;

/// People who are asked for: even numbers, because `writes` changes the odd ones.
pub(super) fn targets(data: Data) -> impl Iterator<Item = u64> {
    let halves = data.people / 2;
    let count = halves.min(TARGETS_MAX);
    (0..count).map(move |at| at * halves / count * 2)
}

pub(super) fn entry_sum(entry: &Entry, wanted: impl Fn(&str) -> bool) -> u64 {
    let mut sum = EntrySum::new(entry.dn.as_bytes());
    for (name, values) in entry.attributes.iter().filter(|(name, _)| wanted(name)) {
        let name = name_hash(name.as_bytes());
        values.iter().for_each(|value| sum.value(name, value.as_bytes()));
    }
    sum.finish()
}

fn found(entries: u64, sum: u64) -> Expected {
    Expected { tag: answer::SEARCH_DONE, code: 0, content: Content::Sum { entries, sum } }
}

fn one(entry: &Entry) -> Expected {
    found(1, entry_sum(entry, |_| true))
}

fn several(entries: impl Iterator<Item = Entry>) -> Expected {
    let (mut count, mut sum) = (0, 0u64);
    for entry in entries {
        count += 1;
        sum = sum.wrapping_add(entry_sum(&entry, |_| true));
    }
    found(count, sum)
}

/// An answer without entries.
pub(super) fn plain(tag: u8, code: u32) -> Expected {
    Expected { tag, code, content: Content::Sum { entries: 0, sum: 0 } }
}

fn table(name: &str, mut data: impl FnMut(&mut Table)) -> Result<Box<dyn Work>> {
    let mut table = Table::new(name);
    data(&mut table);
    Ok(Box::new(table))
}

pub(super) fn equality(data: Data, attributes: &'static [&'static str]) -> Result<Box<dyn Work>> {
    table("equality search", |table| fill_equality(table, data, attributes))
}

pub(super) fn fill_equality(table: &mut Table, data: Data, attributes: &[&str]) {
    for n in targets(data) {
        let wanted = |name: &str| attributes.is_empty() || attributes.contains(&name);
        let expected = found(1, entry_sum(&data::person(n), wanted));
        table.push(expected, |out| {
            let filter = |out: &mut Vec<u8>| request::equal(out, "uid", &format!("user{n}"));
            request::search(out, SUFFIX, Scope::Subtree, filter, attributes);
        });
    }
}

fn everything(out: &mut Vec<u8>) {
    request::present(out, "objectClass");
}

pub(super) fn base(data: Data) -> Result<Box<dyn Work>> {
    table("base read", |table| {
        for n in targets(data) {
            let person = data::person(n);
            table.push(one(&person), |out| {
                request::search(out, &person.dn, Scope::Base, everything, &[]);
            });
        }
    })
}

pub(super) fn compare(data: Data) -> Result<Box<dyn Work>> {
    table("compare", |table| {
        for (at, n) in targets(data).enumerate() {
            let (value, code) = match at % 2 {
                0 => (format!("user{n}@example.com"), 6),
                _ => (format!("user{n}@example.org"), 5),
            };
            table.push(plain(answer::COMPARE, code), |out| {
                request::compare(out, &data::person_dn(n), "mail", &value);
            });
        }
    })
}

pub(super) fn and(data: Data) -> Result<Box<dyn Work>> {
    table("two clauses", |table| {
        for n in targets(data) {
            table.push(one(&data::person(n)), |out| {
                let filter = |out: &mut Vec<u8>| {
                    request::and(out, |out| {
                        request::equal(out, "sn", &data::surname(n));
                        request::equal(out, "givenName", &data::given_name(n));
                    });
                };
                request::search(out, SUFFIX, Scope::Subtree, filter, &[]);
            });
        }
    })
}

/// The ten around a person: whole tens share a surname.
fn ten(data: Data, n: u64) -> impl Iterator<Item = Entry> {
    let from = n / data::SURNAME_PEOPLE * data::SURNAME_PEOPLE;
    (from..(from + data::SURNAME_PEOPLE).min(data.people)).map(data::person)
}

/// Fewer targets where each has ten entries.
fn tens(data: Data) -> impl Iterator<Item = u64> {
    targets(data).step_by(5)
}

pub(super) fn substring(data: Data) -> Result<Box<dyn Work>> {
    table("substring", |table| {
        for n in tens(data) {
            table.push(several(ten(data, n)), |out| {
                let filter = |out: &mut Vec<u8>| request::contains(out, "sn", &data::surname(n));
                request::search(out, SUFFIX, Scope::Subtree, filter, &[]);
            });
        }
    })
}

pub(super) fn range(data: Data) -> Result<Box<dyn Work>> {
    table("ordering range", |table| {
        for n in tens(data) {
            let last = (n + 10).min(data.people) - 1;
            table.push(several((n..=last).map(data::person)), |out| {
                let filter = |out: &mut Vec<u8>| {
                    request::and(out, |out| {
                        let [from, to] = [n, last].map(|n| (UID_NUMBER_FIRST + n).to_string());
                        request::at_least(out, "uidNumber", &from);
                        request::at_most(out, "uidNumber", &to);
                    });
                };
                request::search(out, SUFFIX, Scope::Subtree, filter, &[]);
            });
        }
    })
}

/// People who are in small groups only, where the data has such.
fn ordinary(data: Data) -> impl Iterator<Item = u64> {
    let half = data.people / 2;
    targets(data).filter(move |&n| n >= half)
}

pub(super) fn member(data: Data) -> Result<Box<dyn Work>> {
    table("groups of a member", |table| {
        for n in ordinary(data) {
            let groups = data.all_groups_of(n).into_iter();
            let groups = groups.map(|group| Entry {
                dn: group.dn(),
                attributes: vec![("cn", vec![group.to_string()])],
            });
            table.push(several(groups), |out| {
                let filter = |out: &mut Vec<u8>| request::equal(out, "member", &data::person_dn(n));
                request::search(out, SUFFIX, Scope::Subtree, filter, &["cn"]);
            });
        }
    })
}

pub(super) fn member_of(data: Data) -> Result<Box<dyn Work>> {
    table("members of a group", |table| {
        for group in (0..data.groups()).map(Group::Numbered) {
            let people = data.members(group).into_iter();
            let people = people.map(|n| Entry {
                dn: data::person_dn(n),
                attributes: vec![("uid", vec![format!("user{n}")])],
            });
            table.push(several(people), |out| {
                let filter = |out: &mut Vec<u8>| request::equal(out, "memberOf", &group.dn());
                request::search(out, SUFFIX, Scope::Subtree, filter, &["uid"]);
            });
        }
    })
}

pub(super) fn member_of_read(data: Data) -> Result<Box<dyn Work>> {
    table("memberOf of a person", |table| {
        for n in ordinary(data) {
            let groups = data.all_groups_of(n).into_iter().map(Group::dn).collect();
            let person = Entry { dn: data::person_dn(n), attributes: vec![("memberOf", groups)] };
            table.push(one(&person), |out| {
                request::search(out, &person.dn, Scope::Base, everything, &["memberOf"]);
            });
        }
    })
}

/// All people and the entry above them.
pub(super) fn dump(data: Data, page: Option<u32>) -> Result<Box<dyn Work>> {
    let unit = Entry {
        dn: format!("ou=people,{SUFFIX}"),
        attributes: vec![
            ("objectClass", ["organizationalUnit", "top"].map(str::to_owned).to_vec()),
            ("ou", vec!["people".to_owned()]),
        ],
    };
    let expected = several((0..data.people).map(data::person).chain([unit.clone()]));
    let mut table = Table::new("subtree dump").in_pages(page);
    table.push(expected, |out| {
        request::search(out, &unit.dn, Scope::Subtree, everything, &[]);
    });
    Ok(Box::new(table))
}

pub(super) fn group(data: Data) -> Result<Box<dyn Work>> {
    let group = Group::Large;
    let members = data.members(group).into_iter().map(data::person_dn).collect();
    let entry = Entry {
        dn: group.dn(),
        attributes: vec![
            ("objectClass", ["groupOfNames", "top"].map(str::to_owned).to_vec()),
            ("cn", vec![group.to_string()]),
            ("member", members),
        ],
    };
    table("large group", |table| {
        table.push(one(&entry), |out| {
            request::search(out, &entry.dn, Scope::Base, everything, &[]);
        });
    })
}

pub(super) fn bind(data: Data) -> Result<Box<dyn Work>> {
    table("simple bind", |table| {
        for n in targets(data) {
            table.push(plain(answer::BIND, 0), |out| {
                request::bind(out, &data::person_dn(n), &data::password(n));
            });
        }
    })
}

pub(super) fn session(data: Data, session: Session) -> Result<Box<dyn Work>> {
    let name = match session {
        Session::Resumed => "session, resumed",
        Session::Full | Session::Kept => "session",
    };
    let mut table = Table::new(name).over(session, data.people);
    fill_equality(&mut table, data, &[]);
    Ok(Box::new(table))
}
