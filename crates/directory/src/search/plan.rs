//! Where a search looks: the cheapest set of entries that is sure to hold every match.
//!
//! Estimates come from the first blocks of the postings themselves, so planning costs the same
//! however large the directory is. What a plan yields is always verified on the
//! entry, so a plan may be too wide but never too narrow.

use std::ops::Bound;

use smallvec::SmallVec;

use crate::index::Indexes;
use crate::refusal::Fault;
use crate::schema::MatchingRule;
use crate::search::filter::{Leaf, Listed, Node, Reversed, Test, ValueSource};
use crate::store::block::block_of;
use crate::store::names::grams_of_piece;
use crate::store::{AttributeId, EntryId, IndexKind, Members, PostingKey, Survey};
use crate::tree::Tree;

/// Index rows read for one range or substring before the clause is given up as too wide.
const RANGE_ROWS_MAX: u64 = 500_000;

/// Up to this many candidates are listed while planning.
pub(crate) const FEW: u64 = 48;

/// So few that nothing narrower is looked for among the grams of one value, which mostly come
/// together ...
const ENOUGH: u64 = 12;

/// ... and among the clauses of an And.
const ENOUGH_CLAUSES: u64 = 4;

/// A clause this many times wider than the best one may still be worth intersecting.
const WIDER_MAX: u64 = 64;

/// The same for a clause whose candidates are all read to know them.
const WIDER_SET_MAX: u64 = 8;

/// Grams of one substring assertion that are looked at.
const GRAMS_MAX: usize = 12;

/// Ascending candidates.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Every entry, in id order.
    All,
    One(EntryId),
    /// So few that they are listed.
    Few(SmallVec<[EntryId; 8]>),
    /// One index row, read block by block.
    Posting(Key),
    /// A set made while planning, at most one bit per entry of the directory.
    Set(Blocks),
    /// In all of them.
    Both(Vec<Plan>),
}

/// An owned posting key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub kind: IndexKind,
    pub attribute: AttributeId,
    pub value: Vec<u8>,
}

impl Key {
    pub(crate) fn borrowed(&self) -> PostingKey<'_> {
        PostingKey { kind: self.kind, attribute: self.attribute, key: &self.value }
    }
}

/// Entry ids by block, in order of the blocks' numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks {
    blocks: Vec<(u32, Members)>,
}

impl Blocks {
    pub(crate) fn insert(&mut self, id: EntryId) {
        let (block, low) = block_of(id);
        self.block(block).insert(low);
    }

    /// The block of this number, empty if it is new. Mostly it is the last one or behind it.
    fn block(&mut self, number: u32) -> &mut Members {
        let at = match self.blocks.last() {
            Some((last, _)) if *last == number => self.blocks.len() - 1,
            Some((last, _)) if *last > number => {
                self.blocks.partition_point(|(held, _)| *held < number)
            }
            _ => self.blocks.len(),
        };
        if self.blocks.get(at).is_none_or(|(held, _)| *held != number) {
            self.blocks.insert(at, (number, Members::default()));
        }
        #[allow(clippy::indexing_slicing, reason = "it is there since the lines above")]
        &mut self.blocks[at].1
    }

    /// The first block that is not before `number`.
    pub(crate) fn at_or_after(&self, number: u32) -> Option<&(u32, Members)> {
        self.blocks.get(self.blocks.partition_point(|(held, _)| *held < number))
    }

    pub(crate) fn contains(&self, id: EntryId) -> bool {
        let (number, low) = block_of(id);
        let found = self.at_or_after(number);
        found.is_some_and(|(held, members)| *held == number && members.contains(low))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(crate) fn count(&self) -> u64 {
        self.blocks.iter().map(|(_, members)| members.count()).sum()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = EntryId> {
        self.blocks.iter().flat_map(|(number, members)| members.iter(*number))
    }

    pub(crate) fn from_ids(ids: impl IntoIterator<Item = EntryId>) -> Blocks {
        let mut blocks = Blocks::default();
        ids.into_iter().for_each(|id| blocks.insert(id));
        blocks
    }
}

impl Plan {
    /// For the audit record and `explain`.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Plan::All => "scan",
            Plan::One(_) => "name",
            Plan::Few(_) | Plan::Posting(_) => "index",
            Plan::Set(_) => "set",
            Plan::Both(_) => "intersection",
        }
    }
}

/// A plan and an upper bound of its candidates.
type Estimated = Option<(Plan, u64)>;

/// Clauses of one And among which the two ends of a stretch are looked for.
const BETWEEN_CLAUSES_MAX: usize = 16;

pub(crate) struct Planner<'p, 't> {
    pub tree: &'p Tree<'t>,
    pub indexes: &'p Indexes,
}

impl Planner<'_, '_> {
    /// The best plan for a filter, or none where no index helps. `limit` is the best known so far:
    /// counting beyond it is wasted.
    pub(crate) fn plan(&self, node: &Node, limit: u64) -> Result<Estimated, Fault> {
        match node {
            Node::Undefined => Ok(Some((Plan::Set(Blocks::default()), 0))),
            Node::Not(_) => Ok(None),
            Node::And(parts) => self.plan_and(parts, limit),
            Node::Or(parts) => self.plan_or(parts, limit),
            Node::Leaf(leaf) if leaf.dn_attributes || leaf.wanted.is_none() => Ok(None),
            Node::Leaf(leaf) => self.plan_leaf(leaf, limit),
        }
    }

    fn plan_and(&self, parts: &[Node], limit: u64) -> Result<Estimated, Fault> {
        let mut plans = Vec::new();
        let mut best = limit;
        let between = self.between(parts);
        if let Some(Between { attribute, from, to, .. }) = between {
            let (from, to) = (Bound::Included(from), Bound::Included(to));
            if let Some((plan, count)) = self.range(attribute, from, to, limit)? {
                best = best.min(count);
                plans.push((plan, count));
            }
        }
        // What is only estimated first: it may spare making the set of another clause.
        for estimated in [true, false] {
            for part in parts.iter().filter(|part| is_estimated(part) == estimated) {
                if best <= ENOUGH_CLAUSES {
                    break;
                }
                if between.is_some_and(|between| between.holds(part)) {
                    continue;
                }
                let limit = match estimated {
                    // Of another posting only the blocks of these few are looked at, each of which
                    // costs less than the look at an entry that it may spare.
                    true if best <= FEW => self.tree.overview()?.entry_count / 2,
                    true => best.saturating_mul(WIDER_MAX),
                    false => best.saturating_mul(WIDER_SET_MAX),
                };
                if let Some((plan, count)) = self.plan(part, limit)? {
                    best = best.min(count);
                    plans.push((plan, count));
                }
            }
        }
        self.both(plans, ENOUGH_CLAUSES)
    }

    /// `(a>=x)` and `(a<=y)` about an attribute with one value: one stretch of its index, where
    /// each alone is nearly half of it. Of several values, two could satisfy the two.
    fn between<'n>(&self, parts: &'n [Node]) -> Option<Between<'n>> {
        if parts.len() > BETWEEN_CLAUSES_MAX {
            return None;
        }
        let leaves = || parts.iter().filter_map(Node::as_leaf).filter(|leaf| !leaf.dn_attributes);
        for low in leaves() {
            let (Test::AtLeast { rule, key: from }, &[id]) = (&low.test, low.ids.as_slice()) else {
                continue;
            };
            let same =
                |high: &&Leaf| high.ids == low.ids && matches!(high.test, Test::AtMost { .. });
            let Some((high, to)) = leaves().find(same).and_then(Leaf::at_most) else { continue };
            let described = self.tree.catalogue.described(id)?;
            let kind = described.attribute_type(self.tree.schema())?;
            let keyed =
                kind.equality.or(kind.ordering).is_some_and(|k| k.shares_normal_form(*rule));
            let indexed = self.indexes.of(kind.index).equality && keyed;
            if indexed && kind.single_value && described.options.is_empty() {
                return Some(Between { low, high, attribute: id, from, to });
            }
        }
        None
    }

    /// What is in all of these, reading no more of them than pays.
    fn both(&self, mut plans: Vec<(Plan, u64)>, enough: u64) -> Result<Estimated, Fault> {
        plans.sort_by_key(|(_, count)| *count);
        plans.truncate(self.worth_reading(&plans, enough)?);
        let best = plans.first().map_or(0, |(_, count)| *count);
        Ok(match plans.len() {
            0 => None,
            1 => plans.pop(),
            _ => Some((Plan::Both(plans.into_iter().map(|(plan, _)| plan).collect()), best)),
        })
    }

    /// How many of the plans, the narrowest first, to read. A further one is taken to leave an
    /// eighth of the candidates: clauses, and grams of one word still more, depend on each other.
    fn worth_reading(&self, plans: &[(Plan, u64)], enough: u64) -> Result<usize, Fault> {
        let Some((_, best)) = plans.first().filter(|_| plans.len() > 1) else {
            return Ok(plans.len());
        };
        if *best <= enough {
            return Ok(1);
        }
        let half = self.tree.overview()?.entry_count / 2;
        let mut left = *best;
        let further = plans.iter().skip(1).take_while(|(_, count)| {
            let worth = left > enough && *count <= half;
            left /= 8;
            worth
        });
        Ok(1 + further.count())
    }

    fn plan_or(&self, parts: &[Node], limit: u64) -> Result<Estimated, Fault> {
        if parts.is_empty() {
            return Ok(Some((Plan::Few(SmallVec::new()), 0)));
        }
        let mut union = Blocks::default();
        let mut total = 0u64;
        for part in parts {
            let Some((plan, count)) = self.plan(part, limit)? else { return Ok(None) };
            total = total.saturating_add(count);
            if total > limit {
                return Ok(None);
            }
            self.pour(&plan, &mut union)?;
        }
        let count = union.count();
        Ok(Some((Plan::Set(union), count)))
    }

    /// Adds everything a plan yields to `into`.
    fn pour(&self, plan: &Plan, into: &mut Blocks) -> Result<(), Fault> {
        let mut walk = super::walk::Walk::open(&self.tree.reader, plan)?;
        let mut block = 0;
        while let Some((number, members)) = walk.next_from(block)? {
            into.block(number).or(&members);
            block = number.saturating_add(1);
        }
        Ok(())
    }

    fn plan_leaf(&self, leaf: &Leaf, limit: u64) -> Result<Estimated, Fault> {
        match (&leaf.source, &leaf.test) {
            (_, Test::Chain(reached)) => Ok(ids(reached.iter().copied())),
            (ValueSource::EntryDn, Test::Names { target, .. }) => {
                Ok(Some(target.map_or((Plan::Few(SmallVec::new()), 0), |id| (Plan::One(id), 1))))
            }
            (ValueSource::MemberOf, Test::Names { target, .. }) => {
                self.members(leaf, *target, limit)
            }
            (ValueSource::Links, Test::Names { target, reversed }) => {
                self.referring(leaf, *target, reversed, limit)
            }
            (ValueSource::Stored, _) => self.plan_stored(leaf, limit),
            _ => Ok(None),
        }
    }

    fn members(&self, leaf: &Leaf, group: Option<EntryId>, limit: u64) -> Result<Estimated, Fault> {
        let mut blocks = Blocks::default();
        let mut count = 0;
        let attributes = group.map(|_| self.tree.membership().collect::<Vec<_>>());
        for attribute in attributes.unwrap_or_default() {
            for link in self.tree.reader.links_of(group.unwrap_or_default(), attribute)? {
                blocks.insert(link?.to);
                count += 1;
                if count > limit {
                    return Ok(None);
                }
            }
        }
        if let Some(snapshot) = self.tree.reader.snapshot_number() {
            let _ = leaf.members.set(Listed { snapshot, members: blocks.clone() });
        }
        Ok(Some((Plan::Set(blocks), count)))
    }

    fn referring(
        &self,
        leaf: &Leaf,
        target: Option<EntryId>,
        reversed: &Reversed,
        limit: u64,
    ) -> Result<Estimated, Fault> {
        let links = |id: &AttributeId| {
            self.tree.catalogue.described(*id).is_none_or(|described| described.link)
        };
        if !leaf.ids.iter().all(links) {
            return Ok(None); // with options they are no links, and not in these rows
        }
        let mut found = Vec::new();
        match target {
            Some(target) => {
                for attribute in &leaf.ids {
                    for from in self.tree.reader.backlinks_of(target, *attribute)? {
                        found.push(from?.from);
                        if found.len() as u64 > limit {
                            return Ok(None);
                        }
                    }
                }
            }
            None => {
                let reversed = reversed.get(self.tree.schema());
                let Some(reversed) = reversed else { return Ok(ids([].into_iter())) };
                for row in self.tree.reader.loose_below(reversed)? {
                    found.push(row?.from);
                }
            }
        }
        Ok(ids(found.into_iter()))
    }

    fn plan_stored(&self, leaf: &Leaf, limit: u64) -> Result<Estimated, Fault> {
        let Some(wanted) = &leaf.wanted else { return Ok(None) };
        let index = self.indexes.of(wanted.type_index);
        // Postings stand under the bare type; options only narrow further, on the entry.
        let Some(attribute) = wanted.bare else {
            // The type has no number: no entry has a value of it, unless under a subtype.
            return Ok(leaf.ids.is_empty().then(|| (Plan::Few(SmallVec::new()), 0)));
        };
        let equality = self.tree.schema().attribute_type_at(wanted.type_index);
        let equality = equality.and_then(|kind| kind.equality.or(kind.ordering));
        let keyed = |rule: &MatchingRule| {
            index.equality && equality.is_some_and(|keyed| keyed.shares_normal_form(*rule))
        };
        match &leaf.test {
            Test::Present if index.presence => {
                self.posting(IndexKind::Presence, attribute, &[], limit)
            }
            Test::Equal { rule, key, .. } | Test::OneOf { rule, class_key: key, .. }
                if keyed(rule) =>
            {
                self.posting(IndexKind::Equality, attribute, key, limit)
            }
            Test::AtLeast { rule, key } if keyed(rule) => {
                self.range(attribute, Bound::Included(key), Bound::Unbounded, limit)
            }
            Test::AtMost { rule, key } if keyed(rule) => {
                self.range(attribute, Bound::Unbounded, Bound::Included(key), limit)
            }
            Test::Substring { rule, initial, any, last } => {
                let pieces = Pieces { initial: initial.as_deref(), any, last: last.as_deref() };
                if index.substring {
                    return self.by_grams(attribute, &pieces, limit);
                }
                // `x=abc*` alone is a range of the equality index.
                match pieces.initial {
                    Some(initial) if keyed(rule) => {
                        let end = prefix_end(initial);
                        let end = end.as_ref().map(Vec::as_slice);
                        self.range(attribute, Bound::Included(initial), end, limit)
                    }
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    fn posting(
        &self,
        kind: IndexKind,
        attribute: AttributeId,
        value: &[u8],
        limit: u64,
    ) -> Result<Estimated, Fault> {
        let key = PostingKey { kind, attribute, key: value };
        Ok(match self.tree.reader.posting(&key)?.survey(FEW as usize)? {
            Survey::Few(ids) => Some(few(ids)),
            Survey::Many(count) => {
                // An estimate may say more than there are.
                let count = count.min(self.tree.overview()?.entry_count);
                let key = || Key { kind, attribute, value: value.to_vec() };
                (count <= limit).then(|| (Plan::Posting(key()), count))
            }
        })
    }

    fn range(
        &self,
        attribute: AttributeId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        limit: u64,
    ) -> Result<Estimated, Fault> {
        let rows = self.tree.reader.posting_range(IndexKind::Equality, attribute, lower, upper)?;
        let mut blocks = Blocks::default();
        let mut count = 0u64;
        for (read, row) in rows.enumerate() {
            let block = row?.block;
            count += block.count();
            if count > limit || read as u64 > RANGE_ROWS_MAX {
                return Ok(None);
            }
            blocks.block(block.number).or_block(&block);
        }
        Ok(Some((Plan::Set(blocks), count)))
    }

    fn by_grams(
        &self,
        attribute: AttributeId,
        pieces: &Pieces<'_>,
        limit: u64,
    ) -> Result<Estimated, Fault> {
        let mut plans = Vec::new();
        for gram in pieces.grams() {
            let posting = self.posting(IndexKind::Substring, attribute, &gram, u64::MAX)?;
            let Some((plan, count)) = posting else { continue };
            plans.push((plan, count));
            if count <= ENOUGH || plans.len() == GRAMS_MAX {
                break;
            }
        }
        let estimated = self.both(plans, ENOUGH)?.filter(|(_, count)| *count <= limit);
        if estimated.is_none() {
            return Ok(None);
        }
        self.with_long_values(attribute, estimated, limit)
    }

    /// Adds the entries whose values are too long for grams: any of them may match.
    fn with_long_values(
        &self,
        attribute: AttributeId,
        by_grams: Estimated,
        limit: u64,
    ) -> Result<Estimated, Fault> {
        let long = self.posting(IndexKind::Substring, attribute, &[], limit)?;
        match (by_grams, long) {
            (estimated, Some((_, 0))) => Ok(estimated),
            (Some((grams, _)), Some((long, _))) => {
                let mut union = Blocks::default();
                self.pour(&grams, &mut union)?;
                self.pour(&long, &mut union)?;
                let count = union.count();
                Ok(Some((Plan::Set(union), count)))
            }
            _ => Ok(None),
        }
    }
}

/// Two clauses that are one stretch of an index.
#[derive(Clone, Copy)]
struct Between<'n> {
    low: &'n Leaf,
    high: &'n Leaf,
    attribute: AttributeId,
    from: &'n [u8],
    to: &'n [u8],
}

impl Between<'_> {
    fn holds(&self, part: &Node) -> bool {
        part.as_leaf()
            .is_some_and(|leaf| std::ptr::eq(leaf, self.low) || std::ptr::eq(leaf, self.high))
    }
}

/// Whether a clause is planned from a few rows of an index, however many entries match.
fn is_estimated(node: &Node) -> bool {
    use Test::{Equal, OneOf, Present, Substring};
    let Node::Leaf(leaf) = node else { return false };
    leaf.source == ValueSource::Stored
        && matches!(leaf.test, Present | Equal { .. } | OneOf { .. } | Substring { .. })
}

fn few(ids: SmallVec<[EntryId; 8]>) -> (Plan, u64) {
    let count = ids.len() as u64;
    (Plan::Few(ids), count)
}

fn ids(ids: impl Iterator<Item = EntryId>) -> Estimated {
    let mut ids: SmallVec<[EntryId; 8]> = ids.collect();
    if ids.len() as u64 <= FEW {
        ids.sort_unstable();
        ids.dedup();
        return Some(few(ids));
    }
    let blocks = Blocks::from_ids(ids);
    let count = blocks.count();
    Some((Plan::Set(blocks), count))
}

struct Pieces<'a> {
    initial: Option<&'a [u8]>,
    any: &'a [Vec<u8>],
    last: Option<&'a [u8]>,
}

impl Pieces<'_> {
    /// Every 3-gram that a matching value is sure to have, with the marks of its two ends.
    fn grams(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut grams = Vec::new();
        let initial = self.initial.map(|piece| (piece, true, false));
        let any = self.any.iter().map(|piece| (piece.as_slice(), false, false));
        let last = self.last.map(|piece| (piece, false, true));
        for (piece, begin, end) in initial.into_iter().chain(any).chain(last) {
            grams_of_piece(piece, begin, end, &mut grams);
            found.extend(grams.iter().map(|gram| gram.to_vec()));
        }
        found.sort();
        found.dedup();
        found
    }
}

/// The first key behind all that begin with `prefix`.
fn prefix_end(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}
