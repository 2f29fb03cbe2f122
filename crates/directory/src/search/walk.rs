//! Walking a plan block by block, from any id on: nothing but the next id is kept between two steps
//! of a search, so no transaction is held while a client reads slowly.

use crate::refusal::Fault;
use crate::search::plan::{Blocks, Plan};
use crate::store::block::block_of;
use crate::store::{BlockBits, EntryId, Posting, Reader};

/// A position in a plan (any but `Plan::All`, which is a walk over the entries themselves).
pub(crate) enum Walk<'w, 't> {
    Few(&'w [EntryId]),
    Posting { posting: Posting<'t>, next: u32 },
    Set(&'w Blocks),
    Both(Vec<Walk<'w, 't>>),
}

/// A block number and its candidates.
pub(crate) type Found = Option<(u32, BlockBits)>;

impl<'w, 't> Walk<'w, 't> {
    pub(crate) fn open(reader: &Reader<'t>, plan: &'w Plan) -> Result<Walk<'w, 't>, Fault> {
        Ok(match plan {
            Plan::All => Walk::Both(Vec::new()),
            Plan::One(id) => Walk::Few(std::slice::from_ref(id)),
            Plan::Few(ids) => Walk::Few(ids),
            Plan::Posting(key) => {
                Walk::Posting { posting: reader.posting(&key.borrowed())?, next: 0 }
            }
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
                let mut found: Found = None;
                for (number, low) in ids.iter().map(|id| block_of(*id)) {
                    if number >= block && found.as_ref().is_none_or(|(at, _)| *at == number) {
                        let bits = &mut found.get_or_insert((number, BlockBits::empty())).1;
                        bits.insert(low);
                    }
                }
                Ok(found)
            }
            Walk::Posting { posting, next } => {
                if *next != block {
                    posting.seek(block);
                }
                let found = posting.next_block()?;
                *next = found.as_ref().map_or(block, |found| found.number.saturating_add(1));
                Ok(found.map(|found| (found.number, BlockBits::from_block(&found))))
            }
            Walk::Set(Blocks { blocks }) => {
                let found = blocks.range(block..).next();
                Ok(found.map(|(number, bits)| (*number, (**bits).clone())))
            }
            Walk::Both(walks) => common(walks, block),
        }
    }
}

/// The first block at or after `block` with bits in all of them; the first walk is the narrowest
/// and leads.
fn common(walks: &mut [Walk<'_, '_>], block: u32) -> Result<Found, Fault> {
    let Some((lead, rest)) = walks.split_first_mut() else { return Ok(None) };
    let mut at = block;
    'lead: loop {
        let Some((number, mut bits)) = lead.next_from(at)? else { return Ok(None) };
        for walk in rest.iter_mut() {
            match walk.next_from(number)? {
                None => return Ok(None),
                Some((other, _)) if other > number => {
                    at = other;
                    continue 'lead;
                }
                Some((_, others)) => bits.and(&others),
            }
        }
        if !bits.is_empty() {
            return Ok(Some((number, bits)));
        }
        at = number.saturating_add(1);
    }
}
