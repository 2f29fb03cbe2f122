//! A step of the script as the bytes of a protocolOp and its controls.

use anyhow::{Context, Result, bail};

use super::script::{Step, ValueLine};
use crate::wire::ber::{self, Element, boolean, element, enumerated, integer, octets};
use crate::wire::{Control, filter_text};

pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
pub const PRE_READ: &str = "1.3.6.1.1.13.1";
pub const POST_READ: &str = "1.3.6.1.1.13.2";
const ASSERTION: &str = "1.3.6.1.1.12";
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";
const TREE_DELETE: &str = "1.2.840.113556.1.4.805";
const DONT_USE_COPY: &str = "1.3.6.1.1.22";
const UNKNOWN: &str = "1.1.1.1.1";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";

/// Every `@word` that is an option; any other in an attribute list is an object class (RFC 4529).
pub const OPTIONS: [&str; 14] = [
    "deref",
    "size",
    "time",
    "typesonly",
    "manageDsaIT",
    "assert",
    "preread",
    "postread",
    "paged",
    "permissive",
    "treedelete",
    "dontusecopy",
    "unknown",
    "unknown!",
];

/// Bytes ready to be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub operation: Vec<u8>,
    pub controls: Vec<Control>,
    page_size: i64,
}

impl Prepared {
    pub fn from_step(step: &Step) -> Result<Prepared> {
        let mut prepared = Prepared { operation: Vec::new(), controls: Vec::new(), page_size: 0 };
        for (name, value) in &step.options {
            prepared.option(name, value)?;
        }
        prepared.operation = operation(step).with_context(|| format!("line {}", step.line))?;
        Ok(prepared)
    }

    /// Asks for the page behind `cookie` next time.
    pub fn next_page(&mut self, cookie: &[u8]) {
        let value = page_value(self.page_size, cookie);
        for control in &mut self.controls {
            if control.oid == PAGED_RESULTS {
                control.value = Some(value.clone());
            }
        }
    }

    fn option(&mut self, name: &str, value: &str) -> Result<()> {
        let control = match name {
            "deref" | "size" | "time" | "typesonly" => return Ok(()),
            "manageDsaIT" => Control::critical(MANAGE_DSA_IT, None),
            "assert" => Control::critical(ASSERTION, Some(filter_text::encode(value)?)),
            "preread" => Control::critical(PRE_READ, Some(selection(value))),
            "postread" => Control::critical(POST_READ, Some(selection(value))),
            "paged" => {
                self.page_size = value.parse()?;
                Control::critical(PAGED_RESULTS, Some(page_value(self.page_size, &[])))
            }
            "permissive" => Control::critical(PERMISSIVE_MODIFY, None),
            "treedelete" => Control::critical(TREE_DELETE, None),
            "dontusecopy" => Control::critical(DONT_USE_COPY, None),
            "unknown!" => Control::critical(UNKNOWN, None),
            "unknown" => Control { oid: UNKNOWN.to_owned(), critical: false, value: None },
            _ => bail!("unknown option @{name}"),
        };
        self.controls.push(control);
        Ok(())
    }
}

/// The cookie inside a paged results response (RFC 2696 §2).
pub fn page_cookie(value: &[u8]) -> Result<Vec<u8>> {
    let outer = Element::all(value)?.pop().context("empty paged results value")?;
    Ok(Element::all(&outer.content)?.pop().context("no cookie")?.content)
}

fn page_value(size: i64, cookie: &[u8]) -> Vec<u8> {
    let mut body = integer(size);
    body.extend(octets(cookie));
    element(ber::SEQUENCE, &body)
}

fn selection(names: &str) -> Vec<u8> {
    let names: Vec<u8> = names.split(',').flat_map(|name| octets(name.as_bytes())).collect();
    element(ber::SEQUENCE, &names)
}

fn operation(step: &Step) -> Result<Vec<u8>> {
    match step.verb.as_str() {
        "bind" => bind(step),
        "search" => search(step),
        "compare" => compare(step),
        "add" => add(step),
        "modify" => modify(step),
        "modrdn" => modify_dn(step),
        "delete" => Ok(element(0x4a, argument(step, 0)?.as_bytes())),
        "whoami" => Ok(extended(WHO_AM_I, None)),
        "passwd" => password_modify(step),
        "extended" => Ok(extended(argument(step, 0)?, None)),
        verb => bail!("unknown verb {verb}"),
    }
}

fn argument(step: &Step, place: usize) -> Result<&str> {
    let given = step.arguments.get(place).map(String::as_str);
    given.with_context(|| format!("{} needs argument {}", step.verb, place + 1))
}

fn option<'a>(step: &'a Step, name: &str) -> Option<&'a str> {
    step.options.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

fn bind(step: &Step) -> Result<Vec<u8>> {
    let mut body = integer(3);
    body.extend(octets(argument(step, 0)?.as_bytes()));
    body.extend(element(0x80, argument(step, 1)?.as_bytes()));
    Ok(element(0x60, &body))
}

fn search(step: &Step) -> Result<Vec<u8>> {
    let scope = match argument(step, 1)? {
        "base" => 0,
        "one" => 1,
        "sub" => 2,
        "children" => 3,
        other => other.parse()?,
    };
    let deref = match option(step, "deref").unwrap_or("never") {
        "never" => 0,
        "search" => 1,
        "find" => 2,
        "always" => 3,
        other => bail!("unknown deref {other}"),
    };
    let limit = |name| option(step, name).unwrap_or("0").parse::<i64>();
    let mut body = octets(argument(step, 0)?.as_bytes());
    body.extend(enumerated(scope));
    body.extend(enumerated(deref));
    body.extend(integer(limit("size")?));
    body.extend(integer(limit("time")?));
    body.extend(boolean(option(step, "typesonly").is_some()));
    body.extend(filter_text::encode(argument(step, 2)?)?);
    let names = step.arguments.iter().skip(3);
    let names: Vec<u8> = names.flat_map(|name| octets(name.as_bytes())).collect();
    body.extend(element(ber::SEQUENCE, &names));
    Ok(element(0x63, &body))
}

/// The value is the rest of the line, with `\xx` escapes as in a filter.
fn compare(step: &Step) -> Result<Vec<u8>> {
    let mut assertion = octets(argument(step, 1)?.as_bytes());
    assertion.extend(octets(&filter_text::unescape(argument(step, 2)?)?));
    let mut body = octets(argument(step, 0)?.as_bytes());
    body.extend(element(ber::SEQUENCE, &assertion));
    Ok(element(0x6e, &body))
}

fn add(step: &Step) -> Result<Vec<u8>> {
    let groups = grouped(&step.lines);
    let list: Vec<u8> = groups.iter().flat_map(|group| attribute(group)).collect();
    let mut body = octets(argument(step, 0)?.as_bytes());
    body.extend(element(ber::SEQUENCE, &list));
    Ok(element(0x68, &body))
}

fn modify(step: &Step) -> Result<Vec<u8>> {
    let mut list = Vec::new();
    for group in grouped(&step.lines) {
        let sign = group.first().map(|line| line.sign.as_str()).unwrap_or_default();
        let kind = match sign {
            "+" => 0,
            "-" => 1,
            "=" => 2,
            "^" => 3,
            other => bail!("unknown modification {other:?}"),
        };
        let mut change = enumerated(kind);
        change.extend(attribute(&group));
        list.extend(element(ber::SEQUENCE, &change));
    }
    let mut body = octets(argument(step, 0)?.as_bytes());
    body.extend(element(ber::SEQUENCE, &list));
    Ok(element(0x66, &body))
}

/// Neighbouring lines of the same kind and attribute are one attribute; `,` keeps them apart.
fn grouped(lines: &[ValueLine]) -> Vec<Vec<&ValueLine>> {
    let same = |a: &ValueLine, b: &ValueLine| a.sign == b.sign && a.attribute == b.attribute;
    let chunks = lines.chunk_by(|a, b| same(a, b));
    let groups = chunks.filter(|group| group.first().is_some_and(|line| line.sign != ","));
    groups.map(|group| group.iter().collect()).collect()
}

fn attribute(lines: &[&ValueLine]) -> Vec<u8> {
    let name = lines.first().map(|line| line.attribute.as_str()).unwrap_or_default();
    let values = lines.iter().filter_map(|line| line.value.as_deref());
    let values: Vec<u8> = values.flat_map(octets).collect();
    let mut body = octets(name.as_bytes());
    body.extend(element(ber::SET, &values));
    element(ber::SEQUENCE, &body)
}

fn modify_dn(step: &Step) -> Result<Vec<u8>> {
    let delete_old = match argument(step, 2)? {
        "delete" => true,
        "keep" => false,
        other => bail!("delete or keep the old RDN, not {other}"),
    };
    let mut body = octets(argument(step, 0)?.as_bytes());
    body.extend(octets(argument(step, 1)?.as_bytes()));
    body.extend(boolean(delete_old));
    if let Some(superior) = step.arguments.get(3) {
        body.extend(element(0x80, superior.as_bytes()));
    }
    Ok(element(0x6c, &body))
}

/// `passwd USER OLD NEW`, each `-` when left out (RFC 3062 §2).
fn password_modify(step: &Step) -> Result<Vec<u8>> {
    let mut fields = Vec::new();
    for (place, tag) in [(0, 0x80), (1, 0x81), (2, 0x82)] {
        let text = argument(step, place)?;
        if text != "-" {
            fields.extend(element(tag, text.as_bytes()));
        }
    }
    Ok(extended(PASSWORD_MODIFY, Some(&element(ber::SEQUENCE, &fields))))
}

fn extended(oid: &str, value: Option<&[u8]>) -> Vec<u8> {
    let mut body = element(0x80, oid.as_bytes());
    if let Some(value) = value {
        body.extend(element(0x81, value));
    }
    element(0x77, &body)
}
