//! What is measured, by name: requests and the answers that the deterministic data asks for.
//!
//! - `table`: a work whose requests and expectations are made before it begins.
//! - `reads`: searches, compares, binds, sessions. `writes`: what changes the tree, and undoes it.
//! - `foreign`: searches in data that is not ours, compared with their first answers.

mod foreign;
mod reads;
mod table;
mod writes;

use anyhow::{Result, bail};

pub use self::foreign::{Question, questions};
pub use self::table::Table;
use crate::data::{Data, Group};
use crate::load::Work;

/// A workload as users choose it.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub name: &'static str,
    /// One line for `list`.
    pub about: &'static str,
    /// Changes entries, and needs somebody who may.
    pub writes: bool,
    /// Connections that make most sense.
    pub connections: usize,
    make: fn(Data, u64) -> Result<Box<dyn Work>>,
}

const fn read(
    name: &'static str,
    about: &'static str,
    make: fn(Data, u64) -> Result<Box<dyn Work>>,
) -> Workload {
    Workload { name, about, writes: false, connections: 16, make }
}

const fn write(
    name: &'static str,
    about: &'static str,
    make: fn(Data, u64) -> Result<Box<dyn Work>>,
) -> Workload {
    Workload { name, about, writes: true, connections: 16, make }
}

impl Workload {
    const fn over(self, connections: usize) -> Self {
        Self { connections, ..self }
    }
}

pub const ALL: &[Workload] = &[
    read("search-all", "(uid=…) with all attributes: what a login asks", |data, _| {
        reads::equality(data, &[])
    }),
    read("search-one", "(uid=…) with one attribute, mail", |data, _| {
        reads::equality(data, &["mail"])
    }),
    read("search-none", "(uid=…) without attributes, `1.1`", |data, _| {
        reads::equality(data, &["1.1"])
    }),
    read("base", "an entry read by its name", |data, _| reads::base(data)),
    read("compare", "compare a mail address, true and false in turn", |data, _| {
        reads::compare(data)
    }),
    read("and", "(&(sn=…)(givenName=…)), one hit", |data, _| reads::and(data)),
    read("substring", "(sn=*…*), ten hits", |data, _| reads::substring(data)),
    read("range", "(&(uidNumber>=…)(uidNumber<=…)), ten hits", |data, _| reads::range(data)),
    read("member", "(member=NAME): the groups somebody is in", |data, _| reads::member(data)),
    read("memberof", "(memberOf=NAME): the hundred members of a group", |data, _| {
        reads::member_of(data)
    }),
    read(
        "memberof-read",
        "memberOf of a person, as a server that derives it answers",
        |data, _| reads::member_of_read(data),
    ),
    read("dump", "all people with all attributes, in one search", |data, _| {
        reads::dump(data, None)
    })
    .over(1),
    read("dump-paged", "the same in pages of 1000", |data, _| reads::dump(data, Some(1000)))
        .over(1),
    read("group-50k", "a group of 50 000 (at most half of the people) read whole", |data, _| {
        reads::group(data)
    })
    .over(1),
    read("bind", "sign in again and again as different people, {SSHA}", |data, _| {
        reads::bind(data)
    }),
    read("session-full", "connect, full handshake, bind, search, close", |data, _| {
        reads::session(data, crate::load::Session::Full)
    }),
    read("session-resumed", "the same, the handshake resumed", |data, _| {
        reads::session(data, crate::load::Session::Resumed)
    }),
    write("modify", "replace a description; the old one comes back", writes::modify),
    write("add", "add people; they are deleted afterwards", writes::add),
    write("delete", "delete people who were added before", writes::delete),
    write("modifydn", "rename a person, and back", writes::modify_dn),
    write("member-add-empty", "add members to a group of one", |data, _| {
        writes::member_add(data, Group::One)
    }),
    write("member-add-50k", "add members to a group of 50 000", |data, _| {
        writes::member_add(data, Group::Large)
    }),
    write("member-add-1m", "add members to a group of 1 000 000", |data, _| {
        writes::member_add(data, Group::Million)
    }),
    write("rename-tree", "rename the entry above a tenth of the people, and back", |data, _| {
        writes::rename_tree(data)
    })
    .over(1),
    write("mixed", "nine of ten searches of five attributes, one of ten modify", writes::mixed),
];

pub fn find(name: &str) -> Result<&'static Workload> {
    match ALL.iter().find(|workload| workload.name == name) {
        Some(workload) => Ok(workload),
        None => bail!("no workload is called `{name}`: `chancery-bench list` has them all"),
    }
}

/// A work on the deterministic data. `run` is a number that no earlier run on this data had, so
/// that names of added entries are new.
pub fn named(name: &str, data: Data, run: u64) -> Result<Box<dyn Work>> {
    (find(name)?.make)(data, run)
}

/// Spreads operations over `count` things without visible order; the same each time.
pub(crate) fn scatter(number: u64, count: u64) -> u64 {
    let mut state = number.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let state = state ^ (state >> 31);
    ((u128::from(state) * u128::from(count)) >> 64) as u64
}

#[cfg(test)]
mod tests;
