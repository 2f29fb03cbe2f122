//! The one question that reading asks of the access rules.

use crate::access::{AttributeClass, EntryAccess, Rights, Target};
use crate::catalogue::Described;
use crate::refusal::Fault;

/// Whether something may be done with an attribute of the entry at hand.
pub(crate) trait Permits {
    /// By the key of the attribute's type.
    fn permits(&self, type_key: &str, needed: Rights) -> Result<bool, Fault>;

    fn permits_described(&self, described: &Described, needed: Rights) -> Result<bool, Fault> {
        self.permits(&described.type_key, needed)
    }

    /// By the class of the attribute under the rules in force.
    fn may_read_class(&self, class: AttributeClass) -> Result<bool, Fault>;

    fn may_search(&self, described: &Described) -> Result<bool, Fault> {
        self.permits_described(described, Rights::SEARCH)
    }

    fn may_read(&self, described: &Described) -> Result<bool, Fault> {
        self.permits_described(described, Rights::READ)
    }

    fn may_search_type(&self, type_key: &str) -> Result<bool, Fault> {
        self.permits(type_key, Rights::SEARCH)
    }

    fn may_read_type(&self, type_key: &str) -> Result<bool, Fault> {
        self.permits(type_key, Rights::READ)
    }
}

impl<T: Target> Permits for EntryAccess<'_, T> {
    fn permits(&self, type_key: &str, needed: Rights) -> Result<bool, Fault> {
        Ok(self.attribute(type_key)?.allows(needed))
    }

    fn may_read_class(&self, class: AttributeClass) -> Result<bool, Fault> {
        Ok(self.class(class)?.allows(Rights::READ))
    }

    #[inline]
    fn permits_described(&self, described: &Described, needed: Rights) -> Result<bool, Fault> {
        let rights = self.remembered(&described.type_key, &described.access_class)?;
        Ok(rights.allows(needed))
    }
}

/// The directory itself asks: access rules' own filters, integrity checks.
pub(crate) struct IgnoringAccess;

impl Permits for IgnoringAccess {
    fn permits(&self, _: &str, _: Rights) -> Result<bool, Fault> {
        Ok(true)
    }

    fn may_read_class(&self, _: AttributeClass) -> Result<bool, Fault> {
        Ok(true)
    }
}
