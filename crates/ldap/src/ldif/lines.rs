//! Physical lines joined into logical ones (RFC 2849 note 2), comments left out, line ends removed.

use std::borrow::Cow;

use memchr::memchr;

use super::{LdifAttribute, LdifError, MAX_LINE_BYTES, fail};

/// The logical lines of a text.
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
    /// The number of the line `rest` begins with.
    number: u32,
}

/// One logical line.
pub(crate) struct Line<'a> {
    pub(crate) number: u32,
    /// Up to the first fold.
    pub(super) first: &'a [u8],
    /// Everything, if there was a fold.
    pub(super) unfolded: Option<Vec<u8>>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a [u8], number: u32) -> Lines<'a> {
        Lines { rest: text, number }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Line<'a>>, LdifError> {
        while !self.rest.is_empty() {
            let number = self.number;
            let first = self.physical();
            let unfolded = match self.rest.first() {
                Some(b' ') if !first.is_empty() => Some(self.unfold(first, number)?),
                _ => None,
            };
            match first.first() {
                None | Some(b'#') => {}
                Some(b' ') => {
                    return fail(number, "a line that begins with a space continues nothing here");
                }
                Some(_) => return Ok(Some(Line { number, first, unfolded })),
            }
        }
        Ok(None)
    }

    /// Takes one physical line off, without its end.
    fn physical(&mut self) -> &'a [u8] {
        let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest.get(1..).unwrap_or_default();
        self.number = self.number.saturating_add(1);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    fn unfold(&mut self, first: &[u8], number: u32) -> Result<Vec<u8>, LdifError> {
        let mut whole = first.to_vec();
        while self.rest.first() == Some(&b' ') {
            whole.extend_from_slice(self.physical().get(1..).unwrap_or_default());
            if whole.len() > MAX_LINE_BYTES {
                return fail(number, format!("a line may be {MAX_LINE_BYTES} bytes at most"));
            }
        }
        Ok(whole)
    }
}

impl<'a> Line<'a> {
    /// The `-` between the parts of a modify record.
    pub(crate) fn is_separator(&self) -> bool {
        self.unfolded.is_none() && self.first.trim_ascii_end() == b"-"
    }

    /// Taken apart as `description: value`.
    pub(crate) fn attribute(self) -> Result<LdifAttribute<'a>, LdifError> {
        let line = self.number;
        let whole = self.unfolded.as_deref().unwrap_or(self.first);
        let Some(colon) = memchr(b':', whole) else {
            return fail(line, missing_colon(whole));
        };
        let (name, _) = whole.split_at_checked(colon).unwrap_or_default();
        if !is_description(name) {
            return fail(line, not_a_description(name));
        }
        let description = match self.first.get(..colon) {
            Some(name) => std::str::from_utf8(name).map(Cow::Borrowed).ok(),
            None => std::str::from_utf8(name).map(|name| Cow::Owned(name.to_owned())).ok(),
        };
        let description = description.unwrap_or_default(); // ASCII, as `is_description` says
        let value = match self.unfolded {
            None => super::value::borrowed(self.first.get(colon + 1..).unwrap_or_default()),
            Some(whole) => super::value::owned(whole, colon + 1),
        };
        match value {
            Ok(value) => Ok(LdifAttribute { line, description, value }),
            Err(what) => fail(line, format!("the value of `{description}` {what}")),
        }
    }
}

/// RFC 4512 §2.5, and the `=` of Active Directory's `member;range=0-1499`, the `_` of old schemas.
fn is_description(name: &[u8]) -> bool {
    let in_description = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b';' | b'_' | b'=')
    };
    name.first().is_some_and(u8::is_ascii_alphanumeric) && name.iter().all(in_description)
}

fn missing_colon(line: &[u8]) -> String {
    format!("`{}` has no colon; a line is `name: value`", excerpt(line))
}

fn not_a_description(name: &[u8]) -> String {
    format!("`{}` is not an attribute name; a line is `name: value`", excerpt(name))
}

/// Enough of a line to find it by.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes));
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{}{dots}", text.escape_debug())
}
