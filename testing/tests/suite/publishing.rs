//! Publishing, from outside: who is let in, who hears nothing, what balancers may say, and what the
//! commands answer. Machines are network namespaces on one cable.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testing::namespaces::{self, Cable, Machine, heard};
use testing::peers::chancery::{binary, peer, serve, start_command};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server};
use testing::process::{Finished, Process, run, run_checked};
use testing::wire::Connection;
use testing::wire::request::{BASE, search, who_am_i};

/// Where the server is, and the balancer.
const SERVER: [&str; 2] = ["10.9.0.1", "2001:db8:9::1"];
const BALANCER: [&str; 2] = ["10.9.0.5", "2001:db8:9::5"];

/// Who is let in, and who is not.
const OFFICE: [&str; 2] = ["192.0.2.7", "2001:db8:7::7"];
const ELSEWHERE: [&str; 2] = ["198.51.100.7", "2001:db8:bad::7"];

const LISTENER: &str = "[publish.external]\naddress = '[::]:636'\n";

/// What a client says first. It needs no more to be answered with a handshake or an alert.
const CLIENT_HELLO: &[u8] = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03";

fn office_rule() -> String {
    rule("office", 200, "['192.0.2.0/24', '2001:db8:7::/48']")
}

fn rule(name: &str, priority: u16, source: &str) -> String {
    format!(
        "[[publish.rule]]\nname = '{name}'\npriority = {priority}\nsource = {source}\n\
         verdict = 'allow'\n"
    )
}

/// Everybody on one cable, and the server with its configuration.
struct Scene {
    server: Server,
    file: PathBuf,
    server_machine: Machine,
    office: Machine,
    elsewhere: Machine,
    balancer: Machine,
    // Last: machines are taken off it first.
    _cable: Cable,
}

impl Scene {
    fn start(test: &str, config: &str, more: &[Peer]) -> Option<Scene> {
        let peers = [&[peer(), namespaces::peer()][..], more].concat();
        if !present(test, &peers) {
            return None;
        }
        let cable = Cable::new().unwrap();
        let server_machine = cable.machine("server", &SERVER).unwrap();
        let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
        let file = folder.path().join("chancery.toml");
        std::fs::write(&file, config).unwrap();
        let data = folder.path().join("data");
        let plain = serve(&data);
        let mut command = server_machine.command(plain.get_program().to_str().unwrap());
        command.args(plain.get_args()).arg("--config").arg(&file);
        Some(Scene {
            server: start_command(folder, &data, command).unwrap(),
            file,
            office: cable.machine("office", &OFFICE).unwrap(),
            elsewhere: cable.machine("elsewhere", &ELSEWHERE).unwrap(),
            balancer: cable.machine("balancer", &BALANCER).unwrap(),
            server_machine,
            _cable: cable,
        })
    }

    fn data(&self) -> PathBuf {
        self.server.folder.path().join("data")
    }

    /// `chancery publish ...` beside the server.
    fn publish(&self, arguments: &[&str]) -> Finished {
        publish(&self.data(), &self.file, arguments)
    }

    /// Rewrites the configuration and brings it in force.
    fn apply(&self, config: &str) -> Finished {
        std::fs::write(&self.file, config).unwrap();
        self.publish(&["apply"])
    }

    /// A session that has signed in.
    fn signed_in(&self, from: &Machine, to: &str) -> Connection {
        let socket = from.connect(to.parse().unwrap()).unwrap();
        let mut connection = Connection::over(socket, &self.server.ca).unwrap();
        let password = self.server.password().unwrap();
        connection.bind(&self.server.admin, &password).unwrap().expect_success("bind").unwrap();
        connection
    }

    fn log_has(&self, words: &[&str]) -> bool {
        let log = self.server.process.output();
        log.lines().any(|line| words.iter().all(|word| line.contains(word)))
    }
}

fn publish(data: &Path, file: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.arg("publish").args(arguments).arg("--data").arg(data).arg("--config").arg(file);
    run(command.args(["--suffix", SUFFIX])).unwrap()
}

fn to_server(index: usize) -> SocketAddr {
    SocketAddr::new(SERVER[index].parse().unwrap(), 636)
}

/// What is answered to somebody who says this.
fn answered(from: &Machine, to: SocketAddr, says: &[u8]) -> Vec<u8> {
    let mut stream = from.connect(to).unwrap();
    // Closed already is what some of these tests want.
    let _ = stream.write_all(says);
    heard(stream).unwrap()
}

fn is_alive(connection: &mut Connection) -> bool {
    connection.ask(&who_am_i(), &[]).is_ok_and(|answer| answer.code == 0)
}

fn said(finished: &Finished) -> String {
    format!("{:?}: {}{}", finished.code, finished.stdout, finished.stderr)
}

#[test]
fn denied_without_a_byte_allowed_and_a_rule_that_goes() {
    let config = [LISTENER, &office_rule()].concat();
    let Some(scene) = Scene::start("publishing", &config, &[]) else { return };
    for to in [to_server(0), to_server(1)] {
        assert!(scene.office.connect(to).is_err(), "nothing is published yet");
    }
    let enabled = scene.publish(&["enable", "--external"]);
    assert_eq!(enabled.code, Some(0), "{}", said(&enabled));
    assert!(enabled.stdout.contains("+ listener external: [::]:636"), "{}", said(&enabled));
    let again = scene.publish(&["enable", "--external"]);
    assert!(again.success() && again.stdout.contains("nothing to do"), "{}", said(&again));
    for (index, denied) in ELSEWHERE.iter().enumerate() {
        let to = to_server(index);
        assert_eq!(answered(&scene.elsewhere, to, CLIENT_HELLO), b"", "{denied}");
        let address = format!("address={denied}");
        let is_logged = scene.log_has(&["denied", &address, "default-deny (65500)"]);
        assert!(is_logged, "{}", scene.server.process.output());
        // The same words from the office are answered: an alert at least.
        assert_ne!(answered(&scene.office, to, CLIENT_HELLO), b"");
        assert!(is_alive(&mut scene.signed_in(&scene.office, &to.to_string())));
        let tested = scene.publish(&["test", denied, "--port", "636"]);
        let expected = format!("{denied} to external [::]:636: deny by rule default-deny (65500)");
        assert_eq!((tested.code, tested.stdout.trim()), (Some(1), expected.as_str()));
        let tested = scene.publish(&["test", OFFICE[index]]);
        assert!(tested.success() && tested.stdout.contains("allow by rule office (200)"));
    }
    let status = scene.publish(&["status", "--json"]);
    assert!(status.stdout.contains("\"denied\": 2"), "{}", said(&status));
    let seen = monitor(&scene);
    assert_eq!(seen, ["enabled", "external [::]:636", "admitted 4", "denied 2"]);

    // The office's rule goes: sessions stay, as with a security group.
    let mut session = scene.signed_in(&scene.office, &to_server(0).to_string());
    let mut six = scene.signed_in(&scene.office, &to_server(1).to_string());
    let other = [LISTENER, &rule("other", 300, "'2001:db8:7::/48'")].concat();
    std::fs::write(&scene.file, &other).unwrap();
    let plan = scene.publish(&["plan"]);
    assert_eq!(plan.code, Some(1), "{}", said(&plan));
    assert!(plan.stdout.contains("- rule office") && plan.stdout.contains("+ rule other"));
    assert!(is_alive(&mut session), "a plan changes nothing");
    let applied = scene.apply(&other);
    assert!(applied.success(), "{}", said(&applied));
    assert_eq!(scene.publish(&["plan"]).code, Some(0));
    assert!(is_alive(&mut session) && is_alive(&mut six));
    assert_eq!(answered(&scene.office, to_server(0), CLIENT_HELLO), b"");

    // With `cut` those that no rule lets in are told, and the others are not.
    let cut = ["[publish]\ncut = true\n", &other].concat();
    let applied = scene.apply(&cut);
    assert!(applied.success(), "{}", said(&applied));
    let notice = session.all_said().unwrap();
    assert!(notice.len() == 1 && notice[0].is_notice && notice[0].code == Some(52), "{notice:?}");
    assert!(notice[0].text.contains("default-deny (65500)"), "{notice:?}");
    assert!(is_alive(&mut six), "it is still let in");

    // Closed: nobody comes in, and with `cut` nobody stays.
    let disabled = scene.publish(&["disable", "--external"]);
    assert!(disabled.success() && disabled.stdout.contains("- listener external"));
    assert!(scene.office.connect(to_server(1)).is_err());
    assert!(six.all_said().unwrap()[0].is_notice);
    let again = scene.publish(&["disable", "--external"]);
    assert!(again.success() && again.stdout.contains("nothing to do"), "{}", said(&again));
    assert!(is_alive(&mut admin_inside(&scene)), "the other listeners did not notice");
}

/// What `cn=monitor` says of publishing.
fn monitor(scene: &Scene) -> Vec<String> {
    let wanted = ["monitorState", "description", "monitorCounter"];
    let entry = search("cn=publishing,cn=monitor", BASE, "(objectClass=*)", &wanted);
    let answer = admin_inside(scene).ask(&entry, &[]).unwrap();
    let values = answer.entries[0].attributes.iter().flat_map(|attribute| &attribute.1);
    values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// Over the listener that is not published.
fn admin_inside(scene: &Scene) -> Connection {
    let port = testing::peers::port(&scene.server.ldaps);
    scene.signed_in(&scene.server_machine, &format!("127.0.0.1:{port}"))
}

#[test]
fn the_external_listener_does_not_open_to_everyone_unawares() {
    let Some(scene) = Scene::start("publishing to everyone", LISTENER, &[]) else { return };
    let halves = rule("halves", 200, "['0.0.0.0/1', '128.0.0.0/1']");
    let accepted = format!("{LISTENER}accept-open-to-everyone = true\n");
    for (config, expected) in [
        (LISTENER.to_owned(), "lets nobody in on port 636"),
        ([LISTENER, &rule("all", 200, "'0.0.0.0/0'")].concat(), "accept-open-to-everyone = true"),
        ([LISTENER, &rule("all", 200, "'::/0'")].concat(), "100 % of the public IPv6 addresses"),
        ([LISTENER, &halves].concat(), "100 % of the public IPv4 addresses"),
    ] {
        std::fs::write(&scene.file, &config).unwrap();
        let refused = scene.publish(&["enable", "--external"]);
        assert_eq!(refused.code, Some(1), "{config}{}", said(&refused));
        assert!(refused.stderr.contains(expected), "{config}{}", said(&refused));
        assert!(scene.office.connect(to_server(0)).is_err());
        let status = scene.publish(&["status"]);
        assert_eq!(status.code, Some(1));
        assert!(status.stdout.contains("state: failed"), "{}", said(&status));
    }
    std::fs::write(&scene.file, format!("{accepted}{halves}")).unwrap();
    let enabled = scene.publish(&["enable", "--external"]);
    assert!(enabled.success(), "{}", said(&enabled));
    assert!(is_alive(&mut scene.signed_in(&scene.elsewhere, &to_server(0).to_string())));
    assert_eq!(answered(&scene.elsewhere, to_server(1), CLIENT_HELLO), b"", "IPv6 is not in it");
    let status = scene.publish(&["status"]);
    assert!(status.success() && status.stdout.contains("is open to everyone"), "{}", said(&status));
    let raised = |id: &str| {
        let log = scene.server.process.output();
        log.lines().any(|line| line.contains("alert") && line.contains(id))
    };
    assert!(raised("publishing-failed") && raised("external-open-to-everyone"));
}

/// HAProxy on the balancer's machine, one port for each version of the protocol.
fn haproxy(scene: &Scene, folder: &Path) -> Process {
    let mut text = "global\n  maxconn 100\ndefaults\n  mode tcp\n  timeout connect 10s\n  \
                    timeout client 60s\n  timeout server 60s\n"
        .to_owned();
    // The checks begin with a LOCAL header and are let in as far as a handshake: a server that
    // fails one gets no connections. The checksum is an extension.
    let checked = "send-proxy-v2 proxy-v2-options crc32c check check-send-proxy check-ssl \
                   verify none inter 100ms fall 1 rise 1";
    for (port, version) in [(1636, "send-proxy"), (2636, checked)] {
        text += &format!(
            "listen v{port}\n  bind {}:{port}\n  bind [{}]:{port}\n  server s {}:636 {version}\n",
            BALANCER[0], BALANCER[1], SERVER[0]
        );
    }
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, text).unwrap();
    let mut command = scene.balancer.command("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(file);
    let mut process = Process::start("haproxy", folder, command).unwrap();
    let to = format!("{}:2636", BALANCER[0]).parse().unwrap();
    process.wait_until("a port", |_| scene.office.connect(to).ok().map(drop)).unwrap();
    process
}

#[test]
fn a_balancer_says_who_comes_and_nobody_else_may() {
    let balanced = format!("{LISTENER}enabled = true\nproxy-from = '{}'\n", BALANCER[0]);
    let config = [&balanced, office_rule().as_str()].concat();
    let haproxy_peer = Peer::program("haproxy", "/usr/sbin/haproxy");
    let Some(scene) = Scene::start("balancers", &config, &[haproxy_peer]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let _haproxy = haproxy(&scene, folder.path());
    for port in [1636, 2636] {
        for (index, office) in OFFICE.iter().enumerate() {
            let to = SocketAddr::new(BALANCER[index].parse().unwrap(), port);
            assert!(is_alive(&mut scene.signed_in(&scene.office, &to.to_string())), "{to}");
            let (address, via) = (format!("address={office} "), format!("via={}", BALANCER[0]));
            let is_logged = scene.log_has(&["audit", "operation=\"bind\"", &address, &via]);
            assert!(is_logged, "{office} {port}: {}", scene.server.process.output());
            assert_eq!(answered(&scene.elsewhere, to, CLIENT_HELLO), b"", "{to}");
            let denied = format!("address={}", ELSEWHERE[index]);
            let balancer = format!("balancer={}", BALANCER[0]);
            assert!(scene.log_has(&["denied", &denied, &balancer, "default-deny (65500)"]));
        }
    }
    let of_checks = format!("address={} ", BALANCER[0]);
    assert!(!scene.log_has(&["denied", &of_checks]), "{}", scene.server.process.output());
    // The office itself is let in by its rule, and is no balancer.
    let header = format!("PROXY TCP4 {} {} 40000 636\r\n", OFFICE[0], SERVER[0]);
    let spoof = [header.as_bytes(), CLIENT_HELLO].concat();
    for machine in [&scene.office, &scene.elsewhere] {
        assert_eq!(answered(machine, to_server(0), &spoof), b"", "a header from anybody");
        assert_eq!(answered(machine, to_server(0), CLIENT_HELLO), b"", "none from anybody");
    }
    assert!(scene.log_has(&["denied", "no balancer of this listener"]));
    // The balancer's own word counts, and it must give it.
    assert_ne!(answered(&scene.balancer, to_server(0), &spoof), b"");
    assert_eq!(answered(&scene.balancer, to_server(0), CLIENT_HELLO), b"");
    assert!(scene.log_has(&["denied", "no PROXY header"]));
    // Without balancers a header is bad TLS: no handshake, at most an alert.
    let plain = [&format!("{LISTENER}enabled = true\n"), office_rule().as_str()].concat();
    let applied = scene.apply(&plain);
    assert!(applied.success(), "{}", said(&applied));
    let alert = answered(&scene.office, to_server(0), &spoof);
    assert!(alert.len() <= 7, "{alert:?}");
    assert!(is_alive(&mut scene.signed_in(&scene.office, &to_server(0).to_string())));
}

#[test]
fn connections_of_one_network_are_limited_whoever_brings_them() {
    let limit = "[limits]\nconnections-per-network = 2\n";
    let plain = [limit, LISTENER, "enabled = true\n", &office_rule()].concat();
    let Some(scene) = Scene::start("connections per network", &plain, &[]) else { return };
    for index in [0, 1] {
        let to = to_server(index);
        let first = scene.signed_in(&scene.office, &to.to_string());
        let second = scene.signed_in(&scene.office, &to.to_string());
        assert_eq!(answered(&scene.office, to, CLIENT_HELLO), b"", "the third");
        drop(first);
        // Its place is free once the server has noticed.
        let is_free = || !answered(&scene.office, to, CLIENT_HELLO).is_empty();
        assert!((0..1000).any(|_| is_free()));
        drop(second);
    }
    // Behind a balancer the clients' networks count, not the balancer's.
    let behind = format!("{LISTENER}enabled = true\nproxy-from = '{}'\n", BALANCER[0]);
    let applied = scene.apply(&[limit, &behind, &office_rule()].concat());
    assert!(applied.success(), "{}", said(&applied));
    let introduced = |client: &str| {
        let mut stream = scene.balancer.connect(to_server(0)).unwrap();
        write!(stream, "PROXY TCP4 {client} {} 40000 636\r\n", SERVER[0]).unwrap();
        stream
    };
    let held = ["192.0.2.1", "192.0.2.2"].map(|client| {
        let mut session = Connection::over(introduced(client), &scene.server.ca).unwrap();
        assert!(is_alive(&mut session), "{client}");
        session
    });
    let mut third = introduced("192.0.2.3");
    let _ = third.write_all(CLIENT_HELLO);
    assert_eq!(heard(third).unwrap(), b"");
    drop(held);
}

#[test]
fn nftables_takes_the_table_and_keeps_the_same_people_out() {
    // One that listens on everything, and one on an address of one family.
    let internal = format!("[publish.internal]\nenabled = true\naddress = '{}:1636'\n", SERVER[0]);
    let config =
        [&format!("{LISTENER}enabled = true\n{internal}"), office_rule().as_str()].concat();
    let nft = Peer::program("nft", "/usr/sbin/nft");
    let Some(scene) = Scene::start("nftables", &config, &[nft]) else { return };
    let file = scene.server.folder.path().join("table.nft");
    let nft = |arguments: &[&str]| {
        run_checked(scene.server_machine.command("/usr/sbin/nft").args(arguments)).unwrap()
    };
    let path = file.display().to_string();
    let mut session = scene.signed_in(&scene.office, &to_server(0).to_string());
    for cut in ["", "[publish]\ncut = true\n"] {
        let applied = scene.apply(&[cut, &config].concat());
        assert!(applied.success(), "{}", said(&applied));
        let table = scene.publish(&["export", "--format", "nftables"]);
        assert!(table.success(), "{}", said(&table));
        std::fs::write(&file, &table.stdout).unwrap();
        nft(&["-c", "-f", &path]);
        // Twice: it replaces itself.
        nft(&["-f", &path]);
        nft(&["-f", &path]);
        let listed = nft(&["list", "table", "inet", "chancery"]);
        assert_eq!(listed.matches("office (200)").count(), 3, "{listed}");
        assert!(is_alive(&mut session), "it was there before");
        for index in [0, 1] {
            let to = to_server(index).to_string();
            assert!(is_alive(&mut scene.signed_in(&scene.office, &to)));
        }
        // Counted instead of waited for: a dropped packet is never answered.
        let counting = table.stdout.replace("636 drop", "636 counter drop");
        std::fs::write(&file, counting.replace(" drop ", " reject with tcp reset ")).unwrap();
        nft(&["-f", &path]);
        let refused = scene.elsewhere.connect(to_server(0)).unwrap_err();
        assert!(format!("{refused:#}").contains("refused"), "{refused:#}");
        assert!(nft(&["list", "ruleset"]).contains("counter packets 1 "));
    }
}

/// A folder and a file, and no server.
fn offline(config: &str) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    let file = folder.path().join("chancery.toml");
    std::fs::write(&file, config).unwrap();
    let data = folder.path().join("data");
    (folder, data, file)
}

#[test]
fn commands_answer_without_a_server() {
    if !present("publishing offline", &[peer()]) {
        return;
    }
    let address = "[publish.external]\naddress = '127.0.0.1:1636'\n";
    let (_folder, data, file) = offline(&[address, &office_rule()].concat());
    let ask = |arguments: &[&str]| publish(&data, &file, arguments);
    for (arguments, code, expected) in [
        (&["status"][..], 0, "state: disabled"),
        (&["status"], 0, "no server runs on"),
        (&["status", "--json"], 0, "\"running\": false"),
        (&["plan"], 0, "nothing would change"),
        (&["test", "192.0.2.7"], 0, "allow by rule office (200)"),
        (&["test", "192.0.3.7"], 1, "deny by rule default-deny (65500)"),
        (&["test", "::ffff:192.0.2.7", "--json"], 0, "\"rule\": \"office\""),
        (&["test", "192.0.2.7", "--port", "1"], 2, "no published listener has the port 1"),
        (&["test", "office"], 2, "invalid IP address"),
        (&["export", "--format", "nftables"], 3, "nothing is published"),
        (&["export", "--format", "nftables", "--external"], 0, "table inet chancery"),
        (
            &["export", "--format", "security-group", "--external"],
            0,
            "\"CidrIp\": \"192.0.2.0/24\"",
        ),
        (&["export", "--format", "nsg", "--external"], 0, "\"access\": \"Deny\""),
        (&["export", "--format", "ports", "--external"], 0, "192.0.2.0/24"),
        (&["apply"], 3, "its server does not answer"),
        (&["enable"], 2, "write `address` in [publish.internal]"),
        // There is no certificate before the first start.
        (&["enable", "--external"], 1, "the certificate: "),
    ] {
        let finished = ask(arguments);
        let text = [finished.stdout.as_str(), &finished.stderr].concat();
        assert_eq!(finished.code, Some(code), "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn a_switch_without_a_server_counts_from_the_next_start_on_and_an_interrupted_change_does_not() {
    if !present("publishing at the start", &[peer()]) {
        return;
    }
    let [port] = testing::ports::free::<1>().unwrap();
    let address = format!("127.0.0.1:{port}");
    let config = format!(
        "[publish.internal]\naddress = '{address}'\n{}",
        rule("other", 200, "'192.0.2.0/24'")
    );
    let (folder, data, file) = offline(&config);
    let start = |folder: TempDir| {
        let mut command = serve(&data);
        command.arg("--config").arg(&file);
        start_command(folder, &data, command).unwrap()
    };
    let stopped = |mut server: Server| {
        assert!(server.process.terminate().unwrap().success());
        let Server { process, folder, .. } = server;
        drop(process);
        folder
    };
    let folder = stopped(start(folder));
    let enabled = publish(&data, &file, &["enable"]);
    assert!(enabled.success() && enabled.stdout.contains("the next start"), "{}", said(&enabled));
    let again = publish(&data, &file, &["enable"]);
    assert!(again.success() && again.stdout.contains("nothing to do"), "{}", said(&again));
    let server = start(folder);
    let line = format!("listening on ldaps://{address} (internal, under rules)");
    assert!(server.process.output().contains(&line), "{}", server.process.output());
    let socket = TcpStream::connect(&address).unwrap();
    assert!(is_alive(&mut Connection::over(socket, &server.ca).unwrap()));
    let folder = stopped(server);

    let path = data.join("publish.json");
    let record = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, record.replace("\"enabled\"", "\"configuring\"")).unwrap();
    std::fs::write(&file, config.replace("192.0.2.0", "198.51.100.0")).unwrap();
    let server = start(folder);
    let status = publish(&data, &file, &["status"]);
    assert_eq!(status.code, Some(1), "{}", said(&status));
    for expected in ["state: failed", "reason: interrupted", "192.0.2.0/24 (other)", &address] {
        assert!(status.stdout.contains(expected), "{expected}: {}", said(&status));
    }
    assert!(TcpStream::connect(&address).is_ok(), "what served before serves");
    let applied = publish(&data, &file, &["apply"]);
    assert!(applied.stdout.contains("~ rule other (200): allow 198.51.100.0/24"));
    assert!(publish(&data, &file, &["status"]).success());

    // SIGHUP does the same, and says in the log what it did.
    let mut server = server;
    std::fs::write(&file, config.replace("192.0.2.0", "203.0.113.0")).unwrap();
    server.process.signal("HUP").unwrap();
    let words = "by=\"a reload\"";
    let line = |process: &Process| process.output().contains(words).then_some(());
    server.process.wait_until(words, line).unwrap();
    let tested = publish(&data, &file, &["test", "203.0.113.9"]);
    assert!(tested.success(), "{}", said(&tested));
    stopped(server);
}

#[test]
fn a_published_listener_waits_for_a_certificate_that_passes_for_its_names() {
    let openssl = Peer::program("openssl", "/usr/bin/openssl");
    if !present("publishing without a certificate", &[peer(), openssl]) {
        return;
    }
    let [port, other] = testing::ports::free::<2>().unwrap();
    let [address, outside] = [port, other].map(|port| format!("127.0.0.1:{port}"));
    let config = |names: &str| {
        format!(
            "[tls]\ncertificate = 'tls.pem'\nkey = 'tls.key'\n[publish]\nnames = ['{names}']\n\
             [publish.internal]\nenabled = true\naddress = '{address}'\n\
             [publish.external]\nenabled = true\naddress = '{outside}'\n{}",
            office_rule()
        )
    };
    let (folder, data, file) = offline(&config("other.example.com"));
    let mut command = Command::new(binary());
    command.args(["serve", "--suffix", SUFFIX, "--data"]).arg(&data);
    command.args(["--listen", "127.0.0.1:0", "--config"]).arg(&file);
    let mut server = Process::start("chancery", folder.path(), command).unwrap();
    server.wait_for_line(|line| line.contains("listening on ldapi").then_some(())).unwrap();
    let fails_for = |reason: &str| {
        let status = publish(&data, &file, &["status"]);
        assert_eq!(status.code, Some(1), "{}", said(&status));
        assert!(status.stdout.contains(reason), "{}", said(&status));
        assert!(TcpStream::connect(&address).is_err());
    };
    fails_for("tls.pem");
    let made_in = folder.path().join("made");
    std::fs::create_dir(&made_in).unwrap();
    let ca = testing::certificates::authority(&made_in).unwrap();
    let made = testing::certificates::server(&made_in, &ca).unwrap();
    std::fs::copy(&made.key, folder.path().join("tls.key")).unwrap();
    std::fs::copy(&made.certificate, folder.path().join("tls.pem")).unwrap();
    let refused = publish(&data, &file, &["apply"]);
    assert_eq!(refused.code, Some(1), "{}", said(&refused));
    assert!(refused.stderr.contains("name-not-covered"), "{}", said(&refused));
    fails_for("other.example.com");

    // Under a name that it has the certificate is taken, and what waited for it opens.
    std::fs::write(&file, config("localhost")).unwrap();
    server.signal("HUP").unwrap();
    let words = format!("published: + listener internal: {address}");
    let line = |process: &Process| process.output().contains(&words).then_some(());
    server.wait_until(&words, line).unwrap();
    let socket = TcpStream::connect(&address).unwrap();
    assert!(is_alive(&mut Connection::over(socket, &ca.certificate).unwrap()));
    let status = publish(&data, &file, &["status"]);
    assert!(status.success(), "{}", said(&status));

    // The server has looked at both, though no rule of the outer one lets this machine in.
    let looked = |_: &Process| {
        let mut command = Command::new(binary());
        command.args(["status", "--json", "--data"]).arg(&data).arg("--config").arg(&file);
        let status = run(&mut command).ok()?;
        let status: serde_json::Value = serde_json::from_str(&status.stdout).ok()?;
        let checked = status["certificate"]["checked"].as_array()?;
        let is_right = |address: &str| {
            let mut checked = checked.iter().filter(|one| one["listener"] == address);
            checked.any(|one| one["shown"]["certificate"]["thumbprint"] == one["expected"])
        };
        (is_right(&address) && is_right(&outside)).then_some(())
    };
    server.wait_until("what published listeners show", looked).unwrap();
    let monitor = publish(&data, &file, &["status", "--json"]).stdout;
    assert!(monitor.contains("\"denied\": 0"), "{monitor}");
}
