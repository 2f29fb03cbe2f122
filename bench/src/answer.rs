//! Answers scanned in place: what they are, and a checksum of what they hold.
//!
//! The checksum does not depend on the order of attributes, values or entries, nor on the case of
//! attribute names and DNs: servers differ in these. It does depend on every octet of a value, on
//! which attribute it belongs to, and on which entry that is.

use anyhow::{Context, Result, bail, ensure};

pub const BIND: u8 = 0x61;
pub const ENTRY: u8 = 0x64;
pub const SEARCH_DONE: u8 = 0x65;
pub const MODIFY: u8 = 0x67;
pub const ADD: u8 = 0x69;
pub const DELETE: u8 = 0x6b;
pub const MODIFY_DN: u8 = 0x6d;
pub const COMPARE: u8 = 0x6f;
pub const REFERENCE: u8 = 0x73;
pub const EXTENDED: u8 = 0x78;
pub const INTERMEDIATE: u8 = 0x79;

/// One LDAPMessage, borrowed from the read buffer.
#[derive(Clone, Copy, Debug)]
pub struct Message<'b> {
    pub id: u32,
    /// Tag of the protocolOp.
    pub tag: u8,
    /// Content of the protocolOp.
    pub content: &'b [u8],
    /// What follows the protocolOp: controls, or nothing.
    pub controls: &'b [u8],
}

/// An LDAPResult.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'b> {
    pub code: u32,
    pub diagnostic: &'b [u8],
}

/// The first whole message of a buffer and its size; nothing when more must be read.
pub fn message(buffer: &[u8]) -> Result<Option<(Message<'_>, usize)>> {
    let Some((tag, head, size)) = header(buffer)? else { return Ok(None) };
    ensure!(tag == 0x30, "not LDAP: a message begins with 0x30, not 0x{tag:02x}");
    let Some(mut rest) = buffer.get(head..head + size) else { return Ok(None) };
    let id = number(expect(&mut rest, 0x02).context("message id")?)?;
    let (tag, content) = next(&mut rest)?;
    Ok(Some((Message { id, tag, content, controls: rest }, head + size)))
}

/// Result code and diagnostic message of a final answer.
pub fn outcome<'b>(message: &Message<'b>) -> Result<Outcome<'b>> {
    let mut rest = message.content;
    let code = number(expect(&mut rest, 0x0a).context("result code")?)?;
    expect(&mut rest, 0x04).context("matched name")?;
    let diagnostic = expect(&mut rest, 0x04).context("diagnostic message")?;
    Ok(Outcome { code, diagnostic })
}

/// RFC 2696: the cookie of the next page, empty after the last one.
pub fn page_cookie<'b>(message: &Message<'b>) -> Result<&'b [u8]> {
    let mut rest = message.controls;
    ensure!(!rest.is_empty(), "the answer to a paged search has no control with a cookie");
    let mut controls = expect(&mut rest, 0xa0)?;
    while !controls.is_empty() {
        let mut control = expect(&mut controls, 0x30)?;
        if expect(&mut control, 0x04)? != b"1.2.840.113556.1.4.319" {
            continue;
        }
        let (mut tag, mut value) = next(&mut control)?;
        if tag == 0x01 {
            (tag, value) = next(&mut control)?;
        }
        ensure!(tag == 0x04, "control value expected");
        let mut inside = expect(&mut value, 0x30)?;
        expect(&mut inside, 0x02)?;
        return expect(&mut inside, 0x04);
    }
    bail!("the answer to a paged search has no control with a cookie")
}

/// Sum over the content of one SearchResultEntry.
pub fn entry_sum(content: &[u8]) -> Result<u64> {
    let mut rest = content;
    let mut sum = EntrySum::new(expect(&mut rest, 0x04).context("name of an entry")?);
    let mut attributes = expect(&mut rest, 0x30).context("attributes of an entry")?;
    while !attributes.is_empty() {
        let mut attribute = expect(&mut attributes, 0x30).context("attribute of an entry")?;
        let name = name_hash(expect(&mut attribute, 0x04)?);
        let mut values = expect(&mut attribute, 0x31).context("values of an attribute")?;
        while !values.is_empty() {
            sum.value(name, expect(&mut values, 0x04).context("value of an attribute")?);
        }
    }
    Ok(sum.finish())
}

/// The checksum of one entry while it is made.
#[derive(Clone, Copy, Debug)]
pub struct EntrySum {
    dn: u64,
    values: u64,
}

impl EntrySum {
    pub fn new(dn: &[u8]) -> Self {
        Self { dn: name_hash(dn), values: 0 }
    }

    /// Adds a value of the attribute with this [`name_hash`].
    pub fn value(&mut self, name: u64, value: &[u8]) {
        self.values = self.values.wrapping_add(mix(name, hash(value)));
    }

    pub fn finish(self) -> u64 {
        mix(self.dn ^ 0x9e37_79b9_7f4a_7c15, self.values)
    }
}

const SEED: u64 = 0xa076_1d64_78bd_642f;
const LOWER: u64 = 0x2020_2020_2020_2020;

/// Of an attribute name or a DN, whatever the case of its letters.
pub fn name_hash(name: &[u8]) -> u64 {
    words(name, LOWER)
}

fn hash(value: &[u8]) -> u64 {
    words(value, 0)
}

/// Eight octets at a time, each word folded in by a 64-bit multiplication of 128-bit result.
fn words(bytes: &[u8], or: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = SEED ^ bytes.len() as u64;
    for word in words {
        state = mix(state, u64::from_le_bytes(*word) | or);
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        state = mix(state, u64::from_le_bytes(word) | or);
    }
    state
}

#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0xe703_7ed1_a0b4_28db) * u128::from(b ^ 0x8ebc_6af0_9c88_c6e3);
    (product >> 64) as u64 ^ product as u64
}

/// Tag, size of the header, size of the content; nothing when the header is not all there.
fn header(buffer: &[u8]) -> Result<Option<(u8, usize, usize)>> {
    let (Some(&tag), Some(&first)) = (buffer.first(), buffer.get(1)) else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((tag, 2, usize::from(first))));
    }
    let octets = usize::from(first & 0x7f);
    ensure!((1..=4).contains(&octets), "not LDAP: a length of {octets} octets");
    let Some(length) = buffer.get(2..2 + octets) else { return Ok(None) };
    let size = length.iter().fold(0usize, |size, octet| size << 8 | usize::from(*octet));
    ensure!(size <= MESSAGE_BYTES_MAX, "a message of {size} octets is too large");
    Ok(Some((tag, 2 + octets, size)))
}

/// No answer that a directory sensibly gives is longer.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// The next element's tag and content.
#[inline]
fn next<'b>(rest: &mut &'b [u8]) -> Result<(u8, &'b [u8])> {
    if let Some((tag, head, size)) = header(rest)?
        && let Some(content) = rest.get(head..head + size)
    {
        *rest = &rest[head + size..];
        return Ok((tag, content));
    }
    bail!("not LDAP: an element reaches beyond its message")
}

#[inline]
fn expect<'b>(rest: &mut &'b [u8], tag: u8) -> Result<&'b [u8]> {
    let (found, content) = next(rest)?;
    ensure!(found == tag, "not LDAP: tag 0x{found:02x} instead of 0x{tag:02x}");
    Ok(content)
}

fn number(octets: &[u8]) -> Result<u32> {
    ensure!((1..=4).contains(&octets.len()), "not LDAP: a number of {} octets", octets.len());
    Ok(octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
}

/// Names of the result codes that a measurement meets, RFC 4511 appendix A.
pub fn code_name(code: u32) -> &'static str {
    match code {
        0 => "success",
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        5 => "compareFalse",
        6 => "compareTrue",
        8 => "strongerAuthRequired",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        68 => "entryAlreadyExists",
        80 => "other",
        _ => "a code of its own",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request;

    /// An entry as an answer's content.
    fn entry(dn: &str, attributes: &[(&str, &[&str])]) -> Vec<u8> {
        let mut out = Vec::new();
        request::octets(&mut out, 0x04, dn.as_bytes());
        request::element(&mut out, 0x30, |out| {
            for (name, values) in attributes {
                request::element(out, 0x30, |out| {
                    request::octets(out, 0x04, name.as_bytes());
                    request::element(out, 0x31, |out| {
                        values.iter().for_each(|v| request::octets(out, 0x04, v.as_bytes()));
                    });
                });
            }
        });
        out
    }

    #[test]
    fn a_checksum_sees_content_and_not_order() {
        let one = entry("uid=a,dc=b", &[("cn", &["x", "y"]), ("objectClass", &["person"])]);
        let sum = entry_sum(&one).unwrap();
        type Row<'r> = (&'r str, &'r [(&'r str, &'r [&'r str])], bool);
        let rows: &[Row<'_>] = &[
            ("UID=A,dc=B", &[("OBJECTCLASS", &["person"]), ("CN", &["y", "x"])], true),
            ("uid=a,dc=c", &[("cn", &["x", "y"]), ("objectClass", &["person"])], false),
            ("uid=a,dc=b", &[("cn", &["x"]), ("objectClass", &["person"])], false),
            ("uid=a,dc=b", &[("cn", &["x", "Y"]), ("objectClass", &["person"])], false),
            ("uid=a,dc=b", &[("cn", &["x", "person"]), ("objectClass", &["y"])], false),
            ("uid=a,dc=b", &[("cn", &["x", "y", "y"]), ("objectClass", &["person"])], false),
            ("uid=a,dc=b", &[("cn", &["x", "y"]), ("objectClass", &["person", ""])], false),
            ("uid=a,dc=b", &[], false),
        ];
        for (dn, attributes, same) in rows {
            let other = entry_sum(&entry(dn, attributes)).unwrap();
            assert_eq!(other == sum, *same, "{dn} {attributes:?}");
        }
    }

    #[test]
    fn messages_are_cut_where_they_end() {
        let whole = b"\x30\x0c\x02\x01\x07\x65\x07\x0a\x01\x20\x04\x00\x04\x00tail";
        for end in 0..14 {
            assert!(message(&whole[..end]).unwrap().is_none(), "{end}");
        }
        let (found, size) = message(whole).unwrap().unwrap();
        assert_eq!((found.id, found.tag, size), (7, SEARCH_DONE, 14));
        assert_eq!(outcome(&found).unwrap().code, 32);
    }

    #[test]
    fn garbage_is_an_error() {
        for garbage in [
            b"HTTP/1.1 400 Bad Request".as_slice(),
            b"\x30\x85\x01\x01\x01\x01\x01",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x03\x04\x01\x01",
            b"\x30\x05\x02\x01\x01\x65\x07",
            b"\x30\x02\x02\x00",
        ] {
            assert!(message(garbage).is_err(), "{garbage:02x?}");
        }
    }

    #[test]
    fn a_cookie_is_found_behind_other_controls() {
        let mut done = Vec::new();
        request::element(&mut done, 0xa0, |out| {
            request::element(out, 0x30, |out| request::octets(out, 0x04, b"1.2.3"));
            request::element(out, 0x30, |out| {
                request::octets(out, 0x04, b"1.2.840.113556.1.4.319");
                out.extend([0x01, 1, 0]);
                request::octets(out, 0x04, b"\x30\x06\x02\x01\x00\x04\x01c");
            });
        });
        for (controls, expected) in [(done.as_slice(), Some(b"c".as_slice())), (&[], None)] {
            let message = Message { id: 1, tag: SEARCH_DONE, content: &[], controls };
            assert_eq!(page_cookie(&message).ok(), expected);
        }
    }
}
