//! Concatenated `PartialAttribute` elements, walked through in place: what an entry is on the wire
//! and in the store.

use std::fmt;

use crate::ber::tag::{OCTET_STRING, SEQUENCE, SET};
use crate::ber::{DecodeError, Reader};

/// Iterates over attributes. [`Attributes::checked`] makes sure that all bytes are attributes;
/// [`Attributes::new`] trusts them, and the iteration ends at the first byte that is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Attributes<'a>(Reader<'a>);

/// One attribute: where its parts are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PartialAttribute<'a> {
    /// The whole element, header included, ready to be copied into an answer.
    pub wire: &'a [u8],
    pub description: &'a [u8],
    pub values: Values<'a>,
}

/// Iterates over the values of one attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Values<'a>(Reader<'a>);

impl<'a> Attributes<'a> {
    /// For bytes that [`crate::response::write_attribute`] wrote.
    pub fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes(Reader::new(bytes))
    }

    /// For bytes from outside: every element is looked at once, descriptions are UTF-8.
    pub fn checked(bytes: &'a [u8]) -> Result<Attributes<'a>, DecodeError> {
        Attributes::checked_reader(Reader::new(bytes))
    }

    pub(crate) fn checked_reader(reader: Reader<'a>) -> Result<Attributes<'a>, DecodeError> {
        let mut ahead = reader;
        while !ahead.is_empty() {
            let mut element = ahead.nested(SEQUENCE)?;
            element.text(OCTET_STRING)?;
            let mut values = element.nested(SET)?;
            while !values.is_empty() {
                values.nested(OCTET_STRING)?;
            }
            element.ignore_rest()?;
        }
        Ok(Attributes(reader))
    }

    /// What has not been iterated over yet.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0.rest()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = PartialAttribute<'a>;

    #[inline]
    fn next(&mut self) -> Option<PartialAttribute<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let before = self.0.rest();
        let mut element = self.0.nested(SEQUENCE).ok()?;
        let wire = before.get(..before.len() - self.0.rest().len())?;
        let description = element.octets(OCTET_STRING).ok()?;
        let values = Values(element.nested(SET).ok()?);
        Some(PartialAttribute { wire, description, values })
    }
}

impl<'a> PartialAttribute<'a> {
    /// The description as text; empty if it is not UTF-8, which [`Attributes::checked`] excludes.
    pub fn name(&self) -> &'a str {
        std::str::from_utf8(self.description).unwrap_or_default()
    }
}

impl<'a> Values<'a> {
    /// Whether there is no further value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        self.0.octets(OCTET_STRING).ok()
    }
}

/// Values may be secrets: only their number is printed.
impl fmt::Debug for PartialAttribute<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}({} values)", self.name(), self.values.count())
    }
}

impl fmt::Debug for Attributes<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(*self).finish()
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Values({})", self.count())
    }
}
