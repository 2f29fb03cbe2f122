//! Distinguished names as text (RFC 4514): parsing, printing, taking apart. Comparing names needs
//! the schema and is done in `directory`.

mod parse;
mod print;
#[cfg(test)]
mod tests;

use std::fmt;

/// The longest text that is read as a name. As in OpenLDAP, whose clients are built to it.
pub const MAX_DN_BYTES: usize = 8192;
/// The deepest name. Real trees stay below 20.
pub const MAX_RDNS: usize = 256;
/// The most `type=value` pairs joined by `+` in one RDN.
pub const MAX_RDN_VALUES: usize = 32;

/// A name, leaf first, as it is written. The empty name is the root DSE's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dn {
    pub rdns: Vec<Rdn>,
}

/// One or more attribute values that together name an entry among its siblings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rdn {
    pub values: Vec<AttributeValue>,
}

/// `type=value`. The value is the decoded one: no escapes; `#hex` values hold the BER's content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttributeValue {
    pub attribute: String,
    pub value: Vec<u8>,
}

/// Why a text is not a name, and where: `offset` counts bytes from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnSyntaxError {
    pub offset: usize,
    pub what: String,
}

impl fmt::Display for DnSyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at character {} of the name: {}", self.offset + 1, self.what)
    }
}

impl std::error::Error for DnSyntaxError {}

impl Dn {
    /// Reads RFC 4514 text, and what RFC 2253 and RFC 1779 clients still send: spaces around
    /// separators, `;` between RDNs, `"quoted"` values, `OID.` in front of a numeric type.
    pub fn parse(text: &str) -> Result<Dn, DnSyntaxError> {
        parse::dn(text)
    }

    /// The root DSE's name.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The entry's own RDN.
    pub fn rdn(&self) -> Option<&Rdn> {
        self.rdns.first()
    }

    /// The name one step up; the parent of a single RDN is the empty name, which has none.
    pub fn parent(&self) -> Option<Dn> {
        let (_, above) = self.rdns.split_first()?;
        Some(Dn { rdns: above.to_vec() })
    }
}

/// The first RDN and the rest of a name that is written plainly: without escapes, quotes, hex or
/// anything else whose commas are not separators. None where that is not sure at a glance.
pub fn split_plain(text: &str) -> Option<(&str, &str)> {
    if text.len() > MAX_DN_BYTES {
        return None;
    }
    let end = text.bytes().position(|byte| matches!(byte, b',' | b'\\' | b'"' | b';' | b'#'))?;
    let (rdn, rest) = text.split_at(end);
    Some((rdn, rest.strip_prefix(',')?))
}

impl Rdn {
    /// Reads exactly one RDN, as `newrdn` carries it.
    pub fn parse(text: &str) -> Result<Rdn, DnSyntaxError> {
        parse::rdn(text)
    }
}
