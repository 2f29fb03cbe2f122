//! Does an entry obey its object classes (RFC 4512 §2.4, §3.3)?

use ldap::result::ResultCode;

use super::{AttributeType, ClassKind, ObjectClass, Schema};
use crate::Refusal;

/// What of an entry is looked at.
#[derive(Clone, Debug)]
pub struct EntryToCheck<'e> {
    /// The values of `objectClass`.
    pub classes: &'e [&'e [u8]],
    /// Every attribute description that is present (options make it another one), with its type
    /// and how many values it has.
    pub attributes: &'e [(&'e AttributeType, usize)],
    /// The types in the entry's RDN.
    pub rdn_types: &'e [&'e AttributeType],
}

/// What checking found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The most specific structural class: the value of `structuralObjectClass`.
    pub structural: u32,
}

/// Refuses an entry that its classes do not allow. `relax` lets obsolete elements and several
/// structural classes pass, for data that was valid where it comes from: 389 DS allows both.
pub fn check_entry(
    schema: &Schema,
    entry: &EntryToCheck<'_>,
    relax: bool,
) -> Result<Checked, Refusal> {
    let classes = find_classes(schema, entry.classes)?;
    let structural = structural_class(schema, &classes, relax)?;
    if !relax {
        refuse_obsolete(&classes, entry)?;
    }
    check_required(schema, &classes, entry)?;
    check_allowed(&classes, entry)?;
    check_counts(entry)?;
    check_naming(entry)?;
    Ok(Checked { structural: structural.index })
}

fn violation(message: String) -> Refusal {
    Refusal::new(ResultCode::OBJECT_CLASS_VIOLATION, message)
}

/// The named classes, without what is implied.
fn find_classes<'s>(schema: &'s Schema, values: &[&[u8]]) -> Result<Vec<&'s ObjectClass>, Refusal> {
    if values.is_empty() {
        let message = "the entry has no objectClass; give at least one structural class";
        return Err(violation(message.to_owned()));
    }
    values.iter().map(|value| find_class(schema, value)).collect()
}

fn find_class<'s>(schema: &'s Schema, value: &[u8]) -> Result<&'s ObjectClass, Refusal> {
    let found = std::str::from_utf8(value).ok().and_then(|name| schema.object_class(name));
    found.ok_or_else(|| {
        let message = format!(
            "object class '{}' is not in the schema; see objectClasses in cn=schema",
            value.escape_ascii()
        );
        Refusal::new(ResultCode::INVALID_ATTRIBUTE_SYNTAX, message)
    })
}

/// The one structural class that all other structural classes of the entry are superclasses of
/// (RFC 4512 §2.4.2).
fn structural_class<'s>(
    schema: &Schema,
    classes: &[&'s ObjectClass],
    relax: bool,
) -> Result<&'s ObjectClass, Refusal> {
    let structural = || classes.iter().filter(|class| class.kind == ClassKind::Structural);
    // The class with the longest chain is the only one that can have all others above it.
    let alone = || classes.iter().find(|class| class.stands_alone);
    let lowest = structural().max_by_key(|class| class.ancestors.len()).or_else(alone);
    let lowest = lowest.ok_or_else(|| no_structural(classes))?;
    if relax {
        return Ok(lowest);
    }
    match structural().find(|class| !schema.is_subclass(lowest, class)) {
        None => Ok(lowest),
        Some(other) => Err(violation(format!(
            "'{}' and '{}' are both structural object classes and neither is a subclass of the \
             other; an entry is of one structural class",
            lowest.name, other.name
        ))),
    }
}

fn no_structural(classes: &[&ObjectClass]) -> Refusal {
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    violation(format!(
        "no structural object class among '{}'; add one, such as 'inetOrgPerson' or 'device'",
        names.join("', '")
    ))
}

fn refuse_obsolete(classes: &[&ObjectClass], entry: &EntryToCheck<'_>) -> Result<(), Refusal> {
    if let Some(class) = classes.iter().find(|class| class.obsolete) {
        return Err(violation(format!("object class '{}' is obsolete", class.name)));
    }
    match entry.attributes.iter().find(|(attribute, _)| attribute.obsolete) {
        Some((attribute, _)) => {
            let message = format!("attribute type '{}' is obsolete", attribute.name);
            Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, message))
        }
        None => Ok(()),
    }
}

fn check_required(
    schema: &Schema,
    classes: &[&ObjectClass],
    entry: &EntryToCheck<'_>,
) -> Result<(), Refusal> {
    let has =
        |index: u32| entry.attributes.iter().any(|(one, count)| one.index == index && *count > 0);
    for class in classes {
        let missing = class.must.iter().find(|&&index| !has(index));
        if let Some(attribute) = missing.and_then(|&index| schema.attribute_type_at(index)) {
            return Err(violation(format!(
                "object class '{}' requires attribute '{}'",
                class.name, attribute.name
            )));
        }
    }
    Ok(())
}

fn check_allowed(classes: &[&ObjectClass], entry: &EntryToCheck<'_>) -> Result<(), Refusal> {
    if classes.iter().any(|class| class.oid == EXTENSIBLE_OBJECT) {
        return Ok(());
    }
    for (attribute, _) in entry.attributes.iter().filter(|(one, _)| !one.is_operational()) {
        let allows = |class: &&ObjectClass| {
            [&class.must, &class.may]
                .iter()
                .any(|list| list.binary_search(&attribute.index).is_ok())
        };
        if !classes.iter().any(allows) {
            let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
            return Err(violation(format!(
                "attribute '{}' is not allowed by object class '{}'; add a class that allows it",
                attribute.name,
                names.join("', '")
            )));
        }
    }
    Ok(())
}

/// RFC 4512 §4.3.
const EXTENSIBLE_OBJECT: &str = "1.3.6.1.4.1.1466.101.120.111";

fn check_counts(entry: &EntryToCheck<'_>) -> Result<(), Refusal> {
    match entry.attributes.iter().find(|(one, count)| one.single_value && *count > 1) {
        None => Ok(()),
        Some((attribute, count)) => Err(Refusal::new(
            ResultCode::CONSTRAINT_VIOLATION,
            format!("attribute '{}' takes one value, {count} were given", attribute.name),
        )),
    }
}

/// RFC 4512 §2.3.1: what names the entry is among its attributes.
fn check_naming(entry: &EntryToCheck<'_>) -> Result<(), Refusal> {
    let present = |index| entry.attributes.iter().any(|(one, _)| one.index == index);
    match entry.rdn_types.iter().find(|one| !present(one.index)) {
        None => Ok(()),
        Some(attribute) => Err(Refusal::new(
            ResultCode::NAMING_VIOLATION,
            format!("the entry is named by '{}', which it has no value of", attribute.name),
        )),
    }
}

/// The names of the superclasses that the given classes imply and that are not among them. They
/// are not added to entries: like OpenLDAP, `(objectClass=person)` finds an `inetOrgPerson` because
/// the filter is tested against [`Schema::subclasses`].
pub fn superclass_names_missing<'s>(schema: &'s Schema, classes: &[&[u8]]) -> Vec<&'s str> {
    let found = |value: &&[u8]| schema.object_class(std::str::from_utf8(value).ok()?);
    let named: Vec<&ObjectClass> = classes.iter().filter_map(found).collect();
    let mut missing = Vec::new();
    for class in named.iter().flat_map(|class| schema.superclasses(class)) {
        let known = named.iter().any(|one| one.index == class.index);
        if !known && !missing.contains(&class.name.as_str()) {
            missing.push(class.name.as_str());
        }
    }
    missing
}
