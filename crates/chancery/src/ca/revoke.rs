//! Revoking certificates, and the list of those that are revoked.

use anyhow::Result;
use pki::{Reason, Revocations, Revoked, Summary};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::audit::{Asker, Deed, Event};
use super::files::{LIST_BYTES_MAX, Readers, read_text_within, replace};
use super::{Ca, summary};
use crate::failure::{failed, usage};

/// What became of a request to revoke.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Revoked(Box<Summary>),
    /// It was before; the list is as it was.
    Already,
}

impl Ca {
    /// Revokes a certificate of this CA, durably, and makes the list anew.
    pub(crate) fn revoke(
        &self,
        serial: &str,
        reason: Reason,
        now: OffsetDateTime,
    ) -> Result<Outcome> {
        let serial = canonical(serial)?;
        let _lock = self.lock()?;
        let path = self.issued_file(&serial);
        if !path.exists() {
            return Err(usage(format!(
                "no certificate with the serial number {serial} was issued here; chancery ca log \
                 lists those that were"
            )));
        }
        let certificate = summary(&path)?;
        if self.revoked()?.iter().any(|one| one.serial == serial) {
            return Ok(Outcome::Already);
        }
        let event = Event::new(Deed::Revoked, &Asker::operator(), now).about(&certificate);
        self.record(&event.because(reason.to_string()))?;
        self.write_list(now)?;
        Ok(Outcome::Revoked(Box::new(certificate)))
    }

    /// Makes the list anew.
    pub(crate) fn renew_list(&self, now: OffsetDateTime) -> Result<Revocations> {
        let _lock = self.lock()?;
        self.write_list(now)
    }

    /// Makes the list anew where it is missing or half of its life is over. Says whether it did.
    pub(crate) fn renew_list_when_due(&self, now: OffsetDateTime) -> Result<bool> {
        let is_due = match self.list() {
            Ok(Some(list)) => match list.next_update {
                // Or it was made while this machine's clock was ahead.
                Some(next) => {
                    let age = now - list.this_update;
                    age.is_negative() || age > (next - list.this_update) / 2
                }
                None => true,
            },
            // What cannot be read is of no use to anybody.
            Ok(None) | Err(_) => true,
        };
        if is_due {
            self.renew_list(now)?;
        }
        Ok(is_due)
    }

    /// The list as it is.
    pub(crate) fn list(&self) -> Result<Option<Revocations>> {
        let path = self.crl_pem();
        if !path.exists() {
            return Ok(None);
        }
        let text = self.list_pem()?;
        let list = pki::authority::list_of_pem(text.as_bytes())
            .map_err(|reason| failed(format!("{}: {reason}", path.display())))?;
        Ok(Some(list))
    }

    pub(crate) fn list_pem(&self) -> Result<String> {
        read_text_within(&self.crl_pem(), LIST_BYTES_MAX)
    }

    fn write_list(&self, now: OffsetDateTime) -> Result<Revocations> {
        let revoked = self.revoked()?;
        let number = self.list().ok().flatten().map_or(0, |list| list.number);
        // Larger than the last even if that file is lost.
        let number = (number + 1).max(u64::try_from(now.unix_timestamp()).unwrap_or_default());
        let days = self.templates().map_or(14, |templates| templates.crl.days);
        let lifetime = Duration::days(days.into());
        let signer = self.signer()?;
        let der = signer.revocation_list(&revoked, number, now, lifetime).map_err(failed)?;
        let text = pki::pem::text("X509 CRL", &der);
        replace(&self.crl_pem(), text.as_bytes(), Readers::Everybody)?;
        Revocations::parse(&der).map_err(failed)
    }

    /// All that are revoked, by the log and by the last list: neither may lose one.
    pub(crate) fn revoked(&self) -> Result<Vec<Revoked>> {
        let mut revoked: Vec<Revoked> = Vec::new();
        let of_log = self.history()?.events.into_iter().filter(|one| one.deed == Deed::Revoked);
        let of_log = of_log.filter_map(|event| {
            let at = OffsetDateTime::parse(&event.time, &Rfc3339).ok()?;
            let reason = event.reason.parse().unwrap_or(Reason::Unspecified);
            Some(Revoked { serial: event.serial, at, reason })
        });
        let of_list = self.list().ok().flatten().map(|list| list.revoked).unwrap_or_default();
        for one in of_log.chain(of_list) {
            if !revoked.iter().any(|known| known.serial == one.serial) {
                revoked.push(one);
            }
        }
        Ok(revoked)
    }
}

/// As people and OpenSSL write it: with colons, in capitals.
fn canonical(serial: &str) -> Result<String> {
    let serial: String = serial.chars().filter(|c| *c != ':').collect::<String>().to_lowercase();
    let is_right = !serial.is_empty()
        && serial.len() <= 40
        && serial.len().is_multiple_of(2)
        && serial.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_right {
        true => Ok(serial),
        false => Err(usage(format!(
            "{serial:?} is no serial number; right is an even number of hexadecimal digits, as \
             chancery ca log shows them"
        ))),
    }
}
