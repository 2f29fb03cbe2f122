//! Servers side by side, one of them unlike the others.

use std::net::SocketAddr;

use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use time::Duration;

use super::*;
use crate::doctor::facts::Facts;
use crate::doctor::rules::tests::{NOW, facts, node};

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of so many days, which ends so many days from now.
fn chain(ca: &CertifiedIssuer<'_, KeyPair>, lifetime: i64, left: i64, sent: usize) -> Vec<String> {
    let mut params = CertificateParams::new(["dc.corp.example".to_owned()]).unwrap();
    params.not_after = NOW + Duration::days(left);
    params.not_before = params.not_after - Duration::days(lifetime);
    let own = params.signed_by(&KeyPair::generate().unwrap(), ca).unwrap();
    let own = Tls::encode(own.der());
    std::iter::once(own).chain((1..sent).map(|_| Tls::encode(ca.der()))).collect()
}

fn server(name: &str, last: u8, chain: Vec<String>) -> Seen {
    let mut node = node(last);
    if let Some(tls) = &mut node.tls {
        tls.chain = chain;
    }
    let facts = Facts { name: name.to_owned(), ..facts(vec![node]) };
    Seen { facts, findings: Vec::new(), accepting: None }
}

fn said(members: &[Seen]) -> Vec<(&'static str, String)> {
    let all = findings("corp.example", members, &[]);
    all.into_iter().map(|one| (one.code, one.cause)).collect()
}

#[test]
fn alike_servers_are_well_whenever_their_certificates_end() {
    let ca = authority("Issuing");
    let ends = [300, 310, 320, 350, 250];
    let members: Vec<Seen> = (1..)
        .zip(ends)
        .map(|(last, left)| server(&format!("dc{last}"), last, chain(&ca, 365, left, 2)))
        .collect();
    assert_eq!(said(&members), []);
    assert_eq!(table(&members).lines().count(), 5);
    assert!(table(&members).lines().all(|line| line.starts_with("✓ dc")), "{}", table(&members));
}

#[test]
fn a_certificate_unlike_the_others_is_named() {
    let (ca, other) = (authority("Issuing"), authority("Other"));
    let usual = || chain(&ca, 365, 300, 2);
    for (odd, evidence) in [
        (chain(&other, 365, 300, 2), "dc3: issued by CN=Other; others: CN=Issuing"),
        (chain(&ca, 90, 60, 2), "dc3: a lifetime of 90 days; others: 365 days"),
        (chain(&ca, 365, 300, 1), "dc3: a chain of 1 certificate(s); others: 2 certificate(s)"),
        (chain(&ca, 365, 40, 2), "dc3: ends on 2030-02-10, long before the others"),
    ] {
        let members = [server("dc1", 1, usual()), server("dc2", 2, usual()), server("dc3", 3, odd)];
        let all = findings("corp.example", &members, &[]);
        let [one] = all.as_slice() else { panic!("{evidence}: {all:?}") };
        assert_eq!((one.code, one.severity), ("WRONG-CERT", Severity::Warning));
        assert!(one.evidence.iter().any(|line| line == evidence), "{:?}", one.evidence);
        assert_eq!(one.nodes, [SocketAddr::from(([192, 0, 2, 3], 636))]);
    }
}

#[test]
fn the_one_that_fails_comes_first_and_all_of_them_are_no_odd_ones() {
    let fault = || Finding::new("TCP-REFUSED", Layer::Tcp, "refused").fix("start it");
    let bad = |name: &str, last| Seen { findings: vec![fault()], ..server(name, last, Vec::new()) };
    let members = [server("dc1", 1, Vec::new()), bad("dc2", 2)];
    let all = said(&members);
    let first = ("ONE-BAD-NODE", "1 of 2 servers of corp.example fails: dc2".to_owned());
    assert_eq!(all, [first, ("TCP-REFUSED", "dc2: refused".to_owned())]);
    assert_eq!(
        said(&[bad("dc1", 1), bad("dc2", 2)]),
        [("TCP-REFUSED", "dc1, dc2: refused".to_owned())]
    );
    let left_out = findings("corp.example", &[], &["dc.other.example".to_owned()]);
    assert_eq!(left_out.first().map(|one| one.severity), Some(Severity::Warning));
}
