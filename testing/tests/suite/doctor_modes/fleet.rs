//! All servers of a domain, some of which say nothing, and one with another certificate.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use testing::peers::chancery::peer;
use testing::peers::missing::{Peer, present};
use testing::peers::nameserver::{NameServer, Product, dig};
use testing::peers::port;

use super::{directory, doctor, first, json};

/// A port whose first bytes are taken and never answered.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = listener.local_addr().unwrap().port();
    (listener, number)
}

/// A port that answers no more connections, as behind a packet filter that drops: its queue is
/// full. What fills it lives as long as the answer.
fn filtered() -> (rustix::fd::OwnedFd, Vec<TcpStream>, u16) {
    let full = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&full, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&full, 0).unwrap();
    let address = SocketAddr::try_from(getsockname(&full).unwrap()).unwrap();
    let mut filling = Vec::new();
    while let Ok(one) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        filling.push(one);
    }
    (full, filling, address.port())
}

fn tools(test: &str) -> bool {
    let keygen = Peer::program("tsig-keygen", "/usr/sbin/tsig-keygen");
    present(test, &[peer(), Product::Bind.program(), dig(), keygen])
}

#[test]
fn twenty_servers_in_time_and_the_odd_ones_named() {
    if !tools("a fleet of servers") {
        return;
    }
    let name_server = NameServer::start(Product::Bind).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (1..=20).map(|number| format!("dc{number}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let [usual_ca, other_ca] = ["usual.pem", "other.pem"].map(|file| folder.path().join(file));
    let usual = directory("Usual CA", &names, &usual_ca);
    let other = directory("Other CA", &names, &other_ca);
    let both = folder.path().join("both.pem");
    let read = |file| std::fs::read_to_string(file).unwrap();
    std::fs::write(&both, read(&usual_ca) + &read(&other_ca)).unwrap();
    let (_listener, silent) = silent();
    let (_queue, _filling, filtered) = filtered();
    let mut records = String::new();
    for name in &names {
        let number = match *name {
            "dc3.example.com" => silent,
            "dc5.example.com" => filtered,
            "dc7.example.com" => port(&other.ldaps),
            _ => port(&usual.ldaps),
        };
        records += &format!("update add {name} 60 A 127.0.0.1\n");
        records += &format!("update add _ldaps._tcp.example.com 60 SRV 0 1 {number} {name}.\n");
    }
    name_server.nsupdate(&records).unwrap();
    let at = format!("127.0.0.1:{}", name_server.port);
    let ca = both.display().to_string();
    let asked = ["--fleet", "example.com", "--name-server", &at, "--ca", &ca];
    let started = Instant::now();
    let said = doctor(&asked);
    let took = started.elapsed();
    assert_eq!((first(&said).as_str(), said.code), ("ONE-BAD-NODE", Some(2)), "{}", said.stdout);
    // Measured, not judged: a loaded machine is no failure.
    eprintln!("a fleet of 20, 2 of which do not answer: {took:?}");
    let head = said.stdout.lines().next().unwrap();
    assert!(head.contains("2 of 20 servers") && head.contains("dc3.") && head.contains("dc5."));
    let line = |name: &str| {
        let mut lines =
            said.stdout.lines().filter(|line| line.contains(&format!(" {name}.example.")));
        lines.next_back().unwrap().to_owned()
    };
    assert!(line("dc1").starts_with("✓ dc1"), "{}", said.stdout);
    assert!(line("dc3").starts_with("✗ dc3") && line("dc3").contains("TLS-FAILED"));
    assert!(line("dc5").starts_with("✗ dc5") && line("dc5").contains("TCP-FILTERED"));
    let wrong = said.stdout.lines().find(|line| line.contains("WRONG-CERT")).unwrap();
    assert!(wrong.contains("dc7.example.com") && !wrong.contains("dc8."), "{wrong}");
    let hidden = doctor(&[&asked[..], &["--redact"]].concat());
    assert_eq!((first(&hidden), hidden.code), (first(&said), said.code), "{}", hidden.stderr);
    for original in ["example.com", "dc3", "127.0.0.1", "Usual", "Other CA"] {
        assert!(!hidden.stdout.contains(original), "{original}: {}", hidden.stdout);
    }
    let all = json(&doctor(&[&asked[..], &["--json"]].concat()));
    assert_eq!(all["runs"].as_array().unwrap().len(), 20);
    assert_eq!(
        (&all["fleet"], &all["findings"][0]["code"]),
        (&"example.com".into(), &"ONE-BAD-NODE".into())
    );
}

#[test]
fn domain_controllers_are_found_as_active_directory_names_them() {
    if !tools("domain controllers") {
        return;
    }
    let name_server = NameServer::start(Product::Bind).unwrap();
    let at = format!("127.0.0.1:{}", name_server.port);
    let none = doctor(&["--fleet", "example.com", "--name-server", &at]);
    assert_eq!(none.code, Some(3), "{}", none.stdout);
    assert!(none.stderr.contains("DNS names no server"), "{}", none.stderr);
    let msdcs = "_msdcs.example.com 60 SRV 0 1 389";
    name_server
        .nsupdate(&format!(
            "update add dc1.example.com 60 A 127.0.0.1\n\
             update add _ldap._tcp.dc.{msdcs} dc1.example.com.\n\
             update add _ldap._tcp.dc.{msdcs} dc2.example.com.\n\
             update add _ldap._tcp.dc.{msdcs} dc.elsewhere.example.\n\
             update add _ldap._tcp.Main._sites.dc.{msdcs} dc2.example.com."
        ))
        .unwrap();
    let asked = ["--fleet", "example.com", "--name-server", &at, "--timeout", "1", "--json"];
    let targets = |all: &serde_json::Value| -> Vec<String> {
        let runs = all["runs"].as_array().unwrap().iter();
        runs.map(|run| run["facts"]["target"].as_str().unwrap().to_owned()).collect()
    };
    let all = json(&doctor(&asked));
    let mut found = targets(&all);
    found.sort();
    assert_eq!(found, ["ldaps://dc1.example.com:636", "ldaps://dc2.example.com:636"]);
    let of = |code: &str| {
        let findings = all["findings"].as_array().unwrap().iter();
        findings.filter(|one| one["code"] == code).map(ToString::to_string).collect::<String>()
    };
    assert!(of("DNS").contains("dc2.example.com has no address"), "{all}");
    assert!(of("DNS").contains("dc.elsewhere.example"), "{all}");
    let near = json(&doctor(&[&asked[..], &["--site", "Main"]].concat()));
    assert_eq!(targets(&near).first().unwrap(), "ldaps://dc2.example.com:636");
    let deaf = doctor(&["--fleet", "example.com", "--name-server", "nonsense"]);
    assert_eq!(deaf.code, Some(2));
}
