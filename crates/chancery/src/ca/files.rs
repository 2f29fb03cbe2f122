//! Files of the CA: written whole or not at all, durable before anybody is told.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use zeroize::Zeroizing;

use crate::failure::failed;

/// Keys, certificates and templates come nowhere near this.
const BYTES_MAX: u64 = 1 << 20;

/// Nor a list of revoked certificates near this: it names about 400 000.
pub(super) const LIST_BYTES_MAX: u64 = 16 << 20;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    Owner,
    Everybody,
}

/// Replaces a file, or makes it: new file, flush, rename, flush of the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> Result<()> {
    let cannot = |error: io::Error| not_written(path, &error);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    // Whoever holds the lock is alone here: what is left was cut short.
    let _ = fs::remove_file(&new);
    let mode = if readers == Readers::Owner { 0o600 } else { 0o644 };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        let _ = fs::remove_file(&new);
        return Err(cannot(error));
    }
    flush_folder(path).map_err(cannot)
}

/// Adds a line to the end, durably.
pub(super) fn append_line(path: &Path, line: &str) -> Result<()> {
    let cannot = |error: io::Error| not_written(path, &error);
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    let mut file =
        options.create(true).append(true).read(true).mode(0o600).open(path).map_err(cannot)?;
    let text = match ends_line(&mut file).map_err(cannot)? {
        true => format!("{line}\n"),
        // What was cut short stays, on a line of its own.
        false => format!("\n{line}\n"),
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(cannot)?;
    match is_new {
        true => flush_folder(path).map_err(cannot),
        false => Ok(()),
    }
}

fn ends_line(file: &mut File) -> io::Result<bool> {
    use std::io::{Seek, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn flush_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn not_written(path: &Path, error: &io::Error) -> anyhow::Error {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        let path = path.display();
        return failed(format!("no room on the disk to write {path}; free some and try again"));
    }
    failed(format!("cannot write {}: {error}", path.display()))
}

/// A folder for its owner only, and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| failed(format!("cannot make {}: {error}", path.display())))
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    read_text_within(path, BYTES_MAX)
}

/// By what is read, not by what the file is said to hold: a device says nothing and has no end.
pub(super) fn read_text_within(path: &Path, most: u64) -> Result<String> {
    let cannot = |error: io::Error| failed(format!("cannot read {}: {error}", path.display()));
    let mut bounded = File::open(path).map_err(cannot)?.take(most + 1);
    let mut bytes = Vec::new();
    bounded.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        return Err(failed(format!(
            "{} is larger than {most} bytes, which no such file is: name the right one",
            path.display()
        )));
    }
    String::from_utf8(bytes).map_err(|_| failed(format!("{} is no text", path.display())))
}

/// A private key, which only its owner may be able to read.
pub(super) fn read_key(path: &Path) -> Result<Zeroizing<String>> {
    let mode = fs::metadata(path).map(|metadata| metadata.mode() & 0o7777);
    if let Ok(mode) = mode
        && mode & 0o077 != 0
    {
        let path = path.display();
        return Err(failed(format!(
            "{path} holds a private key and others can read it (mode {mode:04o}); run: chmod 600 \
             {path}"
        )));
    }
    read_text(path).map(Zeroizing::new)
}

/// Held by whoever changes something about the CA; gone with the process, however that ends.
#[derive(Debug)]
pub(crate) struct FileLock(#[allow(dead_code, reason = "the lock is released with it")] File);

/// Nobody who is well holds it for as long as this.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How often it is asked for: the kernel knows no lock with a deadline.
const LOCK_LOOK: Duration = Duration::from_millis(20);

impl FileLock {
    pub(super) fn take(path: &Path) -> Result<FileLock> {
        FileLock::take_within(path, LOCK_WAIT)
    }

    fn take_within(path: &Path, wait: Duration) -> Result<FileLock> {
        let cannot = |error: io::Error| failed(format!("cannot lock {}: {error}", path.display()));
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(path);
        let file = file.map_err(cannot)?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(FileLock(file)),
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
                Err(TryLockError::WouldBlock) if begin.elapsed() >= wait => break,
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_LOOK),
            }
        }
        let (path, wait) = (path.display(), wait.as_secs());
        Err(failed(format!(
            "{path} has been held by another process for {wait} s, so nothing about the CA was \
             changed; `fuser {path}` names it: let it end, or end it, and try again"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_without_end() {
        let said = read_text(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(said.starts_with("/dev/zero is larger than 1048576 bytes"), "{said}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (bytes, expected) in [
            (vec![b'x'; 1 << 20], "ok"),
            (vec![b'x'; (1 << 20) + 1], "is larger than"),
            (vec![0xff], "is no text"),
        ] {
            fs::write(&path, bytes).unwrap();
            let said = read_text(&path).map_or_else(|error| error.to_string(), |_| "ok".to_owned());
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn nobody_waits_for_a_lock_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::take(&path).unwrap();
        let said = FileLock::take_within(&path, Duration::ZERO).unwrap_err().to_string();
        assert!(said.starts_with(&format!("{} has been held", path.display())), "{said}");
        drop(held);
        FileLock::take_within(&path, Duration::ZERO).unwrap();
    }
}
