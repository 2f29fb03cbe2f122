//! Certificates on disk: the files, folders and PFX files that were named, those that ACME fetched,
//! and the in-house CA's.

use std::fs;
use std::path::{Path, PathBuf};

use pki::{Candidate, Pfx, pem};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use server::tls::{load, read_key_file};
use time::OffsetDateTime;

use super::Looking;
use crate::ca::own;
use crate::config::Source;

/// A source that gave no candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Unread {
    pub(crate) source: String,
    pub(crate) what: String,
}

/// Files in one folder. Whoever keeps more there keeps other things there.
const FILES_MAX: usize = 256;

/// Where systems keep what their programs trust.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// All candidates, and why others are none.
pub(super) fn read(looking: &Looking, now: OffsetDateTime) -> Found {
    let mut found = Found { renews_itself: looking.renews_itself, ..Found::default() };
    for source in &looking.sources {
        match source {
            Source::Files { certificate, key } => found.files(certificate, key.as_deref()),
            Source::Folder(folder) => found.folder(folder),
            Source::Pfx { file, password_file } => found.pfx(file, password_file.as_deref()),
        }
    }
    found.renews_itself = true;
    for folder in acme_folders(looking) {
        found.folder(&folder);
    }
    if looking.sources.is_empty() {
        let others = std::mem::take(&mut found.candidates);
        found.in_house(&looking.data, now);
        found.in_house = std::mem::replace(&mut found.candidates, others);
        let sources = [own::files(&looking.data).0, own::previous(&looking.data)];
        found.in_house_sources = sources.map(|path| path.display().to_string()).into();
    }
    found
}

/// One folder for each certificate that ACME fetched; before the first came there is nothing.
fn acme_folders(looking: &Looking) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(looking.data.join("acme")) else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_filled(path)).collect();
    folders.sort();
    folders
}

fn is_filled(folder: &Path) -> bool {
    folder.join(crate::acme::shelf::CERTIFICATE).is_file()
}

/// Every path that says whether there is something new.
pub(super) fn watched(looking: &Looking) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for source in &looking.sources {
        match source {
            Source::Files { certificate, key } => {
                paths.push(certificate.clone());
                paths.extend(key.clone());
            }
            Source::Folder(folder) => {
                paths.push(folder.clone());
                paths.extend(files(folder).unwrap_or_default());
            }
            Source::Pfx { file, password_file } => {
                paths.push(file.clone());
                paths.extend(password_file.clone());
            }
        }
    }
    paths.push(looking.data.join("acme"));
    for folder in acme_folders(looking) {
        paths.extend(files(&folder).unwrap_or_default());
        paths.push(folder);
    }
    if looking.sources.is_empty() {
        let (certificate, key) = own::files(&looking.data);
        paths.extend([certificate, key, own::previous(&looking.data)]);
    }
    paths
}

/// What clients may be expected to trust: the in-house root and what this system trusts.
pub(super) fn roots(data: &Path) -> Vec<CertificateDer<'static>> {
    let system = SYSTEM_ROOTS.iter().find_map(|path| fs::read(path).ok());
    let texts = [fs::read(data.join("ca.pem")).ok(), system];
    let read = texts.into_iter().flatten().map(|text| pem::certificates(&text));
    read.flatten().flatten().collect()
}

/// The files in a folder, links followed, in the order of their names.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && files.len() < FILES_MAX {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What the sources give.
#[derive(Default)]
pub(super) struct Found {
    pub(super) candidates: Vec<Candidate>,
    /// The in-house CA's, which make way for all others that pass.
    pub(super) in_house: Vec<Candidate>,
    /// What theirs are called, where they count.
    in_house_sources: Vec<String>,
    pub(super) unread: Vec<Unread>,
    renews_itself: bool,
}

impl Found {
    pub(super) fn is_in_house(&self, source: &str) -> bool {
        self.in_house_sources.iter().any(|own| own == source)
    }

    fn candidate(
        &mut self,
        source: String,
        chain: Vec<CertificateDer<'static>>,
        key: Option<PrivateKeyDer<'static>>,
    ) {
        let renews_itself = self.renews_itself;
        self.candidates.push(Candidate { source, renews_itself, chain, key });
    }

    fn unread(&mut self, source: String, what: impl ToString) {
        self.unread.push(Unread { source, what: what.to_string() });
    }

    fn files(&mut self, certificate: &Path, key: Option<&Path>) {
        let source = certificate.display().to_string();
        match load(certificate, key) {
            Ok((chain, key)) => self.candidate(source, chain, key),
            Err(refused) => self.unread(source, refused),
        }
    }

    /// The one before is offered only while the newest is outside its dates: it may have been made
    /// while this machine's clock was wrong.
    fn in_house(&mut self, data: &Path, now: OffsetDateTime) {
        let source = own::files(data).0.display().to_string();
        let mut is_timely = true;
        match own::load(data) {
            Ok((chain, key)) => {
                let leaf = chain.first().and_then(|leaf| pki::Summary::parse(leaf).ok());
                is_timely = leaf.is_none_or(|leaf| leaf.is_valid_at(now));
                self.candidate(source, chain, key);
            }
            Err(refused) => self.unread(source, refused),
        }
        let before = own::previous(data);
        if !is_timely && before.exists() {
            self.files(&before, None);
        }
    }

    fn pfx(&mut self, file: &Path, password_file: Option<&Path>) {
        let source = file.display().to_string();
        match read_pfx(file, password_file) {
            Ok(pfx) => self.candidate(source, pfx.chain, pfx.key),
            Err(what) => self.unread(source, what),
        }
    }

    /// Every chain of a folder with the key that belongs to it, whatever their files are called.
    fn folder(&mut self, folder: &Path) {
        let files = match files(folder) {
            Ok(files) => files,
            Err(error) => {
                let what = format!("the folder {} cannot be read: {error}", folder.display());
                return self.unread(folder.display().to_string(), what);
            }
        };
        let mut chains = Vec::new();
        let mut keys = Vec::new();
        for file in files {
            let source = file.display().to_string();
            match load_any(&file) {
                Ok((chain, key)) => {
                    keys.extend(key);
                    if !chain.is_empty() {
                        chains.push((source, chain));
                    }
                }
                Err(what) => self.unread(source, what),
            }
        }
        if chains.is_empty() {
            let what = format!("the folder {} holds no certificate in PEM", folder.display());
            self.unread(folder.display().to_string(), what);
        }
        for (source, chain) in chains {
            let key = chain.first().and_then(|leaf| belonging(leaf, &keys));
            // A CA beside the server's certificate is there for clients, not to be served.
            if key.is_some() || !is_authority(&chain) {
                self.candidate(source, chain, key);
            }
        }
    }
}

fn is_authority(chain: &[CertificateDer<'static>]) -> bool {
    let leaf = chain.first().and_then(|leaf| pki::Summary::parse(leaf).ok());
    leaf.is_some_and(|leaf| leaf.is_ca)
}

fn belonging(
    leaf: &CertificateDer<'static>,
    keys: &[PrivateKeyDer<'static>],
) -> Option<PrivateKeyDer<'static>> {
    let leaf = pki::Summary::parse(leaf).ok()?;
    let is_own = |key: &&PrivateKeyDer<'static>| {
        pem::public_key_of(key).is_ok_and(|public| public == leaf.public_key)
    };
    keys.iter().find(is_own).map(PrivateKeyDer::clone_key)
}

type Content = (Vec<CertificateDer<'static>>, Option<PrivateKeyDer<'static>>);

/// A PEM file that may hold certificates, a key, or both. What is no PEM at all is passed over.
fn load_any(file: &Path) -> Result<Content, String> {
    let text =
        fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let holds = |what: &[u8]| text.windows(what.len()).any(|window| window == what);
    if holds(b"-----BEGIN CERTIFICATE-----") {
        return load(file, None).map_err(|refused| refused.to_string());
    }
    if !holds(b"PRIVATE KEY-----") {
        return Ok((Vec::new(), None));
    }
    drop(zeroize::Zeroizing::new(text));
    let text = read_key_file(file).map_err(|refused| refused.to_string())?;
    let key = pem::private_key(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((Vec::new(), Some(key)))
}

fn read_pfx(file: &Path, password_file: Option<&Path>) -> Result<Pfx, String> {
    let content = read_key_file(file).map_err(|refused| refused.to_string())?;
    let password = password_file.map(read_key_file).transpose();
    let password = password.map_err(|refused| refused.to_string())?;
    let text = password.as_ref().map(|text| std::str::from_utf8(text)).transpose();
    let text = text.map_err(|_| "the password file is not UTF-8 text".to_owned())?;
    let first_line = text.map(|text| text.lines().next().unwrap_or_default());
    Pfx::decode(&content, first_line).map_err(|refused| format!("{}: {refused}", file.display()))
}
