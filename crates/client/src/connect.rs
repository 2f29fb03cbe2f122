//! From a target to a verified session. Nothing else makes a [`Session`], and nothing that a
//! session can send is sent before.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ldap::ber::{Frame, frame};
use ldap::message::{ExtendedRequest, MessageId, Request, encode_request};
use ldap::oid;
use ldap::response::{Response, ResponseMessage};
use ldap::result::ResultCode;
use pki::judge::names::ServedName;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::Error;
use crate::session::{Peer, Session};
use crate::target::{Security, Target};
use crate::trust::{self, Identity, Trust};

/// How long, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until a TCP connection stands.
    pub dial: Duration,
    /// Until the handshake is done, StartTLS included.
    pub handshake: Duration,
    /// Until an operation is answered; for a search, until the next entry.
    pub operation: Duration,
    /// The largest message.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            dial: Duration::from_secs(3),
            handshake: Duration::from_secs(5),
            operation: Duration::from_secs(30),
            message_bytes: 64 << 20,
        }
    }
}

/// Makes sessions that trust the same CAs; clones share.
#[derive(Clone)]
pub struct Connector {
    tls: Arc<ClientConfig>,
    pub limits: Limits,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Connector({:?})", self.limits)
    }
}

impl Connector {
    pub fn new(trust: &Trust, identity: Option<Identity>) -> Result<Connector, Error> {
        Ok(Connector { tls: Arc::new(trust::tls(trust, identity)?), limits: Limits::default() })
    }

    #[must_use]
    pub fn limited(self, limits: Limits) -> Connector {
        Connector { limits, ..self }
    }

    /// Resolves the target and takes the first address that answers and is who was meant. An
    /// address that turns out to be somebody else ends it: the next would be no better proof.
    pub async fn connect(&self, target: &Target) -> Result<Session, Error> {
        let mut last = None;
        for address in self.resolve(target).await? {
            match self.connect_to(target, address).await {
                Ok(session) => return Ok(session),
                Err(error @ (Error::Dial { .. } | Error::DialTimedOut { .. })) => {
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let why = || io::Error::new(io::ErrorKind::NotFound, "the name resolves to nothing");
        Err(last.unwrap_or_else(|| unresolved(target, why())))
    }

    /// A session with the target at this address.
    pub async fn connect_to(&self, target: &Target, address: SocketAddr) -> Result<Session, Error> {
        let limits = self.limits;
        let dialled = timeout(limits.dial, TcpStream::connect(address)).await;
        let socket = dialled
            .map_err(|_| Error::DialTimedOut { address, after: limits.dial })?
            .map_err(|why| Error::Dial { address, why: Arc::new(why) })?;
        // A request is one write and wants its answer now.
        socket.set_nodelay(true).map_err(|why| Error::Dial { address, why: Arc::new(why) })?;
        let shaken = timeout(limits.handshake, self.shake(target, address, socket)).await;
        let name = || target.name.to_string();
        let stream = shaken.map_err(|_| Error::HandshakeTimedOut {
            name: name(),
            address,
            after: limits.handshake,
        })??;
        let (_, tls) = stream.get_ref();
        let peer = Peer {
            name: target.name.clone(),
            address,
            version: tls.protocol_version(),
            suite: tls.negotiated_cipher_suite().map(|suite| suite.suite()),
            chain: tls.peer_certificates().unwrap_or_default().to_vec(),
        };
        Ok(Session::start(stream, peer, limits))
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        if let Some(address) = target.literal() {
            return Ok(vec![address]);
        }
        let name = (target.name.to_string(), target.port);
        let found = timeout(self.limits.dial, tokio::net::lookup_host(name)).await;
        let late = || io::Error::new(io::ErrorKind::TimedOut, "nobody resolved it in time");
        let found = found.unwrap_or_else(|_| Err(late()));
        Ok(found.map_err(|why| unresolved(target, why))?.collect())
    }

    async fn shake(
        &self,
        target: &Target,
        address: SocketAddr,
        mut socket: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        if target.security == Security::StartTls {
            start_tls(&mut socket, address).await?;
        }
        let failed =
            |why| Error::Handshake { name: target.name.to_string(), address, why: Arc::new(why) };
        let name = server_name(&target.name)
            .map_err(|why| failed(io::Error::new(io::ErrorKind::InvalidInput, why)))?;
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await.map_err(failed)
    }
}

fn unresolved(target: &Target, why: io::Error) -> Error {
    Error::Unresolved { name: target.name.to_string(), why: Arc::new(why) }
}

pub(crate) fn server_name(
    name: &ServedName,
) -> Result<ServerName<'static>, rustls::pki_types::InvalidDnsNameError> {
    Ok(match name {
        ServedName::Ip(address) => ServerName::IpAddress((*address).into()),
        ServedName::Dns(name) => ServerName::try_from(name.clone())?,
    })
}

/// The one request in the clear. Whatever follows its answer before the handshake is refused: it
/// was put there by somebody else (CVE-2011-0411 and its kin).
pub(crate) async fn start_tls(socket: &mut TcpStream, address: SocketAddr) -> Result<(), Error> {
    const ANSWER_BYTES_MAX: usize = 64 << 10;
    let broken = |why: io::Error| Error::NoStartTls { address, why: why.to_string() };
    let refused = |why: &str| Error::NoStartTls { address, why: why.to_owned() };
    let mut out = Vec::new();
    let request = Request::Extended(ExtendedRequest { oid: oid::extended::START_TLS, value: None });
    encode_request(MessageId(1), &request, &[], &mut out);
    socket.write_all(&out).await.map_err(broken)?;
    let mut read = Vec::new();
    loop {
        // The content types of TLS records.
        if matches!(read.first(), Some(0x14..=0x17)) {
            return Err(refused("it speaks TLS from the first byte on: this is a port of LDAPS"));
        }
        match frame(&read, ANSWER_BYTES_MAX).map_err(Error::Malformed)? {
            Frame::Complete { length } if length == read.len() => break,
            Frame::Complete { .. } => {
                return Err(refused("bytes follow its answer, before the handshake"));
            }
            Frame::Incomplete { .. } => {}
        }
        if socket.read_buf(&mut read).await.map_err(broken)? == 0 {
            return Err(refused("the server closed the connection"));
        }
    }
    let answer = ResponseMessage::decode(&read).map_err(Error::Malformed)?;
    match answer.response {
        Response::Extended(answer) if answer.outcome.code == ResultCode::SUCCESS => Ok(()),
        Response::Extended(answer) => {
            Err(refused(&format!("{} {}", answer.outcome.code, answer.outcome.message)))
        }
        _ => Err(refused("it was answered by something else")),
    }
}
