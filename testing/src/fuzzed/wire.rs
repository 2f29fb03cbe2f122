//! Messages as they come over the wire.

use ldap::ber::{Frame, frame};
use ldap::message::{DecodeLimits, Message};
use ldap::response::{Response, ResponseMessage, write_entry};
use server::network::{Header, V2_BYTES_MAX, header};

/// Whatever decodes as a request encodes to bytes that decode to the same request.
pub fn message(bytes: &[u8]) {
    let limits = DecodeLimits::default();
    let Ok(Frame::Complete { length }) = frame(bytes, 1 << 20) else {
        assert!(Message::decode(bytes, &limits).is_err(), "a message without a frame");
        return;
    };
    let Some(whole) = bytes.get(..length) else { panic!("a frame longer than its bytes") };
    let Ok(message) = Message::decode(whole, &limits) else { return };
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(frame(&out, 1 << 21), Ok(Frame::Complete { length: out.len() }));
    assert_eq!(Message::decode(&out, &limits), Ok(message));
}

/// Responses decode or do not; what decodes as an entry can be walked and written again.
pub fn response(bytes: &[u8]) {
    let Ok(message) = ResponseMessage::decode(bytes) else { return };
    let Response::SearchEntry(entry) = &message.response else { return };
    let slices: Vec<&[u8]> = entry.attributes.map(|attribute| attribute.wire).collect();
    assert_eq!(slices.concat(), entry.attributes.as_bytes());
    for attribute in entry.attributes {
        let _ = (attribute.name(), attribute.values.count());
    }
    let mut out = Vec::new();
    write_entry(&mut out, message.id, entry.dn.as_bytes(), &slices, &message.controls);
    let again = ResponseMessage::decode(&out).expect("what was written decodes");
    assert_eq!((again.id, again.controls), (message.id, message.controls));
    let Response::SearchEntry(again) = again.response else { panic!("an entry was written") };
    assert_eq!(again.dn, entry.dn);
    assert_eq!(again.attributes.as_bytes(), entry.attributes.as_bytes());
}

/// Any bytes begin a balancer's header, hold one, or are refused. A whole one does not depend on
/// what follows it, and none of its beginnings is refused or taken for the whole.
pub fn proxy_header(bytes: &[u8]) {
    let found = header(bytes);
    let Ok(Header::Complete { length, .. }) = found else {
        assert!(found != Ok(Header::Incomplete) || bytes.len() < V2_BYTES_MAX);
        return;
    };
    assert!(length <= bytes.len().min(V2_BYTES_MAX));
    for end in 0..length {
        assert_eq!(header(bytes.get(..end).unwrap_or_default()), Ok(Header::Incomplete));
    }
    assert_eq!(header(bytes.get(..length).unwrap_or_default()), found);
}
