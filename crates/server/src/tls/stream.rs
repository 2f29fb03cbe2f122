//! TLS on a connection's socket, worked on in buffers of the thread: a silent connection keeps its
//! keys and no buffer.
//!
//! What rustls wants to say is collected and sent with as few writes as the protocol allows: the
//! server's flight is one, and TLS 1.3 tickets wait for the first answer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
};
use rustls::{CommonState, ProtocolVersion, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What one read takes from the socket: nearly two of the largest records.
const READ_MAX: usize = 32 * 1024;

/// How many bytes are encrypted for one write: four full records.
const WRITE_MAX: usize = 64 * 1024;

/// Encrypted bytes that may wait for a slow reader before no more are made.
const UNSENT_MAX: usize = 16 * 1024;

/// Bytes of an unfinished record or handshake message. RFC 8446 lets a certificate be larger; none
/// that a client needs is.
const UNFINISHED_MAX: usize = 96 * 1024;

thread_local! {
    static READING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static WRITING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One connection's socket under TLS.
pub(crate) struct TlsStream<S> {
    socket: S,
    tls: Box<UnbufferedServerConnection>,
    /// Received, and not yet a whole record or handshake message.
    unfinished: Vec<u8>,
    /// Decrypted, and from `taken` on not yet taken.
    plain: Vec<u8>,
    taken: usize,
    /// Encrypted, and not yet sent.
    unsent: Vec<u8>,
    /// The client said that it will send no more.
    is_ended: bool,
    /// We said that we will send no more.
    is_closed: bool,
}

/// The handshake on `socket`, from the client's first byte on.
pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ServerConfig>,
    socket: S,
) -> io::Result<TlsStream<S>> {
    let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = TlsStream {
        socket,
        tls: Box::new(tls),
        unfinished: Vec::new(),
        plain: Vec::new(),
        taken: 0,
        unsent: Vec::new(),
        is_ended: false,
        is_closed: false,
    };
    poll_fn(|context| stream.poll_handshake(context)).await?;
    Ok(stream)
}

impl<S> TlsStream<S> {
    /// What the handshake found out.
    pub(crate) fn state(&self) -> &CommonState {
        &self.tls
    }

    /// Works off received bytes and says how many are done with. Decrypted ones go where there is
    /// room, and to `plain` beyond that.
    fn process(&mut self, received: &mut [u8], into: &mut ReadBuf<'_>) -> io::Result<usize> {
        let mut done = 0;
        loop {
            let rest = received.get_mut(done..).unwrap_or_default();
            let status = self.tls.process_tls_records(rest);
            let mut discard = status.discard;
            let state = match status.state {
                Ok(state) => state,
                Err(error) => {
                    self.take_alert(received.get_mut(done + discard..).unwrap_or_default());
                    return Err(io::Error::new(ErrorKind::InvalidData, error));
                }
            };
            let is_waiting = match state {
                ConnectionState::ReadTraffic(mut records) => {
                    while let Some(record) = records.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        discard += record.discard;
                        let (now, later) = record
                            .payload
                            .split_at_checked(into.remaining())
                            .unwrap_or((record.payload, &[]));
                        into.put_slice(now);
                        self.plain.extend_from_slice(later);
                    }
                    false
                }
                ConnectionState::EncodeTlsData(message) => {
                    let at = self.unsent.len();
                    let end = at + encode(message, &mut self.unsent, at)?;
                    self.unsent.truncate(end);
                    false
                }
                ConnectionState::TransmitTlsData(transmit) => {
                    transmit.done();
                    false
                }
                ConnectionState::PeerClosed => {
                    self.is_ended = true;
                    false
                }
                // Waits for bytes, or is done. Early data is never accepted.
                _ => true,
            };
            done += discard;
            if is_waiting {
                return Ok(done);
            }
        }
    }

    /// The alert that tells the client what was wrong. `rest` is what rustls still has in mind of
    /// the received bytes: it must see the same again. Asked once only: there is nothing else to
    /// say, and asked again rustls would read the wrong bytes again.
    fn take_alert(&mut self, rest: &mut [u8]) {
        if let Ok(ConnectionState::EncodeTlsData(alert)) = self.tls.process_tls_records(rest).state
        {
            let at = self.unsent.len();
            let Ok(length) = encode(alert, &mut self.unsent, at) else { return };
            self.unsent.truncate(at + length);
        }
    }

    /// Encrypts into `buffer` from `at` on, growing it where that must be, and says where it ends.
    /// Nothing whole is left in `unfinished`, so nothing in it is worked off here.
    fn encrypt(&mut self, bytes: &[u8], buffer: &mut Vec<u8>, mut at: usize) -> io::Result<usize> {
        loop {
            let status = self.tls.process_tls_records(&mut self.unfinished);
            match status.state.map_err(io::Error::other)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    let make = |out: &mut [u8]| traffic.encrypt(bytes, out).map_err(encrypt_error);
                    return Ok(at + grown(buffer, at, make)?);
                }
                // New keys, or an answer to the client's.
                ConnectionState::EncodeTlsData(message) => at += encode(message, buffer, at)?,
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::PeerClosed => self.is_ended = true,
                _ => return Err(ErrorKind::BrokenPipe.into()),
            }
        }
    }

    /// RFC 8446 §6.1: the last thing we say.
    fn say_goodbye(&mut self) -> io::Result<()> {
        let at = self.unsent.len();
        let status = self.tls.process_tls_records(&mut self.unfinished);
        let length = match status.state.map_err(io::Error::other)? {
            ConnectionState::WriteTraffic(mut traffic) => {
                let make = |out: &mut [u8]| traffic.queue_close_notify(out).map_err(encrypt_error);
                grown(&mut self.unsent, at, make)?
            }
            _ => 0,
        };
        self.unsent.truncate(at + length);
        Ok(())
    }

    /// Whether anything could be given.
    fn give_plain(&mut self, into: &mut ReadBuf<'_>) -> bool {
        let rest = self.plain.get(self.taken..).unwrap_or_default();
        let count = rest.len().min(into.remaining());
        into.put_slice(rest.get(..count).unwrap_or_default());
        self.taken += count;
        if self.taken == self.plain.len() {
            (self.plain, self.taken) = (Vec::new(), 0);
        }
        count > 0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut nowhere = ReadBuf::new(&mut []);
        loop {
            let is_done = !self.tls.is_handshaking();
            // What TLS 1.3 still has to say are tickets, and an LDAP client speaks first.
            if is_done && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
                return Poll::Ready(Ok(()));
            }
            let sent = self.poll_send(context)?;
            if is_done {
                ready!(sent);
                return Poll::Ready(Ok(()));
            }
            // Read even if not all is sent: a client may write first and read later.
            if ready!(self.poll_receive(context, &mut nowhere))? == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// One read from the socket, and what comes of it; 0 at its end.
    fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let had = self.unfinished.len();
        if had > UNFINISHED_MAX {
            return Poll::Ready(Err(ErrorKind::InvalidData.into()));
        }
        READING.with_borrow_mut(|buffer| {
            if buffer.len() < had + READ_MAX {
                buffer.resize(had + READ_MAX, 0);
            }
            let (front, free) = buffer.split_at_mut(had);
            let mut free = ReadBuf::new(free);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut free))?;
            let count = free.filled().len();
            front.copy_from_slice(&self.unfinished);
            let received = buffer.get_mut(..had + count).unwrap_or_default();
            match self.process(received, into) {
                Ok(done) => self.unfinished = received.get(done..).unwrap_or_default().to_vec(),
                Err(error) => {
                    // A last try: what went wrong first is what counts.
                    let _ = self.poll_send(context);
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Ready(Ok(count))
        })
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(context, &self.unsent))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                count => drop(self.unsent.drain(..count)),
            }
        }
        self.unsent = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let before = into.filled().len();
        if stream.give_plain(into) {
            return Poll::Ready(Ok(()));
        }
        while into.filled().len() == before && !stream.is_ended {
            if ready!(stream.poll_receive(context, into))? == 0 && !stream.is_ended {
                // RFC 8446 §6.1: without its close_notify, nobody knows who ended it.
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if stream.unsent.len() >= UNSENT_MAX {
            ready!(stream.poll_send(context))?;
        }
        let bytes = bytes.get(..WRITE_MAX).unwrap_or(bytes);
        WRITING.with_borrow_mut(|buffer| {
            let held = stream.unsent.len();
            if buffer.len() < held {
                buffer.resize(held, 0);
            }
            buffer.get_mut(..held).unwrap_or_default().copy_from_slice(&stream.unsent);
            let end = stream.encrypt(bytes, buffer, held)?;
            let encrypted = buffer.get(..end).unwrap_or_default();
            let sent = match Pin::new(&mut stream.socket).poll_write(context, encrypted) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(count) => count?,
                Poll::Pending => 0,
            };
            // Sent or kept: either way these bytes are taken, and encrypted only once.
            stream.unsent = encrypted.get(sent..).unwrap_or_default().to_vec();
            Poll::Ready(Ok(bytes.len()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_send(context))?;
        Pin::new(&mut stream.socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if !stream.is_closed {
            stream.is_closed = true;
            stream.say_goodbye()?;
        }
        ready!(stream.poll_send(context))?;
        Pin::new(&mut stream.socket).poll_shutdown(context)
    }
}

/// One message of rustls's own, at `at`; its length.
fn encode(
    mut message: EncodeTlsData<'_, ServerConnectionData>,
    buffer: &mut Vec<u8>,
    at: usize,
) -> io::Result<usize> {
    grown(buffer, at, |out| {
        message.encode(out).map_err(|error| match error {
            EncodeError::InsufficientSize(size) => Ok(size),
            EncodeError::AlreadyEncoded => Err(io::Error::other(error)),
        })
    })
}

fn encrypt_error(error: EncryptError) -> Result<InsufficientSizeError, io::Error> {
    match error {
        EncryptError::InsufficientSize(size) => Ok(size),
        EncryptError::EncryptExhausted => Err(io::Error::other(error)),
    }
}

/// Lets `make` write into `buffer` from `at` on; the room it says it needs, it gets.
fn grown(
    buffer: &mut Vec<u8>,
    at: usize,
    mut make: impl FnMut(&mut [u8]) -> Result<usize, Result<InsufficientSizeError, io::Error>>,
) -> io::Result<usize> {
    loop {
        match make(buffer.get_mut(at..).unwrap_or_default()) {
            Ok(length) => return Ok(length),
            Err(needed) => buffer.resize(at + needed?.required_size, 0),
        }
    }
}

#[cfg(test)]
mod tests;
