//! Writing BER forward into a `Vec<u8>`, always with the fewest length octets.

use super::tag;

/// How many octets an element with `length` octets of content takes, header included.
#[inline]
pub const fn length_of_tlv(length: usize) -> usize {
    2 + extra_length_octets(length) + length
}

/// How many octets an INTEGER or ENUMERATED takes, header included.
#[inline]
pub const fn length_of_integer(number: i64) -> usize {
    2 + integer_octets(number)
}

/// Length octets after the first one: none up to 127.
#[inline]
const fn extra_length_octets(length: usize) -> usize {
    if length < 0x80 { 0 } else { (usize::BITS - length.leading_zeros()).div_ceil(8) as usize }
}

/// The fewest octets that hold `number` in two's complement.
#[inline]
const fn integer_octets(number: i64) -> usize {
    let magnitude = if number < 0 { !number } else { number };
    (64 - magnitude.leading_zeros()) as usize / 8 + 1
}

/// Tag and length of an element whose content follows.
#[inline]
pub fn write_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    match extra_length_octets(length) {
        0 => out.push(length.to_le_bytes()[0]),
        extra => {
            out.push(0x80 | extra.to_le_bytes()[0]);
            out.extend(length.to_be_bytes().into_iter().skip(size_of::<usize>() - extra));
        }
    }
}

#[inline]
pub fn write_octets(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    write_header(out, tag, content.len());
    out.extend_from_slice(content);
}

/// RFC 4511 §5.1 (3): true is 0xff.
#[inline]
pub fn write_boolean(out: &mut Vec<u8>, tag: u8, value: bool) {
    write_octets(out, tag, &[if value { 0xff } else { 0x00 }]);
}

#[inline]
pub fn write_integer(out: &mut Vec<u8>, tag: u8, number: i64) {
    let octets = integer_octets(number);
    write_header(out, tag, octets);
    out.extend(number.to_be_bytes().into_iter().skip(8 - octets));
}

#[inline]
pub fn write_enumerated(out: &mut Vec<u8>, number: u32) {
    write_integer(out, tag::ENUMERATED, i64::from(number));
}

/// An element that was begun and whose length is not known yet.
#[must_use = "an element that is begun must be ended"]
pub struct Nested {
    content: usize,
}

/// Begins an element; everything that is appended until [`Nested::end`] is its content.
#[inline]
pub fn begin(out: &mut Vec<u8>, tag: u8) -> Nested {
    out.extend_from_slice(&[tag, 0]);
    Nested { content: out.len() }
}

impl Nested {
    /// Fills in the length. Content is moved only where it is longer than 127 octets.
    #[inline]
    pub fn end(self, out: &mut Vec<u8>) {
        let length = out.len().saturating_sub(self.content);
        let extra = extra_length_octets(length);
        let first = if extra == 0 { length } else { 0x80 | extra };
        if let Some(octet) = out.get_mut(self.content - 1) {
            *octet = first.to_le_bytes()[0];
        }
        if extra > 0 {
            let octets = length.to_be_bytes().into_iter().skip(size_of::<usize>() - extra);
            out.splice(self.content..self.content, octets);
        }
    }
}
