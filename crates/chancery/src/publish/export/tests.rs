//! Tables as they are printed for others. That nftables takes its own is shown in the suite.

use serde_json::json;

use super::*;
use crate::config::{Config, Overrides};

const HEAD: &str = "[publish.external]\nenabled=true\naddress='[::]:636'\n";

fn rule(name: &str, priority: u16, source: &str, verdict: &str) -> String {
    format!(
        "[[publish.rule]]\nname='{name}'\npriority={priority}\nsource={source}\nverdict='{verdict}'\n"
    )
}

fn external(head: &str, rules: &[String]) -> Vec<Seen> {
    let text = [head, &rules.concat()].concat();
    let config = Config::from_text(&text, None, &Overrides::default()).unwrap();
    seen(&Publication::drafted(&config), Some(Scope::External)).unwrap()
}

fn office() -> String {
    rule("office", 200, "['192.0.2.0/24', '2001:db8::/32']", "allow")
}

#[test]
fn nftables_has_every_rule_in_its_place() {
    let rules =
        [office(), rule("bad", 100, "'192.0.2.66'", "deny"), rule("all", 300, "'::/0'", "allow")];
    let text = nftables(&external(HEAD, &rules), false);
    let rules = "\
\t\tct state established,related accept
\t\t# external: [::]:636
\t\ttcp dport 636 ip saddr 192.0.2.66/32 drop comment \"bad (100)\"
\t\ttcp dport 636 ip saddr 192.0.2.0/24 accept comment \"office (200)\"
\t\ttcp dport 636 ip6 saddr 2001:db8::/32 accept comment \"office (200)\"
\t\ttcp dport 636 meta nfproto ipv6 accept comment \"all (300)\"
\t\ttcp dport 636 drop comment \"default-deny (65500)\"
\t}
}
";
    assert!(text.ends_with(rules), "{text}");
    assert!(!nftables(&external(HEAD, &[office()]), true).contains("established"));
    let balanced = "[publish.external]\naddress='10.0.0.1:636'\nproxy-from='10.0.0.5'\n";
    let text = nftables(&external(balanced, &[office()]), true);
    let rules = "\
\t\tip daddr 10.0.0.1 tcp dport 636 ip saddr 10.0.0.5/32 accept comment \"balancers (100)\"
\t\tip daddr 10.0.0.1 tcp dport 636 drop comment \"default-deny (65500)\"
";
    assert!(text.contains(rules), "{text}");
}

#[test]
fn a_security_group_gets_what_is_let_in_or_a_reason() {
    let group = security_group(&external(HEAD, &[office()])).unwrap();
    assert_eq!(
        group,
        json!({ "IpPermissions": [{
            "IpProtocol": "tcp",
            "FromPort": 636,
            "ToPort": 636,
            "IpRanges": [{ "CidrIp": "192.0.2.0/24", "Description": "office (200)" }],
            "Ipv6Ranges": [{ "CidrIpv6": "2001:db8::/32", "Description": "office (200)" }],
        }] })
    );
    // A denial that counts is written around, one that comes too late is not.
    let bad = rule("bad", 100, "'192.0.2.128/25'", "deny");
    let late = rule("late", 300, "'192.0.2.0/26'", "deny");
    let group = security_group(&external(HEAD, &[office(), bad, late])).unwrap();
    let ranges = &group["IpPermissions"][0]["IpRanges"];
    assert_eq!(ranges, &json!([{ "CidrIp": "192.0.2.0/25", "Description": "office (200)" }]));
    let hosts: Vec<String> = (0..40).map(|host| format!("'192.0.{host}.1'")).collect();
    let many = rule("many", 100, &format!("[{}]", hosts.join(",")), "deny");
    let wide = rule("wide", 200, "'192.0.0.0/16'", "allow");
    let error = security_group(&external(HEAD, &[many, wide])).unwrap_err().to_string();
    assert!(error.contains("cannot deny, and writing around many (100)"), "{error}");
}

#[test]
fn a_network_security_group_has_the_same_order_and_a_last_word() {
    let rules = [rule("bad", 100, "'192.0.2.66'", "deny"), office()];
    let group = network_security_group(&external(HEAD, &rules)).unwrap();
    let said: Vec<String> = group["securityRules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let properties = &rule["properties"];
            format!(
                "{} {} {} {} {}",
                properties["priority"],
                rule["name"].as_str().unwrap(),
                properties["access"].as_str().unwrap(),
                properties["sourceAddressPrefixes"],
                properties["destinationPortRange"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "100 bad Deny [\"192.0.2.66/32\"] 636",
            "200 office-ipv4 Allow [\"192.0.2.0/24\"] 636",
            "201 office-ipv6 Allow [\"2001:db8::/32\"] 636",
            "4095 default-deny-ipv4 Deny [\"0.0.0.0/0\"] 636",
            "4096 default-deny-ipv6 Deny [\"::/0\"] 636",
        ]
    );
    // The next rule makes room; the last place may not be taken.
    let close = [office(), rule("next", 201, "'198.51.100.0/24'", "deny")];
    let group = network_security_group(&external(HEAD, &close)).unwrap();
    assert_eq!(group["securityRules"][2]["properties"]["priority"], 202);
    let last = [rule("last", 4096, "'192.0.2.0/24'", "allow")];
    let error = network_security_group(&external(HEAD, &last)).unwrap_err().to_string();
    assert!(error.contains("needs the priority 4096"), "{error}");
}

#[test]
fn an_address_of_one_family_is_reached_by_that_family_only() {
    for (address, is_v4, is_v6) in [
        ("0.0.0.0:636", true, false),
        ("10.0.0.1:636", true, false),
        ("[2001:db8::1]:636", false, true),
        ("[::]:636", true, true),
    ] {
        let head = format!("[publish.external]\naddress='{address}'\n");
        let listeners = external(&head, &[office()]);
        let nft = nftables(&listeners, false);
        let group = security_group(&listeners).unwrap();
        let azure = network_security_group(&listeners).unwrap().to_string();
        let group = &group["IpPermissions"][0];
        for (text, is_there) in [("192.0.2.0/24", is_v4), ("2001:db8::/32", is_v6)] {
            let all = [nft.contains(text), azure.contains(text), group.to_string().contains(text)];
            assert_eq!(all, [is_there; 3], "{text} to {address}: {nft}{azure}{group}");
        }
    }
}

#[test]
fn the_ports_are_a_table() {
    let text = [
        "[[listen]]\naddress='0.0.0.0:389'\nmode='starttls'\n",
        HEAD,
        "[publish.internal]\nenabled=true\naddress='10.0.0.5:1636'\nproxy-from='10.0.0.9'\n",
        &office(),
    ];
    let config = Config::from_text(&text.concat(), None, &Overrides::default()).unwrap();
    let wanted = Publication::wanted(&config, &Default::default()).unwrap();
    let lines = ports(&config, &wanted, None).unwrap();
    let said: Vec<String> =
        lines.iter().map(|line| format!("{} {} {}", line.from, line.to, line.port)).collect();
    assert_eq!(
        said,
        [
            "10.0.0.9/32 10.0.0.5 1636",
            "192.0.2.0/24 :: 636",
            "2001:db8::/32 :: 636",
            "anywhere 0.0.0.0 389"
        ]
    );
    let printed = ports_text(&lines);
    assert_eq!(printed.lines().count(), 5);
}
