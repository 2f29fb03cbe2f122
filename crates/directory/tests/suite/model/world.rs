//! The directory as one would write it without a disk: a map of entries, and every rule of
//! `docs/design/storage.md` about names and links applied the slow way.

use std::collections::{BTreeMap, BTreeSet};

use directory::{Change, ChangeControls, Modification, NewAttribute};
use ldap::message::ModifyOperation;

pub const SUFFIX: &str = "dc=example,dc=com";
pub const LINKS: [&str; 5] = ["member", "uniquemember", "seealso", "manager", "owner"];
const SINGLE: [&str; 2] = ["uidnumber", "preferredlanguage"];

pub type Id = u64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Bound(Id),
    /// The normal form of the name.
    Loose(String),
}

#[derive(Clone, Debug)]
pub struct Link {
    pub target: Target,
    pub text: String,
}

#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub parent: Id,
    pub rdn: String,
    /// The normal form of `rdn`.
    pub key: String,
    /// Stored attributes in the order of their values, by lower-case description.
    pub values: BTreeMap<String, Vec<String>>,
    pub links: BTreeMap<String, Vec<Link>>,
}

#[derive(Clone, Default)]
pub struct World {
    pub entries: BTreeMap<Id, Entry>,
    next: Id,
}

/// The normal form of a value: the strings of this test need no more.
pub fn normal(value: &str) -> String {
    value.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The normal form of a name of `type=value` parts without special characters.
pub fn normal_dn(dn: &str) -> String {
    dn.split(',').map(normal_rdn).collect::<Vec<_>>().join(",")
}

pub fn normal_rdn(rdn: &str) -> String {
    let mut parts: Vec<String> =
        parts(rdn).map(|(kind, value)| format!("{kind}={value}")).collect();
    parts.sort();
    parts.join("+")
}

/// The types and normal values of an RDN.
pub fn parts(rdn: &str) -> impl Iterator<Item = (String, String)> + '_ {
    rdn.split('+').map(|part| {
        let (kind, value) = part.split_once('=').unwrap();
        (kind.trim().to_lowercase(), normal(value))
    })
}

fn base_type(key: &str) -> &str {
    key.split(';').next().unwrap()
}

fn has(values: Option<&Vec<String>>, wanted: &str) -> bool {
    values.is_some_and(|values| values.iter().any(|value| normal(value) == normal(wanted)))
}

/// A refusal's number.
pub type Code = u16;

impl World {
    pub fn dn(&self, id: Id) -> String {
        let entry = &self.entries[&id];
        match entry.parent {
            0 => entry.rdn.clone(),
            parent => format!("{},{}", entry.rdn, self.dn(parent)),
        }
    }

    pub fn find(&self, dn: &str) -> Option<Id> {
        let wanted = normal_dn(dn);
        let below = wanted.strip_suffix(SUFFIX)?;
        let child = |parent: Id, key: &str| {
            let mut all = self.entries.iter();
            all.find(|(_, entry)| entry.parent == parent && entry.key == key).map(|(id, _)| *id)
        };
        let mut at = child(0, SUFFIX)?;
        for key in below.split(',').filter(|key| !key.is_empty()).rev() {
            at = child(at, key)?;
        }
        Some(at)
    }

    fn normal_name(&self, id: Id) -> String {
        let entry = &self.entries[&id];
        match entry.parent {
            0 => entry.key.clone(),
            parent => format!("{},{}", entry.key, self.normal_name(parent)),
        }
    }

    pub fn children(&self, id: Id) -> usize {
        self.entries.values().filter(|entry| entry.parent == id).count()
    }

    pub fn is_within(&self, id: Id, top: Id) -> bool {
        id == top || (id != 0 && self.is_within(self.entries[&id].parent, top))
    }

    pub fn member_of(&self, id: Id) -> BTreeSet<Id> {
        let names = |entry: &Entry| {
            ["member", "uniquemember"].iter().any(|key| {
                let links = entry.links.get(*key);
                links.is_some_and(|links| links.iter().any(|one| one.target == Target::Bound(id)))
            })
        };
        self.entries.iter().filter(|(_, entry)| names(entry)).map(|(id, _)| *id).collect()
    }

    pub fn printed(&self, link: &Link) -> String {
        match &link.target {
            Target::Bound(id) => self.dn(*id),
            Target::Loose(_) => link.text.clone(),
        }
    }

    pub fn apply(&mut self, change: &Change, controls: &ChangeControls) -> Result<(), Code> {
        match change {
            Change::Add { dn, attributes } => self.add(dn, attributes),
            Change::Delete { dn } => self.delete(dn, controls.tree_delete),
            Change::Modify { dn, modifications } => {
                self.modify(dn, modifications, controls.permissive)
            }
            Change::ModifyDn { dn, new_rdn, delete_old_rdn, new_superior } => {
                self.rename(dn, new_rdn, *delete_old_rdn, new_superior.as_deref())
            }
            Change::SetPassword { .. } | Change::StoreStanding { .. } => {
                unreachable!("no passwords here")
            }
        }
    }

    fn add(&mut self, dn: &str, attributes: &[NewAttribute]) -> Result<(), Code> {
        if self.find(dn).is_some() {
            return Err(68);
        }
        if normal_dn(dn) != SUFFIX && !normal_dn(dn).ends_with(&format!(",{SUFFIX}")) {
            return Err(53);
        }
        let (rdn, parent) = match dn.split_once(',') {
            _ if normal_dn(dn) == SUFFIX => (dn, 0),
            Some((rdn, parent)) => (rdn, self.find(parent).ok_or(32u16)?),
            None => return Err(53),
        };
        self.next += 1;
        let id = self.next;
        let mut entry =
            Entry { parent, rdn: rdn.to_owned(), key: normal_dn(rdn), ..Entry::default() };
        for attribute in attributes {
            let one =
                Modification { operation: ModifyOperation::Add, attribute: attribute.clone() };
            self.modify_one(&mut entry, Some((id, dn)), &one, false)?;
        }
        let leaf = rdn.split(',').next().unwrap();
        name(&mut entry, leaf);
        check(None, &entry)?;
        self.entries.insert(id, entry);
        self.bind();
        Ok(())
    }

    fn delete(&mut self, dn: &str, tree: bool) -> Result<(), Code> {
        let id = self.find(dn).ok_or(32u16)?;
        if self.children(id) > 0 && !tree {
            return Err(66);
        }
        let gone: Vec<Id> =
            self.entries.keys().copied().filter(|one| self.is_within(*one, id)).collect();
        for id in &gone {
            self.entries.remove(id);
        }
        for entry in self.entries.values_mut() {
            for links in entry.links.values_mut() {
                let names_gone =
                    |link: &Link| matches!(link.target, Target::Bound(id) if gone.contains(&id));
                links.retain(|link| !names_gone(link));
            }
            entry.links.retain(|_, links| !links.is_empty());
        }
        Ok(())
    }

    fn modify(
        &mut self,
        dn: &str,
        modifications: &[Modification],
        permissive: bool,
    ) -> Result<(), Code> {
        let id = self.find(dn).ok_or(32u16)?;
        let mut entry = self.entries[&id].clone();
        for one in modifications {
            self.modify_one(&mut entry, None, one, permissive)?;
        }
        let leaf = entry.rdn.split(',').next().unwrap().to_owned();
        for (kind, value) in parts(&leaf) {
            if !has(entry.values.get(&kind), &value) {
                return Err(67);
            }
        }
        check(self.entries.get(&id), &entry)?;
        self.entries.insert(id, entry);
        Ok(())
    }

    fn modify_one(
        &self,
        entry: &mut Entry,
        own: Option<(Id, &str)>,
        one: &Modification,
        permissive: bool,
    ) -> Result<(), Code> {
        let key = one.attribute.description.to_lowercase();
        let texts: Vec<String> = one
            .attribute
            .values
            .iter()
            .map(|value| String::from_utf8(value.clone()).unwrap())
            .collect();
        if LINKS.contains(&key.as_str()) {
            let links: Vec<Link> = texts
                .into_iter()
                .map(|text| Link { target: self.target(own, &text), text })
                .collect();
            let held = entry.links.entry(key.clone()).or_default();
            let done = modify_links(held, one.operation, links, permissive);
            if held.is_empty() {
                entry.links.remove(&key);
            }
            return done;
        }
        let held = entry.values.entry(key.clone()).or_default();
        let done = modify_values(held, one.operation, texts, permissive);
        if held.is_empty() {
            entry.values.remove(&key);
        }
        done
    }

    fn target(&self, own: Option<(Id, &str)>, text: &str) -> Target {
        match own {
            Some((id, dn)) if normal_dn(dn) == normal_dn(text) => Target::Bound(id),
            _ => self.find(text).map_or_else(|| Target::Loose(normal_dn(text)), Target::Bound),
        }
    }

    fn rename(
        &mut self,
        dn: &str,
        new_rdn: &str,
        delete_old: bool,
        superior: Option<&str>,
    ) -> Result<(), Code> {
        let id = self.find(dn).ok_or(32u16)?;
        let mut entry = self.entries[&id].clone();
        if entry.parent == 0 {
            return Err(53);
        }
        if let Some(superior) = superior {
            let above = self.find(superior).ok_or(32u16)?;
            if self.is_within(above, id) {
                return Err(53);
            }
            entry.parent = above;
        }
        let new_dn = format!("{new_rdn},{}", self.dn(entry.parent));
        if self.find(&new_dn).is_some_and(|other| other != id) {
            return Err(68);
        }
        let spelled = new_rdn.split('+').map(|part| part.split_once('=').unwrap().1);
        let kept: Vec<_> = parts(new_rdn).zip(spelled).collect();
        for old in parts(&entry.rdn.clone()).filter(|_| delete_old) {
            let Some(values) = entry.values.get_mut(&old.0) else { continue };
            match kept.iter().find(|(new, _)| *new == old) {
                // Taken away and given again: as the new name spells it.
                Some((_, spelled)) => values
                    .iter_mut()
                    .filter(|value| normal(value) == old.1)
                    .for_each(|value| *value = (*spelled).to_owned()),
                None => values.retain(|value| normal(value) != old.1),
            }
            if values.is_empty() {
                entry.values.remove(&old.0);
            }
        }
        name(&mut entry, new_rdn);
        entry.rdn = new_rdn.to_owned();
        entry.key = normal_rdn(new_rdn);
        check(self.entries.get(&id), &entry)?;
        self.entries.insert(id, entry);
        self.bind();
        Ok(())
    }

    /// Loose names that have become an entry's are links from now on, each entry once.
    fn bind(&mut self) {
        let names: BTreeMap<String, Id> =
            self.entries.keys().map(|id| (self.normal_name(*id), *id)).collect();
        for links in self.entries.values_mut().flat_map(|entry| entry.links.values_mut()) {
            for link in links.iter_mut() {
                let Target::Loose(name) = &link.target else { continue };
                if let Some(id) = names.get(name) {
                    link.target = Target::Bound(*id);
                }
            }
            let mut seen = Vec::new();
            links.retain(|link| {
                let new = !seen.contains(&link.target);
                seen.push(link.target.clone());
                new
            });
        }
    }
}

/// The name's values are the entry's.
fn name(entry: &mut Entry, rdn: &str) {
    for part in rdn.split('+') {
        let (kind, value) = part.split_once('=').unwrap();
        let values = entry.values.entry(kind.to_lowercase()).or_default();
        if !values.iter().any(|held| normal(held) == normal(value)) {
            values.push(value.to_owned());
        }
    }
}

fn check(before: Option<&Entry>, entry: &Entry) -> Result<(), Code> {
    let has = |entry: &Entry, wanted: &str| {
        entry.values.keys().chain(entry.links.keys()).any(|key| base_type(key) == wanted)
    };
    // What deletions took from a group may be missing still, as long as its classes stay.
    let excused = |wanted: &str| {
        let is_link = matches!(wanted, "member" | "uniquemember");
        let classes = |entry: &Entry| entry.values.get("objectclass").cloned();
        let stays = |before: &Entry| classes(before) == classes(entry) && !has(before, wanted);
        is_link && before.is_some_and(stays)
    };
    let present = |wanted: &str| has(entry, wanted) || excused(wanted);
    let Some(classes) = entry.values.get("objectclass") else { return Err(65) };
    let required: &[&str] = match classes[0].as_str() {
        "organizationalUnit" => &["ou"],
        "inetOrgPerson" => &["cn", "sn"],
        "groupOfNames" => &["cn", "member"],
        "groupOfUniqueNames" => &["cn", "uniquemember"],
        "domain" => &["dc"],
        other => unreachable!("{other}"),
    };
    if !required.iter().all(|wanted| present(wanted)) {
        return Err(65);
    }
    let many = |key: &&str| entry.values.get(*key).is_some_and(|values| values.len() > 1);
    if SINGLE.iter().any(many) { Err(19) } else { Ok(()) }
}

fn repeats(values: &[String]) -> bool {
    let distinct: BTreeSet<String> = values.iter().map(|value| normal(value)).collect();
    distinct.len() < values.len()
}

fn modify_values(
    held: &mut Vec<String>,
    operation: ModifyOperation,
    values: Vec<String>,
    permissive: bool,
) -> Result<(), Code> {
    match operation {
        ModifyOperation::Add => {
            for value in values {
                match held.iter().any(|one| normal(one) == normal(&value)) {
                    false => held.push(value),
                    true if permissive => {}
                    true => return Err(20),
                }
            }
        }
        ModifyOperation::Delete if held.is_empty() && permissive => {}
        ModifyOperation::Delete if held.is_empty() => return Err(16),
        ModifyOperation::Delete if values.is_empty() => held.clear(),
        ModifyOperation::Delete if repeats(&values) => return Err(20),
        ModifyOperation::Delete => {
            for value in values {
                let before = held.len();
                held.retain(|one| normal(one) != normal(&value));
                if held.len() == before && !permissive {
                    return Err(16);
                }
            }
        }
        ModifyOperation::Replace if repeats(&values) => return Err(20),
        ModifyOperation::Replace => *held = values,
        ModifyOperation::Increment if held.is_empty() => return Err(16),
        ModifyOperation::Increment => {
            let step: i64 = values[0].parse().unwrap();
            for value in held {
                *value = (value.parse::<i64>().unwrap() + step).to_string();
            }
        }
    }
    Ok(())
}

fn modify_links(
    held: &mut Vec<Link>,
    operation: ModifyOperation,
    links: Vec<Link>,
    permissive: bool,
) -> Result<(), Code> {
    let position =
        |held: &[Link], link: &Link| held.iter().position(|one| one.target == link.target);
    match operation {
        ModifyOperation::Add => {
            for link in links {
                match position(held, &link) {
                    None => held.push(link),
                    Some(_) if permissive => {}
                    Some(_) => return Err(20),
                }
            }
        }
        ModifyOperation::Delete if links.is_empty() => {
            if held.is_empty() && !permissive {
                return Err(16);
            }
            held.clear();
        }
        ModifyOperation::Delete => {
            for link in links {
                match position(held, &link) {
                    Some(at) => drop(held.remove(at)),
                    None if permissive => {}
                    None => return Err(16),
                }
            }
        }
        ModifyOperation::Replace => {
            let mut wanted: Vec<Link> = Vec::new();
            for link in links {
                if position(&wanted, &link).is_some() {
                    return Err(20);
                }
                let kept = position(held, &link).map(|at| held[at].clone());
                wanted.push(kept.unwrap_or(link));
            }
            *held = wanted;
        }
        ModifyOperation::Increment => return Err(19),
    }
    Ok(())
}
