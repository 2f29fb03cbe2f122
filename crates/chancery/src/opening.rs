//! From configuration to an open directory.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use directory::password::Hasher;
use directory::store::StoreOptions;
use directory::{Directory, IndexSettings, LockoutPolicy, Settings};
use server::DoorPolicy;

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
        verified_kept_ms: ms(passwords.remember),
        lockout: lockout(config),
        schema_files: config.schema_files.clone(),
        queue_changes_max: config.limits.write_queue as usize,
        changes_kept_ms: ms(config.change_log.keep_age),
        changes_kept_bytes: config.change_log.keep_size.0,
        store: store_options(config),
        ..Settings::default()
    })
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Who may try passwords, by where they come from.
pub(crate) fn door(config: &Config) -> DoorPolicy {
    DoorPolicy {
        failures_max: config.lockout.source_failures,
        forgiven_each: config.lockout.source_forgiven_each,
        gateways: config.gateways.clone(),
    }
}

/// What too many wrong passwords do to an account.
pub(crate) fn lockout(config: &Config) -> LockoutPolicy {
    LockoutPolicy {
        failures_max: config.lockout.failures,
        window_ms: ms(config.lockout.window),
        duration_ms: ms(config.lockout.duration),
    }
}

/// What commands and operators put into the folder before the first start: orders at an ACME CA,
/// DNS records, what is to be published, a certificate.
const BESIDE: &[&str] =
    &["acme", "dns", "publish.json", "publish.json.new", "server.key", "server.pem"];

fn store_options(config: &Config) -> StoreOptions {
    let map_bytes_max = usize::try_from(config.store.map_bytes_max.0).unwrap_or(usize::MAX);
    StoreOptions { map_bytes_max, beside: BESIDE, ..StoreOptions::default() }
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

/// The clock that stamps changes and certificates.
pub(crate) fn clock() -> Arc<dyn directory::clock::Clock> {
    Arc::new(directory::clock::SystemClock)
}
