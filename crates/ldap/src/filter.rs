//! Search filters: decoded in place from the wire, parsed from and printed as RFC 4515 text.
//!
//! A [`Filter`] borrows its values from the message it came from. Filters that must outlive their
//! message (assertion controls in the writer's queue, access rules) keep the encoded bytes as
//! [`FilterBytes`] and decode them again where they are used.

use std::borrow::Cow;

use crate::ber::{DecodeError, Reader};
use crate::message::DecodeLimits;

mod text;
mod wire;

pub use text::FilterSyntaxError;

/// One filter. `And([])` is absolute true and `Or([])` absolute false (RFC 4526).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter<'a> {
    And(Vec<Filter<'a>>),
    Or(Vec<Filter<'a>>),
    Not(Box<Filter<'a>>),
    Equality(Assertion<'a>),
    Substrings(Substrings<'a>),
    GreaterOrEqual(Assertion<'a>),
    LessOrEqual(Assertion<'a>),
    Present(&'a str),
    Approx(Assertion<'a>),
    Extensible(Extensible<'a>),
}

/// `attribute = value`; the attribute is a full description, options included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion<'a> {
    pub attribute: &'a str,
    /// Borrowed from the wire; owned only where RFC 4515 text held an escape.
    pub value: Cow<'a, [u8]>,
}

/// `attribute = initial*any*any*final`; at least one piece is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substrings<'a> {
    pub attribute: &'a str,
    pub initial: Option<Cow<'a, [u8]>>,
    pub any: Vec<Cow<'a, [u8]>>,
    pub last: Option<Cow<'a, [u8]>>,
}

/// `attribute:dn:rule:=value`; at least one of `rule` and `attribute` is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extensible<'a> {
    pub rule: Option<&'a str>,
    pub attribute: Option<&'a str>,
    pub value: Cow<'a, [u8]>,
    pub dn_attributes: bool,
}

/// A filter kept as its BER bytes, known to decode within the limits it was checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterBytes(pub(crate) Box<[u8]>);

impl FilterBytes {
    /// Keeps the bytes of one whole filter after checking that they are one.
    pub fn from_wire(bytes: &[u8], limits: &DecodeLimits) -> Result<FilterBytes, DecodeError> {
        let mut reader = Reader::new(bytes);
        Filter::decode(&mut reader, limits)?;
        reader.finish()?;
        Ok(FilterBytes(bytes.into()))
    }

    pub fn from_filter(filter: &Filter<'_>) -> FilterBytes {
        let mut bytes = Vec::new();
        filter.encode(&mut bytes);
        FilterBytes(bytes.into())
    }

    /// The filter again. Filters that were decoded or parsed always come back; one that was built
    /// by hand and is no filter (a substring assertion without pieces) comes back as absolute
    /// false, which matches nothing.
    pub fn filter(&self) -> Filter<'_> {
        Filter::decode_checked(&self.0).unwrap_or(Filter::Or(Vec::new()))
    }

    /// The BER encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
pub(crate) mod tests;
