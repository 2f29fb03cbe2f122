//! Real handshakes between a client and a server connection in memory.

use super::*;
use pki::authority::{CA_LIFETIME, CaMaterial, InHouseCa, Issued, SERVER_LIFETIME};
use pki::{Credential, Summary};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore,
    ServerConnection, SupportedProtocolVersion,
};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration as StdDuration;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

fn at(moment: OffsetDateTime) -> UnixTime {
    UnixTime::since_unix_epoch(StdDuration::from_secs(moment.unix_timestamp() as u64))
}

fn now() -> UnixTime {
    at(NOW)
}

/// A fixed clock, so that the certificates of these tests never expire.
#[derive(Debug)]
struct Clock;

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(now())
    }
}

struct World {
    material: CaMaterial,
    ca: InHouseCa,
}

impl World {
    fn new(serial: u8) -> World {
        let material = InHouseCa::create("Test CA", NOW, CA_LIFETIME, [serial; 16]).unwrap();
        let ca = InHouseCa::open(&material).unwrap();
        World { material, ca }
    }

    fn server(&self, serial: u8) -> Issued {
        let names = ["localhost", "127.0.0.1"];
        self.ca.issue_server(&names, NOW, SERVER_LIFETIME, [serial; 16]).unwrap()
    }

    fn tls(&self) -> Listening {
        let clients = ClientCertificates::Optional { ca_pem: self.material.cert_pem.as_bytes() };
        serving(&self.server(1), clients).unwrap()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for root in pki::pem::certificates(self.material.cert_pem.as_bytes()).unwrap() {
            roots.add(root).unwrap();
        }
        roots
    }

    /// A client that trusts this CA and shows a certificate when it has one.
    fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Issued>,
    ) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(self.roots());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build().unwrap();
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Clock))
            .with_protocol_versions(versions)
            .unwrap()
            .with_webpki_verifier(verifier);
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let Credential { chain, key, .. } = credential(issued);
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }

    fn person(&self) -> Issued {
        let subject = [("UID", "alice"), ("OU", "People"), ("O", "Example")];
        self.ca.issue_client(&subject, NOW, Duration::days(1), [3; 16]).unwrap()
    }
}

fn credential(issued: &Issued) -> Credential {
    Credential::from_pem(issued.chain_pem.as_bytes(), issued.key_pem.as_bytes()).unwrap()
}

/// As the judge would give it.
fn chosen(issued: &Issued) -> pki::Chosen {
    let Credential { chain, key, .. } = credential(issued);
    let source = "test".to_owned();
    let candidate = pki::Candidate { source, renews_itself: false, chain, key: Some(key) };
    pki::choose(&[candidate], &pki::Wanted::default(), NOW).1.unwrap()
}

/// The certificate and one listener's configuration.
struct Listening {
    serving: ServingTls,
    config: Arc<rustls::ServerConfig>,
}

impl Listening {
    fn served(&self) -> Summary {
        self.serving.served().unwrap()
    }

    fn replace(&self, issued: &Issued) {
        self.serving.replace(&chosen(issued)).unwrap();
    }
}

fn serving(issued: &Issued, clients: ClientCertificates<'_>) -> Result<Listening, TlsRefused> {
    under(&TlsPolicy::default(), issued, clients)
}

fn under(
    policy: &TlsPolicy,
    issued: &Issued,
    clients: ClientCertificates<'_>,
) -> Result<Listening, TlsRefused> {
    let serving = ServingTls::default();
    serving.replace(&chosen(issued)).unwrap();
    let config = serving.config(policy, clients)?;
    Ok(Listening { serving, config })
}

struct Pair {
    client: ClientConnection,
    server: ServerConnection,
}

/// Carries bytes both ways until nobody has more to say.
fn settle(pair: &mut Pair) -> Result<(), rustls::Error> {
    loop {
        let mut moved = false;
        let mut wire = Vec::new();
        while pair.client.wants_write() {
            pair.client.write_tls(&mut wire).unwrap();
        }
        moved |= !wire.is_empty();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            pair.server.read_tls(&mut rest).unwrap();
            pair.server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while pair.server.wants_write() {
            pair.server.write_tls(&mut wire).unwrap();
        }
        moved |= !wire.is_empty();
        let mut rest = &wire[..];
        while !rest.is_empty() {
            pair.client.read_tls(&mut rest).unwrap();
            pair.client.process_new_packets()?;
        }
        if !moved {
            return Ok(());
        }
    }
}

fn handshake(tls: &Listening, client: &Arc<ClientConfig>) -> Result<Pair, rustls::Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut pair = Pair {
        client: ClientConnection::new(client.clone(), name).unwrap(),
        server: ServerConnection::new(with_fixed_clock(tls)).unwrap(),
    };
    settle(&mut pair)?;
    Ok(pair)
}

/// rustls verifies client certificates at its configuration's clock; tests fix that one as well.
fn with_fixed_clock(tls: &Listening) -> Arc<rustls::ServerConfig> {
    let mut config = (*tls.config).clone();
    config.time_provider = Arc::new(Clock);
    Arc::new(config)
}

fn subject_of(server: &ServerConnection) -> Option<String> {
    client_certificate(server).map(|certificate| certificate.subject)
}

fn seen_by(client: &ClientConnection) -> Summary {
    Summary::parse(&client.peer_certificates().unwrap()[0]).unwrap()
}

fn say(pair: &mut Pair, text: &[u8]) -> Vec<u8> {
    pair.client.writer().write_all(text).unwrap();
    settle(pair).unwrap();
    let mut heard = vec![0; text.len()];
    pair.server.reader().read_exact(&mut heard).unwrap();
    heard
}

const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

#[test]
fn both_versions_shake_hands_and_resume() {
    let world = World::new(1);
    let tls = world.tls();
    let versions = [(TLS12, ProtocolVersion::TLSv1_2), (TLS13, ProtocolVersion::TLSv1_3)];
    for (versions, expected) in versions {
        let client = world.client(versions, None);
        let mut first = handshake(&tls, &client).unwrap();
        assert_eq!(first.server.protocol_version(), Some(expected));
        assert_eq!(first.server.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(first.server.alpn_protocol(), None);
        assert_eq!(subject_of(&first.server), None);
        assert_eq!(say(&mut first, b"hello"), b"hello");
        let second = handshake(&tls, &client).unwrap();
        assert_eq!(second.server.handshake_kind(), Some(HandshakeKind::Resumed), "{expected:?}");
    }
}

#[test]
fn a_client_certificate_is_an_identity() {
    let world = World::new(1);
    let tls = world.tls();
    for versions in [TLS12, TLS13] {
        let client = world.client(versions, Some(&world.person()));
        let subject = Some("UID=alice,OU=People,O=Example".to_owned());
        let first = handshake(&tls, &client).unwrap();
        assert_eq!(subject_of(&first.server), subject);
        let resumed = handshake(&tls, &client).unwrap();
        assert_eq!(resumed.server.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!(subject_of(&resumed.server), subject);
    }
}

#[test]
fn a_client_certificate_of_another_ca_is_refused() {
    let (world, other) = (World::new(1), World::new(2));
    let tls = world.tls();
    for versions in [TLS12, TLS13] {
        let client = world.client(versions, Some(&other.person()));
        assert!(handshake(&tls, &client).is_err());
        // A server's certificate is no client's.
        let client = world.client(versions, Some(&world.server(5)));
        assert!(handshake(&tls, &client).is_err());
    }
}

#[test]
fn client_certificates_that_are_not_asked_for_are_no_identity() {
    let world = World::new(1);
    let tls = serving(&world.server(1), ClientCertificates::NotAsked).unwrap();
    let pair = handshake(&tls, &world.client(TLS13, Some(&world.person()))).unwrap();
    assert_eq!(subject_of(&pair.server), None);
}

#[test]
fn nobody_has_an_identity_before_the_handshake() {
    let server = ServerConnection::new(World::new(1).tls().config).unwrap();
    assert_eq!(subject_of(&server), None);
}

#[test]
fn a_replaced_certificate_is_served_and_nobody_is_dropped() {
    let world = World::new(1);
    let tls = world.tls();
    let mut before = handshake(&tls, &world.client(TLS13, None)).unwrap();
    let old = seen_by(&before.client);
    assert_eq!(old, tls.served());

    tls.replace(&world.server(2));
    let after = handshake(&tls, &world.client(TLS13, None)).unwrap();
    let new = seen_by(&after.client);
    assert_eq!(new, tls.served());
    assert_ne!(new.serial, old.serial);
    assert_eq!(say(&mut before, b"still here"), b"still here");
}

#[test]
fn a_certificate_replaced_between_two_flights_breaks_no_handshake() {
    let world = World::new(1);
    let tls = world.tls();
    let name = ServerName::try_from("localhost").unwrap();
    let mut pair = Pair {
        client: ClientConnection::new(world.client(TLS13, None), name).unwrap(),
        server: ServerConnection::new(tls.config.clone()).unwrap(),
    };
    let mut wire = Vec::new();
    pair.client.write_tls(&mut wire).unwrap();
    pair.server.read_tls(&mut &wire[..]).unwrap();
    pair.server.process_new_packets().unwrap();
    let chosen = tls.served().serial;
    tls.replace(&world.server(2));
    settle(&mut pair).unwrap();
    assert_eq!(seen_by(&pair.client).serial, chosen);
}

#[test]
fn before_a_certificate_has_passed_no_handshake_succeeds() {
    let world = World::new(1);
    let serving = ServingTls::default();
    let config = serving.config(&TlsPolicy::default(), ClientCertificates::NotAsked).unwrap();
    let tls = Listening { serving, config };
    assert!(tls.serving.served().is_none());
    assert!(handshake(&tls, &world.client(TLS13, None)).is_err());
    tls.replace(&world.server(1));
    assert!(handshake(&tls, &world.client(TLS13, None)).is_ok());
}

#[test]
fn a_policy_is_what_is_spoken() {
    let world = World::new(1);
    let suites = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let new = TlsPolicy { floor: TlsFloor::Tls13, suites: Vec::new() };
    let tls = under(&new, &world.server(1), ClientCertificates::NotAsked).unwrap();
    assert!(handshake(&tls, &world.client(TLS12, None)).is_err());
    assert!(handshake(&tls, &world.client(TLS13, None)).is_ok());
    let one = TlsPolicy {
        floor: TlsFloor::Tls12,
        suites: suites(&["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]),
    };
    let tls = under(&one, &world.server(1), ClientCertificates::NotAsked).unwrap();
    let pair = handshake(&tls, &world.client(TLS12, None)).unwrap();
    let suite = pair.server.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
    assert!(handshake(&tls, &world.client(TLS13, None)).is_err());
    let none = TlsPolicy { floor: TlsFloor::Tls12, suites: suites(&["TLS_NULL"]) };
    assert!(under(&none, &world.server(1), ClientCertificates::NotAsked).is_err());
}

#[test]
fn a_required_certificate_is_required() {
    let world = World::new(1);
    let required = ClientCertificates::Required { ca_pem: world.material.cert_pem.as_bytes() };
    let tls = serving(&world.server(1), required).unwrap();
    for versions in [TLS12, TLS13] {
        assert!(handshake(&tls, &world.client(versions, None)).is_err());
        let pair = handshake(&tls, &world.client(versions, Some(&world.person()))).unwrap();
        assert!(subject_of(&pair.server).is_some());
    }
}

#[test]
fn a_revoked_certificate_is_shown_the_door() {
    let world = World::new(1);
    let (person, other) = (world.person(), {
        let subject = [("UID", "bob"), ("O", "Example")];
        world.ca.issue_client(&subject, NOW, Duration::days(1), [4; 16]).unwrap()
    });
    let serial = credential(&person).leaf.serial;
    let revoked = pki::Revoked { serial, at: NOW, reason: pki::Reason::KeyCompromise };
    let ca = world.material.cert_pem.as_bytes();
    for (is_listed, lifetime) in [(false, 1), (true, 1), (true, -1)] {
        let listed = if is_listed { std::slice::from_ref(&revoked) } else { &[] };
        let before = NOW - Duration::days(7);
        let der = world.ca.revocation_list(listed, 1, before, Duration::days(7 + lifetime));
        let list = pki::pem::text("X509 CRL", &der.unwrap());
        let ca_pem = &[ca, list.as_bytes()].concat();
        let tls = serving(&world.server(1), ClientCertificates::Optional { ca_pem }).unwrap();
        for versions in [TLS12, TLS13] {
            let shown = handshake(&tls, &world.client(versions, Some(&person)));
            assert_eq!(shown.is_err(), is_listed, "{is_listed} {lifetime}");
            assert!(handshake(&tls, &world.client(versions, Some(&other))).is_ok());
            assert!(handshake(&tls, &world.client(versions, None)).is_ok());
        }
    }
    let ca_pem = &[ca, b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"].concat();
    let refused = serving(&world.server(1), ClientCertificates::Optional { ca_pem }).err();
    let refused = refused.unwrap().to_string();
    assert!(refused.starts_with("client certificates cannot be verified: "), "{refused}");
}

#[test]
fn tickets_of_another_configuration_resume_nothing() {
    let world = World::new(1);
    let tls = world.tls();
    let client = world.client(TLS13, None);
    handshake(&tls, &client).unwrap();
    let clients = ClientCertificates::Optional { ca_pem: world.material.cert_pem.as_bytes() };
    let config = tls.serving.config(&TlsPolicy::default(), clients).unwrap();
    let changed = Listening { serving: tls.serving.clone(), config };
    let pair = handshake(&changed, &client).unwrap();
    assert_eq!(pair.server.handshake_kind(), Some(HandshakeKind::Full));
}

#[test]
fn a_wrong_client_ca_file_is_refused() {
    let world = World::new(1);
    for ca_pem in [&b""[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = serving(&world.server(1), ClientCertificates::Optional { ca_pem }).err();
        let sentence = refused.unwrap().to_string();
        assert!(sentence.starts_with("the CA file for client certificates"), "{sentence}");
    }
}

fn write(path: &std::path::Path, content: &str, mode: u32) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn files_are_loaded_or_refused_by_name() {
    let (world, folder) = (World::new(1), tempfile::tempdir().unwrap());
    let (server, other) = (world.server(1), world.server(2));
    let (chain, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    let both = format!("{}{}", server.chain_pem, server.key_pem.as_str());
    let chain_text = server.chain_pem.as_str();
    for (chain_text, chain_mode, key_text, key_mode, expected) in [
        (chain_text, 0o644, server.key_pem.as_str(), 0o600, None),
        (chain_text, 0o644, &server.key_pem, 0o400, None),
        (&both, 0o600, &server.key_pem, 0o600, None),
        (chain_text, 0o644, &server.key_pem, 0o640, Some("chmod 600")),
        (chain_text, 0o644, &server.key_pem, 0o604, Some("others can read it (mode 0604)")),
        (&both, 0o644, &server.key_pem, 0o600, Some("server.pem holds a private key")),
        (chain_text, 0o644, &other.key_pem, 0o600, None),
        (chain_text, 0o644, "", 0o600, Some("server.key: no private key")),
        ("", 0o644, &server.key_pem, 0o600, Some("server.pem: no certificate")),
    ] {
        write(&chain, chain_text, chain_mode);
        write(&key, key_text, key_mode);
        let sentence = load(&chain, Some(&key)).err().map(|refused| refused.to_string());
        match (expected, &sentence) {
            (None, None) => {}
            (Some(part), Some(sentence)) => assert!(sentence.contains(part), "{sentence}"),
            _ => panic!("{expected:?}, not {sentence:?}"),
        }
        // Modes such as 0400 must not stop the next round from writing.
        std::fs::remove_file(&key).unwrap();
    }
    write(&chain, chain_text, 0o644);
    let missing = load(&chain, Some(&key)).unwrap_err().to_string();
    assert!(missing.contains("server.key"), "{missing}");
    write(&key, &both, 0o600);
    assert!(load(&key, None).unwrap().1.is_some(), "one file for both");
    assert!(load(&key, Some(&key)).unwrap().1.is_some(), "said twice");
    write(&key, &"x".repeat(1024 * 1024 + 1), 0o600);
    assert!(matches!(load(&key, None), Err(FileRefused::TooLarge { .. })));
}
