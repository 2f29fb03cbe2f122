//! Certificates with one fault each, made here, and what is said of them.

use std::net::IpAddr;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::families::Family;
use super::{Judgement, Level, Policy, Rule, ServedName, Wanted, judge_authority, judge_server};

const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);
const NAME: &str = "ldap.example.com";

/// A certificate that is being made, and the key it is made with.
struct Made {
    params: CertificateParams,
    key: KeyPair,
}

impl Made {
    fn new(common_name: &str) -> Made {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = NOW - Duration::days(30);
        params.not_after = NOW + Duration::days(365);
        Made { params, key: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() }
    }

    fn authority(common_name: &str) -> Made {
        Made::new(common_name).with(|params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        })
    }

    fn server(names: &[&str]) -> Made {
        Made::new(names.first().unwrap_or(&NAME)).with(|params| {
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        })
    }

    fn with(mut self, change: impl FnOnce(&mut CertificateParams)) -> Made {
        change(&mut self.params);
        self
    }

    fn by(&self, issuer: &Made) -> CertificateDer<'static> {
        let issuer = Issuer::from_params(&issuer.params, &issuer.key);
        self.params.signed_by(&self.key, &issuer).unwrap().der().clone()
    }

    fn by_itself(&self) -> CertificateDer<'static> {
        self.params.self_signed(&self.key).unwrap().der().clone()
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

fn alternative(name: &str) -> SanType {
    match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(Ia5String::try_from(name).unwrap()),
    }
}

/// Root, issuing CA, server.
struct Hierarchy {
    root: Made,
    issuing: Made,
    server: Made,
}

impl Hierarchy {
    fn new() -> Hierarchy {
        let (root, issuing) = (Made::authority("Root"), Made::authority("Issuing"));
        Hierarchy { root, issuing, server: Made::server(&[NAME]) }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.server.by(&self.issuing), self.issuing.by(&self.root)]
    }

    fn judge(&self, chain: &[CertificateDer<'static>]) -> Judgement {
        self.judge_for(chain, &[NAME], false)
    }

    fn judge_for(
        &self,
        chain: &[CertificateDer<'static>],
        names: &[&str],
        renews_itself: bool,
    ) -> Judgement {
        let names: Vec<ServedName> =
            names.iter().map(|name| ServedName::parse(name).unwrap()).collect();
        let roots = [self.root.by_itself()];
        let wanted =
            Wanted { names: &names, roots: &roots, renews_itself, policy: Policy::default() };
        judge_server(chain, Some(&self.server.private()), &wanted, NOW)
    }
}

type Change = fn(&mut CertificateParams);

/// A finding as far as tables go: rule, level, place in the chain.
type Told = (Rule, Level, usize);

fn found(judgement: &Judgement) -> Vec<Told> {
    let one = |finding: &super::Finding| (finding.rule, finding.level, finding.certificate);
    judgement.findings.iter().map(one).collect()
}

#[test]
fn a_good_chain_has_nothing_to_say_against_it() {
    let good = Hierarchy::new();
    let judgement = good.judge(&good.chain());
    assert_eq!(found(&judgement), []);
    assert!(judgement.passes());
    assert_eq!(judgement.to_string(), "nothing to say against it");
}

/// One thing is wrong with the server's own certificate.
#[test]
fn the_servers_own_certificate() {
    use Level::{Refused, Warning};
    let cases: [(&str, Change, &[Told]); 9] = [
        (
            "expired",
            |params| params.not_after = NOW - Duration::days(1),
            &[(Rule::Expired, Refused, 0)],
        ),
        (
            "in the future",
            |params| params.not_before = NOW + Duration::days(1),
            &[(Rule::NotYetValid, Refused, 0)],
        ),
        (
            "soon over",
            |params| params.not_after = NOW + Duration::days(89),
            &[(Rule::LifetimeShort, Warning, 0)],
        ),
        (
            "for clients",
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            &[(Rule::Purpose, Refused, 0)],
        ),
        ("for any purpose, told by no list", |params| params.extended_key_usages = Vec::new(), &[]),
        (
            "does not sign",
            |params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement],
            &[(Rule::KeyUsage, Refused, 0)],
        ),
        (
            "a CA",
            |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            &[(Rule::LeafIsCa, Warning, 0)],
        ),
        (
            "named in the subject only",
            |params| params.subject_alt_names = Vec::new(),
            &[(Rule::NameOnlyInSubject, Warning, 0)],
        ),
        (
            "named in the subject, beside another name",
            |params| params.subject_alt_names = vec![alternative("other.example.com")],
            &[(Rule::NameNotCovered, Refused, 0)],
        ),
    ];
    for (what, change, expected) in cases {
        let mut hierarchy = Hierarchy::new();
        hierarchy.server = hierarchy.server.with(change);
        let judgement = hierarchy.judge(&hierarchy.chain());
        assert_eq!(found(&judgement), expected, "{what}: {judgement}");
        let refuses = expected.iter().any(|(_, level, _)| *level == Refused);
        assert_eq!(judgement.passes(), !refuses, "{what}");
    }
}

#[test]
fn names_of_every_kind() {
    let cases: [(&[&str], &[&str], &[&str]); 7] = [
        (&[NAME], &[NAME], &[]),
        (&["*.example.com"], &[NAME, "dc2.example.com"], &[]),
        (&["*.example.com"], &["example.com"], &["example.com"]),
        (&["*.example.com"], &["a.b.example.com"], &["a.b.example.com"]),
        (&[NAME, "192.0.2.1"], &[NAME, "192.0.2.1"], &[]),
        (&[NAME], &[NAME, "192.0.2.1", "dc2.example.com"], &["192.0.2.1", "dc2.example.com"]),
        (&["192.0.2.1"], &[NAME], &[NAME]),
    ];
    for (held, wanted, missing) in cases {
        let mut hierarchy = Hierarchy::new();
        hierarchy.server = Made::server(held).with(|params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, "server");
        });
        let judgement = hierarchy.judge_for(&hierarchy.chain(), wanted, false);
        let expected: Vec<String> =
            missing.iter().map(|n| format!("{n} among the subject alternative names")).collect();
        let told: Vec<&str> =
            judgement.of(Rule::NameNotCovered).map(|one| one.expected.as_str()).collect();
        assert_eq!(told, expected, "{held:?} for {wanted:?}: {judgement}");
        assert_eq!(judgement.findings.len(), missing.len(), "{judgement}");
    }
}

#[test]
fn a_certificate_that_renews_itself_may_be_short() {
    let mut hierarchy = Hierarchy::new();
    hierarchy.server = hierarchy.server.with(|params| params.not_after = NOW + Duration::days(6));
    assert_eq!(found(&hierarchy.judge_for(&hierarchy.chain(), &[NAME], true)), []);
}

#[test]
fn the_chain_above() {
    use Level::{Note, Refused, Warning};
    let plain = Hierarchy::new();
    let [own, issuing] = [plain.server.by(&plain.issuing), plain.issuing.by(&plain.root)];
    let root = plain.root.by_itself();
    let twin = Made::authority("Issuing");
    let stranger = Made::authority("Stranger").by_itself();
    let cases: [(&str, Vec<CertificateDer<'static>>, &[Told]); 7] = [
        ("whole", vec![own.clone(), issuing.clone()], &[]),
        ("no intermediate", vec![own.clone()], &[(Rule::ChainIncomplete, Warning, 0)]),
        (
            "with the root",
            vec![own.clone(), issuing.clone(), root.clone()],
            &[(Rule::ChainSurplus, Note, 2)],
        ),
        (
            "turned round",
            vec![own.clone(), root.clone(), issuing.clone()],
            &[(Rule::ChainOrder, Warning, 2), (Rule::ChainSurplus, Note, 1)],
        ),
        (
            "with somebody else's",
            vec![own.clone(), issuing.clone(), stranger],
            &[(Rule::ChainSurplus, Note, 2)],
        ),
        (
            "the issuer's name with another key",
            vec![own.clone(), twin.by(&plain.root)],
            &[(Rule::ChainBroken, Refused, 0)],
        ),
        (
            "the right one is found among two of the name",
            vec![own, twin.by(&plain.root), issuing],
            &[(Rule::ChainOrder, Warning, 2), (Rule::ChainSurplus, Note, 1)],
        ),
    ];
    for (what, chain, expected) in cases {
        let judgement = plain.judge(&chain);
        assert_eq!(found(&judgement), expected, "{what}: {judgement}");
    }
}

/// One thing is wrong with the issuing CA.
#[test]
fn the_issuer() {
    use Level::Refused;
    let cases: [(&str, Change, &[Told]); 7] = [
        ("no CA", |params| params.is_ca = IsCa::ExplicitNoCa, &[(Rule::IssuerNotCa, Refused, 1)]),
        (
            "may not sign certificates",
            |params| params.key_usages = vec![KeyUsagePurpose::CrlSign],
            &[(Rule::IssuerNotCa, Refused, 1)],
        ),
        (
            "expired",
            |params| params.not_after = NOW - Duration::days(1),
            &[(Rule::Expired, Refused, 1)],
        ),
        (
            "for these names",
            |params| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("example.com".to_owned())],
                    excluded_subtrees: Vec::new(),
                });
            },
            &[],
        ),
        (
            "for other names",
            |params| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
                    excluded_subtrees: Vec::new(),
                });
            },
            &[(Rule::NameConstraint, Refused, 0)],
        ),
        (
            "not for this name",
            |params| {
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: Vec::new(),
                    excluded_subtrees: vec![GeneralSubtree::DnsName(NAME.to_owned())],
                });
            },
            &[(Rule::NameConstraint, Refused, 0)],
        ),
        (
            "with room for no CA below",
            |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
            &[],
        ),
    ];
    for (what, change, expected) in cases {
        let mut hierarchy = Hierarchy::new();
        hierarchy.issuing = hierarchy.issuing.with(change);
        let judgement = hierarchy.judge(&hierarchy.chain());
        assert_eq!(found(&judgement), expected, "{what}: {judgement}");
    }
}

#[test]
fn a_path_longer_than_the_root_allows() {
    let mut hierarchy = Hierarchy::new();
    hierarchy.root =
        hierarchy.root.with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let mut chain = hierarchy.chain();
    chain.push(hierarchy.root.by_itself());
    let judgement = hierarchy.judge(&chain);
    let expected = [(Rule::PathLength, Level::Refused, 2), (Rule::ChainSurplus, Level::Note, 2)];
    assert_eq!(found(&judgement), expected, "{judgement}");
}

#[test]
fn keys() {
    let hierarchy = Hierarchy::new();
    let wanted = Wanted::default();
    let other = Made::new("other").private();
    for (key, expected) in [(None, Rule::KeyMissing), (Some(&other), Rule::KeyMismatch)] {
        let judgement = judge_server(&hierarchy.chain(), key, &wanted, NOW);
        assert!(judgement.of(expected).count() == 1 && !judgement.passes(), "{judgement}");
    }
}

#[test]
fn all_findings_come_at_once_the_heaviest_first() {
    let mut hierarchy = Hierarchy::new();
    hierarchy.server = hierarchy.server.with(|params| {
        params.not_after = NOW - Duration::days(1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = Vec::new();
    });
    let judgement = hierarchy.judge(&[hierarchy.server.by(&hierarchy.issuing)]);
    let rules: Vec<Rule> = judgement.findings.iter().map(|finding| finding.rule).collect();
    let expected = [Rule::Purpose, Rule::Expired, Rule::NameOnlyInSubject, Rule::ChainIncomplete];
    assert_eq!(rules, expected, "{judgement}");
    let text = judgement.to_string();
    for part in ["refused: purpose (CN=ldap.example.com)", "clientAuth", "accepted by OpenSSL"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = serde_json::to_value(&judgement).unwrap();
    assert_eq!(json["findings"][0]["rule"], "purpose");
    assert_eq!(json["findings"][0]["level"], "refused");
}

#[test]
fn what_is_no_certificate_is_said_so() {
    let hierarchy = Hierarchy::new();
    let mut chain = hierarchy.chain();
    chain.push(CertificateDer::from(b"nothing".to_vec()));
    let judgement = hierarchy.judge(&chain);
    assert_eq!(found(&judgement), [(Rule::Unreadable, Level::Refused, 2)]);
    assert_eq!(found(&hierarchy.judge(&[])), [(Rule::Unreadable, Level::Refused, 0)]);
}

#[test]
fn authorities() {
    let policy = Policy::default();
    let root = Made::authority("Root");
    assert_eq!(found(&judge_authority(&root.by_itself(), &policy, NOW)), []);
    let server = Made::server(&[NAME]).by(&root);
    let judgement = judge_authority(&server, &policy, NOW);
    assert_eq!(found(&judgement), [(Rule::IssuerNotCa, Level::Refused, 0)]);
    let later = NOW + Duration::days(400);
    let judgement = judge_authority(&root.by_itself(), &policy, later);
    assert_eq!(found(&judgement), [(Rule::Expired, Level::Refused, 0)]);
}

#[test]
fn identifiers_are_those_of_the_json() {
    for rule in Rule::ALL {
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.id());
    }
    let accepting = |has_dns_names| {
        Family::ALL.iter().filter(|one| one.accepts_common_name(has_dns_names)).count()
    };
    assert_eq!((accepting(false), accepting(true)), (5, 0));
}
