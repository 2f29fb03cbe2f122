//! The one question that reading asks of the access rules.

use crate::access::{EntryAccess, Rights, Target};
use crate::refusal::Fault;

/// Whether something may be done with an attribute of the entry at hand.
pub(crate) trait Permits {
    fn permits(&self, type_key: &str, needed: Rights) -> Result<bool, Fault>;

    fn may_search(&self, type_key: &str) -> Result<bool, Fault> {
        self.permits(type_key, Rights::SEARCH)
    }

    fn may_read(&self, type_key: &str) -> Result<bool, Fault> {
        self.permits(type_key, Rights::READ)
    }
}

impl<T: Target> Permits for EntryAccess<'_, T> {
    fn permits(&self, type_key: &str, needed: Rights) -> Result<bool, Fault> {
        Ok(self.attribute(type_key)?.allows(needed))
    }
}

/// The directory itself asks: access rules' own filters, integrity checks.
pub(crate) struct IgnoringAccess;

impl Permits for IgnoringAccess {
    fn permits(&self, _: &str, _: Rights) -> Result<bool, Fault> {
        Ok(true)
    }
}
