//! Every response by hand, and random ones that come back.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::ber::{DecodeErrorKind, Frame, frame};
use crate::message::tests::controls;

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn attribute(description: &str, values: &[&[u8]]) -> Vec<u8> {
    written(|out| write_attribute(out, description.as_bytes(), values.iter().copied()))
}

/// What each writer writes.
fn table() -> Vec<(Vec<u8>, &'static [u8])> {
    let id = MessageId(2);
    let ok = LdapResult::SUCCESS;
    let referral = LdapResult {
        code: ResultCode::REFERRAL,
        matched: "d",
        message: "m",
        referrals: &["ldap://x", "y"],
    };
    let (cn, sn) = (attribute("cn", &[b"A", b""]), attribute("sn", &[]));
    let control = [ResponseControl { oid: "1.2", critical: false, value: Some(b"v") }];
    vec![
        (
            written(|out| write_result(out, id, ResponseOperation::SearchDone, &ok, &[])),
            b"\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00",
        ),
        (
            written(|out| write_result(out, id, ResponseOperation::Add, &referral, &control)),
            b"\x30\x29\x02\x01\x02\x69\x18\x0a\x01\x0a\x04\x01d\x04\x01m\xa3\x0d\x04\x08ldap://x\
              \x04\x01y\xa0\x0a\x30\x08\x04\x03\x31.2\x04\x01v",
        ),
        (
            written(|out| write_bind_result(out, id, &ok, Some(b"s"), &[])),
            b"\x30\x0f\x02\x01\x02\x61\x0a\x0a\x01\x00\x04\x00\x04\x00\x87\x01s",
        ),
        (
            written(|out| write_extended(out, id, &ok, Some("1.3"), Some(b"v"), &[])),
            b"\x30\x14\x02\x01\x02\x78\x0f\x0a\x01\x00\x04\x00\x04\x00\x8a\x03\x31.3\x8b\x01v",
        ),
        (
            written(|out| write_intermediate(out, id, Some("1.3"), Some(b"v"), &[])),
            b"\x30\x0d\x02\x01\x02\x79\x08\x80\x03\x31.3\x81\x01v",
        ),
        (
            written(|out| write_notice_of_disconnection(out, ResultCode::BUSY, "m")),
            b"\x30\x25\x02\x01\x00\x78\x20\x0a\x01\x33\x04\x00\x04\x01m\
              \x8a\x161.3.6.1.4.1.1466.20036",
        ),
        (
            written(|out| write_reference(out, id, &["ldap://x", "y"], &[])),
            b"\x30\x12\x02\x01\x02\x73\x0d\x04\x08ldap://x\x04\x01y",
        ),
        (
            written(|out| write_entry(out, id, b"d", &[&cn, &sn], &control)),
            b"\x30\x2b\x02\x01\x02\x64\x1a\x04\x01d\x30\x15\x30\x0b\x04\x02cn\x31\x05\x04\x01A\
              \x04\x00\x30\x06\x04\x02sn\x31\x00\xa0\x0a\x30\x08\x04\x03\x31.2\x04\x01v",
        ),
    ]
}

#[test]
fn responses_by_hand() {
    for (bytes, expected) in table() {
        assert_eq!(bytes, expected, "{bytes:02x?}");
        let message = ResponseMessage::decode(&bytes).unwrap();
        assert_eq!(message.id, MessageId(u32::from(bytes[4])));
        for length in 0..bytes.len() {
            assert!(matches!(frame(&bytes[..length], 1000), Ok(Frame::Incomplete { .. })));
            assert!(ResponseMessage::decode(&bytes[..length]).is_err());
        }
    }
}

#[test]
fn entries_are_walked_in_place() {
    let slices = [attribute("cn", &[b"A", b"B"]), attribute("member;range=0-1", &[b"x"])];
    let bytes = written(|out| {
        write_entry(out, MessageId(1), b"cn=A", &[&slices[0], &slices[1]], &[]);
    });
    let message = ResponseMessage::decode(&bytes).unwrap();
    let Response::SearchEntry(entry) = message.response else { panic!("no entry") };
    assert_eq!(entry.dn, "cn=A");
    let found: Vec<_> = entry
        .attributes
        .map(|attribute| (attribute.name(), attribute.values.collect::<Vec<_>>()))
        .collect();
    assert_eq!(found, [("cn", vec![&b"A"[..], b"B"]), ("member;range=0-1", vec![b"x"])]);
    for (attribute, slice) in entry.attributes.zip(&slices) {
        assert_eq!(attribute.wire, slice);
    }
}

#[test]
fn attributes_are_checked() {
    let good = attribute("cn", &[b"A"]);
    assert!(Attributes::checked(&good).is_ok());
    assert_eq!(Attributes::checked(&[]).map(Iterator::count), Ok(0));
    let table: &[&[u8]] = &[b"\x30", b"\x30\x00", b"\x30\x04\x04\x02cn", b"\x31\x00"];
    for bytes in table {
        assert!(Attributes::checked(bytes).is_err(), "{bytes:02x?}");
        assert_eq!(Attributes::new(bytes).count(), 0, "{bytes:02x?}");
    }
    assert!(Attributes::checked(b"\x30\x07\x04\x01\xff\x31\x02\x04\x00").is_err());
    assert!(Attributes::checked(b"\x30\x08\x04\x02cn\x31\x02\x05\x00").is_err());
}

#[test]
fn active_directory_names_its_notice_outside() {
    let bytes = b"\x30\x84\x00\x00\x00\x28\x02\x01\x00\x78\x84\x00\x00\x00\x07\x0a\x01\x34\x04\x00\
                  \x04\x00\x8a\x161.3.6.1.4.1.1466.20036";
    let message = ResponseMessage::decode(bytes).unwrap();
    let Response::Extended(notice) = message.response else { panic!("no extended response") };
    assert_eq!(notice.name, Some(oid::extended::NOTICE_OF_DISCONNECTION));
    assert_eq!(notice.outcome.code, ResultCode::UNAVAILABLE);
}

#[test]
fn messages_in_other_encodings_are_shown_as_they_can_be() {
    let bytes = b"\x30\x0d\x02\x01\x02\x65\x08\x0a\x01\x00\x04\x00\x04\x01\xe9";
    let message = ResponseMessage::decode(bytes).unwrap();
    assert_eq!(message.response.outcome().unwrap().message, "\u{fffd}");
}

#[test]
fn requests_are_no_responses() {
    let error = ResponseMessage::decode(b"\x30\x05\x02\x01\x01\x42\x00").unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::UnknownChoice("the response operations"));
}

#[test]
fn every_request_that_is_answered_has_a_response_tag() {
    for request in 0..=0xff {
        if let Some(operation) = ResponseOperation::answering(request) {
            // A search is answered by entries first, so its end has the number after theirs.
            let step = if operation == ResponseOperation::SearchDone { 2 } else { 1 };
            assert_eq!(operation.tag() & 0x1f, (request & 0x1f) + step, "{operation:?}");
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome<'static>> {
    let uris = prop::collection::vec(prop::sample::select(vec!["ldap://x", "ldaps://y/"]), 0..3);
    (any::<u32>(), 0_u32..32, ".{0,99}", ".{0,99}", uris).prop_map(
        |(code, shift, matched, message, referrals)| Outcome {
            code: ResultCode(code >> shift),
            matched: Box::leak(matched.into_boxed_str()),
            message: Cow::Owned(message),
            referrals,
        },
    )
}

fn borrowed<'a>(outcome: &'a Outcome<'_>) -> LdapResult<'a> {
    LdapResult {
        code: outcome.code,
        matched: outcome.matched,
        message: &outcome.message,
        referrals: &outcome.referrals,
    }
}

proptest! {
    #[test]
    fn results_come_back(
        outcome in outcome(),
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
        id in 0_u32..=0x7fff_ffff,
        controls in controls(),
    ) {
        let (id, result, extra) = (MessageId(id), borrowed(&outcome), extra.as_deref());
        let bytes = written(|out| {
            write_result(out, id, ResponseOperation::ModifyDn, &result, &controls);
        });
        let expected = Response::ModifyDn(outcome.clone());
        let expected = ResponseMessage { id, response: expected, controls: controls.clone() };
        prop_assert_eq!(ResponseMessage::decode(&bytes), Ok(expected));

        let bytes = written(|out| write_bind_result(out, id, &result, extra, &controls));
        let bind = BindResponse { outcome: outcome.clone(), server_sasl_credentials: extra };
        let got = ResponseMessage::decode(&bytes).map(|message| message.response);
        prop_assert_eq!(got, Ok(Response::Bind(bind)));

        let bytes = written(|out| write_extended(out, id, &result, Some("1.2"), extra, &controls));
        let name = Some("1.2");
        let extended = ExtendedResponse { outcome: outcome.clone(), name, value: extra };
        let got = ResponseMessage::decode(&bytes).map(|message| message.response);
        prop_assert_eq!(got, Ok(Response::Extended(extended)));
    }

    #[test]
    fn entries_come_back(
        dn in ".{0,300}",
        lists in prop::collection::vec(
            ("[a-z]{1,9}", prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4)),
            0..5,
        ),
        controls in controls(),
    ) {
        let slices: Vec<Vec<u8>> = lists.iter().map(|(description, values)| {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            attribute(description, &values)
        }).collect();
        let borrowed: Vec<&[u8]> = slices.iter().map(Vec::as_slice).collect();
        let bytes = written(|out| {
            write_entry(out, MessageId(300), dn.as_bytes(), &borrowed, &controls);
        });
        prop_assert_eq!(frame(&bytes, usize::MAX), Ok(Frame::Complete { length: bytes.len() }));
        let message = ResponseMessage::decode(&bytes).unwrap();
        prop_assert_eq!(message.controls, controls);
        let Response::SearchEntry(entry) = message.response else { panic!("no entry") };
        prop_assert_eq!(entry.dn, &dn);
        let found: Vec<(String, Vec<Vec<u8>>)> = entry.attributes.map(|attribute| {
            (attribute.name().to_owned(), attribute.values.map(<[u8]>::to_vec).collect())
        }).collect();
        prop_assert_eq!(found, lists);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes: Vec<u8>) {
        let _ = ResponseMessage::decode(&bytes);
        let attributes = Attributes::new(&bytes);
        for attribute in attributes {
            let _ = (attribute.name(), attribute.values.count());
        }
    }
}
