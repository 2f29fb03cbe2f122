//! One worker: a thread with its own runtime, on which its connections live and die.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use directory::{Keeper, Lens, Protection, Turns};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::connection::{self, Ending, Ends};
use crate::in_flight::{Event, Events};
use crate::listener::{Accepted, Carried, Place, Socket};
use crate::network::Passage;
use crate::post::Post;
use crate::session::{LocalUser, Peer, Proof, Session, Shared};
use crate::settings::Mode;
use crate::tls::{self, ListenerTls, TlsStream};

thread_local! {
    /// The snapshot that the connections of this thread share while there is work.
    static KEEPER: Rc<Keeper> = Rc::default();
    /// Since when it answers without having given the core to the writer.
    static WAITING_SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The writer's answers to the connections of this thread.
    static POST: Arc<Post> = Arc::default();
}

/// Nothing is left to do until a client or the writer says something: no snapshot is held so long.
pub(crate) fn release_snapshot() {
    KEEPER.with(|keeper| keeper.release());
}

/// How long this thread answers while the writer waits for the core that both have.
const TURN_BESIDE_WRITER: Duration = Duration::from_micros(200);

/// Lets the writer have the core for a while, where it waits for that long enough; the time then.
pub(crate) fn give_way(turns: &Turns, now: Instant) -> Instant {
    if !turns.writer_waits() {
        return now;
    }
    let since = WAITING_SINCE.get().unwrap_or(now);
    let is_time = now.saturating_duration_since(since) >= TURN_BESIDE_WRITER;
    if is_time {
        std::thread::yield_now();
    }
    let now = if is_time { Instant::now() } else { now };
    WAITING_SINCE.set(Some(if is_time { now } else { since }));
    now
}

fn lens() -> Lens {
    Lens::keeping(KEEPER.with(Rc::clone))
}

/// Both ends of the way of news to one of this thread's connections.
fn events() -> (Events, mpsc::UnboundedReceiver<Event>) {
    let (sender, events) = mpsc::unbounded_channel();
    (Events::by_post(sender, POST.with(Arc::clone)), events)
}

/// What the connections of all workers need besides the session's part.
#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connections: AtomicU64,
    pub(crate) panics: AtomicU64,
}

/// Serves what the listener deals out, until told to stop; then waits for the connections to end,
/// but not beyond `patience`.
pub(crate) async fn work(
    floor: Arc<Floor>,
    mut incoming: mpsc::UnboundedReceiver<Accepted>,
    mut stop: watch::Receiver<bool>,
    patience: watch::Receiver<Duration>,
) {
    let mut tasks = JoinSet::new();
    let carrying = tokio::task::spawn_local(POST.with(Arc::clone).carry());
    let stopping = stop.clone();
    loop {
        tokio::select! {
            Some(accepted) = incoming.recv() => {
                tasks.spawn_local(serve(Arc::clone(&floor), accepted, stopping.clone()));
            }
            Some(ended) = tasks.join_next() => note_end(&floor, ended),
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    drop(incoming);
    let patience = *patience.borrow();
    let drained = timeout(patience, async {
        while let Some(ended) = tasks.join_next().await {
            note_end(&floor, ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(
            connections = tasks.len(),
            "connections were cut: they took too long to end"
        );
    }
    carrying.abort();
}

/// A panic costs the connection it happened in, and nothing else.
fn note_end(floor: &Floor, ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        floor.panics.fetch_add(1, Ordering::Relaxed);
        tracing::error!("a connection panicked; it is closed, the others go on");
    }
}

async fn serve(floor: Arc<Floor>, accepted: Accepted, stop: watch::Receiver<bool>) {
    let Accepted { socket, mode, tls, mut place, passage } = accepted;
    let connection = floor.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let ended = match socket {
        Socket::Internet(stream, address) => {
            let peer = Peer {
                connection,
                address: Some(address.ip().to_canonical()),
                via: None,
                protection: Protection::None,
                proof: Proof::Nothing,
                start_tls: mode == Mode::StartTls,
            };
            tracing::debug!(connection, %address, ?mode, "connected");
            let ends = Ends { server: stop, passage };
            serve_internet(&floor, tls, stream, peer, ends, &mut place).await
        }
        Socket::Local(stream) => serve_local(&floor, stream, connection, stop).await,
    };
    match ended {
        Ok(()) => tracing::debug!(connection, "closed"),
        Err(error) => tracing::debug!(connection, %error, "broken off"),
    }
    drop(place);
}

async fn serve_internet(
    floor: &Floor,
    tls: Option<ListenerTls>,
    stream: Carried,
    mut peer: Peer,
    mut ends: Ends,
    place: &mut Place,
) -> io::Result<()> {
    let mut stream = stream.into_stream()?;
    if let Some(passage) = ends.passage.as_mut().filter(|passage| passage.via.is_some()) {
        introduce(floor, &mut stream, passage, &mut ends.server, place).await?;
        (peer.address, peer.via) = (Some(passage.address), passage.via);
    }
    let (sender, mut events) = events();
    if !peer.start_tls {
        let (stream, proof) = handshake(floor, tls.as_ref(), stream, &mut ends.server).await?;
        (peer.protection, peer.proof) = (Protection::Tls, proof);
        let mut session = Session::new(Arc::clone(&floor.shared), lens(), peer, sender);
        connection::run(stream, &mut session, &mut events, ends).await?;
        return Ok(());
    }
    let mut session = Session::new(Arc::clone(&floor.shared), lens(), peer, sender);
    let ending = connection::run(stream, &mut session, &mut events, ends.clone()).await?;
    if let Ending::StartTls(stream) = ending {
        let (stream, proof) = handshake(floor, tls.as_ref(), stream, &mut ends.server).await?;
        session.secured(proof);
        connection::run(stream, &mut session, &mut events, ends).await?;
    }
    Ok(())
}

/// A balancer says who is behind it, within the deadline of a handshake. What it says is judged and
/// counted as if the client had come by itself.
async fn introduce(
    floor: &Floor,
    stream: &mut TcpStream,
    passage: &mut Passage,
    stop: &mut watch::Receiver<bool>,
    place: &mut Place,
) -> io::Result<()> {
    let limits = &floor.shared.limits;
    let introduced = timeout(limits.handshake, passage.read_header(stream));
    tokio::select! {
        introduced = introduced => introduced??,
        _ = stop.wait_for(|stop| *stop) => return Err(io::ErrorKind::Interrupted.into()),
    }
    let address = passage.address;
    tracing::debug!(%address, balancer = ?passage.via, "introduced");
    if !place.claim(address, limits) {
        tracing::warn!(%address, "a connection was turned away: too many of them");
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    Ok(())
}

/// The TLS handshake, within its deadline and only while the server runs.
async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    floor: &Floor,
    listener: Option<&ListenerTls>,
    stream: S,
    stop: &mut watch::Receiver<bool>,
) -> io::Result<(TlsStream<S>, Proof)> {
    let config = listener.ok_or(io::ErrorKind::Unsupported)?.config();
    let accepted = timeout(floor.shared.limits.handshake, tls::accept(config, stream));
    let stream = tokio::select! {
        accepted = accepted => accepted??,
        _ = stop.wait_for(|stop| *stop) => return Err(io::ErrorKind::Interrupted.into()),
    };
    let proof = match tls::client_certificate(stream.state()) {
        Some(certificate) => Proof::Certificate(Arc::new(certificate)),
        None => Proof::Nothing,
    };
    Ok((stream, proof))
}

async fn serve_local(
    floor: &Floor,
    stream: std::os::unix::net::UnixStream,
    connection: u64,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let stream = UnixStream::from_std(stream)?;
    let credentials = stream.peer_cred()?;
    let user = LocalUser { user: credentials.uid(), group: credentials.gid() };
    let peer = Peer {
        connection,
        address: None,
        via: None,
        protection: Protection::Local,
        proof: Proof::User(user),
        start_tls: false,
    };
    tracing::debug!(connection, ?user, "connected on the local socket");
    let (sender, mut events) = events();
    let mut session = Session::new(Arc::clone(&floor.shared), lens(), peer, sender);
    connection::run(stream, &mut session, &mut events, stop.into()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::testing::{directory, shared};

    #[tokio::test]
    async fn a_panic_is_counted_and_an_end_is_not() {
        let floor = Floor {
            shared: shared(directory(0), Limits::default()),
            connections: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        };
        let ends = [tokio::spawn(async {}).await, tokio::spawn(async { panic!("as asked") }).await];
        for ended in ends {
            note_end(&floor, ended);
        }
        assert_eq!(floor.panics.load(Ordering::Relaxed), 1);
    }
}
