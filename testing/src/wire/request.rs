//! Encoded requests (RFC 4511 §4.2 to §4.12), for tests that send what they like.

use super::ber::{boolean, element, enumerated, integer, octets};
use super::filter_text;

pub const BASE: i64 = 0;
pub const SUBTREE: i64 = 2;

pub fn bind(dn: &str, password: &[u8]) -> Vec<u8> {
    let body = [integer(3), octets(dn.as_bytes()), element(0x80, password)];
    element(0x60, &body.concat())
}

/// A search without limits of its own, of a filter that is already encoded.
pub fn search_encoded(base: &str, scope: i64, filter: &[u8], attributes: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = attributes.iter().flat_map(|name| octets(name.as_bytes())).collect();
    let body = [
        octets(base.as_bytes()),
        enumerated(scope),
        enumerated(0),
        integer(0),
        integer(0),
        boolean(false),
        filter.to_vec(),
        element(0x30, &list),
    ];
    element(0x63, &body.concat())
}

/// The same for a filter as text, which must be a good one.
pub fn search(base: &str, scope: i64, filter: &str, attributes: &[&str]) -> Vec<u8> {
    let filter = filter_text::encode(filter).unwrap_or_default();
    search_encoded(base, scope, &filter, attributes)
}

fn attribute(name: &str, values: &[&[u8]]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| octets(value)).collect();
    element(0x30, &[octets(name.as_bytes()), element(0x31, &values)].concat())
}

pub fn add(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let list: Vec<u8> =
        attributes.iter().flat_map(|(name, values)| attribute(name, values)).collect();
    element(0x68, &[octets(dn.as_bytes()), element(0x30, &list)].concat())
}

/// An inetOrgPerson with further attributes.
pub fn add_person(dn: &str, uid: &str, more: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let uid = uid.as_bytes();
    let mut attributes: Vec<(&str, &[&[u8]])> = vec![("objectClass", &[b"inetOrgPerson"])];
    let (own, family) = ([uid], [b"Example".as_slice()]);
    attributes.extend([("uid", own.as_slice()), ("cn", &own), ("sn", &family)]);
    attributes.extend_from_slice(more);
    add(dn, &attributes)
}

/// Each change is what to do (0 add, 1 delete, 2 replace), an attribute and its values.
pub fn modify(dn: &str, changes: &[(i64, &str, &[&[u8]])]) -> Vec<u8> {
    let change = |(kind, name, values): &(i64, &str, &[&[u8]])| {
        element(0x30, &[enumerated(*kind), attribute(name, values)].concat())
    };
    let list: Vec<u8> = changes.iter().flat_map(change).collect();
    element(0x66, &[octets(dn.as_bytes()), element(0x30, &list)].concat())
}

pub fn delete(dn: &str) -> Vec<u8> {
    element(0x4a, dn.as_bytes())
}

pub fn abandon(id: i64) -> Vec<u8> {
    let mut bytes = integer(id);
    if let Some(tag) = bytes.first_mut() {
        *tag = 0x50;
    }
    bytes
}

pub fn unbind() -> Vec<u8> {
    element(0x42, &[])
}

/// RFC 4532.
pub fn who_am_i() -> Vec<u8> {
    element(0x77, &element(0x80, b"1.3.6.1.4.1.4203.1.11.3"))
}

/// RFC 3062 for one's own password.
pub fn password_modify(old: &[u8], new: &[u8]) -> Vec<u8> {
    let value = element(0x30, &[element(0x81, old), element(0x82, new)].concat());
    let body = [element(0x80, b"1.3.6.1.4.1.4203.1.11.1"), element(0x81, &value)];
    element(0x77, &body.concat())
}
