//! Deleting an entry, or with the tree-delete control everything below it as well (RFC 4511 §4.8).

use ldap::result::ResultCode;

use crate::access::Rights;
use crate::change::prepare::{Prepared, Preparing, Removed, denied};
use crate::entry::Entry;
use crate::refusal::{Error, Refusal};
use crate::store::EntryId;

/// Entries that one tree delete removes; more must be deleted in parts.
pub(crate) const TREE_DELETE_ENTRIES_MAX: usize = 100_000;

pub(crate) fn prepare(preparing: &Preparing<'_, '_>, dn: &str) -> Result<Prepared, Error> {
    let tree = preparing.tree;
    let top = preparing.judge.locate(tree, dn, preparing.controls.manage_dsa_it)?;
    preparing.assert(&top)?;
    check_right(preparing, top.id)?;
    let children = tree.reader.node(top.id)?.map_or(0, |node| node.children);
    if children > 0 && !preparing.controls.tree_delete {
        let message = "entries are below it; delete them first, or use the tree-delete control";
        return Err(Refusal::new(ResultCode::NOT_ALLOWED_ON_NON_LEAF, message).into());
    }
    let mut ids = vec![top.id];
    let mut next = 0;
    while let Some(parent) = ids.get(next).copied() {
        next += 1;
        for child in tree.reader.children(parent)? {
            ids.push(child?);
        }
        if ids.len() > TREE_DELETE_ENTRIES_MAX {
            let message = format!(
                "more than {TREE_DELETE_ENTRIES_MAX} entries are below it; delete it in parts"
            );
            return Err(Refusal::new(ResultCode::ADMIN_LIMIT_EXCEEDED, message).into());
        }
    }
    let mut removed = Vec::with_capacity(ids.len());
    for id in ids.into_iter().rev() {
        if id != top.id {
            check_right(preparing, id)?;
        }
        let candidate = tree.expect_entry(id)?;
        let entry = Entry::decode(&candidate.record, tree.catalogue)?;
        removed.push(Removed { id, dn: candidate.dn()?.to_owned(), entry });
    }
    Ok(Prepared::Delete(removed))
}

fn check_right(preparing: &Preparing<'_, '_>, id: EntryId) -> Result<(), Error> {
    let candidate = preparing.tree.expect_entry(id)?;
    if preparing.judge.of(&candidate).entry()?.allows(Rights::DELETE) {
        return Ok(());
    }
    Err(denied("delete this entry, or one below it").into())
}
