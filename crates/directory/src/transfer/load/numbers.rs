//! The numbers of attribute descriptions while a load is under way: given out on any thread,
//! entered in the dictionary by the one that writes, before the first record that has them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::catalogue::Catalogue;
use crate::refusal::Fault;
use crate::store::AttributeId;
use crate::store::bulk::BulkWriter;

pub(super) struct Numbers(Mutex<Given>);

struct Given {
    by_key: HashMap<String, AttributeId>,
    next: u32,
    /// In the order of their numbers, as they are to be written.
    new: Vec<(AttributeId, String)>,
}

impl Numbers {
    pub(super) fn new(catalogue: &Catalogue) -> Numbers {
        let mut by_key = HashMap::new();
        let mut next = 1;
        for (id, described) in catalogue.iter() {
            by_key.insert(described.key.clone(), id);
            next = next.max(id.0 + 1);
        }
        Numbers(Mutex::new(Given { by_key, next, new: Vec::new() }))
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(&self, key: &str, text: &str) -> AttributeId {
        let mut given = self.given();
        if let Some(id) = given.by_key.get(key) {
            return *id;
        }
        let id = AttributeId(given.next);
        given.next += 1;
        given.by_key.insert(key.to_owned(), id);
        given.new.push((id, text.to_owned()));
        id
    }

    /// Enters what was given out since the last time.
    pub(super) fn enter(&self, bulk: &mut BulkWriter<'_>) -> Result<(), Fault> {
        let new = std::mem::take(&mut self.given().new);
        for (id, text) in new {
            if bulk.attribute_id_or_new(&text)? != id {
                let what = format!("the dictionary has another number for '{text}'");
                return Err(Fault::Damaged { what });
            }
        }
        Ok(())
    }
}
