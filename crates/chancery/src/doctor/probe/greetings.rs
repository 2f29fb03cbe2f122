//! What a server answers to greetings that our own TLS would not send: older versions and suites,
//! and one that is longer than a packet. All at once: each is one message and its answer.

use std::net::SocketAddr;
use std::time::Duration;

use client::hello::{self, Hello, Suites};
use client::{Security, Target};
use pki::judge::names::ServedName;
use rustls::ProtocolVersion;
use tokio::task::JoinSet;

use super::node::end;
use crate::doctor::facts::{End, Greeting, Offered, Tls};

/// With the keys of a post-quantum exchange; a packet of most networks holds 1460.
const LARGE: usize = 1_800;

const ALL: [Offered; 6] = [
    Offered::Tls10,
    Offered::Tls11,
    Offered::Tls12,
    Offered::Tls12Old,
    Offered::Tls13,
    Offered::Tls13Large,
];

pub(super) async fn all(target: Target, address: SocketAddr, patience: Duration) -> Vec<Greeting> {
    let mut asking = JoinSet::new();
    for offered in ALL {
        let target = target.clone();
        asking.spawn(async move {
            let first = greeted(offered, &target, address, patience).await;
            // What is said of others' clients is not said for one packet that got lost.
            match offered == Offered::Tls13Large && first.end != End::Done {
                true => greeted(offered, &target, address, patience / 3).await,
                false => first,
            }
        });
    }
    let mut all: Vec<Greeting> = asking.join_all().await;
    all.sort_by_key(|one| ALL.iter().position(|offered| *offered == one.offered));
    all
}

async fn greeted(
    offered: Offered,
    target: &Target,
    address: SocketAddr,
    patience: Duration,
) -> Greeting {
    let (version, suites, bytes) = match offered {
        Offered::Tls10 => (ProtocolVersion::TLSv1_0, Suites::All, 0),
        Offered::Tls11 => (ProtocolVersion::TLSv1_1, Suites::All, 0),
        Offered::Tls12 => (ProtocolVersion::TLSv1_2, Suites::Today, 0),
        Offered::Tls12Old => (ProtocolVersion::TLSv1_2, Suites::All, 0),
        Offered::Tls13 => (ProtocolVersion::TLSv1_3, Suites::Today, 0),
        Offered::Tls13Large => (ProtocolVersion::TLSv1_3, Suites::Today, LARGE),
    };
    let name = match &target.name {
        ServedName::Dns(name) => Some(name.as_str()),
        ServedName::Ip(_) => None,
    };
    let hello = Hello { version, suites, name, bytes };
    let (ended, heard) = hello::offer(address, target.security, &hello, patience).await;
    // A server may answer with less than it was offered; then that was not agreed on.
    let is_it = heard.version == Some(version);
    Greeting {
        offered,
        end: match ended {
            client::look::End::Done if !is_it => {
                End::Other { error: format!("it chose {:?}", heard.version) }
            }
            other => end(&other),
        },
        version: heard.version.map(version_name),
        suite: heard.suite.map(|suite| format!("{suite:?}")),
        seconds: heard.seconds,
        dh_bits: heard.dh_bits,
        chain: heard.chain.iter().map(Tls::encode).collect(),
        text: text(&heard.first),
    }
}

/// The first line, where all of it can be printed.
fn text(first: &[u8]) -> Option<String> {
    let line = first.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
    let is_text = !line.is_empty() && line.iter().all(|byte| (b' '..=b'~').contains(byte));
    is_text.then(|| String::from_utf8_lossy(line).into_owned())
}

/// The chain that is shown in TLS 1.2, to compare with that of another port.
pub(super) async fn chain(target: &Target, address: SocketAddr, patience: Duration) -> Vec<String> {
    let beside = Target { security: Security::Ldaps, ..target.clone() };
    greeted(Offered::Tls12Old, &beside, address, patience).await.chain
}

/// Whether TLS begins with the first byte here, whatever the target says.
pub(super) async fn speaks_tls(target: &Target, address: SocketAddr, patience: Duration) -> bool {
    let at_once = Target { security: Security::Ldaps, ..target.clone() };
    let said = greeted(Offered::Tls12Old, &at_once, address, patience).await;
    matches!(said.end, End::Done | End::Alert { .. })
}

pub(super) fn version_name(version: ProtocolVersion) -> String {
    format!("{version:?}").replace('_', ".")
}
