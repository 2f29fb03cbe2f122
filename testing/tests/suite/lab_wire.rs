//! What the doctor sends, as the wire has it, and how long it takes.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Instant;

use testing::lab::capture::{self, Capture, Stream, is_tls, operations};
use testing::lab::certificates::{GOOD, Variant};
use testing::lab::network::{CLIENT, SERVER, Two};
use testing::lab::{Lab, NAME, PASSWORD, faults, stacks};
use testing::namespaces;
use testing::peers::chancery::peer;
use testing::peers::missing::{Peer, present};
use testing::process::run;

const BIND: u8 = 0x60;

fn lab(what: &str) -> Option<Lab> {
    let slapd = Peer::program("slapd", "/usr/sbin/slapd");
    let search = Peer::program("ldapsearch", "/usr/bin/ldapsearch");
    let peers = [peer(), namespaces::peer(), capture::peer(), slapd, search];
    present(what, &peers).then(|| Lab::new().unwrap())
}

fn holds(streams: &[Stream], secret: &str) -> bool {
    let secret = secret.as_bytes();
    streams.iter().any(|one| one.bytes.windows(secret.len()).any(|part| part == secret))
}

fn has_bind(stream: &Stream) -> bool {
    operations(&stream.bytes).is_some_and(|all| all.contains(&BIND))
}

/// A sign-in at a server with this certificate, and what was sent. `clear` is another client.
fn captured(lab: &Lab, variant: &Variant, clear: bool) -> (String, Vec<Stream>) {
    let material = variant.make(lab).unwrap();
    let mut two = Two::new(lab).unwrap();
    let held = two.directory(lab, Some(&material)).unwrap();
    let folder = lab.folder("wire").unwrap();
    let file = folder.join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let capture = Capture::start(&two.server, &folder).unwrap();
    let (who, secret) = (stacks::admin(), file.display().to_string());
    let said = if clear {
        let mut search = two.client.command("/usr/bin/ldapsearch");
        search.args(["-x", "-H", &format!("ldap://{SERVER}"), "-D", &who, "-y", &secret]);
        let said = run(search.args(["-b", "", "-s", "base"])).unwrap();
        drop((held, two));
        said.stdout
    } else {
        let setup = two.looked_at_there(&material, held);
        setup.and(&["--as", &who, "--password-file", &secret]).read().unwrap().stdout
    };
    (said, capture.streams().unwrap())
}

#[test]
fn no_secret_goes_to_a_server_that_is_not_verified() {
    let Some(lab) = lab("the wire") else { return };
    assert_ne!(CLIENT, SERVER);
    // Whoever signs in without TLS is seen: the capture would show it.
    let (_, streams) = captured(&lab, &GOOD, true);
    assert!(holds(&streams, PASSWORD) && streams.iter().any(has_bind), "the capture sees nothing");
    for (id, code) in [
        ("good", ""),
        ("other-name", "✗ NAME-MISMATCH"),
        ("other-ca", "✗ TRUST-CA"),
        ("expired", "✗ CERT-EXPIRED"),
    ] {
        let (said, streams) = captured(&lab, &Variant::named(id), false);
        assert!(said.starts_with(if code.is_empty() { "✓" } else { code }), "{id}: {said}");
        assert!(streams.iter().any(|one| one.port == 636 && !one.bytes.is_empty()), "{id}");
        for secret in [PASSWORD, &stacks::admin()] {
            assert!(!holds(&streams, secret), "{id}: {secret} was sent in the clear");
        }
        for stream in &streams {
            // Beside LDAPS it looks at the port of StartTLS: it asks there, and signs in nowhere.
            assert!(stream.port != 636 || is_tls(&stream.bytes), "{id}: {stream:?}");
            assert!(!has_bind(stream), "{id}: a bind in the clear: {stream:?}");
        }
    }
}

/// Figures, on whatever machine this is: they are printed and not judged.
#[test]
fn how_long_it_takes() {
    let Some(lab) = lab("how long it takes") else { return };
    let wanted = [
        ("healthy", faults::healthy(), ["ecdsa-1.3", "rsa-1.2"]),
        ("black-holed", faults::all(), ["drop-636", "one-of-two-dropped"]),
    ];
    for (what, all, ids) in wanted {
        for one in all.iter().filter(|one| ids.contains(&one.id.as_str()) && one.stack == "slapd") {
            let setup = one.stand(&lab).unwrap();
            let mut times: Vec<_> = (0..3)
                .map(|_| {
                    let started = Instant::now();
                    let said = setup.look().unwrap();
                    assert!(said.code.is_some(), "{}", one.id);
                    started.elapsed().as_millis()
                })
                .collect();
            times.sort_unstable();
            println!("{what}: {} {NAME}: {times:?} ms, in order", one.id);
        }
    }
    let version = run(Command::new("uname").arg("-sr")).unwrap();
    println!("on {} with {} others at work", version.stdout.trim(), load());
}

fn load() -> String {
    let all = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    all.split(' ').next().unwrap_or_default().to_owned()
}
