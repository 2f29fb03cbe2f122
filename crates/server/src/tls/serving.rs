//! The TLS configuration that is served, and the certificate in it, which can be replaced.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pki::{Credential, PemRefused, Summary};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, RootCertStore, ServerConfig, SupportedCipherSuite};

/// Sessions kept for TLS 1.2 clients that resume by identifier; the rest resumes by ticket.
const SESSION_CACHE: usize = 16 * 1024;

/// Tickets after a TLS 1.3 handshake. One is enough: each is used once, and each connection,
/// resumed or not, brings the next. Every further one is work and bytes on each connection.
const TICKETS: usize = 1;

/// Whether clients may sign in by certificate.
#[derive(Clone, Copy, Debug)]
pub enum ClientCertificates<'a> {
    /// Not asked for; SASL EXTERNAL over TLS finds no identity.
    NotAsked,
    /// Asked for and verified against these CAs, but a client without one is welcome.
    Optional { ca_pem: &'a [u8] },
}

/// Why a certificate was not taken into service. The one before it still is.
#[derive(Debug, thiserror::Error)]
pub enum CertificateRefused {
    #[error("the certificate {subject} is not valid before {from}; check this machine's clock")]
    NotYetValid { subject: String, from: String },
    #[error("the certificate {subject} expired at {until}; issue a new one")]
    Expired { subject: String, until: String },
    #[error("the certificate {subject} is not for servers: its extended key usage has {purposes}")]
    NotForServers { subject: String, purposes: String },
    #[error("the private key of {subject} cannot be used: {source}")]
    Key { subject: String, source: rustls::Error },
}

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsRefused {
    #[error(transparent)]
    Certificate(#[from] CertificateRefused),
    #[error("the CA file for client certificates: {0}")]
    ClientCa(#[from] PemRefused),
    #[error("the CA file for client certificates holds one that cannot be trusted: {0}")]
    ClientRoot(rustls::Error),
    #[error("client certificates cannot be verified: {0}")]
    Verifier(#[from] VerifierBuilderError),
    #[error("TLS could not be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// One TLS configuration with its replaceable certificate; cheap to clone and share.
#[derive(Clone)]
pub struct ServingTls {
    config: Arc<ServerConfig>,
    certificate: Arc<Certificate>,
}

impl ServingTls {
    /// Ready to accept. `now` decides whether the certificate is valid.
    pub fn new(
        credential: Credential,
        clients: ClientCertificates<'_>,
        now: UnixTime,
    ) -> Result<ServingTls, TlsRefused> {
        let certificate = Arc::new(Certificate(ArcSwap::from_pointee(judge(credential, now)?)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_client_cert_verifier(verifier(clients)?)
            .with_cert_resolver(certificate.clone());
        // The server's order, see `provider`: nearly every client puts AES-256 with SHA-384 first.
        config.ignore_client_order = true;
        // Stateless, under keys that are replaced every six hours.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = TICKETS;
        config.session_storage = ServerSessionMemoryCache::new(SESSION_CACHE);
        Ok(ServingTls { config: Arc::new(config), certificate })
    }

    /// Serves this certificate from the next handshake on; living connections do not notice.
    pub fn replace(&self, credential: Credential, now: UnixTime) -> Result<(), CertificateRefused> {
        self.certificate.0.store(Arc::new(judge(credential, now)?));
        Ok(())
    }

    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// What the certificate that is served now says.
    #[must_use]
    pub fn served(&self) -> Summary {
        self.certificate.0.load().summary.clone()
    }
}

/// The certificate in service. Asked once per full handshake, never locked.
struct Certificate(ArcSwap<Judged>);

/// A certificate and key that passed the rules.
struct Judged {
    certified: Arc<CertifiedKey>,
    summary: Summary,
}

impl ResolvesServerCert for Certificate {
    /// The same for every name asked for: LDAP clients often send none.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().certified.clone())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.0.load().summary.subject).finish()
    }
}

/// Within each version AES-128 with SHA-256 comes first: processors compute SHA-256 in hardware and
/// SHA-384 not, and a handshake is a long chain of hashes. The others stay for who insists on them.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    let rank = |suite: &SupportedCipherSuite| match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
        _ => 1,
    };
    // Stable: what is not moved keeps the library's order.
    provider.cipher_suites.sort_by_key(rank);
    Arc::new(provider)
}

/// The rules a certificate must pass before clients see it.
fn judge(credential: Credential, now: UnixTime) -> Result<Judged, CertificateRefused> {
    let summary = credential.leaf;
    let subject = || summary.subject.clone();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < summary.not_before.unix_timestamp() {
        let from = summary.not_before.to_string();
        return Err(CertificateRefused::NotYetValid { subject: subject(), from });
    }
    if now > summary.not_after.unix_timestamp() {
        let until = summary.not_after.to_string();
        return Err(CertificateRefused::Expired { subject: subject(), until });
    }
    if !summary.serves() {
        let purposes = summary.purposes.join(", ");
        return Err(CertificateRefused::NotForServers { subject: subject(), purposes });
    }
    let certified = CertifiedKey::from_der(credential.chain, credential.key, &provider())
        .map_err(|source| CertificateRefused::Key { subject: subject(), source })?;
    Ok(Judged { certified: Arc::new(certified), summary })
}

fn verifier(clients: ClientCertificates<'_>) -> Result<Arc<dyn ClientCertVerifier>, TlsRefused> {
    let ClientCertificates::Optional { ca_pem } = clients else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for root in pki::pem::certificates(ca_pem)? {
        roots.add(root).map_err(TlsRefused::ClientRoot)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    Ok(verifier.allow_unauthenticated().build()?)
}
