//! One verified connection, and what can be asked over it. Clones share it; the last one to go
//! unbinds. `driver` owns the socket.

mod driver;
mod operations;
mod scram;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ldap::message::{Control, MessageId, Request, encode_request};
use ldap::response::{Outcome, Response, ResponseMessage};
use pki::judge::names::ServedName;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ProtocolVersion};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, UnboundedSender};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use crate::connect::Limits;
use crate::entry::Answer;
use crate::error::{Ended, Error};
use driver::{Command, Driver, Shared};

pub use operations::Change;
pub use scram::ScramError;

/// A password or alike. It is wiped when it is dropped, never printed, and nothing but a session
/// takes it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(secret: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(secret.into()))
    }

    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("secret")
    }
}

/// Who was verified, and how.
#[derive(Clone, Debug)]
pub struct Peer {
    pub name: ServedName,
    pub address: SocketAddr,
    pub version: Option<ProtocolVersion>,
    pub suite: Option<CipherSuite>,
    /// As it was sent, the server's own first.
    pub chain: Vec<CertificateDer<'static>>,
}

/// How many messages of one search wait for whoever reads them.
const QUEUE: usize = 64;

#[derive(Clone)]
pub struct Session {
    commands: UnboundedSender<Command>,
    shared: Arc<Shared>,
    /// Held for writing by a bind: nothing else may be under way (RFC 4511 §4.2.1).
    order: Arc<RwLock<()>>,
    peer: Arc<Peer>,
    limits: Limits,
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Session({} at {})", self.peer.name, self.peer.address)
    }
}

impl Session {
    pub(crate) fn start(stream: TlsStream<TcpStream>, peer: Peer, limits: Limits) -> Session {
        let (commands, queue) = tokio::sync::mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let driver = Driver {
            shared: Arc::clone(&shared),
            commands: queue,
            message_bytes: limits.message_bytes,
        };
        tokio::spawn(driver.run(stream));
        let (order, peer) = (Arc::default(), Arc::new(peer));
        Session { commands, shared, order, peer, limits }
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether the server writes lengths in more bytes than they need. That is allowed, Active
    /// Directory does it, and some middleboxes cannot read it.
    pub fn has_long_lengths(&self) -> bool {
        self.shared.has_long_lengths.load(Ordering::Relaxed)
    }

    /// How the connection ended, where it has.
    pub fn ended(&self) -> Option<Arc<Ended>> {
        self.shared.ended()
    }

    /// From here on it counts whether it stays what it is.
    pub(crate) fn mark(&self) {
        self.shared.is_altered.store(false, Ordering::Relaxed);
    }

    /// Whether nobody else holds it, nobody bound it since, and everything was answered.
    pub(crate) fn is_as_marked(&self) -> bool {
        Arc::strong_count(&self.order) == 1 && !self.shared.is_altered.load(Ordering::Relaxed)
    }

    /// Sends a request and gives what its answers come by.
    pub(crate) async fn begin(
        &self,
        operation: &'static str,
        request: &Request<'_>,
        controls: &[Control<'_>],
    ) -> Result<Pending, Error> {
        let turn = match request {
            Request::Bind(_) => self.turn_alone().await,
            _ => self.turn().await,
        };
        self.begin_in(turn, operation, request, controls)
    }

    /// A turn beside others, for several requests that belong together: no bind comes between.
    pub(crate) async fn turn(&self) -> Turn {
        Turn::Beside(Arc::new(Arc::clone(&self.order).read_owned().await))
    }

    /// A turn for a bind, which may take several requests.
    async fn turn_alone(&self) -> Turn {
        Turn::Alone(Arc::new(Arc::clone(&self.order).write_owned().await))
    }

    pub(crate) fn begin_in(
        &self,
        turn: Turn,
        operation: &'static str,
        request: &Request<'_>,
        controls: &[Control<'_>],
    ) -> Result<Pending, Error> {
        let queue = if matches!(request, Request::Search(_)) { QUEUE } else { 1 };
        let (to, answers) = tokio::sync::mpsc::channel(queue);
        let id = self.shared.register(to).map_err(Error::Ended)?;
        if matches!(request, Request::Bind(_)) {
            self.shared.is_altered.store(true, Ordering::Relaxed);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(256));
        encode_request(id, request, controls, &mut bytes);
        let pending = Pending {
            operation,
            id,
            answers,
            after: self.limits.operation,
            commands: self.commands.clone(),
            shared: Arc::clone(&self.shared),
            _turn: turn,
        };
        // Where the driver is gone, the answers end at once.
        let _ = self.commands.send(Command::Write(bytes));
        Ok(pending)
    }

    /// One request, one answer.
    async fn ask(
        &self,
        operation: &'static str,
        request: &Request<'_>,
        controls: &[Control<'_>],
    ) -> Result<Bytes, Error> {
        self.begin(operation, request, controls).await?.next().await
    }
}

/// A bind is alone; everything else is beside others.
#[derive(Clone)]
#[allow(dead_code, reason = "held until it is dropped, never read")]
pub(crate) enum Turn {
    Alone(Arc<OwnedRwLockWriteGuard<()>>),
    Beside(Arc<OwnedRwLockReadGuard<()>>),
}

/// A request that was sent. Dropped before its last answer, it is abandoned.
pub(crate) struct Pending {
    operation: &'static str,
    id: MessageId,
    answers: Receiver<Bytes>,
    after: Duration,
    commands: UnboundedSender<Command>,
    shared: Arc<Shared>,
    _turn: Turn,
}

impl Pending {
    /// What comes next, however long that takes; none after the last.
    pub(crate) async fn more(&mut self) -> Option<Bytes> {
        self.answers.recv().await
    }

    /// The next message for this request.
    pub(crate) async fn next(&mut self) -> Result<Bytes, Error> {
        let (operation, after) = (self.operation, self.after);
        let next = timeout(after, self.answers.recv()).await;
        let late = |_| {
            self.shared.is_altered.store(true, Ordering::Relaxed);
            Error::TimedOut { operation, after }
        };
        match next.map_err(late)? {
            Some(message) => Ok(message),
            None => Err(Error::Ended(self.shared.ended().unwrap_or(Arc::new(Ended::Closed)))),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.shared.forget(self.id) {
            let _ = self.commands.send(Command::Abandon(self.id));
        }
    }
}

/// Whether the server said yes.
pub(crate) fn checked(operation: &'static str, outcome: &Outcome<'_>) -> Result<(), Error> {
    match outcome.code.0 {
        0 => Ok(()),
        _ => Err(Error::Refused { operation, answer: Box::new(Answer::of(outcome)) }),
    }
}

pub(crate) fn decoded(message: &[u8]) -> Result<ResponseMessage<'_>, Error> {
    ResponseMessage::decode(message).map_err(Error::Malformed)
}

/// The outcome of an operation that has nothing else to say.
fn outcome<'a>(
    operation: &'static str,
    response: &'a Response<'a>,
) -> Result<&'a Outcome<'a>, Error> {
    match response {
        Response::Modify(outcome)
        | Response::Add(outcome)
        | Response::Delete(outcome)
        | Response::ModifyDn(outcome)
        | Response::Compare(outcome) => Ok(outcome),
        Response::Bind(bind) => Ok(&bind.outcome),
        Response::Extended(extended) => Ok(&extended.outcome),
        _ => Err(Error::Unexpected { operation }),
    }
}
