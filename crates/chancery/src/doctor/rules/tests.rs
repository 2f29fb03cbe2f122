//! One change to what is well, and what is said of it. Certificates are in the suite, from OpenSSL.

use time::macros::datetime;

use super::trust::shares_an_organisation;
use super::*;
use crate::doctor::facts::{
    Application, Clear, Dns, Expected, Greeting, Idle, Ldap, Offered, Refused, Resolved,
    Revocation, Sibling, Tcp, Tls, Trusted, VERSION,
};

pub(in crate::doctor) const NOW: OffsetDateTime = datetime!(2030-01-01 00:00 UTC);

pub(in crate::doctor) fn node(last: u8) -> Node {
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
            takes: Vec::new(),
            ms: 1,
            speaks_ldap: None,
            speaks_tls: None,
        }),
        ldap: Some(root()),
        greetings: Vec::new(),
        without_name: None,
        in_small_packets: None,
        siblings: Vec::new(),
        idle: None,
    }
}

fn root() -> Ldap {
    Ldap {
        error: None,
        naming_contexts: Vec::new(),
        vendor: None,
        ms: 1,
        current_time: None,
        capabilities: Vec::new(),
        mechanisms: Vec::new(),
        offers_start_tls: false,
        host: None,
        has_long_lengths: false,
    }
}

fn greeting(offered: Offered, end: End) -> Greeting {
    let (version, suite) = (None, Some("A_SUITE".to_owned()));
    let (seconds, dh_bits, chain, text) = (None, None, Vec::new(), None);
    Greeting { offered, end, version, suite, seconds, dh_bits, chain, text }
}

/// In the clear on 389.
fn beside(root: Option<Ldap>, sign_in: Option<Refused>) -> Sibling {
    let clear = Some(Clear { root, sign_in });
    Sibling { port: 389, tcp: Tcp::Open { ms: 1 }, clear, chain: Vec::new() }
}

fn refused(code: u32) -> Refused {
    Refused { code: Some(code), message: String::new(), matched: String::new() }
}

pub(in crate::doctor) fn facts(nodes: Vec<Node>) -> Facts {
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
        dns: None,
        expected: None,
        completed: None,
        revocation: None,
        vantage: None,
        told: None,
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
    // It is said of an address that answers all the same, and is the cause where it does not.
    stray.nodes[0].address.set_ip([169, 254, 1, 1].into());
    let found = findings(&stray, NOW);
    assert_eq!((found[0].code, found[0].severity), ("DNS", Severity::Warning));
    stray.nodes[0].tcp = Tcp::TimedOut { ms: 1 };
    let found = findings(&stray, NOW);
    assert_eq!((found.len(), found[0].code, found[0].severity), (1, "DNS", Severity::Error));
    // One stray record beside a good one.
    stray.nodes.push(node(2));
    assert_eq!(said(&stray), ["DNS"]);
}

#[test]
fn names_that_lead_to_the_wrong_place() {
    let mut inside = facts(vec![node(1)]);
    let private = vec![[192, 168, 0, 1].into()];
    inside.resolved = Resolved::Found { addresses: private.clone(), ms: 1 };
    assert_eq!(said(&inside), [""; 0]);
    inside.expected = Some(Expected::Outside);
    assert_eq!(said(&inside), ["DNS"]);
    inside.expected = Some(Expected::Inside);
    assert_eq!(said(&inside), [""; 0]);
    inside.expected = Some(Expected::Address([192, 168, 0, 2].into()));
    assert_eq!(said(&inside), ["DNS"]);
    inside.expected = None;
    // A domain's name, and what /etc/hosts says against DNS.
    let dns = Dns { addresses: vec![[192, 0, 2, 1].into()], ..Dns::default() };
    inside.dns = Some(dns.clone());
    let found = findings(&inside, NOW);
    assert_eq!((found[0].code, found[0].severity), ("DNS", Severity::Warning));
    inside.nodes[0].tcp = Tcp::Refused;
    inside.nodes[0].ldap = None;
    assert_eq!(said(&inside), ["DNS"]);
    // A name that leads to this machine, where nothing listens.
    inside.resolved = Resolved::Found { addresses: vec![[127, 0, 1, 1].into()], ms: 1 };
    inside.dns = None;
    assert_eq!(said(&inside), ["DNS"]);
    inside.dns = Some(dns.clone());
    inside.resolved = Resolved::Failed { error: "no".to_owned(), ms: 1 };
    inside.nodes.clear();
    assert!(findings(&inside, NOW)[0].cause.contains("though DNS has it"));
    inside.dns = Some(Dns { services: vec!["dc1.corp.example".to_owned()], ..dns });
    assert!(findings(&inside, NOW)[0].fixes[0].contains("ldaps://dc1.corp.example"));
}

#[test]
fn ports_that_do_not_open() {
    for (tcp, code) in [
        (Tcp::Refused, "TCP-REFUSED"),
        (Tcp::Reset, "TCP-REFUSED"),
        (Tcp::TimedOut { ms: 3000 }, "TCP-FILTERED"),
        (Tcp::Unreachable { error: "no route".to_owned() }, "TCP-UNREACHABLE"),
    ] {
        let bad = Node { tcp: tcp.clone(), tls: None, ldap: None, ..node(1) };
        assert_eq!(said(&facts(vec![bad.clone()])), [code]);
        let other = Node { address: node(2).address, ..bad.clone() };
        let both = findings(&facts(vec![bad.clone(), other]), NOW);
        assert_eq!((both.len(), both[0].nodes.len()), (1, 2), "the same of both is said once");
        assert_eq!(said(&facts(vec![bad, node(2)])), ["ONE-BAD-NODE", code]);
        let mut up = Node { siblings: vec![beside(Some(root()), None)], ..node(1) };
        (up.tcp, up.tls, up.ldap) = (tcp.clone(), None, None);
        let found = findings(&facts(vec![up]), NOW);
        assert!(found[0].evidence.iter().any(|one| one.contains("port 389 is open")));
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
    let begun = with_tls(|tls| {
        tls.end = End::TimedOut;
        tls.speaks_tls = Some(true);
    });
    assert_eq!(said(&begun), ["SCHEME-MIX"]);
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
    both.application = Some(Application {
        address: node(1).address,
        signed_in_as: Some("cn=app".to_owned()),
        refused: Some(refused(49)),
        search: None,
    });
    assert_eq!(said(&both), ["AUTH"]);
}

#[test]
fn what_other_greetings_show() {
    let closed = |offered| greeting(offered, End::Closed);
    let done = |offered| greeting(offered, End::Done);
    let with = |greetings: Vec<Greeting>| {
        let mut facts = with_tls(|tls| tls.end = End::Closed);
        facts.nodes[0].greetings = greetings;
        findings(&facts, NOW).remove(0)
    };
    assert_eq!(with(vec![closed(Offered::Tls12), done(Offered::Tls11)]).code, "TLS-VERSION");
    assert_eq!(with(vec![closed(Offered::Tls12), done(Offered::Tls12Old)]).code, "TLS-VERSION");
    let mut weak = done(Offered::Tls12Old);
    weak.dh_bits = Some(1024);
    assert_eq!(with(vec![closed(Offered::Tls12), weak.clone()]).code, "WEAK-CRYPTO");
    // What is weak and not all there is is no reason.
    assert_eq!(with(vec![done(Offered::Tls12), weak]).code, "NO-LDAPS-CERT");
    let all = with(vec![closed(Offered::Tls12), closed(Offered::Tls10)]);
    assert_eq!((all.code, all.confidence), ("NO-LDAPS-CERT", Confidence::Likely));
    let mut certain = with_tls(|tls| tls.end = End::Closed);
    certain.nodes[0].siblings = vec![beside(Some(root()), None)];
    assert_eq!(findings(&certain, NOW)[0].confidence, Confidence::Certain);
}

#[test]
fn packets_that_are_lost() {
    let mut silent = with_tls(|tls| tls.end = End::TimedOut);
    assert_eq!(said(&silent), ["TLS-FAILED"]);
    silent.nodes[0].in_small_packets = Some(End::Done);
    assert_eq!(said(&silent), ["MTU"]);
    let mut large = facts(vec![node(1)]);
    large.nodes[0].greetings = vec![greeting(Offered::Tls13, End::Done)];
    large.nodes[0].greetings.push(greeting(Offered::Tls13Large, End::Done));
    assert_eq!(said(&large), [""; 0]);
    large.nodes[0].greetings[1].end = End::Reset;
    let found = findings(&large, NOW);
    assert_eq!((found[0].code, found[0].severity), ("MTU", Severity::Warning));
}

#[test]
fn names_in_the_handshake() {
    let refused = with_tls(|tls| tls.end = End::Alert { alert: "UnrecognisedName".to_owned() });
    assert_eq!(said(&refused), ["SNI"]);
}

#[test]
fn revoked_certificates_and_lists_that_cannot_be_had() {
    let with = |urls: &[&str], read: bool, revoked: bool| {
        let mut facts = facts(vec![node(1)]);
        facts.revocation = Some(Revocation {
            urls: urls.iter().map(|&url| url.to_owned()).collect(),
            read: read.then(|| "http://a".to_owned()),
            errors: Vec::new(),
            revoked: revoked.then(|| "yesterday".to_owned()),
        });
        said(&facts)
    };
    assert_eq!(with(&["http://a"], true, true), ["REVOKED"]);
    assert_eq!(with(&["http://a"], true, false), [""; 0]);
    assert_eq!(with(&["http://a"], false, false), ["REVOCATION"]);
    assert_eq!(with(&["ldap:///cn=x"], false, false), ["REVOCATION"]);
    assert_eq!(with(&[], false, false), [""; 0]);
}

#[test]
fn clocks_that_differ() {
    let mut skewed = facts(vec![node(1)]);
    let at = |text: &str| Some(text.to_owned());
    skewed.nodes[0].ldap.as_mut().unwrap().current_time = at("20300101000200.0Z");
    assert_eq!(said(&skewed), [""; 0]);
    skewed.nodes[0].ldap.as_mut().unwrap().current_time = at("20291231233000.0Z");
    let found = findings(&skewed, NOW);
    assert_eq!((found[0].code, found[0].severity), ("CLOCK", Severity::Warning));
    // Random numbers are no clock; two that are alike are.
    let greetings = |one, other| {
        let mut facts = facts(vec![node(1)]);
        for (offered, seconds) in [(Offered::Tls12, one), (Offered::Tls12Old, other)] {
            let seconds = Some(seconds);
            facts.nodes[0].greetings.push(Greeting { seconds, ..greeting(offered, End::Done) });
        }
        said(&facts)
    };
    assert_eq!(greetings(1_700_000_000, 3_000_000_000), [""; 0]);
    assert_eq!(greetings(1_700_000_000, 1_700_000_001), ["CLOCK"]);
    let before = findings(&facts(vec![node(1)]), datetime!(2001-01-01 00:00 UTC));
    assert_eq!((before[0].code, before[0].severity), ("CLOCK", Severity::Warning));
}

#[test]
fn directories_that_answer_oddly() {
    let mut long = facts(vec![node(1)]);
    long.nodes[0].ldap.as_mut().unwrap().has_long_lengths = true;
    let found = findings(&long, NOW);
    assert_eq!((found[0].code, found[0].severity), ("BER-QUIRK", Severity::Note));
    let mut idle = facts(vec![node(1)]);
    idle.nodes[0].idle = Some(Idle { seconds: 5, ended: None });
    assert_eq!(said(&idle), [""; 0]);
    idle.nodes[0].idle = Some(Idle { seconds: 5, ended: Some("closed".to_owned()) });
    assert_eq!(said(&idle), ["IDLE-DROP"]);
    for (code, expected) in [8, 13, 53]
        .map(|code| (code, "SIGNING-REQUIRED"))
        .into_iter()
        .chain([(49, "CLEAR-PASSWORDS")])
    {
        let mut clear = facts(vec![node(1)]);
        clear.nodes[0].siblings = vec![beside(None, Some(refused(code)))];
        assert_eq!(said(&clear), [expected]);
    }
}
