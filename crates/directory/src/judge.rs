//! The access rules applied to the tree: what `access` asks, answered from rows.

use crate::access::{AskerRules, EntryAccess, Rights, RuleFilter, Target};
use crate::catalogue::Described;
use crate::lens::Lens;
use crate::names::Resolved;
use crate::permits::IgnoringAccess;
use crate::referral::Asked;
use crate::refusal::{Error, Fault, Refusal};
use crate::schema::names::NormalizedDn;
use crate::schema::{AttributeType, Schema};
use crate::search::evaluate::evaluate;
use crate::search::filter::{Node, compile};
use crate::search::given::evaluate_given;
use crate::store::EntryId;
use crate::subject::Subject;
use crate::tree::{Candidate, MEMBERSHIP, Tree};
use ldap::message::Scope;
use std::sync::Arc;

/// Longest chain of groups in groups that is followed when a rule names a group.
const GROUP_DEPTH_VISITED_MAX: usize = 10_000;

impl crate::access::Vocabulary for Schema {
    fn attribute(&self, name: &str) -> Option<String> {
        self.attribute_type(name).map(|kind| kind.key.clone())
    }

    fn subtypes(&self, key: &str) -> Vec<String> {
        let Some(kind) = self.attribute_type(key) else { return Vec::new() };
        let below = Schema::subtypes(self, kind).filter(|sub| sub.index != kind.index);
        below.map(|sub| sub.key.clone()).collect()
    }

    fn is_name_valued(&self, key: &str) -> bool {
        self.attribute_type(key).is_some_and(AttributeType::is_link)
    }

    fn class_attributes(&self, class: &str) -> Option<Vec<String>> {
        let class = self.object_class(class)?;
        let kinds = class.must.iter().chain(&class.may);
        Some(kinds.filter_map(|index| Some(self.attribute_type_at(*index)?.key.clone())).collect())
    }

    fn operational_attributes(&self) -> Vec<String> {
        let operational = self.attribute_types().filter(|kind| kind.is_operational());
        operational.map(|kind| kind.key.clone()).collect()
    }

    fn check_name(&self, dn: &str) -> Result<(), String> {
        crate::names::parse_and_normalize(self, dn).map(drop).map_err(|refusal| refusal.message)
    }

    fn check_filter(&self, filter: &str) -> Result<(), String> {
        let limits = ldap::message::DecodeLimits::default();
        ldap::filter::Filter::parse(filter, &limits).map(drop).map_err(|error| error.to_string())
    }
}

impl crate::access::Tree for Tree<'_> {
    fn resolve(&self, dn: &str) -> Result<Option<EntryId>, Fault> {
        self.find(dn)
    }

    fn is_below(&self, entry: EntryId, ancestor: EntryId) -> Result<bool, Fault> {
        Ok(entry != ancestor && self.is_within(entry, ancestor)?)
    }

    fn is_member(&self, asker: EntryId, group: EntryId) -> Result<bool, Fault> {
        let attributes: Vec<_> =
            MEMBERSHIP.iter().filter_map(|key| self.catalogue.id(key)).collect();
        let mut waiting = vec![asker];
        let mut visited = std::collections::HashSet::new();
        while let Some(at) = waiting.pop() {
            for attribute in &attributes {
                if self.reader.has_link(group, *attribute, at)? {
                    return Ok(true);
                }
                for from in self.reader.backlinks_of(at, *attribute)? {
                    let from = from?.from;
                    if visited.len() < GROUP_DEPTH_VISITED_MAX && visited.insert(from) {
                        waiting.push(from);
                    }
                }
            }
        }
        Ok(false)
    }

    fn is_occupant(&self, asker: EntryId, role: EntryId) -> Result<bool, Fault> {
        match self.catalogue.id("roleoccupant") {
            Some(attribute) => self.reader.has_link(role, attribute, asker),
            None => Ok(false),
        }
    }
}

impl Target for Candidate<'_, '_> {
    fn id(&self) -> Option<EntryId> {
        Some(self.id)
    }

    fn parent(&self) -> Option<EntryId> {
        Some(self.record.parent()).filter(|parent| *parent != EntryId::ROOT)
    }

    fn is_below(&self, ancestor: EntryId) -> Result<bool, Fault> {
        self.tree.is_within(self.record.parent(), ancestor)
    }

    fn is_named(&self, dn: &str) -> Result<bool, Fault> {
        Ok(self.tree.find(dn)? == Some(self.id))
    }

    fn satisfies(&self, filter: &RuleFilter) -> Result<bool, Fault> {
        let Some(node) = self.tree.rule_filter(filter)? else { return Ok(false) };
        Ok(evaluate(node, self, &IgnoringAccess)? == Some(true))
    }

    fn names(&self, attribute: &str, asker: EntryId) -> Result<bool, Fault> {
        match self.tree.catalogue.id(attribute) {
            Some(attribute) => self.tree.reader.has_link(self.id, attribute, asker),
            None => Ok(false),
        }
    }
}

/// An entry that is being added or moved: no row of it is where the rules should judge it.
pub(crate) struct Newcomer<'a, 't> {
    pub tree: &'a Tree<'t>,
    pub parent: EntryId,
    pub name: &'a NormalizedDn,
    pub attributes: &'a [(Arc<Described>, Vec<Vec<u8>>)],
}

impl Target for Newcomer<'_, '_> {
    fn id(&self) -> Option<EntryId> {
        None
    }

    fn parent(&self) -> Option<EntryId> {
        Some(self.parent).filter(|parent| *parent != EntryId::ROOT)
    }

    fn is_below(&self, ancestor: EntryId) -> Result<bool, Fault> {
        self.tree.is_within(self.parent, ancestor)
    }

    fn is_named(&self, dn: &str) -> Result<bool, Fault> {
        Ok(self.tree.normalize(dn).is_ok_and(|name| name.keys == self.name.keys))
    }

    fn satisfies(&self, filter: &RuleFilter) -> Result<bool, Fault> {
        let Some(node) = self.tree.rule_filter(filter)? else { return Ok(false) };
        Ok(evaluate_given(node, self.tree, self.attributes, &IgnoringAccess)? == Some(true))
    }

    fn names(&self, attribute: &str, asker: EntryId) -> Result<bool, Fault> {
        let values = self.attributes.iter().filter(|(described, _)| described.key == attribute);
        for value in values.flat_map(|(_, values)| values) {
            let named = std::str::from_utf8(value).ok().map(|dn| self.tree.find(dn)).transpose()?;
            if named.flatten() == Some(asker) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Tree<'_> {
    /// What the names in the access rules lead to.
    fn resolved_rule_names(&self) -> Result<Arc<[Option<EntryId>]>, Fault> {
        if let Some(resolved) = self.lens.and_then(Lens::resolved) {
            return Ok(resolved);
        }
        let resolved = self.rules.resolve_names(self)?;
        if let Some(lens) = self.lens {
            lens.remember_resolved(&resolved);
        }
        Ok(resolved)
    }

    /// A rule's `where`, compiled against this snapshot.
    pub(crate) fn rule_filter(&self, filter: &RuleFilter) -> Result<Option<&Node>, Fault> {
        if self.rule_filters.get().is_none() {
            let mut nodes = Vec::new();
            for filter in self.rules.filters() {
                nodes.push(self.compile_rule_filter(filter)?);
            }
            let _ = self.rule_filters.set(nodes);
        }
        Ok(self.rule_filters.get().and_then(|nodes| nodes.get(filter.index)))
    }

    fn compile_rule_filter(&self, filter: &RuleFilter) -> Result<Node, Fault> {
        let limits = ldap::message::DecodeLimits::default();
        let Ok(parsed) = ldap::filter::Filter::parse(&filter.text, &limits) else {
            return Ok(Node::Undefined); // `AccessRules::parse` has refused it already
        };
        match compile(self, &parsed) {
            Ok(node) => Ok(node),
            Err(Error::Fault(fault)) => Err(fault),
            Err(Error::Refused(_)) => Ok(Node::Undefined),
        }
    }
}

/// The rules for one asker in one snapshot.
pub(crate) struct Judge {
    asker: Arc<AskerRules>,
}

impl Judge {
    pub(crate) fn new(tree: &Tree<'_>, subject: &Subject) -> Result<Judge, Fault> {
        if let Some(asker) = tree.lens.and_then(|lens| lens.asker(subject)) {
            return Ok(Judge { asker });
        }
        let judge = Judge::in_passing(tree, subject)?;
        if let Some(lens) = tree.lens {
            lens.remember_asker(subject, &judge.asker);
        }
        Ok(judge)
    }

    /// For somebody who is not the one that the view belongs to.
    pub(crate) fn in_passing(tree: &Tree<'_>, subject: &Subject) -> Result<Judge, Fault> {
        let resolved = tree.resolved_rule_names()?;
        Ok(Judge { asker: Arc::new(tree.rules.for_asker(subject, tree, resolved)?) })
    }

    pub(crate) fn of<'a, T: Target>(&'a self, target: &'a T) -> EntryAccess<'a, T> {
        self.asker.for_entry(target)
    }

    /// Whether the asker may know that this entry exists.
    pub(crate) fn discloses(&self, candidate: &Candidate<'_, '_>) -> Result<bool, Fault> {
        let rights = self.of(candidate).entry()?;
        Ok(rights.allows(Rights::SEARCH)
            || rights.allows(Rights::WRITE)
            || rights.allows(Rights::DELETE))
    }

    /// The "no such object" that tells the asker nothing more than they may know: the nearest entry
    /// above the name that they may see.
    pub(crate) fn missing(
        &self,
        tree: &Tree<'_>,
        nearest: Option<EntryId>,
    ) -> Result<Refusal, Fault> {
        let refusal =
            Refusal::new(ldap::result::ResultCode::NO_SUCH_OBJECT, "there is no such entry");
        let mut at = nearest;
        while let Some(id) = at.filter(|id| *id != EntryId::ROOT) {
            let Some(candidate) = tree.entry(id)? else { break };
            if self.discloses(&candidate)? {
                return Ok(refusal.with_matched(candidate.dn()?));
            }
            at = Some(candidate.record.parent());
        }
        Ok(refusal)
    }

    /// Where to ask about a name at or below a referral object, if the asker may know of that.
    pub(crate) fn referral_seen(
        &self,
        tree: &Tree<'_>,
        id: Option<EntryId>,
        asked: Asked<'_>,
        manage_dsa_it: bool,
    ) -> Result<Option<Refusal>, Fault> {
        let Some(refusal) = tree.referral_at(id, asked, manage_dsa_it)? else { return Ok(None) };
        let Some(id) = id else { return Ok(None) };
        Ok(self.discloses(&tree.expect_entry(id)?)?.then_some(refusal))
    }

    /// The entry of that name, if the asker may know of it.
    pub(crate) fn locate<'a, 't>(
        &self,
        tree: &'a Tree<'t>,
        dn: &str,
        manage_dsa_it: bool,
    ) -> Result<Candidate<'a, 't>, Error> {
        self.locate_for(tree, Asked::without_scope(dn), manage_dsa_it)
    }

    /// Where a search begins. Asking again where nothing but the shape of the tree decides costs
    /// nothing.
    pub(crate) fn locate_base(
        &self,
        tree: &Tree<'_>,
        asked: Asked<'_>,
        manage_dsa_it: bool,
    ) -> Result<EntryId, Error> {
        let Some(lens) = tree.lens else {
            return Ok(self.locate_for(tree, asked, manage_dsa_it)?.id);
        };
        if let Some(id) = lens.open_to(&self.asker, asked.dn) {
            return Ok(id);
        }
        let id = self.locate_for(tree, asked, manage_dsa_it)?.id;
        if asked.scope != Some(Scope::Base) {
            lens.remember_name(asked.dn, id);
            if !self.asker.looks_into_entries() && !tree.overview()?.has_referrals {
                lens.remember_open(&self.asker, asked.dn);
            }
        }
        Ok(id)
    }

    /// The same for a search, whose scope goes into referrals.
    pub(crate) fn locate_for<'a, 't>(
        &self,
        tree: &'a Tree<'t>,
        asked: Asked<'_>,
        manage_dsa_it: bool,
    ) -> Result<Candidate<'a, 't>, Error> {
        match tree.resolve_text(asked.dn)? {
            Resolved::Missing { nearest, .. } => {
                match self.referral_seen(tree, nearest, asked, manage_dsa_it)? {
                    Some(refusal) => Err(refusal.into()),
                    None => Err(self.missing(tree, nearest)?.into()),
                }
            }
            Resolved::Found(id) => {
                let candidate = tree.expect_entry(id)?;
                if !self.discloses(&candidate)? {
                    return Err(self.missing(tree, Some(candidate.record.parent()))?.into());
                }
                match tree.referral_at(Some(id), asked, manage_dsa_it)? {
                    Some(refusal) => Err(refusal.into()),
                    None => Ok(candidate),
                }
            }
        }
    }
}
