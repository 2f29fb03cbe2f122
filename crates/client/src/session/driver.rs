//! The task that owns a connection: writes what the handles queue, hands every response to whoever
//! waits for it, and stops reading while one of them is full.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use ldap::ber::tag::{INTEGER, SEQUENCE};
use ldap::ber::{DecodeError, DecodeErrorKind, Frame, Reader, frame};
use ldap::message::{MAX_INT, MessageId, Request, encode_request, tag};
use ldap::response::{Response, ResponseMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, UnboundedReceiver, error::TrySendError};
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::entry::Answer;
use crate::error::Ended;

/// What handles ask of the driver.
pub(super) enum Command {
    /// Bytes to write; they may hold a password.
    Write(Zeroizing<Vec<u8>>),
    /// Nobody waits for this any longer.
    Abandon(MessageId),
}

/// What driver and handles share.
#[derive(Default)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    /// How the connection ended; set once, before those who wait are let go.
    ended: OnceLock<Arc<Ended>>,
    /// It was bound again, or something was not answered in time.
    pub(super) is_altered: AtomicBool,
    /// A message came whose length is written in more bytes than it needs, as AD's are.
    pub(super) has_long_lengths: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    last: u32,
    by_id: HashMap<u32, Sender<Bytes>>,
}

impl Shared {
    /// A message id that nobody waits under, for this receiver from now on.
    pub(super) fn register(&self, to: Sender<Bytes>) -> Result<MessageId, Arc<Ended>> {
        let mut waiting = self.waiting();
        if let Some(ended) = self.ended.get() {
            return Err(Arc::clone(ended));
        }
        loop {
            waiting.last = if waiting.last >= MAX_INT { 1 } else { waiting.last + 1 };
            let id = waiting.last;
            if let std::collections::hash_map::Entry::Vacant(free) = waiting.by_id.entry(id) {
                free.insert(to);
                return Ok(MessageId(id));
            }
        }
    }

    pub(super) fn forget(&self, id: MessageId) -> bool {
        self.waiting().by_id.remove(&id.0).is_some()
    }

    pub(super) fn ended(&self) -> Option<Arc<Ended>> {
        self.ended.get().cloned()
    }

    fn end(&self, how: Ended) {
        // The first reason is the one that counts.
        let _ = self.ended.set(Arc::new(how));
        self.waiting().by_id.clear();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) commands: UnboundedReceiver<Command>,
    pub(super) message_bytes: usize,
}

impl Driver {
    pub(super) async fn run(mut self, stream: TlsStream<TcpStream>) {
        let (read, write) = tokio::io::split(stream);
        let shared = Arc::clone(&self.shared);
        let reading = reading(read, Arc::clone(&self.shared), self.message_bytes);
        // Neither half waits for the other: a server that does not read while it writes would
        // otherwise hold up both.
        let how = tokio::select! {
            how = reading => how,
            how = self.writing(write) => how,
        };
        shared.end(how);
    }

    async fn writing(&mut self, mut write: WriteHalf<TlsStream<TcpStream>>) -> Ended {
        loop {
            let Some(command) = self.commands.recv().await else {
                // The last handle is gone.
                let unbind = encoded(self.shared_id(), &Request::Unbind);
                let _ = write.write_all(&unbind).await;
                let _ = write.shutdown().await;
                return Ended::Here;
            };
            let bytes = match command {
                Command::Write(bytes) => bytes,
                Command::Abandon(id) => encoded(self.shared_id(), &Request::Abandon(id)),
            };
            let written = async {
                write.write_all(&bytes).await?;
                write.flush().await
            };
            if let Err(error) = written.await {
                return Ended::Broken(error);
            }
        }
    }

    /// An id for a request that is not answered.
    fn shared_id(&self) -> MessageId {
        let (to, _) = tokio::sync::mpsc::channel(1);
        match self.shared.register(to) {
            Ok(id) => {
                self.shared.forget(id);
                id
            }
            Err(_) => MessageId(1),
        }
    }
}

fn encoded(id: MessageId, request: &Request<'_>) -> Zeroizing<Vec<u8>> {
    let mut out = Vec::new();
    encode_request(id, request, &[], &mut out);
    Zeroizing::new(out)
}

async fn reading(
    mut read: ReadHalf<TlsStream<TcpStream>>,
    shared: Arc<Shared>,
    max: usize,
) -> Ended {
    let mut buffer = BytesMut::with_capacity(16 << 10);
    loop {
        match frame(&buffer, max) {
            Ok(Frame::Complete { length }) => {
                let message = buffer.split_to(length).freeze();
                if is_long(&message) {
                    shared.has_long_lengths.store(true, Ordering::Relaxed);
                }
                if let Some(ended) = deliver(&shared, message).await {
                    return ended;
                }
                continue;
            }
            Ok(Frame::Incomplete { needed }) => {
                // Not by what the peer announces: it has to send it first.
                buffer.reserve((needed - buffer.len()).min(64 << 10));
            }
            Err(DecodeError { kind: DecodeErrorKind::MessageTooLarge, .. }) => {
                return Ended::TooLarge { max };
            }
            Err(error) => return Ended::Malformed(error),
        }
        match read.read_buf(&mut buffer).await {
            Ok(0) => return Ended::Closed,
            Ok(_) => {}
            // Many servers close without a TLS goodbye.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Ended::Closed;
            }
            Err(error) => return Ended::Broken(error),
        }
    }
}

/// Whether the length of a message takes more bytes than it needs.
fn is_long(message: &[u8]) -> bool {
    match message.get(1) {
        Some(0x81) => message.len() < 0x80 + 3,
        Some(0x82) => message.len() < 0x100 + 4,
        Some(0x83) => message.len() < 0x1_0000 + 5,
        Some(0x84) => message.len() < 0x100_0000 + 6,
        Some(first) => *first > 0x84,
        None => false,
    }
}

/// Hands a message to whoever waits for it; says so where it ends the connection.
async fn deliver(shared: &Shared, message: Bytes) -> Option<Ended> {
    let (id, is_last) = match envelope(&message) {
        Ok(found) => found,
        Err(error) => return Some(Ended::Malformed(error)),
    };
    if id == 0 {
        return notice(&message);
    }
    let to = {
        let mut waiting = shared.waiting();
        match is_last {
            true => waiting.by_id.remove(&id),
            false => waiting.by_id.get(&id).cloned(),
        }
    };
    // Nobody waits for what was abandoned.
    let to = to?;
    if let Err(TrySendError::Full(message)) = to.try_send(message) {
        // Nothing more is read until there is room; it fails where the receiver is gone.
        let _ = to.send(message).await;
    }
    None
}

/// The message id, and whether the message ends the operation.
fn envelope(message: &[u8]) -> Result<(u32, bool), DecodeError> {
    let mut envelope = Reader::new(message).nested(SEQUENCE)?;
    let id = envelope.unsigned(INTEGER, MAX_INT)?;
    let goes_on =
        [tag::SEARCH_RESULT_ENTRY, tag::SEARCH_RESULT_REFERENCE, tag::INTERMEDIATE_RESPONSE];
    Ok((id, !envelope.peek().is_some_and(|tag| goes_on.contains(&tag))))
}

/// The server says goodbye; other notifications are not for us.
fn notice(message: &[u8]) -> Option<Ended> {
    match ResponseMessage::decode(message) {
        Ok(ResponseMessage { response: Response::Extended(said), .. }) => {
            let is_goodbye = said.name == Some(ldap::oid::extended::NOTICE_OF_DISCONNECTION);
            is_goodbye.then(|| Ended::Notice(Answer::of(&said.outcome)))
        }
        Ok(_) => None,
        Err(error) => Some(Ended::Malformed(error)),
    }
}
