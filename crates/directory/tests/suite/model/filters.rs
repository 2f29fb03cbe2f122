//! Random filters, and what they mean over the model: three-valued, one entry at a time.

use std::collections::BTreeSet;

use super::operations::{dn, word};
use super::rng::Rng;
use super::world::{Id, Link, Target, World, normal, normal_dn};

pub enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Equal(&'static str, String),
    Present(&'static str),
    /// Initial, any, final.
    Pieces(&'static str, String, String, String),
    AtLeast(&'static str, i64),
    Names(&'static str, String),
    InChain(String),
    Unknown,
}

const TEXTS: [&str; 8] =
    ["cn", "uid", "ou", "description", "cn;lang-de", "name", "sn", "description;lang-en"];
const NAMES: [&str; 6] = ["member", "uniqueMember", "seeAlso", "manager", "owner", "memberOf"];

pub fn condition(rng: &mut Rng, world: &World, depth: usize) -> Condition {
    if depth > 0 && rng.once_in(2) {
        let count = 1 + rng.below(3);
        let mut parts = || (0..count).map(|_| condition(rng, world, depth - 1)).collect();
        return match depth % 3 {
            0 => Condition::And(parts()),
            1 => Condition::Or(parts()),
            _ => match rng.below(3) {
                0 => Condition::Not(Box::new(condition(rng, world, depth - 1))),
                1 => Condition::And((0..2).map(|_| condition(rng, world, depth - 1)).collect()),
                _ => Condition::Or((0..2).map(|_| condition(rng, world, depth - 1)).collect()),
            },
        };
    }
    match rng.below(12) {
        0..=2 => Condition::Equal(rng.pick(&TEXTS), word(rng)),
        3 => Condition::Present(rng.pick(&["cn", "uid", "uidNumber", "member", "memberOf"])),
        4 | 5 => pieces(rng),
        6 => Condition::AtLeast("uidNumber", i64::try_from(rng.below(50)).unwrap()),
        7..=9 => Condition::Names(rng.pick(&NAMES), dn(rng, world)),
        10 => Condition::InChain(dn(rng, world)),
        _ if rng.once_in(3) => Condition::Unknown,
        _ => Condition::Equal("objectClass", "groupOfNames".to_owned()),
    }
}

fn pieces(rng: &mut Rng) -> Condition {
    let word = normal(&word(rng));
    let letters: Vec<char> = word.chars().filter(|letter| *letter != ' ').collect();
    let take = |from: usize, count: usize| letters.iter().skip(from).take(count).collect();
    let count = 1 + rng.below(5);
    let (mut first, mut any, mut last) = (String::new(), String::new(), String::new());
    match rng.below(4) {
        0 => first = word.split(' ').next().unwrap().to_owned(),
        1 => any = take(rng.below(3), count),
        2 => last = word.split(' ').next_back().unwrap().to_owned(),
        _ => (first, last) = (take(0, 1), take(letters.len().saturating_sub(1), 1)),
    }
    if first.is_empty() && any.is_empty() && last.is_empty() {
        any = "a".to_owned();
    }
    Condition::Pieces(rng.pick(&["cn", "uid", "name", "description"]), first, any, last)
}

impl Condition {
    pub fn text(&self) -> String {
        let all = |parts: &[Condition]| parts.iter().map(Condition::text).collect::<String>();
        match self {
            Condition::And(parts) => format!("(&{})", all(parts)),
            Condition::Or(parts) => format!("(|{})", all(parts)),
            Condition::Not(part) => format!("(!{})", part.text()),
            Condition::Equal(name, value) | Condition::Names(name, value) => {
                format!("({name}={value})")
            }
            Condition::Present(name) => format!("({name}=*)"),
            Condition::Pieces(name, first, any, last) => {
                let any = if any.is_empty() { String::new() } else { format!("{any}*") };
                format!("({name}={first}*{any}{last})")
            }
            Condition::AtLeast(name, number) => format!("({name}>={number})"),
            Condition::InChain(value) => format!("(member:1.2.840.113556.1.4.1941:={value})"),
            Condition::Unknown => "(nosuchattribute=x)".to_owned(),
        }
    }

    pub fn holds(&self, world: &World, id: Id) -> Option<bool> {
        match self {
            Condition::And(parts) => fold(parts, false, world, id),
            Condition::Or(parts) => fold(parts, true, world, id),
            Condition::Not(part) => part.holds(world, id).map(|truth| !truth),
            Condition::Unknown => None,
            Condition::Equal(name, value) => {
                Some(values(world, id, name).any(|held| normal(held) == normal(value)))
            }
            Condition::Present(name @ ("member" | "memberOf")) => {
                Some(!linked(world, id, name).is_empty())
            }
            Condition::Present(name) => Some(values(world, id, name).next().is_some()),
            Condition::Pieces(name, first, any, last) => Some(
                values(world, id, name).any(|held| has_pieces(&normal(held), first, any, last)),
            ),
            Condition::AtLeast(name, number) => {
                Some(values(world, id, name).any(|held| held.parse::<i64>().unwrap() >= *number))
            }
            Condition::Names(name, dn) => {
                Some(linked(world, id, name).contains(&target(world, dn)))
            }
            Condition::InChain(dn) => {
                let Some(wanted) = world.find(dn) else { return Some(false) };
                Some(reaches(world, id, wanted, &mut BTreeSet::new()))
            }
        }
    }
}

fn target(world: &World, dn: &str) -> Target {
    world.find(dn).map_or_else(|| Target::Loose(normal_dn(dn)), Target::Bound)
}

fn fold(parts: &[Condition], decisive: bool, world: &World, id: Id) -> Option<bool> {
    let truths: Vec<Option<bool>> = parts.iter().map(|part| part.holds(world, id)).collect();
    if truths.contains(&Some(decisive)) {
        return Some(decisive);
    }
    if truths.contains(&None) { None } else { Some(!decisive) }
}

fn values<'w>(world: &'w World, id: Id, wanted: &'w str) -> impl Iterator<Item = &'w str> {
    let wanted = wanted.to_lowercase();
    let is_wanted = move |key: &str| {
        let (base, options) = key.split_once(';').unwrap_or((key, ""));
        let (wanted_base, wanted_options) = wanted.split_once(';').unwrap_or((wanted.as_str(), ""));
        let of_type =
            base == wanted_base || (wanted_base == "name" && ["cn", "sn", "ou"].contains(&base));
        of_type && (wanted_options.is_empty() || wanted_options == options)
    };
    let held = world.entries[&id].values.iter().filter(move |(key, _)| is_wanted(key));
    held.flat_map(|(_, values)| values.iter().map(String::as_str))
}

fn linked(world: &World, id: Id, name: &str) -> Vec<Target> {
    if name == "memberOf" {
        return world.member_of(id).into_iter().map(Target::Bound).collect();
    }
    let links: &[Link] =
        world.entries[&id].links.get(&name.to_lowercase()).map_or(&[], Vec::as_slice);
    links.iter().map(|link| link.target.clone()).collect()
}

fn reaches(world: &World, id: Id, wanted: Id, seen: &mut BTreeSet<Id>) -> bool {
    linked(world, id, "member").into_iter().any(|target| match target {
        Target::Bound(to) => to == wanted || (seen.insert(to) && reaches(world, to, wanted, seen)),
        Target::Loose(_) => false,
    })
}

fn has_pieces(value: &str, first: &str, any: &str, last: &str) -> bool {
    let Some(rest) = value.strip_prefix(first) else { return false };
    let Some(rest) = rest.strip_suffix(last) else { return false };
    rest.contains(any)
}
