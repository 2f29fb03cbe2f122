//! A consistent copy of the data folder, made while a server runs or not, and a folder made from
//! it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::refusal::Fault;
use crate::store::{Store, StoreOptions};

/// Names the format, the number of entries, and every file with its SHA-256 and size. Written last,
/// so that a backup that was cut short has none.
const MANIFEST: &str = "manifest";
const FORMAT: &str = "chancery backup 1";

/// What is copied beside the data, where it is there.
const BESIDE: [&str; 7] =
    ["format", "ca.pem", "ca.key", "server.pem", "server.key", "admin.password", "chancery.toml"];

/// Folders that are copied with everything in them: the schema's files, and the CA's.
const FOLDERS: [&str; 2] = ["schema", "ca"];

/// What is there only while somebody works on it.
const PASSING: [&str; 2] = ["ca/lock", ".new"];

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} is not empty; name a folder that does not exist yet")]
    NotEmpty(PathBuf),
    #[error("{0} holds no backup: it has no manifest; name a folder that `chancery backup` made")]
    NoManifest(PathBuf),
    #[error("the backup is damaged: {0}; use another one")]
    Damaged(String),
    #[error("{doing} {path}: {source}")]
    Disk { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn disk<'p>(doing: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> BackupError + 'p {
    move |source| BackupError::Disk { doing, path: path.to_owned(), source }
}

/// Copies the data and what stands beside it into `target`, and verifies what was written.
pub fn backup(store: &Store, target: &Path) -> Result<u64, BackupError> {
    make_empty(target)?;
    store.copy_to(&target.join("data.mdb"))?;
    let mut names = vec![PathBuf::from("data.mdb")];
    for name in BESIDE {
        if store.folder().join(name).is_file() {
            names.push(PathBuf::from(name));
        }
    }
    for folder in FOLDERS {
        names.extend(files_in(store.folder(), Path::new(folder))?);
    }
    for name in names.iter().filter(|name| name.as_os_str() != "data.mdb") {
        copy(&store.folder().join(name), &target.join(name))?;
    }
    let entries = entries_in(target)?;
    let mut manifest = format!("{FORMAT}\nentries {entries}\n");
    let mut bytes = 0;
    for name in &names {
        let (size, hash) = digest(&target.join(name))?;
        bytes += size;
        manifest.push_str(&format!("{hash} {size} {}\n", name.display()));
    }
    write(&target.join(MANIFEST), manifest.as_bytes())?;
    sync_folder(target)?;
    verify_files(target)?;
    Ok(bytes)
}

/// Opens a copy, looks at every row of it, and counts its entries.
fn entries_in(copy: &Path) -> Result<u64, BackupError> {
    let options = StoreOptions { read_only: true, ..StoreOptions::default() };
    let damaged = |what: String| BackupError::Damaged(what);
    let store = Store::open(copy, &options).map_err(|error| damaged(error.to_string()))?;
    let snapshot = store.snapshot()?;
    let mut first = None;
    let report = &mut |finding: crate::store::check::Finding| {
        first.get_or_insert(format!("{}: {}", finding.place, finding.what));
    };
    let checked = crate::store::check::check(&snapshot.reader(), report)?;
    drop(snapshot);
    drop(store);
    // LMDB's table of readers, which looking at the copy has made.
    let _ = fs::remove_file(copy.join("lock.mdb"));
    first.map_or(Ok(checked.entries), |finding| Err(damaged(finding)))
}

fn sync_folder(folder: &Path) -> Result<(), BackupError> {
    let opened = File::open(folder).map_err(disk("opening", folder))?;
    opened.sync_all().map_err(disk("writing", folder))
}

/// Makes a data folder from a backup, after verifying it.
pub fn restore(source: &Path, target: &Path) -> Result<u64, BackupError> {
    let names = verify(source)?;
    make_empty(target)?;
    let mut bytes = 0;
    for name in &names {
        bytes += copy(&source.join(name), &target.join(name))?;
    }
    sync_folder(target)?;
    Ok(bytes)
}

/// Every file is there and is what the manifest says, and so are the rows in it; gives the files'
/// names.
pub fn verify(backup: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let (names, counted) = verify_files(backup)?;
    let entries = entries_in(backup)?;
    if entries != counted {
        let what = format!("it holds {entries} entries and not {counted}");
        return Err(BackupError::Damaged(what));
    }
    Ok(names)
}

/// The files that the manifest names, as it says they are, and its number of entries.
fn verify_files(backup: &Path) -> Result<(Vec<PathBuf>, u64), BackupError> {
    let path = backup.join(MANIFEST);
    if !path.is_file() {
        return Err(BackupError::NoManifest(backup.to_owned()));
    }
    let manifest = fs::read_to_string(&path).map_err(disk("reading", &path))?;
    let mut names = Vec::new();
    let mut lines = manifest.lines();
    let counted = head(&mut lines)?;
    for line in lines {
        let mut fields = line.splitn(3, ' ');
        let (Some(hash), Some(size), Some(name)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(BackupError::Damaged(format!("the manifest has a line '{line}'")));
        };
        let is_inside = Path::new(name)
            .components()
            .all(|component| matches!(component, std::path::Component::Normal(_)));
        if !is_inside {
            return Err(BackupError::Damaged(format!("the manifest names '{name}'")));
        }
        let found = digest(&backup.join(name))?;
        if (found.0.to_string().as_str(), found.1.as_str()) != (size, hash) {
            return Err(BackupError::Damaged(format!("'{name}' is not what was written")));
        }
        names.push(PathBuf::from(name));
    }
    Ok((names, counted))
}

/// The manifest's first lines: its format, and how many entries the backup has.
fn head<'m>(lines: &mut impl Iterator<Item = &'m str>) -> Result<u64, BackupError> {
    let damaged = |what: &str| BackupError::Damaged(what.to_owned());
    match lines.next() {
        Some(FORMAT) => {}
        Some(other) if other.starts_with("chancery backup ") => {
            return Err(damaged("a newer program made it"));
        }
        _ => return Err(damaged("its manifest is not one")),
    }
    let entries = lines.next().and_then(|line| line.strip_prefix("entries "));
    let entries = entries.and_then(|count| count.parse().ok());
    entries.ok_or_else(|| damaged("its manifest does not say how many entries it has"))
}

/// The files of a folder beside the data, those of folders in it included.
fn files_in(data: &Path, name: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let folder = data.join(name);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for file in fs::read_dir(&folder).map_err(disk("reading", &folder))? {
        let file = file.map_err(disk("reading", &folder))?;
        let name = name.join(file.file_name());
        let is_passing = PASSING.iter().any(|end| name.to_string_lossy().ends_with(end));
        if file.path().is_dir() {
            names.extend(files_in(data, &name)?);
        } else if file.path().is_file() && !is_passing {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn make_empty(folder: &Path) -> Result<(), BackupError> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut files) => files.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder).map_err(disk("creating", folder))?;
            true
        }
        Err(error) => return Err(disk("reading", folder)(error)),
    };
    if is_empty { Ok(()) } else { Err(BackupError::NotEmpty(folder.to_owned())) }
}

/// Copies one file with its mode, durably.
fn copy(from: &Path, to: &Path) -> Result<u64, BackupError> {
    if let Some(parent) = to.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(parent).map_err(disk("creating", parent))?;
    }
    let mut source = File::open(from).map_err(disk("opening", from))?;
    let mode = source.metadata().map_err(disk("reading", from))?.permissions().mode() & 0o777;
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(to)
        .map_err(disk("creating", to))?;
    let bytes = io::copy(&mut source, &mut copy).map_err(disk("writing", to))?;
    copy.sync_all().map_err(disk("writing", to))?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(disk("creating", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(disk("writing", path))
}

fn digest(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(disk("opening", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).map_err(disk("reading", path))?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        hasher.update(read);
        size += count as u64;
    }
    let hash = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((size, hash))
}
