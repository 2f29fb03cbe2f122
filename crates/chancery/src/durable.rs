//! Small files that must survive: written as a new file, flushed, put in place, and secrets that
//! nobody else may read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Result;
use zeroize::Zeroizing;

use crate::failure::failed;

/// No file that is read here is larger.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Writes `path` for its owner only: a reader sees the old bytes or the new ones, never a mixture,
/// and neither does the next start after a power cut.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write_private_by(&path.with_extension("new"), path, bytes)
}

/// The same by way of `fresh`, for a folder in which somebody reads every file.
pub(crate) fn write_private_by(fresh: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let written = || -> io::Result<()> {
        // What a write that was cut short left behind.
        match fs::remove_file(fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(fresh, path)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(|error| failed(format!("cannot write {}: {error}", path.display())))
}

/// The same for a file that others may read, in a folder that is there. One that is there already
/// keeps its mode, and a link goes on to lead to it.
pub(crate) fn write_readable(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: io::Error| failed(format!("cannot write {}: {error}", path.display()));
    // Something else than a file, such as /dev/stdout, cannot be replaced.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return fs::write(path, bytes).map_err(failed);
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = fs::metadata(path).map(|there| there.permissions()).ok();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&fresh)?;
        if let Some(mode) = mode {
            file.set_permissions(mode)?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    written().map_err(|error| {
        let _ = fs::remove_file(&fresh);
        failed(error)
    })
}

/// A folder for its owner only; one that is there already stays as it is.
pub(crate) fn make_private_folder(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| failed(format!("cannot make the folder {}: {error}", folder.display())))
}

/// The whole file, or nothing where there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(format!("cannot read {}: {error}", path.display()))),
    }
}

/// A file that holds a secret. One that others may read holds none any more.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let shown = path.display();
    let unreadable = |error: io::Error| failed(format!("cannot read {shown}: {error}"));
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(failed(format!(
            "{shown} holds a secret and others may read it (mode {mode:03o}); \
             chmod 600 {shown}, and replace the secret if they could have"
        )));
    }
    read(path).map_err(unreadable)
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    if file.metadata()?.size() > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inner/state.json");
        assert!(read_if_there(&path).unwrap().is_none());
        write_private(&path, b"one").unwrap();
        fs::write(path.with_extension("new"), "cut short").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(read_if_there(&path).unwrap().unwrap().as_slice(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(!path.with_extension("new").exists());
    }

    #[test]
    fn a_file_for_others_keeps_its_mode_and_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("facts.json"), folder.path().join("link"));
        write_readable(&path, b"one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_readable(&link, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left over");
        assert!(write_readable(&folder.path().join("none/file"), b"x").is_err());
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "s").unwrap();
        for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = read_secret(&path);
            assert_eq!(read.is_ok(), accepted, "{mode:o}");
            if let Err(error) = read {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }
}
