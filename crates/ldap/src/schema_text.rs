//! RFC 4512 §4.1 descriptions as text: parsed, checked for form, printed; and the two file forms
//! OpenLDAP wraps around them (`.schema` with `attributetype`/`objectclass`/`objectidentifier`
//! lines, and LDIF with `attributeTypes`/`olcAttributeTypes` values).

mod file;
mod macros;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod tokens;

use std::fmt;

pub use file::{MAX_SCHEMA_FILE_BYTES, SchemaFileError};

/// The longest description that is read; the largest real ones are object classes near 10 kB.
pub const MAX_DESCRIPTION_BYTES: usize = 256 * 1024;

/// Why a text is not a description, and where: `offset` counts bytes from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaSyntaxError {
    pub offset: usize,
    pub what: String,
}

impl fmt::Display for SchemaSyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at character {} of the description: {}", self.offset + 1, self.what)
    }
}

impl std::error::Error for SchemaSyntaxError {}

/// `X-…` extensions, kept as they were.
pub type Extensions = Vec<(String, Vec<String>)>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    #[default]
    UserApplications,
    DirectoryOperation,
    DistributedOperation,
    DsaOperation,
}

impl Usage {
    pub const ALL: [Usage; 4] = [
        Usage::UserApplications,
        Usage::DirectoryOperation,
        Usage::DistributedOperation,
        Usage::DsaOperation,
    ];

    /// RFC 4512 §4.1.2 `usage`.
    pub fn name(self) -> &'static str {
        match self {
            Usage::UserApplications => "userApplications",
            Usage::DirectoryOperation => "directoryOperation",
            Usage::DistributedOperation => "distributedOperation",
            Usage::DsaOperation => "dSAOperation",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeTypeDescription {
    pub oid: String,
    pub names: Vec<String>,
    pub description: Option<String>,
    pub obsolete: bool,
    pub superior: Option<String>,
    pub equality: Option<String>,
    pub ordering: Option<String>,
    pub substring: Option<String>,
    pub syntax: Option<String>,
    /// The `{64}` after a syntax: a minimum upper bound, which servers may ignore.
    pub length: Option<u32>,
    pub single_value: bool,
    pub collective: bool,
    pub no_user_modification: bool,
    pub usage: Usage,
    pub extensions: Extensions,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClassKind {
    Abstract,
    #[default]
    Structural,
    Auxiliary,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectClassDescription {
    pub oid: String,
    pub names: Vec<String>,
    pub description: Option<String>,
    pub obsolete: bool,
    pub superiors: Vec<String>,
    pub kind: ClassKind,
    pub must: Vec<String>,
    pub may: Vec<String>,
    pub extensions: Extensions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchingRuleDescription {
    pub oid: String,
    pub names: Vec<String>,
    pub description: Option<String>,
    pub obsolete: bool,
    pub syntax: String,
    pub extensions: Extensions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchingRuleUseDescription {
    pub oid: String,
    pub names: Vec<String>,
    pub description: Option<String>,
    pub obsolete: bool,
    pub applies: Vec<String>,
    pub extensions: Extensions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyntaxDescription {
    pub oid: String,
    pub description: Option<String>,
    pub extensions: Extensions,
}

/// What one schema file holds, each with the line it began on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaFile {
    pub syntaxes: Vec<(u32, SyntaxDescription)>,
    pub attribute_types: Vec<(u32, AttributeTypeDescription)>,
    pub object_classes: Vec<(u32, ObjectClassDescription)>,
}
