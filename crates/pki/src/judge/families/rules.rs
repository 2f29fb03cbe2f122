//! Which fault is minded by whom. The suite holds each row against the families themselves.

use super::Client;
use super::faults::{Fault, Found};
use super::path::{End, Path};

const ALL: &[Client] = &Client::ALL;

/// A fault, and those who refuse for it. The first that is minded is the reason that is given.
const RULES: &[(Fault, &[Client])] = {
    use Client::*;
    &[
        (Fault::Validity, ALL),
        (Fault::Untrusted, ALL),
        (Fault::IssuerMissing, ALL),
        // It fetches what is missing.
        (Fault::IssuerElsewhere, &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Rustls, Nss]),
        // The way has to end at who signed itself.
        (Fault::TrustedBetween, &[OpenSsl1, OpenSsl2, Schannel]),
        (Fault::TrustedItself, &[OpenSsl1, OpenSsl2, GnuTls, Rustls, Schannel, Nss]),
        (Fault::TrustedNoCa, &[Nss]),
        (Fault::RootValidity, &[OpenSsl1, OpenSsl2, GnuTls, Go, Schannel, Nss]),
        (Fault::SerialAgain, &[Nss]),
        // What it is for.
        (Fault::Purpose, ALL),
        (Fault::PurposeAny, &[OpenSsl1, OpenSsl2, Rustls, Nss]),
        (Fault::PurposeMsSgc, &[GnuTls, Go, Rustls, Nss]),
        (Fault::PurposeNsSgc, &[GnuTls, Go, Rustls]),
        (Fault::KeyUsageNone, &[OpenSsl1, OpenSsl2]),
        (Fault::KeyUsageSign, &[GnuTls, Java]),
        (Fault::KeyUsageNss, &[Nss]),
        (Fault::LeafIsCa, &[Rustls]),
        (Fault::Version1, &[Rustls]),
        (Fault::SubjectEmpty, &[Java]),
        // The CAs.
        (Fault::CaIsNone, ALL),
        (Fault::CaKeyUsage, &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Schannel, Nss]),
        (Fault::CaPurpose, &[OpenSsl1, OpenSsl2, GnuTls, Go, Rustls, Schannel]),
        (Fault::CaPurposeAny, &[OpenSsl1, OpenSsl2, GnuTls, Rustls, Nss]),
        (Fault::PathLength, ALL),
        (Fault::NameConstraint, ALL),
        (Fault::PoliciesCritical, &[GnuTls, Go, Rustls, Nss]),
        (Fault::PolicyMissing, &[Java, Schannel]),
        (Fault::PolicyCritical, &[Rustls, Nss]),
        (Fault::Critical, ALL),
        (Fault::RootIsNone, &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Schannel, Nss]),
        (Fault::RootBare, &[Java, Go]),
        (Fault::RootEmpty, &[OpenSsl1, OpenSsl2]),
        (Fault::RootKeyUsage, &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Schannel]),
        (Fault::RootPurpose, &[OpenSsl1, OpenSsl2, Go, Schannel]),
        (Fault::RootPathLength, &[OpenSsl1, OpenSsl2, GnuTls, Go, Schannel, Nss]),
        (Fault::RootNameConstraint, &[OpenSsl1, OpenSsl2, GnuTls, Go, Rustls, Schannel, Nss]),
        (Fault::RootCritical, &[OpenSsl1, OpenSsl2, GnuTls, Go, Schannel]),
        // Signatures. Java and Windows demand more of the CAs that they bring along only.
        (Fault::Md5, ALL),
        (Fault::Sha1, &[OpenSsl1, OpenSsl2, GnuTls, Go, Rustls]),
        (Fault::Sha1Pss, &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Rustls, Schannel]),
        (Fault::Sha224, &[Go, Rustls, Schannel]),
        (Fault::PssSalt, &[GnuTls, Go, Rustls]),
        // Keys.
        (Fault::RsaTiny, &[OpenSsl1, OpenSsl2, GnuTls, Java, Rustls, Schannel, Nss]),
        (Fault::RsaShort, &[OpenSsl2, Rustls]),
        (Fault::RsaLong, &[Rustls]),
        (Fault::KeyPss, &[Go, Rustls, Nss]),
        (Fault::CaPss, &[Go, Rustls]),
        (Fault::Ed25519, &[Schannel, Nss]),
        (Fault::Ed448, &[Go, Rustls, Schannel, Nss]),
        // TLS has no way to sign with it.
        (Fault::Curve, ALL),
        (Fault::CaP224, &[Java, Rustls, Schannel, Nss]),
        (Fault::CaCurve, &[GnuTls, Java, Go, Rustls, Schannel, Nss]),
    ]
};

/// What somebody does not look at in a certificate that is trusted by itself.
const NOT_WHEN_ITSELF: &[(Fault, &[Client])] = {
    use Client::*;
    &[
        (Fault::Validity, &[Java]),
        (Fault::Purpose, &[Java]),
        (Fault::KeyUsageSign, &[Java]),
        (Fault::Critical, &[GnuTls, Java]),
        (Fault::Md5, &[OpenSsl1, OpenSsl2, GnuTls, Go]),
        (Fault::Sha1, &[OpenSsl1, OpenSsl2, GnuTls, Go]),
        (Fault::Sha1Pss, &[OpenSsl1, OpenSsl2, GnuTls, Go, Java]),
        (Fault::Sha224, &[Go]),
        (Fault::RsaTiny, &[Java]),
    ]
};

/// The first thing that it minds.
pub(super) fn first<'f>(
    client: Client,
    path: &Path<'_, '_>,
    found: &'f [Found],
) -> Option<&'f Found> {
    let is_itself = path.end == End::Itself;
    let has = |list: &[(Fault, &[Client])], fault| {
        list.iter().any(|(one, clients)| *one == fault && clients.contains(&client))
    };
    let minds = |fault| has(RULES, fault) && !(is_itself && has(NOT_WHEN_ITSELF, fault));
    let mut minded = RULES.iter().map(|(fault, _)| *fault).filter(|fault| minds(*fault));
    minded.find_map(|fault| found.iter().find(|one| one.fault == fault))
}

/// On what it depends that it is accepted: that it can fetch what is missing.
pub(super) fn condition(client: Client, found: &[Found]) -> Option<String> {
    let fetched = found.iter().find(|one| one.fault == Fault::IssuerElsewhere);
    let fetched = fetched.filter(|_| client == Client::Schannel);
    fetched.map(|one| format!("if it can fetch it: {}", one.text))
}
