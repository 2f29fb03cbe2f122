//! The tree as one transaction sees it: rows, what they mean, and the names of entries. Knows
//! nothing of who asks; only `view` and the writer hold one.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

use ldap::dn::Rdn;
use ldap::result::ResultCode;
use smallvec::SmallVec;

use crate::access::AccessRules;
use crate::catalogue::{Catalogue, Described};
use crate::epoch::Epoch;
use crate::lens::{Lens, Overview};
use crate::names::{NameCache, Resolved, Suffixes, join, parse_and_normalize};
use crate::referral::{self, Asked};
use crate::refusal::{Error, Fault, Refusal};
use crate::ruling::Kinds;
use crate::schema::Schema;
use crate::schema::names::{NormalizedDn, normalize_rdn};
use crate::search::base::of_class;
use crate::search::filter::Node;
use crate::store::{AttributeId, EntryId, EntryRecord, Reader};

/// The link attributes whose mirror is `memberOf`.
pub(crate) const MEMBERSHIP: [&str; 2] = ["member", "uniquemember"];

/// How many entries a nested-membership walk visits before it gives up.
pub(crate) const CHAIN_VISITED_MAX: usize = 1_000_000;

pub(crate) struct Tree<'t> {
    pub reader: Reader<'t>,
    pub catalogue: &'t Arc<Catalogue>,
    pub suffixes: &'t Suffixes,
    pub names: &'t NameCache,
    pub epoch: Epoch,
    pub rules: &'t Arc<AccessRules>,
    /// Under these rules.
    pub kinds: &'t Kinds,
    /// The rules' own filters, compiled when the first is needed.
    pub rule_filters: OnceCell<Vec<Node>>,
    /// What is remembered of this shape of the tree.
    pub lens: Option<&'t Lens>,
    pub memo: Memo<'t>,
}

/// What was asked last: the entries of a search share a few parents.
#[derive(Default)]
pub(crate) struct Memo<'t> {
    entry: Cell<Option<(EntryId, EntryRecord<'t>)>>,
    parent_name: RefCell<Option<(EntryId, Arc<str>)>>,
    /// Whether an entry is another one or below it.
    within: RefCell<SmallVec<[(EntryId, EntryId, bool); WITHIN_MAX]>>,
    oldest_within: Cell<usize>,
}

/// How many answers about ancestors are remembered.
const WITHIN_MAX: usize = 8;

impl Memo<'_> {
    fn is_within(&self, id: EntryId, ancestor: EntryId) -> Option<bool> {
        let rows = self.within.borrow();
        rows.iter().find(|row| (row.0, row.1) == (id, ancestor)).map(|row| row.2)
    }

    fn remember_within(&self, id: EntryId, ancestor: EntryId, within: bool) {
        let mut rows = self.within.borrow_mut();
        let oldest = self.oldest_within.get() % WITHIN_MAX;
        match rows.get_mut(oldest) {
            Some(row) => *row = (id, ancestor, within),
            None => rows.push((id, ancestor, within)),
        }
        self.oldest_within.set(oldest + 1);
    }
}

impl<'t> Tree<'t> {
    pub(crate) fn schema(&self) -> &Arc<Schema> {
        &self.catalogue.schema
    }

    pub(crate) fn normalize(&self, dn: &str) -> Result<NormalizedDn, Refusal> {
        parse_and_normalize(self.schema(), dn)
    }

    pub(crate) fn resolve(&self, name: &NormalizedDn) -> Result<Resolved, Fault> {
        self.suffixes.resolve(&self.reader, name)
    }

    /// The entry of that name, if there is one; a name that cannot be read is no entry's.
    pub(crate) fn find(&self, dn: &str) -> Result<Option<EntryId>, Fault> {
        match self.resolve_text(dn) {
            Ok(Resolved::Found(id)) => Ok(Some(id)),
            Ok(Resolved::Missing { .. }) | Err(Error::Refused(_)) => Ok(None),
            Err(Error::Fault(fault)) => Err(fault),
        }
    }

    /// What a name leads to. Names below a remembered one cost a single look.
    pub(crate) fn resolve_text(&self, dn: &str) -> Result<Resolved, Error> {
        let Some(lens) = self.lens else { return Ok(self.resolve(&self.normalize(dn)?)?) };
        if let Some(id) = lens.named(dn) {
            return Ok(Resolved::Found(id));
        }
        let split = ldap::dn::split_plain(dn);
        if let Some((rdn, above)) = split
            && let Some(parent) = lens.named(above)
            && let Ok(rdn) = Rdn::parse(rdn)
            && let Ok(key) = normalize_rdn(self.schema(), &rdn)
        {
            return Ok(match self.reader.child(parent, &key)? {
                Some(child) => Resolved::Found(child),
                None => Resolved::Missing { nearest: Some(parent), missing: 1 },
            });
        }
        let resolved = self.resolve(&self.normalize(dn)?)?;
        if let (Resolved::Found(id), Some((_, above))) = (resolved, split) {
            let parent = self.parent(id)?;
            if parent != EntryId::ROOT {
                lens.remember_name(above, parent);
            }
        }
        Ok(resolved)
    }

    /// Remembered as long as the shape of the tree stays.
    pub(crate) fn overview(&self) -> Result<Overview, Fault> {
        if let Some(overview) = self.lens.and_then(Lens::overview) {
            return Ok(overview);
        }
        let overview = Overview {
            entry_count: self.reader.entry_count()?,
            has_referrals: !of_class(self, "referral")?.is_empty(),
            has_aliases: !of_class(self, "alias")?.is_empty(),
        };
        if let Some(lens) = self.lens {
            lens.remember_overview(overview);
        }
        Ok(overview)
    }

    pub(crate) fn entry(&self, id: EntryId) -> Result<Option<Candidate<'_, 't>>, Fault> {
        let record = match self.memo.entry.get() {
            Some((known, record)) if known == id => Some(record),
            _ => self.reader.entry(id)?,
        };
        self.memo.entry.set(record.map(|record| (id, record)));
        Ok(record.map(|record| Candidate { tree: self, id, record, dn: OnceCell::new() }))
    }

    /// An entry that another row says is there.
    pub(crate) fn expect_entry(&self, id: EntryId) -> Result<Candidate<'_, 't>, Fault> {
        self.entry(id)?.ok_or_else(|| Fault::Damaged { what: format!("entry {} is missing", id.0) })
    }

    pub(crate) fn dn(&self, id: EntryId) -> Result<String, Fault> {
        self.names.compose(&self.reader, self.epoch, id)
    }

    /// The name of a child of `parent`.
    fn join_parent(&self, rdn: &str, parent: EntryId) -> Result<String, Fault> {
        let mut memo = self.memo.parent_name.borrow_mut();
        if let Some((id, name)) = &*memo
            && *id == parent
        {
            return Ok(join(rdn, name));
        }
        let name = match self.lens.and_then(|lens| lens.parent_name(parent)) {
            Some(name) => name,
            None => self.names.parent_name(&self.reader, self.epoch, parent)?,
        };
        if let Some(lens) = self.lens {
            lens.remember_parent_name(parent, &name);
        }
        let joined = join(rdn, &name);
        *memo = Some((parent, name));
        Ok(joined)
    }

    pub(crate) fn parent(&self, id: EntryId) -> Result<EntryId, Fault> {
        Ok(self.reader.node(id)?.map_or(EntryId(0), |node| node.parent))
    }

    /// Whether `id` is `ancestor` or below it.
    pub(crate) fn is_within(&self, id: EntryId, ancestor: EntryId) -> Result<bool, Fault> {
        if id == ancestor {
            return Ok(id != EntryId::ROOT);
        }
        let known = match self.lens {
            Some(lens) => lens.is_within(id, ancestor),
            None => self.memo.is_within(id, ancestor),
        };
        if let Some(within) = known {
            return Ok(within);
        }
        let within = self.climbs_to(id, ancestor)?;
        match self.lens {
            Some(lens) => lens.remember_within(id, ancestor, within),
            None => self.memo.remember_within(id, ancestor, within),
        }
        Ok(within)
    }

    fn climbs_to(&self, id: EntryId, ancestor: EntryId) -> Result<bool, Fault> {
        let mut at = id;
        while at != EntryId(0) {
            if at == ancestor {
                return Ok(true);
            }
            at = self.parent(at)?;
        }
        Ok(false)
    }

    /// The numbers of the membership attributes that are in use.
    pub(crate) fn membership(&self) -> impl Iterator<Item = AttributeId> + '_ {
        MEMBERSHIP.iter().filter_map(|key| self.catalogue.id(key))
    }

    /// Groups that name `id` as a member, in `memberOf`'s order.
    pub(crate) fn groups_of(&self, id: EntryId) -> Result<Vec<EntryId>, Fault> {
        let mut groups = Vec::new();
        for attribute in self.membership() {
            for group in self.reader.backlinks_of(id, attribute)? {
                groups.push(group?.from);
            }
        }
        groups.sort_unstable();
        groups.dedup();
        Ok(groups)
    }

    /// RFC 3296: where to ask about a name at or below a referral object.
    pub(crate) fn referral_at(
        &self,
        id: Option<EntryId>,
        asked: Asked<'_>,
        manage_dsa_it: bool,
    ) -> Result<Option<Refusal>, Fault> {
        let Some(id) = id.filter(|_| !manage_dsa_it) else { return Ok(None) };
        if self.lens.is_some() && !self.overview()?.has_referrals {
            return Ok(None);
        }
        let Some(candidate) = self.entry(id)? else { return Ok(None) };
        if !candidate.is_of_class("referral") {
            return Ok(None);
        }
        let message = "this part of the tree is held by another server";
        let dn = candidate.dn()?;
        let uris = candidate.referrals().into_iter();
        Ok(Some(Refusal {
            code: ResultCode::REFERRAL,
            matched: dn.to_owned(),
            message: message.to_owned(),
            referrals: uris.map(|uri| referral::referred(&uri, dn, asked)).collect(),
        }))
    }

    /// Everything that leads to `to` through `attributes`, over any number of steps.
    pub(crate) fn chain_to(
        &self,
        to: EntryId,
        attributes: &[AttributeId],
    ) -> Result<std::collections::BTreeSet<EntryId>, Error> {
        self.walk(to, |at, found| {
            for attribute in attributes {
                for from in self.reader.backlinks_of(at, *attribute)? {
                    found.push(from?.from);
                }
            }
            Ok(())
        })
    }

    /// Everything that `from` leads to through `attributes`, over any number of steps.
    pub(crate) fn chain_from(
        &self,
        from: EntryId,
        attributes: &[AttributeId],
    ) -> Result<std::collections::BTreeSet<EntryId>, Error> {
        self.walk(from, |at, found| {
            for attribute in attributes {
                for link in self.reader.links_of(at, *attribute)? {
                    found.push(link?.to);
                }
            }
            Ok(())
        })
    }

    fn walk(
        &self,
        start: EntryId,
        step: impl Fn(EntryId, &mut Vec<EntryId>) -> Result<(), Fault>,
    ) -> Result<std::collections::BTreeSet<EntryId>, Error> {
        let mut visited = std::collections::BTreeSet::new();
        let mut waiting = vec![start];
        let mut found = Vec::new();
        while let Some(at) = waiting.pop() {
            step(at, &mut found)?;
            waiting.extend(found.drain(..).filter(|id| visited.insert(*id)));
            if visited.len() > CHAIN_VISITED_MAX {
                return Err(Error::Refused(Refusal::new(
                    ResultCode::ADMIN_LIMIT_EXCEEDED,
                    format!("nested membership reaches more than {CHAIN_VISITED_MAX} entries"),
                )));
            }
        }
        Ok(visited)
    }
}

/// One stored entry, looked at where it lies.
pub(crate) struct Candidate<'a, 't> {
    pub tree: &'a Tree<'t>,
    pub id: EntryId,
    pub record: EntryRecord<'t>,
    dn: OnceCell<String>,
}

impl<'a, 't> Candidate<'a, 't> {
    pub(crate) fn new(
        tree: &'a Tree<'t>,
        id: EntryId,
        record: EntryRecord<'t>,
    ) -> Candidate<'a, 't> {
        Candidate { tree, id, record, dn: OnceCell::new() }
    }

    /// The entry's name, composed once.
    pub(crate) fn dn(&self) -> Result<&str, Fault> {
        if let Some(dn) = self.dn.get() {
            return Ok(dn);
        }
        let dn = self.tree.join_parent(self.record.rdn(), self.record.parent())?;
        Ok(self.dn.get_or_init(|| dn))
    }

    pub(crate) fn described(&self, id: AttributeId) -> Option<&'a Arc<Described>> {
        self.tree.catalogue.described(id)
    }

    /// The stored values of one bare attribute, given its key.
    pub(crate) fn values(&self, key: &str) -> Vec<&'t [u8]> {
        let Some(id) = self.tree.catalogue.id(key) else { return Vec::new() };
        let row = self.record.rows().find(|row| row.attribute == id);
        row.map(|row| row.values().collect()).unwrap_or_default()
    }

    /// A referral object's URIs, without the labels that may follow them.
    pub(crate) fn referrals(&self) -> Vec<String> {
        let uris = self.values("ref");
        let text = uris.iter().map(|uri| String::from_utf8_lossy(uri));
        text.filter_map(|uri| uri.split(' ').next().map(str::to_owned)).collect()
    }

    /// Whether the entry is of a class of that lower-case name, or of a subclass.
    pub(crate) fn is_of_class(&self, name: &str) -> bool {
        let schema = self.tree.schema();
        let Some(wanted) = schema.object_class(name) else { return false };
        self.values("objectclass").iter().any(|value| {
            let held = std::str::from_utf8(value).ok().and_then(|name| schema.object_class(name));
            held.is_some_and(|held| held.index == wanted.index || schema.is_subclass(held, wanted))
        })
    }
}
