//! Whatever a field holds: nothing of it is left that says who it was.

use super::*;
use crate::doctor::facts::*;
use crate::doctor::rules::tests::{NOW, facts, node};

const HOST: &str = "dc7.corp.example";
const DN: &str = "uid=eva,ou=Ward 7,dc=corp,dc=example";
const URL: &str = "http://pki.corp.example/corp.crt";

/// Facts with something in every field that may name somebody.
fn telling() -> Facts {
    let text = |text: &str| text.to_owned();
    let address: std::net::SocketAddr = ([203, 0, 113, 9], 636).into();
    let refused = || Refused { code: Some(49), message: text("no eva at dc7"), matched: text(DN) };
    let ldap = Ldap {
        error: Some(format!("no answer from {HOST}")),
        naming_contexts: vec![text(DN)],
        vendor: Some(text("Corp, see corp.example")),
        ms: 1,
        current_time: None,
        capabilities: Vec::new(),
        mechanisms: Vec::new(),
        offers_start_tls: true,
        host: Some(text(HOST)),
        has_long_lengths: false,
    };
    let clear = Clear { root: Some(ldap.clone()), sign_in: Some(refused()) };
    let sibling = Sibling { port: 389, tcp: Tcp::Refused, clear: Some(clear), chain: Vec::new() };
    let mut node = Node { address, ldap: Some(ldap), siblings: vec![sibling], ..node(1) };
    if let Some(tls) = &mut node.tls {
        tls.end = End::NoStartTls { why: text("eva is not welcome") };
        tls.refused = Some(format!("not valid for {HOST}, only for *.corp.example"));
        tls.takes = vec![text(DN)];
    }
    let named = || Named { name: text(HOST), addresses: vec![address.ip()] };
    let search = Search {
        base: text(DN),
        filter: text("(uid=eva)"),
        count: 1,
        is_more: false,
        without_pages: None,
        references: vec![format!("ldap://{HOST}/{DN}")],
        refused: Some(refused()),
        ms: 1,
    };
    Facts {
        target: format!("ldaps://{HOST}"),
        name: text(HOST),
        resolved: Resolved::Found { addresses: vec![address.ip()], ms: 1 },
        application: Some(Application {
            address,
            signed_in_as: Some(text("CORP\\eva")),
            refused: Some(refused()),
            search: Some(search),
        }),
        trust: Trusted {
            source: text("/etc/corp/eva.pem"),
            subjects: vec![text(DN)],
            certificates: Vec::new(),
        },
        dns: Some(Dns {
            error: Some(format!("203.0.113.53:53: no answer about {HOST}")),
            addresses: vec![address.ip()],
            services: vec![text(HOST)],
            pointers: vec![named()],
            certificate: vec![named()],
        }),
        expected: Some(Expected::Address(address.ip())),
        completed: Some(Completed {
            fetched: vec![Fetched { url: text(URL), certificate: None, error: Some(text(URL)) }],
            is_trusted: false,
        }),
        revocation: Some(Revocation {
            urls: vec![text(URL)],
            read: Some(text(URL)),
            errors: vec![text(URL)],
            revoked: None,
        }),
        ..facts(vec![node])
    }
}

#[test]
fn nothing_is_left_in_any_field_or_finding() {
    let seen = Seen::judged(telling(), NOW);
    assert!(!seen.findings.is_empty());
    let codes = |one: &Seen| one.findings.iter().map(|one| one.code).collect::<Vec<_>>();
    let before = codes(&seen);
    let hidden = redacted(&Outcome::of(seen)).unwrap();
    assert_eq!(codes(&hidden.seen[0]), before);
    let said = format!("{} {}", hidden.json(), hidden.text()).to_lowercase();
    for original in ["corp", "eva", "ward", "dc7", "203.0.113", "pki"] {
        assert!(!said.contains(original), "{original} is left in {said}");
    }
    assert_eq!(hidden.seen[0].facts.port, 636);
    let again = redacted(&hidden).unwrap();
    assert_eq!(codes(&again.seen[0]), before, "what is redacted can be redacted");
}
