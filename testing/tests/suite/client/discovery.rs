//! Servers found by SRV records, in zones that BIND and Knot serve.

use std::net::{SocketAddr, UdpSocket};

use client::discovery::order;
use client::{Discovered, DiscoveryError, NameServers, Wanted, discover};
use testing::peers::missing::{Peer, present};
use testing::peers::nameserver::{NameServer, Product, ZONE, dig};

use super::block_on;

fn each(test: &str, run: impl Fn(&NameServer, &NameServers)) {
    for product in Product::ALL {
        let peers = [
            product.program(),
            dig(),
            Peer::program("nsupdate", "/usr/bin/nsupdate"),
            Peer::program("tsig-keygen", "/usr/sbin/tsig-keygen"),
        ];
        if present(&format!("{test} ({product:?})"), &peers) {
            let server = NameServer::start(product).unwrap();
            let address = ([127, 0, 0, 1], server.port).into();
            run(&server, &NameServers::given(vec![address]).unwrap());
        }
    }
}

fn asked(servers: &NameServers, wanted: &Wanted) -> Result<Discovered, DiscoveryError> {
    let mut found = None;
    block_on(async { found = Some(discover(servers, wanted).await) });
    found.unwrap()
}

/// `name:port`, in the order in which they would be tried where chance always draws the least.
fn ordered(found: &Discovered) -> Vec<String> {
    let targets = order(&found.services, &mut |_| 0);
    targets.iter().map(|target| format!("{}:{}", target.name, target.port)).collect()
}

#[test]
fn secure_records_come_first_and_plain_ones_mean_636() {
    each("SRV records", |server, servers| {
        let wanted = Wanted::of(ZONE).unwrap();
        let nobody = asked(servers, &wanted).unwrap_err();
        assert!(matches!(nobody, DiscoveryError::Nobody(_)), "{nobody}");
        server
            .nsupdate(&format!(
                "update add _ldap._tcp.{ZONE} 60 SRV 20 1 389 later.{ZONE}\n\
                 update add _ldap._tcp.{ZONE} 60 SRV 10 1 389 first.{ZONE}\n\
                 update add _ldap._tcp.{ZONE} 60 SRV 0 1 389 dc.elsewhere.test"
            ))
            .unwrap();
        let found = asked(servers, &wanted).unwrap();
        let inside = ["first.example.com:636", "later.example.com:636"];
        assert_eq!(ordered(&found), inside);
        assert_eq!(found.refused, ["dc.elsewhere.test"]);
        let found = asked(servers, &wanted.clone().allow_outside()).unwrap();
        assert_eq!(ordered(&found).first().unwrap(), "dc.elsewhere.test:636");
        // "." says that there is no such service.
        server.nsupdate(&format!("update add _ldaps._tcp.{ZONE} 60 SRV 0 0 0 .")).unwrap();
        assert_eq!(ordered(&asked(servers, &wanted).unwrap()), inside);
        server.nsupdate(&format!("update delete _ldaps._tcp.{ZONE} SRV")).unwrap();
        server
            .nsupdate(&format!("update add _ldaps._tcp.{ZONE} 60 SRV 0 0 3636 tls.{ZONE}"))
            .unwrap();
        assert_eq!(ordered(&asked(servers, &wanted).unwrap()), ["tls.example.com:3636"]);
    });
}

#[test]
fn the_own_site_is_tried_before_the_domain() {
    each("SRV records of Active Directory", |server, servers| {
        let all = format!("_ldap._tcp.dc._msdcs.{ZONE}");
        let site = format!("_ldap._tcp.Main._sites.dc._msdcs.{ZONE}");
        server
            .nsupdate(&format!(
                "update add {all} 60 SRV 0 100 389 far.{ZONE}\n\
                 update add {all} 60 SRV 0 100 389 near.{ZONE}\n\
                 update add {site} 60 SRV 50 100 389 near.{ZONE}"
            ))
            .unwrap();
        let wanted = Wanted::active_directory(ZONE, Some("Main")).unwrap();
        let both = ["near.example.com:636", "far.example.com:636"];
        assert_eq!(ordered(&asked(servers, &wanted).unwrap()), both);
        // A site that nobody serves is no reason to find nobody.
        let elsewhere = Wanted::active_directory(ZONE, Some("Elsewhere")).unwrap();
        assert_eq!(asked(servers, &elsewhere).unwrap().services.len(), 2);
    });
}

#[test]
fn an_answer_that_does_not_fit_comes_over_tcp() {
    each("a long answer", |server, servers| {
        let add = |number| format!("update add _ldap._tcp.{ZONE} 60 SRV 0 1 389 dc{number}.{ZONE}");
        let lines: Vec<String> = (0..100).map(add).collect();
        server.nsupdate(&lines.join("\n")).unwrap();
        let found = asked(servers, &Wanted::of(ZONE).unwrap()).unwrap();
        assert_eq!(found.services.len(), 100);
    });
}

#[test]
fn a_name_server_that_is_silent_or_refuses_is_passed_over() {
    each("several name servers", |server, _| {
        server.nsupdate(&format!("update add _ldap._tcp.{ZONE} 60 SRV 0 1 389 dc.{ZONE}")).unwrap();
        // Nobody listens at a port that was just given back.
        let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let real: SocketAddr = ([127, 0, 0, 1], server.port).into();
        let servers = NameServers::given(vec![closed, real]).unwrap();
        let found = asked(&servers, &Wanted::of(ZONE).unwrap()).unwrap();
        assert_eq!(ordered(&found), ["dc.example.com:636"]);
        // It serves no other zone, and both answer REFUSED.
        let error = asked(&servers, &Wanted::of("other.test").unwrap()).unwrap_err().to_string();
        assert!(error.contains("nobody listens there"), "{error}");
        assert!(error.to_lowercase().contains("refused"), "{error}");
        assert!(error.contains("_ldaps._tcp.other.test."), "{error}");
    });
}
