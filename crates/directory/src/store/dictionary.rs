//! The numbers of attribute descriptions, wholly in memory: there are some hundreds.

use std::collections::HashMap;

use super::AttributeId;

/// Attribute descriptions and their numbers. Grows only; a number is never used again.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    by_name: HashMap<String, AttributeId>,
    names: Vec<String>,
}

impl Dictionary {
    /// The number of a description, given in lower case with its options sorted.
    pub fn id(&self, description_lower: &str) -> Option<AttributeId> {
        self.by_name.get(description_lower).copied()
    }

    /// The description as it was first written.
    pub fn name(&self, id: AttributeId) -> Option<&str> {
        let index = usize::try_from(id.0).ok()?.checked_sub(1)?;
        self.names.get(index).map(String::as_str)
    }

    /// All descriptions, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (AttributeId, &str)> {
        (1..).map(AttributeId).zip(self.names.iter().map(String::as_str))
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Gives the next number to a description that has none.
    pub(super) fn push(&mut self, description: &str) -> AttributeId {
        self.names.push(description.to_owned());
        let id = AttributeId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.by_name.insert(description.to_ascii_lowercase(), id);
        id
    }
}
