//! Certificate and key files: what is on disk, or a sentence about what should be.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pki::{Credential, PemRefused};
use zeroize::Zeroizing;

/// No certificate or key file comes near this; whatever is larger is the wrong file.
const MAX_FILE: u64 = 1024 * 1024;
/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

/// Why a certificate or key file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileRefused {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is larger than a certificate or key can be")]
    TooLarge { path: PathBuf },
    #[error(
        "{path} holds a private key and others can read it (mode {mode:04o}); \
         run: chmod 600 {path}"
    )]
    KeyExposed { path: PathBuf, mode: u32 },
    #[error("{path}: {source}")]
    Pem { path: PathBuf, source: PemRefused },
    #[error("{chain} and {key}: {source}")]
    Pair { chain: PathBuf, key: PathBuf, source: PemRefused },
}

/// Reads a chain and its key and checks that they belong together.
pub fn load(chain: &Path, key: &Path) -> Result<Credential, FileRefused> {
    let key_pem = read_key_file(key)?;
    let chain_pem = if chain == key { key_pem.clone() } else { read_chain_file(chain)? };
    Credential::from_pem(&chain_pem, &key_pem).map_err(|source| blame(chain, key, source))
}

/// Reads a file that only its owner may read.
pub fn read_key_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileRefused> {
    let (content, mode) = read(path)?;
    refuse_exposed(path, mode)?;
    Ok(content)
}

/// A chain is public, unless somebody put the key into the same file.
fn read_chain_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileRefused> {
    let (content, mode) = read(path)?;
    if pki::pem::holds_key(&content) {
        refuse_exposed(path, mode)?;
    }
    Ok(content)
}

fn refuse_exposed(path: &Path, mode: u32) -> Result<(), FileRefused> {
    match mode & OTHERS {
        0 => Ok(()),
        _ => Err(FileRefused::KeyExposed { path: path.to_owned(), mode }),
    }
}

/// Content and permission bits of the same open file, so that neither can be exchanged in between.
fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, u32), FileRefused> {
    let failed = |source| FileRefused::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.len() > MAX_FILE {
        return Err(FileRefused::TooLarge { path: path.to_owned() });
    }
    // Room for all of it at once: a growing buffer would leave copies of a key behind.
    let room = usize::try_from(metadata.len()).unwrap_or_default();
    let mut content = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(MAX_FILE).read_to_end(&mut content).map_err(failed)?;
    Ok((content, metadata.mode() & 0o7777))
}

/// Names the file the fault is in, or both where it is between them.
fn blame(chain: &Path, key: &Path, source: PemRefused) -> FileRefused {
    let path = match source {
        PemRefused::NoCertificate | PemRefused::Unreadable { .. } => chain,
        PemRefused::NoKey | PemRefused::EncryptedKey | PemRefused::UnsupportedKey { .. } => key,
        source => {
            return FileRefused::Pair { chain: chain.to_owned(), key: key.to_owned(), source };
        }
    };
    FileRefused::Pem { path: path.to_owned(), source }
}
