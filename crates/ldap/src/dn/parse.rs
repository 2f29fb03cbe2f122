//! Reads names in one pass over the bytes (RFC 4514 §3, with the leniency of RFC 2253 §4).

use super::{AttributeValue, Dn, DnSyntaxError, MAX_DN_BYTES, MAX_RDN_VALUES, MAX_RDNS, Rdn};
use crate::oid::{is_descr, is_numericoid};

type Parsed<T> = Result<T, DnSyntaxError>;

pub(super) fn dn(text: &str) -> Parsed<Dn> {
    let mut scanner = Scanner::new(text)?;
    scanner.skip_white();
    let mut rdns = Vec::new();
    if scanner.peek().is_none() {
        return Ok(Dn { rdns });
    }
    loop {
        if rdns.len() == MAX_RDNS {
            return fail(scanner.at, format!("a name may have {MAX_RDNS} parts at most"));
        }
        rdns.push(scanner.rdn()?);
        match scanner.peek() {
            None => return Ok(Dn { rdns }),
            Some(_) => scanner.at += 1, // `,` or `;`: an RDN ends nowhere else
        }
    }
}

pub(super) fn rdn(text: &str) -> Parsed<Rdn> {
    let mut scanner = Scanner::new(text)?;
    let rdn = scanner.rdn()?;
    match scanner.peek() {
        None => Ok(rdn),
        Some(_) => fail(
            scanner.at,
            "a relative name is one part only; write a `,` inside its value as `\\,`",
        ),
    }
}

fn fail<T>(offset: usize, what: impl Into<String>) -> Parsed<T> {
    Err(DnSyntaxError { offset, what: what.into() })
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Parsed<Scanner<'a>> {
        if text.len() > MAX_DN_BYTES {
            return fail(MAX_DN_BYTES, format!("a name may be {MAX_DN_BYTES} bytes at most"));
        }
        Ok(Scanner { text, at: 0 })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip_while(&mut self, accepted: impl Fn(u8) -> bool) {
        let rest = self.rest();
        self.at += rest.iter().position(|&byte| !accepted(byte)).unwrap_or(rest.len());
    }

    /// Between parts, clients that wrap lines send line breaks and tabs too.
    fn skip_white(&mut self) {
        self.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    }

    /// Next to a value only the space is padding: RFC 4514 lets every other character stand.
    fn skip_spaces(&mut self) {
        self.skip_while(|byte| byte == b' ');
    }

    /// Stops at `,`, at `;` or at the end.
    fn rdn(&mut self) -> Parsed<Rdn> {
        let mut values = Vec::with_capacity(1);
        loop {
            if values.len() == MAX_RDN_VALUES {
                return fail(self.at, format!("`+` may join {MAX_RDN_VALUES} values at most"));
            }
            let attribute = self.attribute()?;
            let value = self.value()?;
            values.push(AttributeValue { attribute, value });
            if self.peek() != Some(b'+') {
                return Ok(Rdn { values });
            }
            self.at += 1;
        }
    }

    /// The attribute type, its `=` and the spaces around both.
    fn attribute(&mut self) -> Parsed<String> {
        self.skip_white();
        let start = self.at;
        self.skip_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        let word = self.text.get(start..self.at).unwrap_or_default();
        self.skip_white();
        if word.is_empty() || self.peek() != Some(b'=') {
            return fail(self.at, self.missing_equals(word));
        }
        self.at += 1;
        let name = without_oid_prefix(word);
        if is_descr(name) || is_numericoid(name) {
            return Ok(name.to_owned());
        }
        fail(start, format!("`{word}` is neither an attribute name nor a numeric OID"))
    }

    fn missing_equals(&self, word: &str) -> String {
        match (word, self.peek()) {
            ("", None) => "the name ends where another `type=value` must follow".to_owned(),
            ("", _) => "an attribute type must stand here, as in `cn=value`".to_owned(),
            (word, _) => format!("`=` must follow the attribute type `{word}`"),
        }
    }

    fn value(&mut self) -> Parsed<Vec<u8>> {
        self.skip_spaces();
        let value = match self.peek() {
            Some(b'"') => self.quoted()?,
            Some(b'#') => self.hex()?,
            _ => return self.string(),
        };
        self.skip_white();
        match self.peek() {
            None | Some(b',' | b';' | b'+') => Ok(value),
            Some(_) => fail(self.at, "only `,`, `+` or the end may follow this value"),
        }
    }

    /// RFC 1779 and RFC 2253 §4: inside quotes every character but `"` and `\` stands for itself.
    fn quoted(&mut self) -> Parsed<Vec<u8>> {
        let opening = self.at;
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let start = self.at;
            self.skip_while(|byte| !matches!(byte, b'"' | b'\\' | 0));
            value.extend_from_slice(self.since(start));
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => value.push(self.escape()?),
                Some(_) => return fail(self.at, NUL),
                None => return fail(opening, "this `\"` is never closed"),
            }
        }
        self.at += 1;
        Ok(value)
    }

    /// Stops at an unescaped `,`, `;` or `+`; spaces before it are padding unless escaped.
    fn string(&mut self) -> Parsed<Vec<u8>> {
        let mut value = Vec::new();
        let mut escaped_length = 0;
        loop {
            let start = self.at;
            self.skip_while(|byte| {
                !matches!(byte, b',' | b';' | b'+' | b'\\' | b'"' | b'<' | b'>' | 0)
            });
            value.extend_from_slice(self.since(start));
            match self.peek() {
                None | Some(b',' | b';' | b'+') => break,
                Some(b'\\') => value.push(self.escape()?),
                Some(0) => return fail(self.at, NUL),
                Some(byte) => {
                    let sign = char::from(byte);
                    return fail(self.at, format!("inside a value, write `{sign}` as `\\{sign}`"));
                }
            }
            escaped_length = value.len();
        }
        while value.len() > escaped_length && value.last() == Some(&b' ') {
            value.pop();
        }
        Ok(value)
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.text.as_bytes().get(start..self.at).unwrap_or_default()
    }

    /// RFC 4514 §3 `pair`: a backslash and either two hex digits or one of the special characters.
    fn escape(&mut self) -> Parsed<u8> {
        let start = self.at;
        let pair = self.rest();
        if let (Some(&high), Some(&low)) = (pair.get(1), pair.get(2))
            && let (Some(high), Some(low)) = (hex_digit(high), hex_digit(low))
        {
            self.at += 3;
            return Ok(high << 4 | low);
        }
        match pair.get(1) {
            Some(&sign) if b" \"#+,;<=>\\".contains(&sign) => {
                self.at += 2;
                Ok(sign)
            }
            _ => fail(start, "after `\\` come two hex digits or one of ` \"#+,;<=>\\`"),
        }
    }

    /// RFC 4514 §2.4: `#` and the value's BER in hex.
    fn hex(&mut self) -> Parsed<Vec<u8>> {
        let start = self.at;
        self.at += 1;
        let digits = self.at;
        self.skip_while(|byte| byte.is_ascii_hexdigit());
        let (pairs, odd) = self.since(digits).as_chunks::<2>();
        if pairs.is_empty() || !odd.is_empty() {
            return fail(
                start,
                "`#` must be followed by pairs of hex digits; a value that begins with `#` is \
                 written `\\#`",
            );
        }
        let decode = |&[high, low]: &[u8; 2]| Some(hex_digit(high)? << 4 | hex_digit(low)?);
        let encoded: Vec<u8> = pairs.iter().filter_map(decode).collect();
        Ok(string_content(&encoded).map(<[u8]>::to_vec).unwrap_or(encoded))
    }
}

const NUL: &str = "the NUL character must be written `\\00`";

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 1779's `OID.2.5.4.3`.
fn without_oid_prefix(word: &str) -> &str {
    match word.split_at_checked(4) {
        Some((prefix, oid)) if prefix.eq_ignore_ascii_case("oid.") => oid,
        _ => word,
    }
}

/// The content of an encoding that is exactly one OCTET, UTF8, Printable or IA5 string. Any other
/// value has no string form, and its encoding is the value.
fn string_content(encoded: &[u8]) -> Option<&[u8]> {
    let (&tag, rest) = encoded.split_first()?;
    if !matches!(tag, 0x04 | 0x0c | 0x13 | 0x16) {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, content) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, content) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum: usize, &byte| sum << 8 | usize::from(byte)), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some(content)
}
