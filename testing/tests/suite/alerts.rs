//! Alerts as those get them who should be told: a webhook, a mail server, `chancery alerts`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testing::certificates::{self, Certificate};
use testing::peers::chancery::{binary, peer, serve, start_command, target_folder};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server};
use testing::process::{Finished, Process, run};
use testing::wire::request::add_person;

const EVA: &str = "uid=eva,dc=example,dc=com";

fn peers() -> Vec<Peer> {
    let python = target_folder().join("peers/venv/bin/python");
    // Below a folder with the interpreter's version in its name.
    let library = std::fs::read_dir(target_folder().join("peers/venv/lib")).into_iter().flatten();
    let packages = library.flatten().map(|entry| entry.path().join("site-packages/aiosmtpd"));
    let found = packages.into_iter().find(|path| path.exists());
    vec![
        peer(),
        Peer::program("openssl", "/usr/bin/openssl"),
        Peer::program("python", python),
        Peer::program("python's aiosmtpd", found.unwrap_or_else(|| "none".into())),
    ]
}

/// Where alerts go, with a CA of its own.
struct Receiver {
    process: Process,
    port: u16,
    ca: Certificate,
    folder: TempDir,
}

impl Receiver {
    fn start(arguments: &[&str]) -> Receiver {
        let folder = tempfile::Builder::new().prefix("receiver-").tempdir().unwrap();
        let ca = certificates::authority(folder.path()).unwrap();
        let made = certificates::server(folder.path(), &ca).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/receiver.py");
        let mut command = Command::new(target_folder().join("peers/venv/bin/python"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).args(arguments);
        command.arg("--cert").arg(&made.certificate).arg("--key").arg(&made.key);
        let mut process = Process::start("receiver", folder.path(), command).unwrap();
        let port = process
            .wait_for_line(|line| line.strip_prefix("listening ")?.trim().parse().ok())
            .unwrap();
        Receiver { process, port, ca, folder }
    }

    /// A file that only its owner may read.
    fn secret(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Waits for the message of that number, counted from 0.
    fn message(&mut self, number: usize) -> String {
        let what = format!("message {number}");
        self.process
            .wait_until(&what, |process| {
                let output = process.output();
                output.lines().filter(|line| line.starts_with('{')).nth(number).map(str::to_owned)
            })
            .unwrap()
    }

    fn count(&self) -> usize {
        self.process.output().lines().filter(|line| line.starts_with('{')).count()
    }
}

fn folder_with(config: &str) -> (TempDir, PathBuf, Command) {
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    let file = folder.path().join("chancery.toml");
    std::fs::write(&file, format!("[lockout]\nsource-failures = 0\n[alerts]\n{config}")).unwrap();
    let data = folder.path().join("data");
    let mut command = serve(&data);
    command.arg("--config").arg(&file);
    (folder, data, command)
}

fn start(config: &str) -> Server {
    let (folder, data, command) = folder_with(config);
    let server = start_command(folder, &data, command).unwrap();
    let mut admin = server.connect_as_admin().unwrap();
    let person = add_person(EVA, "eva", &[("userPassword", &[b"right"])]);
    admin.ask(&person, &[]).unwrap().expect_success("add").unwrap();
    server
}

fn chancery(server: &Server, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.args(arguments).arg("--config").arg(server.folder.path().join("chancery.toml"));
    run(command.arg("--data").arg(server.folder.path().join("data"))).unwrap()
}

fn lock(server: &Server) {
    for _ in 0..5 {
        assert_eq!(server.connect().unwrap().bind(EVA, "wrong").unwrap().code, 49);
    }
    // What was counted is in the entry once something after it is.
    let mut admin = server.connect_as_admin().unwrap();
    let write = testing::wire::request::modify(SUFFIX, &[(2, "description", &[b"x"])]);
    admin.ask(&write, &[]).unwrap().expect_success("write").unwrap();
}

#[test]
fn a_webhook_is_told_once_again_after_a_failure_and_when_it_is_over() {
    if !present("webhook", &peers()) {
        return;
    }
    let mut receiver = Receiver::start(&["https", "--fail", "1"]);
    let token = receiver.secret("token", "s3cret\n", 0o600);
    let config = format!(
        "webhook = 'https://localhost:{}/hook?x=1'\nwebhook-ca = '{}'\nwebhook-secret = '{}'\n",
        receiver.port,
        receiver.ca.certificate.display(),
        token.display()
    );
    let server = start(&config);
    lock(&server);
    let evaluated = chancery(&server, &["alerts", "evaluate"]);
    assert!(
        evaluated.stdout.contains("warning   accounts-locked: 1 locked: uid=eva"),
        "{evaluated:?}"
    );
    assert_eq!(evaluated.code, Some(1), "a warning is a finding");
    let message = receiver.message(0);
    for part in [
        "\"path\": \"/hook?x=1\"",
        "\"type\": \"application/json\"",
        "\"authorization\": \"Bearer s3cret\"",
        "\"event\": \"raised\"",
        "\"id\": \"accounts-locked\"",
        "\"level\": \"warning\"",
        "\"message\": 1",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let log = server.process.output();
    assert!(log.contains("it answers 503"), "the first attempt failed: {log}");
    chancery(&server, &["alerts", "evaluate"]);

    let mut server = server;
    assert!(server.process.terminate().unwrap().success());
    let Server { process, folder, .. } = server;
    let first_log = process.output();
    drop(process);
    let data = folder.path().join("data");
    let mut command = serve(&data);
    command.arg("--config").arg(folder.path().join("chancery.toml"));
    let server = start_command(folder, &data, command).unwrap();
    chancery(&server, &["alerts", "evaluate"]);
    chancery(&server, &["account", "unlock", EVA]);
    let evaluated = chancery(&server, &["alerts", "evaluate"]);
    assert_eq!(evaluated.stdout, "nothing is wrong\n");
    let message = receiver.message(1);
    assert!(message.contains("\"event\": \"cleared\""), "{message}");
    assert_eq!(receiver.count(), 2, "nothing twice, and a restart tells nothing again");
    for log in [first_log, server.process.output()] {
        assert!(!log.contains("s3cret"), "{log}");
    }
    let status = chancery(&server, &["status"]).stdout;
    assert!(status.contains("alerts go to  log, webhook"), "{status}");
    let json = chancery(&server, &["status", "--json"]).stdout;
    assert!(json.contains("\"undelivered\":[]"), "{json}");
}

#[test]
fn mail_goes_out_over_starttls_with_a_password() {
    if !present("mail", &peers()) {
        return;
    }
    let mut receiver = Receiver::start(&["smtp", "--user", "chancery", "--password", "pass word"]);
    let password = receiver.secret("password", "pass word\n", 0o600);
    let config = format!(
        "mail-server = 'localhost:{}'\nmail-ca = '{}'\nmail-user = 'chancery'\n\
         mail-password = '{}'\nmail-from = 'Chancery <chancery@example.com>'\n\
         mail-to = ['one@example.com', 'two@example.com']\n",
        receiver.port,
        receiver.ca.certificate.display(),
        password.display()
    );
    let server = start(&config);
    let tested = chancery(&server, &["alerts", "test"]);
    assert_eq!(tested.stdout, "delivered to: mail\n", "{tested:?}");
    let message = receiver.message(0);
    for part in [
        "\"from\": \"chancery@example.com\"",
        "\"to\": [\"one@example.com\", \"two@example.com\"]",
        "test test",
        "\"tls\": true",
        "\"user\": \"chancery\"",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    lock(&server);
    chancery(&server, &["alerts", "evaluate"]);
    let message = receiver.message(1);
    for part in ["warning accounts-locked", "what to do: look in the audit log", "uid=eva"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!server.process.output().contains("pass word"));
}

#[test]
fn mail_goes_out_over_tls_from_the_first_byte_and_to_no_other_server() {
    if !present("mail over TLS", &peers()) {
        return;
    }
    let arguments = ["smtp", "--implicit", "--user", "chancery", "--password", "pass word"];
    for (knows_the_ca, code) in [(true, 0), (false, 3)] {
        let mut receiver = Receiver::start(&arguments);
        let password = receiver.secret("password", "pass word\n", 0o600);
        let elsewhere = tempfile::tempdir().unwrap();
        let other = certificates::authority(elsewhere.path()).unwrap();
        let ca = if knows_the_ca { &receiver.ca } else { &other };
        let server = start(&format!(
            "mail-server = 'localhost:{}'\nmail-security = 'tls'\nmail-ca = '{}'\n\
             mail-user = 'chancery'\nmail-password = '{}'\nmail-from = 'a@example.com'\n\
             mail-to = ['b@example.com']\n",
            receiver.port,
            ca.certificate.display(),
            password.display()
        ));
        let tested = chancery(&server, &["alerts", "test"]);
        assert_eq!(tested.code, Some(code), "{tested:?}");
        match knows_the_ca {
            true => {
                let message = receiver.message(0);
                let user = "\"user\": \"chancery\"";
                assert!(message.contains("\"tls\": true") && message.contains(user), "{message}");
            }
            false => {
                assert!(tested.stderr.contains("certificate"), "{}", tested.stderr);
                assert_eq!(receiver.count(), 0);
            }
        }
    }
}

#[test]
fn what_cannot_be_delivered_safely_is_not_delivered_and_shown() {
    if !present("undeliverable", &peers()) {
        return;
    }
    let plain = Receiver::start(&["smtp", "--no-starttls"]);
    let web = Receiver::start(&["https"]);
    let other = certificates::authority(plain.folder.path()).unwrap();
    let config = format!(
        "webhook = 'https://localhost:{}/'\nwebhook-ca = '{}'\nmail-server = 'localhost:{}'\n\
         mail-from = 'a@example.com'\nmail-to = ['b@example.com']\n",
        web.port,
        other.certificate.display(),
        plain.port
    );
    let server = start(&config);
    let tested = chancery(&server, &["alerts", "test"]);
    assert_eq!(tested.code, Some(3), "{tested:?}");
    assert!(tested.stderr.contains("it is tried again"), "{tested:?}");
    let mut server = server;
    server
        .process
        .wait_until("both to fail", |process| {
            let log = process.output();
            let failed = |channel: &str| {
                log.lines().any(|line| line.contains("not delivered yet") && line.contains(channel))
            };
            (failed("mail") && failed("webhook")).then_some(())
        })
        .unwrap();
    let shown = chancery(&server, &["alerts"]);
    assert!(shown.stdout.contains("not delivered yet by webhook"), "{}", shown.stdout);
    assert!(shown.stdout.contains("not delivered yet by mail"), "{}", shown.stdout);
    assert_eq!((plain.count(), web.count()), (0, 0));
    server.connect_as_admin().unwrap();
    let metrics = chancery(&server, &["status", "--prometheus"]).stdout;
    assert!(metrics.contains("\nchancery_alerts_undelivered 2\n"), "{metrics}");
    assert!(metrics.contains("\nchancery_certificate_not_after_seconds{thumbprint="), "{metrics}");
}

#[test]
fn settings_that_are_not_safe_are_refused_at_the_start() {
    if !present("alert settings", &peers()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    std::fs::write(&open, "secret\n").unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = open.display();
    let mail = "mail-from = 'a@example.com'\nmail-to = ['b@example.com']\n";
    for (config, part) in [
        ("webhook = 'http://alerts.example.com/'\n".to_owned(), "write https://"),
        ("webhook = 'alerts'\n".to_owned(), "begins with https://"),
        (
            format!("webhook = 'https://localhost/'\nwebhook-secret = '{open}'\n"),
            "others may read it",
        ),
        ("webhook = 'https://localhost/'\nwebhook-ca = 'nowhere.pem'\n".to_owned(), "nowhere.pem"),
        ("webhook-ca = 'nowhere.pem'\n".to_owned(), "write `webhook` as well"),
        (
            format!("mail-server = 'mail.example.com'\nmail-security = 'none'\n{mail}"),
            "for this machine only",
        ),
        (
            format!("mail-server = 'localhost'\nmail-user = 'a'\nmail-password = '{open}'\n{mail}"),
            "others may read it",
        ),
        (
            format!(
                "mail-server = 'localhost'\nmail-security = 'none'\nmail-user = 'a'\n\
                 mail-password = '{open}'\n{mail}"
            ),
            "never sent in the clear",
        ),
        (format!("mail-server = 'localhost'\nmail-user = 'a'\n{mail}"), "write both"),
        ("mail-server = 'localhost'\nmail-to = ['b@example.com']\n".to_owned(), "mail-from"),
        (
            "mail-server = 'localhost'\nmail-from = 'a@example.com'\n".to_owned(),
            "write at least one address",
        ),
        (
            "mail-server = 'localhost'\nmail-from = 'nobody'\nmail-to = ['b@example.com']\n"
                .to_owned(),
            "no mail address",
        ),
    ] {
        let (_folder, _, mut command) = folder_with(&config);
        let refused = run(&mut command).unwrap();
        assert_eq!(refused.code, Some(2), "{config}: {refused:?}");
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}
