//! The values inside controls. Their object identifiers are in [`crate::oid::control`].

use crate::ber::tag::{INTEGER, OCTET_STRING, SEQUENCE};
use crate::ber::{DecodeError, Reader, begin, write_integer, write_octets};
use crate::filter::Filter;
use crate::message::decode::attribute_selection;
use crate::message::encode::write_attribute_selection;
use crate::message::{DecodeLimits, MAX_INT};
use crate::response::{SearchResultEntry, search_result_entry, write_entry_operation};

/// ```text
/// realSearchControlValue ::= SEQUENCE {
///         size            INTEGER (0..maxInt),
///                         -- requested page size from client
///                         -- result set size estimate from server
///         cookie          OCTET STRING }
/// ```
/// (RFC 2696 §2.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagedResults<'a> {
    pub size: u32,
    /// Empty in the first request and in the last response.
    pub cookie: &'a [u8],
}

impl<'a> PagedResults<'a> {
    pub fn decode(value: &'a [u8]) -> Result<PagedResults<'a>, DecodeError> {
        let mut outer = Reader::new(value);
        let mut reader = outer.nested(SEQUENCE)?;
        outer.finish()?;
        let size = reader.unsigned(INTEGER, MAX_INT)?;
        let cookie = reader.octets(OCTET_STRING)?;
        reader.ignore_rest()?;
        Ok(PagedResults { size, cookie })
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let nested = begin(out, SEQUENCE);
        write_integer(out, INTEGER, i64::from(self.size));
        write_octets(out, OCTET_STRING, self.cookie);
        nested.end(out);
    }
}

/// RFC 4528 §3: the value of an assertion control is a `Filter`.
pub fn decode_assertion<'a>(
    value: &'a [u8],
    limits: &DecodeLimits,
) -> Result<Filter<'a>, DecodeError> {
    let mut reader = Reader::new(value);
    let filter = Filter::decode(&mut reader, limits)?;
    reader.finish()?;
    Ok(filter)
}

pub fn encode_assertion(filter: &Filter<'_>, out: &mut Vec<u8>) {
    filter.encode(out);
}

/// RFC 4527 §3: the value of a pre-read or post-read request control is an `AttributeSelection`.
pub fn decode_read_selection<'a>(
    value: &'a [u8],
    limits: &DecodeLimits,
) -> Result<Vec<&'a str>, DecodeError> {
    let mut reader = Reader::new(value);
    let list = reader.nested(SEQUENCE)?;
    reader.finish()?;
    attribute_selection(list, limits)
}

pub fn encode_read_selection(selectors: &[&str], out: &mut Vec<u8>) {
    write_attribute_selection(selectors, out);
}

/// RFC 4527 §3: the value of a pre-read or post-read response control is a `SearchResultEntry`.
/// `attributes` are as in [`crate::response::write_entry`].
pub fn encode_read_entry(dn: &[u8], attributes: &[&[u8]], out: &mut Vec<u8>) {
    write_entry_operation(out, dn, attributes);
}

pub fn decode_read_entry(value: &[u8]) -> Result<SearchResultEntry<'_>, DecodeError> {
    search_result_entry(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::write_attribute;

    #[test]
    fn paged_results() {
        let table: &[(&[u8], u32, &[u8])] = &[
            (&[0x30, 5, 2, 1, 10, 4, 0], 10, b""),
            (&[0x30, 8, 2, 2, 3, 0xe8, 4, 2, 7, 9], 1000, &[7, 9]),
            (&[0x30, 0x84, 0, 0, 0, 6, 2, 2, 3, 0xe8, 4, 0], 1000, b""),
        ];
        for &(bytes, size, cookie) in table {
            assert_eq!(PagedResults::decode(bytes), Ok(PagedResults { size, cookie }));
        }
        for bytes in [&[][..], &[0x30, 3, 2, 1, 0xff], &[0x30, 3, 2, 1, 1], &[0x30, 0, 0]] {
            assert!(PagedResults::decode(bytes).is_err(), "{bytes:02x?}");
        }
        let mut out = Vec::new();
        PagedResults { size: MAX_INT, cookie: &[1; 200] }.encode(&mut out);
        let back = PagedResults::decode(&out).unwrap();
        assert_eq!((back.size, back.cookie), (MAX_INT, &[1; 200][..]));
    }

    #[test]
    fn assertions() {
        let limits = DecodeLimits::default();
        let filter = Filter::Present("objectClass");
        let mut out = Vec::new();
        encode_assertion(&filter, &mut out);
        assert_eq!(out, b"\x87\x0bobjectClass");
        assert_eq!(decode_assertion(&out, &limits), Ok(filter));
        out.push(0);
        assert!(decode_assertion(&out, &limits).is_err());
    }

    #[test]
    fn read_entry() {
        let limits = DecodeLimits::default();
        let mut out = Vec::new();
        encode_read_selection(&["cn", "*"], &mut out);
        assert_eq!(out, b"\x30\x07\x04\x02cn\x04\x01*");
        assert_eq!(decode_read_selection(&out, &limits), Ok(vec!["cn", "*"]));

        let mut attribute = Vec::new();
        write_attribute(&mut attribute, b"cn", [&b"A"[..]]);
        let mut entry = Vec::new();
        encode_read_entry(b"cn=A", &[&attribute], &mut entry);
        let back = decode_read_entry(&entry).unwrap();
        assert_eq!(back.dn, "cn=A");
        assert_eq!(back.attributes.as_bytes(), attribute);
    }
}
