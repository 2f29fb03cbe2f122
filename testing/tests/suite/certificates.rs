//! The judgement of certificates beside OpenSSL's, on certificates that OpenSSL made.

use std::path::Path;
use std::process::Command;

use pki::judge::names::ServedName;
use pki::{Policy, Rule, Wanted, judge, pem};
use testing::peers::missing::{Peer, present};
use testing::process::{run, run_checked};
use time::OffsetDateTime;

pub(super) const NAME: &str = "ldap.example.com";

/// How a server's certificate and the CA that issues it are made, and what both say.
pub(super) struct Case {
    pub(super) what: &'static str,
    /// Arguments of `openssl genpkey` for the server's key.
    key: &'static [&'static str],
    /// Extensions of the server's certificate.
    own: &'static str,
    /// Extensions of the issuing CA.
    issuing: &'static str,
    /// Further arguments of `openssl x509 -req` for the server's certificate.
    sign: &'static [&'static str],
    /// Whether the issuing CA's certificate is sent.
    pub(super) is_sent: bool,
    /// What `openssl verify` says at security level 2, without the number of the error.
    openssl: Option<&'static str>,
    ours: &'static [Rule],
    /// What the doctor says first of a server with it that is no directory.
    pub(super) doctor: &'static str,
}

const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA_1024: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
const RSA_2048: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const SERVER: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n\
    extendedKeyUsage=serverAuth\nsubjectAltName=DNS:ldap.example.com\n";
const AUTHORITY: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";

const GOOD: Case = Case {
    what: "good",
    key: P256,
    own: SERVER,
    issuing: AUTHORITY,
    sign: &[],
    is_sent: true,
    openssl: None,
    ours: &[],
    doctor: "LDAP",
};

pub(super) const CASES: &[Case] = &[
    GOOD,
    Case { what: "RSA of 2048 bits", key: RSA_2048, ..GOOD },
    Case {
        what: "RSA of 1024 bits",
        key: RSA_1024,
        openssl: Some("key too weak"),
        ours: &[Rule::KeyUnsupported, Rule::KeyWeak],
        doctor: "WEAK-CRYPTO",
        ..GOOD
    },
    Case {
        what: "signed with SHA-1",
        sign: &["-sha1"],
        openssl: Some("digest algorithm too weak"),
        ours: &[Rule::SignatureWeak],
        doctor: "WEAK-CRYPTO",
        ..GOOD
    },
    Case {
        what: "expired",
        sign: &["-days", "-1"],
        openssl: Some("has expired"),
        ours: &[Rule::Expired],
        doctor: "CERT-EXPIRED",
        ..GOOD
    },
    Case {
        what: "for clients only",
        own: "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n\
              subjectAltName=DNS:ldap.example.com\n",
        openssl: Some("certificate purpose"),
        ours: &[Rule::Purpose],
        doctor: "EKU",
        ..GOOD
    },
    Case {
        what: "another name",
        own: "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n\
              subjectAltName=DNS:other.example.com\n",
        openssl: Some("hostname mismatch"),
        ours: &[Rule::NameNotCovered],
        doctor: "NAME-MISMATCH",
        ..GOOD
    },
    Case {
        what: "the name in the subject only: OpenSSL takes it",
        own: "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n",
        ours: &[Rule::NameOnlyInSubject],
        doctor: "CERT-NO-SAN",
        ..GOOD
    },
    Case {
        what: "a wildcard",
        own: "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n\
              subjectAltName=DNS:*.example.com\n",
        ..GOOD
    },
    Case {
        what: "a wildcard too high up",
        own: "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:*.com\n",
        openssl: Some("hostname mismatch"),
        ours: &[Rule::NameNotCovered],
        doctor: "NAME-MISMATCH",
        ..GOOD
    },
    Case {
        what: "the issuing CA is not sent",
        is_sent: false,
        openssl: Some("unable to get local issuer"),
        ours: &[Rule::ChainIncomplete],
        doctor: "TRUST-CHAIN",
        ..GOOD
    },
    Case {
        what: "issued by what is no CA",
        issuing: "basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\n",
        openssl: Some("invalid CA certificate"),
        ours: &[Rule::IssuerNotCa],
        doctor: "CERT-OTHER",
        ..GOOD
    },
    Case {
        what: "a CA for other names",
        issuing: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                  nameConstraints=critical,permitted;DNS:example.org\n",
        openssl: Some("permitted subtree violation"),
        ours: &[Rule::NameConstraint],
        doctor: "CERT-OTHER",
        ..GOOD
    },
    Case {
        what: "a CA's certificate as the server's: OpenSSL takes it",
        own: "basicConstraints=CA:TRUE\nsubjectAltName=DNS:ldap.example.com\n",
        ours: &[Rule::LeafIsCa],
        doctor: "CERT-OTHER",
        ..GOOD
    },
];

#[test]
fn both_judge_alike() {
    if !present("certificates", &[Peer::program("openssl", "/usr/bin/openssl")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    root(at);
    for case in CASES {
        make(at, case);
        let said = verify(at, case);
        match case.openssl {
            None => assert!(said.is_none(), "{}: OpenSSL says {said:?}", case.what),
            Some(expected) => {
                let said = said.unwrap_or_default();
                assert!(said.contains(expected), "{}: OpenSSL says {said:?}", case.what);
            }
        }
        let (rules, judgement) = ours(at, case);
        assert_eq!(rules, case.ours, "{}: {judgement}", case.what);
    }
}

/// The CA at the top.
pub(super) fn root(at: &Path) {
    key(at, "root", P256);
    let root = ["req", "-x509", "-new", "-key", "root.key", "-out", "root.pem", "-days", "3650"];
    let extensions =
        ["-subj", "/O=Example/CN=Root", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    openssl(at, &[&root[..], &extensions].concat());
}

pub(super) fn make(at: &Path, case: &Case) {
    key(at, "issuing", P256);
    sign(at, "issuing", "Issuing", "root", case.issuing, &[]);
    key(at, "own", case.key);
    sign(at, "own", NAME, "issuing", case.own, case.sign);
}

fn key(at: &Path, name: &str, arguments: &[&str]) {
    let file = format!("{name}.key");
    openssl(at, &[&["genpkey", "-out", &file], arguments].concat());
}

fn sign(at: &Path, name: &str, subject: &str, issuer: &str, extensions: &str, more: &[&str]) {
    let [key, request, out, texts] =
        ["key", "csr", "pem", "ext"].map(|ending| format!("{name}.{ending}"));
    let [issuer_pem, issuer_key] = ["pem", "key"].map(|ending| format!("{issuer}.{ending}"));
    std::fs::write(at.join(&texts), extensions).unwrap();
    let subject = format!("/O=Example/CN={subject}");
    openssl(at, &["req", "-new", "-key", &key, "-subj", &subject, "-out", &request]);
    let days: &[&str] = if more.contains(&"-days") { &[] } else { &["-days", "365"] };
    let sign = ["x509", "-req", "-in", &request, "-CA", &issuer_pem, "-CAkey", &issuer_key];
    let rest = ["-CAcreateserial", "-extfile", &texts, "-out", &out];
    openssl(at, &[&sign[..], &rest, days, more].concat());
}

fn openssl(at: &Path, arguments: &[&str]) {
    run_checked(Command::new("openssl").current_dir(at).args(arguments)).unwrap();
}

/// What OpenSSL has against it.
fn verify(at: &Path, case: &Case) -> Option<String> {
    let mut command = Command::new("openssl");
    command.current_dir(at).args(["verify", "-CAfile", "root.pem", "-auth_level", "2"]);
    command.args(["-purpose", "sslserver", "-verify_hostname", NAME]);
    if case.is_sent {
        command.args(["-untrusted", "issuing.pem"]);
    }
    let finished = run(command.arg("own.pem")).unwrap();
    (!finished.success()).then_some(finished.stderr)
}

fn ours(at: &Path, case: &Case) -> (Vec<Rule>, pki::Judgement) {
    let read = |name: &str| std::fs::read(at.join(name)).unwrap();
    let mut text = read("own.pem");
    if case.is_sent {
        text.extend(read("issuing.pem"));
    }
    let chain = pem::certificates(&text).unwrap();
    let key = pem::private_key(&read("own.key")).unwrap();
    let roots = pem::certificates(&read("root.pem")).unwrap();
    let names = [ServedName::parse(NAME).unwrap()];
    let wanted =
        Wanted { names: &names, roots: &roots, renews_itself: false, policy: Policy::default() };
    let judgement = judge::judge_server(&chain, Some(&key), &wanted, OffsetDateTime::now_utc());
    (judgement.findings.iter().map(|finding| finding.rule).collect(), judgement)
}
