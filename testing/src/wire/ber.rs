//! The little BER that an LDAP client needs (RFC 4511 §5.1): one-byte tags, definite lengths.

use anyhow::{Context, Result, bail};

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const OCTET_STRING: u8 = 0x04;
pub const ENUMERATED: u8 = 0x0a;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// A decoded element; its content may hold further elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub tag: u8,
    pub content: Vec<u8>,
}

impl Element {
    /// All elements that `bytes` consists of.
    pub fn all(mut bytes: &[u8]) -> Result<Vec<Element>> {
        let mut elements = Vec::new();
        while !bytes.is_empty() {
            let (start, length) = header(bytes)?.context("truncated element")?;
            let tag = *bytes.first().context("no tag")?;
            let content = bytes.get(start..start + length).context("truncated content")?;
            elements.push(Element { tag, content: content.to_vec() });
            bytes = bytes.get(start + length..).unwrap_or_default();
        }
        Ok(elements)
    }

    pub fn integer(&self) -> Result<i64> {
        let negative = self.content.first().is_some_and(|byte| byte & 0x80 != 0);
        if self.content.is_empty() || self.content.len() > 8 {
            bail!("not an integer we read: {self:?}");
        }
        let start = if negative { -1 } else { 0 };
        Ok(self.content.iter().fold(start, |value, byte| value << 8 | i64::from(*byte)))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

/// Length of the first element when all of it is there.
pub fn whole(bytes: &[u8]) -> Result<Option<usize>> {
    let Some((start, length)) = header(bytes)? else { return Ok(None) };
    Ok((bytes.len() >= start + length).then_some(start + length))
}

/// Where the content of the first element starts and how long it is.
fn header(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(first) = bytes.get(1).copied().map(usize::from) else { return Ok(None) };
    if first < 0x80 {
        return Ok(Some((2, first)));
    }
    let count = first - 0x80;
    if count == 0 || count > 4 {
        bail!("length form {first:#x} is not for LDAP");
    }
    let Some(octets) = bytes.get(2..2 + count) else { return Ok(None) };
    let length = octets.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Ok(Some((2 + count, length)))
}

/// Encodes one element.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x84);
            let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

pub fn octets(content: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, content)
}

pub fn integer(value: i64) -> Vec<u8> {
    number(INTEGER, value)
}

pub fn enumerated(value: i64) -> Vec<u8> {
    number(ENUMERATED, value)
}

pub fn boolean(value: bool) -> Vec<u8> {
    element(BOOLEAN, &[if value { 0xff } else { 0 }])
}

/// Two's complement in as few octets as hold it (X.690 §8.3.2).
fn number(tag: u8, value: i64) -> Vec<u8> {
    let all = value.to_be_bytes();
    let redundant = |pair: &&[u8]| {
        matches!(pair, [0, next] if next & 0x80 == 0)
            || matches!(pair, [0xff, next] if next & 0x80 != 0)
    };
    let skip = all.windows(2).take_while(redundant).count();
    element(tag, all.get(skip..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_minimal_and_come_back() {
        for (value, bytes) in [
            (0, vec![2, 1, 0]),
            (127, vec![2, 1, 127]),
            (128, vec![2, 2, 0, 128]),
            (-1, vec![2, 1, 255]),
            (-129, vec![2, 2, 255, 127]),
        ] {
            assert_eq!(integer(value), bytes);
            assert_eq!(Element::all(&bytes).unwrap()[0].integer().unwrap(), value);
        }
    }

    #[test]
    fn long_content_and_missing_bytes() {
        let long = octets(&[7; 300]);
        assert_eq!(whole(&long).unwrap(), Some(long.len()));
        assert_eq!(whole(&long[..long.len() - 1]).unwrap(), None);
        assert_eq!(Element::all(&long).unwrap()[0].content.len(), 300);
        assert!(whole(&[0x30, 0x80]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn integers_come_back(value: i64) {
            assert_eq!(Element::all(&integer(value)).unwrap()[0].integer().unwrap(), value);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(elements) = Element::all(&bytes) {
                let total: usize = elements.iter().map(|element| element.content.len() + 2).sum();
                assert!(total <= bytes.len());
            }
        }
    }
}
