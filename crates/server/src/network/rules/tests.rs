//! Tables that are right and wrong, and the fast way beside the plain one.

use proptest::prelude::*;

use super::*;
use crate::network::Exposure;

/// `office 200 allow 192.0.2.0/24,2001:db8::/32 636 external`; `*` for any port or listener.
fn rule(line: &str) -> Rule {
    let words: Vec<&str> = line.split(' ').collect();
    let scope = match words.get(5).copied() {
        Some("internal") => Some(Scope::Internal),
        Some("external") => Some(Scope::External),
        _ => None,
    };
    Rule {
        name: words[0].to_owned(),
        priority: words[1].parse().unwrap(),
        verdict: if words[2] == "allow" { Verdict::Allow } else { Verdict::Deny },
        sources: words[3].split(',').map(|source| source.parse().unwrap()).collect(),
        port: words.get(4).and_then(|port| port.parse().ok()),
        scope,
    }
}

fn table(lines: &[&str]) -> RuleTable {
    RuleTable::check(lines.iter().map(|line| rule(line)).collect()).unwrap()
}

#[test]
fn the_first_match_decides_and_nobody_is_let_in_by_default() {
    let table = table(&[
        "bad-host 100 deny 192.0.2.66",
        "office 200 allow 192.0.2.0/24,2001:db8::/32",
        "late 300 deny 192.0.2.128/25",
        "wide 400 allow 192.0.0.0/16 636",
        "guests 500 allow 203.0.113.0/24 * internal",
    ]);
    for (address, scope, port, expected) in [
        ("192.0.2.66", Scope::External, 636, "deny bad-host (100)"),
        ("::ffff:192.0.2.66", Scope::External, 636, "deny bad-host (100)"),
        ("192.0.2.65", Scope::External, 636, "allow office (200)"),
        ("192.0.2.67", Scope::External, 636, "allow office (200)"),
        // Denied too late.
        ("192.0.2.200", Scope::External, 636, "allow office (200)"),
        ("2001:db8:ffff::1", Scope::External, 636, "allow office (200)"),
        ("2001:db9::1", Scope::External, 636, "deny default-deny (65500)"),
        ("192.0.3.1", Scope::External, 636, "allow wide (400)"),
        ("192.0.3.1", Scope::External, 6636, "deny default-deny (65500)"),
        ("192.1.0.0", Scope::External, 636, "deny default-deny (65500)"),
        ("203.0.113.9", Scope::External, 636, "deny default-deny (65500)"),
        ("203.0.113.9", Scope::Internal, 636, "allow guests (500)"),
        ("10.9.8.7", Scope::Internal, 636, "allow default-allow-private (65000)"),
        ("fe80::1", Scope::Internal, 636, "allow default-allow-private (65000)"),
        ("10.9.8.7", Scope::External, 636, "deny default-deny (65500)"),
        ("0.0.0.0", Scope::External, 636, "deny default-deny (65500)"),
        ("255.255.255.255", Scope::External, 636, "deny default-deny (65500)"),
        ("::", Scope::External, 636, "deny default-deny (65500)"),
    ] {
        let rules = table.of(scope, port);
        let decided = rules.judge(address.parse().unwrap());
        let said = format!("{} {}", decided.verdict, decided.label());
        assert_eq!(said, expected, "{address} on {scope} {port}");
    }
    let external = table.of(Scope::External, 636);
    let names: Vec<_> = external.rules().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["bad-host", "office", "late", "wide", "default-deny"]);
}

#[test]
fn rules_that_contradict_each_other_are_refused_with_both_named() {
    for (lines, expected) in [
        (vec!["a 200 allow 10.0.0.0/8", "b 200 deny 11.0.0.0/8"], "1 priority `b` and `a` both"),
        (vec!["a 200 allow 10.0.0.0/8", "A 300 deny 11.0.0.0/8"], "1 name `A` is the name of two"),
        (
            vec!["a 200 allow 10.0.0.0/8 636", "b 300 deny 11.0.0.0/8,10.0.0.0/8 636"],
            "1 source `b` and `a` both speak of 10.0.0.0/8",
        ),
        (vec!["a 200 allow 10.0.0.0/8,10.0.0.0/8"], "0 source 10.0.0.0/8 is there twice"),
        (vec!["a 99 allow 10.0.0.0/8"], "0 priority write 100 to 4096"),
        (vec!["a 4097 allow 10.0.0.0/8"], "0 priority write 100 to 4096"),
        (vec!["default-DENY 100 allow 10.0.0.0/8"], "is the name of a built-in rule"),
        (vec!["-a 100 allow 10.0.0.0/8"], "`-a` is not a rule's name"),
        (vec!["a\"b 100 allow 10.0.0.0/8"], "is not a rule's name"),
    ] {
        let rules = lines.iter().map(|line| rule(line)).collect();
        let faults = RuleTable::check(rules).unwrap_err();
        let said: Vec<_> =
            faults.iter().map(|f| format!("{} {} {}", f.rule, f.field, f.what)).collect();
        assert!(said.iter().any(|said| said.contains(expected)), "{lines:?}: {said:?}");
    }
    let none = Rule { sources: Vec::new(), ..rule("a 100 allow 10.0.0.0/8") };
    let faults = RuleTable::check(vec![none]).unwrap_err();
    assert!(faults[0].what.contains("write at least one network"), "{faults:?}");
    // Another port, another listener, a part of it: each counts for something.
    table(&[
        "a 200 allow 10.0.0.0/8 636",
        "b 300 deny 10.0.0.0/8 637",
        "c 400 deny 10.0.0.0/8 636 external",
        "d 500 deny 10.0.0.0/9 636",
    ]);
}

#[test]
fn what_all_rules_together_let_in_counts() {
    for (lines, expected) in [
        (vec![], Exposure::Nobody),
        (vec!["a 100 deny 10.0.0.0/8"], Exposure::Nobody),
        (vec!["a 100 allow 10.0.0.0/8 637"], Exposure::Nobody),
        (vec!["a 100 deny 10.0.0.0/8", "b 200 allow 10.1.0.0/16"], Exposure::Nobody),
        (vec!["a 100 allow 10.1.0.0/16 * internal"], Exposure::Nobody),
        (vec!["a 100 allow 192.0.2.0/24"], Exposure::Some),
        (vec!["a 100 allow 0.0.0.0/2"], Exposure::Some),
        (vec!["a 100 allow 2000::/5"], Exposure::Some),
        (vec!["a 100 allow 0.0.0.0/0"], everyone(Family::V4, 100)),
        (vec!["a 100 allow ::/0"], everyone(Family::V6, 100)),
        (vec!["a 100 allow 2000::/3"], everyone(Family::V6, 100)),
        (vec!["a 100 allow 0.0.0.0/1", "b 200 allow 128.0.0.0/1"], everyone(Family::V4, 100)),
        (
            vec!["a 100 allow 0.0.0.0/2,64.0.0.0/2", "b 200 allow 128.0.0.0/2,192.0.0.0/2"],
            everyone(Family::V4, 100),
        ),
        // But one address is as open as everybody.
        (vec!["a 100 deny 8.8.8.8", "b 200 allow 0.0.0.0/0"], everyone(Family::V4, 99)),
        // Nothing that comes from the Internet is left out.
        (vec!["a 100 deny 10.0.0.0/8", "b 200 allow 0.0.0.0/0"], everyone(Family::V4, 100)),
        (vec!["a 100 deny 0.0.0.0/0", "b 200 allow 0.0.0.0/1,128.0.0.0/1"], Exposure::Nobody),
    ] {
        let rules = table(&lines).of(Scope::External, 636);
        assert_eq!(Exposure::of(&rules), expected, "{lines:?}");
    }
    assert_eq!(Exposure::of(&table(&[]).of(Scope::Internal, 636)), Exposure::Some);
}

fn everyone(family: Family, percent: u8) -> Exposure {
    Exposure::Everyone { family, percent }
}

/// The plain way: every rule in order.
fn naive(rules: &ListenerRules, address: IpAddr) -> &Rule {
    rules.rules().find(|rule| rule.sources.iter().any(|source| source.holds(address))).unwrap()
}

/// Networks close together, so that they often hold each other.
fn network() -> impl Strategy<Value = Prefix> {
    (any::<bool>(), 0u8..16, 0u8..=8).prop_map(|(is_v4, number, length)| {
        let number = u128::from(number);
        match is_v4 {
            true => Prefix::around(Family::V4.address(number << 28), length),
            false => Prefix::around(Family::V6.address(number << 124), length),
        }
    })
}

proptest! {
    #[test]
    fn the_fast_way_decides_as_the_plain_one(
        lines in proptest::collection::vec(
            (proptest::collection::vec(network(), 1..4), any::<bool>()), 0..12),
        addresses in proptest::collection::vec((any::<bool>(), any::<u128>()), 32),
    ) {
        // Collisions are another test's matter.
        let rules = lines.into_iter().zip(100u16..).map(|((sources, allows), priority)| Rule {
            name: format!("r{priority}"),
            priority,
            sources,
            port: None,
            scope: None,
            verdict: if allows { Verdict::Allow } else { Verdict::Deny },
        });
        let table = RuleTable { rules: rules.collect() };
        let rules = table.of(Scope::External, 636);
        for family in Family::BOTH {
            for (first, last) in rules.allowed(family) {
                prop_assert_eq!(rules.judge(family.address(first)).verdict, Verdict::Allow);
                prop_assert_eq!(rules.judge(family.address(last)).verdict, Verdict::Allow);
            }
        }
        let edges = rules.rules().flat_map(|rule| &rule.sources).flat_map(|source| {
            let (family, first, last) = (source.family(), source.first(), source.last());
            let numbers = [first, last, first.saturating_sub(1), last.saturating_add(1)];
            numbers.map(|number| family.address(number.min(family.last())))
        });
        let chosen = addresses.into_iter().map(|(is_v4, number)| {
            let family = if is_v4 { Family::V4 } else { Family::V6 };
            family.address(number & family.last())
        });
        let addresses: Vec<IpAddr> = edges.chain(chosen).collect();
        for address in addresses {
            prop_assert_eq!(rules.judge(address), naive(&rules, address), "{}", address);
            let (family, number) = numbered(address);
            let is_allowed = rules.judge(address).verdict == Verdict::Allow;
            let mut stretches = rules.allowed(family).into_iter();
            let is_in = stretches.any(|(first, last)| (first..=last).contains(&number));
            prop_assert_eq!(is_allowed, is_in);
        }
    }
}
