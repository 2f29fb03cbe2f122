//! Whatever parses as a filter comes back from its text and from its bytes.
#![no_main]

use ldap::filter::{Filter, FilterBytes};
use ldap::message::DecodeLimits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let limits = DecodeLimits::default();
    let Ok(filter) = Filter::parse(text, &limits) else { return };
    let printed = filter.to_string();
    assert_eq!(Filter::parse(&printed, &limits).as_ref(), Ok(&filter));
    let kept = FilterBytes::from_filter(&filter);
    assert_eq!(kept.filter(), filter);
    assert!(FilterBytes::from_wire(kept.as_bytes(), &limits).is_ok());
});
