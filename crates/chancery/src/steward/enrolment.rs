//! Certificates for those who have signed in and ask for one.

use directory::{Refusal, Subject};
use ldap::result::ResultCode;
use time::OffsetDateTime;

use super::{Steward, unwilling};
use crate::ca::Ca;
use crate::ca::issue::{Issuing, NoCertificate, shown, split};

impl Steward {
    pub(super) fn enrolled(
        &self,
        requester: &Subject,
        value: &[u8],
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, Refusal> {
        let ca = Ca::at(&self.data);
        if !ca.exists() {
            return Err(unwilling("there is no CA here that issues certificates".to_owned()));
        }
        let (template, request) = split(value)?;
        let issuing = Issuing { ca: &ca, directory: Some(&self.directory), now };
        match issuing.enrol(requester, template, request) {
            Ok(certificate) => {
                let (subject, serial) = (&certificate.summary.subject, &certificate.summary.serial);
                tracing::info!(template, subject, serial, "issued a certificate");
                Ok(certificate.chain_pem.into_bytes())
            }
            Err(NoCertificate::Refused(reasons)) => {
                Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, reasons.join("; ")))
            }
            Err(NoCertificate::NotTheirs(reason)) => {
                tracing::info!(template = shown(template), "no certificate is issued: {reason}");
                let message = format!(
                    "there is no template {:?} that you may enrol for; whoever runs this server \
                     knows which there are",
                    shown(template)
                );
                Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message))
            }
            Err(NoCertificate::TooMany(reason)) => {
                Err(Refusal::new(ResultCode::ADMIN_LIMIT_EXCEEDED, reason))
            }
            Err(NoCertificate::Failed(error)) => {
                tracing::error!(template, "no certificate could be issued: {error:#}");
                Err(unwilling(
                    "the CA cannot issue certificates now; the server's log says why".to_owned(),
                ))
            }
        }
    }
}
