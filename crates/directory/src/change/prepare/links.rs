//! Values that name entries: they are rows of their own, so a group of a million gains a member at
//! the cost of an empty one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ldap::message::ModifyOperation;
use ldap::result::ResultCode;

use crate::catalogue::Described;
use crate::change::apply::{Explained, holds_no_integers, needs_value, repeated};
use crate::names::Resolved;
use crate::refusal::{Error, Fault, Refusal};
use crate::schema::names::NormalizedDn;
use crate::search::filter::split_uid;
use crate::store::names::hash16;
use crate::store::{AttributeId, EntryFlags, EntryId};
use crate::tree::Tree;

/// Where a value leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Entry(EntryId),
    /// The entry that is being added.
    Itself,
    /// No entry yet: the reversed name.
    Loose(Vec<u8>),
}

/// One row to write or remove.
#[derive(Clone, Debug)]
pub(crate) struct LinkChange {
    pub described: Arc<Described>,
    pub target: Target,
    /// None removes; else what the value has beyond the name (links), or the whole value (loose).
    pub text: Option<Vec<u8>>,
    /// The value as the client wrote it, for the change log.
    pub value: Vec<u8>,
}

/// The link values of one entry while a change is prepared: rows, and what the change did so far.
pub(crate) struct Links<'l, 't> {
    tree: &'l Tree<'t>,
    /// None where no row can be there: while the entry is being added, or by its record's flags.
    from: Option<EntryId>,
    /// The entry's own name, which is not in the tree yet while it is being added.
    own_name: Option<&'l NormalizedDn>,
    cleared: HashSet<String>,
    state: HashMap<(String, Target), bool>,
    changes: Vec<LinkChange>,
}

impl<'l, 't> Links<'l, 't> {
    pub(crate) fn of(tree: &'l Tree<'t>, from: EntryId, flags: EntryFlags) -> Links<'l, 't> {
        Links::new(tree, (flags.has_links || flags.has_loose).then_some(from), None)
    }

    pub(crate) fn of_new(tree: &'l Tree<'t>, own_name: &'l NormalizedDn) -> Links<'l, 't> {
        Links::new(tree, None, Some(own_name))
    }

    fn new(
        tree: &'l Tree<'t>,
        from: Option<EntryId>,
        own_name: Option<&'l NormalizedDn>,
    ) -> Links<'l, 't> {
        Links {
            tree,
            from,
            own_name,
            cleared: HashSet::new(),
            state: HashMap::new(),
            changes: Vec::new(),
        }
    }

    pub(crate) fn into_changes(self) -> Vec<LinkChange> {
        self.changes
    }

    /// Applies one modification of a link attribute.
    pub(crate) fn apply(
        &mut self,
        modification: &Explained<'_>,
        permissive: bool,
    ) -> Result<(), Error> {
        let described = &modification.described;
        match modification.operation {
            ModifyOperation::Add if modification.values.is_empty() => {
                Err(needs_value(described).into())
            }
            ModifyOperation::Add => self.add(described, modification.values, permissive),
            ModifyOperation::Delete if modification.values.is_empty() => {
                if !self.clear(described)? && !permissive {
                    return Err(no_such(described, "the entry has no").into());
                }
                Ok(())
            }
            ModifyOperation::Delete => self.delete(described, modification.values, permissive),
            ModifyOperation::Replace => self.replace(described, modification.values),
            ModifyOperation::Increment => Err(holds_no_integers(described).into()),
        }
    }

    fn add(
        &mut self,
        described: &Arc<Described>,
        values: &[Vec<u8>],
        permissive: bool,
    ) -> Result<(), Error> {
        for value in values {
            let (target, text) = self.target(described, value)?;
            if !self.has(described, &target)? {
                self.set(described, target, Some(text), value);
            } else if !permissive {
                return Err(Refusal::new(
                    ResultCode::ATTRIBUTE_OR_VALUE_EXISTS,
                    format!(
                        "'{}' already has '{}'",
                        described.text,
                        String::from_utf8_lossy(value)
                    ),
                )
                .into());
            }
        }
        Ok(())
    }

    fn delete(
        &mut self,
        described: &Arc<Described>,
        values: &[Vec<u8>],
        permissive: bool,
    ) -> Result<(), Error> {
        for value in values {
            let (target, _) = self.target(described, value)?;
            if self.has(described, &target)? {
                self.set(described, target, None, value);
            } else if !permissive {
                let what =
                    format!("'{}' is not among the values of", String::from_utf8_lossy(value));
                return Err(no_such(described, &what).into());
            }
        }
        Ok(())
    }

    /// Replacing keeps the rows that stay, so replacing a large group by itself plus one is cheap
    /// to store.
    fn replace(&mut self, described: &Arc<Described>, values: &[Vec<u8>]) -> Result<(), Error> {
        let mut wanted = HashMap::new();
        for value in values {
            let (target, text) = self.target(described, value)?;
            if wanted.insert(target, (text, value)).is_some() {
                return Err(repeated(described).into());
            }
        }
        for (target, value) in self.present(described)? {
            if wanted.remove(&target).is_none() {
                self.set(described, target, None, &value);
            }
        }
        let mut added: Vec<_> = wanted.into_iter().collect();
        added.sort_by(|one, other| one.1.1.cmp(other.1.1));
        for (target, (text, value)) in added {
            self.set(described, target, Some(text), value);
        }
        Ok(())
    }

    /// Removes all values; false if there were none.
    fn clear(&mut self, described: &Arc<Described>) -> Result<bool, Error> {
        let present = self.present(described)?;
        let any = !present.is_empty();
        for (target, value) in present {
            self.set(described, target, None, &value);
        }
        self.cleared.insert(described.key.clone());
        Ok(any)
    }

    fn set(
        &mut self,
        described: &Arc<Described>,
        target: Target,
        text: Option<Vec<u8>>,
        value: &[u8],
    ) {
        self.state.insert((described.key.clone(), target.clone()), text.is_some());
        let described = described.clone();
        self.changes.push(LinkChange { described, target, text, value: value.to_vec() });
    }

    fn target(&self, described: &Described, value: &[u8]) -> Result<(Target, Vec<u8>), Error> {
        let invalid = |what: String| {
            let message = format!("a value of '{}' must be a name: {what}", described.text);
            Error::from(Refusal::new(ResultCode::INVALID_ATTRIBUTE_SYNTAX, message))
        };
        let text = std::str::from_utf8(value).map_err(|_| invalid("it is not UTF-8".to_owned()))?;
        let (name, uid) = split_uid(text);
        let normalized = self.tree.normalize(name).map_err(|refusal| invalid(refusal.message))?;
        if normalized.keys.is_empty() {
            return Err(invalid("the empty name is the root DSE's".to_owned()));
        }
        if self.own_name.is_some_and(|own| own.keys == normalized.keys) {
            return Ok((Target::Itself, uid.as_bytes().to_vec()));
        }
        Ok(match self.tree.resolve(&normalized)? {
            Resolved::Found(id) => (Target::Entry(id), uid.as_bytes().to_vec()),
            Resolved::Missing { .. } => (Target::Loose(normalized.reversed()), value.to_vec()),
        })
    }

    fn id(&self, described: &Described) -> Option<AttributeId> {
        self.tree.catalogue.id(&described.key)
    }

    fn has(&self, described: &Described, target: &Target) -> Result<bool, Fault> {
        if let Some(state) = self.state.get(&(described.key.clone(), target.clone())) {
            return Ok(*state);
        }
        let (Some(from), Some(id)) = (self.from, self.id(described)) else { return Ok(false) };
        match target {
            Target::Entry(to) => self.tree.reader.has_link(from, id, *to),
            Target::Loose(reversed) => {
                Ok(self.tree.reader.loose_value(from, id, &hash16(reversed))?.is_some())
            }
            Target::Itself => Ok(false),
        }
    }

    /// All values now, with what the change log would call them.
    fn present(&self, described: &Described) -> Result<Vec<(Target, Vec<u8>)>, Error> {
        let mut present = Vec::new();
        if let (Some(from), Some(id)) = (self.from, self.id(described)) {
            for link in self.tree.reader.links_of(from, id)? {
                let link = link?;
                let mut value = self.tree.dn(link.to)?.into_bytes();
                value.extend_from_slice(link.text);
                present.push((Target::Entry(link.to), value));
            }
            for loose in self.tree.reader.loose_of(from, id)? {
                let value = loose?.value.to_vec();
                let reversed = self.reversed(&value)?;
                present.push((Target::Loose(reversed), value));
            }
        }
        present.retain(|(target, _)| {
            self.state.get(&(described.key.clone(), target.clone())) != Some(&false)
        });
        for change in self.changes.iter().filter(|change| change.described.key == described.key) {
            let there = self.state.get(&(described.key.clone(), change.target.clone()));
            let listed = present.iter().any(|(target, _)| *target == change.target);
            if there == Some(&true) && !listed {
                present.push((change.target.clone(), change.value.clone()));
            }
        }
        Ok(present)
    }

    fn reversed(&self, value: &[u8]) -> Result<Vec<u8>, Error> {
        let text = std::str::from_utf8(value).unwrap_or_default();
        Ok(self.tree.normalize(split_uid(text).0)?.reversed())
    }

    /// How many values an attribute has, counted no further than `enough`.
    pub(crate) fn count(&self, described: &Described, enough: usize) -> Result<usize, Fault> {
        let own = self.state.iter().filter(|((key, _), _)| *key == described.key);
        let added = own.clone().filter(|(_, there)| **there).count();
        if added >= enough {
            return Ok(enough);
        }
        let (Some(from), Some(id)) = (self.from, self.id(described)) else { return Ok(added) };
        let mut count = added;
        let changed =
            |target: &Target| self.state.contains_key(&(described.key.clone(), target.clone()));
        for link in self.tree.reader.links_of(from, id)? {
            if !changed(&Target::Entry(link?.to)) {
                count += 1;
            }
            if count >= enough {
                return Ok(enough);
            }
        }
        for loose in self.tree.reader.loose_of(from, id)? {
            let reversed = self.reversed(loose?.value).unwrap_or_default();
            count += usize::from(!changed(&Target::Loose(reversed)));
        }
        Ok(count.min(enough))
    }

    /// Whether the attribute had no value before the change.
    pub(crate) fn was_empty(&self, described: &Described) -> Result<bool, Fault> {
        let (Some(from), Some(id)) = (self.from, self.id(described)) else { return Ok(true) };
        let reader = &self.tree.reader;
        let linked = reader.links_of(from, id)?.next().transpose()?.is_some();
        Ok(!linked && reader.loose_of(from, id)?.next().transpose()?.is_none())
    }

    /// Every link attribute that could have values: those in the dictionary, and those just used.
    pub(crate) fn attributes(&self) -> Vec<Arc<Described>> {
        let mut found: Vec<Arc<Described>> = match self.from {
            Some(_) => self.tree.catalogue.link_attributes().cloned().collect(),
            None => Vec::new(),
        };
        for change in &self.changes {
            if !found.iter().any(|described| described.key == change.described.key) {
                found.push(change.described.clone());
            }
        }
        found
    }
}

fn no_such(described: &Described, what: &str) -> Refusal {
    Refusal::new(ResultCode::NO_SUCH_ATTRIBUTE, format!("{what} '{}'", described.text))
}
