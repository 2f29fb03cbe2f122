//! Filters from and to BER (RFC 4511 §4.5.1.7).

use std::borrow::Cow;

use super::{Assertion, Extensible, Filter, Substrings};
use crate::ber::tag::{OCTET_STRING, SEQUENCE};
use crate::ber::{DecodeError, DecodeErrorKind, Reader, begin, write_boolean, write_octets};
use crate::message::DecodeLimits;
use crate::message::decode::{description, is_description};

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUALITY: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER_OR_EQUAL: u8 = 0xa5;
const LESS_OR_EQUAL: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROX: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

const RULE: u8 = 0x81;
const TYPE: u8 = 0x82;
const MATCH_VALUE: u8 = 0x83;
const DN_ATTRIBUTES: u8 = 0x84;

impl<'a> Filter<'a> {
    /// Decodes the filter that `reader` is at. It recurses, so its depth is limited first of all.
    pub fn decode(reader: &mut Reader<'a>, limits: &DecodeLimits) -> Result<Self, DecodeError> {
        let mut budget =
            Budget { depth_left: limits.filter_depth_max, nodes_left: limits.filter_nodes_max };
        budget.spend(1, reader)?;
        filter(reader, &mut budget)
    }

    /// Decodes bytes that were within somebody's limits when they were made.
    pub(super) fn decode_checked(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut budget = Budget { depth_left: usize::MAX, nodes_left: usize::MAX };
        filter(&mut Reader::new(bytes), &mut budget)
    }

    /// Appends this filter to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Filter::And(filters) => write_set(out, AND, filters),
            Filter::Or(filters) => write_set(out, OR, filters),
            Filter::Not(filter) => write_set(out, NOT, std::slice::from_ref(&**filter)),
            Filter::Equality(assertion) => write_assertion(out, EQUALITY, assertion),
            Filter::Substrings(substrings) => write_substrings(out, substrings),
            Filter::GreaterOrEqual(assertion) => write_assertion(out, GREATER_OR_EQUAL, assertion),
            Filter::LessOrEqual(assertion) => write_assertion(out, LESS_OR_EQUAL, assertion),
            Filter::Present(attribute) => write_octets(out, PRESENT, attribute.as_bytes()),
            Filter::Approx(assertion) => write_assertion(out, APPROX, assertion),
            Filter::Extensible(extensible) => write_extensible(out, extensible),
        }
    }
}

/// What is left of the limits while one filter is decoded.
struct Budget {
    depth_left: usize,
    nodes_left: usize,
}

/// ```text
/// Filter ::= CHOICE {
///      and             [0] SET SIZE (1..MAX) OF filter Filter,
///      or              [1] SET SIZE (1..MAX) OF filter Filter,
///      not             [2] Filter,
///      equalityMatch   [3] AttributeValueAssertion,
///      substrings      [4] SubstringFilter,
///      greaterOrEqual  [5] AttributeValueAssertion,
///      lessOrEqual     [6] AttributeValueAssertion,
///      present         [7] AttributeDescription,
///      approxMatch     [8] AttributeValueAssertion,
///      extensibleMatch [9] MatchingRuleAssertion,
///      ...  }
/// ```
/// RFC 4526 removes `SIZE (1..MAX)`: empty sets are absolute true and false.
fn filter<'a>(reader: &mut Reader<'a>, budget: &mut Budget) -> Result<Filter<'a>, DecodeError> {
    if budget.depth_left == 0 {
        return Err(reader.error(DecodeErrorKind::TooMany("filters inside filters")));
    }
    if reader.is_empty() {
        return Err(reader.error(DecodeErrorKind::Missing("the filter")));
    }
    let at = reader.offset();
    let (tag, content) = reader.element()?;
    budget.depth_left -= 1;
    let decoded = match tag {
        AND => Filter::And(set(content, budget)?),
        OR => Filter::Or(set(content, budget)?),
        NOT => Filter::Not(Box::new(not(content, budget)?)),
        EQUALITY => Filter::Equality(assertion(content)?),
        SUBSTRINGS => Filter::Substrings(substrings(content, budget)?),
        GREATER_OR_EQUAL => Filter::GreaterOrEqual(assertion(content)?),
        LESS_OR_EQUAL => Filter::LessOrEqual(assertion(content)?),
        PRESENT => Filter::Present(present(content)?),
        APPROX => Filter::Approx(assertion(content)?),
        EXTENSIBLE => Filter::Extensible(extensible(content)?),
        _ => return Err(DecodeErrorKind::UnknownChoice("Filter").at(at)),
    };
    budget.depth_left += 1;
    Ok(decoded)
}

impl Budget {
    /// Takes nodes before memory is allocated for them, so that nested sets cannot reserve more in
    /// sum than one flat set could.
    fn spend(&mut self, nodes: usize, reader: &Reader<'_>) -> Result<(), DecodeError> {
        let left = self.nodes_left.checked_sub(nodes);
        self.nodes_left = left.ok_or(reader.error(DecodeErrorKind::TooMany("filters")))?;
        Ok(())
    }
}

fn set<'a>(mut content: Reader<'a>, budget: &mut Budget) -> Result<Vec<Filter<'a>>, DecodeError> {
    let count = content.count(budget.nodes_left, "filters")?;
    budget.spend(count, &content)?;
    let mut filters = Vec::with_capacity(count);
    while !content.is_empty() {
        filters.push(filter(&mut content, budget)?);
    }
    Ok(filters)
}

fn not<'a>(mut content: Reader<'a>, budget: &mut Budget) -> Result<Filter<'a>, DecodeError> {
    budget.spend(1, &content)?;
    let inner = filter(&mut content, budget)?;
    if !content.is_empty() {
        let kind = DecodeErrorKind::Invalid("a not filter must hold exactly one filter");
        return Err(content.error(kind));
    }
    Ok(inner)
}

/// ```text
/// AttributeValueAssertion ::= SEQUENCE {
///      attributeDesc   AttributeDescription,
///      assertionValue  AssertionValue }
/// ```
fn assertion(mut content: Reader<'_>) -> Result<Assertion<'_>, DecodeError> {
    let attribute = description(&mut content, OCTET_STRING)?;
    let value = Cow::Borrowed(content.octets(OCTET_STRING)?);
    content.ignore_rest()?;
    Ok(Assertion { attribute, value })
}

fn present(content: Reader<'_>) -> Result<&str, DecodeError> {
    let attribute = content.into_text()?;
    if is_description(attribute) {
        return Ok(attribute);
    }
    let kind = DecodeErrorKind::Invalid("a presence filter must name an attribute");
    Err(content.error(kind))
}

/// ```text
/// SubstringFilter ::= SEQUENCE {
///      type           AttributeDescription,
///      substrings     SEQUENCE SIZE (1..MAX) OF substring CHOICE {
///           initial [0] AssertionValue,  -- can occur at most once
///           any     [1] AssertionValue,
///           final   [2] AssertionValue } -- can occur at most once
///      }
/// ```
fn substrings<'a>(
    mut content: Reader<'a>,
    budget: &mut Budget,
) -> Result<Substrings<'a>, DecodeError> {
    let attribute = description(&mut content, OCTET_STRING)?;
    let mut pieces = content.nested(SEQUENCE)?;
    content.ignore_rest()?;
    let count = pieces.count(budget.nodes_left, "substrings")?;
    budget.spend(count, &pieces)?;
    if count == 0 {
        return Err(pieces.error(DecodeErrorKind::Invalid("a substring filter has no substring")));
    }
    let mut found = Substrings { attribute, initial: None, any: Vec::new(), last: None };
    while !pieces.is_empty() {
        substring(&mut pieces, &mut found)?;
    }
    Ok(found)
}

fn substring<'a>(pieces: &mut Reader<'a>, found: &mut Substrings<'a>) -> Result<(), DecodeError> {
    let at = pieces.offset();
    let (tag, piece) = pieces.element()?;
    if piece.is_empty() {
        return Err(DecodeErrorKind::Invalid("a substring must not be empty").at(at));
    }
    let value = Cow::Borrowed(piece.rest());
    let nothing_before = found.initial.is_none() && found.any.is_empty();
    match tag {
        INITIAL if nothing_before && found.last.is_none() => found.initial = Some(value),
        ANY if found.last.is_none() => found.any.push(value),
        FINAL if found.last.is_none() => found.last = Some(value),
        INITIAL | ANY | FINAL => {
            let rule = "an initial substring must come first and a final one last, each only once";
            return Err(DecodeErrorKind::Invalid(rule).at(at));
        }
        _ => return Err(DecodeErrorKind::UnknownChoice("substring").at(at)),
    }
    Ok(())
}

/// ```text
/// MatchingRuleAssertion ::= SEQUENCE {
///      matchingRule    [1] MatchingRuleId OPTIONAL,
///      type            [2] AttributeDescription OPTIONAL,
///      matchValue      [3] AssertionValue,
///      dnAttributes    [4] BOOLEAN DEFAULT FALSE }
/// ```
fn extensible(mut content: Reader<'_>) -> Result<Extensible<'_>, DecodeError> {
    let at = content.offset();
    let rule = optional_description(&mut content, RULE)?;
    let attribute = optional_description(&mut content, TYPE)?;
    let value = Cow::Borrowed(content.octets(MATCH_VALUE)?);
    let dn_attributes = content.peek() == Some(DN_ATTRIBUTES) && content.boolean(DN_ATTRIBUTES)?;
    content.ignore_rest()?;
    // RFC 4511 §4.5.1.7.7: "If the matchingRule field is absent, the type field MUST be present".
    if rule.is_none() && attribute.is_none() {
        let kind = DecodeErrorKind::Missing("the matching rule or the type of an extensible match");
        return Err(kind.at(at));
    }
    Ok(Extensible { rule, attribute, value, dn_attributes })
}

fn optional_description<'a>(
    content: &mut Reader<'a>,
    tag: u8,
) -> Result<Option<&'a str>, DecodeError> {
    if content.peek() == Some(tag) { description(content, tag).map(Some) } else { Ok(None) }
}

fn write_set(out: &mut Vec<u8>, tag: u8, filters: &[Filter<'_>]) {
    let nested = begin(out, tag);
    for filter in filters {
        filter.encode(out);
    }
    nested.end(out);
}

fn write_assertion(out: &mut Vec<u8>, tag: u8, assertion: &Assertion<'_>) {
    let nested = begin(out, tag);
    write_octets(out, OCTET_STRING, assertion.attribute.as_bytes());
    write_octets(out, OCTET_STRING, &assertion.value);
    nested.end(out);
}

fn write_substrings(out: &mut Vec<u8>, substrings: &Substrings<'_>) {
    let nested = begin(out, SUBSTRINGS);
    write_octets(out, OCTET_STRING, substrings.attribute.as_bytes());
    let pieces = begin(out, SEQUENCE);
    if let Some(initial) = &substrings.initial {
        write_octets(out, INITIAL, initial);
    }
    for any in &substrings.any {
        write_octets(out, ANY, any);
    }
    if let Some(last) = &substrings.last {
        write_octets(out, FINAL, last);
    }
    pieces.end(out);
    nested.end(out);
}

fn write_extensible(out: &mut Vec<u8>, extensible: &Extensible<'_>) {
    let nested = begin(out, EXTENSIBLE);
    if let Some(rule) = extensible.rule {
        write_octets(out, RULE, rule.as_bytes());
    }
    if let Some(attribute) = extensible.attribute {
        write_octets(out, TYPE, attribute.as_bytes());
    }
    write_octets(out, MATCH_VALUE, &extensible.value);
    if extensible.dn_attributes {
        write_boolean(out, DN_ATTRIBUTES, true);
    }
    nested.end(out);
}
