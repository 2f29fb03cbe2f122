//! Responses decode or do not; what decodes as an entry can be walked and written again.
#![no_main]

use ldap::response::{Response, ResponseMessage, write_entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
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
});
