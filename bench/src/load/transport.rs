//! A socket that never blocks, with TLS or without.

use std::io::{BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use super::endpoint::{Address, Endpoint};

/// Large enough that one read takes all that has come.
const READ_BYTES: usize = 256 << 10;

/// What all connections of a thread read into.
pub(super) struct Buffers {
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self { wire: vec![0; READ_BYTES], plain: Vec::with_capacity(READ_BYTES) }
    }
}

/// What one read brought.
pub(super) struct Received<'b> {
    pub(super) plain: &'b [u8],
    pub(super) wire_bytes: usize,
    pub(super) closed: bool,
}

pub(super) struct Transport {
    socket: OwnedFd,
    tls: Option<Box<ClientConnection>>,
    connected: bool,
    /// Bytes for the wire from `sent` on.
    pending: Vec<u8>,
    sent: usize,
}

impl Transport {
    /// Begins to connect; with TLS by `config`, or as the endpoint says.
    pub(super) fn open(endpoint: &Endpoint, config: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let (socket, connected) = match &endpoint.address {
            Address::Tcp(at) | Address::Tls { at, .. } => (connect(*at, endpoint)?, false),
            Address::Local(path) => {
                let stream = UnixStream::connect(path).map_err(|e| unreachable_at(endpoint, e))?;
                stream.set_nonblocking(true)?;
                (OwnedFd::from(stream), true)
            }
        };
        let tls = match &endpoint.address {
            Address::Tls { name, config: own, .. } => {
                let config = Arc::clone(config.unwrap_or(own));
                let mut tls = ClientConnection::new(config, name.clone())?;
                tls.set_buffer_limit(None);
                Some(Box::new(tls))
            }
            Address::Tcp(_) | Address::Local(_) => None,
        };
        Ok(Self { socket, tls, connected, pending: Vec::new(), sent: 0 })
    }

    pub(super) fn handshake(&self) -> Option<HandshakeKind> {
        self.tls.as_ref().and_then(|tls| tls.handshake_kind())
    }

    /// Tickets of TLS 1.3 that the server gave.
    pub(super) fn tickets(&self) -> u32 {
        self.tls.as_ref().map_or(0, |tls| tls.tls13_tickets_received())
    }

    /// Takes bytes to send, and sends what can be sent now.
    pub(super) fn write(&mut self, plain: &[u8]) -> Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(plain)?;
        } else if self.connected && self.pending.is_empty() {
            let sent = send(&self.socket, plain)?;
            self.pending.extend_from_slice(plain.get(sent..).unwrap_or_default());
        } else {
            self.pending.extend_from_slice(plain);
        }
        self.flush()
    }

    /// Says goodbye in TLS too.
    pub(super) fn close_notify(&mut self) -> Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush()
    }

    /// Whether bytes wait for the socket to take them.
    pub(super) fn is_pending(&self) -> bool {
        !self.connected || !self.pending.is_empty()
    }

    /// The socket can be written: connected, or room again.
    pub(super) fn writable(&mut self, endpoint: &Endpoint) -> Result<()> {
        if !self.connected {
            let error = sockopt::socket_error(&self.socket)?;
            error.map_err(|error| unreachable_at(endpoint, error))?;
            self.connected = true;
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.pending)?;
            }
        }
        if !self.connected || self.pending.is_empty() {
            return Ok(());
        }
        self.sent += send(&self.socket, self.pending.get(self.sent..).unwrap_or_default())?;
        if self.sent == self.pending.len() {
            self.pending.clear();
            self.sent = 0;
        }
        Ok(())
    }

    /// Reads once.
    pub(super) fn receive<'b>(&mut self, buffers: &'b mut Buffers) -> Result<Received<'b>> {
        let Buffers { wire, plain } = buffers;
        let (wire_bytes, closed) = match rustix::io::read(&self.socket, wire.as_mut_slice()) {
            Ok(0) => (0, true),
            Ok(bytes) => (bytes, false),
            Err(Errno::AGAIN | Errno::INTR) => (0, false),
            Err(Errno::CONNRESET) => bail!("the server closed a connection, by a reset"),
            Err(error) => return Err(anyhow!(error).context("reading from the server")),
        };
        let mut rest = wire.get(..wire_bytes).unwrap_or_default();
        let Some(tls) = &mut self.tls else {
            return Ok(Received { plain: rest, wire_bytes, closed });
        };
        plain.clear();
        while !rest.is_empty() {
            tls.read_tls(&mut rest)?;
            let state = tls.process_new_packets().map_err(handshake_failed)?;
            let mut ready = state.plaintext_bytes_to_read();
            while ready > 0 {
                let mut reader = tls.reader();
                let chunk = reader.fill_buf()?;
                let bytes = chunk.len();
                plain.extend_from_slice(chunk);
                reader.consume(bytes);
                ready = ready.saturating_sub(bytes.max(1));
            }
        }
        if tls.wants_write() {
            self.flush()?;
        }
        Ok(Received { plain, wire_bytes, closed })
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn connect(at: std::net::SocketAddr, endpoint: &Endpoint) -> Result<OwnedFd> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None);
    let socket = socket.context("no more sockets: see `ulimit -n`")?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, &at) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(Errno::ADDRNOTAVAIL) => {
            bail!("no local port is left: wait a minute, or make fewer connections")
        }
        Err(error) => Err(unreachable_at(endpoint, error)),
    }
}

fn unreachable_at(endpoint: &Endpoint, error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{} cannot be reached: {error}; is the server running, and is this its port?", {
        &endpoint.uri
    })
}

fn handshake_failed(error: rustls::Error) -> anyhow::Error {
    let hint = match &error {
        rustls::Error::InvalidCertificate(_) => {
            "`--ca` must name the certificate that the server's comes from, and the host in the \
             URI must be one that its certificate names"
        }
        rustls::Error::InvalidMessage(_) => "is TLS spoken there? `ldap://` is without",
        _ => "the server's log may say more",
    };
    anyhow!("TLS failed: {error}: {hint}")
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> Result<usize> {
    match rustix::net::send(socket, bytes, rustix::net::SendFlags::NOSIGNAL) {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(Errno::PIPE | Errno::CONNRESET) => bail!("the server closed a connection"),
        Err(error) => Err(anyhow!(error).context("sending to the server")),
    }
}
