//! The databases of the one LMDB file, and the few ways of walking them.

use std::ops::{Bound, Deref};

use heed::{AnyTls, CommitOrAbort, Database, Env, RoRange, RoTxn, WithoutTls, types::Bytes};
use smallvec::SmallVec;

use super::{fault, fault::damaged};
use crate::refusal::Fault;

type Rows = Database<'static, Bytes, Bytes>;
pub(super) type Transaction<'t> = RoTxn<'t, AnyTls>;

const NAMES: [&str; 11] = [
    "meta",
    "attributes",
    "entries",
    "nodes",
    "names",
    "links",
    "backlinks",
    "loose",
    "loose_names",
    "postings",
    "changes",
];
/// How many databases the file may have; a few more than we use, for upgrades.
pub(super) const TABLES_MAX: u32 = 16;

/// A database, and its place among all of them: what the journal calls it.
#[derive(Clone, Copy)]
pub(super) struct Table {
    rows: Rows,
    pub(super) number: u8,
}

impl Deref for Table {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.rows
    }
}

#[derive(Clone, Copy)]
pub(super) struct Tables {
    pub(super) meta: Table,
    pub(super) attributes: Table,
    pub(super) entries: Table,
    pub(super) nodes: Table,
    pub(super) names: Table,
    pub(super) links: Table,
    pub(super) backlinks: Table,
    pub(super) loose: Table,
    pub(super) loose_names: Table,
    pub(super) postings: Table,
    pub(super) changes: Table,
}

impl Tables {
    /// Opens the databases that are there. `None` when one is missing.
    pub(super) fn open(env: &Env<WithoutTls>) -> Result<Option<Tables>, heed::Error> {
        let txn = env.read_txn()?;
        let opened = env.open_databases_and_commit(txn, |opener, txn| {
            let mut tables = [None; NAMES.len()];
            for (table, name) in tables.iter_mut().zip(NAMES) {
                *table = opener.open_database::<Bytes, Bytes>(txn, Some(name))?;
            }
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(tables))
        })?;
        Ok(opened.commit().and_then(Tables::named))
    }

    /// Opens the databases and makes those that are missing.
    pub(super) fn create(env: &Env<WithoutTls>) -> Result<Option<Tables>, heed::Error> {
        let txn = env.write_txn()?;
        let created = env.create_databases_and_commit(txn, |opener, txn| {
            let mut tables = [None; NAMES.len()];
            for (table, name) in tables.iter_mut().zip(NAMES) {
                *table = Some(opener.create_database::<Bytes, Bytes>(txn, Some(name))?);
            }
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(tables))
        })?;
        Ok(created.commit().and_then(Tables::named))
    }

    /// Each with its number, in the order of these.
    pub(super) fn all(&self) -> [Table; NAMES.len()] {
        let first = [self.meta, self.attributes, self.entries, self.nodes, self.names];
        let [meta, attributes, entries, nodes, names] = first;
        let [links, backlinks] = [self.links, self.backlinks];
        let [loose, loose_names] = [self.loose, self.loose_names];
        let [postings, changes] = [self.postings, self.changes];
        [
            meta,
            attributes,
            entries,
            nodes,
            names,
            links,
            backlinks,
            loose,
            loose_names,
            postings,
            changes,
        ]
    }

    fn named(tables: [Option<Rows>; NAMES.len()]) -> Option<Tables> {
        let mut number = 0;
        let tables = tables.map(|rows| {
            let table = rows.map(|rows| Table { rows, number });
            number += 1;
            table
        });
        let [meta, attributes, entries, nodes, names, rest @ ..] = tables;
        let [links, backlinks, loose, loose_names, postings, changes] = rest;
        Some(Tables {
            meta: meta?,
            attributes: attributes?,
            entries: entries?,
            nodes: nodes?,
            names: names?,
            links: links?,
            backlinks: backlinks?,
            loose: loose?,
            loose_names: loose_names?,
            postings: postings?,
            changes: changes?,
        })
    }
}

/// The rows from a key on, while their keys begin with a prefix.
pub(super) struct Scan<'t> {
    rows: RoRange<'t, Bytes, Bytes>,
    prefix: SmallVec<[u8; 32]>,
    doing: &'static str,
    ended: bool,
}

impl<'t> Scan<'t> {
    /// From the row `start` (or the next one after it) on.
    pub(super) fn new(
        txn: &'t Transaction<'_>,
        table: Table,
        start: Bound<&[u8]>,
        prefix: &[u8],
        doing: &'static str,
    ) -> Result<Scan<'t>, Fault> {
        let range = (start, Bound::Unbounded);
        let rows = table.range(txn, &range).map_err(fault::store(doing))?;
        Ok(Scan { rows, prefix: SmallVec::from_slice(prefix), doing, ended: false })
    }

    /// All rows whose keys begin with `prefix`.
    pub(super) fn prefix(
        txn: &'t Transaction<'_>,
        table: Table,
        prefix: &[u8],
        doing: &'static str,
    ) -> Result<Scan<'t>, Fault> {
        // LMDB has no empty keys, and refuses to look for one.
        let start = if prefix.is_empty() { Bound::Unbounded } else { Bound::Included(prefix) };
        Scan::new(txn, table, start, prefix, doing)
    }
}

impl<'t> Iterator for Scan<'t> {
    type Item = Result<(&'t [u8], &'t [u8]), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.rows.next() {
            Some(Ok((key, value))) if key.starts_with(&self.prefix) => Some(Ok((key, value))),
            Some(Err(error)) => {
                self.ended = true;
                Some(Err(fault::store(self.doing)(error)))
            }
            Some(Ok(_)) | None => {
                self.ended = true;
                None
            }
        }
    }
}

/// A value that must be there.
pub(super) fn present<T>(value: Option<T>, what: &str) -> Result<T, Fault> {
    value.ok_or_else(|| damaged(format!("{what} is missing")))
}
