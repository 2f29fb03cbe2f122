//! Schema files to a [`Schema`]: every name resolved, everything inherited filled in.

use ldap::schema_text::{
    AttributeTypeDescription, ObjectClassDescription, SchemaFile, SyntaxDescription,
};

use super::lookup::NameMap;
use super::{ClassKind, Schema, resolve, shipped};

/// What is wrong in a schema file, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {what}")]
pub struct SchemaError {
    pub file: String,
    pub line: u32,
    pub what: String,
}

/// An element and where it was defined.
pub(super) struct Defined<T> {
    file: String,
    line: u32,
    pub(super) description: T,
}

impl<T> Defined<T> {
    pub(super) fn error(&self, what: String) -> SchemaError {
        SchemaError { file: self.file.clone(), line: self.line, what }
    }

    fn place(&self) -> String {
        format!("{}, line {}", self.file, self.line)
    }
}

#[derive(Default)]
pub(super) struct Collected {
    pub(super) syntaxes: Vec<SyntaxDescription>,
    pub(super) attribute_types: Vec<Defined<AttributeTypeDescription>>,
    pub(super) object_classes: Vec<Defined<ObjectClassDescription>>,
    pub(super) attribute_names: NameMap,
    pub(super) class_names: NameMap,
}

pub(super) fn schema(files: &[(String, String)]) -> Result<Schema, SchemaError> {
    let mut collected = Collected::default();
    for (name, text) in shipped::FILES {
        collected.read(name, text)?;
    }
    for (name, text) in files {
        collected.read(name, text)?;
    }
    let mut attribute_types = resolve::attribute_types(&collected)?;
    let mut object_classes = resolve::object_classes(&collected)?;
    resolve::link_descendants(&mut attribute_types, &mut object_classes);
    let other_syntaxes = resolve::other_syntaxes(&collected.syntaxes).cloned().collect();
    let Collected { attribute_names, class_names, .. } = collected;
    Ok(Schema { attribute_types, object_classes, other_syntaxes, attribute_names, class_names })
}

/// What [`insert`] needs of a description to notice a second definition.
trait Element {
    const KIND: &'static str;
    fn oid(&self) -> &str;
    fn names(&self) -> &[String];
    /// Whether a later definition may stand beside this one and be ignored.
    fn agrees_with(&self, later: &Self) -> bool;
}

impl Element for AttributeTypeDescription {
    const KIND: &'static str = "attribute type";

    fn oid(&self) -> &str {
        &self.oid
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    /// OpenLDAP's, 389's and the RFCs' texts of one type differ in lengths, in orderings and in
    /// whether a rule is inherited or named; what must agree is the kind of value.
    fn agrees_with(&self, later: &Self) -> bool {
        let syntax = |of: &Self| of.syntax.clone();
        let same_syntax = syntax(self).zip(syntax(later)).is_none_or(|(one, two)| one == two);
        same_syntax && (self.single_value == later.single_value || !self.single_value)
    }
}

impl Element for ObjectClassDescription {
    const KIND: &'static str = "object class";

    fn oid(&self) -> &str {
        &self.oid
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn agrees_with(&self, later: &Self) -> bool {
        // rfc2307bis made `posixGroup` auxiliary; nis.schema may be loaded on top and changes
        // nothing.
        self.kind == later.kind || self.kind == ClassKind::Auxiliary
    }
}

impl Collected {
    fn read(&mut self, name: &str, text: &str) -> Result<(), SchemaError> {
        let file = SchemaFile::parse(text, name).map_err(|error| SchemaError {
            file: error.name,
            line: error.line,
            what: error.what,
        })?;
        self.syntaxes.extend(file.syntaxes.into_iter().map(|(_, syntax)| syntax));
        for (line, description) in file.attribute_types {
            let element = Defined { file: name.to_owned(), line, description };
            insert(&mut self.attribute_types, &mut self.attribute_names, element)?;
        }
        for (line, description) in file.object_classes {
            let element = Defined { file: name.to_owned(), line, description };
            insert(&mut self.object_classes, &mut self.class_names, element)?;
        }
        Ok(())
    }
}

/// Takes an element in, or ignores it where the same one is there already.
fn insert<T: Element>(
    elements: &mut Vec<Defined<T>>,
    names: &mut NameMap,
    element: Defined<T>,
) -> Result<(), SchemaError> {
    let oid = element.description.oid();
    let earlier = |position: u32| elements.get(position as usize);
    if let Some(position) = names.find(oid) {
        return match earlier(position) {
            Some(first) if is_same(&first.description, &element.description) => {
                add_aliases(names, element.description.names(), position);
                Ok(())
            }
            Some(first) => Err(element.error(conflict(&element.description, first, "OID"))),
            None => Ok(()),
        };
    }
    for name in element.description.names() {
        if let Some(earlier) = names.find(name).and_then(earlier) {
            return Err(element.error(conflict(&element.description, earlier, name)));
        }
    }
    let position = elements.len() as u32;
    names.insert(oid, position);
    element.description.names().iter().for_each(|name| names.insert(name, position));
    elements.push(element);
    Ok(())
}

/// The same element told twice: the first telling stands.
fn is_same<T: Element>(first: &T, later: &T) -> bool {
    let knows = |name: &String| first.names().iter().any(|known| known.eq_ignore_ascii_case(name));
    let shares_name = later.names().is_empty() || later.names().iter().any(knows);
    shares_name && first.agrees_with(later)
}

/// Names that only the second telling has still find the element.
fn add_aliases(names: &mut NameMap, aliases: &[String], position: u32) {
    for alias in aliases {
        if names.find(alias).is_none() {
            names.insert(alias, position);
        }
    }
}

fn conflict<T: Element>(later: &T, earlier: &Defined<T>, what: &str) -> String {
    format!(
        "{} '{}' ({}) conflicts in '{what}' with '{}' ({}) of {}; rename it or remove one of them",
        T::KIND,
        later.names().first().map_or(later.oid(), String::as_str),
        later.oid(),
        earlier.description.names().first().map_or(earlier.description.oid(), String::as_str),
        earlier.description.oid(),
        earlier.place(),
    )
}
