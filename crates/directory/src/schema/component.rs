//! Rules that look inside a value: first components, words, and substring assertions as text.

use super::prepare::{Case, Ends, Insignificant, prepare};
use super::{InvalidValue, MatchingRule, Piece, Schema};

/// The first component of a description such as `( 2.5.4.3 NAME 'cn' )`, and an assertion as it is.
pub(super) fn first(value: &[u8]) -> &[u8] {
    let Some(inside) = value.trim_ascii_start().strip_prefix(b"(") else { return value };
    let inside = inside.trim_ascii_start();
    let (end, quoted) = match inside.strip_prefix(b"'") {
        Some(rest) => (rest.iter().position(|&byte| byte == b'\''), rest),
        None => (inside.iter().position(|&byte| byte == b' ' || byte == b')'), inside),
    };
    quoted.get(..end.unwrap_or(quoted.len())).unwrap_or_default()
}

/// Whether the assertion is one of the words of the value (RFC 4517 §4.2.35, §4.2.21). What a word
/// is is left to the server: a run of letters and digits.
pub(super) fn has_word(
    _schema: &Schema,
    value: &[u8],
    assertion: &[u8],
) -> Result<bool, InvalidValue> {
    let (mut text, mut wanted) = (Vec::new(), Vec::new());
    prepare(value, Case::Ignore, Insignificant::Spaces(Ends::BOTH), &mut text)?;
    prepare(assertion, Case::Ignore, Insignificant::Spaces(Ends::BOTH), &mut wanted)?;
    let text = String::from_utf8_lossy(&text);
    let wanted = String::from_utf8_lossy(&wanted);
    let wanted = wanted.trim_matches(' ');
    let is_break = |character: char| !character.is_alphanumeric();
    Ok(!wanted.is_empty() && text.split(is_break).any(|word| word == wanted))
}

/// `initial*any*final` as a value of Substring Assertion syntax (RFC 4517 §3.3.30).
struct Pieces {
    pieces: Vec<(Piece, Vec<u8>)>,
}

fn parse_pieces(assertion: &[u8]) -> Result<Pieces, InvalidValue> {
    let parts: Vec<&[u8]> = assertion.split(|&byte| byte == b'*').collect();
    let last = parts.len() - 1;
    let mut pieces = Vec::new();
    for (at, part) in parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        let position = match at {
            0 => Piece::Initial,
            _ if at == last => Piece::Final,
            _ => Piece::Any,
        };
        pieces.push((position, unescape(part)));
    }
    if last == 0 || pieces.is_empty() {
        return Err(InvalidValue::new("is no substring assertion; right is like a*b*c or *b*"));
    }
    Ok(Pieces { pieces })
}

/// `\2A` is an asterisk and `\5C` a backslash.
fn unescape(part: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(part.len());
    let mut rest = part;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match rest {
            [b'\\', b'2', b'a' | b'A', tail @ ..] => (b'*', tail),
            [b'\\', b'5', b'c' | b'C', tail @ ..] => (b'\\', tail),
            _ => (*first, tail),
        };
        out.push(byte);
        rest = tail;
    }
    out
}

pub(super) fn has_substrings(
    rule: MatchingRule,
    schema: &Schema,
    value: &[u8],
    assertion: &[u8],
) -> Result<bool, InvalidValue> {
    let mut text = Vec::new();
    rule.normalize(schema, value, &mut text)?;
    let mut rest = text.as_slice();
    for (position, piece) in parse_pieces(assertion)?.pieces {
        let mut wanted = Vec::new();
        rule.normalize_piece(schema, &piece, position, &mut wanted)?;
        let found = match position {
            Piece::Initial => rest.strip_prefix(wanted.as_slice()),
            Piece::Final => rest.ends_with(&wanted).then_some(&[][..]),
            Piece::Any => {
                memchr::memmem::find(rest, &wanted).and_then(|at| rest.get(at + wanted.len()..))
            }
        };
        match found {
            Some(after) => rest = after,
            None => return Ok(false),
        }
    }
    Ok(true)
}
