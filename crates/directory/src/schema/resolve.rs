//! Names to positions, and what is inherited filled in (RFC 4512 §2.4, §2.5.1).

use ldap::schema_text::{AttributeTypeDescription, ObjectClassDescription, SyntaxDescription};

use super::build::{Collected, Defined, SchemaError};
use super::{AttributeType, ClassKind, MatchingRule, ObjectClass, RuleKind, Syntax};

/// Deeper inheritance than any real schema has; longer chains are cycles.
const MAX_DEPTH: usize = 64;

pub(super) fn attribute_types(collected: &Collected) -> Result<Vec<AttributeType>, SchemaError> {
    (0..collected.attribute_types.len() as u32)
        .filter_map(|index| Some((index, collected.attribute_types.get(index as usize)?)))
        .map(|(index, element)| attribute_type(collected, index, element))
        .collect()
}

fn attribute_type(
    collected: &Collected,
    index: u32,
    element: &Defined<AttributeTypeDescription>,
) -> Result<AttributeType, SchemaError> {
    let ancestors = type_ancestors(collected, index, element)?;
    let description = &element.description;
    let chain = || {
        ancestors
            .iter()
            .filter_map(|&at| collected.attribute_types.get(at as usize))
            .map(|ancestor| &ancestor.description)
    };
    let rule = |of: fn(&AttributeTypeDescription) -> Option<&String>, kind| {
        chain().find_map(of).map(|name| matching_rule(element, name, kind)).transpose()
    };
    let syntax = chain().find_map(|of| of.syntax.as_ref());
    let name = description.names.first().unwrap_or(&description.oid).clone();
    if let Some(other) = chain().find(|of| of.usage != description.usage) {
        let wanted = other.usage.name();
        return Err(element.error(format!(
            "attribute type '{name}' must have its superior's USAGE, {wanted} (RFC 4512 §2.5.1)"
        )));
    }
    Ok(AttributeType {
        index,
        oid: description.oid.clone(),
        names: description.names.clone(),
        key: name.to_ascii_lowercase(),
        name,
        superior: ancestors.get(1).copied(),
        equality: rule(|of| of.equality.as_ref(), RuleKind::Equality)?,
        ordering: rule(|of| of.ordering.as_ref(), RuleKind::Ordering)?,
        substring: rule(|of| of.substring.as_ref(), RuleKind::Substring)?,
        syntax: find_syntax(collected, element, syntax)?,
        length: description.length,
        single_value: description.single_value,
        collective: description.collective,
        no_user_modification: description.no_user_modification,
        usage: description.usage,
        obsolete: description.obsolete,
        ancestors,
        descendants: Vec::new(),
        description: description.clone(),
    })
}

/// The type itself and its supertypes, nearest first.
fn type_ancestors(
    collected: &Collected,
    index: u32,
    element: &Defined<AttributeTypeDescription>,
) -> Result<Vec<u32>, SchemaError> {
    let mut ancestors = vec![index];
    let mut superior = element.description.superior.as_ref();
    while let Some(name) = superior {
        let at = collected.attribute_names.find(name).ok_or_else(|| {
            element.error(format!("SUP names '{name}', which no schema file defines"))
        })?;
        if ancestors.contains(&at) || ancestors.len() > MAX_DEPTH {
            return Err(element.error(format!("SUP '{name}' leads back to this attribute type")));
        }
        ancestors.push(at);
        let next = collected.attribute_types.get(at as usize);
        superior = next.and_then(|next| next.description.superior.as_ref());
    }
    Ok(ancestors)
}

fn matching_rule(
    element: &Defined<AttributeTypeDescription>,
    name: &str,
    kind: RuleKind,
) -> Result<MatchingRule, SchemaError> {
    let rule = MatchingRule::find(name).ok_or_else(|| {
        element
            .error(format!("matching rule '{name}' is not known; see matchingRules in cn=schema"))
    })?;
    if rule.kind() == kind {
        return Ok(rule);
    }
    let place = match kind {
        RuleKind::Ordering => "ORDERING",
        RuleKind::Substring => "SUBSTR",
        RuleKind::Equality | RuleKind::Other => "EQUALITY",
    };
    Err(element.error(format!("matching rule '{name}' cannot stand behind {place}")))
}

fn find_syntax(
    collected: &Collected,
    element: &Defined<AttributeTypeDescription>,
    oid: Option<&String>,
) -> Result<Syntax, SchemaError> {
    let oid = oid.ok_or_else(|| {
        element.error("an attribute type needs a SYNTAX or a SUP to inherit one from".to_owned())
    })?;
    known_or_declared(&collected.syntaxes, oid).ok_or_else(|| {
        let advice = "declare it with an ldapsyntax line, or see ldapSyntaxes in cn=schema";
        element.error(format!("syntax '{oid}' is not known; {advice}"))
    })
}

fn known_or_declared(declared: &[SyntaxDescription], oid: &str) -> Option<Syntax> {
    let known = |oid: &str| Syntax::find(oid);
    let substitute = || {
        let syntax = declared.iter().find(|syntax| syntax.oid == oid)?;
        let (_, values) = syntax.extensions.iter().find(|(name, _)| name == "X-SUBST")?;
        known(values.first()?)
    };
    let other = || {
        let position = other_syntaxes(declared).position(|syntax| syntax.oid == oid)?;
        Some(Syntax::Other(position as u32))
    };
    known(oid).or_else(substitute).or_else(other)
}

/// Declared syntaxes that the code does not know.
pub(super) fn other_syntaxes(
    declared: &[SyntaxDescription],
) -> impl Iterator<Item = &SyntaxDescription> {
    declared.iter().filter(|syntax| Syntax::find(&syntax.oid).is_none())
}

pub(super) fn object_classes(collected: &Collected) -> Result<Vec<ObjectClass>, SchemaError> {
    (0..collected.object_classes.len() as u32)
        .filter_map(|index| Some((index, collected.object_classes.get(index as usize)?)))
        .map(|(index, element)| object_class(collected, index, element))
        .collect()
}

fn object_class(
    collected: &Collected,
    index: u32,
    element: &Defined<ObjectClassDescription>,
) -> Result<ObjectClass, SchemaError> {
    let description = &element.description;
    let superiors = superiors(collected, element)?;
    let mut ancestors = vec![index];
    add_superclasses(collected, element, &superiors, &mut ancestors)?;
    ancestors.sort_unstable();
    let (mut must, mut may) = (Vec::new(), Vec::new());
    for ancestor in ancestors.iter().filter_map(|&at| collected.object_classes.get(at as usize)) {
        add_types(collected, ancestor, &ancestor.description.must, &mut must)?;
        add_types(collected, ancestor, &ancestor.description.may, &mut may)?;
    }
    check_kinds(collected, element, &superiors)?;
    Ok(ObjectClass {
        index,
        oid: description.oid.clone(),
        names: description.names.clone(),
        name: description.names.first().unwrap_or(&description.oid).clone(),
        kind: description.kind,
        superiors,
        must,
        may,
        obsolete: description.obsolete,
        stands_alone: description.extensions.iter().any(|(name, _)| name == "X-STANDS-ALONE"),
        ancestors,
        descendants: Vec::new(),
        description: description.clone(),
    })
}

fn superiors(
    collected: &Collected,
    element: &Defined<ObjectClassDescription>,
) -> Result<Vec<u32>, SchemaError> {
    let find = |name: &String| {
        collected.class_names.find(name).ok_or_else(|| {
            element.error(format!("SUP names class '{name}', which no schema file defines"))
        })
    };
    element.description.superiors.iter().map(find).collect()
}

fn add_superclasses(
    collected: &Collected,
    element: &Defined<ObjectClassDescription>,
    superiors: &[u32],
    ancestors: &mut Vec<u32>,
) -> Result<(), SchemaError> {
    let own = ancestors.first().copied();
    let mut waiting = superiors.to_vec();
    while let Some(at) = waiting.pop() {
        if Some(at) == own {
            return Err(element.error("SUP leads back to this object class".to_owned()));
        }
        if ancestors.contains(&at) {
            continue;
        }
        ancestors.push(at);
        if let Some(class) = collected.object_classes.get(at as usize) {
            waiting.extend(self::superiors(collected, class)?);
        }
    }
    Ok(())
}

/// RFC 4512 §2.4: structural below structural or abstract, auxiliary below auxiliary or abstract,
/// abstract below abstract.
fn check_kinds(
    collected: &Collected,
    element: &Defined<ObjectClassDescription>,
    superiors: &[u32],
) -> Result<(), SchemaError> {
    let kind = element.description.kind;
    for superior in superiors.iter().filter_map(|&at| collected.object_classes.get(at as usize)) {
        let above = superior.description.kind;
        if above != kind && above != ClassKind::Abstract {
            let name = superior.description.names.first().unwrap_or(&superior.description.oid);
            return Err(element.error(format!(
                "this class is {kind:?} and its SUP '{name}' is {above:?}; \
                 both must be of one kind, or the SUP abstract (RFC 4512 §2.4)"
            )));
        }
    }
    Ok(())
}

fn add_types(
    collected: &Collected,
    element: &Defined<ObjectClassDescription>,
    names: &[String],
    types: &mut Vec<u32>,
) -> Result<(), SchemaError> {
    for name in names {
        let at = collected.attribute_names.find(name).ok_or_else(|| {
            element.error(format!("attribute type '{name}' is defined by no schema file"))
        })?;
        if let Err(place) = types.binary_search(&at) {
            types.insert(place, at);
        }
    }
    Ok(())
}

/// The reverse of `ancestors`, itself first.
pub(super) fn link_descendants(types: &mut [AttributeType], classes: &mut [ObjectClass]) {
    let below = |ancestors: &[(u32, Vec<u32>)], of: u32| {
        let rest = ancestors.iter().filter(|(index, above)| *index != of && above.contains(&of));
        std::iter::once(of).chain(rest.map(|(index, _)| *index)).collect::<Vec<_>>()
    };
    let above: Vec<_> = types.iter().map(|one| (one.index, one.ancestors.clone())).collect();
    types.iter_mut().for_each(|one| one.descendants = below(&above, one.index));
    let above: Vec<_> = classes.iter().map(|one| (one.index, one.ancestors.clone())).collect();
    classes.iter_mut().for_each(|one| one.descendants = below(&above, one.index));
}
