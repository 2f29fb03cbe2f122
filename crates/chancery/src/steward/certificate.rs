//! The certificate that is served, as `status` and `cn=monitor` show it.

use directory::GivenEntry;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::certificates::{Certificates, ListenersTls};

/// None before one has passed.
pub(super) fn state(certificates: &Certificates) -> Value {
    let Some(served) = certificates.served() else { return Value::Null };
    let origin = certificates.origin();
    json!({
        "subject": served.subject,
        "issuer": served.issuer,
        "serial": served.serial,
        "thumbprint": served.thumbprint,
        "not-before": text(served.not_before),
        "not-after": text(served.not_after),
        "names": served.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "source": origin.as_ref().map(|(source, _)| source),
        "since": origin.as_ref().map(|(_, since)| text(*since)),
        "checked": certificates.checked(),
    })
}

/// Where the last change of versions, suites and client certificates stands.
pub(super) fn settings(listeners: &ListenersTls) -> Value {
    let (change, since) = listeners.change();
    json!({ "settings": change, "since": text(since) })
}

pub(super) fn monitor(certificates: &Certificates) -> GivenEntry {
    let Some(served) = certificates.served() else {
        let state = vec!["none: no certificate passes".to_owned()];
        return server::monitor::entry(Some("certificate"), &[("monitorState", state)]);
    };
    let source = certificates.origin().map(|(source, _)| source);
    server::monitor::entry(
        Some("certificate"),
        &[
            ("monitorState", vec!["served".to_owned()]),
            ("certificateSubject", vec![served.subject.clone()]),
            ("certificateIssuer", vec![served.issuer.clone()]),
            ("certificateSerial", vec![served.serial.clone()]),
            ("certificateThumbprint", vec![served.thumbprint.clone()]),
            ("certificateNotAfter", vec![generalized(served.not_after)]),
            ("certificateSource", source.into_iter().collect()),
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
