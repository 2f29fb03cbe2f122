//! Bytes of name keys, reversed names, index keys and 3-grams; what they mean is for the schema.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Longer name keys are cut.
pub const NAME_KEY_BYTES_MAX: usize = 400;
/// What is kept of a cut name key in front of its hash.
const NAME_KEY_CUT_BYTES: usize = 384;
/// What is kept of a reversed name in a key of `loose_names`.
pub const REVERSED_KEY_BYTES_MAX: usize = 480;
/// What is kept of an index key in front of its hash.
pub const INDEX_KEY_CUT_BYTES: usize = 200;
/// How much of a SHA-256 stands for the bytes that were cut.
pub const HASH_BYTES: usize = 16;

/// The first 16 bytes of the SHA-256.
pub fn hash16(bytes: &[u8]) -> [u8; HASH_BYTES] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut hash = [0; HASH_BYTES];
    for (to, from) in hash.iter_mut().zip(digest) {
        *to = from;
    }
    hash
}

/// The key under which an RDN of this name key is stored: itself, or cut and hashed when too long.
/// Cutting a cut key changes nothing.
pub fn cut_key(name_key: &[u8]) -> Cow<'_, [u8]> {
    match name_key.get(..NAME_KEY_CUT_BYTES) {
        Some(head) if name_key.len() > NAME_KEY_BYTES_MAX => {
            [head, &hash16(name_key)].concat().into()
        }
        _ => name_key.into(),
    }
}

/// The name key of one RDN from its (lower-case primary type name, normalized value) pairs.
/// Sorts the pairs: an RDN is a set (RFC 4514 §2.2).
pub fn rdn_key(pairs: &mut [(&[u8], &[u8])]) -> Vec<u8> {
    pairs.sort_unstable();
    let mut key = Vec::with_capacity(pairs.iter().map(|(t, v)| 4 + t.len() + v.len()).sum());
    for (name, value) in pairs {
        push_counted(&mut key, name);
        push_counted(&mut key, value);
    }
    key
}

/// The name key of a suffix: its RDNs' cut keys, leaf first, each with its length before it.
/// `None` when it would be too long: such a suffix cannot be served.
pub fn suffix_key<'k>(leaf_first: impl IntoIterator<Item = &'k [u8]>) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for rdn_key in leaf_first {
        push_counted(&mut key, &cut_key(rdn_key));
    }
    (key.len() <= NAME_KEY_BYTES_MAX).then_some(key)
}

/// The RDN keys in a suffix's name key, leaf first. `None` when it is not one.
pub fn split_suffix_key(mut key: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while !key.is_empty() {
        let (length, rest) = key.split_first_chunk::<2>()?;
        let (part, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        parts.push(part);
        key = rest;
    }
    (!parts.is_empty()).then_some(parts)
}

/// Lengths beyond `u16` are saturated: the schema refuses such values long before, and a key that
/// long is cut and hashed in any case.
fn push_counted(key: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    key.extend_from_slice(&length.to_le_bytes());
    key.extend_from_slice(bytes);
}

/// The reversed name of the name whose RDNs have these name keys, root-most first, so that every
/// name below a name begins with it.
pub fn reversed_name<'k>(root_first: impl IntoIterator<Item = &'k [u8]>) -> Vec<u8> {
    let mut name = Vec::new();
    for rdn_key in root_first {
        push_reversed(&mut name, rdn_key);
    }
    name
}

/// Appends one more RDN to a reversed name: the reversed name of a child.
pub fn push_reversed(name: &mut Vec<u8>, rdn_key: &[u8]) {
    name.extend_from_slice(&escape(&cut_key(rdn_key)));
    name.push(0);
}

/// As much of a reversed name as a key of `loose_names` has.
pub(super) fn reversed_prefix(reversed_name: &[u8]) -> &[u8] {
    reversed_name.get(..REVERSED_KEY_BYTES_MAX).unwrap_or(reversed_name)
}

/// Writes bytes so that they contain no zero and keep their order.
pub(super) fn escape(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.iter().all(|&byte| byte > 1) {
        return bytes.into(); // nearly always
    }
    let mut out = Vec::with_capacity(bytes.len() + 8);
    for &byte in bytes {
        match byte {
            0 => out.extend_from_slice(&[1, 1]),
            1 => out.extend_from_slice(&[1, 2]),
            _ => out.push(byte),
        }
    }
    out.into()
}

/// The bytes behind [`escape`]. `None` when they are not what it writes.
pub fn unescape(escaped: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            0 => return None,
            1 => rest.next()?.checked_sub(1).filter(|&plain| plain <= 1)?,
            _ => byte,
        });
    }
    Some(bytes)
}

/// Marks the beginning of a value in its 3-grams.
pub const GRAM_BEGIN: u8 = 2;
/// Marks the end of a value in its 3-grams.
pub const GRAM_END: u8 = 3;

/// The 3-grams of a normalized value with its begin and end marks, sorted and without duplicates.
/// A value of no bytes gives its one shorter gram.
pub fn grams(normalized: &[u8], out: &mut Vec<[u8; 3]>) {
    out.clear();
    let marked = std::iter::once(GRAM_BEGIN).chain(normalized.iter().copied());
    window_grams(marked.chain(std::iter::once(GRAM_END)), out);
    if out.is_empty() {
        out.push([GRAM_BEGIN, GRAM_END, 0]);
    }
    out.sort_unstable();
    out.dedup();
}

/// The 3-grams that every value matching one piece of a substring assertion has. `begin` and `end`
/// say whether the piece is the initial and the final one. Empty when the piece is too short.
pub fn grams_of_piece(piece: &[u8], begin: bool, end: bool, out: &mut Vec<[u8; 3]>) {
    out.clear();
    let marked = begin.then_some(GRAM_BEGIN).into_iter().chain(piece.iter().copied());
    window_grams(marked.chain(end.then_some(GRAM_END)), out);
    out.sort_unstable();
    out.dedup();
}

fn window_grams(bytes: impl Iterator<Item = u8>, out: &mut Vec<[u8; 3]>) {
    let (mut first, mut second) = (None, None);
    for byte in bytes {
        if let (Some(a), Some(b)) = (first, second) {
            out.push([a, b, byte]);
        }
        (first, second) = (second, Some(byte));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_name_key_is_cut_once() {
        let long = vec![7; 401];
        let cut = cut_key(&long);
        assert_eq!(cut.len(), NAME_KEY_BYTES_MAX);
        assert_eq!(cut_key(&cut), cut);
        assert_eq!(cut_key(&long[..400]).as_ref(), &long[..400]);
        let mut other = long.clone();
        other[400] = 8;
        assert_ne!(cut_key(&other), cut);
    }

    #[test]
    fn rdn_values_are_a_set() {
        let one = rdn_key(&mut [(b"cn", b"x"), (b"uid", b"y")]);
        assert_eq!(one, rdn_key(&mut [(b"uid", b"y"), (b"cn", b"x")]));
        assert_eq!(one, b"\x02\0cn\x01\0x\x03\0uid\x01\0y");
    }

    #[test]
    fn suffix_keys_split_into_their_parts() {
        let key = suffix_key([&b"dc=example"[..], b"dc=com"]).unwrap();
        assert_eq!(split_suffix_key(&key).unwrap(), [&b"dc=example"[..], b"dc=com"]);
        assert_eq!(split_suffix_key(b"\x05\0abc"), None);
        assert_eq!(split_suffix_key(b""), None);
        assert_eq!(suffix_key([&[1; 200][..], &[2; 200][..]]), None);
    }

    #[test]
    fn names_below_a_name_begin_with_it() {
        let parent = reversed_name([&b"dc=com"[..], b"ou\0\x01"]);
        let mut child = parent.clone();
        push_reversed(&mut child, b"cn=x");
        assert!(child.starts_with(&parent));
        assert!(!reversed_name([&b"dc=com"[..], b"ou\0\x01y"]).starts_with(&parent));
    }

    #[test]
    fn grams_mark_begin_and_end() {
        let cases: &[(&[u8], &[&[u8; 3]])] = &[
            (b"", &[b"\x02\x03\x00"]),
            (b"a", &[b"\x02a\x03"]),
            (b"ab", &[b"\x02ab", b"ab\x03"]),
            (b"aaaa", &[b"\x02aa", b"aa\x03", b"aaa"]),
        ];
        let mut out = Vec::new();
        for (value, expected) in cases {
            grams(value, &mut out);
            assert_eq!(out.iter().collect::<Vec<_>>(), *expected, "{value:?}");
        }
    }

    #[test]
    fn pieces_of_an_assertion_give_fewer_grams() {
        let mut out = Vec::new();
        grams_of_piece(b"ab", false, false, &mut out);
        assert!(out.is_empty());
        grams_of_piece(b"ab", true, false, &mut out);
        assert_eq!(out, [*b"\x02ab"]);
        grams_of_piece(b"ab", false, true, &mut out);
        assert_eq!(out, [*b"ab\x03"]);
    }

    proptest! {
        #[test]
        fn escaping_keeps_order_and_bytes(a: Vec<u8>, b: Vec<u8>) {
            let escaped = |bytes: &[u8]| {
                let mut out = escape(bytes).into_owned();
                out.push(0);
                out
            };
            let (left, right) = (escaped(&a), escaped(&b));
            prop_assert_eq!(a.cmp(&b), left.cmp(&right));
            prop_assert_eq!(unescape(&left[..left.len() - 1]), Some(a.clone()));
            prop_assert!(a == b || !left.starts_with(&right));
        }

        #[test]
        fn grams_of_a_piece_are_among_those_of_the_value(
            before: Vec<u8>, piece: Vec<u8>, after: Vec<u8>
        ) {
            let (mut all, mut some) = (Vec::new(), Vec::new());
            grams(&[&before[..], &piece, &after].concat(), &mut all);
            grams_of_piece(&piece, before.is_empty(), after.is_empty(), &mut some);
            prop_assert!(some.iter().all(|gram| all.contains(gram)));
        }
    }
}
