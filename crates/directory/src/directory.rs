//! The directory as its users hold it: opened once, cheap to clone, read through views, changed
//! through one queue.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use ldap::result::ResultCode;

use crate::access::{AccessRules, RuleError, RuleText};
use crate::catalogue::Catalogue;
use crate::change::writer::{Answer, Job, run};
use crate::change::{ChangeRequest, Outcome, Reply, WakingReply, secrets};
use crate::clock::{Clock, SystemClock};
use crate::credentials::Verifying;
use crate::epoch::EpochCounter;
use crate::index::{IndexSettings, Indexes};
use crate::lens::Lens;
use crate::lockout::{Lockout, LockoutPolicy};
use crate::names::{NameCache, Suffixes};
use crate::password::{Hasher, SALT_LENGTH, Verified};
use crate::refusal::{Error, Fault, Refusal};
use crate::ruling::{InForce, Ruling};
use crate::schema::{Schema, SchemaError};
use crate::store::{Store, StoreOptions};
use crate::subject::Subject;
use crate::turns::Turns;
use crate::view::View;

/// Changes that wait for the writer; more are answered with `busy`.
pub const QUEUE_CHANGES_MAX: usize = 4096;

/// What a directory is opened with.
#[derive(Clone)]
pub struct Settings {
    /// The trees held, as names.
    pub suffixes: Vec<String>,
    pub access: Vec<RuleText>,
    pub indexes: IndexSettings,
    pub hasher: Hasher,
    /// Replace hashes of older schemes when their owner signs in.
    pub rehash: bool,
    /// How long a password verified in a slow scheme spares the next bind the same work; 0 for not
    /// at all.
    pub verified_kept_ms: u64,
    /// What too many wrong passwords do.
    pub lockout: LockoutPolicy,
    /// Schema files beyond those in the folder's `schema` folder.
    pub schema_files: Vec<PathBuf>,
    /// How long a change stays in the change log ...
    pub changes_kept_ms: u64,
    /// ... and how much room all of them may take; whichever is reached first.
    pub changes_kept_bytes: u64,
    pub queue_changes_max: usize,
    pub store: StoreOptions,
    pub clock: Arc<dyn Clock>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            suffixes: vec!["dc=example,dc=com".to_owned()],
            access: AccessRules::defaults("dc=example,dc=com", "cn=admin,dc=example,dc=com"),
            indexes: IndexSettings::default(),
            hasher: Hasher::default(),
            rehash: true,
            verified_kept_ms: 5 * 60 * 1000,
            lockout: LockoutPolicy::default(),
            schema_files: Vec::new(),
            changes_kept_ms: 30 * 24 * 3600 * 1000,
            changes_kept_bytes: 1 << 30,
            queue_changes_max: QUEUE_CHANGES_MAX,
            store: StoreOptions::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why a directory could not be opened. Each is one line with the next step.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] crate::store::OpenError),
    #[error("{0}")]
    Schema(SchemaError),
    #[error("the schema file {path} cannot be read: {source}; make it readable or remove it")]
    SchemaFile { path: PathBuf, source: std::io::Error },
    #[error("the suffix '{suffix}' is not a name: {what}; write it like dc=example,dc=com")]
    Suffix { suffix: String, what: String },
    #[error("{}", list(.0))]
    Access(Vec<RuleError>),
    #[error("{0}")]
    Fault(#[from] Fault),
    #[error("the writer thread cannot be started: {0}; is the limit on processes reached?")]
    Thread(std::io::Error),
}

fn list(errors: &[RuleError]) -> String {
    errors.iter().map(RuleError::to_string).collect::<Vec<_>>().join("\n")
}

/// A directory on disk. Clones share it; the last one dropped stops the writer.
#[derive(Clone)]
pub struct Directory(Arc<Held>);

struct Held {
    inner: Arc<Inner>,
    jobs: SyncSender<Job>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What views and the writer share.
pub(crate) struct Inner {
    pub store: Store,
    pub settings: Settings,
    pub in_force: InForce,
    pub names: NameCache,
    /// Of commits that change which entries there are, where they stand, or links between them.
    pub shape: EpochCounter,
    pub clock: Arc<dyn Clock>,
    pub verifying: Arc<Verifying>,
    pub poisoned: AtomicBool,
    pub turns: Turns,
}

impl Inner {
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.in_force.load().catalogue)
    }

    pub(crate) fn indexes(&self) -> Arc<Indexes> {
        Arc::clone(&self.in_force.load().indexes)
    }
}

impl Directory {
    /// Opens the directory in `folder`, creating it where there is none.
    pub fn open(folder: &Path, settings: Settings) -> Result<Directory, OpenError> {
        let inner = Arc::new(open_inner(folder, settings)?);
        if !inner.settings.store.read_only {
            crate::reindex::reconcile(&inner)?;
            inner.store.serve();
        }
        let (jobs, waiting) = sync_channel(inner.settings.queue_changes_max.max(1));
        let writer = start_writer(&inner, waiting).map_err(OpenError::Thread)?;
        Ok(Directory(Arc::new(Held { inner, jobs, writer: Mutex::new(Some(writer)) })))
    }

    /// A snapshot as `subject` sees it.
    pub fn view<'d>(&'d self, subject: &'d Subject) -> Result<View<'d>, Fault> {
        View::new(&self.0.inner, subject, None)
    }

    /// The same, quicker for whoever asks again: what `lens` holds is not worked out anew. One
    /// lens belongs to one directory.
    pub fn view_through<'d>(
        &'d self,
        subject: &'d Subject,
        lens: &'d Lens,
    ) -> Result<View<'d>, Fault> {
        View::new(&self.0.inner, subject, Some(lens))
    }

    pub fn schema(&self) -> Arc<Schema> {
        self.0.inner.in_force.load().catalogue.schema.clone()
    }

    pub fn suffixes(&self) -> Vec<String> {
        self.0.inner.in_force.load().suffixes.texts().map(str::to_owned).collect()
    }

    /// For those who answer on the core that the writer has as well.
    pub fn turns(&self) -> &Turns {
        &self.0.inner.turns
    }

    pub fn folder(&self) -> &Path {
        self.0.inner.store.folder()
    }

    /// Entries in all suffixes.
    pub fn entry_count(&self) -> Result<u64, Fault> {
        self.0.inner.store.snapshot()?.reader().entry_count()
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0.inner
    }

    pub(crate) fn shared_inner(&self) -> &Arc<Inner> {
        &self.0.inner
    }

    pub fn hasher(&self) -> Hasher {
        self.0.inner.settings.hasher
    }

    /// Random bytes from the directory's own source.
    pub fn salt(&self) -> [u8; SALT_LENGTH] {
        let mut salt = [0; SALT_LENGTH];
        self.0.inner.clock.random(&mut salt);
        salt
    }

    /// Whether a change carries passwords in the clear, so that `settle` must come before `submit`.
    pub fn needs_settling(request: &ChangeRequest) -> bool {
        !Directory::clear_passwords(request).is_empty()
    }

    /// The passwords in the clear that a change carries.
    pub fn clear_passwords(request: &ChangeRequest) -> Vec<&[u8]> {
        secrets::clear_passwords(&request.change)
    }

    /// Hashes and verifies the passwords in a change: slow, so not for a thread that serves
    /// connections.
    pub fn settle(&self, request: &mut ChangeRequest) -> Result<(), Error> {
        let stored = {
            let view = self.view(&request.subject)?;
            let tree = view.tree();
            match tree.find(request.change.dn())? {
                Some(id) => {
                    let candidate = tree.expect_entry(id)?;
                    candidate.values("userpassword").into_iter().map(<[u8]>::to_vec).collect()
                }
                None => Vec::new(),
            }
        };
        secrets::settle(request, &self.hasher(), || self.salt(), &stored)?;
        Ok(())
    }

    /// Queues a change. `reply` is called from the writer once the change is durable or refused; an
    /// error here means that it was not queued at all.
    pub fn submit(&self, request: ChangeRequest, reply: Reply) -> Result<(), Refusal> {
        self.submit_waking(
            request,
            Box::new(move |result| {
                reply(result);
                None
            }),
        )
    }

    /// The same for a reply that wakes somebody.
    pub fn submit_waking(&self, request: ChangeRequest, reply: WakingReply) -> Result<(), Refusal> {
        if self.0.inner.poisoned.load(Ordering::SeqCst) {
            return Err(Refusal::new(
                ResultCode::UNAVAILABLE,
                "writing stopped after a disk fault; the server must be restarted",
            ));
        }
        let job = Job::Change { request: Box::new(request), answer: Answer::new(reply) };
        match self.0.jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job)) => {
                job.forget();
                Err(Refusal::new(ResultCode::BUSY, "too many changes are waiting; try again"))
            }
            Err(TrySendError::Disconnected(job)) => {
                job.forget();
                Err(Refusal::new(ResultCode::UNAVAILABLE, "the directory is shutting down"))
            }
        }
    }

    /// Submits a change and waits for it: for callers that may block.
    pub fn submit_and_wait(&self, mut request: ChangeRequest) -> Result<Outcome, Error> {
        if Directory::needs_settling(&request) {
            self.settle(&mut request)?;
        }
        let (sender, receiver) = sync_channel(1);
        let reply: Reply = Box::new(move |result| {
            let _ = sender.send(result);
        });
        self.submit(request, reply)?;
        receiver.recv().unwrap_or(Err(Error::Fault(Fault::Poisoned)))
    }

    /// Puts other access rules in force; nothing changes where one of them is wrong.
    pub fn replace_access(&self, texts: &[RuleText]) -> Result<(), Vec<RuleError>> {
        self.0.inner.in_force.replace(|now| {
            let rules = Arc::new(AccessRules::parse(texts, &*now.catalogue.schema)?);
            let Ruling { catalogue, suffixes, indexes, .. } = now.clone();
            Ok(Ruling::new(catalogue, suffixes, rules, indexes))
        })
    }

    /// The time by the directory's own clock, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.0.inner.clock.now_ms()
    }

    /// Whether the writer has stopped after a fault.
    pub fn is_poisoned(&self) -> bool {
        self.0.inner.poisoned.load(Ordering::SeqCst)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::Stop);
        let writer = self.writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(writer) = writer {
            // The last clone may be dropped by the writer itself, inside a reply.
            if writer.thread().id() != std::thread::current().id() {
                let _ = writer.join();
            }
        }
    }
}

fn start_writer(inner: &Arc<Inner>, waiting: Receiver<Job>) -> std::io::Result<JoinHandle<()>> {
    let inner = Arc::clone(inner);
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || run(&inner, &waiting))
}

fn open_inner(folder: &Path, settings: Settings) -> Result<Inner, OpenError> {
    let store = match Store::open(folder, &settings.store) {
        Err(crate::store::OpenError::Missing { .. }) if !settings.store.read_only => {
            Store::create(folder, &settings.store)?
        }
        opened => opened?,
    };
    inner_over(store, settings)
}

/// The parts around an open store.
pub(crate) fn inner_over(store: Store, settings: Settings) -> Result<Inner, OpenError> {
    let files = read_schema_files(&store.folder().join("schema"), &settings.schema_files)?;
    let schema = if files.is_empty() {
        Schema::standard()
    } else {
        Arc::new(Schema::with_files(&files).map_err(OpenError::Schema)?)
    };
    let suffixes = Suffixes::new(&schema, &settings.suffixes)
        .map_err(|(suffix, refusal)| OpenError::Suffix { suffix, what: refusal.message })?;
    let rules = AccessRules::parse(&settings.access, &*schema).map_err(OpenError::Access)?;
    let indexes = Indexes::new(&settings.indexes, &schema);
    let catalogue = {
        let snapshot = store.snapshot()?;
        let reader = snapshot.reader();
        Catalogue::new(schema, reader.dictionary().iter())
    };
    let clock = settings.clock.clone();
    let verifying = Arc::new(Verifying {
        hasher: settings.hasher,
        rehashes: settings.rehash,
        verified: Verified::new(settings.verified_kept_ms, |key| clock.random(key)),
        lockout: Lockout::new(settings.lockout),
        clock: clock.clone(),
    });
    Ok(Inner {
        store,
        clock,
        verifying,
        settings,
        in_force: InForce::new(Ruling::new(
            Arc::new(catalogue),
            Arc::new(suffixes),
            Arc::new(rules),
            Arc::new(indexes),
        )),
        names: NameCache::default(),
        shape: EpochCounter::default(),
        poisoned: AtomicBool::new(false),
        turns: Turns::default(),
    })
}

/// The operator's schema files: the folder's in order of their names, then the configured ones.
fn read_schema_files(
    folder: &Path,
    others: &[PathBuf],
) -> Result<Vec<(String, String)>, OpenError> {
    let listing = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|extension| extension == "schema" || extension == "ldif")
    });
    paths.sort();
    paths.extend_from_slice(others);
    let read = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(source) => Err(OpenError::SchemaFile { path, source }),
    };
    paths.into_iter().map(read).collect()
}

impl Directory {
    /// Reads the schema folder again and puts it in force; nothing changes where a file is wrong.
    pub fn reload_schema(&self) -> Result<(), OpenError> {
        let inner = &self.0.inner;
        let folder = inner.store.folder().join("schema");
        let files = read_schema_files(&folder, &inner.settings.schema_files)?;
        let schema = Arc::new(Schema::with_files(&files).map_err(OpenError::Schema)?);
        inner.in_force.replace(|now| {
            let texts: Vec<RuleText> = now.rules.texts().cloned().collect();
            let rules = AccessRules::parse(&texts, &*schema).map_err(OpenError::Access)?;
            let suffixes = Suffixes::new(&schema, &inner.settings.suffixes)
                .map_err(|(suffix, refusal)| OpenError::Suffix { suffix, what: refusal.message })?;
            let indexes = Indexes::new(&inner.settings.indexes, &schema);
            // Nobody gives out numbers meanwhile: the snapshot has all that are in force.
            let snapshot = inner.store.snapshot()?;
            let catalogue = Catalogue::new(schema, snapshot.reader().dictionary().iter());
            Ok(Ruling::new(
                Arc::new(catalogue),
                Arc::new(suffixes),
                Arc::new(rules),
                Arc::new(indexes),
            ))
        })
    }
}
