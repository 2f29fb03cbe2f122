//! From configuration to an open directory and a server's settings.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use directory::password::Hasher;
use directory::store::StoreOptions;
use directory::{Directory, IndexSettings, Settings};

use crate::arguments::Common;
use crate::config::{Config, Overrides};
use crate::failure::{failed, usage};

/// Reads the configuration under the command line; faults are all listed.
pub(crate) fn load(common: &Common, overrides: &Overrides) -> Result<Config> {
    Config::load(common.config.as_deref(), overrides).map_err(usage)
}

/// What the directory is opened with.
pub(crate) fn settings(config: &Config) -> Result<Settings> {
    let passwords = &config.passwords;
    let memory_kib = u32::try_from(passwords.memory.0 / 1024).unwrap_or(u32::MAX);
    let hasher = Hasher::new(memory_kib, passwords.passes, passwords.lanes).map_err(usage)?;
    Ok(Settings {
        suffixes: config.suffixes.clone(),
        access: config.access.clone(),
        indexes: IndexSettings {
            equality: config.indexes.equality.clone(),
            presence: config.indexes.presence.clone(),
            substring: config.indexes.substring.clone(),
        },
        hasher,
        rehash: passwords.rehash,
        verified_kept_ms: u64::try_from(passwords.remember.as_millis()).unwrap_or(u64::MAX),
        schema_files: config.schema_files.clone(),
        queue_changes_max: config.limits.write_queue as usize,
        changes_kept_ms: u64::try_from(config.change_log.keep_age.as_millis()).unwrap_or(u64::MAX),
        changes_kept_bytes: config.change_log.keep_size.0,
        store: store_options(config),
        ..Settings::default()
    })
}

fn store_options(config: &Config) -> StoreOptions {
    let map_bytes_max = usize::try_from(config.store.map_bytes_max.0).unwrap_or(usize::MAX);
    StoreOptions { map_bytes_max, ..StoreOptions::default() }
}

/// Opens the directory for writing, as the one process that may.
pub(crate) fn directory(config: &Config) -> Result<Directory> {
    Directory::open(&config.data, settings(config)?).map_err(|error| open_error(config, error))
}

/// Opens it for reading only, beside a server that runs.
pub(crate) fn reading(config: &Config) -> Result<Directory> {
    let mut settings = settings(config)?;
    settings.store.read_only = true;
    Directory::open(&config.data, settings).map_err(|error| open_error(config, error))
}

fn open_error(config: &Config, error: directory::OpenError) -> anyhow::Error {
    match error {
        directory::OpenError::Access(errors) => usage(config.access_error(&errors)),
        other => failed(other),
    }
}

/// The certificate and key that are served: the configured ones, or those in the data folder.
pub(crate) fn credential(config: &Config) -> Result<pki::Credential> {
    match &config.certificate {
        Some(files) => server::tls::load(&files.certificate, &files.key).map_err(failed),
        None => crate::ca::own::load(&config.data),
    }
}

/// TLS for every listener, from files.
pub(crate) fn tls(config: &Config) -> Result<server::tls::ServingTls> {
    let credential = credential(config)?;
    let client_ca = client_ca(config)?;
    let clients = match &client_ca {
        Some(ca_pem) => server::tls::ClientCertificates::Optional { ca_pem },
        None => server::tls::ClientCertificates::NotAsked,
    };
    server::tls::ServingTls::new(credential, clients, rustls::pki_types::UnixTime::now())
        .map_err(failed)
}

/// Whose client certificates are accepted: the configured CA's, or without any configuration the
/// in-house CA's.
fn client_ca(config: &Config) -> Result<Option<Vec<u8>>> {
    let configured = config.listeners.iter().find_map(|listener| listener.client_ca.clone());
    let own = config.data.join("ca.pem");
    let path: Option<&Path> = match &configured {
        Some(path) => Some(path),
        None if config.file.is_none() && own.exists() => Some(&own),
        None => None,
    };
    let Some(path) = path else { return Ok(None) };
    let read = |path: &Path| {
        std::fs::read(path)
            .with_context(|| format!("the client CA {} cannot be read", path.display()))
    };
    let mut pem = read(path)?;
    // A client need not send the CA that this server itself has.
    let issuing = crate::ca::Ca::at(&config.data).issuing_pem();
    if *path == own && issuing.exists() {
        pem.extend(read(&issuing)?);
    }
    Ok(Some(pem))
}

/// The clock that stamps changes and certificates.
pub(crate) fn clock() -> Arc<dyn directory::clock::Clock> {
    Arc::new(directory::clock::SystemClock)
}
