//! Schema files: OpenLDAP's `.schema` form, and LDIF as `cn=schema` and `cn=config` export it.
//! Which of the two it is shows in the first line that is not a comment.

use std::borrow::Cow;
use std::fmt;

use super::macros::Macros;
use super::parse::{Description, description};
use super::*;
use crate::ldif::{self, LdifValue};

/// Real files stay below 1 MB; Active Directory's whole schema as LDIF is about 3 MB.
pub const MAX_SCHEMA_FILE_BYTES: usize = 32 * 1024 * 1024;

/// Why a file is no schema, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFileError {
    /// The name that was given for the file.
    pub name: String,
    pub line: u32,
    pub what: String,
}

impl fmt::Display for SchemaFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, line {}: {}", self.name, self.line, self.what)
    }
}

impl std::error::Error for SchemaFileError {}

/// Line and sentence; the file's name is added at the end.
type Fault = (u32, String);

impl SchemaFile {
    /// Reads a file in either form. `name` is only for messages.
    pub fn parse(text: &str, name: &str) -> Result<SchemaFile, SchemaFileError> {
        read(text.strip_prefix('\u{feff}').unwrap_or(text))
            .map_err(|(line, what)| SchemaFileError { name: name.to_owned(), line, what })
    }
}

fn read(text: &str) -> Result<SchemaFile, Fault> {
    if text.len() > MAX_SCHEMA_FILE_BYTES {
        return Err((1, format!("a schema file may be {MAX_SCHEMA_FILE_BYTES} bytes at most")));
    }
    let statements = if is_ldif(text) { ldif_statements(text)? } else { statements(text)? };
    let mut macros = Macros::default();
    for statement in statements.iter().filter(|one| one.kind == Kind::ObjectIdentifier) {
        macros.define(&statement.text).map_err(|what| (statement.line, what))?;
    }
    let mut file = SchemaFile::default();
    for one in &statements {
        match one.kind {
            Kind::AttributeType => file.attribute_types.push((one.line, one.parsed(&macros)?)),
            Kind::ObjectClass => file.object_classes.push((one.line, one.parsed(&macros)?)),
            Kind::Syntax => file.syntaxes.push((one.line, one.parsed(&macros)?)),
            Kind::ObjectIdentifier | Kind::Ignored => {}
        }
    }
    Ok(file)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AttributeType,
    ObjectClass,
    Syntax,
    ObjectIdentifier,
    /// Known, and nothing that is needed here.
    Ignored,
}

/// One definition as text.
struct Statement<'a> {
    line: u32,
    kind: Kind,
    text: Cow<'a, str>,
    /// Whether line breaks in `text` are those of the file, so that a fault's line can be told.
    keeps_lines: bool,
}

impl Statement<'_> {
    fn parsed<T: Description>(&self, macros: &Macros) -> Result<T, Fault> {
        description(&self.text, macros).map_err(|error| {
            let before = self.text.get(..error.offset).filter(|_| self.keeps_lines);
            let breaks = before.unwrap_or_default().matches('\n').count();
            let line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
            (line, self.in_context(&error))
        })
    }

    /// The sentence, with the beginning of the definition unless it is the fault's own.
    fn in_context(&self, error: &SchemaSyntaxError) -> String {
        const SHOWN: usize = 40;
        let mut words = self.text.split_ascii_whitespace();
        let start: String = words.by_ref().take(4).collect::<Vec<_>>().join(" ");
        let shown: String = start.chars().take(SHOWN).collect();
        format!("{} (in `{shown} …`)", error.what)
    }
}

/// In LDIF a colon follows the first word.
fn is_ldif(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    let Some(first) = lines.find(|line| !line.is_empty() && !line.starts_with('#')) else {
        return false;
    };
    let word = first.split([' ', '\t', '(']).next().unwrap_or_default();
    word.contains(':')
}

/// The `.schema` form: a line that begins with white space continues the one before. So does one
/// that begins with a parenthesis, which can mean nothing else; comments may stand in between.
fn statements(text: &str) -> Result<Vec<Statement<'_>>, Fault> {
    let mut statements: Vec<Statement<'_>> = Vec::new();
    let mut skipped_lines = 0;
    for (number, line) in (1_u32..).zip(text.lines()) {
        match line.chars().next() {
            None | Some('#') => skipped_lines += 1,
            _ if line.trim().is_empty() => skipped_lines += 1,
            Some(' ' | '\t' | '(' | ')') => {
                let Some(current) = statements.last_mut() else {
                    return Err((number, "this line continues nothing".to_owned()));
                };
                let text = current.text.to_mut();
                text.extend(std::iter::repeat_n('\n', skipped_lines + 1));
                text.push_str(line);
                skipped_lines = 0;
            }
            Some(_) => {
                statements.push(statement(number, line)?);
                skipped_lines = 0;
            }
        }
    }
    Ok(statements)
}

fn statement(line: u32, text: &str) -> Result<Statement<'_>, Fault> {
    let end = text.find([' ', '\t', '(']).unwrap_or(text.len());
    let (keyword, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let kind = match keyword.to_ascii_lowercase().as_str() {
        "attributetype" | "attributetypes" | "attribute" => Kind::AttributeType,
        // OpenLDAP's dsee.schema has one of these, and slapd starts with it.
        "attributeype" => Kind::AttributeType,
        "objectclass" | "objectclasses" => Kind::ObjectClass,
        "ldapsyntax" | "ldapsyntaxes" => Kind::Syntax,
        "objectidentifier" => Kind::ObjectIdentifier,
        "ditcontentrule" | "ditcontentrules" | "attributeoptions" => Kind::Ignored,
        _ => {
            let known = "attributetype, objectclass, ldapsyntax or objectidentifier";
            let shown: String = keyword.chars().take(40).collect();
            return Err((line, format!("`{shown}` where one of {known} must stand")));
        }
    };
    Ok(Statement { line, kind, text: Cow::Borrowed(rest), keeps_lines: true })
}

/// The LDIF form, of whatever entry or change the lines are part of.
fn ldif_statements(text: &str) -> Result<Vec<Statement<'_>>, Fault> {
    let mut lines = ldif::Lines::new(text.as_bytes(), 1);
    let mut statements = Vec::new();
    while let Some(line) = lines.next().map_err(|error| (error.line, error.what))? {
        if line.is_separator() {
            continue;
        }
        let attribute = line.attribute().map_err(|error| (error.line, error.what))?;
        let Some(kind) = attribute_kind(&attribute.description) else { continue };
        let LdifValue::Inline(value) = attribute.value else {
            return Err((attribute.line, "a definition cannot be read from a URL".to_owned()));
        };
        let text = match value {
            Cow::Borrowed(value) => std::str::from_utf8(value).map(Cow::Borrowed).ok(),
            Cow::Owned(value) => String::from_utf8(value).map(Cow::Owned).ok(),
        };
        let Some(text) = text else {
            return Err((attribute.line, "the definition is not UTF-8".to_owned()));
        };
        let text = without_order(text);
        statements.push(Statement { line: attribute.line, kind, text, keeps_lines: false });
    }
    Ok(statements)
}

fn attribute_kind(description: &str) -> Option<Kind> {
    let name = description.split(';').next().unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "attributetypes" | "olcattributetypes" => Some(Kind::AttributeType),
        "objectclasses" | "olcobjectclasses" => Some(Kind::ObjectClass),
        "ldapsyntaxes" | "olcldapsyntaxes" => Some(Kind::Syntax),
        "olcobjectidentifier" => Some(Kind::ObjectIdentifier),
        _ => None,
    }
}

/// `cn=config` numbers its values: `{12}( 2.5.4.3 …`.
fn without_order(text: Cow<'_, str>) -> Cow<'_, str> {
    let after = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    match after {
        Some((digits, rest)) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            Cow::Owned(rest.to_owned())
        }
        _ => text,
    }
}
