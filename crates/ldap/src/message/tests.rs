//! Every request by hand, every prefix of each, and what random messages do.

use proptest::prelude::*;

use super::*;
use crate::ber::{Frame, Reader, begin, frame, write_integer, write_octets};
use crate::filter::Assertion;
use crate::filter::tests::any_filter;

fn decode(bytes: &[u8]) -> Result<Message<'_>, DecodeFailure> {
    Message::decode(bytes, &DecodeLimits::default())
}

/// Each request as bytes and as a value; encoding the value gives the bytes again.
fn table() -> Vec<Row> {
    let mut rows = sessions_and_searches();
    rows.extend(changes_and_the_rest());
    rows
}

type Row = (&'static [u8], Message<'static>);

fn message(id: u32, request: Request<'static>) -> Message<'static> {
    Message { id: MessageId(id), request, controls: Vec::new() }
}

fn sessions_and_searches() -> Vec<Row> {
    let simple = Authentication::Simple(b"secret");
    let sasl = Authentication::Sasl { mechanism: "EXTERNAL", credentials: None };
    let plain = Authentication::Sasl { mechanism: "PLAIN", credentials: Some(b"\0u\0p") };
    let bind =
        |name, authentication| Request::Bind(BindRequest { version: 3, name, authentication });
    let equality = Filter::Equality(Assertion { attribute: "cn", value: b"A"[..].into() });
    vec![
        (b"\x30\x14\x02\x01\x01\x60\x0f\x02\x01\x03\x04\x02cn\x80\x06secret", {
            message(1, bind("cn", simple))
        }),
        (b"\x30\x16\x02\x01\x01\x60\x11\x02\x01\x03\x04\x00\xa3\x0a\x04\x08EXTERNAL", {
            message(1, bind("", sasl))
        }),
        (b"\x30\x19\x02\x01\x01\x60\x14\x02\x01\x03\x04\x00\xa3\x0d\x04\x05PLAIN\x04\x04\0u\0p", {
            message(1, bind("", plain))
        }),
        (b"\x30\x05\x02\x01\x02\x42\x00", message(2, Request::Unbind)),
        (
            b"\x30\x2b\x02\x01\x03\x63\x26\x04\x04dc=a\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\
              \x02\x01\x1e\x01\x01\x00\xa3\x07\x04\x02cn\x04\x01A\x30\x06\x04\x01*\x04\x01+",
            message(
                3,
                Request::Search(SearchRequest {
                    base: "dc=a",
                    scope: Scope::Subtree,
                    deref: DerefAliases::Never,
                    size_limit: 0,
                    time_limit_seconds: 30,
                    types_only: false,
                    filter: equality,
                    attributes: vec!["*", "+"],
                }),
            ),
        ),
    ]
}

fn changes_and_the_rest() -> Vec<Row> {
    vec![
        (
            b"\x30\x18\x02\x01\x04\x66\x13\x04\x01d\x30\x0e\x30\x0c\x0a\x01\x02\x30\x07\x04\x01a\
              \x31\x02\x04\x00",
            message(
                4,
                Request::Modify(ModifyRequest {
                    dn: "d",
                    changes: vec![Modification {
                        operation: ModifyOperation::Replace,
                        attribute: Attribute { description: "a", values: vec![b""] },
                    }],
                }),
            ),
        ),
        (
            b"\x30\x14\x02\x01\x05\x68\x0f\x04\x01d\x30\x0a\x30\x08\x04\x01a\x31\x03\x04\x01v",
            message(
                5,
                Request::Add(AddRequest {
                    dn: "d",
                    attributes: vec![Attribute { description: "a", values: vec![b"v"] }],
                }),
            ),
        ),
        (b"\x30\x06\x02\x01\x06\x4a\x01d", message(6, Request::Delete(DeleteRequest { dn: "d" }))),
        (
            b"\x30\x11\x02\x01\x07\x6c\x0c\x04\x01d\x04\x01r\x01\x01\xff\x80\x01s",
            message(
                7,
                Request::ModifyDn(ModifyDnRequest {
                    dn: "d",
                    new_rdn: "r",
                    delete_old_rdn: true,
                    new_superior: Some("s"),
                }),
            ),
        ),
        (
            b"\x30\x10\x02\x01\x08\x6e\x0b\x04\x01d\x30\x06\x04\x01a\x04\x01v",
            message(8, Request::Compare(CompareRequest { dn: "d", attribute: "a", value: b"v" })),
        ),
        (b"\x30\x06\x02\x01\x09\x50\x01\x08", message(9, Request::Abandon(MessageId(8)))),
        (b"\x30\x0f\x02\x02\x01\x00\x77\x09\x80\x03\x31.3\x81\x02\x30\x00", {
            message(256, Request::Extended(ExtendedRequest { oid: "1.3", value: Some(b"0\0") }))
        }),
        (
            b"\x30\x20\x02\x01\x0a\x42\x00\xa0\x19\x30\x05\x04\x03\x31.2\x30\x08\x04\x03\x31.3\
              \x01\x01\xff\x30\x06\x04\x01\x34\x04\x01v",
            Message {
                id: MessageId(10),
                request: Request::Unbind,
                controls: vec![
                    Control { oid: "1.2", critical: false, value: None },
                    Control { oid: "1.3", critical: true, value: None },
                    Control { oid: "4", critical: false, value: Some(b"v") },
                ],
            },
        ),
    ]
}

#[test]
fn requests_by_hand() {
    for (bytes, message) in table() {
        assert_eq!(decode(bytes).as_ref(), Ok(&message), "{bytes:02x?}");
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(out, bytes, "{message:?}");
    }
}

#[test]
fn every_prefix_is_incomplete_and_no_message() {
    for (bytes, _) in table() {
        for length in 0..bytes.len() {
            let prefix = &bytes[..length];
            assert!(matches!(frame(prefix, 1000), Ok(Frame::Incomplete { .. })), "{prefix:02x?}");
            assert!(decode(prefix).is_err(), "{prefix:02x?}");
        }
        assert_eq!(frame(bytes, 1000), Ok(Frame::Complete { length: bytes.len() }));
    }
}

/// Rewrites every length of `bytes` as `0x84` and four octets, as Active Directory does.
fn with_long_lengths(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let mut out = Vec::new();
    while !reader.is_empty() {
        let (tag, content) = reader.element().unwrap();
        let constructed = tag & 0x20 != 0;
        let content =
            if constructed { with_long_lengths(content.rest()) } else { content.rest().to_vec() };
        out.extend_from_slice(&[tag, 0x84]);
        out.extend_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&content);
    }
    out
}

#[test]
fn long_lengths_everywhere() {
    for (bytes, message) in table() {
        let long = with_long_lengths(bytes);
        assert_eq!(frame(&long, 1000), Ok(Frame::Complete { length: long.len() }));
        assert_eq!(decode(&long), Ok(message));
    }
}

#[test]
fn failures_and_what_can_be_answered() {
    use DecodeErrorKind as Kind;
    use ResponseOperation as Answer;
    type Expected = (DecodeErrorKind, Option<(u32, ResponseOperation)>);
    let table: &[(&[u8], Expected)] = &[
        (b"\x31\x00", (Kind::UnexpectedTag { wanted: 0x30, found: 0x31 }, None)),
        (b"\x30\x00", (Kind::Missing("an element"), None)),
        (b"\x30\x03\x02\x01\x01", (Kind::Missing("the protocol operation"), None)),
        (
            b"\x30\x05\x02\x01\x00\x42\x00",
            (Kind::Invalid("the message id of a request must not be 0"), None),
        ),
        (b"\x30\x05\x02\x01\xff\x42\x00", (Kind::IntegerOutOfRange, None)),
        (b"\x30\x09\x02\x05\x00\x80\x00\x00\x00\x42\x00", (Kind::IntegerOutOfRange, None)),
        // Responses and things that do not exist are no requests, and neither is a constructed
        // delete or a primitive bind.
        (b"\x30\x05\x02\x01\x01\x61\x00", (Kind::UnknownChoice("the request operations"), None)),
        (b"\x30\x05\x02\x01\x01\x6a\x00", (Kind::UnknownChoice("the request operations"), None)),
        (b"\x30\x05\x02\x01\x01\x40\x00", (Kind::UnknownChoice("the request operations"), None)),
        (b"\x30\x05\x02\x01\x01\x1f\x00", (Kind::HighTagNumber, None)),
        (b"\x30\x05\x02\x01\x01\x42\x00\x00", (Kind::TrailingBytes, None)),
        // The envelope is intact.
        (b"\x30\x06\x02\x01\x01\x4a\x01\xff", (Kind::NotUtf8, Some((1, Answer::Delete)))),
        (
            b"\x30\x08\x02\x01\x01\x60\x03\x02\x01\x00",
            (Kind::IntegerOutOfRange, Some((1, Answer::Bind))),
        ),
        (
            b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x89\x00",
            (Kind::UnknownAuthentication, Some((1, Answer::Bind))),
        ),
        (
            b"\x30\x09\x02\x01\x07\x77\x04\x80\x02cn",
            (
                Kind::Invalid("an object identifier must be digits and dots"),
                Some((7, Answer::Extended)),
            ),
        ),
        (
            b"\x30\x11\x02\x01\x05\x68\x0c\x04\x01d\x30\x07\x30\x05\x04\x01a\x31\x00",
            (Kind::Invalid("an attribute to be added has no value"), Some((5, Answer::Add))),
        ),
        // A control that is none: the operation is still told.
        (
            b"\x30\x0a\x02\x01\x01\x4a\x01d\xa0\x02\x04\x00",
            (Kind::UnexpectedTag { wanted: 0x30, found: 4 }, Some((1, Answer::Delete))),
        ),
        // Nothing answers an abandon.
        (b"\x30\x05\x02\x01\x01\x50\x00", (Kind::WrongSize, None)),
        (b"\x30\x06\x02\x01\x01\x50\x01\xff", (Kind::IntegerOutOfRange, None)),
        // A length inside that is wrong is a broken encoding.
        (b"\x30\x08\x02\x01\x01\x6e\x03\x04\x02d", (Kind::Truncated, None)),
    ];
    for (bytes, (kind, answer)) in table {
        let failure = decode(bytes).unwrap_err();
        assert_eq!(failure.error.kind, *kind, "{bytes:02x?}");
        let answer = answer.map(|(id, operation)| (MessageId(id), operation));
        assert_eq!(failure.answer(), answer, "{bytes:02x?}");
    }
}

#[test]
fn result_codes_of_failures() {
    let code = |kind: DecodeErrorKind| {
        DecodeFailure { error: kind.at(0), id: None, operation: None }.result_code()
    };
    assert_eq!(code(DecodeErrorKind::NotUtf8), ResultCode::PROTOCOL_ERROR);
    assert_eq!(code(DecodeErrorKind::TooMany("controls")), ResultCode::ADMIN_LIMIT_EXCEEDED);
    assert_eq!(code(DecodeErrorKind::UnknownAuthentication), ResultCode::AUTH_METHOD_NOT_SUPPORTED);
}

#[test]
fn trailing_components_of_sequences_are_ignored() {
    let table: &[&[u8]] = &[
        b"\x30\x07\x02\x01\x01\x42\x00\x99\x00",
        b"\x30\x15\x02\x01\x01\x6e\x10\x04\x01d\x30\x09\x04\x01a\x04\x01v\x99\x01x\x98\x00",
        b"\x30\x0e\x02\x01\x01\x77\x09\x80\x03\x31.3\x85\x02\x30\x00",
    ];
    for bytes in table {
        assert!(decode(bytes).is_ok(), "{bytes:02x?}: {:?}", decode(bytes));
    }
    // But they must be elements.
    assert!(decode(b"\x30\x07\x02\x01\x01\x42\x00\x99\x01").is_err());
}

#[test]
fn limits_are_kept() {
    let many = |count| {
        let value: &[u8] = b"v";
        let attribute = Attribute { description: "a", values: vec![value; count] };
        let modification =
            Modification { operation: ModifyOperation::Add, attribute: attribute.clone() };
        let search = SearchRequest {
            base: "",
            scope: Scope::Base,
            deref: DerefAliases::Never,
            size_limit: 0,
            time_limit_seconds: 0,
            types_only: true,
            filter: Filter::Present("a"),
            attributes: vec!["a"; count],
        };
        [
            Request::Search(search),
            Request::Add(AddRequest { dn: "", attributes: vec![attribute.clone()] }),
            Request::Modify(ModifyRequest { dn: "", changes: vec![modification; count] }),
        ]
    };
    let limits = DecodeLimits {
        attributes_max: 3,
        values_max: 9,
        modifications_max: 3,
        ..Default::default()
    };
    for (count, fits) in [(3, true), (10, false)] {
        for request in many(count) {
            let mut bytes = Vec::new();
            encode_request(MessageId(1), &request, &[], &mut bytes);
            let got = Message::decode(&bytes, &limits);
            assert_eq!(got.is_ok(), fits, "{request:?}");
            if let Err(failure) = got {
                assert!(matches!(failure.error.kind, DecodeErrorKind::TooMany(_)));
            }
        }
    }
    let control = Control { oid: "1.1", critical: false, value: None };
    for (count, fits) in [(64, true), (65, false)] {
        let mut bytes = Vec::new();
        encode_request(MessageId(1), &Request::Unbind, &vec![control; count], &mut bytes);
        assert_eq!(decode(&bytes).is_ok(), fits);
    }
}

/// A search whose filter is `count` nots around a presence filter, with four-octet lengths.
fn depth_bomb(count: usize) -> Vec<u8> {
    let mut filter = b"a\x01\x87".to_vec();
    let mut length: u32 = 3;
    for _ in 0..count {
        filter.extend(length.to_le_bytes());
        filter.extend([0x84, 0xa2]);
        length += 6;
    }
    filter.reverse();
    let mut out = Vec::new();
    let envelope = begin(&mut out, 0x30);
    write_integer(&mut out, 2, 1);
    let search = begin(&mut out, tag::SEARCH_REQUEST);
    out.extend_from_slice(b"\x04\x00\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00");
    out.extend_from_slice(&filter);
    write_octets(&mut out, 0x30, &[]);
    search.end(&mut out);
    envelope.end(&mut out);
    out
}

#[test]
fn deep_filters_are_refused_without_exhausting_the_stack() {
    assert!(decode(&depth_bomb(63)).is_ok());
    for count in [64, 100_000] {
        let bytes = depth_bomb(count);
        let failure = decode(&bytes).unwrap_err();
        assert_eq!(failure.error.kind, DecodeErrorKind::TooMany("filters inside filters"));
        assert_eq!(failure.answer(), Some((MessageId(1), ResponseOperation::SearchDone)));
    }
}

#[test]
fn secrets_are_not_printed() {
    for (_, message) in table() {
        let printed = format!("{message:?}");
        assert!(!printed.contains("115, 101, 99") && !printed.contains("\"secret"), "{printed}");
    }
}

/// Random requests live as long as the test process: they borrow from leaked memory.
fn leak<T: ?Sized>(owned: impl Into<Box<T>>) -> &'static T {
    Box::leak(owned.into())
}

fn text() -> impl Strategy<Value = &'static str> {
    ".{0,200}".prop_map(|text: String| leak(text))
}

fn octets() -> impl Strategy<Value = &'static [u8]> {
    prop::collection::vec(any::<u8>(), 0..300).prop_map(leak)
}

fn described() -> impl Strategy<Value = &'static str> {
    "[a-zA-Z][a-zA-Z0-9;-]{0,20}|[0-2](\\.[0-9]{1,4}){1,5}".prop_map(|text: String| leak(text))
}

fn numeric_oid() -> impl Strategy<Value = &'static str> {
    "[0-2](\\.[0-9]{1,4}){1,8}".prop_map(|text: String| leak(text))
}

fn attribute(values_min: usize) -> impl Strategy<Value = Attribute<'static>> {
    (described(), prop::collection::vec(octets(), values_min..4))
        .prop_map(|(description, values)| Attribute { description, values })
}

fn id() -> impl Strategy<Value = MessageId> {
    (1..=MAX_INT, 0_u32..31).prop_map(|(id, shift)| MessageId((id >> shift).max(1)))
}

fn search() -> impl Strategy<Value = Request<'static>> {
    let scopes = [Scope::Base, Scope::OneLevel, Scope::Subtree, Scope::Subordinates];
    let derefs = [
        DerefAliases::Never,
        DerefAliases::InSearching,
        DerefAliases::FindingBase,
        DerefAliases::Always,
    ];
    let limits = (0..=MAX_INT, 0..=MAX_INT, any::<bool>());
    let selection = prop::collection::vec(text(), 0..5);
    (
        text(),
        prop::sample::select(scopes.to_vec()),
        prop::sample::select(derefs.to_vec()),
        limits,
        any_filter(),
        selection,
    )
        .prop_map(
            |(base, scope, deref, (size_limit, time, types_only), filter, attributes)| {
                Request::Search(SearchRequest {
                    base,
                    scope,
                    deref,
                    size_limit,
                    time_limit_seconds: time,
                    types_only,
                    filter,
                    attributes,
                })
            },
        )
}

fn modify() -> impl Strategy<Value = Request<'static>> {
    let operations = [
        ModifyOperation::Add,
        ModifyOperation::Delete,
        ModifyOperation::Replace,
        ModifyOperation::Increment,
    ];
    let change = (prop::sample::select(operations.to_vec()), attribute(0))
        .prop_map(|(operation, attribute)| Modification { operation, attribute });
    (text(), prop::collection::vec(change, 0..4))
        .prop_map(|(dn, changes)| Request::Modify(ModifyRequest { dn, changes }))
}

fn request() -> impl Strategy<Value = Request<'static>> {
    let authentication = prop_oneof![
        octets().prop_map(Authentication::Simple),
        (text(), prop::option::of(octets())).prop_map(|(mechanism, credentials)| {
            Authentication::Sasl { mechanism, credentials }
        }),
    ];
    prop_oneof![
        (1_u8..=127, text(), authentication).prop_map(|(version, name, authentication)| {
            Request::Bind(BindRequest { version, name, authentication })
        }),
        Just(Request::Unbind),
        search(),
        modify(),
        (text(), prop::collection::vec(attribute(1), 0..4))
            .prop_map(|(dn, attributes)| Request::Add(AddRequest { dn, attributes })),
        text().prop_map(|dn| Request::Delete(DeleteRequest { dn })),
        (text(), text(), any::<bool>(), prop::option::of(text())).prop_map(
            |(dn, new_rdn, delete_old_rdn, new_superior)| {
                Request::ModifyDn(ModifyDnRequest { dn, new_rdn, delete_old_rdn, new_superior })
            }
        ),
        (text(), described(), octets()).prop_map(|(dn, attribute, value)| {
            Request::Compare(CompareRequest { dn, attribute, value })
        }),
        id().prop_map(Request::Abandon),
        (numeric_oid(), prop::option::of(octets()))
            .prop_map(|(oid, value)| Request::Extended(ExtendedRequest { oid, value })),
    ]
}

pub(crate) fn controls() -> impl Strategy<Value = Vec<Control<'static>>> {
    let control = (numeric_oid(), any::<bool>(), prop::option::of(octets()))
        .prop_map(|(oid, critical, value)| Control { oid, critical, value });
    prop::collection::vec(control, 0..3)
}

proptest! {
    #[test]
    fn requests_come_back(id in id(), request in request(), controls in controls()) {
        let message = Message { id, request, controls };
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        prop_assert_eq!(frame(&bytes, usize::MAX), Ok(Frame::Complete { length: bytes.len() }));
        prop_assert_eq!(decode(&bytes), Ok(message));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }

    /// Most random bytes die at the first tag; broken messages get deeper.
    #[test]
    fn broken_messages_do_no_harm(
        request in request(),
        breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = Vec::new();
        encode_request(MessageId(1), &request, &[], &mut bytes);
        for (index, octet) in breaks {
            let index = index.index(bytes.len());
            bytes[index] = octet;
        }
        if let Ok(message) = decode(&bytes) {
            let mut again = Vec::new();
            message.encode(&mut again);
            prop_assert_eq!(decode(&again), Ok(message));
        }
    }
}
