//! What was seen. Written to files and read elsewhere, so nothing here is our opinion, and the
//! version says what a reader may expect.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

pub(crate) const VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Facts {
    pub(crate) version: u32,
    /// As it was asked for.
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) starttls: bool,
    /// When, RFC 3339.
    pub(crate) at: String,
    pub(crate) resolved: Resolved,
    pub(crate) nodes: Vec<Node>,
    /// What the application does, tried once.
    pub(crate) application: Option<Application>,
    /// The CAs it was verified with: where they came from, and what they are.
    pub(crate) trust: Trusted,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub(crate) enum Resolved {
    /// The target is an address.
    Literal,
    Found {
        addresses: Vec<IpAddr>,
        ms: u64,
    },
    Failed {
        error: String,
        ms: u64,
    },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Trusted {
    pub(crate) source: String,
    /// The subjects of given CAs; the system's are not listed.
    pub(crate) subjects: Vec<String>,
    /// The given CAs themselves, DER in base64.
    #[serde(default)]
    pub(crate) certificates: Vec<String>,
}

/// One address of the target.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) tcp: Tcp,
    pub(crate) tls: Option<Tls>,
    pub(crate) ldap: Option<Ldap>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub(crate) enum Tcp {
    Open { ms: u64 },
    Refused,
    TimedOut { ms: u64 },
    Reset,
    Unreachable { error: String },
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) end: End,
    pub(crate) version: Option<String>,
    pub(crate) suite: Option<String>,
    /// DER in base64, the server's own first.
    pub(crate) chain: Vec<String>,
    /// What the verification said; nothing where it was content or no certificate came.
    pub(crate) refused: Option<String>,
    /// It failed because nobody known has signed it.
    pub(crate) issuer_unknown: bool,
    pub(crate) asked_for_certificate: bool,
    pub(crate) ms: u64,
    /// Where TLS failed: whether LDAP in the clear is spoken on this port.
    pub(crate) speaks_ldap: Option<bool>,
}

/// A sign-in and a search as the application does them. The password is nowhere in it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    /// None: as nobody.
    pub(crate) signed_in_as: Option<String>,
    /// What came of it; nothing where all went well.
    pub(crate) refused: Option<Refused>,
    pub(crate) search: Option<Search>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) filter: String,
    pub(crate) count: u64,
    /// Not all were counted.
    pub(crate) is_more: bool,
    pub(crate) references: Vec<String>,
    pub(crate) refused: Option<Refused>,
    pub(crate) ms: u64,
}

/// A "no" with its result code, or what else ended it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Refused {
    pub(crate) code: Option<u32>,
    pub(crate) message: String,
    pub(crate) matched: String,
}

/// How a handshake ended.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub(crate) enum End {
    Done,
    Alert { alert: String },
    NotTls,
    Closed,
    Reset,
    TimedOut,
    NoStartTls { why: String },
    Other { error: String },
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Ldap {
    pub(crate) error: Option<String>,
    pub(crate) naming_contexts: Vec<String>,
    pub(crate) vendor: Option<String>,
    pub(crate) ms: u64,
}

impl Tls {
    /// The chain; what is no base64 was not written by us, and reads as no certificate.
    pub(crate) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        decode(&self.chain)
    }

    pub(crate) fn encode(der: &CertificateDer<'_>) -> String {
        STANDARD.encode(der)
    }
}

impl Trusted {
    pub(crate) fn roots(&self) -> Vec<CertificateDer<'static>> {
        decode(&self.certificates)
    }
}

fn decode(all: &[String]) -> Vec<CertificateDer<'static>> {
    let read = |text: &String| STANDARD.decode(text).unwrap_or_default().into();
    all.iter().map(read).collect()
}
