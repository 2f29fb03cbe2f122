//! What a client is shown: a connection whose handshake is only looked at.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use serde::Serialize;

/// How long a listener may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shown {
    Certificate {
        thumbprint: String,
    },
    /// Nobody answered, or not with TLS.
    Nothing {
        reason: String,
    },
}

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Certificate { thumbprint } => out.write_str(thumbprint),
            Shown::Nothing { reason } => write!(out, "no certificate ({reason})"),
        }
    }
}

/// Where to connect to reach a listener of this machine.
pub(super) fn reachable(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listener.port())
}

/// Connects and looks at the certificate. Nothing is sent over a connection that nobody verified:
/// the handshake is all there is.
pub(crate) fn shown(address: SocketAddr, name: Option<&str>) -> Shown {
    let seen = Arc::new(Seen::default());
    let tried = handshake(address, name, &seen);
    // A listener may ask for a client certificate and end the handshake after it showed its own.
    let leaf = seen.leaf.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (leaf, tried) {
        (Some(leaf), _) => match pki::Summary::parse(&leaf) {
            Ok(summary) => Shown::Certificate { thumbprint: summary.thumbprint },
            Err(error) => Shown::Nothing { reason: error.to_string() },
        },
        (None, Err(error)) => Shown::Nothing { reason: error.to_string() },
        (None, Ok(())) => Shown::Nothing { reason: "the handshake showed none".to_owned() },
    }
}

fn handshake(address: SocketAddr, name: Option<&str>, seen: &Arc<Seen>) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let name = match name.map(|name| ServerName::try_from(name.to_owned())) {
        Some(Ok(name)) => name,
        Some(Err(_)) | None => ServerName::from(address.ip()),
    };
    let mut client = ClientConnection::new(config(seen)?, name).map_err(io::Error::other)?;
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    client.send_close_notify();
    client.complete_io(&mut stream).map(|_| ())
}

fn config(seen: &Arc<Seen>) -> io::Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let verifier: Arc<dyn ServerCertVerifier> = Arc::clone(seen) as _;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Remembers the certificate. It is compared by whoever asked, and no secret follows.
#[derive(Debug, Default)]
struct Seen {
    leaf: Mutex<Option<CertificateDer<'static>>>,
}

impl Seen {
    fn algorithms() -> WebPkiSupportedAlgorithms {
        aws_lc_rs::default_provider().signature_verification_algorithms
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = end_entity.clone().into_owned();
        *self.leaf.lock().unwrap_or_else(PoisonError::into_inner) = Some(leaf);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &Seen::algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &Seen::algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Seen::algorithms().supported_schemes()
    }
}
