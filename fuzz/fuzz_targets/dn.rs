//! Any text is a name or is refused; a name that is printed reads back as itself.
#![no_main]

use ldap::dn::{Dn, MAX_DN_BYTES, Rdn};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Rdn::parse(text);
    let Ok(dn) = Dn::parse(text) else { return };
    let printed = dn.to_string();
    // Escapes may make the text longer than what is read.
    if printed.len() <= MAX_DN_BYTES {
        assert_eq!(Dn::parse(&printed), Ok(dn), "{printed}");
    }
});
