//! The in-house CA: its folder, and everything that is done with it.
//!
//! - [`files`]: written whole or not at all, and one at a time. [`audit`]: what was done, for ever.
//!   [`mod@refused`]: how much of what was refused.
//! - [`start`]: root, issuing CA and templates where they are missing. [`own`]: the certificate of
//!   this server, made and renewed.
//! - [`issue`]: for the operator and over LDAPS. [`revoke`]: and the list of what is revoked.
//! - [`duty`]: what is done about it now and then.
//! - [`watch`]: what somebody should be told in time.
//!
//! Time is an argument everywhere.

pub(crate) mod audit;
pub(crate) mod duty;
pub(crate) mod files;
pub(crate) mod issue;
pub(crate) mod own;
mod refused;
pub(crate) mod revoke;
pub(crate) mod start;
pub(crate) mod watch;

use std::path::{Path, PathBuf};

use anyhow::Result;
use pki::judge::Level;
use pki::template::lint::{LintFinding, lint, refused};
use pki::{CaMaterial, InHouseCa, Summary, Templates};
use time::OffsetDateTime;

use crate::failure::failed;
use files::{FileLock, read_key, read_text};

/// Templates as they are shipped.
pub(crate) const SHIPPED_TEMPLATES: &str = include_str!("templates.toml");

/// The CA in a data folder.
#[derive(Clone, Debug)]
pub(crate) struct Ca {
    data: PathBuf,
}

/// Templates with what is to be said of them.
pub(crate) struct Reviewed {
    pub(crate) templates: Templates,
    pub(crate) findings: Vec<LintFinding>,
    /// Those that are off.
    pub(crate) off: Vec<String>,
}

impl Ca {
    pub(crate) fn at(data: &Path) -> Ca {
        Ca { data: data.to_owned() }
    }

    /// The root's certificate, which clients trust.
    pub(crate) fn root_pem(&self) -> PathBuf {
        self.data.join("ca.pem")
    }

    /// The root's key. It may be taken away once there is an issuing CA.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.data.join("ca.key")
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.data.join("ca")
    }

    pub(crate) fn issuing_pem(&self) -> PathBuf {
        self.folder().join("issuing.pem")
    }

    pub(crate) fn issuing_key(&self) -> PathBuf {
        self.folder().join("issuing.key")
    }

    pub(crate) fn templates_file(&self) -> PathBuf {
        self.folder().join("templates.toml")
    }

    pub(crate) fn crl_pem(&self) -> PathBuf {
        self.folder().join("crl.pem")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.folder().join("log")
    }

    pub(crate) fn issued_file(&self, serial: &str) -> PathBuf {
        self.folder().join("issued").join(format!("{serial}.pem"))
    }

    pub(crate) fn exists(&self) -> bool {
        self.root_pem().exists()
    }

    /// Nobody else issues, revokes or renews while this is held.
    pub(crate) fn lock(&self) -> Result<FileLock> {
        files::make_folder(&self.folder())?;
        FileLock::take(&self.folder().join("lock"))
    }

    /// The CA that signs: the issuing one, or in older folders the root.
    pub(crate) fn signer(&self) -> Result<InHouseCa> {
        if self.issuing_pem().exists() {
            return open(&self.issuing_pem(), &self.issuing_key());
        }
        if !self.exists() {
            return Err(failed(format!(
                "there is no CA in {}: the first `chancery serve` makes one where no certificate \
                 is configured",
                self.data.display()
            )));
        }
        open(&self.root_pem(), &self.root_key())
    }

    /// Whether the key of the CA that signs was taken away on purpose. One that is there and cannot
    /// be read is not.
    pub(crate) fn signs_elsewhere(&self) -> bool {
        let is_issuing = self.issuing_pem().exists();
        let key = if is_issuing { self.issuing_key() } else { self.root_key() };
        let there = std::fs::symlink_metadata(key);
        there.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    }

    /// The certificate of the CA that signs, without its key.
    pub(crate) fn signer_summary(&self) -> Result<Summary> {
        let issuing = self.issuing_pem();
        let path = if issuing.exists() { issuing } else { self.root_pem() };
        summary(&path)
    }

    /// The file of templates, or the shipped ones where there is none.
    pub(crate) fn templates(&self) -> Result<Templates> {
        let path = self.templates_file();
        let text = match path.exists() {
            true => read_text(&path)?,
            false => SHIPPED_TEMPLATES.to_owned(),
        };
        Templates::parse(&text).map_err(|fault| failed(format!("{}: {fault}", path.display())))
    }

    /// The templates, and which of them are off.
    pub(crate) fn reviewed(&self, now: OffsetDateTime) -> Result<Reviewed> {
        let templates = self.templates()?;
        let issuer = self.signer_summary().ok();
        let findings = lint(&templates, issuer.as_ref(), now);
        let off = refused(&findings);
        Ok(Reviewed { templates, findings, off })
    }

    /// Says loudly which templates are off, and why.
    pub(crate) fn announce(&self, now: OffsetDateTime) {
        if !self.exists() {
            return;
        }
        let reviewed = match self.reviewed(now) {
            Ok(reviewed) => reviewed,
            Err(error) => return tracing::error!("no certificates are issued: {error:#}"),
        };
        for finding in reviewed.findings.iter().filter(|one| one.level == Level::Refused) {
            tracing::error!(
                template = finding.template,
                rule = %finding.rule,
                "the certificate template is off: {}; {}",
                finding.found,
                finding.fix
            );
        }
    }
}

fn open(cert: &Path, key: &Path) -> Result<InHouseCa> {
    let material = CaMaterial { cert_pem: read_text(cert)?, key_pem: read_key(key)? };
    InHouseCa::open(&material).map_err(|error| failed(format!("{}: {error}", cert.display())))
}

/// What the first certificate of a file says.
pub(crate) fn summary(path: &Path) -> Result<Summary> {
    let text = read_text(path)?;
    let chain = pki::pem::certificates(text.as_bytes())
        .map_err(|error| failed(format!("{}: {error}", path.display())))?;
    let first = chain.first().map(|der| Summary::parse(der));
    match first {
        Some(Ok(summary)) => Ok(summary),
        Some(Err(error)) => Err(failed(format!("{}: {error}", path.display()))),
        None => Err(failed(format!("{}: no certificate", path.display()))),
    }
}

/// Unpredictable bytes for a serial number.
fn serial() -> [u8; 16] {
    let mut bytes = [0; 16];
    crate::opening::clock().random(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
