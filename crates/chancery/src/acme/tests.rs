//! What a CA may say that Debian's test server never says: a mock answers from a script.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use pki::{InHouseCa, pem};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::renewal::{Outcome, Renewal, Urgency};
use super::timing::Due;
use crate::config::{Config, Overrides};

const DAY: time::Duration = time::Duration::DAY;

/// Status line, header lines and body for a path.
type Script = fn(&str, u16) -> (&'static str, String, String);

/// A mock of a CA that answers GET requests by a script, one to a connection, until the process
/// ends.
struct MockCa {
    folder: TempDir,
    port: u16,
}

fn private(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl MockCa {
    fn start(script: Script) -> MockCa {
        let folder = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let made = InHouseCa::create("Mock CA", now, DAY, [1; 16]).unwrap();
        std::fs::write(folder.path().join("ca.pem"), &made.cert_pem).unwrap();
        let ca = InHouseCa::open(&made).unwrap();
        let tls = ca.issue_server(&["localhost"], now, DAY, [2; 16]).unwrap();
        let chain = pem::certificates(tls.chain_pem.as_bytes()).unwrap();
        let key = pem::private_key(tls.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                // A client that goes away is its own business.
                let _ = answer(StreamOwned::new(tls, stream), script, port);
            }
        });
        let mock = MockCa { folder, port };
        mock.issue(&ca);
        mock
    }

    /// A certificate of one day, as if it had come from here, and an account.
    fn issue(&self, ca: &InHouseCa) {
        let begin = OffsetDateTime::now_utc();
        let issued = ca.issue_server(&["ldap.example.com"], begin, DAY, [3; 16]).unwrap();
        let both = format!("{}{}", *issued.key_pem, issued.chain_pem);
        private(&self.data().join("acme/ldap.example.com/certificate.pem"), &both);
        let directory = format!("https://localhost:{}/dir", self.port);
        // Of the tests of `instant-acme`.
        let key = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJVWC_QzOTCS5vtsJp2IG-UDc8cdDfeoKtxSZxaznM-mhRANCAAQenCPoGgPFTdPJ7VLLKt56RxPlYT1wNXnHc54PEyBg3LxKaH0-sJkX0mL8LyPEdsfL_Oz4TxHkWLJGrXVtNhfH";
        let account = format!(
            "{{\"accounts\":[{{\"directory\":\"{directory}\",\"credentials\":{{\"id\":\"i\",\
             \"key_pkcs8\":\"{key}\",\"directory\":\"{directory}\"}}}}]}}"
        );
        private(&self.data().join("acme/account.json"), &account);
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn config(&self) -> Config {
        let text = format!(
            "data = 'data'\n[acme]\ndirectory = 'https://localhost:{}/dir'\nca = 'ca.pem'\n\
             names = ['ldap.example.com']\nlisten = '127.0.0.1:0'\n",
            self.port
        );
        let file = self.folder.path().join("chancery.toml");
        Config::from_text(&text, Some(&file), &Overrides::default()).unwrap()
    }
}

fn answer(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    script: Script,
    port: u16,
) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or("/");
    let (status, headers, body) = script(path, port);
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

fn directory(port: u16) -> String {
    let at = format!("https://localhost:{port}");
    format!(
        "{{\"newNonce\":\"{at}/nonce\",\"newAccount\":\"{at}/account\",\
         \"newOrder\":\"{at}/order\",\"renewalInfo\":\"{at}/ari\"}}"
    )
}

/// Suggests the hour between five and six hours from now.
fn suggesting(path: &str, port: u16) -> (&'static str, String, String) {
    if !path.starts_with("/ari/") {
        return ("200 OK", String::new(), directory(port));
    }
    let at = |hours: i64| {
        let at = OffsetDateTime::now_utc() + time::Duration::hours(hours);
        at.format(&Rfc3339).unwrap()
    };
    let window = format!("{{\"start\":\"{}\",\"end\":\"{}\"}}", at(5), at(6));
    let body = format!("{{\"suggestedWindow\":{window}}}");
    ("200 OK", "Retry-After: 7200\r\n".to_owned(), body)
}

#[test]
fn the_ca_decides_when_to_renew() {
    let mock = MockCa::start(suggesting);
    let config = mock.config();
    let renewal = Renewal::new(&config).unwrap();
    let now = OffsetDateTime::now_utc();
    // Without a suggestion a certificate of one day is due after sixteen hours.
    let Due::Later(until, _) = renewal.standing(now).unwrap().due else { panic!() };
    assert!(until > now + time::Duration::hours(14));
    let outcome = renewal.run(Urgency::WhenDue, now).unwrap();
    let Outcome::NotDue(until, why) = outcome else { panic!("{outcome:?}") };
    assert_eq!(why, "as the CA suggests");
    let hours = |hours| now + time::Duration::hours(hours) - time::Duration::MINUTE;
    assert!(until >= hours(5) && until <= hours(7), "{until}");
    let state = renewal.standing(now).unwrap().state;
    let suggestion = state.suggestion.clone().unwrap();
    let again = suggestion.ask_again_at - now.unix_timestamp();
    assert!((7000..=7200).contains(&again), "{again}");
    renewal.run(Urgency::WhenDue, now + time::Duration::HOUR).unwrap();
    let unasked = renewal.standing(now).unwrap().state;
    assert_eq!(unasked.suggestion, Some(suggestion), "not asked again before its time");
}

/// Asked too often.
fn refusing(_: &str, _: u16) -> (&'static str, String, String) {
    let problem = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too often"}"#;
    ("429 Too Many Requests", "Retry-After: 86400\r\n".to_owned(), problem.to_owned())
}

#[test]
fn a_ca_that_asks_for_time_gets_it() {
    let mock = MockCa::start(refusing);
    let config = mock.config();
    let renewal = Renewal::new(&config).unwrap();
    let now = OffsetDateTime::now_utc();
    let certificate = std::fs::read(renewal.certificate_file()).unwrap();
    let error = renewal.run(Urgency::Now, now).unwrap_err().to_string();
    assert!(error.contains("429") && error.contains("asked too often"), "{error}");
    let state = renewal.standing(now).unwrap().state;
    let wait = state.not_before.unwrap() - now.unix_timestamp();
    assert!((86_400..86_500).contains(&wait), "{wait}");
    assert_eq!(std::fs::read(renewal.certificate_file()).unwrap(), certificate);
    // Another process, another day: what was written down holds.
    let later = now + time::Duration::hours(20);
    assert!(matches!(renewal.run(Urgency::WhenDue, later).unwrap(), Outcome::NotDue(..)));
}

fn endless(_: &str, _: u16) -> (&'static str, String, String) {
    ("200 OK", String::new(), "x".repeat(3 << 20))
}

#[test]
fn an_answer_without_an_end_is_cut_off() {
    let mock = MockCa::start(endless);
    let config = mock.config();
    let error = Renewal::new(&config).unwrap().rehearse().unwrap_err().to_string();
    assert!(error.contains("length limit"), "{error}");
}

#[test]
fn one_order_at_a_time() {
    let mock = MockCa::start(refusing);
    let config = mock.config();
    let shelf = super::shelf::Shelf::new(&config.data, &config.acme.as_ref().unwrap().names);
    let turn = shelf.turn().unwrap();
    let now = OffsetDateTime::now_utc();
    let error = Renewal::new(&config).unwrap().run(Urgency::Now, now).unwrap_err();
    assert!(error.to_string().contains("another process is ordering"), "{error}");
    drop(turn);
    let error = Renewal::new(&config).unwrap().run(Urgency::Now, now).unwrap_err();
    assert!(error.to_string().contains("429"), "{error}");
}
