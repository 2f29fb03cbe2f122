//! The certificate that is served, which can be replaced, and the TLS configurations around it.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use pki::{Chosen, PemRefused, Summary};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

use super::policy::{PolicyRefused, TlsPolicy};

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
    /// Asked for and verified against these CAs, but a client without one is welcome. Lists of
    /// revoked certificates may stand among them.
    Optional { ca_pem: &'a [u8] },
    /// The same, and without one there is no connection.
    Required { ca_pem: &'a [u8] },
}

/// Why a certificate was not taken into service. The one before it still is.
#[derive(Debug, thiserror::Error)]
#[error("the private key of {subject} cannot be used: {source}")]
pub struct CertificateRefused {
    subject: String,
    source: rustls::Error,
}

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsRefused {
    #[error(transparent)]
    Policy(#[from] PolicyRefused),
    #[error("the CA file for client certificates: {0}")]
    ClientCa(#[from] PemRefused),
    #[error("the CA file for client certificates holds one that cannot be trusted: {0}")]
    ClientRoot(rustls::Error),
    #[error("client certificates cannot be verified: {0}")]
    Verifier(#[from] VerifierBuilderError),
    #[error("TLS could not be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The certificate that every listener serves; cheap to clone and share.
#[derive(Clone, Debug, Default)]
pub struct ServingTls(Arc<Certificate>);

impl ServingTls {
    /// Serves this certificate from the next handshake on; living connections do not notice.
    pub fn replace(&self, chosen: &Chosen) -> Result<(), CertificateRefused> {
        let summary = chosen.summary().clone();
        let (chain, key) = (chosen.chain().to_vec(), chosen.key().clone_key());
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let certified = certified
            .map_err(|source| CertificateRefused { subject: summary.subject.clone(), source })?;
        let served = Served { certified: Arc::new(certified), summary };
        self.0.0.store(Some(Arc::new(served)));
        Ok(())
    }

    /// What the certificate that is served now says; none before one has passed.
    #[must_use]
    pub fn served(&self) -> Option<Summary> {
        self.0.0.load().as_ref().map(|served| served.summary.clone())
    }

    /// A listener's configuration around this certificate. Tickets of another one, from before
    /// or from another listener, resume nothing: what a client had to show there does not count
    /// here.
    pub fn config(
        &self,
        policy: &TlsPolicy,
        clients: ClientCertificates<'_>,
    ) -> Result<Arc<ServerConfig>, TlsRefused> {
        let provider = policy.provider()?;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(policy.floor.versions())?
            .with_client_cert_verifier(verifier(clients, provider)?)
            .with_cert_resolver(self.0.clone());
        // The server's order, see the policy: nearly every client puts AES-256 with SHA-384 first.
        config.ignore_client_order = true;
        // Stateless, under keys that are replaced every six hours.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = TICKETS;
        config.session_storage = ServerSessionMemoryCache::new(SESSION_CACHE);
        Ok(Arc::new(config))
    }
}

/// What one listener's handshakes use. Replaced as a whole, from the next handshake on; cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct ListenerTls(Arc<ArcSwap<ServerConfig>>);

impl ListenerTls {
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> ListenerTls {
        ListenerTls(Arc::new(ArcSwap::new(config)))
    }

    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.0.store(config);
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.load_full()
    }
}

/// The certificate in service. Asked once per full handshake, never locked.
#[derive(Default)]
struct Certificate(ArcSwapOption<Served>);

/// A certificate and key that passed the rules.
struct Served {
    certified: Arc<CertifiedKey>,
    summary: Summary,
}

impl ResolvesServerCert for Certificate {
    /// The same for every name asked for: LDAP clients often send none.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|served| served.certified.clone())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let served = self.0.load();
        f.debug_tuple("Certificate").field(&served.as_ref().map(|it| &it.summary.subject)).finish()
    }
}

fn verifier(
    clients: ClientCertificates<'_>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsRefused> {
    let (ca_pem, is_optional) = match clients {
        ClientCertificates::NotAsked => return Ok(WebPkiClientVerifier::no_client_auth()),
        ClientCertificates::Optional { ca_pem } => (ca_pem, true),
        ClientCertificates::Required { ca_pem } => (ca_pem, false),
    };
    let mut roots = RootCertStore::empty();
    for root in pki::pem::certificates(ca_pem)? {
        roots.add(root).map_err(TlsRefused::ClientRoot)?;
    }
    let lists = pki::pem::revocation_lists(ca_pem)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    // Of a CA without a list nobody is revoked; a list that is out of date still keeps out who is
    // on it, and whoever makes it is told.
    let verifier = verifier.with_crls(lists).only_check_end_entity_revocation();
    let verifier = verifier.allow_unknown_revocation_status();
    let verifier = if is_optional { verifier.allow_unauthenticated() } else { verifier };
    Ok(verifier.build()?)
}
