//! Certificate and key files: what is on disk, or a sentence about what should be.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pki::PemRefused;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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
    #[error("{path} is no file; name the file that holds the certificate or key")]
    NotAFile { path: PathBuf },
    #[error("{path} is larger than a certificate or key can be")]
    TooLarge { path: PathBuf },
    #[error(
        "{path} holds a private key and others can read it (mode {mode:04o}); \
         run: chmod 600 {path}"
    )]
    KeyExposed { path: PathBuf, mode: u32 },
    #[error("{path}: {source}")]
    Pem { path: PathBuf, source: PemRefused },
}

/// A chain and its key as they were read, not judged.
pub type ChainAndKey = (Vec<CertificateDer<'static>>, Option<PrivateKeyDer<'static>>);

/// Reads a chain, and its key from the same file or another. Whether they belong together, the
/// judge says.
pub fn load(chain: &Path, key: Option<&Path>) -> Result<ChainAndKey, FileRefused> {
    let of = |path: &Path| {
        let path = path.to_owned();
        move |source| FileRefused::Pem { path, source }
    };
    let chain_pem = read_chain_file(chain)?;
    let certificates = pki::pem::certificates(&chain_pem).map_err(of(chain))?;
    let key = match key {
        Some(key) if key != chain => {
            Some(pki::pem::private_key(&read_key_file(key)?).map_err(of(key))?)
        }
        _ if pki::pem::holds_key(&chain_pem) => {
            Some(pki::pem::private_key(&chain_pem).map_err(of(chain))?)
        }
        _ => None,
    };
    Ok((certificates, key))
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
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FileRefused::NotAFile { path: path.to_owned() });
    }
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
