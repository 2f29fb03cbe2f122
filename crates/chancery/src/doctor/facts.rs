//! What was seen. Written to files and read elsewhere, so nothing here is our opinion, and the
//! version says what a reader may expect.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pki::Summary;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::rules::{Confidence, Layer, Severity};

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
    /// What DNS itself says, beside what this machine resolves.
    #[serde(default)]
    pub(crate) dns: Option<Dns>,
    /// Where the name is meant to lead.
    #[serde(default)]
    pub(crate) expected: Option<Expected>,
    /// Where a CA is not known: what the certificates themselves lead to.
    #[serde(default)]
    pub(crate) completed: Option<Completed>,
    #[serde(default)]
    pub(crate) revocation: Option<Revocation>,
    /// From where it was looked, where somebody has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vantage: Option<String>,
    /// What was found, where the facts that say so have been taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<Vec<Told>>,
}

/// Certificates that were not sent, fetched from where the one below says they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Completed {
    pub(crate) fetched: Vec<Fetched>,
    /// With them the chain leads to a CA that is trusted.
    pub(crate) is_trusted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Fetched {
    pub(crate) url: String,
    /// DER in base64.
    pub(crate) certificate: Option<String>,
    pub(crate) error: Option<String>,
}

/// What lists of revoked certificates say of the server's.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Revocation {
    /// Where the certificate says that lists are.
    pub(crate) urls: Vec<String>,
    /// The list that was read, and believed.
    pub(crate) read: Option<String>,
    pub(crate) errors: Vec<String>,
    /// When and why it was revoked.
    pub(crate) revoked: Option<String>,
}

/// What name servers say of the name, whatever else this machine knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Dns {
    /// Why they could not be asked.
    pub(crate) error: Option<String>,
    pub(crate) addresses: Vec<IpAddr>,
    /// The servers that SRV records name, where the name is a domain's.
    pub(crate) services: Vec<String>,
    /// The names of the addresses (PTR).
    pub(crate) pointers: Vec<Named>,
    /// Where the names of the certificate lead.
    pub(crate) certificate: Vec<Named>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Where a name is meant to lead.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Expected {
    /// To an address of a private network.
    Inside,
    /// To a public address.
    Outside,
    Address(IpAddr),
}

/// A finding that goes along with redacted facts, which cannot be judged any more.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Told {
    pub(crate) code: String,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) layer: Layer,
    pub(crate) nodes: Vec<SocketAddr>,
    pub(crate) cause: String,
    pub(crate) evidence: Vec<String>,
    pub(crate) fixes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub(crate) enum Resolved {
    /// The target is an address.
    Literal,
    /// Whoever asked has said where it is.
    Given {
        addresses: Vec<IpAddr>,
    },
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
    /// What is answered to greetings that our own TLS would not send.
    #[serde(default)]
    pub(crate) greetings: Vec<Greeting>,
    /// The handshake again, without the server's name in it.
    #[serde(default)]
    pub(crate) without_name: Option<Tls>,
    /// The handshake again in small packets, where it was not answered.
    #[serde(default)]
    pub(crate) in_small_packets: Option<End>,
    /// Other ports of directories at the same address.
    #[serde(default)]
    pub(crate) siblings: Vec<Sibling>,
    /// A verified connection on which nothing was said for a while.
    #[serde(default)]
    pub(crate) idle: Option<Idle>,
}

impl Node {
    /// Nothing but TCP has been looked at.
    pub(crate) fn at(address: SocketAddr, tcp: Tcp) -> Node {
        Node {
            address,
            tcp,
            tls: None,
            ldap: None,
            greetings: Vec::new(),
            without_name: None,
            in_small_packets: None,
            siblings: Vec::new(),
            idle: None,
        }
    }

    /// What was said in the clear, on whichever port.
    pub(crate) fn clear(&self) -> Option<&Clear> {
        self.siblings.iter().find_map(|one| one.clear.as_ref())
    }
}

impl Sibling {
    pub(crate) fn leaf(&self) -> Option<Summary> {
        Summary::parse(&decoded(self.chain.first()?)).ok()
    }
}

/// A first message of TLS that offers one thing only, and what came back.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Greeting {
    pub(crate) offered: Offered,
    pub(crate) end: End,
    pub(crate) version: Option<String>,
    pub(crate) suite: Option<String>,
    /// What may be the server's clock, in seconds since 1970: it is where several are alike.
    #[serde(default)]
    pub(crate) seconds: Option<u32>,
    /// Where keys are agreed on by finite-field Diffie-Hellman: the prime's bits.
    pub(crate) dh_bits: Option<usize>,
    /// As in [`Tls`]; up to TLS 1.2 only.
    pub(crate) chain: Vec<String>,
    /// Where it is no TLS: how the answer begins, if that is text.
    #[serde(default)]
    pub(crate) text: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Offered {
    Tls10,
    Tls11,
    /// TLS 1.2 with the suites that clients of today have.
    Tls12,
    /// TLS 1.2 also with those that they have put away.
    Tls12Old,
    Tls13,
    /// TLS 1.3, as long as with keys of a post-quantum exchange: more than one packet.
    Tls13Large,
}

/// Another port of the same address.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Sibling {
    pub(crate) port: u16,
    pub(crate) tcp: Tcp,
    /// Where LDAP begins in the clear: what is said there to nobody.
    pub(crate) clear: Option<Clear>,
    /// Where it begins with TLS 1.2: the chain.
    pub(crate) chain: Vec<String>,
}

/// What is said in the clear, to nobody and about nothing secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Clear {
    pub(crate) root: Option<Ldap>,
    /// What a sign-in without TLS is answered, tried with a name that nobody has.
    pub(crate) sign_in: Option<Refused>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Idle {
    pub(crate) seconds: u64,
    /// How it was found ended.
    pub(crate) ended: Option<String>,
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
    /// The CAs whose certificates it would take, where it says so.
    #[serde(default)]
    pub(crate) takes: Vec<String>,
    pub(crate) ms: u64,
    /// Where TLS failed: whether LDAP in the clear is spoken on this port.
    pub(crate) speaks_ldap: Option<bool>,
    /// Where StartTLS is not answered: whether TLS is spoken from the first byte on.
    #[serde(default)]
    pub(crate) speaks_tls: Option<bool>,
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
    /// How many come where pages are not asked for, and the server stops by itself.
    #[serde(default)]
    pub(crate) without_pages: Option<u64>,
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
    /// As the server writes it.
    #[serde(default)]
    pub(crate) current_time: Option<String>,
    #[serde(default)]
    pub(crate) capabilities: Vec<String>,
    #[serde(default)]
    pub(crate) mechanisms: Vec<String>,
    #[serde(default)]
    pub(crate) offers_start_tls: bool,
    #[serde(default)]
    pub(crate) host: Option<String>,
    /// Lengths are written in more bytes than they need.
    #[serde(default)]
    pub(crate) has_long_lengths: bool,
}

impl Ldap {
    /// MS-ADTS 3.1.1.3.4.3: Active Directory, and Samba as it.
    pub(crate) fn is_active_directory(&self) -> bool {
        self.capabilities.iter().any(|one| one == "1.2.840.113556.1.4.800")
    }
}

/// What is no base64 was not written by us, and reads as no certificate.
pub(crate) fn decoded(text: &str) -> CertificateDer<'static> {
    STANDARD.decode(text).unwrap_or_default().into()
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
    all.iter().map(|text| decoded(text)).collect()
}
