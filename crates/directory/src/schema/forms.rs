//! Which bytes are a value of a syntax (RFC 4517 §3.3). Where OpenLDAP takes more than the RFC, so
//! do we, because its exports must load; each such place says so.

use ldap::dn::{Dn, Rdn};
use ldap::schema_text::{
    AttributeTypeDescription, MatchingRuleDescription, MatchingRuleUseDescription,
    ObjectClassDescription, SyntaxDescription,
};

use super::{InvalidValue, Schema, Syntax, number, time};

type Outcome = Result<(), InvalidValue>;

pub(super) fn check(syntax: Syntax, schema: &Schema, value: &[u8]) -> Outcome {
    use Syntax::{AttributeCertificate, Certificate, CertificateList, CertificatePair};
    use Syntax::{NumericString, PrintableString, TelephoneNumber};
    match syntax {
        Syntax::DirectoryString => directory_string(value),
        Syntax::Ia5String => ia5(value),
        Syntax::DistinguishedName => name(value),
        Syntax::NameAndOptionalUid => name_and_uid(value),
        Syntax::Rdn => rdn(value),
        Syntax::Integer => number::check(value),
        Syntax::Boolean => boolean(value),
        Syntax::BitString => bits(value).map(|_| ()),
        Syntax::Oid => oid(value),
        Syntax::GeneralizedTime => time::check_generalized(value),
        Syntax::UtcTime => time::check_utc(value),
        Syntax::Uuid => by_rule(super::MatchingRule::UuidMatch, schema, value),
        Syntax::Csn => by_rule(super::MatchingRule::CsnMatch, schema, value),
        Syntax::CsnSid => by_rule(super::MatchingRule::CsnSidMatch, schema, value),
        NumericString => bytes(value, |byte| byte.is_ascii_digit() || byte == b' ', NUMERIC),
        PrintableString | TelephoneNumber => bytes(value, is_printable, PRINTABLE),
        Syntax::CountryString => country(value),
        Syntax::PostalAddress => postal_address(value),
        Syntax::FacsimileTelephoneNumber => parts(value, 1, is_printable, PRINTABLE),
        Syntax::TelexNumber => telex(value),
        Syntax::TeletexTerminalIdentifier => parts(value, 1, |byte| byte != 0, PRINTABLE),
        Syntax::DeliveryMethod => delivery_method(value),
        Syntax::OtherMailbox => other_mailbox(value),
        Syntax::Jpeg => jpeg(value),
        Certificate | CertificateList | CertificatePair | AttributeCertificate => der(value),
        Syntax::SupportedAlgorithm | Syntax::PrivateKeyInfo => der(value),
        Syntax::NisNetgroupTriple => netgroup_triple(value),
        Syntax::BootParameter => boot_parameter(value),
        Syntax::Guide | Syntax::EnhancedGuide => directory_string(value),
        Syntax::SubstringAssertion => directory_string(value),
        Syntax::DataQuality | Syntax::DsaQuality => directory_string(value),
        Syntax::ProtocolInformation | Syntax::PresentationAddress => directory_string(value),
        Syntax::CertificateExactAssertion | Syntax::CertificateListExactAssertion => utf8(value),
        Syntax::SubtreeSpecification => braced(value),
        Syntax::AuthorizationRule => utf8(value),
        Syntax::AttributeTypeDescription => text(value, AttributeTypeDescription::parse),
        Syntax::ObjectClassDescription => text(value, ObjectClassDescription::parse),
        Syntax::MatchingRuleDescription => text(value, MatchingRuleDescription::parse),
        Syntax::MatchingRuleUseDescription => text(value, MatchingRuleUseDescription::parse),
        Syntax::LdapSyntaxDescription => text(value, SyntaxDescription::parse),
        Syntax::DitContentRuleDescription
        | Syntax::DitStructureRuleDescription
        | Syntax::NameFormDescription => parenthesized(value),
        Syntax::Audio | Syntax::Binary | Syntax::Fax | Syntax::OctetString | Syntax::Other(_) => {
            Ok(())
        }
    }
}

const NUMERIC: &str = "right are digits and spaces";
const PRINTABLE: &str = "right are letters, digits, spaces and '()+,-./:?= without other signs";

fn fail<T>(what: impl Into<String>) -> Result<T, InvalidValue> {
    Err(InvalidValue::new(what))
}

fn by_rule(rule: super::MatchingRule, schema: &Schema, value: &[u8]) -> Outcome {
    rule.normalize(schema, value, &mut Vec::new())
}

fn utf8(value: &[u8]) -> Outcome {
    std::str::from_utf8(value).map(|_| ()).map_err(|_| super::prepare::not_utf8())
}

/// RFC 4517 §3.3.6: at least one character of UTF-8.
fn directory_string(value: &[u8]) -> Outcome {
    if value.is_empty() {
        return fail("is empty; this syntax needs at least one character (RFC 4517 §3.3.6)");
    }
    utf8(value)
}

/// May be empty (RFC 4517 §3.3.15).
fn ia5(value: &[u8]) -> Outcome {
    if value.is_ascii() { Ok(()) } else { fail("is not IA5 (ASCII) text") }
}

/// One or more of the allowed bytes.
fn bytes(value: &[u8], allowed: fn(u8) -> bool, right: &str) -> Outcome {
    match value.iter().find(|&&byte| !allowed(byte)) {
        Some(&byte) => fail(format!("holds {:?}; {right}", char::from(byte))),
        None if value.is_empty() => fail(format!("is empty; {right}, at least one")),
        None => Ok(()),
    }
}

/// PrintableCharacter of RFC 4517 §3.2.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+,-./:?= ".contains(&byte)
}

fn country(value: &[u8]) -> Outcome {
    if value.len() == 2 && value.iter().all(|&byte| is_printable(byte)) {
        return Ok(());
    }
    fail("is no country; right are the two letters of ISO 3166, as in DE")
}

fn name(value: &[u8]) -> Outcome {
    let text =
        std::str::from_utf8(value).map_err(|_| InvalidValue::new("is no name: not UTF-8"))?;
    Dn::parse(text).map(|_| ()).map_err(|error| InvalidValue::new(format!("is no name: {error}")))
}

fn rdn(value: &[u8]) -> Outcome {
    let text = std::str::from_utf8(value).map_err(|_| InvalidValue::new("is no RDN: not UTF-8"))?;
    Rdn::parse(text).map(|_| ()).map_err(|error| InvalidValue::new(format!("is no RDN: {error}")))
}

/// The name and, behind an unescaped `#`, the bits (RFC 4517 §3.3.21).
pub(super) fn split_uid(value: &[u8]) -> (&[u8], Option<&[u8]>) {
    if !value.ends_with(b"'B") {
        return (value, None);
    }
    match value.iter().rposition(|&byte| byte == b'#') {
        Some(at) => (value.get(..at).unwrap_or_default(), value.get(at + 1..)),
        None => (value, None),
    }
}

fn name_and_uid(value: &[u8]) -> Outcome {
    let (dn, uid) = split_uid(value);
    name(dn)?;
    uid.map_or(Ok(()), |uid| bits(uid).map(|_| ()))
}

/// The digits of `'0101'B`.
pub(super) fn bits(value: &[u8]) -> Result<&[u8], InvalidValue> {
    let digits = value.strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'B"));
    match digits {
        Some(digits) if digits.iter().all(|byte| matches!(byte, b'0' | b'1')) => Ok(digits),
        _ => fail("is no bit string; right is like '0101'B"),
    }
}

/// RFC 4517 §3.3.3 allows upper case only; so does OpenLDAP.
fn boolean(value: &[u8]) -> Outcome {
    match value {
        b"TRUE" | b"FALSE" => Ok(()),
        _ => fail("is no boolean; right is TRUE or FALSE"),
    }
}

/// numericoid or descr (RFC 4512 §1.4); OpenLDAP also allows `_` in a descr where told to.
pub(super) fn is_oid(text: &str) -> bool {
    match text.bytes().next() {
        Some(b'0'..=b'9') => text.split('.').all(|arc| {
            let plain = arc.bytes().all(|byte| byte.is_ascii_digit());
            plain && !arc.is_empty() && (arc == "0" || !arc.starts_with('0'))
        }),
        Some(b'a'..=b'z' | b'A'..=b'Z') => {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        }
        _ => false,
    }
}

pub(super) fn no_oid() -> InvalidValue {
    InvalidValue::new("is no object identifier; right is a name as in person, or like 2.5.6.6")
}

fn oid(value: &[u8]) -> Outcome {
    std::str::from_utf8(value).ok().filter(|text| is_oid(text)).map(|_| ()).ok_or_else(no_oid)
}

/// Lines separated by `$`; `\24` and `\5C` inside (RFC 4517 §3.3.28). Empty lines are let pass, as
/// in OpenLDAP, since real data has them.
fn postal_address(value: &[u8]) -> Outcome {
    directory_string(value)?;
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = rest.get(at + 1..).unwrap_or_default();
        let escape = rest.get(..2).unwrap_or_default();
        if !matches!(escape, b"24" | b"5C" | b"5c") {
            return fail(r"holds a \ that is not \24 (for $) or \5C (for \)");
        }
    }
    Ok(())
}

/// Parts separated by `$`, of which the first `needed` may not be empty.
fn parts(value: &[u8], needed: usize, allowed: fn(u8) -> bool, right: &str) -> Outcome {
    let all: Vec<&[u8]> = value.split(|&byte| byte == b'$').collect();
    let filled = all.iter().take(needed).filter(|part| !part.is_empty()).count();
    if filled < needed || all.iter().flat_map(|part| part.iter()).any(|&byte| !allowed(byte)) {
        return fail(format!("is not made of parts separated by $; in each, {right}"));
    }
    Ok(())
}

/// number $ country code $ answerback (RFC 4517 §3.3.33).
fn telex(value: &[u8]) -> Outcome {
    if value.iter().filter(|&&byte| byte == b'$').count() != 2 {
        return fail("is no telex number; right is number$country$answerback");
    }
    parts(value, 3, is_printable, PRINTABLE)
}

/// RFC 4517 §3.3.5.
fn delivery_method(value: &[u8]) -> Outcome {
    const METHODS: [&[u8]; 10] = [
        b"any",
        b"mhs",
        b"physical",
        b"telex",
        b"teletex",
        b"g3fax",
        b"g4fax",
        b"ia5",
        b"videotex",
        b"telephone",
    ];
    let sound = |part: &[u8]| METHODS.contains(&part.trim_ascii());
    if value.split(|&byte| byte == b'$').all(sound) {
        return Ok(());
    }
    fail("is no delivery method; right is like 'telephone $ mhs'")
}

/// type $ mailbox (RFC 1274 §9.3.20).
fn other_mailbox(value: &[u8]) -> Outcome {
    match value.iter().position(|&byte| byte == b'$') {
        Some(at) if at > 0 => ia5(value),
        _ => fail("is no mailbox; right is type$address"),
    }
}

/// JFIF and Exif begin alike; like OpenLDAP, no more is looked at.
fn jpeg(value: &[u8]) -> Outcome {
    if value.starts_with(&[0xff, 0xd8]) { Ok(()) } else { fail("is no JPEG image") }
}

/// One whole BER SEQUENCE.
fn der(value: &[u8]) -> Outcome {
    let whole = || {
        let [0x30, length, rest @ ..] = value else { return None };
        let length = usize::from(*length);
        if length < 0x80 {
            return Some(rest.len() == length);
        }
        let (bytes, rest) = rest.split_at_checked(length & 0x7f)?;
        let number = bytes
            .iter()
            .try_fold(0_usize, |sum, &byte| sum.checked_mul(256)?.checked_add(usize::from(byte)))?;
        Some(!bytes.is_empty() && rest.len() == number)
    };
    if whole() == Some(true) { Ok(()) } else { fail("is not one whole BER sequence") }
}

/// `(host,user,domain)`, each possibly empty or `-` (RFC 2307 §2.4).
fn netgroup_triple(value: &[u8]) -> Outcome {
    let inside = value.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")"));
    let sound = inside.is_some_and(|inside| {
        inside.iter().filter(|&&byte| byte == b',').count() == 2 && ia5(inside).is_ok()
    });
    if sound { Ok(()) } else { fail("is no netgroup triple; right is (host,user,domain)") }
}

/// `key=server:path` (RFC 2307 §2.4).
fn boot_parameter(value: &[u8]) -> Outcome {
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii());
    let split =
        text.and_then(|text| text.split_once('=')).map(|(key, rest)| (key, rest.split_once(':')));
    match split {
        Some((key, Some((server, path)))) if ![key, server, path].contains(&"") => Ok(()),
        _ => fail("is no boot parameter; right is key=server:path"),
    }
}

fn braced(value: &[u8]) -> Outcome {
    utf8(value)?;
    let value = value.trim_ascii();
    if value.starts_with(b"{") && value.ends_with(b"}") {
        return Ok(());
    }
    fail("is no subtree specification; right is like {} or { base \"ou=people\" }")
}

fn parenthesized(value: &[u8]) -> Outcome {
    utf8(value)?;
    let value = value.trim_ascii();
    if value.starts_with(b"(") && value.ends_with(b")") {
        return Ok(());
    }
    fail("is no description; right is like ( 1.2.3 NAME 'x' ... )")
}

fn text<T, E: std::fmt::Display>(value: &[u8], parse: fn(&str) -> Result<T, E>) -> Outcome {
    let text = std::str::from_utf8(value).map_err(|_| super::prepare::not_utf8())?;
    let explain = |error| InvalidValue::new(format!("is no RFC 4512 description: {error}"));
    parse(text).map(|_| ()).map_err(explain)
}
