//! Reading many names in order of their ids.

use std::ops::Bound;

use super::{
    EntryId, Node, Reader,
    keys::{Fields, entry_key},
    reader::parse_node,
    tables::Scan,
};
use crate::refusal::Fault;

/// An id this close behind the last one is reached by going forward; another one is looked up.
const NEAR_IDS: u64 = 8;

/// Looks names up. Ids that ascend in small steps, as those of a group's members mostly do, cost a
/// step to the next row instead of a way down the tree.
pub struct NodeWalk<'t> {
    reader: Reader<'t>,
    rows: Option<Scan<'t>>,
    last: EntryId,
}

impl<'t> NodeWalk<'t> {
    pub fn new(reader: Reader<'t>) -> NodeWalk<'t> {
        NodeWalk { reader, rows: None, last: EntryId::ROOT }
    }

    /// The name of an entry; ids may come in any order.
    pub fn node(&mut self, id: EntryId) -> Result<Option<Node<'t>>, Fault> {
        let last = std::mem::replace(&mut self.last, id);
        if id <= last || id.0 - last.0 > NEAR_IDS {
            self.rows = None;
            return self.reader.node(id);
        }
        let rows = match &mut self.rows {
            Some(rows) => rows,
            rows => {
                let (start, table) = (entry_key(id), self.reader.tables.nodes);
                let start = Bound::Included(&start[..]);
                rows.insert(Scan::new(self.reader.txn, table, start, &[], "reading names")?)
            }
        };
        for row in rows {
            let (key, value) = row?;
            let found = Fields::new(key, "nodes").entry()?;
            if found == id {
                return parse_node(value).map(Some);
            }
            if found > id {
                break;
            }
        }
        // No such row; the walk is behind it or at the end.
        self.rows = None;
        Ok(None)
    }
}
