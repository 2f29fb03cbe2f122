//! SCRAM-SHA-256 of the client against slapd with Cyrus SASL, which reads passwords from entries.

use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use client::{Credentials, Error, ScramError, Secret, Session};
use ldap::message::{Authentication, Request};
use ldap::response::{LdapResult, write_bind_result};
use ldap::result::ResultCode;
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server, Subject, port};
use testing::process::{Process, run_checked};

use super::mock::Answers;
use super::pool::pool_of;
use super::{Scene, block_on, signed_in};

const PASSWORD: &str = "pencil, and =more";

/// slapd, started again with a map from SASL names to entries.
fn start(test: &str) -> Option<Server> {
    let openssl = Peer::program("openssl", "/usr/bin/openssl");
    let modules = format!("/usr/lib/{}-linux-gnu/sasl2/libscram.so.2", std::env::consts::ARCH);
    let scram = Peer::program("libsasl2-modules", modules);
    if !present(test, &[Subject::Slapd.program(), openssl, scram]) {
        return None;
    }
    let mut server = Subject::Slapd.start().unwrap();
    server.process.terminate().unwrap();
    let file = server.folder.path().join("slapd.conf");
    // It looks for the entry as nobody, for the purpose of authentication.
    let before = std::fs::read_to_string(&file).unwrap();
    let before = before.replace("by anonymous none", "by anonymous auth");
    let head = format!(
        "sasl-host localhost\n\
         authz-regexp uid=([^,]*),cn=scram-sha-256,cn=auth cn=$1,{SUFFIX}\n"
    );
    std::fs::write(&file, format!("{head}{before}")).unwrap();
    let urls = format!("ldaps://127.0.0.1:{}", port(&server.ldaps));
    let mut command = Command::new("/usr/sbin/slapd");
    command.args(["-d", "0", "-h", &urls, "-f"]).arg(&file);
    server.process = Process::start("slapd", server.folder.path(), command).unwrap();
    server.process.wait_for_port(port(&server.ldaps)).unwrap();
    Some(server)
}

async fn with_a_user(server: &Server) -> Session {
    let session = signed_in(server).await;
    // In the clear: Cyrus SASL computes the rest from it.
    let user: &[(&str, &[&[u8]])] = &[
        ("objectClass", &[b"person"]),
        ("cn", &[b"ada"]),
        ("sn", &[b"L"]),
        ("userPassword", &[PASSWORD.as_bytes()]),
    ];
    session.add(&format!("cn=ada,{SUFFIX}"), user, &[]).await.unwrap();
    session
}

#[test]
fn slapd_and_the_client_prove_the_password_to_each_other() {
    let Some(server) = start("SCRAM of the client") else { return };
    block_on(async {
        let session = with_a_user(&server).await;
        let dse = session.root_dse().await.unwrap();
        let offered = dse.values("supportedSASLMechanisms");
        assert!(offered.iter().any(|name| name == b"SCRAM-SHA-256"), "{offered:?}");
        session.bind_scram("ada", &Secret::new(PASSWORD)).await.unwrap();
        assert_eq!(session.who_am_i().await.unwrap(), format!("dn:cn=ada,{SUFFIX}"));
        let pool = pool_of(&[&server], |settings| {
            let (user, password) = ("ada".to_owned(), Secret::new(PASSWORD));
            settings.credentials = Credentials::Scram { user, password };
        });
        let who = pool.lend().await.unwrap().who_am_i().await.unwrap();
        assert_eq!(who, format!("dn:cn=ada,{SUFFIX}"));
        for (user, password) in [("ada", "wrong"), ("nobody", PASSWORD)] {
            let error = session.bind_scram(user, &Secret::new(password)).await.unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{error}");
            assert_eq!(session.who_am_i().await.unwrap(), "");
        }
        let error = session.bind_scram("ädä", &Secret::new(PASSWORD)).await.unwrap_err();
        assert!(matches!(error, Error::Scram(ScramError::Unprepared(_))), "{error}");
    });
}

/// What a mock is sent in the second step, and which error its answer to that makes. slapd cannot
/// show this: it calls the binding `ldap`, where RFC 5929 says `tls-server-end-point`.
fn second_step(scene: &Scene, mechanism: &str) -> (String, Error) {
    let sent = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&sent);
    let answers: Answers = Box::new(move |message, out| {
        let Request::Bind(bind) = &message.request else { return false };
        let Authentication::Sasl { credentials: Some(said), .. } = bind.authentication else {
            return false;
        };
        let mut seen = seen.lock().unwrap();
        seen.push(std::str::from_utf8(said).unwrap().to_owned());
        let nonce = seen[0].rsplit_once("r=").unwrap().1;
        let (code, answer) = match seen.len() {
            1 => (ResultCode::SASL_BIND_IN_PROGRESS, format!("r={nonce}more,s=c2FsdA==,i=4096")),
            // It does not know the password, and says yes.
            _ => (ResultCode::SUCCESS, format!("v={}", BASE64.encode([7; 32]))),
        };
        let result = LdapResult::new(code, "");
        write_bind_result(out, message.id, &result, Some(answer.as_bytes()), &[]);
        true
    });
    let mock = scene.start(None, answers);
    let mut error = None;
    block_on(async {
        let session = scene.connect("localhost", &mock, &scene.ca.certificate).await.unwrap();
        let password = Secret::new(PASSWORD);
        let bound = match mechanism {
            "SCRAM-SHA-256-PLUS" => session.bind_scram_plus("ada", &password).await,
            _ => session.bind_scram("ada", &password).await,
        };
        error = bound.err();
    });
    assert!(!mock.ended().windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
    let sent = sent.lock().unwrap();
    (sent[1].clone(), error.unwrap())
}

#[test]
fn a_server_that_says_yes_without_the_password_is_not_believed() {
    let Some(scene) = Scene::new("SCRAM of the client with a mock") else { return };
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
        let (sent, error) = second_step(&scene, mechanism);
        assert!(matches!(error, Error::Scram(ScramError::NotProven)), "{error}");
        let encoded = sent.strip_prefix("c=").unwrap().split_once(',').unwrap().0;
        let bound = BASE64.decode(encoded).unwrap();
        if mechanism == "SCRAM-SHA-256" {
            assert_eq!(bound, b"n,,");
            continue;
        }
        let hash = bound.strip_prefix(b"p=tls-server-end-point,,").unwrap();
        let mut openssl = Command::new("/usr/bin/openssl");
        openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]);
        openssl.arg(scene.folder.path().join("server.pem"));
        let said = run_checked(&mut openssl).unwrap();
        let hash: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(said.trim().rsplit_once('=').unwrap().1, hash.join(":"));
    }
}
