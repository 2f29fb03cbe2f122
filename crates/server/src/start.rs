//! Starting and stopping: listeners opened first, then threads; stopped in the opposite order.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use directory::Directory;
use tokio::sync::{mpsc, oneshot, watch};

use crate::listener::{self, Acceptor, Close, Late, Places, StartError};
use crate::password_pool::PasswordPool;
use crate::session::Shared;
use crate::settings::{Listen, Listening, ServerSettings};
use crate::steward::Office;
use crate::worker::{self, Floor};

/// A running server. Dropping it stops it at once; [`Server::shutdown`] does so gracefully.
#[derive(Debug)]
pub struct Server {
    floor: Arc<Floor>,
    places: Arc<Places>,
    listening: Vec<Listening>,
    /// Socket files to remove in the end.
    created: Vec<PathBuf>,
    stop: watch::Sender<bool>,
    patience: watch::Sender<Duration>,
    threads: Vec<JoinHandle<()>>,
    listeners: Listeners,
}

/// Opens listeners while a server runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listeners {
    late: mpsc::UnboundedSender<Late>,
}

/// A listener that was opened so. Dropped without a word, it stays open as long as the server.
#[derive(Debug)]
pub struct OpenListener {
    listening: Listening,
    close: Close,
}

/// How long a listener may take to close: its thread may be waiting for memory.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

impl Listeners {
    /// Listens here from now on.
    pub fn open(&self, listen: Listen) -> Result<OpenListener, StartError> {
        let open = listener::open(listen)?;
        let listening = open.listening.clone();
        let (close, closing) = oneshot::channel();
        // A server that is stopping closes the socket at once, which was to happen anyway.
        let _ = self.late.send(Late { open, close: closing });
        Ok(OpenListener { listening, close })
    }
}

impl OpenListener {
    /// Where, with the port that the system chose.
    #[must_use]
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Accepts no more, and returns when the address is free. What was accepted goes on.
    pub fn close(self) {
        let (answer, closed) = std::sync::mpsc::sync_channel(1);
        // Both errors mean that the server has stopped, and its sockets are closed.
        if self.close.send(answer).is_ok() {
            let _ = closed.recv_timeout(CLOSE_PATIENCE);
        }
    }
}

/// Reads what a server counts; cheap to clone. Keeps no server alive.
#[derive(Clone, Debug)]
pub struct Gauge {
    floor: Weak<Floor>,
    places: Arc<Places>,
}

impl Gauge {
    pub fn statistics(&self) -> Statistics {
        let Some(floor) = self.floor.upgrade() else { return Statistics::default() };
        Statistics {
            connections_open: self.places.total(),
            connections_ever: floor.connections.load(Ordering::Relaxed),
            panics: floor.panics.load(Ordering::Relaxed),
        }
    }
}

/// What a server has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub connections_open: usize,
    pub connections_ever: u64,
    /// Each cost one connection. More than 0 is a fault to be reported.
    pub panics: u64,
}

impl Server {
    /// Opens every listener, or none and says why.
    pub fn start(directory: Directory, mut settings: ServerSettings) -> Result<Server, StartError> {
        let listeners = listener::open_all(&mut settings)?;
        let listening = listeners.iter().map(|open| open.listening.clone()).collect();
        let created = listeners.iter().filter_map(|open| open.created.clone()).collect();
        let places = Arc::new(Places::default());
        let (stop, stopped) = watch::channel(false);
        let (patience, patient) = watch::channel(Duration::ZERO);
        let workers = if settings.workers == 0 { cores() } else { settings.workers };
        let limits = settings.limits.clone();
        let floor = Arc::new(floor(directory, settings)?);
        let (late, later) = mpsc::unbounded_channel();
        let mut server = Server {
            listeners: Listeners { late },
            floor,
            places,
            listening,
            created,
            stop,
            patience,
            threads: Vec::new(),
        };
        let (senders, incoming): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
        let places = Arc::clone(&server.places);
        let acceptor =
            Acceptor { places, limits, workers: senders.into(), is_worker: workers == 1 };
        let accept = listener::accept_all(acceptor, listeners, later, stopped.clone());
        let work = |server: &Server, incoming| {
            worker::work(Arc::clone(&server.floor), incoming, stopped.clone(), patient.clone())
        };
        let mut incoming = incoming.into_iter();
        if workers == 1 && cores() == 1 {
            server.floor.shared.directory.turns().share();
        }
        if workers == 1
            && let Some(incoming) = incoming.next()
        {
            // A second thread would only wake the first.
            let work = work(&server, incoming);
            server.spawn("ldap-0".to_owned(), async { _ = tokio::join!(accept, work) })?;
            return Ok(server);
        }
        for (number, incoming) in incoming.enumerate() {
            let work = work(&server, incoming);
            server.spawn(format!("ldap-{number}"), work)?;
        }
        server.spawn("listener".to_owned(), accept)?;
        Ok(server)
    }

    /// A thread with a runtime of its own.
    fn spawn(
        &mut self,
        name: String,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), StartError> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().on_thread_park(worker::release_snapshot).build();
        let runtime = runtime.map_err(StartError::Thread)?;
        // A task among its connections: waking it from one of them takes no system call, which
        // waking what the runtime itself waits for would.
        let work = async { tokio::task::spawn_local(work).await };
        let run = move || match tokio::task::LocalSet::new().block_on(&runtime, work) {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => (),
        };
        let thread = thread::Builder::new().name(name).spawn(run).map_err(StartError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// For listeners that open and close while it runs.
    #[must_use]
    pub fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    /// Where it listens since it started, with the ports that the system chose.
    pub fn addresses(&self) -> &[Listening] {
        &self.listening
    }

    pub fn statistics(&self) -> Statistics {
        self.gauge().statistics()
    }

    /// For those who want to know later.
    pub fn gauge(&self) -> Gauge {
        Gauge { floor: Arc::downgrade(&self.floor), places: Arc::clone(&self.places) }
    }

    /// Stops accepting, answers what is in flight, says goodbye; cuts what is left at `deadline`.
    pub fn shutdown(mut self, deadline: Duration) {
        self.patience.send_replace(deadline);
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the server panicked");
            }
        }
        self.floor.shared.directory.store_standings();
        for path in &self.created {
            // Gone already: that was the aim.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// What all sessions share, with the threads that hash passwords running.
pub(crate) fn shared(directory: Directory, settings: ServerSettings) -> Result<Shared, StartError> {
    let hashing = if settings.password_threads == 0 { cores() } else { settings.password_threads };
    let passwords = PasswordPool::start(hashing, settings.limits.passwords_waiting);
    let office = settings.steward.map(Office::open);
    Ok(Shared {
        directory,
        passwords: passwords.map_err(StartError::Thread)?,
        door: settings.door,
        limits: settings.limits,
        decode: settings.decode,
        anonymous: settings.anonymous,
        own_password_without_old: settings.own_password_without_old,
        certificate_rules: settings.certificate_rules,
        office: office.transpose().map_err(StartError::Thread)?,
        own_user: rustix::process::geteuid().as_raw(),
    })
}

fn floor(directory: Directory, settings: ServerSettings) -> Result<Floor, StartError> {
    Ok(Floor {
        shared: Arc::new(shared(directory, settings)?),
        connections: AtomicU64::new(0),
        panics: AtomicU64::new(0),
    })
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
