//! `docs/operating/secure-ldap.md`, every command as it is printed: on a machine of its own, made
//! of network and mount namespaces, with the page's addresses on its loopback interface.

use std::path::Path;
use std::process::Command;

use testing::peers::chancery::{binary, peer};
use testing::peers::missing::{Peer, present};
use testing::process::run;

/// What the shell blocks of a page say, in their order.
fn commands(page: &str) -> String {
    let mut commands = String::new();
    let mut is_shell = false;
    for line in page.lines() {
        match line {
            "```sh" => is_shell = true,
            "```" => is_shell = false,
            line if is_shell => {
                commands.push_str(line);
                commands.push('\n');
            }
            _ => {}
        }
    }
    commands
}

/// A machine where the page's addresses, ports and paths are nobody else's.
const MACHINE: &str = "
ip link set lo up
ip address add 10.0.0.5/32 dev lo
ip address add 203.0.113.10/32 dev lo
mkdir -p etc lib log
cp -a /etc/. etc
mount --bind etc /etc
mount --bind lib /var/lib
mount --bind log /var/log
rm -rf /etc/chancery
trap 'kill $(jobs -p)' EXIT
set -x
";

#[test]
fn secure_ldap_from_nothing_as_it_is_printed() {
    let programs = [
        ("ldapwhoami", "/usr/bin/ldapwhoami"),
        ("openssl", "/usr/bin/openssl"),
        ("unshare", "/usr/bin/unshare"),
        ("ip", "/usr/sbin/ip"),
        ("nft", "/usr/sbin/nft"),
    ];
    let mut peers: Vec<Peer> = vec![peer()];
    peers.extend(programs.map(|(name, file)| Peer::program(name, file)));
    if !present("secure-ldap.md", &peers) {
        return;
    }
    let may_mount = run(Command::new("unshare").args(["--mount", "--net", "true"])).unwrap();
    if !may_mount.success() {
        eprintln!("SKIPPED: test secure-ldap.md needs root (namespaces)");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/operating/secure-ldap.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("page.sh");
    let text = format!("set -eu -o pipefail\n{MACHINE}{}", commands(&page));
    std::fs::write(&script, text).unwrap();
    let programs = binary().parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let mut command = Command::new("timeout");
    command.args(["120", "unshare", "--mount", "--net", "--fork", "bash", "page.sh"]);
    let done = run(command.current_dir(folder.path()).env("PATH", path)).unwrap();
    let said = format!("{}\n{}", done.stdout, done.stderr);
    assert!(done.success(), "{said}");
    for part in [
        "dn:cn=admin,dc=example,dc=com",
        "nothing is shown",
        "denied, as it should be",
        "dn:uid=eva,dc=example,dc=com",
        "certificateThumbprint: ",
        "ldap.example.com.",
        "203.0.113.10",
    ] {
        assert!(done.stdout.contains(part), "{part:?} is missing in: {said}");
    }
    let after = |words: &str| {
        let (_, rest) = done.stdout.rsplit_once(words).unwrap_or_else(|| panic!("{words}: {said}"));
        rest.split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_eq!(after("certificateThumbprint: "), after("\nthumbprint "), "what `ca renew` issued");
    assert_eq!(done.stderr.matches("Invalid credentials (49)").count(), 5, "{said}");
}
