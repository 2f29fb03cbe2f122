//! A handshake to look at: who answers, with which certificate, and what is wrong with it. What
//! comes of it has no operation, so nothing can be said over it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pki::judge::names::ServedName;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, DigitallySignedStruct, ProtocolVersion,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::connect::{server_name, start_tls};
use crate::error::Error;
use crate::target::Security;
use crate::trust::{self, Trust};

/// What a handshake has shown.
#[derive(Clone, Debug)]
pub struct Looked {
    pub end: End,
    pub version: Option<ProtocolVersion>,
    pub suite: Option<CipherSuite>,
    /// As it was sent, the server's own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Whether a session would have come of it; none where no certificate came.
    pub verdict: Option<Result<(), rustls::Error>>,
    /// The server asked who the client is.
    pub asked_for_certificate: bool,
    /// The CAs whose certificates it would take then, DER names; none is any.
    pub taken: Vec<Vec<u8>>,
}

/// Whom to look for, and how.
#[derive(Clone, Copy, Debug)]
pub struct Looking<'a> {
    pub name: &'a ServedName,
    pub security: Security,
    pub trust: &'a Trust,
    pub patience: Duration,
    /// Whether the name is said in the handshake; an address never is.
    pub says_name: bool,
}

/// How a handshake ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// What the server said before it went.
    Alert(AlertDescription),
    /// It does not speak TLS here.
    NotTls,
    Closed,
    Reset,
    TimedOut,
    /// StartTLS was refused.
    NoStartTls(String),
    Other(String),
}

/// Looks at what answers over a connection that stands. Every certificate is taken for the time
/// of the handshake, and only its judgement is kept.
pub async fn look(
    socket: TcpStream,
    address: SocketAddr,
    looking: &Looking<'_>,
) -> Result<Looked, Error> {
    let Looking { name, security, trust, patience, says_name } = *looking;
    let seen = Arc::new(Seen::default());
    let mut config = config(trust, &seen)?;
    config.enable_sni = says_name;
    let shaken = timeout(patience, shake(socket, address, name, security, config)).await;
    let (end, version, suite) = match shaken {
        Err(_) => (End::TimedOut, None, None),
        Ok(Err(end)) => (end, None, None),
        Ok(Ok((version, suite))) => (End::Done, version, suite),
    };
    let certificate = seen.certificate.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (chain, verdict) =
        certificate.map_or((Vec::new(), None), |(chain, verdict)| (chain, Some(verdict)));
    let asked = seen.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
    let asked_for_certificate = asked.is_some();
    let taken = asked.unwrap_or_default();
    Ok(Looked { end, version, suite, chain, verdict, asked_for_certificate, taken })
}

type Shown = (Option<ProtocolVersion>, Option<CipherSuite>);

async fn shake(
    mut socket: TcpStream,
    address: SocketAddr,
    name: &ServedName,
    security: Security,
    config: ClientConfig,
) -> Result<Shown, End> {
    if security == Security::StartTls {
        start_tls(&mut socket, address).await.map_err(|error| match error {
            Error::NoStartTls { why, .. } => End::NoStartTls(why),
            other => End::Other(other.to_string()),
        })?;
    }
    let name = server_name(name).map_err(|error| End::Other(error.to_string()))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
    let mut stream = stream.map_err(|error| ended(&error))?;
    let (_, tls) = stream.get_ref();
    let shown = (tls.protocol_version(), tls.negotiated_cipher_suite().map(|one| one.suite()));
    // In TLS 1.3 a server that wants another certificate says so only now. It has no reason to
    // say anything else, so silence is a yes; the goodbye makes it answer one or the other.
    if let Err(error) = goodbye(&mut stream).await {
        return Err(ended(&error));
    }
    Ok(shown)
}

/// Says goodbye and reads until the server has, or has waited long enough.
async fn goodbye(stream: &mut tokio_rustls::client::TlsStream<TcpStream>) -> io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.shutdown().await?;
    let mut byte = [0];
    match timeout(Duration::from_millis(200), stream.read(&mut byte)).await {
        Ok(Err(error)) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

fn ended(error: &io::Error) -> End {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(rustls::Error::AlertReceived(alert)), _) => End::Alert(*alert),
        (Some(rustls::Error::InvalidMessage(_)), _) => End::NotTls,
        (Some(other), _) => End::Other(other.to_string()),
        (None, io::ErrorKind::UnexpectedEof) => End::Closed,
        (None, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => End::Reset,
        (None, _) => End::Other(error.to_string()),
    }
}

type Certificate = (Vec<CertificateDer<'static>>, Result<(), rustls::Error>);

/// What was seen on the way.
#[derive(Debug, Default)]
struct Seen {
    certificate: Mutex<Option<Certificate>>,
    /// For certificates of these CAs.
    asked: Mutex<Option<Vec<Vec<u8>>>>,
}

fn config(trust: &Trust, seen: &Arc<Seen>) -> Result<ClientConfig, Error> {
    let no_trust = |error: &dyn std::fmt::Display| Error::NoTrust(error.to_string());
    let inner = WebPkiServerVerifier::builder_with_provider(trust.roots.clone(), trust::provider())
        .build()
        .map_err(|error| no_trust(&error))?;
    let recorder = Recorder { inner, seen: Arc::clone(seen) };
    let asked = Asked(Arc::clone(seen));
    let mut config = ClientConfig::builder_with_provider(trust::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| no_trust(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(recorder))
        .with_client_cert_resolver(Arc::new(asked));
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// Keeps the judgement and lets the handshake go on.
#[derive(Debug)]
struct Recorder {
    inner: Arc<WebPkiServerVerifier>,
    seen: Arc<Seen>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.inner.verify_server_cert(leaf, above, name, ocsp, now);
        let chain = std::iter::once(leaf).chain(above).map(|der| der.clone().into_owned());
        let seen = (chain.collect(), verdict.map(|_| ()));
        *self.seen.certificate.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Has no certificate to show, and remembers that one was asked for.
#[derive(Debug)]
struct Asked(Arc<Seen>);

impl ResolvesClientCert for Asked {
    fn resolve(&self, cas: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let cas = cas.iter().map(|ca| ca.to_vec()).collect();
        *self.0.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(cas);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}
