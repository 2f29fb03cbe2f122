//! The certificate that is served, as `status` and `cn=monitor` show it.

use directory::GivenEntry;
use pki::Summary;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) fn state(served: &Summary) -> Value {
    json!({
        "subject": served.subject,
        "issuer": served.issuer,
        "serial": served.serial,
        "thumbprint": served.thumbprint,
        "not-before": text(served.not_before),
        "not-after": text(served.not_after),
        "names": served.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

pub(super) fn monitor(served: &Summary) -> GivenEntry {
    server::monitor::entry(
        Some("certificate"),
        &[
            ("certificateSubject", vec![served.subject.clone()]),
            ("certificateIssuer", vec![served.issuer.clone()]),
            ("certificateSerial", vec![served.serial.clone()]),
            ("certificateThumbprint", vec![served.thumbprint.clone()]),
            ("certificateNotAfter", vec![generalized(served.not_after)]),
        ],
    )
}

/// RFC 3339.
pub(crate) fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// GeneralizedTime (RFC 4517 §3.3.13).
fn generalized(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
