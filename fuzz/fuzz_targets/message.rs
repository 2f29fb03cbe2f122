//! Whatever decodes as a request encodes to bytes that decode to the same request.
#![no_main]

use ldap::ber::{Frame, frame};
use ldap::message::{DecodeLimits, Message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = DecodeLimits::default();
    let Ok(Frame::Complete { length }) = frame(bytes, 1 << 20) else {
        assert!(Message::decode(bytes, &limits).is_err(), "a message without a frame");
        return;
    };
    let Ok(message) = Message::decode(&bytes[..length], &limits) else { return };
    let mut out = Vec::new();
    message.encode(&mut out);
    assert_eq!(frame(&out, 1 << 21), Ok(Frame::Complete { length: out.len() }));
    assert_eq!(Message::decode(&out, &limits), Ok(message));
});
