//! What ACME keeps in the data folder: accounts, and for each certificate one file and its state.
//!
//!     acme/account.json            the accounts, one for each directory
//!     acme/NAME/certificate.pem    key and chain in one file, replaced as a whole
//!     acme/NAME.json               failures, orders, what the CA suggested
//!     acme/lock                    one order at a time, whichever process makes it

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use instant_acme::AccountCredentials;
use pki::Credential;
use serde::{Deserialize, Serialize};

use super::timing::{Held, State};
use crate::durable;
use crate::failure::failed;

/// In the folder of its name.
pub(crate) const CERTIFICATE: &str = "certificate.pem";

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accounts {
    accounts: Vec<KnownAccount>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownAccount {
    directory: String,
    /// Holds the private key.
    credentials: AccountCredentials,
}

pub(crate) struct Shelf {
    root: PathBuf,
    /// The first name of the certificate, as it may stand in a file's name.
    name: String,
}

/// Held while one order is made.
pub(crate) struct Turn {
    _file: File,
}

impl Shelf {
    /// `names` are those of the certificate; the first names its folder.
    pub(crate) fn new(data: &Path, names: &[String]) -> Shelf {
        let root = data.join("acme");
        let first = names.first().map_or("none", String::as_str);
        Shelf { root, name: first.replace('*', "_") }
    }

    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.root.join(&self.name).join(CERTIFICATE)
    }

    /// Waits for nobody: where another order is being made, this one is not needed.
    pub(crate) fn turn(&self) -> Result<Turn> {
        durable::make_private_folder(&self.root)?;
        let path = self.root.join("lock");
        let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = open().map_err(|error| failed(format!("{}: {error}", path.display())))?;
        match file.try_lock() {
            Ok(()) => Ok(Turn { _file: file }),
            Err(TryLockError::WouldBlock) => Err(failed(
                "another process is ordering a certificate right now (the server, or another \
                 command); look again with `chancery acme status`",
            )),
            Err(TryLockError::Error(error)) => {
                Err(failed(format!("cannot lock {}: {error}", path.display())))
            }
        }
    }

    fn state_file(&self) -> PathBuf {
        self.root.join(format!("{}.json", self.name))
    }

    pub(crate) fn account(&self, directory: &str) -> Result<Option<AccountCredentials>> {
        let known = self.accounts()?.accounts.into_iter();
        let mut of_directory = known.filter(|known| known.directory == directory);
        Ok(of_directory.next().map(|known| known.credentials))
    }

    pub(crate) fn store_account(
        &self,
        directory: &str,
        credentials: AccountCredentials,
    ) -> Result<()> {
        let mut accounts = self.accounts()?;
        accounts.accounts.retain(|known| known.directory != directory);
        let directory = directory.to_owned();
        accounts.accounts.push(KnownAccount { directory, credentials });
        let bytes = zeroize::Zeroizing::new(serde_json::to_vec_pretty(&accounts)?);
        durable::write_private(&self.root.join("account.json"), &bytes)
    }

    fn accounts(&self) -> Result<Accounts> {
        let path = self.root.join("account.json");
        if !path.exists() {
            return Ok(Accounts::default());
        }
        let bytes = durable::read_secret(&path)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            // The error's own words could quote the key.
            failed(format!(
                "{} is damaged (line {}, column {}); restore it from a backup, or remove it: then \
                 a new account is made",
                path.display(),
                error.line(),
                error.column()
            ))
        })
    }

    /// Nothing where nothing was ever issued.
    pub(crate) fn certificate(&self) -> Result<Option<Credential>> {
        let path = self.certificate_file();
        if !path.exists() {
            return Ok(None);
        }
        let pem = durable::read_secret(&path)?;
        let credential = Credential::from_pem(&pem, &pem)
            .map_err(|error| failed(format!("{}: {error}", path.display())))?;
        Ok(Some(credential))
    }

    /// Key and chain in one file: no reader ever sees the one without the other.
    pub(crate) fn store_certificate(&self, key_pem: &str, chain_pem: &str) -> Result<()> {
        let ends = |text: &str| if text.ends_with('\n') { "" } else { "\n" };
        let mut both = zeroize::Zeroizing::new(String::new());
        for text in [key_pem, chain_pem] {
            both.push_str(text);
            both.push_str(ends(text));
        }
        // Every file in the certificate's own folder is looked at by the server.
        let fresh = self.root.join(format!("{}.new", self.name));
        durable::write_private_by(&fresh, &self.certificate_file(), both.as_bytes())
    }

    /// A state that cannot be read is begun anew: it holds nothing but waits.
    pub(crate) fn state(&self) -> Result<State> {
        let path = self.state_file();
        let Some(bytes) = durable::read_if_there(&path)? else { return Ok(State::default()) };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!("{} is damaged and begun anew: {error}", path.display());
            State::default()
        }))
    }

    pub(crate) fn store_state(&self, state: &State) -> Result<()> {
        durable::write_private(&self.state_file(), &serde_json::to_vec_pretty(state)?)
    }
}

/// What decisions need to know of a certificate.
pub(crate) fn held(credential: &Credential, names: &[String]) -> Held {
    let leaf = &credential.leaf;
    let mut issued: Vec<String> = leaf
        .names
        .iter()
        .filter_map(|name| match name {
            pki::certificate::AlternativeName::Dns(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let mut wanted = names.to_vec();
    issued.sort();
    wanted.sort();
    Held {
        thumbprint: leaf.thumbprint.clone(),
        not_before: leaf.not_before,
        not_after: leaf.not_after,
        names_match: issued == wanted,
    }
}
