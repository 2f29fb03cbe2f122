//! What the CA needs, made where it is missing.

use std::path::Path;

use anyhow::Result;
use pki::authority::{CA_LIFETIME, ISSUING_LIFETIME};
use pki::{CaMaterial, InHouseCa};
use time::{Duration, OffsetDateTime};

use super::audit::{Asker, Deed, Event};
use super::files::{Readers, read_key, replace};
use super::{Ca, SHIPPED_TEMPLATES, open, serial, summary};
use crate::failure::failed;

/// The issuing CA is renewed when it has less than this left: more than any certificate it signs
/// lives, so that none is cut short.
pub(crate) const ISSUING_LEFT_MIN: Duration = Duration::days(400);

impl Ca {
    /// Makes root, issuing CA and templates, each where it is missing. `host` names a new root.
    pub(crate) fn found(&self, host: &str, now: OffsetDateTime) -> Result<()> {
        let _lock = self.lock()?;
        self.root(host, now)?;
        self.issuing(now)?;
        if !self.templates_file().exists() {
            replace(&self.templates_file(), SHIPPED_TEMPLATES.as_bytes(), Readers::Owner)?;
        }
        Ok(())
    }

    fn root(&self, host: &str, now: OffsetDateTime) -> Result<()> {
        if self.root_pem().exists() {
            return Ok(());
        }
        let name = format!("Chancery CA on {host}");
        let root = InHouseCa::create_root(&name, now, CA_LIFETIME, serial()).map_err(failed)?;
        // The key first: a certificate whose key was never written must not be trusted by anybody.
        self.write_authority(&self.root_pem(), &self.root_key(), &root, now)
    }

    /// Makes the issuing CA, or renews it, as long as the root's key is here and allows it.
    fn issuing(&self, now: OffsetDateTime) -> Result<()> {
        let (cert, key) = (self.issuing_pem(), self.issuing_key());
        if !self.issuing_is_due(now)? || !self.root_key().exists() {
            return Ok(());
        }
        let root = open(&self.root_pem(), &self.root_key())?;
        if !root.may_sign_authorities() {
            return Ok(());
        }
        let old_key = if key.exists() { Some(read_key(&key)?) } else { None };
        let old_key = old_key.as_ref().map(|key| key.as_str());
        let name = match cert.exists() {
            true => summary(&cert)?.subject.trim_start_matches("CN=").to_owned(),
            false => format!("{} (issuing)", root.summary().subject.trim_start_matches("CN=")),
        };
        let material = root
            .issue_authority(&name, old_key, now, ISSUING_LIFETIME, serial())
            .map_err(failed)?;
        self.write_authority(&cert, &key, &material, now)
    }

    /// Whether the issuing CA is missing, or has not much longer. One that lives as long as the
    /// root cannot be made to live longer.
    pub(crate) fn issuing_is_due(&self, now: OffsetDateTime) -> Result<bool> {
        if !self.issuing_pem().exists() || !self.issuing_key().exists() {
            return Ok(true);
        }
        let (issuing, root) = (summary(&self.issuing_pem())?, summary(&self.root_pem())?);
        let is_short = issuing.not_after - now < ISSUING_LEFT_MIN;
        // The root is older: it is the clock that made this one that was ahead.
        let is_ahead = issuing.not_before > now && root.not_before <= now;
        Ok(is_ahead || (is_short && issuing.not_after < root.not_after))
    }

    fn write_authority(
        &self,
        cert: &Path,
        key: &Path,
        material: &CaMaterial,
        now: OffsetDateTime,
    ) -> Result<()> {
        replace(key, material.key_pem.as_bytes(), Readers::Owner)?;
        replace(cert, material.cert_pem.as_bytes(), Readers::Everybody)?;
        let made = summary(cert)?;
        self.record(&Event::new(Deed::Founded, &Asker::server(), now).about(&made))
    }
}
