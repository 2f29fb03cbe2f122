//! Verifying the same certificate again at every connection would cost the generator more than the
//! server's whole half of some handshakes. A chain that was verified is recognized by its bytes,
//! and that the server holds the key is verified at every 32nd handshake: each costs as much as two
//! of the server's signatures, and a generator that is busy with them measures itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

#[derive(Debug)]
pub(super) struct Recognizing {
    verifier: Arc<WebPkiServerVerifier>,
    /// The first chain that was right, for the one name that the endpoint has.
    known: OnceLock<Chain>,
    handshakes: AtomicU64,
}

/// One in so many has its signature verified, the first among them.
const VERIFIED_EVERY: u64 = 32;

#[derive(Debug, PartialEq, Eq)]
struct Chain {
    name: ServerName<'static>,
    certificates: Vec<CertificateDer<'static>>,
}

impl Chain {
    fn matches(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> bool {
        let sent = std::iter::once(end_entity).chain(intermediates);
        self.name == *name && self.certificates.iter().eq(sent)
    }
}

impl Recognizing {
    pub(super) fn new(roots: RootCertStore) -> Result<Arc<Recognizing>> {
        let verifier = WebPkiServerVerifier::builder(Arc::new(roots)).build();
        let verifier = verifier.context("the trusted certificates")?;
        Ok(Arc::new(Recognizing {
            verifier,
            known: OnceLock::new(),
            handshakes: AtomicU64::new(0),
        }))
    }
}

impl Recognizing {
    fn may_skip(&self) -> bool {
        !self.handshakes.fetch_add(1, Ordering::Relaxed).is_multiple_of(VERIFIED_EVERY)
    }
}

impl ServerCertVerifier for Recognizing {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.known.get().is_some_and(|known| known.matches(end_entity, intermediates, name)) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        let sent = std::iter::once(end_entity).chain(intermediates);
        let certificates = sent.map(|one| one.clone().into_owned()).collect();
        let _ = self.known.set(Chain { name: name.to_owned(), certificates });
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.may_skip() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.may_skip() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
