//! Candidates from one CA, and which of them is served.

use time::Duration;
use time::macros::datetime;

use super::*;
use crate::authority::{CA_LIFETIME, CaMaterial, InHouseCa};
use crate::judge::names::ServedName;
use crate::pem;

const NOW: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);

struct Ca(CaMaterial);

impl Ca {
    fn new() -> Ca {
        Ca(InHouseCa::create("Test CA", NOW, CA_LIFETIME, [9; 16]).unwrap())
    }

    fn root(&self) -> CertificateDer<'static> {
        pem::certificates(self.0.cert_pem.as_bytes()).unwrap().remove(0)
    }

    fn candidate(&self, source: &str, names: &[&str], days: i64, serial: u8) -> Candidate {
        let ca = InHouseCa::open(&self.0).unwrap();
        let issued = ca.issue_server(names, NOW, Duration::days(days), [serial; 16]).unwrap();
        Candidate {
            source: source.to_owned(),
            renews_itself: false,
            chain: pem::certificates(issued.chain_pem.as_bytes()).unwrap(),
            key: Some(pem::private_key(issued.key_pem.as_bytes()).unwrap()),
        }
    }
}

fn verdicts(choice: &Choice) -> Vec<(&str, Verdict)> {
    choice.candidates.iter().map(|one| (one.source.as_str(), one.verdict)).collect()
}

fn choose_for(ca: &Ca, candidates: &[Candidate], names: &[&str], now: OffsetDateTime) -> Choice {
    let names: Vec<_> = names.iter().map(|name| ServedName::parse(name).unwrap()).collect();
    let roots = [ca.root()];
    let wanted = Wanted { names: &names, roots: &roots, ..Wanted::default() };
    choose(candidates, &wanted, now).0
}

#[test]
fn each_reason_in_its_order_whatever_the_order_of_the_files() {
    let ca = Ca::new();
    let name = "ldap.example.com";
    let mut candidates = vec![
        ca.candidate("long", &[name], 300, 1),
        ca.candidate("longer", &[name], 350, 2),
        ca.candidate("warned", &[name], 50, 3),
        ca.candidate("other name", &["mail.example.com"], 390, 4),
        ca.candidate("no key", &[name], 390, 5),
    ];
    candidates.last_mut().unwrap().key = None;
    let expected = [
        ("long", Verdict::EndsEarlier),
        ("longer", Verdict::Chosen),
        ("warned", Verdict::MoreWarnings),
        ("other name", Verdict::Refused),
        ("no key", Verdict::Refused),
    ];
    for _ in 0..candidates.len() {
        candidates.rotate_left(1);
        let choice = choose_for(&ca, &candidates, &[name], NOW);
        let mut found = verdicts(&choice);
        found.sort_unstable_by_key(|(source, _)| {
            expected.iter().position(|(other, _)| other == source)
        });
        assert_eq!(found, expected);
        assert_eq!(choice.winner().unwrap().source, "longer");
    }
}

#[test]
fn equals_are_told_apart_by_thumbprint_and_the_same_twice_is_named() {
    let ca = Ca::new();
    let one = ca.candidate("one", &["a.example"], 200, 1);
    let other = ca.candidate("other", &["a.example"], 200, 2);
    let again = Candidate { source: "again".to_owned(), ..copy(&one) };
    let choice = choose_for(&ca, &[one, again, other], &["a.example"], NOW);
    let thumbprint = |at: usize| choice.candidates[at].summary.clone().unwrap().thumbprint;
    let expected = match thumbprint(0) < thumbprint(2) {
        true => [Verdict::Chosen, Verdict::Same, Verdict::LargerThumbprint],
        false => [Verdict::LargerThumbprint, Verdict::LargerThumbprint, Verdict::Chosen],
    };
    let found: Vec<_> = choice.candidates.iter().map(|one| one.verdict).collect();
    assert_eq!(found, expected);
}

fn copy(of: &Candidate) -> Candidate {
    Candidate {
        source: of.source.clone(),
        renews_itself: of.renews_itself,
        chain: of.chain.clone(),
        key: of.key.as_ref().map(PrivateKeyDer::clone_key),
    }
}

#[test]
fn when_the_best_expires_the_next_is_chosen_and_in_the_end_none() {
    let ca = Ca::new();
    let candidates = [
        ca.candidate("long", &["a.example"], 300, 1),
        ca.candidate("short", &["a.example"], 20, 2),
    ];
    for (days, chosen) in [(0, Some("long")), (25, Some("long")), (301, None)] {
        let choice = choose_for(&ca, &candidates, &["a.example"], NOW + Duration::days(days));
        assert_eq!(choice.winner().map(|one| one.source.as_str()), chosen, "after {days} days");
    }
    assert!(choose_for(&ca, &[], &[], NOW).winner().is_none());
    let said = choose_for(&ca, &candidates, &["a.example"], NOW).to_string();
    let lines = ["long\n  chosen", "valid      2027-03-01 11:00 UTC to 2027-12-26 12:00 UTC"];
    assert!(lines.iter().all(|line| said.contains(line)), "{said}");
}

#[test]
fn what_renews_itself_is_not_warned_of_and_so_preferred() {
    let ca = Ca::new();
    let mut renewed = ca.candidate("renewed", &["a.example"], 30, 1);
    renewed.renews_itself = true;
    let by_hand = ca.candidate("by hand", &["a.example"], 60, 2);
    let choice = choose_for(&ca, &[by_hand, renewed], &["a.example"], NOW);
    assert_eq!(choice.winner().unwrap().source, "renewed");
}

#[test]
fn a_chain_is_sent_in_order_and_without_its_root() {
    let ca = Ca::new();
    let leaf = ca.candidate("leaf", &["a.example"], 30, 1).chain.remove(0);
    let stranger = Ca::new().root();
    assert_eq!(in_order(&[leaf.clone(), ca.root(), stranger]), std::slice::from_ref(&leaf));
    assert_eq!(in_order(&[]), []);
    assert_eq!(in_order(&[CertificateDer::from(vec![1, 2])]), [CertificateDer::from(vec![1, 2])]);
}

#[test]
fn issuers_follow_whom_they_issued_however_the_file_has_them() {
    let root = InHouseCa::create_root("Root", NOW, CA_LIFETIME, [1; 16]).unwrap();
    let signer = InHouseCa::open(&root).unwrap();
    let issuing = signer.issue_authority("Issuing", None, NOW, CA_LIFETIME, [2; 16]).unwrap();
    let signer = InHouseCa::open(&issuing).unwrap();
    let made = signer.issue_server(&["a.example"], NOW, Duration::days(9), [3; 16]).unwrap();
    let one = |text: &str| pem::certificates(text.as_bytes()).unwrap().remove(0);
    let (leaf, issuing, root) = (one(&made.chain_pem), one(&issuing.cert_pem), one(&root.cert_pem));
    let expected = [leaf.clone(), issuing.clone()];
    for given in [
        vec![leaf.clone(), issuing.clone()],
        vec![leaf.clone(), root.clone(), issuing.clone()],
        vec![leaf.clone(), Ca::new().root(), issuing.clone(), issuing.clone(), root.clone()],
    ] {
        assert_eq!(in_order(&given), expected);
    }
}
