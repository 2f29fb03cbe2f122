//! Deciding: the rules once for an asker, then for each entry, each rule at most once per entry.

use std::cell::Cell;
use std::sync::Arc;

use smallvec::SmallVec;

use super::attributes::{AttributeClass, ClassMemo, ClassSet};
use super::mask::RuleMask;
use super::rights::Rights;
use super::rule::{AccessRules, NameIndex, Place, PlaceScope, Rule, WhoTerm};
use crate::refusal::Fault;
use crate::store::EntryId;
use crate::subject::{Subject, Who};

/// What the rules ask about the tree, in one snapshot. A fault ends the operation: taking it for
/// "no" would skip a rule that denies.
pub trait Tree {
    /// The entry of this name; none when there is none now.
    fn resolve(&self, dn: &str) -> Result<Option<EntryId>, Fault>;
    /// Whether `entry` is below `ancestor`, at any depth; an entry is not below itself.
    fn is_below(&self, entry: EntryId, ancestor: EntryId) -> Result<bool, Fault>;
    /// Whether the group names the asker in member or uniqueMember, through nested groups too.
    fn is_member(&self, asker: EntryId, group: EntryId) -> Result<bool, Fault>;
    /// Whether the role names the asker in roleOccupant.
    fn is_occupant(&self, asker: EntryId, role: EntryId) -> Result<bool, Fault>;
}

/// What the rules ask about the entry they decide on, whoever asks: no access is checked in here.
pub trait Target {
    /// None while the entry is being added.
    fn id(&self) -> Option<EntryId>;
    /// The entry above; none for a suffix.
    fn parent(&self) -> Option<EntryId>;
    /// Whether it is below `ancestor`, at any depth; an entry is not below itself.
    fn is_below(&self, ancestor: EntryId) -> Result<bool, Fault>;
    /// Whether this is its name. Only asked of an entry that is being added.
    fn is_named(&self, dn: &str) -> Result<bool, Fault>;
    /// Whether the filter is true of it; Undefined is not true.
    fn satisfies(&self, filter: &super::RuleFilter) -> Result<bool, Fault>;
    /// Whether this DN attribute (key of its type) has a value that names `asker`.
    fn names(&self, attribute: &str, asker: EntryId) -> Result<bool, Fault>;
}

/// What was decided, and by which rule (from 0). No rule: nothing matched, or the operator asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub rights: Rights,
    pub rule: Option<usize>,
}

/// The rules as far as they can be known from the asker alone. Good for one snapshot: group
/// membership and the entries that names stand for may be others in the next.
#[derive(Clone, Debug)]
pub struct AskerRules {
    pub(crate) rules: Arc<AccessRules>,
    is_operator: bool,
    asker: Option<EntryId>,
    /// Rules that speak of this asker from this address, whatever the entry ...
    always: RuleMask,
    /// ... or depending on the entry (`self`, `value-of`).
    perhaps: RuleMask,
    /// Both of them together: all that need a look.
    possible: RuleMask,
    /// What each of the rules' names stands for.
    resolved: Arc<[Option<EntryId>]>,
}

impl AccessRules {
    /// Decides once, without keeping anything. Searches use `for_asker` and `for_entry`.
    pub fn decide(
        self: &Arc<Self>,
        subject: &Subject,
        tree: &impl Tree,
        target: &impl Target,
        attribute: Option<&str>,
    ) -> Result<Decision, Fault> {
        let class = attribute.map_or(AttributeClass::ENTRY, |key| self.class_of(key));
        let resolved = self.resolve_names(tree)?;
        self.for_asker(subject, tree, resolved)?.for_entry(target).decide(class)
    }

    /// What each of the rules' names stands for in this snapshot.
    pub fn resolve_names(&self, tree: &impl Tree) -> Result<Arc<[Option<EntryId>]>, Fault> {
        self.names.iter().map(|dn| tree.resolve(dn)).collect()
    }

    /// The rules that can apply to this asker, given what `resolve_names` found.
    pub fn for_asker(
        self: &Arc<Self>,
        subject: &Subject,
        tree: &impl Tree,
        resolved: Arc<[Option<EntryId>]>,
    ) -> Result<AskerRules, Fault> {
        let mut asker = AskerRules {
            rules: Arc::clone(self),
            is_operator: subject.who == Who::Operator,
            asker: subject.entry(),
            always: RuleMask::default(),
            perhaps: RuleMask::default(),
            possible: RuleMask::default(),
            resolved,
        };
        for (index, rule) in self.rules.iter().enumerate() {
            if !asker.is_operator && speaks_from(rule, subject) {
                asker.sort_in(index, rule, subject, tree)?;
            }
        }
        Ok(asker)
    }
}

pub(crate) fn speaks_from(rule: &Rule, subject: &Subject) -> bool {
    rule.from.is_empty() || rule.from.iter().any(|network| network.holds(subject.address))
}

impl AskerRules {
    fn sort_in(
        &mut self,
        index: usize,
        rule: &Rule,
        subject: &Subject,
        tree: &impl Tree,
    ) -> Result<(), Fault> {
        for term in &rule.who {
            if self.always_meant(term, subject, tree)? {
                self.always.insert(index);
                self.possible.insert(index);
                return Ok(());
            }
        }
        let by_entry = |term| matches!(term, &WhoTerm::Oneself | &WhoTerm::ValueOf(_));
        if self.asker.is_some() && rule.who.iter().any(by_entry) {
            self.perhaps.insert(index);
            self.possible.insert(index);
        }
        Ok(())
    }

    fn always_meant(
        &self,
        term: &WhoTerm,
        subject: &Subject,
        tree: &impl Tree,
    ) -> Result<bool, Fault> {
        let named = |name: &NameIndex| Some((self.asker?, self.resolve(*name)?));
        Ok(match term {
            WhoTerm::Anyone => true,
            WhoTerm::Anonymous => subject.who == Who::Anonymous,
            WhoTerm::SignedIn => subject.who != Who::Anonymous,
            WhoTerm::Oneself | WhoTerm::ValueOf(_) => false,
            WhoTerm::Entry(name) => named(name).is_some_and(|(asker, entry)| asker == entry),
            WhoTerm::Group(name) => match named(name) {
                Some((asker, group)) => tree.is_member(asker, group)?,
                None => false,
            },
            WhoTerm::Role(name) => match named(name) {
                Some((asker, role)) => tree.is_occupant(asker, role)?,
                None => false,
            },
            WhoTerm::Subtree(name) => match named(name) {
                Some((asker, top)) => asker == top || tree.is_below(asker, top)?,
                None => false,
            },
        })
    }

    pub(crate) fn resolve(&self, name: NameIndex) -> Option<EntryId> {
        self.resolved.get(name.0).copied().flatten()
    }

    pub fn rules(&self) -> &Arc<AccessRules> {
        &self.rules
    }

    /// Whether any of the rules that can apply depends on what an entry holds, not only on which
    /// entry it is and where it stands.
    pub fn looks_into_entries(&self) -> bool {
        let by_value = |term: &WhoTerm| matches!(term, WhoTerm::ValueOf(_));
        self.possible
            .iter()
            .filter_map(|index| self.rules.rules.get(index))
            .any(|rule| rule.filter.is_some() || rule.who.iter().any(by_value))
    }

    /// The rules for this asker and this entry.
    pub fn for_entry<'a, T: Target>(&'a self, target: &'a T) -> EntryAccess<'a, T> {
        EntryAccess {
            asker: self,
            target,
            known: Cell::default(),
            applies: Cell::default(),
            decided: Cell::default(),
            rights: Default::default(),
        }
    }
}

/// The rules for one asker and one entry. Each rule is tried when first needed and never again.
#[derive(Debug)]
pub struct EntryAccess<'a, T> {
    pub(crate) asker: &'a AskerRules,
    pub(crate) target: &'a T,
    known: Cell<RuleMask>,
    applies: Cell<RuleMask>,
    /// The first classes, which are nearly all there are: a bit for each that is decided ...
    decided: Cell<u32>,
    /// ... and what was decided.
    rights: [Cell<Rights>; DECIDED_MAX],
}

/// How many attribute classes an entry's decisions are remembered for.
const DECIDED_MAX: usize = 16;

impl<T: Target> EntryAccess<'_, T> {
    /// Rights on the entry itself: to see that it is there, create, rename or remove it.
    pub fn entry(&self) -> Result<Rights, Fault> {
        self.class(AttributeClass::ENTRY)
    }

    /// Rights on an attribute, by the key of its type (lower case).
    pub fn attribute(&self, key: &str) -> Result<Rights, Fault> {
        self.class(self.asker.rules.class_of(key))
    }

    /// The same where the attribute remembers its class.
    #[inline]
    pub(crate) fn remembered(&self, key: &str, memo: &ClassMemo) -> Result<Rights, Fault> {
        self.class(self.asker.rules.classes.remembered(key, memo))
    }

    /// Rights on an attribute whose class is known.
    #[inline]
    pub fn class(&self, class: AttributeClass) -> Result<Rights, Fault> {
        let slot = self.rights.get(class.0 as usize);
        let Some(slot) = slot else { return Ok(self.decide(class)?.rights) };
        let (decided, bit) = (self.decided.get(), 1 << class.0);
        if decided & bit == 0 {
            slot.set(self.decide(class)?.rights);
            // Deciding may have asked for other classes meanwhile.
            self.decided.set(self.decided.get() | bit);
        }
        Ok(slot.get())
    }

    /// First match decides; nothing matching denies.
    pub fn decide(&self, class: AttributeClass) -> Result<Decision, Fault> {
        if self.asker.is_operator {
            return Ok(Decision { rights: Rights::MANAGE, rule: None });
        }
        let speaking = self.asker.rules.classes.rules(class).and(&self.asker.possible);
        for index in speaking.iter() {
            if let Some(rule) = self.asker.rules.rules.get(index)
                && self.applies(index, rule)?
            {
                return Ok(Decision { rights: rule.rights, rule: Some(index) });
            }
        }
        Ok(Decision { rights: Rights::NONE, rule: None })
    }

    fn applies(&self, index: usize, rule: &Rule) -> Result<bool, Fault> {
        let mut known = self.known.get();
        if known.contains(index) {
            return Ok(self.applies.get().contains(index));
        }
        let applies = self.means_asker(index, rule)?
            && self.means_place(rule)?
            && self.satisfies_filter(rule)?;
        known.insert(index);
        self.known.set(known);
        if applies {
            let mut all = self.applies.get();
            all.insert(index);
            self.applies.set(all);
        }
        Ok(applies)
    }

    pub(crate) fn means_asker(&self, index: usize, rule: &Rule) -> Result<bool, Fault> {
        if self.asker.always.contains(index) {
            return Ok(true);
        }
        if !self.asker.perhaps.contains(index) {
            return Ok(false);
        }
        let Some(asker) = self.asker.asker else { return Ok(false) };
        any(&rule.who, |term| match term {
            WhoTerm::Oneself => Ok(self.target.id() == Some(asker)),
            WhoTerm::ValueOf(attribute) => self.target.names(attribute, asker),
            _ => Ok(false),
        })
    }

    pub(crate) fn means_place(&self, rule: &Rule) -> Result<bool, Fault> {
        Ok(rule.on.is_empty() || any(&rule.on, |place| self.is_at(place))?)
    }

    fn is_at(&self, place: &Place) -> Result<bool, Fault> {
        let top = self.asker.resolve(place.name);
        let below = |top: Option<EntryId>| match top {
            Some(top) => self.target.is_below(top),
            None => Ok(false),
        };
        match place.scope {
            PlaceScope::Entry => self.is_entry(place.name),
            PlaceScope::Children => Ok(top.is_some() && self.target.parent() == top),
            PlaceScope::Below => below(top),
            PlaceScope::Subtree => Ok(self.is_entry(place.name)? || below(top)?),
        }
    }

    fn is_entry(&self, name: NameIndex) -> Result<bool, Fault> {
        let entry = self.asker.resolve(name);
        match (self.target.id(), self.asker.rules.names.get(name.0)) {
            (Some(id), _) => Ok(entry == Some(id)),
            (None, Some(dn)) => self.target.is_named(dn),
            (None, None) => Ok(false),
        }
    }

    pub(crate) fn satisfies_filter(&self, rule: &Rule) -> Result<bool, Fault> {
        match rule.filter.and_then(|filter| self.asker.rules.filters.get(filter)) {
            Some(filter) => self.target.satisfies(filter),
            None => Ok(true),
        }
    }

    /// The attribute classes on which all of `needed` is allowed.
    pub fn allowed(&self, needed: Rights) -> Result<ClassSet, Fault> {
        let mut set = ClassSet::default();
        for index in 0..self.asker.rules.classes.list.len() {
            let class = AttributeClass(u32::try_from(index).unwrap_or(u32::MAX));
            if self.class(class)?.allows(needed) {
                set.insert(class);
            }
        }
        Ok(set)
    }

    /// Which user attributes may be read, so that projection can copy whole ranges.
    pub fn readable_user_attributes(&self) -> Result<UserAttributes<'_>, Fault> {
        let readable = self.allowed(Rights::READ)?;
        let mostly = readable.contains(AttributeClass::USER);
        let classes = &self.asker.rules.classes.list;
        let others = (0..)
            .map(AttributeClass)
            .zip(classes)
            .filter(|(index, class)| !class.operational && readable.contains(*index) != mostly);
        let names = others.flat_map(|(_, class)| class.names.iter().map(String::as_str)).collect();
        Ok(if mostly { UserAttributes::AllExcept(names) } else { UserAttributes::Only(names) })
    }
}

/// User attributes by the keys of their types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAttributes<'r> {
    AllExcept(SmallVec<[&'r str; 24]>),
    Only(SmallVec<[&'r str; 24]>),
}

fn any<I>(items: &[I], mut test: impl FnMut(&I) -> Result<bool, Fault>) -> Result<bool, Fault> {
    for item in items {
        if test(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}
