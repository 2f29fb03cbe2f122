//! What attributes and object classes there are, and how their values are checked and compared
//! (RFC 4512, 4517, 4518).
//!
//! In reading order:
//!
//! - this file: [`Schema`], which is immutable and swapped whole on reload, and its elements.
//! - [`shipped`]: the schema files inside the binary; [`build`] and [`resolve`]: text to
//!   [`Schema`].
//! - [`attribute_description`]: a type with its options, as it stands in requests.
//! - [`syntax`] and [`forms`]: which bytes are a value of a syntax.
//! - [`matching`]: the rules; [`normalize`], [`prepare`], [`number`], [`time`], [`component`]: the
//!   normal forms they compare.
//! - [`names`]: distinguished names to name keys (`docs/design/storage.md`).
//! - [`check`]: does an entry obey its classes?
//! - [`describe`]: the values of `cn=schema`.

mod attribute_description;
mod build;
pub mod check;
mod component;
mod describe;
mod forms;
mod lookup;
mod matching;
pub mod names;
mod normalize;
mod number;
mod prepare;
mod resolve;
mod shipped;
mod syntax;
#[cfg(test)]
mod tests;
pub(crate) mod time;

use std::sync::{Arc, OnceLock};

pub use attribute_description::{AttributeDescription, DescriptionError};
pub use build::SchemaError;
pub use describe::SubschemaValues;
pub use ldap::schema_text::{ClassKind, Usage};
pub use matching::{MatchingRule, Piece, RuleKind};
pub use syntax::Syntax;

use ldap::schema_text::{AttributeTypeDescription, ObjectClassDescription, SyntaxDescription};
use lookup::NameMap;

/// Why bytes are not a value of a syntax, or cannot be compared by a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct InvalidValue {
    /// What is wrong and what would be right, to follow "the value …".
    pub what: String,
}

impl InvalidValue {
    pub(crate) fn new(what: impl Into<String>) -> InvalidValue {
        InvalidValue { what: what.into() }
    }
}

/// One attribute type with everything it inherits resolved (RFC 4512 §2.5.1).
#[derive(Clone, Debug)]
pub struct AttributeType {
    /// Dense position in this schema; not stable across reloads.
    pub index: u32,
    pub oid: String,
    pub names: Vec<String>,
    /// The first name, or the OID of a type without names.
    pub name: String,
    /// `name` in lower case, as it stands in name keys.
    pub key: String,
    pub superior: Option<u32>,
    pub equality: Option<MatchingRule>,
    pub ordering: Option<MatchingRule>,
    pub substring: Option<MatchingRule>,
    pub syntax: Syntax,
    /// A suggested minimum upper bound, which is not enforced.
    pub length: Option<u32>,
    pub single_value: bool,
    pub collective: bool,
    pub no_user_modification: bool,
    pub usage: Usage,
    pub obsolete: bool,
    /// Itself and all its supertypes.
    ancestors: Vec<u32>,
    /// Itself and all its subtypes.
    descendants: Vec<u32>,
    description: AttributeTypeDescription,
}

impl AttributeType {
    pub fn is_operational(&self) -> bool {
        self.usage != Usage::UserApplications
    }

    /// Whether values are kept as rows of `links` (`docs/design/storage.md`, Links).
    pub fn is_link(&self) -> bool {
        matches!(self.syntax, Syntax::DistinguishedName | Syntax::NameAndOptionalUid)
            && !self.no_user_modification
            && self.usage == Usage::UserApplications
    }
}

/// One object class with what it inherits resolved (RFC 4512 §2.4).
#[derive(Clone, Debug)]
pub struct ObjectClass {
    /// Dense position in this schema; not stable across reloads.
    pub index: u32,
    pub oid: String,
    pub names: Vec<String>,
    /// The first name, or the OID of a class without names.
    pub name: String,
    pub kind: ClassKind,
    /// The classes named by SUP.
    pub superiors: Vec<u32>,
    /// Required attribute types, inherited ones included, sorted.
    pub must: Vec<u32>,
    /// Allowed attribute types, inherited ones included, sorted.
    pub may: Vec<u32>,
    pub obsolete: bool,
    /// An auxiliary class that may be an entry's only one, and is its structural class then:
    /// `posixGroup` is auxiliary in rfc2307bis and structural in RFC 2307, and exports of both must
    /// load. Written as `X-STANDS-ALONE 'TRUE'`.
    pub stands_alone: bool,
    /// Itself and all its superclasses, sorted.
    ancestors: Vec<u32>,
    /// Itself and all its subclasses, sorted.
    descendants: Vec<u32>,
    description: ObjectClassDescription,
}

/// Everything that is known about attributes and classes at one moment.
#[derive(Debug)]
pub struct Schema {
    attribute_types: Vec<AttributeType>,
    object_classes: Vec<ObjectClass>,
    /// Syntaxes that schema files declare and the code does not know; see [`Syntax::Other`].
    other_syntaxes: Vec<SyntaxDescription>,
    attribute_names: NameMap,
    class_names: NameMap,
}

impl Schema {
    /// The shipped schema, built once.
    #[allow(clippy::expect_used, reason = "the files are part of the binary and tested")]
    pub fn standard() -> Arc<Schema> {
        static STANDARD: OnceLock<Arc<Schema>> = OnceLock::new();
        let build = || Arc::new(Schema::with_files(&[]).expect("the shipped schema is sound"));
        Arc::clone(STANDARD.get_or_init(build))
    }

    /// The shipped schema and the operator's files (name, text), in any order of definition.
    pub fn with_files(files: &[(String, String)]) -> Result<Schema, SchemaError> {
        build::schema(files)
    }

    /// By name or OID, in any case, without options.
    pub fn attribute_type(&self, name_or_oid: &str) -> Option<&AttributeType> {
        self.attribute_types.get(self.attribute_names.find(name_or_oid)? as usize)
    }

    pub fn attribute_type_at(&self, index: u32) -> Option<&AttributeType> {
        self.attribute_types.get(index as usize)
    }

    /// By name or OID, in any case.
    pub fn object_class(&self, name_or_oid: &str) -> Option<&ObjectClass> {
        self.object_classes.get(self.class_names.find(name_or_oid)? as usize)
    }

    pub fn object_class_at(&self, index: u32) -> Option<&ObjectClass> {
        self.object_classes.get(index as usize)
    }

    /// By name or OID, in any case.
    pub fn matching_rule(&self, name_or_oid: &str) -> Option<MatchingRule> {
        MatchingRule::find(name_or_oid)
    }

    pub fn attribute_types(&self) -> impl Iterator<Item = &AttributeType> {
        self.attribute_types.iter()
    }

    pub fn object_classes(&self) -> impl Iterator<Item = &ObjectClass> {
        self.object_classes.iter()
    }

    pub fn matching_rules(&self) -> impl Iterator<Item = MatchingRule> + use<> {
        MatchingRule::all()
    }

    pub fn syntaxes(&self) -> impl Iterator<Item = Syntax> + use<> {
        Syntax::all().chain((0..self.other_syntaxes.len() as u32).map(Syntax::Other))
    }

    /// Whether `sub` is `of` or one of its subtypes.
    pub fn is_subtype(&self, sub: &AttributeType, of: &AttributeType) -> bool {
        sub.ancestors.contains(&of.index)
    }

    /// The type itself, then its subtypes.
    pub fn subtypes(&self, of: &AttributeType) -> impl Iterator<Item = &AttributeType> {
        of.descendants.iter().filter_map(|&index| self.attribute_type_at(index))
    }

    /// The type itself, then its supertypes, nearest first.
    pub fn supertypes(&self, of: &AttributeType) -> impl Iterator<Item = &AttributeType> {
        of.ancestors.iter().filter_map(|&index| self.attribute_type_at(index))
    }

    /// Whether `sub` is `of` or one of its subclasses.
    pub fn is_subclass(&self, sub: &ObjectClass, of: &ObjectClass) -> bool {
        sub.ancestors.binary_search(&of.index).is_ok()
    }

    /// The class itself and its superclasses.
    pub fn superclasses(&self, of: &ObjectClass) -> impl Iterator<Item = &ObjectClass> {
        of.ancestors.iter().filter_map(|&index| self.object_class_at(index))
    }

    /// The class itself and its subclasses. `(objectClass=person)` is answered by testing for each
    /// of these, so that an entry that lists only `inetOrgPerson` is found as in OpenLDAP, without
    /// values that nobody wrote (RFC 4512 §2.4.1 makes the superclasses implicit).
    pub fn subclasses(&self, of: &ObjectClass) -> impl Iterator<Item = &ObjectClass> {
        of.descendants.iter().filter_map(|&index| self.object_class_at(index))
    }

    /// The RFC 4512 §4.2 values of the subschema entry.
    pub fn describe(&self) -> SubschemaValues {
        describe::subschema(self)
    }
}
