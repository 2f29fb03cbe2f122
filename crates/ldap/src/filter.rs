//! Search filters: decoded in place from the wire, parsed from and printed as RFC 4515 text.
//!
//! A [`Filter`] borrows its values from the message it came from. Filters that must outlive their
//! message (assertion controls in the writer's queue, access rules) keep the encoded bytes as
//! [`FilterBytes`] and decode them again where they are used.

use std::borrow::Cow;

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
