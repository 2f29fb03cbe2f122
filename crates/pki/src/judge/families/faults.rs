//! What clients may mind in a chain, without saying who does.

use time::OffsetDateTime;
use x509_parser::extensions::{BasicConstraints, KeyUsage, ParsedExtension};
use x509_parser::prelude::X509Version;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::SignatureAlgorithm;

use super::super::{Link, chain, day};
use super::path::{End, Path};
use crate::certificate::AlternativeName;

/// Kept apart where at least one family tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    Validity,
    Untrusted,
    IssuerMissing,
    /// It is not sent either, and where it can be had stands in the certificate.
    IssuerElsewhere,
    /// An issuer in other letters than its own certificate has it.
    Respelled,
    /// A CA that has ended is sent before its renewal.
    PassedOver,
    /// Trust ends at a CA that another has signed.
    TrustedBetween,
    /// The server's certificate is trusted by itself, though another has signed it.
    TrustedItself,
    /// It signed itself, is trusted as a CA, and says that it is none.
    TrustedNoCa,
    RootValidity,
    /// Two certificates with one issuer and one serial number.
    SerialAgain,
    SerialNegative,
    Purpose,
    PurposeAny,
    PurposeMsSgc,
    PurposeNsSgc,
    /// Neither to sign nor to encrypt nor to agree on keys.
    KeyUsageNone,
    KeyUsageSign,
    /// Not for what RSA and ECDSA did in TLS 1.2.
    KeyUsageNss,
    LeafIsCa,
    Version1,
    SubjectEmpty,
    CaIsNone,
    CaKeyUsage,
    CaPurpose,
    CaPurposeAny,
    PathLength,
    NameConstraint,
    PoliciesCritical,
    PolicyMissing,
    PolicyCritical,
    Critical,
    RootIsNone,
    /// Without basic constraints.
    RootBare,
    /// Without key usages as well.
    RootEmpty,
    RootKeyUsage,
    RootPurpose,
    RootPathLength,
    RootNameConstraint,
    RootCritical,
    Md5,
    Sha1,
    Sha1Pss,
    Sha224,
    /// Of another length than the digest.
    PssSalt,
    RsaTiny,
    RsaShort,
    RsaLong,
    KeyPss,
    CaPss,
    Ed25519,
    Ed448,
    Curve,
    CaP224,
    CaCurve,
}

impl Fault {
    /// To be mended before a name is worth looking at.
    pub(super) fn is_basic(self) -> bool {
        matches!(self, Fault::Validity | Fault::Untrusted | Fault::IssuerMissing)
    }
}

pub(super) struct Found {
    pub(super) fault: Fault,
    pub(super) text: String,
}

/// Collects what is found.
struct Faults(Vec<Found>);

impl Faults {
    fn add(&mut self, fault: Fault, text: impl Into<String>) {
        self.0.push(Found { fault, text: text.into() });
    }

    fn add_if(&mut self, is_so: bool, fault: Fault, text: impl Into<String>) {
        if is_so {
            self.add(fault, text);
        }
    }
}

pub(super) fn found(path: &Path<'_, '_>, now: OffsetDateTime) -> Vec<Found> {
    let mut faults = Faults(Vec::new());
    ends(path, &mut faults);
    own(path.own(), &mut faults);
    for (depth, link) in path.between() {
        authority(depth, link, &mut faults);
        constraints(path.own(), link, Fault::NameConstraint, &mut faults);
    }
    if let Some((depth, link)) = path.root() {
        root(depth, link, now, &mut faults);
        constraints(path.own(), link, Fault::RootNameConstraint, &mut faults);
    }
    let below_root = path.links.len() - usize::from(path.root().is_some());
    for link in path.links.iter().take(below_root) {
        validity(link, Fault::Validity, now, &mut faults);
        critical(link, &mut faults);
    }
    policies(path, &mut faults);
    for (depth, link) in path.signed().enumerate() {
        let above = path.links.get(depth + 1).copied().unwrap_or(link);
        signature(link, above, &mut faults);
    }
    for (depth, link) in path.links.iter().enumerate() {
        key(depth, link, &mut faults);
    }
    faults.0
}

/// Where the way ends, and what is trusted there.
fn ends(path: &Path<'_, '_>, faults: &mut Faults) {
    let own = path.own();
    let top = path.links.last().copied().unwrap_or(own);
    let issuer = &top.summary.issuer;
    let is_itself = path.end == End::Itself;
    match path.end {
        End::Untrusted => faults.add(Fault::Untrusted, format!("{issuer} is not trusted")),
        End::Missing => match chain::issuer_address(own).filter(|_| path.links.len() == 1) {
            Some(url) => {
                let text = format!("the CA {issuer} is not sent; it is at {url}");
                faults.add(Fault::IssuerElsewhere, text);
            }
            None => {
                let text = format!("the CA {issuer} is neither sent nor trusted");
                faults.add(Fault::IssuerMissing, text);
            }
        },
        End::Between => {
            let text = format!("{} is trusted and no root", top.summary.subject);
            faults.add(Fault::TrustedBetween, text);
        }
        End::Itself | End::Root | End::Unknown => {}
    }
    if let Some(above) = path.respelled {
        let text = format!("its issuer is written unlike {}", above.summary.subject);
        faults.add(Fault::Respelled, text);
    }
    if let Some(one) = path.passed_over {
        let text = format!("a CA that has ended is sent first: {}", one.summary.subject);
        faults.add(Fault::PassedOver, text);
    }
    let is_signed_by_other = is_itself && !own.is_self_issued();
    let text = "trusted by itself, and another has signed it";
    faults.add_if(is_signed_by_other, Fault::TrustedItself, text);
    let says_no = basic(own).is_some_and(|basic| !basic.ca);
    let text = "trusted as a CA, and says that it is none";
    faults.add_if(is_itself && says_no, Fault::TrustedNoCa, text);
    let mut pairs = path.links.iter().enumerate();
    let is_again = pairs.any(|(at, one)| {
        path.links.iter().skip(at + 1).any(|other| {
            one.summary.serial == other.summary.serial && one.summary.issuer == other.summary.issuer
        })
    });
    let text = "two certificates of one issuer with one serial number";
    faults.add_if(is_again, Fault::SerialAgain, text);
    let is_negative =
        |link: &Link<'_>| link.parsed.raw_serial().first().is_some_and(|first| *first >= 0x80);
    let is_some = path.links.iter().copied().any(is_negative);
    faults.add_if(is_some, Fault::SerialNegative, "a negative serial number");
}

/// The server's own certificate by itself.
fn own(own: &Link<'_>, faults: &mut Faults) {
    let purposes = &own.summary.purposes;
    let has = |wanted: &str| purposes.iter().any(|one| one == wanted);
    let text = format!("for {} only, not serverAuth", purposes.join(", "));
    if !purposes.is_empty() && !has("serverAuth") {
        let other = [(SGC_NETSCAPE, Fault::PurposeNsSgc), (SGC_MICROSOFT, Fault::PurposeMsSgc)];
        let other = other.into_iter().chain([("any", Fault::PurposeAny)]);
        let found: Vec<Fault> = other.filter(|(oid, _)| has(oid)).map(|(_, fault)| fault).collect();
        // What one takes for the one it does not mind for the other.
        match found.as_slice() {
            [] => faults.add(Fault::Purpose, text),
            [first, ..] => faults.add(*first, text),
        }
    }
    if let Some(usage) = usage(own) {
        let is_rsa = matches!(own.parsed.public_key().parsed(), Ok(PublicKey::RSA(_)));
        let (signs, encrypts) = (usage.digital_signature(), usage.key_encipherment());
        let text = format!("key usage is {usage} only");
        let is_none = !signs && !encrypts && !usage.key_agreement();
        faults.add_if(is_none, Fault::KeyUsageNone, text.clone());
        faults.add_if(!signs, Fault::KeyUsageSign, text.clone());
        let suits = if is_rsa { encrypts } else { signs || usage.key_agreement() };
        faults.add_if(!suits, Fault::KeyUsageNss, text);
    }
    faults.add_if(own.summary.is_ca, Fault::LeafIsCa, "it is a CA's certificate");
    let is_first = own.parsed.version() == X509Version::V1;
    faults.add_if(is_first, Fault::Version1, "it is of X.509 version 1");
    let names = own.parsed.extensions().iter().find(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::SubjectAlternativeName(_))
    });
    let is_critical = names.is_none_or(|names| names.critical);
    let is_empty = own.summary.subject.is_empty() && !is_critical;
    faults.add_if(is_empty, Fault::SubjectEmpty, "no subject, and names that are not critical");
}

const SGC_MICROSOFT: &str = "1.3.6.1.4.1.311.10.3.3";
const SGC_NETSCAPE: &str = "2.16.840.1.113730.4.1";

fn authority(depth: usize, link: &Link<'_>, faults: &mut Faults) {
    let subject = &link.summary.subject;
    faults.add_if(!link.summary.is_ca, Fault::CaIsNone, format!("{subject} is no CA"));
    let text = format!("the CA {subject} may not sign certificates");
    faults.add_if(!may_sign(link), Fault::CaKeyUsage, text);
    let purposes = &link.summary.purposes;
    let text = format!("the CA {subject} is for {} only", purposes.join(", "));
    if !purposes.is_empty() && !purposes.iter().any(|one| one == "serverAuth") {
        match link.summary.serves() {
            true => faults.add(Fault::CaPurposeAny, text),
            false => faults.add(Fault::CaPurpose, text),
        }
    }
    path_length(depth, link, Fault::PathLength, faults);
}

fn root(depth: usize, link: &Link<'_>, now: OffsetDateTime, faults: &mut Faults) {
    let subject = &link.summary.subject;
    validity(link, Fault::RootValidity, now, faults);
    path_length(depth, link, Fault::RootPathLength, faults);
    let text = format!("the root {subject} is no CA");
    match basic(link) {
        Some(basic) => faults.add_if(!basic.ca, Fault::RootIsNone, text),
        None if link.parsed.version() == X509Version::V1 => {}
        None => {
            let text = format!("the root {subject} does not say that it is a CA");
            faults.add_if(usage(link).is_none(), Fault::RootEmpty, text.clone());
            faults.add(Fault::RootBare, text);
        }
    }
    let text = format!("the root {subject} may not sign certificates");
    faults.add_if(!may_sign(link), Fault::RootKeyUsage, text);
    let text = format!("the root {subject} is for {} only", link.summary.purposes.join(", "));
    faults.add_if(!link.summary.serves(), Fault::RootPurpose, text);
    let text = format!("the root {subject} has a critical extension that is not known");
    faults.add_if(has_unknown_critical(link), Fault::RootCritical, text);
}

fn path_length(depth: usize, link: &Link<'_>, fault: Fault, faults: &mut Faults) {
    let limit = basic(link).and_then(|basic| basic.path_len_constraint);
    let is_over = limit.is_some_and(|limit| depth > limit as usize + 1);
    let text = format!("{} may not stand so high above", link.summary.subject);
    faults.add_if(is_over, fault, text);
}

fn constraints(own: &Link<'_>, above: &Link<'_>, fault: Fault, faults: &mut Faults) {
    let text = format!("{} may not issue for this name", above.summary.subject);
    let has_dns = own.summary.names.iter().any(|name| matches!(name, AlternativeName::Dns(_)));
    let common = super::super::common_name(own).filter(|_| !has_dns).map(AlternativeName::Dns);
    // A CN that is taken for a name is held to be one.
    let all = own.summary.names.iter().chain(common.as_ref());
    faults.add_if(!chain::forbidden(all, above).is_empty(), fault, text);
}

fn validity(link: &Link<'_>, fault: Fault, now: OffsetDateTime, faults: &mut Faults) {
    let (from, until) = (link.summary.not_before, link.summary.not_after);
    let what = if link.place == 0 && fault == Fault::Validity {
        "it".to_owned()
    } else {
        link.summary.subject.clone()
    };
    faults.add_if(now > until, fault, format!("{what} ended on {}", day(until)));
    faults.add_if(now < from, fault, format!("{what} begins on {}", day(from)));
}

/// Extensions that clients know (RFC 5280), besides those about policies.
const KNOWN: &[&str] = &[
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.35",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
];

fn has_unknown_critical(link: &Link<'_>) -> bool {
    let is_known = |oid: &str| KNOWN.contains(&oid);
    let mut critical = link.parsed.extensions().iter().filter(|extension| extension.critical);
    critical.any(|extension| !is_known(&extension.oid.to_id_string()))
}

fn critical(link: &Link<'_>, faults: &mut Faults) {
    let text = "a critical extension that is not known";
    faults.add_if(has_unknown_critical(link), Fault::Critical, text);
}

/// Policies that are demanded (RFC 5280 §4.2.1.11), and what is too much for some.
fn policies(path: &Path<'_, '_>, faults: &mut Faults) {
    let mut are_demanded = false;
    for link in path.links.iter().take(path.links.len() - usize::from(path.root().is_some())) {
        for extension in link.parsed.extensions() {
            let is_critical = extension.critical;
            let text = "policies in a critical extension";
            match extension.parsed_extension() {
                ParsedExtension::PolicyConstraints(constraints) => {
                    are_demanded |= constraints.require_explicit_policy.is_some();
                    faults.add_if(is_critical, Fault::PoliciesCritical, text);
                }
                ParsedExtension::PolicyMappings(_) | ParsedExtension::InhibitAnyPolicy(_) => {
                    faults.add_if(is_critical, Fault::PoliciesCritical, text);
                }
                ParsedExtension::CertificatePolicies(_) => {
                    faults.add_if(is_critical, Fault::PolicyCritical, text);
                }
                _ => {}
            }
        }
    }
    let has_some = path.own().parsed.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::CertificatePolicies(_))
    });
    let text = "its CA demands a policy, and it names none";
    faults.add_if(are_demanded && !has_some, Fault::PolicyMissing, text);
}

/// Signature algorithms by OID.
const SIGNATURES: [(&str, Fault, &str); 6] = [
    ("1.2.840.113549.1.1.4", Fault::Md5, "MD5"),
    ("1.2.840.113549.1.1.5", Fault::Sha1, "SHA-1"),
    ("1.2.840.10045.4.1", Fault::Sha1, "SHA-1"),
    ("1.2.840.113549.1.1.14", Fault::Sha224, "SHA-224"),
    ("1.2.840.10045.4.3.1", Fault::Sha224, "SHA-224"),
    ("1.3.14.3.2.29", Fault::Sha1, "SHA-1"),
];
const SHA_1: &str = "1.3.14.3.2.26";

fn signature(link: &Link<'_>, above: &Link<'_>, faults: &mut Faults) {
    let algorithm = &link.parsed.signature_algorithm;
    let oid = algorithm.algorithm.to_id_string();
    let what = if link.place == 0 { "" } else { "CA " };
    if let Some((_, fault, name)) = SIGNATURES.iter().find(|(known, ..)| *known == oid) {
        faults.add(*fault, format!("{what}signed with {name}"));
    }
    let Ok(SignatureAlgorithm::RSASSA_PSS(pss)) = SignatureAlgorithm::try_from(algorithm) else {
        return;
    };
    let hash = pss.hash_algorithm_oid().to_id_string();
    let text = format!("{what}signed with SHA-1 and RSASSA-PSS");
    faults.add_if(hash == SHA_1, Fault::Sha1Pss, text);
    let digest = DIGESTS.iter().find(|(known, _)| *known == hash).map(|(_, bytes)| *bytes);
    // A key that is for RSASSA-PSS only says itself how it signs.
    let is_plain = above.parsed.public_key().algorithm.algorithm.to_id_string() != KEY_PSS;
    let is_odd = is_plain && digest.is_some_and(|bytes| bytes != pss.salt_length());
    let text = format!("{what}signed with RSASSA-PSS and a salt of {} bytes", pss.salt_length());
    faults.add_if(is_odd, Fault::PssSalt, text);
}

/// SHA-256, SHA-384 and SHA-512, and how many bytes they have.
const DIGESTS: [(&str, u32); 3] = [
    ("2.16.840.1.101.3.4.2.1", 32),
    ("2.16.840.1.101.3.4.2.2", 48),
    ("2.16.840.1.101.3.4.2.3", 64),
];

const KEY_PSS: &str = "1.2.840.113549.1.1.10";
const ED25519: &str = "1.3.101.112";
const ED448: &str = "1.3.101.113";
const EC: &str = "1.2.840.10045.2.1";
/// The curves that TLS signs with.
const CURVES: [&str; 3] = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];
const P224: &str = "1.3.132.0.33";

fn key(depth: usize, link: &Link<'_>, faults: &mut Faults) {
    let key = link.parsed.public_key();
    let what = if depth == 0 { "" } else { "CA " };
    let kind = key.algorithm.algorithm.to_id_string();
    if let Ok(PublicKey::RSA(rsa)) = key.parsed() {
        let bits = rsa.key_size();
        let text = format!("{what}RSA {bits}");
        faults.add_if(bits < 1024, Fault::RsaTiny, text.clone());
        faults.add_if(bits < 2048, Fault::RsaShort, text.clone());
        faults.add_if(bits > 8192, Fault::RsaLong, text);
    }
    let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    let curve = curve.map(|oid| oid.to_id_string()).unwrap_or_default();
    let is_odd = kind == EC && !CURVES.contains(&curve.as_str());
    let text = format!("{what}key on the curve {curve}");
    match (is_odd, depth) {
        (true, 0) => faults.add(Fault::Curve, text),
        (true, _) if curve == P224 => faults.add(Fault::CaP224, text),
        (true, _) => faults.add(Fault::CaCurve, text),
        (false, _) => {}
    }
    let fault = if depth == 0 { Fault::KeyPss } else { Fault::CaPss };
    faults.add_if(kind == KEY_PSS, fault, format!("{what}RSASSA-PSS key"));
    faults.add_if(kind == ED25519, Fault::Ed25519, format!("{what}Ed25519 key"));
    faults.add_if(kind == ED448, Fault::Ed448, format!("{what}Ed448 key"));
}

fn basic(link: &Link<'_>) -> Option<BasicConstraints> {
    link.parsed.basic_constraints().ok().flatten().map(|extension| extension.value.clone())
}

fn usage(link: &Link<'_>) -> Option<KeyUsage> {
    link.parsed.key_usage().ok().flatten().map(|extension| *extension.value)
}

fn may_sign(link: &Link<'_>) -> bool {
    usage(link).is_none_or(|usage| usage.key_cert_sign())
}
