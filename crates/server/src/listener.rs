//! Listening sockets: opened here, accepted here within the limits, dealt out to the workers.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::set_tcp_nodelay;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

use crate::limits::Limits;
use crate::network::{Gate, Passage, Prefix};
use crate::settings::{
    Endpoint, Listen, Listening, ListeningAddress, LocalEndpoint, Mode, ServerSettings,
};
use crate::tls::ListenerTls;

/// Waiting connections the kernel keeps while every worker is busy.
const BACKLOG: i32 = 1024;

/// The pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server does not start. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "cannot listen on {address}: it is in use; stop the other server or choose another with --listen"
    )]
    InUse { address: String },
    #[error(
        "cannot listen on {address}: no permission; choose a port from 1024 up, or let systemd open the socket or grant CAP_NET_BIND_SERVICE"
    )]
    Permission { address: String },
    #[error(
        "cannot listen on {address}: this machine has no such address; `ip address` lists them"
    )]
    NoSuchAddress { address: String },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("there is nothing to listen on; give at least one address with --listen")]
    NoListener,
    #[error(
        "cannot start a thread: {0}; raise the limit of threads or lower the number of workers"
    )]
    Thread(io::Error),
}

/// A socket that listens, not yet in a runtime.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) listening: Listening,
    /// The file to remove in the end, where it was created here.
    pub(crate) created: Option<PathBuf>,
    /// What connections must get through first.
    gate: Option<Arc<Gate>>,
    /// None: it has no TLS, being local.
    tls: Option<ListenerTls>,
    socket: OpenSocket,
}

#[derive(Debug)]
enum OpenSocket {
    Internet(std::net::TcpListener),
    Local(std::os::unix::net::UnixListener),
}

/// One accepted connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) mode: Mode,
    /// Counted as long as this lives.
    pub(crate) place: Place,
    pub(crate) tls: Option<ListenerTls>,
    /// Its way through the listener's gate, where there is one.
    pub(crate) passage: Option<Passage>,
}

#[derive(Debug)]
pub(crate) enum Socket {
    Internet(Carried, SocketAddr),
    Local(std::os::unix::net::UnixStream),
}

/// An accepted stream between two threads, or on the one that does both.
#[derive(Debug)]
pub(crate) enum Carried {
    Plain(std::net::TcpStream),
    /// With the runtime in which it will be served.
    Registered(TcpStream),
}

impl Carried {
    /// In the current runtime.
    pub(crate) fn into_stream(self) -> io::Result<TcpStream> {
        match self {
            Carried::Plain(stream) => TcpStream::from_std(stream),
            Carried::Registered(stream) => Ok(stream),
        }
    }
}

/// Opens every listener or none.
pub(crate) fn open_all(settings: &mut ServerSettings) -> Result<Vec<Open>, StartError> {
    if settings.listeners.is_empty() {
        return Err(StartError::NoListener);
    }
    settings.listeners.drain(..).map(open).collect()
}

pub(crate) fn open(listen: Listen) -> Result<Open, StartError> {
    match listen {
        Listen::Ldaps(endpoint, tls) => open_internet(endpoint, Mode::Ldaps, None, tls),
        Listen::Published(endpoint, gate, tls) => {
            open_internet(endpoint, Mode::Ldaps, Some(gate), tls)
        }
        Listen::StartTls(endpoint, tls) => open_internet(endpoint, Mode::StartTls, None, tls),
        Listen::Local(endpoint) => open_local(endpoint),
    }
}

fn open_internet(
    endpoint: Endpoint,
    mode: Mode,
    gate: Option<Arc<Gate>>,
    tls: ListenerTls,
) -> Result<Open, StartError> {
    let (socket, name) = match endpoint {
        Endpoint::Opened(socket) => (Ok(socket), "the socket that was handed over".to_owned()),
        Endpoint::Address(address) => (bind_internet(address), address.to_string()),
    };
    let opened = socket.and_then(|socket| {
        socket.set_nonblocking(true)?;
        // Connections inherit it: said once here instead of for each.
        set_tcp_nodelay(&socket, true)?;
        let address = ListeningAddress::Internet(socket.local_addr()?);
        let listening = Listening { mode, address };
        Ok(Open {
            listening,
            created: None,
            gate,
            tls: Some(tls),
            socket: OpenSocket::Internet(socket),
        })
    });
    opened.map_err(|source| start_error(name, source))
}

fn bind_internet(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    // A restarted server must not wait for the connections of the last one to time out.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn open_local(endpoint: LocalEndpoint) -> Result<Open, StartError> {
    let (socket, path, created) = match endpoint {
        LocalEndpoint::Path { path, mode } => (bind_local(&path, mode), path.clone(), Some(path)),
        LocalEndpoint::Opened(socket) => {
            let address = socket.local_addr().ok();
            let path = address.and_then(|found| found.as_pathname().map(Path::to_owned));
            (Ok(socket), path.unwrap_or_else(|| PathBuf::from("(unnamed)")), None)
        }
    };
    let opened = socket.and_then(|socket| {
        socket.set_nonblocking(true)?;
        let listening =
            Listening { mode: Mode::Local, address: ListeningAddress::Path(path.clone()) };
        Ok(Open { listening, created, gate: None, tls: None, socket: OpenSocket::Local(socket) })
    });
    opened.map_err(|source| start_error(path.display().to_string(), source))
}

fn bind_local(path: &Path, mode: u32) -> io::Result<std::os::unix::net::UnixListener> {
    use std::os::unix::net::{UnixListener, UnixStream};
    match UnixStream::connect(path) {
        Ok(_) => return Err(ErrorKind::AddrInUse.into()),
        // Nobody answers behind it: left over from a server that was killed.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    let socket = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(socket)
}

fn start_error(address: String, source: io::Error) -> StartError {
    match source.kind() {
        ErrorKind::AddrInUse => StartError::InUse { address },
        ErrorKind::PermissionDenied => StartError::Permission { address },
        ErrorKind::AddrNotAvailable => StartError::NoSuchAddress { address },
        _ => StartError::Listen { address, source },
    }
}

/// How many connections there are, in total, by address and by network.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    by_network: HashMap<Prefix, usize>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Places {
    pub(crate) fn total(&self) -> usize {
        self.taken().total
    }

    /// None: one of the limits is reached.
    pub(crate) fn take(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        limits: &Limits,
    ) -> Option<Place> {
        let mut taken = self.taken();
        if taken.total >= limits.connections || !address.is_none_or(|one| taken.add(one, limits)) {
            return None;
        }
        taken.total += 1;
        Some(Place { places: Arc::clone(self), address })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Counts one more from this address; false, and nothing counted: a limit is reached.
    fn add(&mut self, address: IpAddr, limits: &Limits) -> bool {
        let of_address = self.by_address.get(&address).copied().unwrap_or(0);
        if of_address >= limits.connections_per_address {
            return false;
        }
        if let Some(network) = network_of(address) {
            let of_network = self.by_network.entry(network).or_default();
            if *of_network >= limits.connections_per_network {
                return false;
            }
            *of_network += 1;
        }
        self.by_address.insert(address, of_address + 1);
        true
    }

    fn remove(&mut self, address: IpAddr) {
        give_back(&mut self.by_address, &address);
        if let Some(network) = network_of(address) {
            give_back(&mut self.by_network, &network);
        }
    }
}

/// What one host may hold as a whole. None for this machine's own addresses.
fn network_of(address: IpAddr) -> Option<Prefix> {
    let length = if address.is_ipv4() { 24 } else { 64 };
    (!address.is_loopback()).then(|| Prefix::around(address, length))
}

fn give_back<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    let left = counts.get_mut(key).map(|count| {
        *count = count.saturating_sub(1);
        *count
    });
    if left == Some(0) {
        counts.remove(key);
    }
}

impl Place {
    /// Counts it as this address's, which became known later. False: a limit is reached.
    pub(crate) fn claim(&mut self, address: IpAddr, limits: &Limits) -> bool {
        let mut taken = self.places.taken();
        let is_counted = self.address.is_none() && taken.add(address, limits);
        if is_counted {
            self.address = Some(address);
        }
        is_counted
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.total = taken.total.saturating_sub(1);
        if let Some(address) = self.address {
            taken.remove(address);
        }
    }
}

/// What the connections of one listener have in common.
#[derive(Debug)]
struct Entrance {
    mode: Mode,
    gate: Option<Arc<Gate>>,
    tls: Option<ListenerTls>,
}

/// What every accepting task needs.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    pub(crate) places: Arc<Places>,
    pub(crate) limits: Limits,
    pub(crate) workers: Arc<[mpsc::UnboundedSender<Accepted>]>,
    /// Whether this runs on the thread of the only worker.
    pub(crate) is_worker: bool,
}

/// Closes one listener; the answer comes when its socket is closed.
pub(crate) type Close = oneshot::Sender<std::sync::mpsc::SyncSender<()>>;

/// A listener that is opened while the server runs.
#[derive(Debug)]
pub(crate) struct Late {
    pub(crate) open: Open,
    pub(crate) close: oneshot::Receiver<std::sync::mpsc::SyncSender<()>>,
}

/// Accepts on all listeners, those of `late` as they come, until told to stop; then the sockets
/// close.
pub(crate) async fn accept_all(
    acceptor: Acceptor,
    listeners: Vec<Open>,
    mut late: mpsc::UnboundedReceiver<Late>,
    mut stop: watch::Receiver<bool>,
) {
    let mut tasks = tokio::task::JoinSet::new();
    for listener in listeners {
        tasks.spawn_local(accept(acceptor.clone(), listener));
    }
    loop {
        tokio::select! {
            Some(Late { open, close }) = late.recv() => {
                tasks.spawn_local(accept_until(acceptor.clone(), open, close));
            }
            // Those that were closed.
            Some(_) = tasks.join_next() => {}
            // An error means that the server itself is gone, a reason to stop as well.
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
}

/// Connections that were accepted go on when the listener closes.
async fn accept_until(
    acceptor: Acceptor,
    listener: Open,
    close: oneshot::Receiver<std::sync::mpsc::SyncSender<()>>,
) {
    let closed = tokio::select! {
        () = accept(acceptor, listener) => return,
        Ok(closed) = close => closed,
    };
    // Whoever asked may have gone away.
    let _ = closed.send(());
}

async fn accept(acceptor: Acceptor, listener: Open) {
    let entrance =
        Entrance { mode: listener.listening.mode, gate: listener.gate, tls: listener.tls };
    let mut next_worker = 0;
    let failed = match listener.socket {
        OpenSocket::Internet(socket) => match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => loop {
                let accepted = socket.accept().await;
                let accepted = accepted
                    .and_then(|(stream, peer)| Ok(Socket::Internet(acceptor.carry(stream)?, peer)));
                acceptor.deal_out(accepted, &entrance, &mut next_worker).await;
            },
            Err(error) => error,
        },
        OpenSocket::Local(socket) => match tokio::net::UnixListener::from_std(socket) {
            Ok(socket) => loop {
                let accepted = socket.accept().await;
                let accepted =
                    accepted.and_then(|(stream, _)| Ok(Socket::Local(stream.into_std()?)));
                acceptor.deal_out(accepted, &entrance, &mut next_worker).await;
            },
            Err(error) => error,
        },
    };
    tracing::error!(error = %failed, "a listener could not be started");
}

impl Acceptor {
    /// What is registered with this thread's runtime stays so only where the worker has the same.
    fn carry(&self, stream: TcpStream) -> io::Result<Carried> {
        match self.is_worker {
            true => Ok(Carried::Registered(stream)),
            false => stream.into_std().map(Carried::Plain),
        }
    }

    async fn deal_out(
        &self,
        accepted: io::Result<Socket>,
        entrance: &Entrance,
        next_worker: &mut usize,
    ) {
        let socket = match accepted {
            Ok(socket) => socket,
            Err(error) if is_of_one_connection(&error) => return,
            Err(error) => {
                tracing::warn!(%error, "connections cannot be accepted; trying again shortly");
                return tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        };
        let peer = match &socket {
            Socket::Internet(_, peer) => Some(*peer),
            Socket::Local(_) => None,
        };
        let mut address = peer.map(|peer| peer.ip().to_canonical());
        let passage = match entrance.gate.as_ref().zip(peer).map(|(gate, peer)| gate.arrive(peer)) {
            Some(None) => return,
            Some(passage) => passage,
            None => None,
        };
        if passage.as_ref().is_some_and(|passage| passage.via.is_some()) {
            // The client's address comes with the balancer's header, and is counted then.
            address = None;
        }
        let Some(place) = self.places.take(address, &self.limits) else {
            tracing::warn!(?address, "a connection was turned away: too many of them");
            return;
        };
        *next_worker = next_worker.wrapping_add(1);
        let (mode, tls) = (entrance.mode, entrance.tls.clone());
        let worker = self.workers.get(*next_worker % self.workers.len().max(1));
        if let Some(worker) = worker {
            // A worker that is gone is one that was told to stop.
            let _ = worker.send(Accepted { socket, mode, tls, place, passage });
        }
    }
}

/// The client went away before it was accepted: nothing to wait for.
fn is_of_one_connection(error: &io::Error) -> bool {
    use ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput | NotConnected
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_given_back() {
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let places = Arc::new(Places::default());
        let near: IpAddr = [10, 0, 0, 1].into();
        let first = places.take(Some(near), &limits).unwrap();
        let second = places.take(Some(near), &limits).unwrap();
        assert!(places.take(Some(near), &limits).is_none(), "two for each address");
        let local = places.take(None, &limits).unwrap();
        assert!(places.take(Some([10, 0, 0, 2].into()), &limits).is_none(), "three in total");
        drop((first, second, local));
        assert_eq!(places.total(), 0);
        assert!(places.take(Some(near), &limits).is_some());
    }

    #[test]
    fn places_are_limited_by_network_as_well() {
        let limits = Limits { connections_per_network: 2, ..Limits::default() };
        for (near, other, far) in [
            ("192.0.2.1", "192.0.2.255", "192.0.3.1"),
            ("2001:db8::1", "2001:db8::ffff:0:0:1", "2001:db8:0:1::1"),
        ] {
            let [near, other, far]: [IpAddr; 3] = [near, other, far].map(|a| a.parse().unwrap());
            let places = Arc::new(Places::default());
            let _one = places.take(Some(near), &limits).unwrap();
            let two = places.take(Some(other), &limits).unwrap();
            assert!(places.take(Some(near), &limits).is_none(), "{near}");
            assert!(places.take(Some(far), &limits).is_some(), "{far}");
            drop(two);
            // A balancer's connection is counted where it comes from, once that is known.
            let mut late = places.take(None, &limits).unwrap();
            assert!(late.claim(near, &limits));
            assert!(!places.take(None, &limits).unwrap().claim(other, &limits), "{other}");
            drop(late);
            assert!(places.take(Some(other), &limits).is_some(), "{other}");
        }
        let places = Arc::new(Places::default());
        let here = || places.take(Some([127, 0, 0, 1].into()), &limits);
        assert!((0..5).map(|_| here()).collect::<Vec<_>>().iter().all(Option::is_some));
    }

    #[test]
    fn a_port_in_use_is_one_line_with_the_next_step() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = open(Listen::StartTls(Endpoint::Address(address), crate::testing::no_tls()))
            .unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&address.to_string()) && text.contains("--listen"), "{text}");
        assert!(!text.contains('\n'));
    }

    #[test]
    fn connections_inherit_that_answers_are_not_held_back() {
        let endpoint = Endpoint::Address(SocketAddr::from(([127, 0, 0, 1], 0)));
        let open = open(Listen::StartTls(endpoint, crate::testing::no_tls())).unwrap();
        let OpenSocket::Internet(listener) = &open.socket else { panic!("an internet socket") };
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ldapi");
        let endpoint = || LocalEndpoint::Path { path: path.clone(), mode: 0o600 };
        let first = open_local(endpoint()).unwrap();
        assert!(matches!(open_local(endpoint()), Err(StartError::InUse { .. })));
        drop(first);
        assert!(open_local(endpoint()).is_ok());
    }
}
