//! What is known of attempts to sign in to an entry: written into it, and taken out of it.

use crate::catalogue::{FAILURE_TIME, LOCKED_TIME};
use crate::change::apply::Explained;
use crate::change::prepare::{Prepared, PreparedModify, Preparing};
use crate::entry::Entry;
use crate::lockout::{Lock, Standing};
use crate::refusal::Error;
use crate::store::EntryId;
use crate::subject::Who;

/// No stamp of a modification: nobody has changed anything about the entry.
pub(crate) fn prepare(preparing: &Preparing<'_, '_>, dn: &str) -> Result<Prepared, Error> {
    let tree = preparing.tree;
    let candidate = preparing.judge.locate(tree, dn, true)?;
    let Some(standing) = preparing.lockout.to_store(candidate.id) else {
        return Ok(Prepared::Nothing);
    };
    let stored = Standing::of(tree, &candidate);
    if standing == stored {
        return Ok(Prepared::Nothing);
    }
    // Nobody's attempt takes off what an administrator has set: the entry is what counts.
    if stored.lock == Some(Lock::Always) && standing.lock != stored.lock {
        preparing.lockout.forget(candidate.id);
        return Ok(Prepared::Nothing);
    }
    let before = Entry::decode(&candidate.record, tree.catalogue)?;
    let mut after = before.clone();
    standing.store(tree, &mut after)?;
    Ok(Prepared::Modify(Box::new(PreparedModify {
        id: candidate.id,
        dn: candidate.dn()?.to_owned(),
        before,
        after,
        links: Vec::new(),
        unlocks: false,
    })))
}

/// A lock that somebody sets or takes away, and a password that somebody else sets, make an end of
/// what was counted. Whether they do. People who change their own password stay locked out.
pub(crate) fn end(
    preparing: &Preparing<'_, '_>,
    id: EntryId,
    explained: &[Explained<'_>],
    after: &mut Entry,
) -> bool {
    let touches = |key: &str| explained.iter().any(|one| one.described.type_key == key);
    let sets_lock = touches(LOCKED_TIME);
    let by_another = !matches!(&preparing.subject.who, Who::Entry { id: own, .. } if *own == id);
    let resets = touches("userpassword") && by_another;
    if resets && !sets_lock {
        after.remove(LOCKED_TIME);
    }
    if (resets || sets_lock) && !touches(FAILURE_TIME) {
        after.remove(FAILURE_TIME);
    }
    resets || sets_lock
}
