//! Tables for every form of header, and what must never be accepted.

use proptest::prelude::*;

use super::*;

#[test]
fn frames() {
    let complete = |length| Ok(Frame::Complete { length });
    let incomplete = |needed| Ok(Frame::Incomplete { needed });
    let table: &[(&[u8], Result<Frame, DecodeErrorKind>)] = &[
        (&[], incomplete(2)),
        (&[0x30], incomplete(2)),
        (&[0x30, 0x00], complete(2)),
        (&[0x30, 0x02, 1], incomplete(4)),
        (&[0x30, 0x02, 1, 2], complete(4)),
        (&[0x30, 0x02, 1, 2, 3], complete(4)),
        (&[0x30, 0x81], incomplete(3)),
        (&[0x30, 0x84, 0, 0], incomplete(6)),
        (&[0x30, 0x84, 0, 0, 0, 1, 9], complete(7)),
        (&[0x30, 0x85, 0, 0, 0, 0, 1, 9], complete(8)),
        (&[0x30, 0x85, 1, 0, 0, 0, 0], Err(DecodeErrorKind::LengthTooLarge)),
        (&[0x30, 0x80], Err(DecodeErrorKind::IndefiniteLength)),
        (&[0x30, 0xff], Err(DecodeErrorKind::LengthTooLarge)),
        (&[0x30, 0x82, 0x10, 0x00], Err(DecodeErrorKind::MessageTooLarge)),
        (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], Err(DecodeErrorKind::MessageTooLarge)),
        (&[0x16], Err(DecodeErrorKind::UnexpectedTag { wanted: 0x30, found: 0x16 })),
        (b"GET", Err(DecodeErrorKind::UnexpectedTag { wanted: 0x30, found: b'G' })),
    ];
    for (bytes, expected) in table {
        assert_eq!(frame(bytes, 1000).map_err(|error| error.kind), *expected, "{bytes:02x?}");
    }
    assert_eq!(frame(&[0x30, 2, 0, 0], 4), Ok(Frame::Complete { length: 4 }));
    assert!(frame(&[0x30, 2, 0, 0], 3).is_err());
}

#[test]
fn integers() {
    let table: &[(&[u8], Result<i64, DecodeErrorKind>)] = &[
        (&[2, 1, 0], Ok(0)),
        (&[2, 1, 0x7f], Ok(127)),
        (&[2, 1, 0x80], Ok(-128)),
        (&[2, 2, 0x00, 0x80], Ok(128)),
        (&[2, 4, 0, 0, 0, 5], Ok(5)),
        (&[2, 4, 0xff, 0xff, 0xff, 0xfe], Ok(-2)),
        (&[2, 8, 0x7f, 255, 255, 255, 255, 255, 255, 255], Ok(i64::MAX)),
        (&[2, 0], Err(DecodeErrorKind::WrongSize)),
        (&[2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1], Err(DecodeErrorKind::WrongSize)),
        (&[2, 2, 1], Err(DecodeErrorKind::Truncated)),
        (&[2], Err(DecodeErrorKind::Truncated)),
        (&[], Err(DecodeErrorKind::Missing("an element"))),
        (&[4, 1, 0], Err(DecodeErrorKind::UnexpectedTag { wanted: 2, found: 4 })),
        (&[0x1f, 1, 0], Err(DecodeErrorKind::HighTagNumber)),
    ];
    for (bytes, expected) in table {
        let got = Reader::new(bytes).integer(tag::INTEGER).map_err(|error| error.kind);
        assert_eq!(got, *expected, "{bytes:02x?}");
    }
}

#[test]
fn unsigned_has_a_range() {
    let read = |bytes| Reader::new(bytes).unsigned(tag::INTEGER, 100).map_err(|error| error.kind);
    assert_eq!(read(&[2, 1, 100]), Ok(100));
    assert_eq!(read(&[2, 1, 101]), Err(DecodeErrorKind::IntegerOutOfRange));
    assert_eq!(read(&[2, 1, 0xff]), Err(DecodeErrorKind::IntegerOutOfRange));
}

#[test]
fn booleans() {
    let read = |bytes| Reader::new(bytes).boolean(tag::BOOLEAN).map_err(|error| error.kind);
    assert_eq!(read(&[1, 1, 0]), Ok(false));
    assert_eq!(read(&[1, 1, 1]), Ok(true));
    assert_eq!(read(&[1, 1, 0xff]), Ok(true));
    assert_eq!(read(&[1, 0]), Err(DecodeErrorKind::WrongSize));
    assert_eq!(read(&[1, 2, 0, 0]), Err(DecodeErrorKind::WrongSize));
}

#[test]
fn offsets_are_counted_from_the_outermost_byte() {
    let bytes = [0x30, 7, 0x30, 5, 4, 1, b'a', 4, 9];
    let mut outer = Reader::new(&bytes);
    let mut inner = outer.nested(0x30).unwrap().nested(0x30).unwrap();
    assert_eq!(inner.text(tag::OCTET_STRING), Ok("a"));
    assert_eq!(inner.octets(tag::OCTET_STRING), Err(DecodeErrorKind::Truncated.at(7)));
    assert!(outer.is_empty());
    assert_eq!(outer.offset(), bytes.len());
}

#[test]
fn counting_stops_at_the_maximum() {
    let bytes = [4, 0, 4, 0, 4, 0];
    assert_eq!(Reader::new(&bytes).count(3, "things"), Ok(3));
    let error = Reader::new(&bytes).count(2, "things").unwrap_err();
    assert_eq!(error, DecodeErrorKind::TooMany("things").at(4));
    assert_eq!(error.to_string(), "more things than are allowed (at byte 4)");
}

#[test]
fn nested_lengths_grow_when_they_must() {
    for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
        let content = vec![7; length];
        let (mut patched, mut direct) = (vec![9], vec![9]);
        let nested = begin(&mut patched, 0x30);
        patched.extend_from_slice(&content);
        nested.end(&mut patched);
        write_octets(&mut direct, 0x30, &content);
        assert_eq!(patched, direct, "{length}");
        assert_eq!(direct.len() - 1, length_of_tlv(length), "{length}");
        assert_eq!(frame(&direct[1..], 1 << 20), Ok(Frame::Complete { length: direct.len() - 1 }));
    }
}

proptest! {
    #[test]
    fn written_integers_are_minimal_and_read_back(number: i64, shift in 0_u32..64) {
        let number = number >> shift;
        let mut out = Vec::new();
        write_integer(&mut out, tag::INTEGER, number);
        prop_assert_eq!(Reader::new(&out).integer(tag::INTEGER), Ok(number));
        prop_assert_eq!(out.len(), length_of_integer(number));
        if let [_, _, first, second, ..] = out[..] {
            let redundant = if second < 0x80 { 0x00 } else { 0xff };
            prop_assert_ne!(first, redundant);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
        let mut reader = Reader::new(&bytes);
        while let Ok((_, mut inner)) = reader.element() {
            let _ = inner.ignore_rest();
            if reader.is_empty() { break; }
        }
        let _ = frame(&bytes, 1 << 20);
    }
}
