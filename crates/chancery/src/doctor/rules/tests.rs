//! One change to what is well, and what is said of it. Certificates are in the suite, from OpenSSL.

use time::macros::datetime;

use super::*;
use crate::doctor::facts::{Application, Ldap, Refused, Trusted, VERSION};

const NOW: OffsetDateTime = datetime!(2030-01-01 00:00 UTC);

fn node(last: u8) -> Node {
    Node {
        address: SocketAddr::from(([192, 0, 2, last], 636)),
        tcp: Tcp::Open { ms: 1 },
        tls: Some(Tls {
            end: End::Done,
            version: Some("TLSv1.3".to_owned()),
            suite: None,
            chain: Vec::new(),
            refused: None,
            issuer_unknown: false,
            asked_for_certificate: false,
            ms: 1,
            speaks_ldap: None,
        }),
        ldap: Some(Ldap { error: None, naming_contexts: Vec::new(), vendor: None, ms: 1 }),
    }
}

fn facts(nodes: Vec<Node>) -> Facts {
    let addresses = nodes.iter().map(|node| node.address.ip()).collect();
    Facts {
        version: VERSION,
        target: "ldaps://dc1.corp.example".to_owned(),
        name: "dc1.corp.example".to_owned(),
        port: 636,
        starttls: false,
        at: "2030-01-01T00:00:00Z".to_owned(),
        resolved: Resolved::Found { addresses, ms: 1 },
        nodes,
        application: None,
        trust: Trusted { source: "a test".to_owned(), ..Trusted::default() },
    }
}

fn said(facts: &Facts) -> Vec<&'static str> {
    findings(facts, NOW).iter().map(|one| one.code).collect()
}

fn with_tls(change: impl FnOnce(&mut Tls)) -> Facts {
    let mut node = node(1);
    node.ldap = None;
    change(node.tls.as_mut().unwrap());
    facts(vec![node])
}

#[test]
fn nothing_is_said_of_what_is_well() {
    assert_eq!(said(&facts(vec![node(1), node(2)])), [""; 0]);
    // Asking for a certificate is no fault where the handshake is done without one.
    assert_eq!(said(&with_tls(|tls| tls.asked_for_certificate = true)), [""; 0]);
}

#[test]
fn names_that_lead_nowhere() {
    let mut none = facts(Vec::new());
    assert_eq!(said(&none), ["DNS"]);
    none.resolved = Resolved::Failed { error: "no such name".to_owned(), ms: 1 };
    assert_eq!(said(&none), ["DNS"]);
    let mut stray = facts(vec![node(1)]);
    stray.resolved = Resolved::Found { addresses: vec![[169, 254, 1, 1].into()], ms: 1 };
    let found = findings(&stray, NOW);
    assert_eq!((found[0].code, found[0].severity), ("DNS", Severity::Warning));
}

#[test]
fn ports_that_do_not_open() {
    for (tcp, code) in [
        (Tcp::Refused, "TCP-REFUSED"),
        (Tcp::Reset, "TCP-REFUSED"),
        (Tcp::TimedOut { ms: 3000 }, "TCP-FILTERED"),
        (Tcp::Unreachable { error: "no route".to_owned() }, "TCP-UNREACHABLE"),
    ] {
        let bad = Node { tcp, tls: None, ldap: None, ..node(1) };
        assert_eq!(said(&facts(vec![bad.clone()])), [code]);
        let other = Node { address: node(2).address, ..bad.clone() };
        let both = findings(&facts(vec![bad.clone(), other]), NOW);
        assert_eq!((both.len(), both[0].nodes.len()), (1, 2), "the same of both is said once");
        assert_eq!(said(&facts(vec![bad, node(2)])), ["ONE-BAD-NODE", code]);
    }
}

#[test]
fn handshakes_that_end() {
    let alert = |alert: &str| End::Alert { alert: alert.to_owned() };
    for (end, code) in [
        (End::NotTls, "SCHEME-MIX"),
        (End::NoStartTls { why: "no".to_owned() }, "SCHEME-MIX"),
        (End::Closed, "NO-LDAPS-CERT"),
        (End::Reset, "NO-LDAPS-CERT"),
        (alert("ProtocolVersion"), "TLS-VERSION"),
        (alert("HandshakeFailure"), "TLS-VERSION"),
        (alert("InternalError"), "TLS-FAILED"),
        (End::TimedOut, "TLS-FAILED"),
        (End::Other { error: "odd".to_owned() }, "TLS-FAILED"),
    ] {
        assert_eq!(said(&with_tls(|tls| tls.end = end.clone())), [code], "{end:?}");
        let speaks = with_tls(|tls| {
            tls.end = end.clone();
            tls.speaks_ldap = Some(true);
        });
        assert_eq!(said(&speaks), ["SCHEME-MIX"], "{end:?}");
    }
    let asked = with_tls(|tls| {
        tls.end = alert("CertificateRequired");
        tls.asked_for_certificate = true;
    });
    assert_eq!(said(&asked), ["MTLS"]);
}

#[test]
fn what_is_no_directory() {
    let mut node = node(1);
    node.ldap.as_mut().unwrap().error = Some("closed".to_owned());
    assert_eq!(said(&facts(vec![node])), ["LDAP"]);
}

#[test]
fn organisations_are_compared_and_not_guessed() {
    assert!(shares_an_organisation("CN=Root,O=Corp", "CN=Issuing,O=corp"));
    assert!(shares_an_organisation("CN=a,DC=corp,DC=example", "CN=b,DC=corp,DC=example"));
    assert!(!shares_an_organisation("CN=Root", "CN=Issuing"));
    assert!(!shares_an_organisation("CN=Root,O=Other", "CN=Issuing,O=Corp"));
}

#[test]
fn a_sign_in_that_one_address_refused_makes_it_no_bad_one() {
    let mut both = facts(vec![node(1), node(2)]);
    let refused = Refused { code: Some(49), message: String::new(), matched: String::new() };
    both.application = Some(Application {
        address: node(1).address,
        signed_in_as: Some("cn=app".to_owned()),
        refused: Some(refused),
        search: None,
    });
    assert_eq!(said(&both), ["AUTH"]);
}
