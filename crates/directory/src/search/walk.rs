//! Walking a plan block by block, from any id on: nothing but the next id is kept between two steps
//! of a search, so no transaction is held while a client reads slowly.

use crate::refusal::Fault;
use crate::search::plan::{Blocks, Plan};
use crate::store::block::block_of;
use crate::store::{EntryId, Members, Posting, Reader};

/// A position in a plan (any but `Plan::All`, which is a walk over the entries themselves).
pub(crate) enum Walk<'w, 't> {
    Few(&'w [EntryId]),
    Posting(Box<Posting<'t>>),
    Set(&'w Blocks),
    Both(Vec<Walk<'w, 't>>),
}

/// A block number and its candidates.
pub(crate) type Found = Option<(u32, Members)>;

/// What one walk has of a block that another one leads to.
enum Narrowed {
    /// The members are those of both.
    Kept,
    /// It has nothing here; what it has next is in this block, if there is more.
    Absent(Option<u32>),
}

impl<'w, 't> Walk<'w, 't> {
    pub(crate) fn open(reader: &Reader<'t>, plan: &'w Plan) -> Result<Walk<'w, 't>, Fault> {
        Ok(match plan {
            Plan::All => Walk::Both(Vec::new()),
            Plan::One(id) => Walk::Few(std::slice::from_ref(id)),
            Plan::Few(ids) => Walk::Few(ids),
            Plan::Posting(key) => Walk::Posting(Box::new(reader.posting(&key.borrowed())?)),
            Plan::Set(blocks) => Walk::Set(blocks),
            Plan::Both(plans) => Walk::Both(
                plans.iter().map(|plan| Walk::open(reader, plan)).collect::<Result<_, _>>()?,
            ),
        })
    }

    /// The first block at or after `block` that holds candidates.
    pub(crate) fn next_from(&mut self, block: u32) -> Result<Found, Fault> {
        match self {
            Walk::Few(ids) => {
                let first = ids.iter().map(|id| block_of(*id).0).find(|number| *number >= block);
                Ok(first.map(|number| (number, few_in(ids, number))))
            }
            Walk::Posting(posting) => {
                let found = posting.at_or_after(block)?;
                Ok(found.map(|found| (found.number, Members::from_block(&found))))
            }
            Walk::Set(blocks) => {
                Ok(blocks.at_or_after(block).map(|(number, members)| (*number, members.clone())))
            }
            Walk::Both(walks) => common(walks, block),
        }
    }

    /// Leaves of `members`, which are of block `number`, those that are in this walk as well.
    fn narrow(&mut self, number: u32, members: &mut Members) -> Result<Narrowed, Fault> {
        match self {
            Walk::Few(ids) => {
                let here = few_in(ids, number);
                if here.is_empty() {
                    let next = ids.iter().map(|id| block_of(*id).0).find(|own| *own > number);
                    return Ok(Narrowed::Absent(next));
                }
                members.and(&here);
            }
            Walk::Posting(posting) => match posting.at_or_after(number)? {
                Some(block) if block.number == number => members.and_block(&block),
                other => return Ok(Narrowed::Absent(other.map(|block| block.number))),
            },
            Walk::Set(blocks) => match blocks.at_or_after(number) {
                Some((own, theirs)) if *own == number => members.and(theirs),
                other => return Ok(Narrowed::Absent(other.map(|(own, _)| *own))),
            },
            Walk::Both(walks) => {
                for walk in walks {
                    if let absent @ Narrowed::Absent(_) = walk.narrow(number, members)? {
                        return Ok(absent);
                    }
                }
            }
        }
        Ok(Narrowed::Kept)
    }
}

/// Those of a few ids that are in one block.
fn few_in(ids: &[EntryId], number: u32) -> Members {
    let mut members = Members::default();
    let here = ids.iter().map(|id| block_of(*id)).filter(|(own, _)| *own == number);
    here.for_each(|(_, low)| members.insert(low));
    members
}

/// The first block at or after `block` with members in all of them; the first walk is the narrowest
/// and leads.
fn common(walks: &mut [Walk<'_, '_>], block: u32) -> Result<Found, Fault> {
    let Some((lead, rest)) = walks.split_first_mut() else { return Ok(None) };
    let mut at = block;
    'lead: loop {
        let Some((number, mut members)) = lead.next_from(at)? else { return Ok(None) };
        at = number.saturating_add(1);
        for walk in rest.iter_mut() {
            match walk.narrow(number, &mut members)? {
                Narrowed::Absent(None) => return Ok(None),
                Narrowed::Absent(Some(other)) => {
                    at = other;
                    continue 'lead;
                }
                Narrowed::Kept if members.is_empty() => continue 'lead,
                Narrowed::Kept => {}
            }
        }
        if !members.is_empty() {
            return Ok(Some((number, members)));
        }
    }
}
