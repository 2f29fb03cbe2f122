//! Requests as bytes: protocolOps without the message around them.
//!
//! RFC 4511 §4.2 to §4.10; every length and number as short as it can be.

/// RFC 4511 §4.5.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Base = 0,
    One = 1,
    Subtree = 2,
}

/// RFC 4511 §4.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modification {
    Add = 0,
    Delete = 1,
    Replace = 2,
}

/// A simple bind.
pub fn bind(out: &mut Vec<u8>, dn: &str, password: &str) {
    element(out, 0x60, |out| {
        out.extend([0x02, 1, 3]);
        octets(out, 0x04, dn.as_bytes());
        octets(out, 0x80, password.as_bytes());
    });
}

/// Says goodbye.
pub fn unbind(out: &mut Vec<u8>) {
    out.extend([0x42, 0]);
}

/// A search without limits; `filter` appends the filter.
pub fn search(
    out: &mut Vec<u8>,
    base: &str,
    scope: Scope,
    filter: impl FnOnce(&mut Vec<u8>),
    attributes: &[&str],
) {
    element(out, 0x63, |out| {
        octets(out, 0x04, base.as_bytes());
        out.extend([0x0a, 1, scope as u8, 0x0a, 1, 0, 0x02, 1, 0, 0x02, 1, 0, 0x01, 1, 0]);
        filter(out);
        element(out, 0x30, |out| {
            attributes.iter().for_each(|attribute| octets(out, 0x04, attribute.as_bytes()));
        });
    });
}

/// `(attribute=value)`.
pub fn equal(out: &mut Vec<u8>, attribute: &str, value: &str) {
    assertion(out, 0xa3, attribute, value);
}

/// `(attribute>=value)`.
pub fn at_least(out: &mut Vec<u8>, attribute: &str, value: &str) {
    assertion(out, 0xa5, attribute, value);
}

/// `(attribute<=value)`.
pub fn at_most(out: &mut Vec<u8>, attribute: &str, value: &str) {
    assertion(out, 0xa6, attribute, value);
}

/// `(attribute=*)`.
pub fn present(out: &mut Vec<u8>, attribute: &str) {
    octets(out, 0x87, attribute.as_bytes());
}

/// `(attribute=*middle*)`.
pub fn contains(out: &mut Vec<u8>, attribute: &str, middle: &str) {
    element(out, 0xa4, |out| {
        octets(out, 0x04, attribute.as_bytes());
        element(out, 0x30, |out| octets(out, 0x81, middle.as_bytes()));
    });
}

/// `(&…)`.
pub fn and(out: &mut Vec<u8>, parts: impl FnOnce(&mut Vec<u8>)) {
    element(out, 0xa0, parts);
}

pub fn compare(out: &mut Vec<u8>, dn: &str, attribute: &str, value: &str) {
    element(out, 0x6e, |out| {
        octets(out, 0x04, dn.as_bytes());
        assertion(out, 0x30, attribute, value);
    });
}

/// One change of one attribute.
pub fn modify(out: &mut Vec<u8>, dn: &str, how: Modification, attribute: &str, values: &[&str]) {
    element(out, 0x66, |out| {
        octets(out, 0x04, dn.as_bytes());
        element(out, 0x30, |out| {
            element(out, 0x30, |out| {
                out.extend([0x0a, 1, how as u8]);
                list(out, attribute, values.iter().copied());
            });
        });
    });
}

/// An entry of these attributes and values.
pub fn add(out: &mut Vec<u8>, dn: &str, attributes: &[(&'static str, Vec<String>)]) {
    element(out, 0x68, |out| {
        octets(out, 0x04, dn.as_bytes());
        element(out, 0x30, |out| {
            for (attribute, values) in attributes {
                list(out, attribute, values.iter().map(String::as_str));
            }
        });
    });
}

pub fn delete(out: &mut Vec<u8>, dn: &str) {
    octets(out, 0x4a, dn.as_bytes());
}

/// A new name under the same parent; the old one does not stay.
pub fn rename(out: &mut Vec<u8>, dn: &str, rdn: &str) {
    element(out, 0x6c, |out| {
        octets(out, 0x04, dn.as_bytes());
        octets(out, 0x04, rdn.as_bytes());
        out.extend([0x01, 1, 0xff]);
    });
}

/// RFC 2696: the controls that ask for the next page.
pub(crate) fn paged(out: &mut Vec<u8>, entries: u32, cookie: &[u8]) {
    element(out, 0xa0, |out| {
        element(out, 0x30, |out| {
            octets(out, 0x04, b"1.2.840.113556.1.4.319");
            element(out, 0x04, |out| {
                element(out, 0x30, |out| {
                    integer(out, entries);
                    octets(out, 0x04, cookie);
                });
            });
        });
    });
}

/// The message around an operation and its controls.
pub(crate) fn message(out: &mut Vec<u8>, id: u32, operation: &[u8]) {
    let mut name = [0; 8];
    let octets = id_octets(id, &mut name);
    out.push(0x30);
    length(out, octets.len() + operation.len());
    out.extend_from_slice(octets);
    out.extend_from_slice(operation);
}

/// A message id as an element: as short as it can be, RFC 4511 §5.1.
fn id_octets(id: u32, space: &mut [u8; 8]) -> &[u8] {
    let bytes = id.to_be_bytes();
    // An id below 2^31 whose leading octet would look negative keeps a zero before it.
    let skipped = (0..3).take_while(|&at| bytes[at] == 0 && bytes[at + 1] < 0x80).count();
    let octets = &bytes[skipped..];
    space[0] = 0x02;
    space[1] = octets.len() as u8;
    space[2..2 + octets.len()].copy_from_slice(octets);
    &space[..2 + octets.len()]
}

fn integer(out: &mut Vec<u8>, value: u32) {
    let mut space = [0; 8];
    out.extend_from_slice(id_octets(value, &mut space));
}

fn assertion(out: &mut Vec<u8>, tag: u8, attribute: &str, value: &str) {
    element(out, tag, |out| {
        octets(out, 0x04, attribute.as_bytes());
        octets(out, 0x04, value.as_bytes());
    });
}

/// `SEQUENCE { type, SET OF value }`.
fn list<'v>(out: &mut Vec<u8>, attribute: &str, values: impl Iterator<Item = &'v str>) {
    element(out, 0x30, |out| {
        octets(out, 0x04, attribute.as_bytes());
        element(out, 0x31, |out| values.for_each(|value| octets(out, 0x04, value.as_bytes())));
    });
}

pub(crate) fn octets(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    length(out, value.len());
    out.extend_from_slice(value);
}

/// An element whose length is not known before: moved by an octet or two if it is long.
pub(crate) fn element(out: &mut Vec<u8>, tag: u8, content: impl FnOnce(&mut Vec<u8>)) {
    out.extend([tag, 0]);
    let begin = out.len();
    content(out);
    let octets = out.len() - begin;
    if octets < 0x80 {
        out[begin - 1] = octets as u8;
        return;
    }
    let mut head = Vec::with_capacity(5);
    length(&mut head, octets);
    out.splice(begin - 1..begin, head);
}

pub(crate) fn length(out: &mut Vec<u8>, octets: usize) {
    match octets {
        0..0x80 => out.push(octets as u8),
        0x80..0x100 => out.extend([0x81, octets as u8]),
        0x100..0x1_0000 => out.extend([0x82, (octets >> 8) as u8, octets as u8]),
        _ => {
            out.push(0x84);
            out.extend_from_slice(&(octets as u32).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn operations_are_as_the_standard_writes_them() {
        let rows: &[(&str, Vec<u8>, &[u8])] = &[
            ("bind", bytes(|o| bind(o, "a", "b")), b"\x60\x09\x02\x01\x03\x04\x01a\x80\x01b"),
            ("unbind", bytes(unbind), b"\x42\x00"),
            (
                "search",
                bytes(|o| search(o, "a", Scope::Subtree, |o| present(o, "b"), &["c"])),
                b"\x63\x1a\x04\x01a\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\
                  \x87\x01b\x30\x03\x04\x01c",
            ),
            ("equal", bytes(|o| equal(o, "a", "b")), b"\xa3\x06\x04\x01a\x04\x01b"),
            ("at_least", bytes(|o| at_least(o, "a", "b")), b"\xa5\x06\x04\x01a\x04\x01b"),
            ("at_most", bytes(|o| at_most(o, "a", "b")), b"\xa6\x06\x04\x01a\x04\x01b"),
            ("contains", bytes(|o| contains(o, "a", "b")), b"\xa4\x08\x04\x01a\x30\x03\x81\x01b"),
            ("and", bytes(|o| and(o, |o| present(o, "a"))), b"\xa0\x03\x87\x01a"),
            (
                "compare",
                bytes(|o| compare(o, "a", "b", "c")),
                b"\x6e\x0b\x04\x01a\x30\x06\x04\x01b\x04\x01c",
            ),
            (
                "modify",
                bytes(|o| modify(o, "a", Modification::Replace, "b", &["c"])),
                b"\x66\x14\x04\x01a\x30\x0f\x30\x0d\x0a\x01\x02\x30\x08\x04\x01b\x31\x03\x04\x01c",
            ),
            ("delete", bytes(|o| delete(o, "a")), b"\x4a\x01a"),
            ("rename", bytes(|o| rename(o, "a", "b")), b"\x6c\x09\x04\x01a\x04\x01b\x01\x01\xff"),
            (
                "add",
                bytes(|o| add(o, "a", &[("b", vec!["c".to_owned()])])),
                b"\x68\x0f\x04\x01a\x30\x0a\x30\x08\x04\x01b\x31\x03\x04\x01c",
            ),
            ("message", bytes(|o| message(o, 5, b"\x42\x00")), b"\x30\x05\x02\x01\x05\x42\x00"),
        ];
        for (name, found, expected) in rows {
            assert_eq!(found.as_slice(), *expected, "{name}");
        }
    }

    #[test]
    fn lengths_and_ids_of_all_sizes() {
        for size in [0, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let value = vec![b'x'; size];
            let nested = bytes(|o| element(o, 0x30, |o| o.extend_from_slice(&value)));
            assert_eq!(nested, bytes(|o| octets(o, 0x30, &value)), "{size}");
        }
        for (id, expected) in [
            (1u32, b"\x02\x01\x01".as_slice()),
            (0x7f, b"\x02\x01\x7f"),
            (0x80, b"\x02\x02\x00\x80"),
            (0x7fff, b"\x02\x02\x7f\xff"),
            (0x8000, b"\x02\x03\x00\x80\x00"),
            (0x7fff_ffff, b"\x02\x04\x7f\xff\xff\xff"),
        ] {
            assert_eq!(id_octets(id, &mut [0; 8]), expected);
        }
    }
}
