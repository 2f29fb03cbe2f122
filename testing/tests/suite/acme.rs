//! Certificates from a real ACME server, by every challenge; and what is left when it says no.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testing::peers::chancery::{binary, peer, serve, start_command};
use testing::peers::missing::{Peer, present};
use testing::peers::nameserver::{NameServer, Product, dig};
use testing::peers::pebble::{self, Pebble, Wishes};
use testing::peers::port;
use testing::process::{Finished, Process, run};

/// Pebble, the name server that it asks, and a folder with a configuration.
struct Scene {
    names: NameServer,
    ca: Pebble,
    folder: TempDir,
}

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

fn scene(test: &str, wishes: impl Fn(Wishes) -> Wishes) -> Option<Scene> {
    let peers = [peer(), Product::Bind.program(), dig(), pebble::program()];
    if !present(test, &peers) {
        return None;
    }
    let names = NameServer::start(Product::Bind).unwrap();
    names
        .nsupdate("add ldap.example.com 60 A 127.0.0.1\nadd b.example.com 60 A 127.0.0.1")
        .unwrap();
    let ca = Pebble::start(wishes(Wishes::asking(names.port))).unwrap();
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    Some(Scene { names, ca, folder })
}

impl Scene {
    /// The rest of `[acme]`, after the CA and its terms.
    fn configure(&self, acme: &str) {
        self.configure_all(&format!("agree-to-terms = true\n{acme}"));
    }

    fn configure_all(&self, acme: &str) {
        let text = format!(
            "data = 'data'\n[publish]\nnames = ['ldap.example.com']\n[dns]\n\
             server = '127.0.0.1:{0}'\nzone = 'example.com'\nkey = '{1}'\n\
             name-servers = ['127.0.0.1:{0}']\n[acme]\ndirectory = '{2}'\nca = '{3}'\n{acme}\n",
            self.names.port,
            self.names.key.display(),
            self.ca.directory,
            self.ca.ca.display(),
        );
        fs::write(self.folder.path().join("chancery.toml"), text).unwrap();
    }

    fn http(&self) -> String {
        format!("challenge = 'http-01'\nlisten = '127.0.0.1:{}'", self.ca.http_port)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.folder.path().join("chancery.toml")).args(arguments);
        command
    }

    fn acme(&self, arguments: &[&str]) -> Finished {
        run(self.command(&["acme"]).args(arguments)).unwrap()
    }

    /// The same at another time.
    fn acme_at(&self, shift: &str, arguments: &[&str]) -> Finished {
        let mut command = self.command(&["acme"]);
        command.args(arguments).env("LD_PRELOAD", FAKETIME).env("FAKETIME", shift);
        run(command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1")).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("data/acme").join(name)
    }

    /// Code, and words of what it says on either stream; what Pebble said when it is otherwise.
    #[track_caller]
    fn expect(&self, finished: &Finished, code: i32, words: &[&str]) {
        let said = format!("{}{}", finished.stdout, finished.stderr);
        let is_so = finished.code == Some(code) && words.iter().all(|word| said.contains(word));
        assert!(is_so, "not {code} with {words:?}:\n{said}\n{}", self.ca.process.output());
    }

    /// The project's own judgement of what is there.
    #[track_caller]
    fn expect_good(&self, file: &Path, names: &[&str]) {
        let mut command = self.command(&["cert", "check", "--renews-itself"]);
        names.iter().for_each(|name| {
            command.args(["--name", name]);
        });
        self.expect(&run(command.arg(file)).unwrap(), 0, &[]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700));
    }

    fn texts(&self) -> Vec<String> {
        self.names.dig(&["_acme-challenge.example.com", "TXT"]).unwrap()
    }
}

const CERTIFICATE: &str = "ldap.example.com/certificate.pem";

#[test]
fn http_01_gives_a_certificate_and_the_next_has_another_key() {
    let Some(scene) = scene("acme http-01", |wishes| wishes) else { return };
    scene.configure(&scene.http());
    scene.expect(&scene.acme(&["status"]), 0, &["none yet", "now: there is no certificate yet"]);
    scene.expect(&scene.acme(&["renew", "--dry-run"]), 0, &["would order ldap.example.com"]);
    assert!(!scene.file(CERTIFICATE).exists());
    scene.expect(&scene.acme(&["renew"]), 0, &["new, thumbprint"]);
    let file = scene.file(CERTIFICATE);
    scene.expect_good(&file, &["ldap.example.com"]);
    scene.expect(&scene.acme(&["renew"]), 0, &["nothing ordered", "a third of its lifetime"]);
    scene.expect(&scene.acme(&["renew", "--dry-run"]), 0, &["would not order"]);
    assert!(TcpStream::connect(("127.0.0.1", scene.ca.http_port)).is_err(), "only while pending");
    let (first, account) = (fs::read_to_string(&file).unwrap(), scene.file("account.json"));
    let known = fs::read(&account).unwrap();
    scene.expect(&scene.acme(&["order"]), 0, &["new, thumbprint"]);
    let second = fs::read_to_string(&file).unwrap();
    let key = |text: &str| text.split("-----END").next().unwrap().to_owned();
    assert!(key(&first).contains("PRIVATE KEY") && key(&first) != key(&second));
    assert_eq!(fs::read(&account).unwrap(), known, "one account for both");
    assert_eq!(fs::metadata(&account).unwrap().permissions().mode() & 0o777, 0o600);
    scene.expect_good(&file, &["ldap.example.com"]);
    let status = scene.acme(&["status", "--json"]);
    scene.expect(&status, 0, &["\"names-match\": true", "\"failures\": 0"]);
    // Other names are wanted now, which makes an order due at once.
    scene.configure(&format!("{}\nnames = ['ldap.example.com', 'b.example.com']", scene.http()));
    scene.expect(&scene.acme(&["renew"]), 0, &["new, thumbprint"]);
    scene.expect_good(&file, &["ldap.example.com", "b.example.com"]);
}

#[test]
fn tls_alpn_01_and_dns_01_give_certificates_as_well() {
    let Some(scene) = scene("acme tls-alpn-01, dns-01", |wishes| wishes) else { return };
    let port = scene.ca.tls_port;
    scene.configure(&format!("challenge = 'tls-alpn-01'\nlisten = '127.0.0.1:{port}'"));
    scene.expect(&scene.acme(&["order"]), 0, &["new, thumbprint"]);
    scene.expect_good(&scene.file(CERTIFICATE), &["ldap.example.com"]);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "only while pending");
    scene.configure("challenge = 'dns-01'");
    scene.expect(&scene.acme(&["order"]), 0, &["new, thumbprint"]);
    // Two proofs under one name, beside somebody else's.
    scene.names.nsupdate("add _acme-challenge.example.com 60 TXT theirs").unwrap();
    scene.configure("challenge = 'dns-01'\nnames = ['*.example.com', 'example.com']");
    scene.expect(&scene.acme(&["order"]), 0, &["_.example.com/certificate.pem: new"]);
    let file = scene.file("_.example.com/certificate.pem");
    scene.expect_good(&file, &["any.example.com", "example.com"]);
    assert_eq!(scene.texts(), ["\"theirs\""]);
    scene.configure(&format!("{}\nnames = ['*.example.com']", scene.http()));
    scene.expect(&scene.acme(&["order"]), 2, &["needs challenge = \"dns-01\""]);
    scene.configure("challenge = 'dns-01'\nnames = ['ldap.example.net']");
    scene.expect(&scene.acme(&["order"]), 2, &["ldap.example.net is outside the zone example.com"]);
}

#[test]
fn a_failed_order_leaves_the_old_certificate_and_waits() {
    let Some(scene) = scene("acme failures", |wishes| wishes) else { return };
    let [elsewhere] = testing::ports::free::<1>().unwrap();
    let wrong = format!("challenge = 'http-01'\nlisten = '127.0.0.1:{elsewhere}'");
    scene.configure(&wrong);
    let words = ["not convinced", "(connection)", "open the port from outside"];
    scene.expect(&scene.acme(&["renew"]), 3, &words);
    let waits = ["nothing ordered", "the last attempt failed"];
    scene.expect(&scene.acme(&["renew"]), 0, &waits);
    scene.expect(&scene.acme(&["status"]), 1, &["failing     1 times", "none yet"]);
    // With other settings it is tried at once.
    scene.configure(&scene.http());
    scene.expect(&scene.acme(&["renew"]), 0, &["new"]);
    scene.expect(&scene.acme(&["status"]), 0, &[]);
    let good = fs::read(scene.file(CERTIFICATE)).unwrap();
    scene.configure(&wrong);
    scene.expect(&scene.acme(&["order"]), 3, &words);
    assert_eq!(fs::read(scene.file(CERTIFICATE)).unwrap(), good);
    scene.expect(&scene.acme(&["status", "--json"]), 1, &["\"failures\": 1", "connection"]);
    scene.configure(&format!("{}\nnames = ['nowhere.example.com']", scene.http()));
    scene.expect(&scene.acme(&["order"]), 3, &["nowhere.example.com:"]);
    // The proof is written, and a name server of the zone never shows it: the CA is not asked.
    let silent = format!("challenge = 'dns-01'\n[dns]\nname-servers = ['127.0.0.1:{elsewhere}']");
    let both = scene.folder.path().join("chancery.toml");
    scene.configure(&silent);
    let text = fs::read_to_string(&both).unwrap();
    let (head, tail) = text.split_once("[acme]").unwrap();
    let own = format!("name-servers = ['127.0.0.1:{}']\n", scene.names.port);
    let head = head
        .replace(&own, &format!("name-servers = ['127.0.0.1:{elsewhere}']\npropagation = '1s'\n"));
    let tail = tail.split("[dns]").next().unwrap();
    fs::write(&both, format!("{head}[acme]{tail}")).unwrap();
    scene.expect(&scene.acme(&["order"]), 3, &["nobody listens there", "dns.propagation"]);
    let name = ["_acme-challenge.ldap.example.com", "TXT"];
    assert!(scene.names.dig(&name).unwrap().is_empty(), "taken down again");
    assert_eq!(fs::read(scene.file(CERTIFICATE)).unwrap(), good);
}

#[test]
fn a_renewal_comes_by_itself_when_its_time_has_come() {
    let faketime = Peer::program("faketime", FAKETIME);
    let Some(scene) = scene("acme renewal", |wishes| wishes) else { return };
    if !present("acme renewal", &[faketime]) {
        return;
    }
    scene.configure(&scene.http());
    scene.expect(&scene.acme(&["renew"]), 0, &["new"]);
    let first = fs::read(scene.file(CERTIFICATE)).unwrap();
    // It lives a day.
    scene.expect(&scene.acme_at("+15h", &["renew"]), 0, &["nothing ordered"]);
    assert_eq!(fs::read(scene.file(CERTIFICATE)).unwrap(), first);
    scene.expect(&scene.acme_at("+17h", &["renew"]), 0, &["new"]);
    assert_ne!(fs::read(scene.file(CERTIFICATE)).unwrap(), first);
    // A clock that jumped ahead and back leaves everything as it is.
    let second = fs::read(scene.file(CERTIFICATE)).unwrap();
    scene.expect(&scene.acme(&["renew"]), 0, &["nothing ordered"]);
    assert_eq!(fs::read(scene.file(CERTIFICATE)).unwrap(), second);
}

#[test]
fn refused_nonces_are_overcome() {
    let refusing = |wishes| Wishes { nonces_refused: 15, ..wishes };
    let Some(scene) = scene("acme nonces", refusing) else { return };
    scene.configure(&format!("{}\norders-per-hour = 100", scene.http()));
    // Each is asked for once in an order; more often is again, after a nonce was refused.
    let once = ["POST /order-plz", "POST /chalZ/", "POST /finalize-order/", "POST /certZ/"];
    let asked = || {
        let said = scene.ca.process.output();
        once.iter().map(|request| said.matches(request).count()).sum::<usize>()
    };
    // Chance decides which are refused: an order may meet none, or too many in a row.
    let worked = (0..20).any(|_| {
        let before = asked();
        scene.acme(&["order"]).success() && asked() > before + once.len()
    });
    assert!(worked, "{}", scene.ca.process.output());
}

#[test]
fn terms_and_accounts_are_asked_for_by_name() {
    const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let external = |wishes| Wishes { external_account: Some(("kid-1", KEY)), ..wishes };
    let Some(scene) = scene("acme accounts", external) else { return };
    let file = scene.folder.path().join("eab.key");
    let with_key = |key: &str| {
        fs::write(&file, key).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        format!("{}\neab-key-id = 'kid-1'\neab-key = '{}'", scene.http(), file.display())
    };
    scene.configure_all(&scene.http());
    scene.expect(
        &scene.acme(&["order", "--dry-run"]),
        0,
        &["terms of the CA: data:text", "needed"],
    );
    scene.expect(&scene.acme(&["order"]), 2, &["read data:text/plain", "agree-to-terms = true"]);
    scene.configure(&scene.http());
    scene.expect(&scene.acme(&["order"]), 2, &["eab-key-id"]);
    scene.configure(&format!("{}\neab-key-id = 'kid-1'", scene.http()));
    scene.expect(&scene.acme(&["order"]), 2, &["write the file of the key"]);
    scene.configure(&with_key("not base64url!"));
    scene.expect(&scene.acme(&["order"]), 2, &["is not base64url"]);
    scene.configure(&with_key(&KEY.to_ascii_lowercase()));
    let refused = scene.acme(&["order"]);
    scene.expect(&refused, 3, &["makes no account"]);
    assert!(!refused.stderr.contains(&KEY[..8]), "a secret is not printed");
    scene.configure(&with_key(KEY));
    scene.expect(&scene.acme(&["order"]), 0, &["new"]);
    fs::set_permissions(scene.file("account.json"), fs::Permissions::from_mode(0o644)).unwrap();
    scene.expect(&scene.acme(&["order"]), 3, &["others may read it"]);
}

#[test]
fn what_stands_in_the_way_is_named() {
    let Some(scene) = scene("acme hindrances", |wishes| wishes) else { return };
    scene.configure(&format!("{}\norders-per-hour = 1", scene.http()));
    scene.expect(&scene.acme(&["order"]), 0, &["new"]);
    scene.expect(&scene.acme(&["order"]), 1, &["there were enough orders for one hour"]);
    let text = scene.http();
    let taken = std::net::TcpListener::bind(("127.0.0.1", scene.ca.http_port)).unwrap();
    scene.configure(&text);
    scene.expect(&scene.acme(&["order"]), 3, &["somebody else listens there"]);
    drop(taken);
    let other_ca = scene.folder.path().join("other");
    fs::create_dir(&other_ca).unwrap();
    let other = testing::certificates::authority(&other_ca).unwrap();
    let path = scene.folder.path().join("chancery.toml");
    let replace = |from: &str, to: &str| {
        scene.configure(&text);
        let config = fs::read_to_string(&path).unwrap().replace(from, to);
        fs::write(&path, config).unwrap();
    };
    let ours = scene.ca.ca.display().to_string();
    replace(&ours, &other.certificate.display().to_string());
    scene.expect(&scene.acme(&["order"]), 3, &["TLS with localhost", "acme.ca"]);
    replace("/dir'", "/nothing'");
    scene.expect(&scene.acme(&["order"]), 3, &["it answers 404"]);
    replace("https://", "http://");
    scene.expect(&scene.acme(&["order"]), 2, &["not an https:// address"]);
    replace("http-01", "smoke-signals");
    scene.expect(&scene.acme(&["order"]), 2, &["http-01", "dns-01"]);
    scene.configure("challenge = 'tls-alpn-01'\nlisten = '192.0.2.1:1'");
    scene.expect(&scene.acme(&["order"]), 3, &["write an address of this machine"]);
}

/// A server with the scene's configuration on the scene's data folder.
fn serve_scene(scene: &Scene) -> Command {
    let mut command = serve(&scene.folder.path().join("data"));
    command.arg("--config").arg(scene.folder.path().join("chancery.toml"));
    command
}

#[test]
fn a_server_orders_by_itself_and_serves_what_came() {
    let Some(scene) = scene("acme serve", |wishes| wishes) else { return };
    scene.configure(&scene.http());
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    let data = scene.folder.path().join("data");
    // It begins with a certificate of its own CA.
    let mut server = start_command(folder, &data, serve_scene(&scene)).unwrap();
    let address = format!("127.0.0.1:{}", port(&server.ldaps));
    let shows_the_new_one = |_: &Process| {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-servername", "ldap.example.com", "-connect", &address]);
        let shown = run(&mut client).ok()?;
        shown.stdout.contains("issuer=CN = Pebble Intermediate").then_some(())
    };
    server.process.wait_until("the certificate of the ACME server", shows_the_new_one).unwrap();
    let why = run(&mut scene.command(&["cert", "why"])).unwrap();
    scene.expect(&why, 0, &[CERTIFICATE, "chosen"]);
    scene.expect(&scene.acme(&["status"]), 0, &["a third of its lifetime is left"]);
}

#[test]
fn a_server_whose_orders_fail_says_so() {
    let Some(scene) = scene("acme alert", |wishes| wishes) else { return };
    let [elsewhere] = testing::ports::free::<1>().unwrap();
    scene.configure(&format!("challenge = 'http-01'\nlisten = '127.0.0.1:{elsewhere}'"));
    let until = |words: &str| {
        let command = serve_scene(&scene);
        let mut process = Process::start("chancery", scene.folder.path(), command).unwrap();
        let said = |process: &Process| process.output().contains(words).then_some(());
        process.wait_until(words, said).unwrap();
        assert!(process.terminate().unwrap().success());
    };
    until("open the port from outside");
    scene.expect(&scene.acme(&["status"]), 1, &["failing     1 times"]);
    // What is the case is looked at when it starts, and once an hour.
    until("renewal-failing");
    scene.expect(&scene.acme(&["status"]), 1, &["failing     1 times"]);
}
