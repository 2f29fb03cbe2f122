//! The certificate that is served, for its whole life: it comes, is replaced under load, goes bad,
//! and whatever happens, clients see the right one.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pki::authority::{CA_LIFETIME, CaMaterial};
use pki::{InHouseCa, Summary, pem};
use tempfile::TempDir;
use testing::peers::chancery::{binary, peer};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, port};
use testing::process::{Process, run};
use testing::wire::Connection;
use testing::wire::request::{BASE, modify, search, who_am_i};
use time::{Duration, OffsetDateTime};

/// A CA whose certificates are put where the server looks.
struct Ca {
    material: CaMaterial,
    file: PathBuf,
}

struct Made {
    chain: String,
    key: String,
    thumbprint: String,
}

impl Ca {
    fn new(folder: &Path) -> Ca {
        let now = OffsetDateTime::now_utc();
        let material = InHouseCa::create("A CA of the test", now, CA_LIFETIME, [7; 16]).unwrap();
        let file = folder.join("test-ca.pem");
        std::fs::write(&file, &material.cert_pem).unwrap();
        Ca { material, file }
    }

    fn made_at(&self, now: OffsetDateTime, days: i64, serial: u128) -> Made {
        let ca = InHouseCa::open(&self.material).unwrap();
        let names = ["localhost", "127.0.0.1"];
        let lifetime = Duration::days(days);
        let issued = ca.issue_server(&names, now, lifetime, serial.to_be_bytes()).unwrap();
        let leaf = pem::certificates(issued.chain_pem.as_bytes()).unwrap().remove(0);
        Made {
            thumbprint: Summary::parse(&leaf).unwrap().thumbprint,
            chain: issued.chain_pem,
            key: issued.key_pem.to_string(),
        }
    }

    fn good(&self, serial: u128) -> Made {
        self.made_at(OffsetDateTime::now_utc(), 300, serial)
    }

    fn expired(&self, serial: u128) -> Made {
        let ca_began = OffsetDateTime::now_utc();
        // Issued by a CA that was valid then, which nobody gets as far as to look at.
        let then = ca_began - Duration::days(30);
        let old = InHouseCa::create("An old CA", then, CA_LIFETIME, [8; 16]).unwrap();
        Ca { material: old, file: PathBuf::new() }.made_at(then, 2, serial)
    }
}

/// As deployment tools do it: a new file beside the old one, renamed over it.
fn put(path: &Path, content: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, content).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

struct Running {
    process: Process,
    data: PathBuf,
    folder: TempDir,
}

/// A server with this configuration, up as far as its local socket.
fn start(folder: TempDir, config: &str) -> Running {
    start_with(folder, config, &["--listen", "127.0.0.1:0"])
}

fn start_with(folder: TempDir, config: &str, more: &[&str]) -> Running {
    let file = folder.path().join("chancery.toml");
    std::fs::write(&file, config).unwrap();
    let data = folder.path().join("data");
    let mut command = Command::new(binary());
    command.args(["serve", "--suffix", SUFFIX]).args(more).arg("--data").arg(&data);
    command.arg("--config").arg(&file);
    let mut process = Process::start("chancery", folder.path(), command).unwrap();
    process
        .wait_for_line(|line| line.contains("listening on ldapi").then(|| line.to_owned()))
        .unwrap();
    Running { process, data, folder }
}

impl Running {
    /// Waits until LDAPS is up.
    fn ldaps(&mut self) -> u16 {
        let listening = |line: &str| {
            let uri = line.trim().strip_prefix("listening on ")?;
            uri.starts_with("ldaps://").then(|| uri.to_owned())
        };
        port(&self.process.wait_for_line(listening).unwrap())
    }

    fn command(&self, words: &[&str]) -> testing::process::Finished {
        let mut command = Command::new(binary());
        command.args(words).arg("--data").arg(&self.data);
        command.arg("--config").arg(self.folder.path().join("chancery.toml"));
        run(&mut command).unwrap()
    }

    fn password(&self) -> String {
        let text = std::fs::read_to_string(self.data.join("admin.password")).unwrap();
        text.trim_end().to_owned()
    }
}

fn admin() -> String {
    format!("cn=admin,{SUFFIX}")
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("chancery-").tempdir().unwrap()
}

/// The thumbprint that a client is shown, by another TLS client than ours.
fn shown(port: u16) -> Option<String> {
    let openssl = format!(
        "openssl s_client -connect 127.0.0.1:{port} </dev/null 2>/dev/null | \
         openssl x509 -noout -fingerprint -sha256"
    );
    let finished = run(Command::new("sh").args(["-c", &openssl])).unwrap();
    let text = finished.stdout.trim().rsplit_once('=')?.1.replace(':', "");
    Some(text.to_lowercase())
}

fn openssl() -> Peer {
    Peer::program("openssl", "/usr/bin/openssl")
}

#[test]
fn ldaps_comes_up_when_a_certificate_passes_and_not_before() {
    if !present("a certificate appears", &[peer(), openssl()]) {
        return;
    }
    let folder = folder();
    let ca = Ca::new(folder.path());
    let (chain, key) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
    let mut server = start(folder, "[tls]\ncertificate = 'tls.pem'\nkey = 'tls.key'\n");
    let output = server.process.output();
    assert!(output.contains("no certificate yet") && !output.contains("ldaps://"), "{output}");
    let why = server.command(&["cert", "why"]);
    assert_eq!(why.code, Some(1), "{}", why.stdout);
    assert!(
        why.stdout.contains("tls.pem") && why.stdout.contains("No such file"),
        "{}",
        why.stdout
    );

    // Three that do not pass, each with its reason.
    let expired = ca.expired(1);
    let good = ca.good(2);
    for (chain_text, key_text, reason) in [
        (&expired.chain, &expired.key, "expired"),
        (&good.chain, &expired.key, "key-mismatch"),
        (&"no certificate\n".to_owned(), &good.key, "no certificate in the PEM text"),
    ] {
        put(&key, key_text);
        put(&chain, chain_text);
        let refused = server.command(&["reload"]);
        assert_eq!(refused.code, Some(3), "{reason}: {}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{reason}: {}", refused.stderr);
        assert!(!server.process.output().contains("ldaps://"));
    }
    // A key that others can read is no key.
    put(&chain, &good.chain);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(server.command(&["reload"]).stderr.contains("chmod 600"));
    // Nobody says anything from here on: the files are watched.
    put(&key, &good.key);
    let begin = std::time::Instant::now();
    let number = server.ldaps();
    println!("LDAPS was up {:?} after the key", begin.elapsed());
    assert_eq!(shown(number).as_ref(), Some(&good.thumbprint));
    let mut client = Connection::open(number, &ca.file).unwrap();
    client.bind(&admin(), &server.password()).unwrap().expect_success("bind").unwrap();
    assert_eq!(server.command(&["cert", "why"]).code, Some(0));
}

#[test]
fn a_reload_that_brings_a_certificate_brings_up_ldaps_and_says_what_needs_a_restart() {
    if !present("a reload brings a certificate", &[peer(), openssl()]) {
        return;
    }
    let folder = folder();
    let ca = Ca::new(folder.path());
    let at = folder.path().to_owned();
    let mut server = start(folder, "[tls]\ncertificate = 'not-there.pem'\n");
    let good = ca.good(5);
    put(&at.join("both.pem"), &format!("{}{}", good.key, good.chain));
    let config = "anonymous = 'search'\n[tls]\ncertificate = 'both.pem'\n";
    std::fs::write(at.join("chancery.toml"), config).unwrap();
    let reloaded = server.command(&["reload"]);
    assert!(reloaded.success(), "{}", reloaded.stderr);
    assert!(reloaded.stdout.contains("next start on: anonymous"), "{}", reloaded.stdout);
    let number = server.ldaps();
    assert_eq!(shown(number).as_ref(), Some(&good.thumbprint));
}

/// The in-house certificate follows the names it is asked for, without a wait for the hourly look.
#[test]
fn a_reload_with_other_names_makes_the_certificate_for_them_first() {
    if !present("a reload with other names", &[peer(), openssl()]) {
        return;
    }
    let folder = folder();
    let at = folder.path().to_owned();
    let mut server = start(folder, "");
    let number = server.ldaps();
    let before = shown(number).unwrap();
    let config = "[publish]\nnames = ['ldap.example.com']\n";
    std::fs::write(at.join("chancery.toml"), config).unwrap();
    let reloaded = server.command(&["reload"]);
    assert!(reloaded.success(), "{}", reloaded.stderr);
    assert_ne!(shown(number).unwrap(), before);
    let why = server.command(&["cert", "why"]);
    assert!(why.stdout.contains("ldap.example.com"), "{}", why.stdout);
    let told = server.command(&["alerts", "evaluate"]);
    assert!(!told.stdout.contains("renewal-failing"), "{}", told.stdout);
}

/// What the clients of a load have counted.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    sessions: AtomicU64,
}

fn one_client(load: &Load, port: u16, ca: &Path, password: &str) {
    while !load.stop.load(Ordering::Relaxed) {
        let mut client = Connection::open(port, ca).unwrap();
        client.bind(&admin(), password).unwrap().expect_success("bind").unwrap();
        for _ in 0..3 {
            let base = search(SUFFIX, BASE, "(objectClass=*)", &["dc"]);
            let answer = client.ask(&base, &[]).unwrap();
            assert_eq!((answer.code, answer.entries.len()), (0, 1));
        }
        load.sessions.fetch_add(1, Ordering::Relaxed);
    }
}

/// One replacement in each of the four ways, good ones and bad ones in turn.
#[test]
fn a_hundred_replacements_under_load_and_no_operation_fails() {
    if !present("replacements under load", &[peer(), openssl()]) {
        return;
    }
    const ROUNDS: u128 = 100;
    let folder = folder();
    let ca = Ca::new(folder.path());
    let (chain, key) = (folder.path().join("tls.pem"), folder.path().join("tls.key"));
    let first = ca.good(1000);
    put(&key, &first.key);
    put(&chain, &first.chain);
    let mut server = start(folder, "[tls]\ncertificate = 'tls.pem'\nkey = 'tls.key'\n");
    let (number, password) = (server.ldaps(), server.password());
    let mut always = Connection::open(number, &ca.file).unwrap();
    always.bind(&admin(), &password).unwrap().expect_success("bind").unwrap();
    let load = Arc::new(Load::default());
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (load, file, password) = (Arc::clone(&load), ca.file.clone(), password.clone());
            std::thread::spawn(move || one_client(&load, number, &file, &password))
        })
        .collect();
    let mut expected = first.thumbprint;
    for round in 0..ROUNDS {
        let is_good = round % 2 == 0;
        let made = if is_good { ca.good(2000 + round) } else { ca.expired(3000 + round) };
        put(&key, &made.key);
        put(&chain, &made.chain);
        if is_good {
            expected = made.thumbprint.clone();
        }
        // The watch may have been first: then there is nothing left to do, which is no failure.
        match round % 8 / 2 {
            0 => {
                let renew = modify("", &[(2, "renewServerCertificate", &[b"1"])]);
                let code = always.ask(&renew, &[]).unwrap().code;
                assert_eq!(code, if is_good { 0 } else { 53 }, "round {round}");
            }
            1 => {
                let code = server.command(&["reload"]).code;
                assert_eq!(code, Some(if is_good { 0 } else { 3 }), "round {round}");
            }
            2 => server.process.signal("HUP").unwrap(),
            _ => {}
        }
        // Until the server has seen these files: the candidate of now is the one just written.
        wait_until_seen(&server, &made.thumbprint);
        let why = || server.command(&["cert", "why"]).stdout;
        assert_eq!(shown(number).as_ref(), Some(&expected), "round {round}: {}", why());
    }
    load.stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().expect("no operation of a client failed"));
    always.ask(&who_am_i(), &[]).unwrap().expect_success("a connection from before").unwrap();
    let sessions = load.sessions.load(Ordering::Relaxed);
    println!("{sessions} sessions of a bind and three searches beside {ROUNDS} replacements");
    assert!(sessions > 50);
}

fn wait_until_seen(server: &Running, thumbprint: &str) {
    for _ in 0..600 {
        let why = server.command(&["cert", "why"]).stdout;
        if why.contains(thumbprint) {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the server never looked at {thumbprint}");
}

/// Kubernetes: files are links to links into a folder that is exchanged as a whole.
#[test]
fn a_mounted_folder_is_followed_through_its_links() {
    if !present("mounted folder", &[peer(), openssl()]) {
        return;
    }
    let folder = folder();
    let ca = Ca::new(folder.path());
    let mount = folder.path().join("mount");
    let version = |name: &str, made: &Made| {
        let inside = mount.join(name);
        std::fs::create_dir_all(&inside).unwrap();
        put(&inside.join("tls.key"), &made.key);
        put(&inside.join("tls.crt"), &format!("{}{}", made.chain, ca.material.cert_pem));
        put(&inside.join("ca.crt"), &ca.material.cert_pem);
    };
    let switch = |name: &str| {
        let beside = mount.join("..data_tmp");
        symlink(name, &beside).unwrap();
        std::fs::rename(&beside, mount.join("..data")).unwrap();
    };
    let (one, two) = (ca.good(1), ca.good(2));
    version("..2026_1", &one);
    switch("..2026_1");
    for name in ["tls.key", "tls.crt", "ca.crt"] {
        symlink(format!("..data/{name}"), mount.join(name)).unwrap();
    }
    let mut server = start(folder, "[tls]\nfolder = 'mount'\nrenews-itself = true\n");
    let number = server.ldaps();
    assert_eq!(shown(number).as_ref(), Some(&one.thumbprint));
    version("..2026_2", &two);
    switch("..2026_2");
    wait_until_seen(&server, &two.thumbprint);
    assert_eq!(shown(number).as_ref(), Some(&two.thumbprint));
    let why = server.command(&["cert", "why"]).stdout;
    assert!(why.contains("tls.crt\n  chosen") && !why.contains("ca.crt"), "{why}");
}

#[test]
fn the_monitor_and_the_root_dse_are_for_administrators() {
    let tools =
        ["ldapsearch", "ldapmodify"].map(|name| Peer::program(name, format!("/usr/bin/{name}")));
    if !present("cn=monitor", &[&[peer()], tools.as_slice()].concat()) {
        return;
    }
    let server = testing::peers::chancery::start().unwrap();
    let person = format!("uid=someone,ou=people,{SUFFIX}");
    let mut connection = server.connect_as_admin().unwrap();
    let add = testing::wire::request::add_person(
        &person,
        "someone",
        &[("userPassword", &[b"a b c d e"])],
    );
    connection.ask(&add, &[]).unwrap().expect_success("add").unwrap();
    let password = server.folder.path().join("anna.password");
    std::fs::write(&password, "a b c d e").unwrap();
    let tool = |program: &str, dn: &str, password: &Path, words: &[&str]| {
        let mut command = Command::new(program);
        command.args(["-H", &server.ldaps, "-x", "-D", dn, "-y"]).arg(password).args(words);
        command.env("LDAPTLS_CACERT", &server.ca);
        command
    };
    let admin_password = server.folder.path().join("admin.password");
    std::fs::write(&admin_password, server.password().unwrap()).unwrap();
    let asked = ["-LLL", "-o", "ldif-wrap=no", "-b", "cn=monitor", "(objectClass=*)", "+"];
    let seen = run(&mut tool("ldapsearch", &server.admin, &admin_password, &asked)).unwrap();
    let number = port(&server.ldaps);
    let thumbprint = shown(number).unwrap();
    assert!(
        seen.stdout.contains(&format!("certificateThumbprint: {thumbprint}")),
        "{}",
        seen.stdout
    );
    assert!(
        seen.stdout.contains("certificateSerial: ") && seen.stdout.contains("dn: cn=monitor\n")
    );
    let one = ["-LLL", "-s", "one", "-b", "CN=Monitor", "(certificateSerial=*)", "cn"];
    let seen = run(&mut tool("ldapsearch", &server.admin, &admin_password, &one)).unwrap();
    assert_eq!(seen.stdout.trim(), "dn: cn=certificate,cn=monitor\ncn: certificate");
    let refused = run(&mut tool("ldapsearch", &person, &password, &asked)).unwrap();
    assert_eq!(refused.code, Some(32), "{}{}", refused.stdout, refused.stderr);

    let ldif = server.folder.path().join("renew.ldif");
    let text = "dn:\nchangetype: modify\nadd: renewServerCertificate\nrenewServerCertificate: 1\n";
    std::fs::write(&ldif, text).unwrap();
    let file = ["-f", ldif.to_str().unwrap()];
    let done = run(&mut tool("ldapmodify", &server.admin, &admin_password, &file)).unwrap();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let refused = run(&mut tool("ldapmodify", &person, &password, &file)).unwrap();
    assert_eq!(refused.code, Some(50), "{}", refused.stderr);
}

/// A client certificate and its key for each name, in files of that name.
fn people(ca: &Ca, at: &Path, names: &[&str]) {
    let signer = InHouseCa::open(&ca.material).unwrap();
    let now = OffsetDateTime::now_utc();
    for (serial, name) in (1_u8..).zip(names) {
        let subject = [("CN", *name), ("O", "Example")];
        let issued = signer.issue_client(&subject, now, Duration::days(9), [serial; 16]).unwrap();
        put(&at.join(format!("{name}.pem")), &issued.chain_pem);
        put(&at.join(format!("{name}.key")), &issued.key_pem);
    }
}

/// Whether a handshake of this version shows a certificate.
fn speaks(port: u16, version: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("localhost:{port}"), version, "-no_ign_eof"]);
    run(&mut command).unwrap().stdout.contains("BEGIN CERTIFICATE")
}

/// A published listener has settings of its own, beside those of `[tls]`.
#[test]
fn a_published_listener_needs_client_certificates_where_another_does_not() {
    if !present("client certificates at a published listener", &[peer(), openssl()]) {
        return;
    }
    let [number] = testing::ports::free().unwrap();
    let folder = folder();
    let _ca = Ca::new(folder.path());
    let config = format!(
        "[publish]\nnames = ['localhost']\n[publish.internal]\nenabled = true\n\
         address = '127.0.0.1:{number}'\nclient-certificates = 'required'\n\
         client-ca = 'test-ca.pem'\ntls-floor = '1.3'\n\
         [[publish.rule]]\nname = 'here'\npriority = 200\nsource = '127.0.0.1/32'\n\
         verdict = 'allow'\n"
    );
    let mut server = start(folder, &config);
    let (own, trusted) = (server.ldaps(), server.data.join("ca.pem"));
    let asks = |port: u16| {
        Connection::open(port, &trusted).and_then(|mut one| one.ask(&who_am_i(), &[])).is_ok()
    };
    assert!(asks(own) && !asks(number));
    assert!(speaks(own, "-tls1_2"));
    assert!(speaks(number, "-tls1_3") && !speaks(number, "-tls1_2"));
}

/// A listener's own settings: client certificates needed and mapped, TLS 1.3 only, and changed as a
/// whole or not at all.
#[test]
fn client_certificates_are_needed_and_become_entries_by_rule() {
    let tools =
        ["ldapwhoami", "openssl"].map(|name| Peer::program(name, format!("/usr/bin/{name}")));
    if !present("client certificates", &[&[peer()], tools.as_slice()].concat()) {
        return;
    }
    let folder = folder();
    let ca = Ca::new(folder.path());
    let config = |ca: &str| {
        format!(
            "[[listen]]\naddress = '127.0.0.1:0'\nclient-certificates = 'required'\n\
             client-ca = '{ca}'\ntls-floor = '1.3'\n\
             [[certificate-map]]\nfrom = 'common-name'\nto = 'mail'\n"
        )
    };
    let at = folder.path().to_owned();
    let mut server = start_with(folder, &config("test-ca.pem"), &[]);
    let (number, file) = (server.ldaps(), at.join("eva.ldif"));
    let ldif = format!(
        "dn: uid=eva,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: Eva\nsn: E\nmail: eva@example.com\n"
    );
    std::fs::write(&file, ldif).unwrap();
    assert!(server.command(&["import", file.to_str().unwrap()]).success());
    people(&ca, &at, &["eva@example.com", "nobody@example.com"]);
    let whoami = |name: &str| {
        let mut command = Command::new("ldapwhoami");
        command.args(["-H", &format!("ldaps://localhost:{number}"), "-Y", "EXTERNAL", "-Q"]);
        command.env("LDAPTLS_CACERT", server.data.join("ca.pem"));
        command.env("LDAPTLS_CERT", at.join(format!("{name}.pem")));
        command.env("LDAPTLS_KEY", at.join(format!("{name}.key")));
        run(&mut command).unwrap()
    };
    let eva = format!("dn:uid=eva,{SUFFIX}");
    assert_eq!(whoami("eva@example.com").stdout.trim(), eva);
    assert!(whoami("nobody@example.com").stderr.contains("Invalid credentials (49)"));
    assert!(
        Connection::open(number, &server.data.join("ca.pem"))
            .and_then(|mut one| one.ask(&who_am_i(), &[]))
            .is_err(),
        "without a certificate"
    );
    let speaks = |version| speaks(number, version);
    assert!(speaks("-tls1_3") && !speaks("-tls1_2"));

    let state = |server: &Running| {
        let status = server.command(&["status", "--json"]).stdout;
        let after = status.split("\"settings\"").nth(1).unwrap().to_owned();
        ["ready", "updated", "failed"].into_iter().find(|state| after.contains(state)).unwrap()
    };
    assert_eq!(state(&server), "ready");
    let file = at.join("chancery.toml");
    std::fs::write(&file, config("not-there.pem")).unwrap();
    let refused = server.command(&["reload"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("not-there.pem"), "{}", refused.stderr);
    assert_eq!(state(&server), "failed");
    assert_eq!(whoami("eva@example.com").stdout.trim(), eva, "the old settings are in force");
    std::fs::write(&file, config("test-ca.pem").replace("1.3", "1.2")).unwrap();
    assert!(server.command(&["reload"]).success());
    assert_eq!(state(&server), "updated");
    assert!(speaks("-tls1_3") && speaks("-tls1_2"));
    let all = config("test-ca.pem");
    std::fs::write(&file, all.split("[[certificate-map]]").next().unwrap()).unwrap();
    assert!(server.command(&["reload"]).success());
    assert_ne!(whoami("eva@example.com").stdout.trim(), eva, "the rule was taken out");
}
