//! Normal forms, one for each family of matching rules.

use ldap::dn::{Dn, Rdn};

use super::matching::{Form, Piece};
use super::prepare::{Case, Ends, Insignificant, prepare};
use super::{InvalidValue, Schema, component, forms, names, number, time};

type Outcome = Result<(), InvalidValue>;

pub(super) fn value(form: Form, schema: &Schema, value: &[u8], out: &mut Vec<u8>) -> Outcome {
    match form {
        Form::CaseIgnore => text(value, Case::Ignore, Ends::BOTH, out),
        Form::CaseExact => text(value, Case::Exact, Ends::BOTH, out),
        Form::Ia5CaseIgnore => ascii(value, Case::Ignore, Ends::BOTH, out),
        Form::Ia5CaseExact => ascii(value, Case::Exact, Ends::BOTH, out),
        Form::List => list(value, Ends::BOTH, out),
        Form::Numeric => prepare(value, Case::Exact, Insignificant::AllSpaces, out),
        Form::Telephone => prepare(value, Case::Ignore, Insignificant::SpacesAndHyphens, out),
        Form::Octets => octets(value, out),
        Form::Oid => oid(schema, value, out),
        Form::Name => name(schema, value, out),
        Form::Rdn => rdn(schema, value, out),
        Form::NameAndUid => name_and_uid(schema, value, out),
        Form::Boolean => boolean(value, out),
        Form::Integer => number::normalize(value, out),
        Form::Bits => bits(value, out),
        Form::Time => time::normalize_generalized(value, out),
        Form::UtcTime => time::normalize_utc(value, out),
        Form::Uuid => uuid(value, out),
        Form::Csn => time::normalize_csn(value, out),
        Form::CsnSid => time::normalize_sid(value, out),
        Form::OidFirst => oid(schema, component::first(value), out),
        Form::IntegerFirst => number::normalize(component::first(value), out),
        Form::TextFirst => text(component::first(value), Case::Ignore, Ends::BOTH, out),
    }
}

pub(super) fn piece(
    form: Form,
    schema: &Schema,
    piece: &[u8],
    position: Piece,
    out: &mut Vec<u8>,
) -> Outcome {
    let ends = Ends::of(position);
    match form {
        Form::CaseIgnore => text(piece, Case::Ignore, ends, out),
        Form::CaseExact => text(piece, Case::Exact, ends, out),
        Form::Ia5CaseIgnore => ascii(piece, Case::Ignore, ends, out),
        Form::Ia5CaseExact => ascii(piece, Case::Exact, ends, out),
        Form::List => list(piece, ends, out),
        Form::Numeric | Form::Telephone | Form::Octets => value(form, schema, piece, out),
        _ => Err(InvalidValue::new("cannot be searched by substring")),
    }
}

fn text(value: &[u8], case: Case, ends: Ends, out: &mut Vec<u8>) -> Outcome {
    prepare(value, case, Insignificant::Spaces(ends), out)
}

fn ascii(value: &[u8], case: Case, ends: Ends, out: &mut Vec<u8>) -> Outcome {
    if !value.is_ascii() {
        return Err(InvalidValue::new("is not IA5 (ASCII) text"));
    }
    text(value, case, ends, out)
}

/// Lines separated by `$` (RFC 4517 §3.3.28), each prepared by itself. Escapes are left: two ways
/// to write one character (`\5c`, `\5C`) differ in letter case only.
fn list(value: &[u8], ends: Ends, out: &mut Vec<u8>) -> Outcome {
    let last = value.iter().filter(|&&byte| byte == b'$').count();
    for (at, line) in value.split(|&byte| byte == b'$').enumerate() {
        if at > 0 {
            out.push(b'$');
        }
        let line_ends = Ends { first: at > 0 || ends.first, last: at < last || ends.last };
        text(line, Case::Ignore, line_ends, out)?;
    }
    Ok(())
}

fn octets(value: &[u8], out: &mut Vec<u8>) -> Outcome {
    out.extend_from_slice(value);
    Ok(())
}

/// Numbers as they are, names as the number they stand for. An unknown name is compared as it is,
/// in lower case: values keep their normal form whichever files are loaded.
fn oid(schema: &Schema, value: &[u8], out: &mut Vec<u8>) -> Outcome {
    let text = std::str::from_utf8(value).map_err(|_| forms::no_oid())?;
    if !forms::is_oid(text) {
        return Err(forms::no_oid());
    }
    let class = || schema.object_class(text).map(|class| class.oid.as_str());
    let attribute = || schema.attribute_type(text).map(|attribute| attribute.oid.as_str());
    let rule = || schema.matching_rule(text).map(|rule| rule.oid());
    match class().or_else(attribute).or_else(rule) {
        Some(known) => out.extend_from_slice(known.as_bytes()),
        None => out.extend(text.bytes().map(|byte| byte.to_ascii_lowercase())),
    }
    Ok(())
}

fn name(schema: &Schema, value: &[u8], out: &mut Vec<u8>) -> Outcome {
    let text =
        std::str::from_utf8(value).map_err(|_| InvalidValue::new("is no name: not UTF-8"))?;
    let dn = Dn::parse(text).map_err(|error| InvalidValue::new(format!("is no name: {error}")))?;
    let normalized = names::normalize_dn(schema, &dn).map_err(|error| error.into_value())?;
    normalized.write_reversed(out);
    Ok(())
}

fn rdn(schema: &Schema, value: &[u8], out: &mut Vec<u8>) -> Outcome {
    let text = std::str::from_utf8(value).map_err(|_| InvalidValue::new("is no RDN: not UTF-8"))?;
    let rdn = Rdn::parse(text).map_err(|error| InvalidValue::new(format!("is no RDN: {error}")))?;
    out.extend(names::normalize_rdn(schema, &rdn).map_err(|error| error.into_value())?);
    Ok(())
}

/// The name, then `#` and the bits where there are some. A value with bits and one without are two
/// values, unlike in an assertion (RFC 4517 §4.2.31), since both may stand in one attribute.
fn name_and_uid(schema: &Schema, value: &[u8], out: &mut Vec<u8>) -> Outcome {
    let (dn, uid) = forms::split_uid(value);
    name(schema, dn, out)?;
    if let Some(uid) = uid {
        out.push(b'#');
        bits(uid, out)?;
    }
    Ok(())
}

fn boolean(value: &[u8], out: &mut Vec<u8>) -> Outcome {
    if value.eq_ignore_ascii_case(b"TRUE") {
        out.push(1);
    } else if value.eq_ignore_ascii_case(b"FALSE") {
        out.push(0);
    } else {
        return Err(InvalidValue::new("is no boolean; right is TRUE or FALSE"));
    }
    Ok(())
}

fn bits(value: &[u8], out: &mut Vec<u8>) -> Outcome {
    out.extend_from_slice(forms::bits(value)?);
    Ok(())
}

/// The 16 bytes.
fn uuid(value: &[u8], out: &mut Vec<u8>) -> Outcome {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 36);
    let uuid = text.and_then(|text| uuid::Uuid::try_parse(text).ok()).ok_or_else(|| {
        InvalidValue::new("is no UUID; right is like 597ae2f6-16a6-1027-98f4-d28b5365dc14")
    })?;
    out.extend_from_slice(uuid.as_bytes());
    Ok(())
}
