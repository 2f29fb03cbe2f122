//! The subset of BER that LDAP allows (RFC 4511 §5.1): read in place, written forward.
//!
//! Reading: [`frame`] tells whether a whole message is in a buffer, [`Reader`] walks through it
//! without copying. Writing: the functions re-exported from `ber/write.rs` append to a `Vec<u8>`.

use std::fmt;

mod write;

pub use write::{
    Nested, begin, length_of_integer, length_of_tlv, write_boolean, write_enumerated, write_header,
    write_integer, write_octets,
};

/// Universal tags, with their primitive or constructed bit.
pub mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const OCTET_STRING: u8 = 0x04;
    pub const ENUMERATED: u8 = 0x0a;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
}

/// What is wrong with some bytes, and where. Holds none of them, so it is safe to print and cheap
/// to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    pub kind: DecodeErrorKind,
    /// Counted from the first byte that was given to the decoder.
    pub offset: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// An element ends before it should, or runs past the end of what contains it.
    Truncated,
    /// RFC 4511 §5.1 (1): only the definite form of length encoding is used.
    IndefiniteLength,
    /// A length that does not fit into 32 bits.
    LengthTooLarge,
    /// No tag of LDAP is above 30.
    HighTagNumber,
    UnexpectedTag {
        wanted: u8,
        found: u8,
    },
    /// More bytes than the message has room for.
    TrailingBytes,
    /// The whole message is larger than its reader allows.
    MessageTooLarge,
    /// A BOOLEAN or INTEGER whose content has an impossible number of octets.
    WrongSize,
    IntegerOutOfRange,
    NotUtf8,
    /// Something that must be there is not: its name.
    Missing(&'static str),
    /// A CHOICE or ENUMERATED alternative that is not known: the name of the type.
    UnknownChoice(&'static str),
    /// Neither `simple` nor `sasl`.
    UnknownAuthentication,
    /// More of something than [`crate::message::DecodeLimits`] allows: its name.
    TooMany(&'static str),
    /// Decodes, but breaks a rule that the sentence tells.
    Invalid(&'static str),
}

impl DecodeErrorKind {
    /// Whether the encoding itself is broken, so that nothing that follows can be trusted
    /// (RFC 4511 §4.1.1: "the encoding structures or lengths of data fields are found to be
    /// incorrect"), as opposed to a well-formed element that is not what was wanted.
    pub fn is_structural(self) -> bool {
        use DecodeErrorKind::{
            HighTagNumber, IndefiniteLength, LengthTooLarge, MessageTooLarge, TrailingBytes,
            Truncated,
        };
        matches!(
            self,
            Truncated
                | IndefiniteLength
                | LengthTooLarge
                | HighTagNumber
                | TrailingBytes
                | MessageTooLarge
        )
    }

    /// This kind of error at `offset`.
    #[inline]
    pub fn at(self, offset: usize) -> DecodeError {
        DecodeError { kind: self, offset }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => out.write_str("an element runs past the end of what contains it"),
            Self::IndefiniteLength => out.write_str("a length has the indefinite form"),
            Self::LengthTooLarge => out.write_str("a length is larger than 32 bits"),
            Self::HighTagNumber => out.write_str("a tag has the high-tag-number form"),
            Self::UnexpectedTag { wanted, found } => {
                write!(out, "an element has tag 0x{found:02x} where 0x{wanted:02x} belongs")
            }
            Self::TrailingBytes => out.write_str("bytes follow the end of the message"),
            Self::MessageTooLarge => out.write_str("the message is larger than is allowed"),
            Self::WrongSize => out.write_str("a boolean or integer has a wrong size"),
            Self::IntegerOutOfRange => out.write_str("an integer is out of its range"),
            Self::NotUtf8 => out.write_str("a string is not UTF-8"),
            Self::Missing(what) => write!(out, "{what} is missing"),
            Self::UnknownChoice(what) => write!(out, "an alternative of {what} is not known"),
            Self::UnknownAuthentication => {
                out.write_str("the authentication choice is neither simple nor sasl")
            }
            Self::TooMany(what) => write!(out, "more {what} than are allowed"),
            Self::Invalid(sentence) => out.write_str(sentence),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (at byte {})", self.kind, self.offset)
    }
}

impl std::error::Error for DecodeError {}

/// How much of a message a read buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Not all of it: the buffer must hold at least `needed` bytes before it is worth asking again.
    Incomplete { needed: usize },
    /// The first `length` bytes are one message.
    Complete { length: usize },
}

/// Finds the end of the `LDAPMessage` that `buffer` begins with, looking at its first bytes only.
pub fn frame(buffer: &[u8], max: usize) -> Result<Frame, DecodeError> {
    match buffer.first() {
        None => return Ok(Frame::Incomplete { needed: 2 }),
        Some(&tag::SEQUENCE) => {}
        Some(&found) => {
            let wanted = tag::SEQUENCE;
            return Err(DecodeErrorKind::UnexpectedTag { wanted, found }.at(0));
        }
    }
    let Some(header) = Header::parse(buffer).map_err(|kind| kind.at(0))? else {
        return Ok(Frame::Incomplete { needed: header_octets(buffer) });
    };
    let length = header.octets.saturating_add(header.length);
    if length > max {
        return Err(DecodeErrorKind::MessageTooLarge.at(0));
    }
    if buffer.len() < length {
        return Ok(Frame::Incomplete { needed: length });
    }
    Ok(Frame::Complete { length })
}

/// How many octets the header takes that `buffer` holds only a part of.
fn header_octets(buffer: &[u8]) -> usize {
    match buffer.get(1) {
        Some(&first) if first > 0x80 => 2 + usize::from(first & 0x7f),
        _ => 2,
    }
}

/// A tag and a length, and how many octets they took.
#[derive(Clone, Copy)]
struct Header {
    tag: u8,
    length: usize,
    octets: usize,
}

impl Header {
    /// `None`: `bytes` end inside the header.
    #[inline]
    fn parse(bytes: &[u8]) -> Result<Option<Header>, DecodeErrorKind> {
        let Some((&tag, rest)) = bytes.split_first() else { return Ok(None) };
        if tag & 0x1f == 0x1f {
            return Err(DecodeErrorKind::HighTagNumber);
        }
        match rest.split_first() {
            None => Ok(None),
            Some((&short, _)) if short < 0x80 => {
                Ok(Some(Header { tag, length: usize::from(short), octets: 2 }))
            }
            Some((&first, rest)) => Header::parse_long(tag, first, rest),
        }
    }

    /// X.690 §8.1.3.5. Active Directory always writes four octets, so the length need not be
    /// minimal; leading zeros make more than four octets acceptable too. 0xff is reserved.
    fn parse_long(tag: u8, first: u8, rest: &[u8]) -> Result<Option<Header>, DecodeErrorKind> {
        let count = match first {
            0x80 => return Err(DecodeErrorKind::IndefiniteLength),
            0xff => return Err(DecodeErrorKind::LengthTooLarge),
            _ => usize::from(first & 0x7f),
        };
        let mut length: u32 = 0;
        for &octet in rest.iter().take(count) {
            if length >> 24 != 0 {
                return Err(DecodeErrorKind::LengthTooLarge);
            }
            length = length << 8 | u32::from(octet);
        }
        if rest.len() < count {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| DecodeErrorKind::LengthTooLarge)?;
        Ok(Some(Header { tag, length, octets: 2 + count }))
    }
}

/// Walks through elements in place. Copying one is cheap and looks ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// What is read may be secret, so it is not printed.
impl fmt::Debug for Reader<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Reader({} bytes at {})", self.rest.len(), self.offset)
    }
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, offset: 0 }
    }

    /// Where the next element begins, counted from the outermost reader's first byte.
    #[inline]
    pub fn offset(&self) -> usize {
        self.offset
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The tag of the next element, if there is one.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// An error about the next element.
    #[inline]
    pub fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        kind.at(self.offset)
    }

    /// The next element, whatever it is: its tag and a reader of its content.
    #[inline]
    pub fn element(&mut self) -> Result<(u8, Reader<'a>), DecodeError> {
        let header = Header::parse(self.rest).map_err(|kind| self.error(kind))?;
        let Some(header) = header else { return Err(self.error(DecodeErrorKind::Truncated)) };
        let Some((content, rest)) = self
            .rest
            .split_at_checked(header.octets)
            .and_then(|(_, rest)| rest.split_at_checked(header.length))
        else {
            return Err(self.error(DecodeErrorKind::Truncated));
        };
        let inner = Reader { rest: content, offset: self.offset + header.octets };
        self.offset = inner.offset + header.length;
        self.rest = rest;
        Ok((header.tag, inner))
    }

    /// The content of the next element, which must have this tag.
    #[inline]
    pub fn nested(&mut self, wanted: u8) -> Result<Reader<'a>, DecodeError> {
        match self.peek() {
            Some(found) if found == wanted => Ok(self.element()?.1),
            Some(found) => {
                // A tag that cannot even be read is the graver error.
                let at = self.offset;
                self.element()?;
                Err(DecodeErrorKind::UnexpectedTag { wanted, found }.at(at))
            }
            None => Err(self.error(DecodeErrorKind::Missing("an element"))),
        }
    }

    /// The content of the next element if it has this tag; nothing is read otherwise.
    #[inline]
    pub fn optional(&mut self, wanted: u8) -> Result<Option<Reader<'a>>, DecodeError> {
        if self.peek() == Some(wanted) { Ok(Some(self.element()?.1)) } else { Ok(None) }
    }

    /// OCTET STRING, or whatever is tagged in its place.
    #[inline]
    pub fn octets(&mut self, tag: u8) -> Result<&'a [u8], DecodeError> {
        Ok(self.nested(tag)?.rest)
    }

    /// `LDAPString ::= OCTET STRING -- UTF-8 encoded` (RFC 4511 §4.1.2).
    #[inline]
    pub fn text(&mut self, tag: u8) -> Result<&'a str, DecodeError> {
        self.nested(tag)?.into_text()
    }

    /// All that is left, as UTF-8.
    #[inline]
    pub fn into_text(self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.rest).map_err(|_| self.error(DecodeErrorKind::NotUtf8))
    }

    /// BOOLEAN. RFC 4511 §5.1 (3) wants 0xff for true, but "any nonzero" is what BER says.
    #[inline]
    pub fn boolean(&mut self, tag: u8) -> Result<bool, DecodeError> {
        let content = self.nested(tag)?;
        match content.rest {
            [octet] => Ok(*octet != 0),
            _ => Err(content.error(DecodeErrorKind::WrongSize)),
        }
    }

    /// INTEGER or ENUMERATED of up to eight octets, which need not be the fewest.
    #[inline]
    pub fn integer(&mut self, tag: u8) -> Result<i64, DecodeError> {
        self.nested(tag)?.into_integer()
    }

    /// All that is left, as the content of an INTEGER.
    #[inline]
    fn into_integer(self) -> Result<i64, DecodeError> {
        if self.rest.is_empty() || self.rest.len() > 8 {
            return Err(self.error(DecodeErrorKind::WrongSize));
        }
        let negative = self.rest.first().is_some_and(|octet| octet & 0x80 != 0);
        let start = if negative { -1 } else { 0 };
        Ok(self.rest.iter().fold(start, |number, &octet| number << 8 | i64::from(octet)))
    }

    /// All that is left, as the content of an `INTEGER (0 .. max)`.
    #[inline]
    pub fn into_unsigned(self, max: u32) -> Result<u32, DecodeError> {
        u32::try_from(self.into_integer()?)
            .ok()
            .filter(|&number| number <= max)
            .ok_or(self.error(DecodeErrorKind::IntegerOutOfRange))
    }

    /// `INTEGER (0 .. maxInt)` with `maxInt` 2^31-1 (RFC 4511 §4.1.1), or less.
    #[inline]
    pub fn unsigned(&mut self, tag: u8, max: u32) -> Result<u32, DecodeError> {
        self.nested(tag)?.into_unsigned(max)
    }

    /// How many elements are left: so that a `Vec` is allocated once, and never beyond `max`.
    #[inline]
    pub fn count(&self, max: usize, what: &'static str) -> Result<usize, DecodeError> {
        let mut ahead = *self;
        let mut count = 0;
        while !ahead.is_empty() {
            if count == max {
                return Err(ahead.error(DecodeErrorKind::TooMany(what)));
            }
            ahead.element()?;
            count += 1;
        }
        Ok(count)
    }

    /// Passes over what a later version of the protocol may have added. RFC 4511 §4: "clients and
    /// servers MUST ignore trailing SEQUENCE components whose tags they do not recognize".
    #[inline]
    pub fn ignore_rest(&mut self) -> Result<(), DecodeError> {
        while !self.is_empty() {
            self.element()?;
        }
        Ok(())
    }

    /// Nothing may be left.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingBytes)) }
    }
}

#[cfg(test)]
mod tests;
