//! Packets that do not arrive: on two machines of their own, with a packet filter.

use anyhow::Result;

use crate::lab::certificates::{GOOD, Variant};
use crate::lab::network::{SECOND, SERVER, Two};
use crate::lab::stacks::{self, Slapd};
use crate::lab::{Fault, Lab, NAME, Setup};
use crate::ports;

pub(super) fn faults() -> Vec<Fault> {
    const INPUT: &str = "chain input { type filter hook input priority 0;";
    const OUTPUT: &str = "chain output { type filter hook output priority 0;";
    let mut all = Vec::new();
    for (id, cause, hook, rule) in [
        ("drop-636", "TCP-FILTERED", INPUT, "tcp dport 636 drop"),
        ("drop-everything", "TCP-FILTERED", INPUT, "iifname eth0 drop"),
        ("drop-answers", "TCP-FILTERED", OUTPUT, "tcp sport 636 drop"),
        ("reject-by-reset", "TCP-REFUSED", INPUT, "tcp dport 636 reject with tcp reset"),
        ("reject-as-closed", "TCP-REFUSED", INPUT, "tcp dport 636 reject"),
        (
            "reject-as-prohibited",
            "TCP-UNREACHABLE",
            INPUT,
            "tcp dport 636 reject with icmpx admin-prohibited",
        ),
        (
            "reset-of-the-hello",
            "NO-LDAPS-CERT",
            INPUT,
            "tcp dport 636 tcp flags & psh == psh reject with tcp reset",
        ),
        ("drop-of-the-hello", "TLS-FAILED", INPUT, "tcp dport 636 tcp flags & psh == psh drop"),
        ("large-answers-are-lost", "MTU", OUTPUT, "tcp sport 636 meta length > 600 drop"),
        ("large-hellos-are-lost", "MTU", INPUT, "tcp dport 636 meta length > 1200 drop"),
    ] {
        let rules = format!("{hook} {rule}; }}");
        all.push(
            Fault::new(id, "slapd", cause, move |lab| filtered(lab, &rules))
                .mended(|lab| filtered(lab, ""))
                .on_machines(),
        );
    }
    all.push(
        Fault::new("drop-at-the-client", "slapd", "TCP-FILTERED", |lab| {
            let material = GOOD.make(lab)?;
            let mut two = Two::new(lab)?;
            let held = two.directory(lab, Some(&material))?;
            two.filter_client(&format!("{OUTPUT} tcp dport 636 drop; }}"))?;
            Ok(two.looked_at_there(&material, held))
        })
        .mended(|lab| filtered(lab, ""))
        .on_machines(),
    );
    all.extend(addresses());
    all
}

/// slapd on a machine with these rules of its packet filter.
fn filtered(lab: &Lab, rules: &str) -> Result<Setup> {
    let material = GOOD.make(lab)?;
    let mut two = Two::new(lab)?;
    let held = two.directory(lab, Some(&material))?;
    two.filter(rules)?;
    Ok(two.looked_at_there(&material, held))
}

fn addresses() -> Vec<Fault> {
    let there = |lab: &Lab, address: &str, rules: &str| -> Result<Setup> {
        let material = GOOD.make(lab)?;
        let mut two = Two::new(lab)?;
        let held = two.directory(lab, Some(&material))?;
        two.filter(rules)?;
        let target = format!("ldaps://{NAME}");
        Ok(two.looked_at(&[&target, "--address", SERVER, "--address", address], &material, held))
    };
    let second = format!("chain input {{ type filter hook input priority 0; ip daddr {SECOND}");
    let (dropped, rejected) =
        (format!("{second} tcp dport 636 drop; }}"), format!("{second} tcp dport 636 reject; }}"));
    vec![
        Fault::new("ldaps-not-switched-on", "slapd", "TCP-REFUSED", |lab| {
            let material = GOOD.make(lab)?;
            let mut two = Two::new(lab)?;
            let held = two.directory(lab, None)?;
            Ok(two.looked_at_there(&material, held))
        })
        .mended(|lab| filtered(lab, ""))
        .on_machines(),
        Fault::new("no-way-to-ipv6", "slapd", "TCP-UNREACHABLE", |lab| {
            let material = GOOD.make(lab)?;
            let mut two = Two::new(lab)?;
            let held = two.directory(lab, Some(&material))?;
            let target = format!("ldaps://{NAME}");
            Ok(two.looked_at(&[&target, "--address", "2001:db8::1"], &material, held))
        })
        .mended(|lab| filtered(lab, ""))
        .on_machines(),
        Fault::new("one-of-two-without-ipv6", "slapd", "ONE-BAD-NODE", move |lab| {
            there(lab, "2001:db8::1", "")
        })
        .mended(|lab| filtered(lab, ""))
        .on_machines(),
        Fault::new("one-of-two-dropped", "slapd", "ONE-BAD-NODE", move |lab| {
            there(lab, SECOND, &dropped)
        })
        .mended(move |lab| there(lab, SECOND, ""))
        .on_machines(),
        Fault::new("one-of-two-rejected", "slapd", "ONE-BAD-NODE", move |lab| {
            there(lab, SECOND, &rejected)
        })
        .mended(move |lab| there(lab, SECOND, ""))
        .on_machines(),
        Fault::new("one-of-two-expired", "slapd", "ONE-BAD-NODE", |lab| pair(lab, "expired"))
            .mended(|lab| pair(lab, "good")),
        Fault::new("one-of-three-of-another-ca", "slapd", "WRONG-CERT", |lab| {
            pair(lab, "another-issuer")
        })
        .mended(|lab| pair(lab, "good")),
        Fault::new("nothing-listens", "slapd", "TCP-REFUSED", |lab| {
            let material = GOOD.make(lab)?;
            let [port] = ports::free::<1>()?;
            let served = stacks::Served { ldap: 0, ldaps: port, held: Vec::new() };
            Ok(served.looked_at(&material))
        })
        .mended(|lab| {
            let material = GOOD.make(lab)?;
            let how = Slapd { material: Some(&material), ..Slapd::default() };
            Ok(stacks::slapd(lab, &how)?.looked_at(&material))
        }),
    ]
}

/// Two servers of one name, the second with this chain.
fn pair(lab: &Lab, other: &str) -> Result<Setup> {
    let good = GOOD.make(lab)?;
    let other = match other {
        "another-issuer" => Variant::by_another_issuer().make(lab)?,
        id => Variant::named(id).make(lab)?,
    };
    let serve =
        |material| stacks::slapd(lab, &Slapd { material: Some(material), ..Slapd::default() });
    let (one, two) = (serve(&good)?, serve(&other)?);
    let addresses = [&one, &two].map(|served| format!("127.0.0.1:{}", served.ldaps));
    let [first, second] = &addresses;
    // Both CAs are trusted: what differs is not what fails.
    let both = good.ca.with_file_name("both.pem");
    let read = |file| std::fs::read_to_string(file);
    std::fs::write(&both, read(&good.ca)? + &read(&other.ca)?)?;
    let (target, ca) = (format!("ldaps://{NAME}:636"), both.display().to_string());
    let mut setup = Setup::asked(&[&target, "--address", first, "--address", second, "--ca", &ca]);
    setup.held = one.with(two).held;
    Ok(setup)
}
