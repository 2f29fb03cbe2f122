//! What a request asks for beyond the places that are read: it is refused, because a certificate
//! that says less than was asked for surprises its owner.

use x509_parser::extensions::{ParsedExtension, X509Extension};

use super::RequestRefused;
use crate::der::{self, Fault, Tlv, tag};

/// OIDs as they stand in an attribute.
const EXTENSION_REQUEST: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 14];
const MICROSOFT_EXTENSIONS: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 2, 1, 14];

/// The tag of the attributes.
const ATTRIBUTES: u8 = 0xa0;

/// Looks at the DER of what is signed: one list of extensions, and nothing behind it.
pub(super) fn check(info: &[u8]) -> Result<(), RequestRefused> {
    let (outer, _) = der::read(info).map_err(damaged)?;
    // Version, subject, key, attributes.
    let parts = der::all(outer.content).map_err(damaged)?;
    let attributes = match parts.as_slice() {
        [_, _, _] => return Ok(()),
        [_, _, _, attributes] if attributes.tag == ATTRIBUTES => attributes,
        _ => return Err(said("something else follows its key")),
    };
    let mut lists = 0;
    for attribute in der::all(attributes.content).map_err(damaged)? {
        let parts = der::all(attribute.content).map_err(damaged)?;
        let [kind, values] = parts.as_slice() else {
            return Err(said("an attribute has other parts than its kind and its values"));
        };
        if kind.content == der::oid(&MICROSOFT_EXTENSIONS) {
            return Err(RequestRefused::MicrosoftList);
        }
        if kind.content == der::oid(&EXTENSION_REQUEST) {
            lists += values_of(values)?.len();
        }
    }
    match lists {
        0 | 1 => Ok(()),
        count => Err(RequestRefused::SeveralLists { count }),
    }
}

fn values_of<'d>(values: &Tlv<'d>) -> Result<Vec<Tlv<'d>>, RequestRefused> {
    if values.tag != tag::SET {
        return Err(said("the values of an attribute are no set"));
    }
    der::all(values.content).map_err(damaged)
}

/// One value and nothing behind it; and for key usages, no bits that nobody here knows.
pub(super) fn check_value(extension: &X509Extension<'_>, oid: &str) -> Result<(), RequestRefused> {
    let broken = |_| said(&format!("the requested extension {oid} cannot be read"));
    let (value, rest) = der::read(extension.value).map_err(broken)?;
    if !rest.is_empty() {
        return Err(RequestRefused::Trailing { oid: oid.to_owned() });
    }
    match extension.parsed_extension() {
        ParsedExtension::KeyUsage(_) => check_usage(value.content),
        _ => Ok(()),
    }
}

/// The last usage that templates know is bit 6.
const KNOWN_BITS: usize = 7;

/// A bit string: how many bits of the last byte do not count, then the bits.
fn check_usage(content: &[u8]) -> Result<(), RequestRefused> {
    let bits = content.get(1..).unwrap_or_default();
    let is_set =
        |bit: &usize| bits.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
    match (KNOWN_BITS..bits.len() * 8).find(is_set) {
        Some(bit) => Err(RequestRefused::UnknownUsage { bit }),
        None => Ok(()),
    }
}

fn damaged(_: Fault) -> RequestRefused {
    said("its attributes cannot be read")
}

fn said(reason: &str) -> RequestRefused {
    RequestRefused::Damaged { reason: reason.to_owned() }
}
