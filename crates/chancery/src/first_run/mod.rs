//! What the first start makes, each only where it is missing: a later start finds everything as it
//! was.

mod certificates;
mod tree;

pub(crate) use certificates::{host_name, usual_names};

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Result;
use directory::Directory;

use crate::config::Config;
use crate::failure::failed;

/// Makes the in-house CA and the server's certificate, unless certificates are configured.
pub(crate) fn certificates(config: &Config) -> Result<()> {
    if !config.tls.sources.is_empty() {
        return Ok(());
    }
    certificates::make(config)
}

/// Makes the suffix, the administrator and, where nothing is configured, an example tree.
pub(crate) fn tree(config: &Config, directory: &Directory) -> Result<()> {
    let is_empty = directory.entry_count().map_err(failed)? == 0;
    if is_empty {
        tree::suffixes(config, directory)?;
    }
    tree::administrator(config, directory)?;
    if is_empty && config.file.is_none() {
        tree::example(config, directory)?;
    }
    Ok(())
}

/// Whether the example tree is there and nobody has added to it what the greeting proposes.
pub(crate) fn is_untried(config: &Config, directory: &Directory) -> Result<bool> {
    if config.file.is_some() {
        return Ok(false);
    }
    tree::is_untried(config, directory)
}

/// Writes a new file that only its owner reads (unless `public`), durably, never over another.
fn write_new(path: &Path, bytes: &[u8], public: bool) -> Result<()> {
    let mode = if public { 0o644 } else { 0o600 };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| not_written("create", path, &error))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a file would be taken for a whole one by the next start.
        let _ = std::fs::remove_file(path);
        not_written("write", path, &error)
    })
}

fn not_written(doing: &str, path: &Path, error: &std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        let path = path.display();
        return failed(format!("no room on the disk to {doing} {path}; free some and try again"));
    }
    failed(format!("cannot {doing} {}: {error}", path.display()))
}

/// Unpredictable bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    crate::opening::clock().random(&mut bytes);
    bytes
}
