//! Just enough DER to look into a file before a library works on it, and to write names and
//! signed structures that the library that makes certificates cannot express.

/// One value: its tag, what is inside, and all its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tlv<'d> {
    pub(crate) tag: u8,
    pub(crate) content: &'d [u8],
    pub(crate) whole: &'d [u8],
}

pub(crate) mod tag {
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// Why bytes are no DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The end comes before a length says so.
    Short,
    /// The indefinite form of BER, or a length that is not the shortest.
    NotDer,
}

/// A length in more bytes than these is more than any file here may have.
const LENGTH_BYTES_MAX: usize = 4;

/// The first value and what follows it.
pub(crate) fn read(input: &[u8]) -> Result<(Tlv<'_>, &[u8]), Fault> {
    let [tag, first, rest @ ..] = input else { return Err(Fault::Short) };
    // No tag of ours has a number above 30.
    if tag & 0x1f == 0x1f {
        return Err(Fault::NotDer);
    }
    let (length, rest) = match *first {
        short if short < 0x80 => (usize::from(short), rest),
        0x80 => return Err(Fault::NotDer),
        long => {
            let count = usize::from(long & 0x7f);
            if count > LENGTH_BYTES_MAX {
                return Err(Fault::NotDer);
            }
            let (bytes, rest) = rest.split_at_checked(count).ok_or(Fault::Short)?;
            (bytes.iter().fold(0, |sum, &byte| (sum << 8) | usize::from(byte)), rest)
        }
    };
    let (content, after) = rest.split_at_checked(length).ok_or(Fault::Short)?;
    let whole = input.get(..input.len() - after.len()).unwrap_or_default();
    Ok((Tlv { tag: *tag, content, whole }, after))
}

/// The values of a sequence's content, one after the other.
pub(crate) fn all(mut content: &[u8]) -> Result<Vec<Tlv<'_>>, Fault> {
    let mut found = Vec::new();
    while !content.is_empty() {
        let (one, rest) = read(content)?;
        found.push(one);
        content = rest;
    }
    Ok(found)
}

/// A whole number that fits; `None` for one that is negative or too large.
pub(crate) fn unsigned(content: &[u8]) -> Option<u64> {
    let digits = match content {
        [] => return None,
        [first, ..] if *first >= 0x80 => return None,
        [0, rest @ ..] => rest,
        all => all,
    };
    let fits = digits.len() <= 8;
    fits.then(|| digits.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
}

/// A value with this tag around these bytes.
pub(crate) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or_default());
    } else {
        let bytes = length.to_be_bytes();
        let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
        out.extend(significant);
    }
    out.extend_from_slice(content);
    out
}

/// The content of an object identifier.
pub(crate) fn oid(dotted: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    let (first, rest) = match dotted {
        [first, second, rest @ ..] => (first * 40 + second, rest),
        _ => return out,
    };
    for &arc in std::iter::once(&first).chain(rest) {
        let groups: Vec<u8> = (0..10u32)
            .rev()
            .map(|group| u8::try_from((arc >> (7 * group)) & 0x7f).unwrap_or_default())
            .skip_while(|group| *group == 0)
            .collect();
        let groups = if groups.is_empty() { vec![0] } else { groups };
        let last = groups.len() - 1;
        out.extend(groups.iter().enumerate().map(
            |(at, &group)| {
                if at == last { group } else { group | 0x80 }
            },
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let mut bytes = write(tag::OCTET_STRING, &content);
            bytes.push(9);
            let (one, rest) = read(&bytes).unwrap();
            assert_eq!((one.tag, one.content, rest), (tag::OCTET_STRING, &content[..], &[9][..]));
        }
    }

    #[test]
    fn what_is_no_der_is_told() {
        for (bytes, fault) in [
            (&b""[..], Fault::Short),
            (b"\x30", Fault::Short),
            (b"\x30\x05\x01", Fault::Short),
            (b"\x30\x80\x00\x00", Fault::NotDer),
            (b"\x30\x85\x01\x00\x00\x00\x00", Fault::NotDer),
            (b"\x1f\x01\x00", Fault::NotDer),
        ] {
            assert_eq!(read(bytes).unwrap_err(), fault, "{bytes:?}");
        }
    }

    #[test]
    fn object_identifiers() {
        for (dotted, bytes) in [
            (&[2, 5, 4, 3][..], &[0x55, 0x04, 0x03][..]),
            (&[1, 2, 840, 113549], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]),
            (&[0, 9, 2342, 0], &[0x09, 0x92, 0x26, 0x00]),
            (&[2, 16, 840], &[0x60, 0x86, 0x48]),
        ] {
            assert_eq!(oid(dotted), bytes, "{dotted:?}");
        }
    }

    #[test]
    fn numbers() {
        for (content, expected) in [
            (&[5][..], Some(5)),
            (&[0, 0x80], Some(128)),
            (&[0x80], None),
            (&[], None),
            (&[1, 0, 0, 0, 0, 0, 0, 0, 0], None),
        ] {
            assert_eq!(unsigned(content), expected, "{content:?}");
        }
    }
}
