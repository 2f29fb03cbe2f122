//! What changes the tree, and leaves it as it was.
//!
//! Every connection has entries of its own, so that no two changes wait for each other's entry:
//! people with odd numbers for modifications, movers for renames.

use std::cell::Cell;

use anyhow::{Result, ensure};

use super::reads::{fill_equality, plain};
use super::{Table, named};
use crate::answer;
use crate::data::{self, ADDED, Data, Group, MOVING};
use crate::load::{Expected, Turn, Work};
use crate::request::{self, Modification};

/// Connections that have entries of their own.
const LANES_MAX: u64 = 64;

/// Replaces a description by another one and, in the next turn, by what it was.
struct Modify {
    data: Data,
    run: u64,
}

pub(super) fn modify(data: Data, run: u64) -> Result<Box<dyn Work>> {
    Ok(Box::new(Modify { data, run }))
}

impl Modify {
    /// An odd number, in this lane's share.
    fn person(&self, turn: Turn) -> u64 {
        let odd = self.data.people / 2;
        let share = (odd / LANES_MAX).max(1);
        // A step without a factor in common with most shares, so that neighbours are not in turn.
        let place = (turn.turn / 2).wrapping_mul(7919) % share;
        (u64::from(turn.lane) % LANES_MAX * share + place) % odd * 2 + 1
    }
}

impl Work for Modify {
    fn name(&self) -> String {
        "modify".to_owned()
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        let n = self.person(turn);
        let dn = data::person_dn(n);
        let text = match turn.turn % 2 {
            0 => format!("Changed while measuring, run {}, {} {}", self.run, turn.lane, turn.turn),
            _ => description(n),
        };
        request::modify(out, &dn, Modification::Replace, "description", &[&text]);
    }

    fn expected(&self, _: Turn) -> Expected {
        plain(answer::MODIFY, 0)
    }

    fn describe(&self, turn: Turn) -> String {
        format!("modify of {}", data::person_dn(self.person(turn)))
    }

    fn may_rest(&self, turns: u64) -> bool {
        turns.is_multiple_of(2)
    }
}

fn description(n: u64) -> String {
    let person = data::person(n);
    let found = person.attributes.into_iter().find(|(name, _)| *name == "description");
    found.and_then(|(_, values)| values.into_iter().next()).unwrap_or_default()
}

/// A person that is not in the loaded data.
fn added_dn(run: u64, n: u64) -> String {
    format!("uid=added{run}-{n},{ADDED}")
}

struct Add {
    run: u64,
}

pub(super) fn add(_: Data, run: u64) -> Result<Box<dyn Work>> {
    // Runs of `delete` have the odd numbers.
    Ok(Box::new(Add { run: run * 2 }))
}

impl Work for Add {
    fn name(&self) -> String {
        "add".to_owned()
    }

    /// Like the loaded people, but numbered beyond them.
    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        let mut entry = data::person(ADDED_FIRST + turn.number);
        for (name, values) in &mut entry.attributes {
            if *name == "uid" {
                *values = vec![format!("added{}-{}", self.run, turn.number)];
            }
        }
        request::add(out, &added_dn(self.run, turn.number), &entry.attributes);
    }

    fn expected(&self, _: Turn) -> Expected {
        plain(answer::ADD, 0)
    }

    fn describe(&self, turn: Turn) -> String {
        format!("add of {}", added_dn(self.run, turn.number))
    }

    fn after(&self, operations: u64) -> Option<Box<dyn Work>> {
        let left = Delete { run: self.run, first: 0, count: Cell::new(operations), adds: false };
        Some(Box::new(left))
    }
}

/// Numbers of added people, so that their surnames are searched for by nobody.
const ADDED_FIRST: u64 = 50_000_000;

struct Delete {
    run: u64,
    first: u64,
    /// How many there are to delete.
    count: Cell<u64>,
    /// Whether they must be added before.
    adds: bool,
}

pub(super) fn delete(_: Data, run: u64) -> Result<Box<dyn Work>> {
    Ok(Box::new(Delete { run: run * 2 + 1, first: 0, count: Cell::new(0), adds: true }))
}

impl Work for Delete {
    fn name(&self) -> String {
        "delete".to_owned()
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        request::delete(out, &added_dn(self.run, self.first + turn.number));
    }

    fn expected(&self, _: Turn) -> Expected {
        plain(answer::DELETE, 0)
    }

    fn describe(&self, turn: Turn) -> String {
        format!("delete of {}", added_dn(self.run, self.first + turn.number))
    }

    fn operations_max(&self) -> Option<u64> {
        Some(self.count.get())
    }

    fn before(&self) -> Option<Box<dyn Work>> {
        self.adds.then(|| Box::new(Add { run: self.run }) as Box<dyn Work>)
    }

    fn prepared(&self, operations: u64) {
        self.count.set(operations);
    }

    fn after(&self, operations: u64) -> Option<Box<dyn Work>> {
        let count = self.count.get().saturating_sub(operations);
        let left =
            Delete { run: self.run, first: operations, count: Cell::new(count), adds: false };
        (self.adds && count > 0).then(|| Box::new(left) as Box<dyn Work>)
    }
}

/// Renames a leaf and, in the next turn, back.
struct ModifyDn {
    data: Data,
}

pub(super) fn modify_dn(data: Data, _: u64) -> Result<Box<dyn Work>> {
    let people = LANES_MAX * 10;
    ensure!(data.movers() >= LANES_MAX, "renaming needs data of at least {people} people");
    Ok(Box::new(ModifyDn { data }))
}

impl ModifyDn {
    fn names(&self, turn: Turn) -> (String, String) {
        let share = self.data.movers() / LANES_MAX;
        let n = u64::from(turn.lane) * share + (turn.turn / 2) % share;
        let away = format!("uid=moved{n}");
        match turn.turn % 2 {
            0 => (data::mover_dn(n), away),
            _ => (format!("{away},{MOVING}"), format!("uid=mover{n}")),
        }
    }
}

impl Work for ModifyDn {
    fn name(&self) -> String {
        "modifyDN".to_owned()
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        let (dn, rdn) = self.names(turn);
        request::rename(out, &dn, &rdn);
    }

    fn expected(&self, _: Turn) -> Expected {
        plain(answer::MODIFY_DN, 0)
    }

    fn describe(&self, turn: Turn) -> String {
        let (dn, rdn) = self.names(turn);
        format!("renaming {dn} to {rdn}")
    }

    fn may_rest(&self, turns: u64) -> bool {
        turns.is_multiple_of(2)
    }

    fn lanes_max(&self) -> Option<u64> {
        Some(LANES_MAX)
    }
}

/// Renames the entry above all movers and, in the next turn, back.
struct RenameTree;

pub(super) fn rename_tree(_: Data) -> Result<Box<dyn Work>> {
    Ok(Box::new(RenameTree))
}

impl Work for RenameTree {
    fn name(&self) -> String {
        "subtree rename".to_owned()
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        match turn.turn % 2 {
            0 => request::rename(out, MOVING, "ou=moved"),
            _ => request::rename(out, &MOVING.replace("ou=moving", "ou=moved"), "ou=moving"),
        }
    }

    fn expected(&self, _: Turn) -> Expected {
        plain(answer::MODIFY_DN, 0)
    }

    fn may_rest(&self, turns: u64) -> bool {
        turns.is_multiple_of(2)
    }

    fn lanes_max(&self) -> Option<u64> {
        Some(1)
    }
}

/// Adds members to a group, or takes them out again.
struct Member {
    group: Group,
    how: Modification,
    count: u64,
}

pub(super) fn member_add(data: Data, group: Group) -> Result<Box<dyn Work>> {
    ensure!(data.has(group), "a group of a million needs data of a million people");
    let count = data.movers();
    Ok(Box::new(Member { group, how: Modification::Add, count }))
}

impl Work for Member {
    fn name(&self) -> String {
        format!("member of {}", self.group)
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        let member = data::mover_dn(turn.number);
        request::modify(out, &self.group.dn(), self.how, "member", &[&member]);
    }

    fn expected(&self, _: Turn) -> Expected {
        plain(answer::MODIFY, 0)
    }

    fn describe(&self, turn: Turn) -> String {
        format!("{} of {} in {}", self.name(), data::mover_dn(turn.number), self.group.dn())
    }

    fn operations_max(&self) -> Option<u64> {
        Some(self.count)
    }

    fn after(&self, operations: u64) -> Option<Box<dyn Work>> {
        let undo = Member { how: Modification::Delete, count: operations, ..*self };
        (self.how == Modification::Add).then(|| Box::new(undo) as Box<dyn Work>)
    }
}

/// Nine searches, then a modification.
struct Mixed {
    reads: Table,
    writes: Box<dyn Work>,
}

const OF: u64 = 10;

pub(super) fn mixed(data: Data, run: u64) -> Result<Box<dyn Work>> {
    let mut reads = Table::new("mixed, search");
    // Who may write may often read passwords too, so what is wanted is named.
    fill_equality(&mut reads, data, &["cn", "uid", "mail", "uidNumber", "description"]);
    Ok(Box::new(Mixed { reads, writes: named("modify", data, run)? }))
}

impl Mixed {
    /// The work of this turn, and which of its turns it is.
    fn work(&self, turn: Turn) -> (&dyn Work, Turn) {
        match turn.turn % OF {
            9 => (self.writes.as_ref(), Turn { turn: turn.turn / OF, ..turn }),
            _ => (&self.reads, turn),
        }
    }
}

impl Work for Mixed {
    fn name(&self) -> String {
        "mixed".to_owned()
    }

    fn request(&self, turn: Turn, out: &mut Vec<u8>) {
        let (work, turn) = self.work(turn);
        work.request(turn, out);
    }

    fn expected(&self, turn: Turn) -> Expected {
        let (work, turn) = self.work(turn);
        work.expected(turn)
    }

    fn describe(&self, turn: Turn) -> String {
        let (work, turn) = self.work(turn);
        work.describe(turn)
    }

    fn may_rest(&self, turns: u64) -> bool {
        self.writes.may_rest(turns / OF)
    }
}
