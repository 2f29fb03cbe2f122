//! What must hold for any input, one function for each fuzz target in `fuzz/`. The suite gives the
//! same functions the inputs in `fuzz/seeds`, so that what was found once stays found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod rules;
mod session;
mod text;
mod values;
mod wire;

pub use certificates::{certificate, pem_text, pfx, signing_request, templates};
pub use rules::access_rules;
pub use session::session;
pub use text::{dn, filter_text, ldif, schema_text};
pub use values::schema_values;
pub use wire::{message, proxy_header, response};

/// A target, by the name of its file and of its folder of seeds.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 15] = [
    ("access_rules", |bytes| as_text(bytes, access_rules)),
    ("certificate", certificate),
    ("dn", |bytes| as_text(bytes, dn)),
    ("filter_text", |bytes| as_text(bytes, filter_text)),
    ("ldif", ldif),
    ("message", message),
    ("pem_text", pem_text),
    ("pfx", pfx),
    ("proxy_header", proxy_header),
    ("response", response),
    ("schema_text", |bytes| as_text(bytes, schema_text)),
    ("schema_values", schema_values),
    ("session", session),
    ("signing_request", signing_request),
    ("templates", |bytes| as_text(bytes, templates)),
];

fn as_text(bytes: &[u8], target: fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        target(text);
    }
}
