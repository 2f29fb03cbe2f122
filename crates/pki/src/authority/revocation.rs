//! The list of revoked certificates (RFC 5280 §5).

use std::fmt;
use std::str::FromStr;

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::{InHouseCa, IssueFailed};
use crate::name::hex;

/// Why a certificate is revoked (RFC 5280 §5.3.1). A hold, which can be taken back, is not offered:
/// whoever looked in between would know another truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    Unspecified,
    KeyCompromise,
    #[serde(rename = "cACompromise")]
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl Reason {
    pub const ALL: [(Reason, &'static str); 7] = [
        (Reason::Unspecified, "unspecified"),
        (Reason::KeyCompromise, "keyCompromise"),
        (Reason::CaCompromise, "cACompromise"),
        (Reason::AffiliationChanged, "affiliationChanged"),
        (Reason::Superseded, "superseded"),
        (Reason::CessationOfOperation, "cessationOfOperation"),
        (Reason::PrivilegeWithdrawn, "privilegeWithdrawn"),
    ];

    fn code(self) -> RevocationReason {
        match self {
            Reason::Unspecified => RevocationReason::Unspecified,
            Reason::KeyCompromise => RevocationReason::KeyCompromise,
            Reason::CaCompromise => RevocationReason::CaCompromise,
            Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
            Reason::Superseded => RevocationReason::Superseded,
            Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
            Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Reason::ALL.iter().find(|(reason, _)| reason == self);
        out.write_str(found.map_or("unspecified", |(_, name)| name))
    }
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Reason, String> {
        let found = Reason::ALL.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(reason, _)| *reason).ok_or_else(|| {
            let names: Vec<&str> = Reason::ALL.iter().map(|(_, name)| *name).collect();
            format!("{text:?} is no reason; use one of {}", names.join(", "))
        })
    }
}

/// One certificate that must not be trusted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Hexadecimal, as [`crate::Summary::serial`] has it.
    pub serial: String,
    pub at: OffsetDateTime,
    pub reason: Reason,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    pub issuer: String,
    pub this_update: OffsetDateTime,
    pub next_update: Option<OffsetDateTime>,
    pub number: u64,
    pub revoked: Vec<Revoked>,
}

impl InHouseCa {
    /// The list in DER. Its number must be larger than that of the one before.
    pub fn revocation_list(
        &self,
        revoked: &[Revoked],
        number: u64,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Vec<u8>, IssueFailed> {
        let mut params = CertificateRevocationListParams {
            this_update: now,
            next_update: now.saturating_add(lifetime),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: Vec::with_capacity(revoked.len()),
            key_identifier_method: self
                .key_identifier
                .as_deref()
                .and_then(bytes_of)
                .map_or(KeyIdMethod::Sha256, KeyIdMethod::PreSpecified),
        };
        for one in revoked {
            let serial = bytes_of(&one.serial)
                .ok_or_else(|| IssueFailed::BadSerial { serial: one.serial.clone() })?;
            params.revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: one.at,
                reason_code: Some(one.reason.code()),
                invalidity_date: None,
            });
        }
        Ok(params.signed_by(&self.issuer)?.der().to_vec())
    }
}

impl Revocations {
    /// Reads a list in DER.
    pub fn parse(der: &[u8]) -> Result<Revocations, String> {
        let (_, list) = CertificateRevocationList::from_der(der)
            .map_err(|error| format!("not a list of revoked certificates: {error}"))?;
        let number = list.crl_number().map(|number| number.to_u64_digits());
        let revoked = list.iter_revoked_certificates().map(|one| Revoked {
            serial: hex(one.raw_serial()),
            at: one.revocation_date.to_datetime(),
            reason: one.reason_code().map_or(Reason::Unspecified, |(_, code)| reason(code.0)),
        });
        Ok(Revocations {
            issuer: crate::name::text(list.issuer()),
            this_update: list.last_update().to_datetime(),
            next_update: list.next_update().map(|at| at.to_datetime()),
            number: number.and_then(|digits| digits.first().copied()).unwrap_or_default(),
            revoked: revoked.collect(),
        })
    }
}

/// Whether the issuer of this certificate has signed the list.
pub fn is_signed_by(list: &[u8], issuer: &[u8]) -> bool {
    let list = CertificateRevocationList::from_der(list);
    let issuer = x509_parser::certificate::X509Certificate::from_der(issuer);
    let (Ok((_, list)), Ok((_, issuer))) = (list, issuer) else { return false };
    list.issuer().as_raw() == issuer.subject().as_raw()
        && list.verify_signature(issuer.public_key()).is_ok()
}

/// The first list of a PEM text.
pub fn list_of_pem(pem: &[u8]) -> Result<Revocations, String> {
    let der = CertificateRevocationListDer::from_pem_slice(pem)
        .map_err(|_| "no list of revoked certificates: no X509 CRL block".to_owned())?;
    Revocations::parse(&der)
}

fn reason(code: u8) -> Reason {
    let found = Reason::ALL.iter().find(|(reason, _)| reason.code() as u8 == code);
    found.map_or(Reason::Unspecified, |(reason, _)| *reason)
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hexadecimal
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    (!pairs.is_empty()).then(|| pairs.iter().map(|[high, low]| (high << 4) | low).collect())
}
