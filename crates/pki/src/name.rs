//! Distinguished names of certificates: as RFC 4514 text, the way a directory names its entries,
//! and back.

use std::fmt::Write;
use x509_parser::asn1_rs::{Any, Tag, ToDer};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

use crate::der::{self, tag};

/// The names directories use for these types (RFC 4519, RFC 4524, RFC 2985 for the mail address).
const SHORT_NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.42", "givenName"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// RFC 4514 text of a DER name; what is no name is said to be none.
pub fn name_text(der: &[u8]) -> String {
    match X509Name::from_der(der) {
        Ok((_, name)) => text(&name),
        Err(_) => "(no name)".to_owned(),
    }
}

/// Leaf first, as RFC 4514 §2.1 writes names; a certificate holds them root first.
pub(crate) fn text(name: &X509Name<'_>) -> String {
    let mut rdns: Vec<String> = name.iter().map(rdn).collect();
    rdns.reverse();
    rdns.join(",")
}

fn rdn(rdn: &RelativeDistinguishedName<'_>) -> String {
    rdn.iter().map(type_and_value).collect::<Vec<_>>().join("+")
}

/// A type without a short name, or a value without text, is written as `OID=#hex` (RFC 4514 §2.4).
fn type_and_value(pair: &AttributeTypeAndValue<'_>) -> String {
    let oid = pair.attr_type().to_id_string();
    let short = SHORT_NAMES.iter().find(|(known, _)| *known == oid).map(|(_, short)| *short);
    match (short, string_value(pair.attr_value())) {
        (Some(short), Some(value)) => format!("{short}={}", escaped(&value)),
        (short, _) => format!("{}=#{}", short.unwrap_or(&oid), der_hex(pair.attr_value())),
    }
}

/// The text of a string value, whichever of the ASN.1 string types holds it.
pub(crate) fn string_value(value: &Any<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8(value.data.to_vec()).ok()
        }
        // In practice Latin-1, whatever T.61 says.
        Tag::TeletexString => Some(value.data.iter().map(|&byte| char::from(byte)).collect()),
        Tag::BmpString => {
            let (pairs, []) = value.data.as_chunks::<2>() else { return None };
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16(&units).ok()
        }
        Tag::UniversalString => {
            let (quads, []) = value.data.as_chunks::<4>() else { return None };
            quads.iter().map(|quad| char::from_u32(u32::from_be_bytes(*quad))).collect()
        }
        _ => None,
    }
}

/// RFC 4514 §2.4; control characters as well, so that a name stays on one line of a log.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => push_escaped(&mut text, character),
            ' ' if at == 0 || at == last => push_escaped(&mut text, character),
            '#' if at == 0 => push_escaped(&mut text, character),
            control if control.is_ascii_control() => {
                let _ = write!(text, "\\{:02x}", u32::from(control));
            }
            plain => text.push(plain),
        }
    }
    text
}

fn push_escaped(text: &mut String, character: char) {
    text.push('\\');
    text.push(character);
}

fn der_hex(value: &Any<'_>) -> String {
    hex(&der(value))
}

/// The bytes of a value of any type.
pub(crate) fn der(value: &Any<'_>) -> Vec<u8> {
    value.to_der_vec().unwrap_or_default()
}

/// A type and its value. A list of these is an RDN, and a list of RDNs a name, leaf first.
pub type NamePart<'n> = (&'n str, &'n str);

/// The DER of a name that is written leaf first. `Err` is the type that cannot be written.
pub(crate) fn encode(leaf_first: &[Vec<NamePart<'_>>]) -> Result<Vec<u8>, String> {
    let mut rdns = Vec::new();
    for rdn in leaf_first.iter().rev() {
        let mut parts = Vec::new();
        for &(kind, value) in rdn {
            let oid = number(kind).ok_or_else(|| kind.to_owned())?;
            let value = der::write(string_tag(&oid, value), value.as_bytes());
            let oid = der::write(tag::OID, &der::oid(&oid));
            parts.push(der::write(tag::SEQUENCE, &[oid, value].concat()));
        }
        // X.690 §11.6: the parts of a set in the order of their bytes.
        parts.sort();
        rdns.push(der::write(tag::SET, &parts.concat()));
    }
    Ok(der::write(tag::SEQUENCE, &rdns.concat()))
}

fn number(kind: &str) -> Option<Vec<u64>> {
    let long = [("userid", "UID"), ("commonname", "CN"), ("domaincomponent", "DC")];
    let lower = kind.to_ascii_lowercase();
    let kind = long.iter().find(|(name, _)| *name == lower).map_or(kind, |(_, short)| short);
    let known = SHORT_NAMES.iter().find(|(_, short)| short.eq_ignore_ascii_case(kind));
    let dotted = known.map_or(kind, |(oid, _)| oid);
    let arcs: Option<Vec<u64>> = dotted.split('.').map(|arc| arc.parse().ok()).collect();
    arcs.filter(|arcs| arcs.len() > 1 && arcs.iter().all(|arc| *arc < 1 << 60))
}

/// RFC 5280 appendix A.1: a few types have a string type of their own.
fn string_tag(oid: &[u64], value: &str) -> u8 {
    let ia5 = [
        &[0, 9, 2342, 19200300, 100, 1, 25][..],
        &[0, 9, 2342, 19200300, 100, 1, 3],
        &[1, 2, 840, 113549, 1, 9, 1],
    ];
    let printable = [&[2, 5, 4, 6][..], &[2, 5, 4, 5], &[2, 5, 4, 46]];
    let is_printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    if ia5.contains(&oid) && value.is_ascii() {
        tag::IA5_STRING
    } else if printable.contains(&oid) && value.bytes().all(is_printable) {
        tag::PRINTABLE_STRING
    } else {
        tag::UTF8_STRING
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_rfc_4514_asks() {
        for (value, expected) in [
            ("plain", "plain"),
            ("Smith, John", r"Smith\, John"),
            (" both ", r"\ both\ "),
            (" ", r"\ "),
            ("#hash#", r"\#hash#"),
            (r#"a"b+c;d<e>f\g"#, r#"a\"b\+c\;d\<e\>f\\g"#),
            ("line\nbreak\0", r"line\0abreak\00"),
            ("Zoë=Ж", "Zoë=Ж"),
            ("", ""),
        ] {
            assert_eq!(escaped(value), expected);
        }
    }

    #[test]
    fn strings_of_every_type_are_read() {
        let cases: [(Tag, &[u8], Option<&str>); 8] = [
            (Tag::Utf8String, "Zoë".as_bytes(), Some("Zoë")),
            (Tag::Utf8String, b"\xff", None),
            (Tag::TeletexString, b"Zo\xeb", Some("Zoë")),
            (Tag::BmpString, b"\0Z\0o\0\xeb", Some("Zoë")),
            (Tag::BmpString, b"\0Z\0", None),
            (Tag::UniversalString, b"\0\0\0Z\0\0\0o", Some("Zo")),
            (Tag::UniversalString, b"\0\x11\0\0", None),
            (Tag::Integer, b"\x05", None),
        ];
        for (tag, data, expected) in cases {
            let value = Any::from_tag_and_data(tag, data);
            assert_eq!(string_value(&value).as_deref(), expected, "{tag} {data:?}");
        }
    }

    #[test]
    fn a_name_that_is_written_reads_the_same() {
        let name = [
            vec![("uid", "anna"), ("CN", "Anna, the first")],
            vec![("ou", "Zoë")],
            vec![("dc", "example")],
            vec![("DC", "com")],
        ];
        let der = encode(&name).unwrap();
        let (_, parsed) = x509_parser::prelude::FromDer::from_der(&der).unwrap();
        assert_eq!(text(&parsed), r"UID=anna+CN=Anna\, the first,OU=Zoë,DC=example,DC=com");
        assert_eq!(encode(&[vec![("nonsense", "x")]]), Err("nonsense".to_owned()));
        assert!(encode(&[vec![("1.2.3.4", "x")]]).is_ok());
    }

    #[test]
    fn what_is_not_text_is_written_as_its_bytes() {
        assert_eq!(der_hex(&Any::from_tag_and_data(Tag::Integer, b"\x05")), "020105");
    }
}
