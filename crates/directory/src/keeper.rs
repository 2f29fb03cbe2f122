//! A snapshot that is kept from one view to the next as long as it is the newest one: for a thread
//! that answers many short questions one after the other.
//!
//! Beginning a read transaction and finding the roots of its databases costs about as much as a
//! small search. A keeper spares that, and promises two things. A view never sees an older state
//! than the last commit that was answered: the writer counts commits before it answers them. And
//! no transaction outlives the work at hand: whoever owns a keeper calls [`Keeper::release`] before
//! its thread goes to sleep, since the pages of a snapshot cannot be used again meanwhile.

use std::cell::RefCell;
use std::rc::Rc;

use crate::refusal::Fault;
use crate::store::{Snapshot, Store};

/// One thread's snapshot. It belongs to one directory.
#[derive(Default)]
pub struct Keeper(RefCell<Option<Kept>>);

struct Kept {
    /// How many commits there had been, at the least, when it was taken.
    commits: u64,
    snapshot: Rc<Snapshot<'static>>,
}

impl Keeper {
    /// Gives the snapshot up.
    pub fn release(&self) {
        self.0.replace(None);
    }

    pub(crate) fn newest(&self, store: &Store) -> Result<Rc<Snapshot<'static>>, Fault> {
        let commits = store.commits();
        let mut kept = self.0.borrow_mut();
        if let Some(kept) = kept.as_ref().filter(|kept| kept.commits == commits) {
            return Ok(Rc::clone(&kept.snapshot));
        }
        let snapshot = Rc::new(store.lasting_snapshot()?);
        *kept = Some(Kept { commits, snapshot: Rc::clone(&snapshot) });
        Ok(snapshot)
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keeper({})", if self.0.borrow().is_some() { "a snapshot" } else { "empty" })
    }
}

/// What a view reads from.
pub(crate) enum HeldSnapshot<'s> {
    Own(Box<Snapshot<'s>>),
    Kept(Rc<Snapshot<'static>>),
}

impl HeldSnapshot<'_> {
    pub(crate) fn reader(&self) -> crate::store::Reader<'_> {
        match self {
            HeldSnapshot::Own(snapshot) => snapshot.reader(),
            HeldSnapshot::Kept(snapshot) => snapshot.reader(),
        }
    }
}
