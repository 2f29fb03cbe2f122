//! A chain in a file, judged as if a server had shown it.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

use client::Trust;
use pki::Summary;
use pki::certificate::AlternativeName;
use pki::judge::names::ServedName;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;

use super::acceptance::Accepting;
use super::facts::{End, Facts, Node, Resolved, Tcp, Tls, Trusted, VERSION};
use super::outcome::Seen;
use super::report;

/// What is judged, and with whose CAs.
pub(crate) struct Chain<'c> {
    pub(crate) file: String,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) name: Option<ServedName>,
    pub(crate) trust: &'c Trust,
    pub(crate) trusted: Trusted,
}

/// As a look at a server would have it.
pub(crate) fn facts(chain: Chain<'_>, at: OffsetDateTime) -> Facts {
    let name = chain.name.or_else(|| own_name(&chain.certificates));
    let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let verified =
        name.as_ref().map(|name| chain.trust.judge_at(&chain.certificates, name, Vec::new(), time));
    let refused = verified.and_then(Result::err);
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let tls = Tls {
        end: End::Done,
        version: None,
        suite: None,
        chain: chain.certificates.iter().map(Tls::encode).collect(),
        issuer_unknown: refused.as_ref() == Some(&unknown),
        refused: refused.map(|error| error.to_string()),
        asked_for_certificate: false,
        takes: Vec::new(),
        ms: 0,
        speaks_ldap: None,
        speaks_tls: None,
    };
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let node = Node { tls: Some(tls), ..Node::at(nowhere, Tcp::Open { ms: 0 }) };
    Facts {
        version: VERSION,
        target: chain.file,
        name: name.map(|name| name.to_string()).unwrap_or_default(),
        port: client::target::LDAPS,
        starttls: false,
        at: crate::alerts::text(at),
        resolved: Resolved::Literal,
        nodes: vec![node],
        application: None,
        trust: chain.trusted,
        dns: None,
        expected: None,
        completed: None,
        revocation: None,
        vantage: None,
        told: None,
    }
}

/// The first name that the certificate is for; without any, the one in its subject, of which
/// there is something to say.
fn own_name(chain: &[CertificateDer<'_>]) -> Option<ServedName> {
    let leaf = Summary::parse(chain.first()?).ok()?;
    let named = leaf.names.iter().find_map(|name| match name {
        AlternativeName::Dns(name) => ServedName::parse(&name.replacen('*', "any", 1)).ok(),
        AlternativeName::Ip(address) => Some(ServedName::Ip(*address)),
        _ => None,
    });
    let common = || {
        let parts = leaf.subject.split(',');
        let name = parts.filter_map(|part| part.strip_prefix("CN=")).next()?;
        ServedName::parse(name).ok()
    };
    named.or_else(common)
}

pub(crate) fn text(file: &str, seen: &Seen) -> String {
    let (name, at) = (&seen.facts.name, &seen.facts.at);
    let name = if name.is_empty() { "no name" } else { name };
    let well = format!("{file}: nothing against it, for {name}");
    let mut out = report::verdict(&well, &seen.findings);
    for line in seen.accepting.iter().flat_map(Accepting::lines) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "i judged for {name}, at {at}");
    let chain = seen.facts.nodes.iter().filter_map(|node| node.tls.as_ref());
    for der in chain.flat_map(Tls::certificates).take(8) {
        if let Ok(one) = Summary::parse(&der) {
            let _ = writeln!(out, "i {}, until {}", one.subject, one.not_after.date());
        }
    }
    report::bounded(&out)
}
