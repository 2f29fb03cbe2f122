//! The folder: its lock, its format, and the store behind it.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use heed::{CompactionOption, Env, EnvFlags, EnvOpenOptions, RoTxn, WithoutTls};

use super::{
    Batch, Dictionary, Snapshot,
    batch::first_rows,
    fault,
    journal::{self, Checkpoint, Journal, Pending, Settled},
    reader::{Reader, load_dictionary, meta_u32},
    tables::{TABLES_MAX, Tables},
    versions::LinkVersions,
};
use crate::refusal::Fault;

/// The format this program writes.
pub const FORMAT: u32 = 2;
/// The oldest one it reads. The same rows, without a journal beside them.
const FORMAT_OLDEST: u32 = 1;
const FORMAT_WORDS: &str = "chancery directory ";
/// What `format` is called until the rest is complete.
const FORMAT_DRAFT: &str = "format.new";
/// The longest `format` file that is looked at.
const FORMAT_FILE_BYTES_MAX: u64 = 64;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The address space that is reserved for the file, and so its greatest size.
    pub map_bytes_max: usize,
    /// How many snapshots may be open at once, in all processes.
    pub readers_max: u32,
    /// Only read, beside a process that may be writing. Takes no lock, but to recover a folder that
    /// was not closed and that nobody serves.
    pub read_only: bool,
    /// Where a segment of the journal ends.
    pub journal_segment_bytes: u64,
    /// Names that may be in the folder before a directory is made there: what the caller keeps
    /// beside the data.
    pub beside: &'static [&'static str],
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            map_bytes_max: 1 << 40,
            readers_max: 1024,
            read_only: false,
            journal_segment_bytes: journal::SEGMENT_BYTES,
            beside: &[],
        }
    }
}

/// Why a folder could not be opened. Its text names the next step.
#[derive(Debug)]
pub enum OpenError {
    /// There is no such folder, or nothing in it.
    Missing {
        folder: PathBuf,
    },
    /// It is not a folder, or not one of ours.
    NotADirectoryFolder {
        folder: PathBuf,
    },
    /// [`Store::create`] met a directory that is there already.
    Exists {
        folder: PathBuf,
    },
    Permission {
        path: PathBuf,
    },
    NewerFormat {
        found: u32,
        ours: u32,
    },
    OlderFormat {
        found: u32,
        ours: u32,
    },
    /// Another process (or this one) has it open for writing.
    Locked {
        folder: PathBuf,
    },
    /// Another process makes it whole after a crash.
    Recovering {
        folder: PathBuf,
    },
    /// The folder is on a network file system, which keeps neither locks nor write order.
    NetworkFileSystem {
        folder: PathBuf,
        kind: &'static str,
    },
    NoRoom {
        folder: PathBuf,
    },
    /// The address space could not be reserved.
    NoAddressSpace {
        map_bytes_max: usize,
    },
    Damaged {
        what: String,
    },
    Io {
        doing: String,
        source: io::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Missing { folder } => write!(
                f,
                "there is no directory in {}; check the path, or create one with `chancery serve`",
                folder.display()
            ),
            OpenError::NotADirectoryFolder { folder } => write!(
                f,
                "{} is not the folder of a directory; name the folder that holds `format`",
                folder.display()
            ),
            OpenError::Exists { folder } => write!(
                f,
                "there is a directory in {} already; name an empty folder",
                folder.display()
            ),
            OpenError::Permission { path } => {
                write!(f, "no permission to use {}; run as the user who owns it", path.display())
            }
            OpenError::NewerFormat { found, ours } => write!(
                f,
                "the directory has format {found} and this program reads format {ours}; \
                 use the newer program"
            ),
            OpenError::OlderFormat { found, ours } => write!(
                f,
                "the directory has format {found} and this program reads format {ours}; \
                 export it with the older program and import it with this one"
            ),
            OpenError::Locked { folder } => write!(
                f,
                "the directory in {} is in use by another process; stop it, or work through it",
                folder.display()
            ),
            OpenError::Recovering { folder } => write!(
                f,
                "the directory in {} was not closed and another process recovers it; try again",
                folder.display()
            ),
            OpenError::NetworkFileSystem { folder, kind } => write!(
                f,
                "{} is on a network file system ({kind}); move it to a local disk",
                folder.display()
            ),
            OpenError::NoRoom { folder } => write!(
                f,
                "no room on the disk that holds {}; free some and try again",
                folder.display()
            ),
            OpenError::NoAddressSpace { map_bytes_max } => write!(
                f,
                "{map_bytes_max} bytes of address space could not be reserved; \
                 lower `map_bytes_max` or raise the limit on virtual memory"
            ),
            OpenError::Damaged { what } => {
                write!(f, "the stored data is damaged: {what}; restore the newest backup")
            }
            OpenError::Io { doing, source } => {
                write!(f, "{doing}: {source}; check the disk and its log")
            }
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// How much room the data takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The file's length on disk.
    pub file_bytes: u64,
    /// The pages up to the highest one in use; pages that are free again are among them.
    pub used_bytes: u64,
    /// The file's greatest length.
    pub map_bytes: u64,
    pub readers_max: u32,
}

/// The stored directory. One per folder and process; shared behind an `Arc`.
pub struct Store {
    pub(super) env: Env<WithoutTls>,
    pub(super) tables: Tables,
    pub(super) dictionary: ArcSwap<Dictionary>,
    pub(super) versions: Arc<LinkVersions>,
    pub(super) folder: PathBuf,
    pub(super) commits: AtomicU64,
    read_only: bool,
    /// Closed before the lock is given back. Only where it may be written.
    pub(super) journal: Option<Journal>,
    /// Held for the life of the store; the lock goes with the file. Only where it may be written.
    _lock: Option<File>,
}

impl Store {
    /// Opens the directory in `folder`, recovering it where it was not closed.
    pub fn open(folder: &Path, options: &StoreOptions) -> Result<Store, OpenError> {
        let place = Place { folder, options };
        place.check_format()?;
        if options.read_only {
            place.refuse_network()?;
            let _held = place.settled()?;
            let env = place.env()?;
            let tables = place.tables(&env)?;
            return place.finish(env, tables, None);
        }
        let lock = place.lock()?;
        place.refuse_network()?;
        let pending = Pending::begin(folder).map_err(|fault| place.fault(fault))?;
        let env = place.env()?;
        let tables = place.tables(&env)?;
        let checkpoint = pending.finish(&env, &tables).map_err(|fault| place.fault(fault))?;
        place.finish(env, tables, Some((lock, checkpoint)))
    }

    /// Makes an empty directory in `folder`, which may hold other files.
    pub fn create(folder: &Path, options: &StoreOptions) -> Result<Store, OpenError> {
        let place = Place { folder, options };
        place.create_folder()?;
        let lock = place.lock()?;
        place.refuse_network()?;
        if folder.join("format").exists() {
            return Err(OpenError::Exists { folder: folder.to_owned() });
        }
        place.write_draft()?;
        let pending = Pending::begin(folder).map_err(|fault| place.fault(fault))?;
        let env = place.env()?;
        let tables = Tables::create(&env).map_err(|error| place.error(error))?;
        let missing = || OpenError::Damaged { what: "a database was not made".into() };
        let tables = tables.ok_or_else(missing)?;
        first_rows(&env, &tables).map_err(|error| place.error(error))?;
        place.write_format()?;
        let checkpoint = pending.finish(&env, &tables).map_err(|fault| place.fault(fault))?;
        place.finish(env, tables, Some((lock, checkpoint)))
    }

    /// From now on batches are made durable by the journal, and LMDB's file by checkpoints and when
    /// the store is dropped. Before, and where this is never called, by LMDB's own flushes.
    pub(crate) fn serve(&self) {
        if let Some(journal) = &self.journal {
            journal.serve();
        }
    }

    /// The state as of now, for as long as it is held. Old pages cannot be used again meanwhile,
    /// so it is never held while waiting for a client.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, Fault> {
        let txn = self.env.read_txn().map_err(fault::store("beginning to read"))?;
        if self.read_only {
            self.follow_dictionary(&txn)?;
        }
        // Loaded after the transaction began, so it has at least the numbers that are in use.
        Ok(self.snapshot_of(txn))
    }

    /// The same for [`crate::keeper`], not bound to this borrow; it keeps the file open.
    pub(crate) fn lasting_snapshot(&self) -> Result<Snapshot<'static>, Fault> {
        let txn = self.env.clone().static_read_txn().map_err(fault::store("beginning to read"))?;
        if self.read_only {
            self.follow_dictionary(&txn)?;
        }
        Ok(self.snapshot_of(txn))
    }

    /// Where there was no room for a batch: lets pages go that are kept only for the case of a
    /// crash. Whether there were any, so that the batch may be tried again. Never within a batch.
    pub(crate) fn make_room(&self) -> Result<bool, Fault> {
        self.journal.as_ref().map_or(Ok(false), Journal::make_room)
    }

    fn snapshot_of<'t>(&self, txn: RoTxn<'t, WithoutTls>) -> Snapshot<'t> {
        Snapshot {
            txn,
            tables: self.tables,
            dictionary: self.dictionary.load_full(),
            versions: Arc::clone(&self.versions),
        }
    }

    /// How many commits this process has made, counted before they are answered.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    /// The write transaction. Waits for the one before it: never begin two on one thread.
    pub fn batch(&self) -> Result<Batch<'_>, Fault> {
        Batch::begin(self)
    }

    /// Writes a consistent, compacted copy while others read and write. The file is synced, has
    /// mode 0600, and must not exist yet.
    pub fn copy_to(&self, file: &Path) -> Result<(), Fault> {
        let disk = |doing: &str, source: io::Error| match source {
            error if fault::is_no_room(&error) => Fault::Full,
            source => Fault::Disk { doing: format!("{doing} {}", file.display()), source },
        };
        let mut copy = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)
            .map_err(|error| disk("creating", error))?;
        let copied = self
            .env
            .copy_to_file(&mut copy, CompactionOption::Enabled)
            .map_err(fault::store("copying the data"))
            .and_then(|()| copy.sync_all().map_err(|error| disk("writing", error)));
        if copied.is_err() {
            // What is left of it is of no use, and the copy's failure is what is reported.
            let _ = fs::remove_file(file);
        }
        copied
    }

    pub fn sizes(&self) -> Result<Sizes, Fault> {
        let doing = "measuring the data";
        let info = self.env.info();
        let page_bytes = u64::from(self.env.unnamed_database_stat().page_size);
        Ok(Sizes {
            file_bytes: self.env.real_disk_size().map_err(fault::store(doing))?,
            used_bytes: (info.last_page_number as u64 + 1) * page_bytes,
            map_bytes: info.map_size as u64,
            readers_max: info.maximum_number_of_readers,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Another process may have added descriptions since we looked.
    fn follow_dictionary(&self, txn: &heed::RoTxn<'_, WithoutTls>) -> Result<(), Fault> {
        let known = self.dictionary.load();
        let next = meta_u32(txn, &self.tables, "next_attribute")?;
        if u64::from(next) > known.len() as u64 + 1 {
            self.dictionary.store(Arc::new(load_dictionary(txn, &self.tables)?));
        }
        Ok(())
    }
}

/// A folder on its way to becoming a store.
struct Place<'a> {
    folder: &'a Path,
    options: &'a StoreOptions,
}

impl Place<'_> {
    /// The format, read without opening LMDB, so that a newer format is named and not misread.
    fn check_format(&self) -> Result<(), OpenError> {
        let folder = || self.folder.to_owned();
        let path = self.folder.join("format");
        let mut text = String::new();
        match File::open(&path)
            .and_then(|file| file.take(FORMAT_FILE_BYTES_MAX).read_to_string(&mut text))
        {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(self.absent()),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(OpenError::NotADirectoryFolder { folder: folder() });
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(OpenError::NotADirectoryFolder { folder: folder() });
            }
            Err(error) => return Err(self.io("reading", &path, error)),
        }
        let number = text.strip_prefix(FORMAT_WORDS).and_then(|rest| rest.trim_end().parse().ok());
        let found = number.ok_or_else(|| OpenError::NotADirectoryFolder { folder: folder() })?;
        same_format(found)
    }

    /// Makes sure that the folder can be read as it is. What is given stays so while it is held.
    fn settled(&self) -> Result<Option<File>, OpenError> {
        for _ in 0..2 {
            let settled = journal::settled(self.folder);
            let settled = settled.map_err(|error| self.io("reading", self.folder, error))?;
            match settled.map_err(|fault| self.fault(fault))? {
                Settled::Yes(held) => return Ok(held),
                Settled::No => {}
            }
            let options = StoreOptions { read_only: false, ..self.options.clone() };
            match Store::open(self.folder, &options) {
                Ok(recovered) => drop(recovered),
                // By whoever took the lock meanwhile, or is about to.
                Err(OpenError::Locked { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Err(OpenError::Recovering { folder: self.folder.to_owned() })
    }

    fn tables(&self, env: &Env<WithoutTls>) -> Result<Tables, OpenError> {
        let tables = Tables::open(env).map_err(|error| self.error(error))?;
        tables
            .ok_or_else(|| OpenError::Damaged { what: "a database is missing in data.mdb".into() })
    }

    fn absent(&self) -> OpenError {
        let folder = self.folder.to_owned();
        match self.is_free() {
            Ok(true) => OpenError::Missing { folder },
            Ok(false) => OpenError::NotADirectoryFolder { folder },
            Err(error) => self.io("reading", self.folder, error),
        }
    }

    /// Whether a directory may be made here: there is nothing but what an operator prepares, and
    /// what a creation that was cut short left behind. Such a one held no entry yet: the draft of
    /// `format` is there before the data is, and gets its name after it.
    fn is_free(&self) -> io::Result<bool> {
        let was_begun = self.folder.join(FORMAT_DRAFT).exists();
        for file in fs::read_dir(self.folder)? {
            let name = file?.file_name();
            let of_data = ["data.mdb", "lock.mdb", "lock.mdb.new", "checkpoint"];
            let of_data = of_data.iter().any(|file| name == *file);
            let known = ["lock", FORMAT_DRAFT, "schema", "chancery.toml", "lost+found"];
            let mut known = known.iter().chain(self.options.beside);
            let is_known = known.any(|known| name == *known);
            if !is_known && (!of_data || !was_begun) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn create_folder(&self) -> Result<(), OpenError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(self.folder);
        match made {
            Err(error)
                if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) =>
            {
                Err(OpenError::NotADirectoryFolder { folder: self.folder.to_owned() })
            }
            made => made.map_err(|error| self.io("creating", self.folder, error)),
        }
    }

    fn lock(&self) -> Result<File, OpenError> {
        let path = self.folder.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| self.io("opening", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => {
                Err(OpenError::Locked { folder: self.folder.to_owned() })
            }
            Err(fs::TryLockError::Error(error)) => Err(self.io("locking", &path, error)),
        }
    }

    fn refuse_network(&self) -> Result<(), OpenError> {
        let kind = match rustix::fs::statfs(self.folder) {
            Ok(found) => network_kind(found.f_type as u32),
            Err(error) => return Err(self.io("examining", self.folder, error.into())),
        };
        kind.map_or(Ok(()), |kind| {
            Err(OpenError::NetworkFileSystem { folder: self.folder.to_owned(), kind })
        })
    }

    fn env(&self) -> Result<Env<WithoutTls>, OpenError> {
        if !self.options.read_only {
            let path = self.folder.join("lock.mdb");
            self.reserve_lock_file(&path).map_err(|error| self.io("creating", &path, error))?;
        }
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.map_size(self.options.map_bytes_max);
        options.max_readers(self.options.readers_max);
        options.max_dbs(TABLES_MAX);
        if self.options.read_only {
            self.make_read_only(&mut options);
        }
        let env = self.open_env(&options).map_err(|error| self.error(error))?;
        // Slots of processes that died without giving them back.
        env.clear_stale_readers().map_err(|error| self.error(error))?;
        Ok(env)
    }

    /// LMDB maps its table of readers from a file with holes. Where the disk has no room to fill
    /// them, touching the map ends the process (SIGBUS); so the file is made without holes.
    fn reserve_lock_file(&self, path: &Path) -> io::Result<()> {
        const READER_BYTES: usize = 64;
        const HEADER_BYTES: usize = 4096;
        if path.exists() {
            return Ok(());
        }
        let zeros = vec![0; self.options.readers_max as usize * READER_BYTES + HEADER_BYTES];
        let draft = self.folder.join("lock.mdb.new");
        let mut file = OpenOptions::new();
        let mut file = file.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&zeros)?;
        fs::rename(&draft, path)
    }

    #[allow(unsafe_code, reason = "heed: flags can switch off what keeps a map safe")]
    fn make_read_only(&self, options: &mut EnvOpenOptions<WithoutTls>) {
        // SAFETY: the flags that endanger memory or durability are NO_LOCK, NO_SYNC, NO_META_SYNC,
        // WRITE_MAP and MAP_ASYNC. READ_ONLY is none of them: it only takes rights away.
        unsafe { options.flags(EnvFlags::READ_ONLY) };
    }

    #[allow(unsafe_code, reason = "heed: the file is mapped into memory")]
    fn open_env(
        &self,
        options: &EnvOpenOptions<WithoutTls>,
    ) -> Result<Env<WithoutTls>, heed::Error> {
        // SAFETY: mapped memory must not change under its readers but by LMDB itself. Writers of
        // this program hold the folder's lock (`lock`), readers hold LMDB's reader slots, the file
        // is 0600 in a folder that is 0700, and network file systems are refused; who overwrites
        // the file in place nevertheless is beyond what a program can defend itself against.
        // heed refuses to map one file twice in this process.
        unsafe { options.open(self.folder) }
    }

    /// The draft of `format`, over whatever a creation that was cut short left.
    fn write_draft(&self) -> Result<(), OpenError> {
        let draft = self.folder.join(FORMAT_DRAFT);
        let write = || {
            if draft.exists() {
                for name in ["data.mdb", "lock.mdb", "checkpoint"] {
                    remove_if_there(&self.folder.join(name))?;
                }
            }
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            writeln!(file, "{FORMAT_WORDS}{FORMAT}")?;
            file.sync_all()?;
            File::open(self.folder)?.sync_all()
        };
        write().map_err(|error: io::Error| self.io("writing", &draft, error))
    }

    fn write_format(&self) -> Result<(), OpenError> {
        let path = self.folder.join("format");
        let write = || {
            fs::rename(self.folder.join(FORMAT_DRAFT), &path)?;
            File::open(self.folder)?.sync_all()
        };
        write().map_err(|error: io::Error| self.io("writing", &path, error))
    }

    fn finish(
        &self,
        env: Env<WithoutTls>,
        tables: Tables,
        writing: Option<(File, Checkpoint)>,
    ) -> Result<Store, OpenError> {
        let dictionary = {
            let txn = env.read_txn().map_err(|error| self.error(error))?;
            let rows = meta_u32(&txn, &tables, "format");
            same_format(rows.map_err(|error| self.fault(error))?)?;
            load_dictionary(&txn, &tables).map_err(|error| self.fault(error))?
        };
        let (lock, journal) = match writing {
            None => (None, None),
            Some((lock, checkpoint)) => {
                let held = checkpoint.hold();
                held.map_err(|error| self.io("locking", &self.folder.join("checkpoint"), error))?;
                let bytes = self.options.journal_segment_bytes;
                (Some(lock), Some(Journal::new(env.clone(), self.folder, bytes, checkpoint)))
            }
        };
        Ok(Store {
            env,
            tables,
            dictionary: ArcSwap::from_pointee(dictionary),
            versions: Arc::default(),
            folder: self.folder.to_owned(),
            commits: AtomicU64::new(0),
            read_only: self.options.read_only,
            journal,
            _lock: lock,
        })
    }

    fn error(&self, error: heed::Error) -> OpenError {
        let folder = self.folder.to_owned();
        match error {
            heed::Error::EnvAlreadyOpened => OpenError::Locked { folder },
            heed::Error::Mdb(heed::MdbError::MapFull) => OpenError::NoRoom { folder },
            heed::Error::Io(error) if error.kind() == ErrorKind::OutOfMemory => {
                OpenError::NoAddressSpace { map_bytes_max: self.options.map_bytes_max }
            }
            heed::Error::Io(error) if fault::was_cut_short(&error, self.folder) => {
                OpenError::NoRoom { folder }
            }
            heed::Error::Io(error) => self.io("opening", &self.folder.join("data.mdb"), error),
            other => OpenError::Damaged { what: format!("data.mdb: {other}") },
        }
    }

    fn fault(&self, fault: Fault) -> OpenError {
        match fault {
            Fault::Store { source, .. } => self.error(source),
            Fault::Damaged { what } => OpenError::Damaged { what },
            Fault::Full => OpenError::NoRoom { folder: self.folder.to_owned() },
            Fault::Disk { doing, source } => self.io(&doing, self.folder, source),
            other => OpenError::Damaged { what: other.to_string() },
        }
    }

    fn io(&self, doing: &str, path: &Path, error: io::Error) -> OpenError {
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                OpenError::Permission { path: path.to_owned() }
            }
            ErrorKind::NotFound => OpenError::Missing { folder: self.folder.to_owned() },
            ErrorKind::NotADirectory => {
                OpenError::NotADirectoryFolder { folder: self.folder.to_owned() }
            }
            _ if fault::is_no_room(&error) => OpenError::NoRoom { folder: self.folder.to_owned() },
            _ => OpenError::Io { doing: format!("{doing} {}", path.display()), source: error },
        }
    }
}

/// The network file systems that Linux numbers (statfs(2)).
fn network_kind(number: u32) -> Option<&'static str> {
    match number {
        0x6969 => Some("NFS"),
        0x517b => Some("SMB"),
        0xff53_4d42 => Some("CIFS"),
        0xfe53_4d42 => Some("SMB2"),
        0x0102_1997 => Some("9P"),
        0x00c3_6400 => Some("Ceph"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x564c => Some("NCP"),
        _ => None,
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn same_format(found: u32) -> Result<(), OpenError> {
    match found {
        FORMAT_OLDEST..=FORMAT => Ok(()),
        0 => Err(OpenError::OlderFormat { found, ours: FORMAT }),
        _ => Err(OpenError::NewerFormat { found, ours: FORMAT }),
    }
}

/// Gives a folder of an older format ours, before there is anything in it that an older program
/// would not know of.
pub(super) fn take_over(folder: &Path) -> io::Result<()> {
    let text = format!("{FORMAT_WORDS}{FORMAT}\n");
    if fs::read(folder.join("format"))? == text.as_bytes() {
        return Ok(());
    }
    let draft = folder.join(FORMAT_DRAFT);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, folder.join("format"))?;
    File::open(folder)?.sync_all()
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Snapshot<'_> {
    /// Everything that can be read, as it was when the snapshot was taken.
    pub fn reader(&self) -> Reader<'_> {
        Reader {
            txn: &self.txn,
            tables: &self.tables,
            dictionary: &self.dictionary,
            versions: &self.versions,
            pending: None,
        }
    }
}
