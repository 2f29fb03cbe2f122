//! What a client is shown: a connection whose handshake is only looked at.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use serde::Serialize;
use server::network::{Gate, reachable};

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

/// Connects and looks at the certificate. Nothing is sent over a connection that nobody verified:
/// the handshake is all there is.
pub(crate) fn shown(address: SocketAddr, name: Option<&str>) -> Shown {
    let connect = || TcpStream::connect_timeout(&address, PATIENCE);
    let name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
    let name = name.unwrap_or_else(|| ServerName::from(address.ip()));
    seen(|seen| handshake(&mut connect()?, name, seen))
}

/// The same of a listener of this server; of a published one whatever its rules say.
pub(super) fn shown_here(listener: SocketAddr, gate: Option<&Arc<Gate>>) -> Shown {
    let Some(gate) = gate else { return shown(reachable(listener), None) };
    let name = ServerName::from(reachable(listener).ip());
    seen(|seen| handshake(&mut gate.visit(listener, PATIENCE)?.stream, name, seen))
}

fn seen(look: impl FnOnce(&Arc<Seen>) -> io::Result<()>) -> Shown {
    let seen = Arc::new(Seen::default());
    let tried = look(&seen);
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

fn handshake(
    mut stream: &mut TcpStream,
    name: ServerName<'static>,
    seen: &Arc<Seen>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
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
