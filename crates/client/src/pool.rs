//! Several sessions, lent one at a time: bounded, bound as given, recycled before a server would
//! close them, made with whichever server can be reached.

mod backoff;
mod shelf;

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ldap::message::Scope;
use ldap::result::ResultCode;
use pki::judge::names::ServedName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::connect::Connector;
use crate::discovery::{Service, order, system_chance};
use crate::entry::{Answer, Entry};
use crate::error::Error;
use crate::search::{Entries, Found, Query, one};
use crate::session::{Secret, Session};
use crate::target::Target;
use backoff::Backoff;
use shelf::Shelf;

/// As whom every session of a pool is bound.
#[derive(Clone, Debug)]
pub enum Credentials {
    Anonymous,
    Simple {
        name: String,
        password: Secret,
    },
    Plain {
        user: String,
        password: Secret,
    },
    /// SCRAM-SHA-256.
    Scram {
        user: String,
        password: Secret,
    },
    /// By the connector's client certificate.
    External,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub credentials: Credentials,
    /// How many sessions there are, lent and idle.
    pub most: usize,
    /// How long one may lie idle, less up to a tenth by chance. Active Directory closes at 900 s.
    pub idle: Duration,
    /// How long somebody waits where all are lent.
    pub wait: Duration,
}

impl Settings {
    pub fn new(credentials: Credentials) -> Settings {
        let (idle, wait) = (Duration::from_secs(600), Duration::from_secs(30));
        Settings { credentials, most: 8, idle, wait }
    }
}

/// Clones share the sessions. When the last one and all that is lent are gone, so are they.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Connector,
    services: Mutex<Vec<Service>>,
    settings: Settings,
    places: Arc<Semaphore>,
    idle: Shelf<Session>,
    backoff: Mutex<Backoff>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (free, most) = (self.inner.places.available_permits(), self.inner.settings.most);
        write!(out, "Pool({free} of {most} free)")
    }
}

impl Pool {
    /// Connects to nobody yet. Called inside a runtime, in which idle sessions are looked after.
    pub fn new(connector: Connector, services: Vec<Service>, settings: Settings) -> Pool {
        let settings =
            Settings { most: settings.most.clamp(1, Semaphore::MAX_PERMITS), ..settings };
        let inner = Arc::new(Inner {
            connector,
            services: Mutex::new(services),
            places: Arc::new(Semaphore::new(settings.most)),
            settings,
            idle: Shelf::attended(),
            backoff: Mutex::default(),
        });
        Pool { inner }
    }

    /// From now on these servers, as DNS names them anew. Idle sessions with others go; what is
    /// lent goes when it comes back.
    pub fn serve_from(&self, services: Vec<Service>) {
        *locked(&self.inner.services) = services;
        let named = self.inner.named();
        self.inner.idle.keep(|session| named.contains(&of(session)));
    }

    /// A session for this borrower alone, idle before or new.
    pub async fn lend(&self) -> Result<Lent, Error> {
        let place = self.place().await?;
        match self.inner.idle.take(|one| one.ended().is_none()) {
            Some(session) => Ok(Lent { session, place, inner: Arc::clone(&self.inner) }),
            None => self.made(place).await,
        }
    }

    /// A new session, where idle ones are not to be believed in.
    async fn lend_new(&self) -> Result<Lent, Error> {
        let place = self.place().await?;
        // It takes the place of one that is idle.
        drop(self.inner.idle.take(|_| true));
        self.made(place).await
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        let Settings { most, wait, .. } = self.inner.settings;
        let place = timeout(wait, Arc::clone(&self.inner.places).acquire_owned()).await;
        // The semaphore is never closed.
        place.ok().and_then(Result::ok).ok_or(Error::AllLent { most, after: wait })
    }

    async fn made(&self, place: OwnedSemaphorePermit) -> Result<Lent, Error> {
        let inner = Arc::clone(&self.inner);
        let ordered = order(&locked(&inner.services), &mut system_chance);
        let targets = locked(&inner.backoff).reachable(ordered, Instant::now());
        let mut failures = Vec::new();
        for target in targets {
            match inner.session(&target).await {
                Ok(session) => {
                    locked(&inner.backoff).succeeded(&target);
                    return Ok(Lent { session, place, inner });
                }
                Err(error) if is_of_the_server(&error) => {
                    locked(&inner.backoff).failed(target, Instant::now());
                    failures.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        match failures.len() {
            1 => Err(failures.remove(0)),
            _ => Err(Error::NoServer(failures)),
        }
    }

    /// A search on a session that it has for itself. Where the connection ends before anything was
    /// delivered, it is tried once more on a new one.
    pub async fn search(&self, query: Query) -> Result<PooledEntries, Error> {
        let running = match Running::on(self.lend().await?, &query).await {
            Err(Error::Ended(_)) => None,
            running => Some(running?),
        };
        let may_repeat = running.is_some();
        let mut entries = PooledEntries { running, pool: self.clone(), query, may_repeat };
        if !may_repeat {
            entries.again().await?;
        }
        Ok(entries)
    }

    /// As [`Session::found`], tried once more as [`Pool::search`] says.
    pub async fn found(&self, query: Query, most: usize) -> Result<Vec<Entry>, Error> {
        let mut entries = self.search(query).await?;
        let mut all = Vec::new();
        while let Some(found) = entries.next().await? {
            if let Found::Entry(entry) = found {
                if all.len() == most {
                    return Err(Error::TooMany { most });
                }
                all.push(entry);
            }
        }
        Ok(all)
    }

    /// As [`Session::read`], tried once more as [`Pool::search`] says.
    pub async fn read(&self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>, Error> {
        let query = Query::new(dn, Scope::Base, "(objectClass=*)")?.attributes(attributes);
        one(self.found(query, 1).await)
    }
}

impl Inner {
    async fn session(&self, target: &Target) -> Result<Session, Error> {
        let session = self.connector.connect(target).await?;
        match &self.settings.credentials {
            Credentials::Anonymous => {}
            Credentials::Simple { name, password } => session.bind(name, password).await?,
            Credentials::Plain { user, password } => session.bind_plain(user, password).await?,
            Credentials::Scram { user, password } => session.bind_scram(user, password).await?,
            Credentials::External => session.bind_external().await?,
        }
        session.mark();
        Ok(session)
    }

    fn named(&self) -> HashSet<(ServedName, u16)> {
        let services = locked(&self.services);
        services.iter().map(|one| (one.target.name.clone(), one.target.port)).collect()
    }

    fn take_back(&self, session: &Session) {
        // One that was bound again, that somebody still holds, or that left something unanswered
        // is not as it was lent.
        let is_named = || self.named().contains(&of(session));
        if session.ended().is_none() && session.is_as_marked() && is_named() {
            self.idle.put(session.clone(), self.settings.idle, &mut system_chance);
        }
    }
}

/// Which service a session is with.
fn of(session: &Session) -> (ServedName, u16) {
    let peer = session.peer();
    (peer.name.clone(), peer.address.port())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether another server might do better. A refused password is refused everywhere, and counts
/// against the account each time.
fn is_of_the_server(error: &Error) -> bool {
    let passing =
        |answer: &Answer| [ResultCode::BUSY, ResultCode::UNAVAILABLE].contains(&answer.code);
    match error {
        Error::Unresolved { .. }
        | Error::Dial { .. }
        | Error::DialTimedOut { .. }
        | Error::Handshake { .. }
        | Error::HandshakeTimedOut { .. }
        | Error::NoStartTls { .. }
        | Error::TimedOut { .. }
        | Error::Ended(_) => true,
        Error::Refused { answer, .. } => passing(answer),
        _ => false,
    }
}

/// A session of a pool, given back when it is dropped. What changes something is asked of it, and
/// never repeated: nobody knows whether it happened.
pub struct Lent {
    session: Session,
    inner: Arc<Inner>,
    /// Freed after the session is back on the shelf.
    #[allow(dead_code, reason = "held until it is dropped, never read")]
    place: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Lent({:?})", self.session)
    }
}

impl Deref for Lent {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.inner.take_back(&self.session);
    }
}

/// The entries of a search, with the session that they come by.
#[derive(Debug)]
pub struct PooledEntries {
    running: Option<Running>,
    pool: Pool,
    query: Query,
    /// Nothing was delivered, and it was not tried again.
    may_repeat: bool,
}

#[derive(Debug)]
struct Running {
    // Dropped before the session is given back.
    entries: Entries,
    #[allow(dead_code, reason = "held until it is dropped, never read")]
    lent: Lent,
}

impl Running {
    async fn on(lent: Lent, query: &Query) -> Result<Running, Error> {
        Ok(Running { entries: lent.search(query.clone()).await?, lent })
    }
}

impl PooledEntries {
    /// As [`Entries::next`].
    pub async fn next(&mut self) -> Result<Option<Found>, Error> {
        let Some(running) = &mut self.running else { return Ok(None) };
        let next = running.entries.next().await;
        match next {
            Err(Error::Ended(_)) if std::mem::take(&mut self.may_repeat) => {
                self.again().await?;
                match &mut self.running {
                    Some(running) => running.entries.next().await,
                    None => Ok(None),
                }
            }
            next => {
                self.may_repeat = false;
                next
            }
        }
    }

    /// How the search ended, once it has.
    pub fn answer(&self) -> Option<&Answer> {
        self.running.as_ref().and_then(|running| running.entries.answer())
    }

    async fn again(&mut self) -> Result<(), Error> {
        // Its place is free first: the pool may have no other.
        self.running = None;
        self.running = Some(Running::on(self.pool.lend_new().await?, &self.query).await?);
        Ok(())
    }
}
