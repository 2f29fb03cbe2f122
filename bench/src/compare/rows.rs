//! What is compared: each kind of work, under which load, and the figures it has to reach.

use crate::compare::goals::Goal;

/// One kind of work under one load.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Names it in results and on the command line: workload, `-CONNECTIONSxDEPTH`, `-ldaps`.
    pub key: &'static str,
    pub title: &'static str,
    /// The generator's name for it.
    pub workload: &'static str,
    pub connections: usize,
    pub depth: usize,
    pub secure: bool,
    /// Signed in as the administrator: whatever writes.
    pub administrator: bool,
    /// So many connections of the administrator's modify meanwhile.
    pub writers: usize,
    /// Its CPU is plotted over the number of entries.
    pub growth: bool,
    pub goals: &'static [Goal],
}

const fn row(
    key: &'static str,
    title: &'static str,
    workload: &'static str,
    (connections, depth): (usize, usize),
) -> Row {
    Row {
        key,
        title,
        workload,
        connections,
        depth,
        secure: false,
        administrator: false,
        writers: 0,
        growth: false,
        goals: &[],
    }
}

impl Row {
    const fn secure(self) -> Row {
        Row { secure: true, ..self }
    }

    /// Writing, over LDAPS as the administrator.
    const fn writes(self) -> Row {
        Row { secure: true, administrator: true, ..self }
    }

    const fn beside_writers(self, writers: usize) -> Row {
        Row { writers, ..self }
    }

    const fn grows(self) -> Row {
        Row { growth: true, ..self }
    }

    const fn to_reach(self, goals: &'static [Goal]) -> Row {
        Row { goals, ..self }
    }

    /// Whether it was asked for by its key or its workload.
    pub fn is_named(&self, name: &str) -> bool {
        self.key == name || self.workload == name
    }

    /// Connections × depth and transport, for people.
    pub fn load(&self) -> String {
        let transport = if self.secure { " LDAPS" } else { "" };
        format!("{}×{}{transport}", self.connections, self.depth)
    }
}

const QUARTER: f64 = 1.0 / 4.0;

/// Reads first, then what leaves the data as it was, then what changes more.
pub const ROWS: &[Row] = &[
    row("search-all-1x1", "equality search, all attributes", "search-all", (1, 1)).grows(),
    row("search-all-16x1", "equality search, all attributes", "search-all", (16, 1))
        .grows()
        .to_reach(&[Goal::Cpu(QUARTER), Goal::OverEcho(6.0)]),
    row("search-all-16x8", "equality search, all attributes", "search-all", (16, 8))
        .grows()
        .to_reach(&[Goal::Cpu(1.0 / 8.0), Goal::OverEcho(5.0), Goal::Rate(4.0)]),
    row("search-all-1x1-ldaps", "equality search, all attributes", "search-all", (1, 1)).secure(),
    row("search-all-16x1-ldaps", "equality search, all attributes", "search-all", (16, 1))
        .secure()
        .grows()
        .to_reach(&[Goal::Cpu(QUARTER), Goal::Rate(3.0)]),
    row("search-all-16x8-ldaps", "equality search, all attributes", "search-all", (16, 8))
        .secure()
        .to_reach(&[Goal::Cpu(1.0 / 6.0), Goal::Rate(3.0)]),
    row("search-one-16x1", "equality search, one attribute", "search-one", (16, 1)),
    row("search-one-16x8", "equality search, one attribute", "search-one", (16, 8)),
    row("search-none-16x1", "equality search, `1.1`", "search-none", (16, 1)),
    row("search-none-16x8", "equality search, `1.1`", "search-none", (16, 8)),
    row("base-16x1", "base read", "base", (16, 1)).grows().to_reach(&[Goal::Cpu(QUARTER)]),
    row("compare-16x1", "compare", "compare", (16, 1)).grows().to_reach(&[Goal::Cpu(QUARTER)]),
    row("and-16x1", "AND of two clauses", "and", (16, 1)).grows().to_reach(&[Goal::Cpu(QUARTER)]),
    row("substring-16x1", "substring with ten hits", "substring", (16, 1))
        .grows()
        .to_reach(&[Goal::Cpu(QUARTER)]),
    row("range-16x1", "ordering range", "range", (16, 1)).grows().to_reach(&[Goal::Cpu(QUARTER)]),
    row("member-16x1", "(member=NAME)", "member", (16, 1)).grows().to_reach(&[Goal::Cpu(QUARTER)]),
    row("memberof-16x1", "(memberOf=NAME)", "memberof", (16, 1))
        .grows()
        .to_reach(&[Goal::Cpu(QUARTER)]),
    row("dump-1x1", "subtree dump", "dump", (1, 1)).grows().to_reach(&[Goal::Rate(5.0)]),
    row("dump-paged-1x1", "subtree dump, pages of 1000", "dump-paged", (1, 1))
        .to_reach(&[Goal::Rate(5.0)]),
    row("group-50k-1x1", "a group of 50 000 read whole", "group-50k", (1, 1))
        .to_reach(&[Goal::Rate(1.0)]),
    row("bind-16x1-ldaps", "simple bind, {SSHA}", "bind", (16, 1))
        .secure()
        .grows()
        .to_reach(&[Goal::Cpu(1.0 / 3.0)]),
    row("session-full-16x1-ldaps", "connect, bind, search, close", "session-full", (16, 1))
        .secure()
        .to_reach(&[Goal::Rate(3.0), Goal::Handshake(2.0)]),
    row("session-resumed-16x1-ldaps", "the same, resumed", "session-resumed", (16, 1))
        .secure()
        .to_reach(&[Goal::Rate(6.0)]),
    row("modify-1x1-ldaps", "durable modify", "modify", (1, 1))
        .writes()
        .to_reach(&[Goal::Rate(1.0)]),
    row("modify-16x1-ldaps", "durable modify", "modify", (16, 1))
        .writes()
        .to_reach(&[Goal::Rate(6.0)]),
    row("modify-64x1-ldaps", "durable modify", "modify", (64, 1))
        .writes()
        .grows()
        .to_reach(&[Goal::Rate(15.0)]),
    row("add-1x1-ldaps", "durable add", "add", (1, 1)).writes(),
    row("add-16x1-ldaps", "durable add", "add", (16, 1)).writes(),
    row("add-64x1-ldaps", "durable add", "add", (64, 1))
        .writes()
        .grows()
        .to_reach(&[Goal::Rate(10.0)]),
    row("delete-1x1-ldaps", "durable delete", "delete", (1, 1)).writes(),
    row("delete-16x1-ldaps", "durable delete", "delete", (16, 1)).writes(),
    row("delete-64x1-ldaps", "durable delete", "delete", (64, 1))
        .writes()
        .to_reach(&[Goal::Rate(10.0)]),
    row("modifydn-1x1-ldaps", "durable modifyDN", "modifydn", (1, 1)).writes(),
    row("modifydn-16x1-ldaps", "durable modifyDN", "modifydn", (16, 1)).writes(),
    row("modifydn-64x1-ldaps", "durable modifyDN", "modifydn", (64, 1)).writes(),
    row("member-add-empty-1x1-ldaps", "one member added to a group of one", EMPTY, (1, 1)).writes(),
    row("member-add-empty-64x1-ldaps", "one member added to a group of one", EMPTY, (64, 1))
        .writes(),
    row("member-add-50k-1x1-ldaps", "one member added to a group of 50 000", LARGE, (1, 1))
        .writes(),
    row("member-add-50k-64x1-ldaps", "one member added to a group of 50 000", LARGE, (64, 1))
        .writes()
        .to_reach(&[Goal::Rate(100.0)]),
    row("member-add-1m-1x1-ldaps", "one member added to a group of 1 000 000", MILLION, (1, 1))
        .writes()
        .to_reach(&[Goal::CpuOfRow("member-add-empty-1x1-ldaps", 1.2)]),
    row("member-add-1m-64x1-ldaps", "one member added to a group of 1 000 000", MILLION, (64, 1))
        .writes()
        .to_reach(&[Goal::CpuOfRow("member-add-empty-64x1-ldaps", 1.2)]),
    row("search-writers-16x1-ldaps", "search while 64 write", "search-all", (16, 1))
        .secure()
        .beside_writers(64)
        .to_reach(&[Goal::P99OfRow("search-all-16x1-ldaps", 2.0)]),
    row("mixed-16x1-ldaps", "mixed, 90 % reads", "mixed", (16, 1)).writes(),
    row("rename-tree-1x1-ldaps", "rename of a subtree", "rename-tree", (1, 1)).writes(),
];

const EMPTY: &str = "member-add-empty";
const LARGE: &str = "member-add-50k";
const MILLION: &str = "member-add-1m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_what_is_measured_and_are_unique() {
        for (at, row) in ROWS.iter().enumerate() {
            let load = format!("-{}x{}", row.connections, row.depth);
            let transport = if row.secure { "-ldaps" } else { "" };
            assert!(row.key.ends_with(&format!("{load}{transport}")), "{}", row.key);
            assert_eq!(ROWS.iter().position(|other| other.key == row.key), Some(at));
            // Passwords and changes never go over a bare connection.
            assert!(row.secure || !row.administrator);
        }
    }

    #[test]
    fn a_goal_names_a_row_that_is_measured_before() {
        for (at, row) in ROWS.iter().enumerate() {
            for goal in row.goals {
                if let Goal::CpuOfRow(key, _) | Goal::P99OfRow(key, _) = goal {
                    assert!(ROWS.iter().position(|other| other.key == *key) < Some(at), "{key}");
                }
            }
        }
    }
}
