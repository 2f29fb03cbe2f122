//! Connecting as a client connects, to see which certificate it meets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pki::Summary;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

/// How long one step of a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reads until the handshake is over; a server that sends on and on is no server.
const STEPS_MAX: usize = 64;

/// Whom a client meets.
#[derive(Debug)]
pub(crate) enum Met {
    /// The certificate meant, and its key was proven.
    Meant,
    Other(Box<Summary>),
    /// Why nobody was met.
    Nobody(String),
}

/// Connects to an address by a name (SNI) and compares the certificate that is shown.
pub(crate) fn meet(address: SocketAddr, name: &str, thumbprint: &str) -> Met {
    let verifier = Arc::new(Pinned {
        thumbprint: thumbprint.to_owned(),
        shown: Mutex::new(None),
        provider: Arc::new(aws_lc_rs::default_provider()),
    });
    let result = handshake(address, name, &verifier);
    let shown = verifier.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (shown, result) {
        (Some(shown), Ok(())) if shown.thumbprint == thumbprint => Met::Meant,
        (Some(shown), _) if shown.thumbprint != thumbprint => Met::Other(Box::new(shown)),
        (_, Err(what)) => Met::Nobody(what),
        (_, Ok(())) => Met::Nobody("no certificate was shown".to_owned()),
    }
}

fn handshake(address: SocketAddr, name: &str, verifier: &Arc<Pinned>) -> Result<(), String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let config = ClientConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| said(&error))?
        // Stricter than a chain: one certificate is accepted, and its key must sign.
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(|error| said(&error))?;
    let mut connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| said(&error))?;
    let mut stream =
        TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| said(&error))?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| said(&error))?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(|error| said(&error))?;
    for _ in 0..STEPS_MAX {
        if !connection.is_handshaking() {
            return Ok(());
        }
        step(&mut connection, &mut stream).map_err(|error| said(&error))?;
    }
    Err("the handshake has no end".to_owned())
}

fn step(
    connection: &mut ClientConnection,
    stream: &mut (impl Read + Write),
) -> std::io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(stream)?;
    }
    if connection.is_handshaking() && connection.wants_read() {
        if connection.read_tls(stream)? == 0 {
            return Err(std::io::Error::other("it hung up during the TLS handshake"));
        }
        connection.process_new_packets().map_err(std::io::Error::other)?;
    }
    Ok(())
}

/// Accepts one certificate and remembers which one was shown.
#[derive(Debug)]
struct Pinned {
    thumbprint: String,
    shown: Mutex<Option<Summary>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let summary =
            Summary::parse(end_entity).map_err(|error| Error::General(error.to_string()))?;
        let is_meant = summary.thumbprint == self.thumbprint;
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(summary);
        match is_meant {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::General("another certificate".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
