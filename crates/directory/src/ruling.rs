//! What is in force beside the data: the schema with the numbers of attributes, the suffixes, the
//! access rules, the indexes. Replaced as a whole, so that a view never mixes two of them and
//! takes hold of all with one load.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};

use crate::access::{AccessRules, AttributeClass};
use crate::catalogue::Catalogue;
use crate::index::Indexes;
use crate::names::Suffixes;
use crate::store::AttributeId;

#[derive(Clone)]
pub(crate) struct Ruling {
    pub catalogue: Arc<Catalogue>,
    pub suffixes: Arc<Suffixes>,
    pub rules: Arc<AccessRules>,
    pub indexes: Arc<Indexes>,
    pub kinds: Kinds,
}

impl Ruling {
    pub(crate) fn new(
        catalogue: Arc<Catalogue>,
        suffixes: Arc<Suffixes>,
        rules: Arc<AccessRules>,
        indexes: Arc<Indexes>,
    ) -> Ruling {
        let kinds = Kinds::new(&catalogue, &rules);
        Ruling { catalogue, suffixes, rules, indexes, kinds }
    }
}

/// What answering asks of an attribute, for each number: an entry has dozens of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds(Vec<Option<Kind>>);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub operational: bool,
    pub class: AttributeClass,
    /// Of the class, in a set of them; 0 where it has no place there.
    pub bit: u64,
}

impl Kinds {
    fn new(catalogue: &Catalogue, rules: &AccessRules) -> Kinds {
        let mut kinds = Vec::new();
        for (id, described) in catalogue.iter() {
            let class = rules.class_of(&described.type_key);
            kinds.resize(id.0 as usize, None);
            let bit = 1u64.checked_shl(class.0).unwrap_or_default();
            kinds.push(Some(Kind { operational: described.operational, class, bit }));
        }
        Kinds(kinds)
    }

    /// None of a number that was given out since.
    #[inline]
    pub(crate) fn of(&self, id: AttributeId) -> Option<Kind> {
        self.0.get(id.0 as usize).copied().flatten()
    }
}

/// The ruling of now.
pub(crate) struct InForce {
    now: ArcSwap<Ruling>,
    /// Held by whoever replaces it, from the look at the earlier one on.
    replacing: Mutex<()>,
}

impl InForce {
    pub(crate) fn new(ruling: Ruling) -> InForce {
        InForce { now: ArcSwap::from_pointee(ruling), replacing: Mutex::new(()) }
    }

    /// For as long as a request takes: each thread can hold a few of these cheaply.
    pub(crate) fn load(&self) -> Guard<Arc<Ruling>> {
        self.now.load()
    }

    pub(crate) fn replace<E>(
        &self,
        next: impl FnOnce(&Ruling) -> Result<Ruling, E>,
    ) -> Result<(), E> {
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next(&self.now.load())?;
        self.now.store(Arc::new(next));
        Ok(())
    }

    /// The numbers that only `catalogue` knows are in force while `act` makes the rows durable
    /// that hold them, and afterwards unless it fails.
    pub(crate) fn with_numbers<T, E>(
        &self,
        catalogue: &Arc<Catalogue>,
        act: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.now.load_full();
        let catalogue = match Arc::ptr_eq(&before.catalogue.schema, &catalogue.schema) {
            true => Arc::clone(catalogue),
            // Another schema came into force meanwhile.
            false => Arc::new(before.catalogue.with_numbers_of(catalogue)),
        };
        let Ruling { suffixes, rules, indexes, .. } = Ruling::clone(&before);
        self.now.store(Arc::new(Ruling::new(catalogue, suffixes, rules, indexes)));
        let done = act();
        if done.is_err() {
            self.now.store(before);
        }
        done
    }
}
