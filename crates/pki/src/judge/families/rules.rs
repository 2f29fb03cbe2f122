//! Which fault is minded by whom. The suite holds each row against the families themselves.

use super::Client;
use super::faults::{Fault, Found};
use super::path::{End, Path};

const ALL: &[Client] = &Client::ALL;

/// A fault, and those who refuse for it.
struct Rule {
    fault: Fault,
    /// As the documentation has it.
    #[cfg_attr(not(test), allow(dead_code, reason = "a test holds the documentation to it"))]
    what: &'static str,
    by: &'static [Client],
}

/// The first that is minded is the reason that is given.
const RULES: &[Rule] = {
    use Client::*;
    &[
        Rule {
            fault: Fault::Validity,
            what: "expired or not valid yet, the server's or a CA's",
            by: ALL,
        },
        Rule {
            fault: Fault::Untrusted,
            what: "signed by itself, or by a root that is not trusted",
            by: ALL,
        },
        Rule { fault: Fault::IssuerMissing, what: "an intermediate CA is not sent", by: ALL },
        // It fetches what is missing.
        Rule {
            fault: Fault::IssuerElsewhere,
            what: "the same, with its address in the certificate (AIA)",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Rustls, Nss],
        },
        Rule {
            fault: Fault::Respelled,
            what: "an issuer in other letters than its own certificate has it",
            by: &[GnuTls, Go, Rustls, Schannel, Nss],
        },
        Rule {
            fault: Fault::PassedOver,
            what: "a CA that has expired is sent before its renewal",
            by: &[GnuTls],
        },
        // The way has to end at who signed itself.
        Rule {
            fault: Fault::TrustedBetween,
            what: "an intermediate CA is trusted, and not its root",
            by: &[OpenSsl1, OpenSsl2, Schannel],
        },
        Rule {
            fault: Fault::TrustedItself,
            what: "the server's certificate is trusted itself, and a CA has signed it",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Rustls, Schannel, Nss],
        },
        Rule {
            fault: Fault::TrustedNoCa,
            what: "signed by itself, trusted as a CA, with `CA:FALSE`",
            by: &[Nss],
        },
        Rule {
            fault: Fault::RootValidity,
            what: "the root has expired",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Go, Schannel, Nss],
        },
        Rule {
            fault: Fault::SerialAgain,
            what: "issuer and serial number of another certificate of the chain",
            by: &[Nss],
        },
        // What it is for.
        Rule { fault: Fault::Purpose, what: "extended key usage without serverAuth", by: ALL },
        Rule {
            fault: Fault::PurposeAny,
            what: "the same, with anyExtendedKeyUsage",
            by: &[OpenSsl1, OpenSsl2, Rustls, Nss],
        },
        Rule {
            fault: Fault::PurposeMsSgc,
            what: "the same, with Microsoft's server-gated cryptography",
            by: &[GnuTls, Go, Rustls, Nss],
        },
        Rule {
            fault: Fault::PurposeNsSgc,
            what: "the same, with Netscape's server-gated cryptography",
            by: &[GnuTls, Go, Rustls],
        },
        Rule {
            fault: Fault::KeyUsageNone,
            what: "key usage without digitalSignature, keyEncipherment and keyAgreement",
            by: &[OpenSsl1, OpenSsl2],
        },
        Rule {
            fault: Fault::KeyUsageSign,
            what: "key usage without digitalSignature",
            by: &[GnuTls, Java],
        },
        Rule {
            fault: Fault::KeyUsageNss,
            what: "key usage without keyEncipherment (RSA); without digitalSignature and keyAgreement (ECDSA)",
            by: &[Nss],
        },
        Rule { fault: Fault::LeafIsCa, what: "a CA's certificate as the server's", by: &[Rustls] },
        Rule { fault: Fault::Version1, what: "X.509 version 1", by: &[Rustls] },
        Rule {
            fault: Fault::SubjectEmpty,
            what: "no subject, and alternative names that are not critical",
            by: &[Java],
        },
        // The CAs.
        Rule { fault: Fault::CaIsNone, what: "a CA without `CA:TRUE`", by: ALL },
        Rule {
            fault: Fault::CaKeyUsage,
            what: "a CA with a key usage without keyCertSign",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Schannel, Nss],
        },
        Rule {
            fault: Fault::CaPurpose,
            what: "a CA with an extended key usage without serverAuth",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Go, Rustls, Schannel],
        },
        Rule {
            fault: Fault::CaPurposeAny,
            what: "the same, with anyExtendedKeyUsage",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Rustls, Nss],
        },
        Rule {
            fault: Fault::PathLength,
            what: "more CAs than the path length of one allows",
            by: ALL,
        },
        Rule {
            fault: Fault::NameConstraint,
            what: "a name that the name constraints of a CA forbid",
            by: ALL,
        },
        Rule {
            fault: Fault::PoliciesCritical,
            what: "critical policy constraints at a CA",
            by: &[GnuTls, Go, Rustls, Nss],
        },
        Rule {
            fault: Fault::PolicyMissing,
            what: "a CA demands a policy, and none is named",
            by: &[Java, Schannel],
        },
        Rule {
            fault: Fault::PolicyCritical,
            what: "critical certificate policies",
            by: &[Rustls, Nss],
        },
        Rule { fault: Fault::Critical, what: "a critical extension that is not known", by: ALL },
        Rule {
            fault: Fault::RootIsNone,
            what: "a root with `CA:FALSE`",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Schannel, Nss],
        },
        Rule {
            fault: Fault::RootBare,
            what: "a root of version 3 without basic constraints",
            by: &[Java, Go],
        },
        Rule {
            fault: Fault::RootEmpty,
            what: "the same, without key usage as well",
            by: &[OpenSsl1, OpenSsl2],
        },
        Rule {
            fault: Fault::RootKeyUsage,
            what: "a root with a key usage without keyCertSign",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Schannel],
        },
        Rule {
            fault: Fault::RootPurpose,
            what: "a root with an extended key usage without serverAuth",
            by: &[OpenSsl1, OpenSsl2, Go, Schannel],
        },
        Rule {
            fault: Fault::RootPathLength,
            what: "more CAs than the path length of the root allows",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Go, Schannel, Nss],
        },
        Rule {
            fault: Fault::RootNameConstraint,
            what: "a name that the name constraints of the root forbid",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Go, Rustls, Schannel, Nss],
        },
        Rule {
            fault: Fault::RootCritical,
            what: "a critical extension of the root that is not known",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Go, Schannel],
        },
        // Signatures. Java and Windows demand more of the CAs that they bring along only.
        Rule { fault: Fault::Md5, what: "signed with MD5", by: ALL },
        Rule {
            fault: Fault::Sha1,
            what: "signed with SHA-1 (the root's own does not matter)",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Go, Rustls],
        },
        Rule {
            fault: Fault::Sha1Pss,
            what: "signed with SHA-1 and RSASSA-PSS",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Java, Go, Rustls, Schannel],
        },
        Rule { fault: Fault::Sha224, what: "signed with SHA-224", by: &[Go, Rustls, Schannel] },
        Rule {
            fault: Fault::PssSalt,
            what: "signed with RSASSA-PSS by an ordinary RSA key, with a salt of another length than the digest",
            by: &[GnuTls, Go, Rustls],
        },
        // Keys.
        Rule {
            fault: Fault::RsaTiny,
            what: "RSA of less than 1024 bits, anywhere",
            by: &[OpenSsl1, OpenSsl2, GnuTls, Java, Rustls, Schannel, Nss],
        },
        Rule {
            fault: Fault::RsaShort,
            what: "RSA of less than 2048 bits, anywhere",
            by: &[OpenSsl2, Rustls],
        },
        Rule { fault: Fault::RsaLong, what: "RSA of more than 8192 bits, anywhere", by: &[Rustls] },
        Rule {
            fault: Fault::KeyPss,
            what: "the server's key is for RSASSA-PSS only",
            by: &[Go, Rustls, Nss],
        },
        Rule { fault: Fault::CaPss, what: "a CA's key is for RSASSA-PSS only", by: &[Go, Rustls] },
        Rule { fault: Fault::Ed25519, what: "a key of Ed25519, anywhere", by: &[Schannel, Nss] },
        Rule {
            fault: Fault::Ed448,
            what: "a key of Ed448, anywhere",
            by: &[Go, Rustls, Schannel, Nss],
        },
        // TLS has no way to sign with it.
        Rule {
            fault: Fault::Curve,
            what: "the server's key is on another curve than P-256, P-384, P-521",
            by: ALL,
        },
        Rule {
            fault: Fault::CaP224,
            what: "a CA's key is on P-224",
            by: &[Java, Rustls, Schannel, Nss],
        },
        Rule {
            fault: Fault::CaCurve,
            what: "a CA's key is on yet another curve (brainpool, secp256k1)",
            by: &[GnuTls, Java, Go, Rustls, Schannel, Nss],
        },
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
    let minded = RULES.iter().filter(|rule| {
        rule.by.contains(&client) && !(is_itself && has(NOT_WHEN_ITSELF, rule.fault))
    });
    let mut minded = minded.map(|rule| rule.fault);
    minded.find_map(|fault| found.iter().find(|one| one.fault == fault))
}

/// What an acceptance depends on. That newer versions refuse is from their release notes.
const CONDITIONS: &[(Fault, Client, &str)] = &[
    (Fault::IssuerElsewhere, Client::Schannel, "if it can fetch it"),
    (Fault::RsaTiny, Client::Go, "only before Go 1.24"),
    (Fault::RsaLong, Client::Go, "only before Go 1.20.7"),
    (Fault::SerialNegative, Client::Go, "only before Go 1.23"),
];

pub(super) fn condition(client: Client, found: &[Found]) -> Option<String> {
    let mut of_client = CONDITIONS.iter().filter(|(_, one, _)| *one == client);
    of_client.find_map(|(fault, _, condition)| {
        let one = found.iter().find(|one| one.fault == *fault)?;
        Some(format!("{condition}: {}", one.text))
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn names(by: &[Client]) -> String {
        if by.len() == Client::ALL.len() {
            return "all".to_owned();
        }
        let named = Client::ALL.iter().filter(|one| by.contains(one)).filter_map(|one| {
            let has_first = by.contains(&Client::OpenSsl1);
            match one {
                Client::OpenSsl2 if has_first => None,
                Client::OpenSsl2 => Some("OpenSSL level 2".to_owned()),
                one => Some(one.family().to_string()),
            }
        });
        named.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_documentation_has_the_rules() {
        let mut table = String::from("| in the chain | refused by |\n|---|---|\n");
        for rule in RULES {
            writeln!(table, "| {} | {} |", rule.what, names(rule.by)).unwrap();
        }
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/doctor.md");
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains(&table), "write this into docs/reference/doctor.md:\n{table}");
    }
}
