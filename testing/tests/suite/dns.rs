//! DNS records written to real name servers (RFC 2136), and what is not written.

use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;

use pki::InHouseCa;
use tempfile::TempDir;
use testing::peers::chancery::{binary, peer, serve, start_command};
use testing::peers::missing::{Peer, present};
use testing::peers::nameserver::{NameServer, Product, dig, write_key};
use testing::peers::{Server, port};
use testing::process::{Finished, Process, run};

/// A data folder and a configuration, and the command on them.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::Builder::new().prefix("chancery-").tempdir().unwrap() }
    }

    fn configure(&self, names: &str, address: &str, dns: &str) {
        let text = format!(
            "data = 'data'\n[publish]\nnames = [{names}]\naddress = '{address}'\n[dns]\n{dns}\n"
        );
        std::fs::write(self.folder.path().join("chancery.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.folder.path().join("chancery.toml")).args(arguments);
        command
    }

    /// A server on the same data folder, with a certificate for the published name.
    fn serve(&self) -> Server {
        let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
        let now = time::OffsetDateTime::now_utc();
        let (day, serial) = (time::Duration::DAY, [7; 16]);
        let ca = InHouseCa::create("Suite CA", now, day, serial).unwrap();
        let ca = InHouseCa::open(&ca).unwrap();
        let issued = ca.issue_server(&["ldap.example.com"], now, day, serial).unwrap();
        let file = folder.path().join("both.pem");
        std::fs::write(&file, format!("{}{}", issued.chain_pem, *issued.key_pem)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let own = self.folder.path().join("chancery.toml");
        let mut text = std::fs::read_to_string(&own).unwrap();
        text += &format!("\n[tls]\ncertificate = '{}'\n", file.display());
        std::fs::write(folder.path().join("chancery.toml"), text).unwrap();
        let data = self.folder.path().join("data");
        let mut command = serve(&data);
        command.arg("--config").arg(folder.path().join("chancery.toml"));
        start_command(folder, &data, command).unwrap()
    }

    fn dns(&self, arguments: &[&str]) -> Finished {
        run(self.command(&["dns"]).args(arguments)).unwrap()
    }
}

fn at(server: &NameServer, key: &Path) -> String {
    format!("server = '127.0.0.1:{}'\nzone = 'example.com'\nkey = '{}'", server.port, key.display())
}

const NAME: &str = "'ldap.example.com'";

/// Code, and words of what it says on either stream.
#[track_caller]
fn expect(finished: &Finished, code: i32, words: &[&str]) {
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code, Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in:\n{said}");
    }
}

fn each(test: &str, run: impl Fn(Product, &NameServer)) {
    for product in Product::ALL {
        let keygen = Peer::program("tsig-keygen", "/usr/sbin/tsig-keygen");
        if present(test, &[peer(), product.program(), dig(), keygen]) {
            let server = NameServer::start(product).unwrap();
            let body = AssertUnwindSafe(|| run(product, &server));
            if let Err(failure) = catch_unwind(body) {
                eprintln!("{}", server.process.output());
                resume_unwind(failure);
            }
        }
    }
}

#[test]
fn records_are_created_kept_changed_and_removed() {
    each("dns apply", |product, server| {
        let place = Place::new();
        place.configure(NAME, "192.0.2.1", &at(server, &server.key));
        let all = |kind: &str| server.dig(&["ldap.example.com", kind]).unwrap();
        let srv = || server.dig(&["_ldaps._tcp.example.com", "SRV"]).unwrap();
        expect(&place.dns(&["plan"]), 1, &["+ ldap.example.com. 300 IN A 192.0.2.1", "differs"]);
        assert!(all("A").is_empty(), "a plan writes nothing");
        expect(&place.dns(&["apply"]), 0, &["written"]);
        assert_eq!(
            (all("A"), srv()),
            (vec!["192.0.2.1".into()], vec!["0 100 636 ldap.example.com.".into()]),
            "{product:?}"
        );
        expect(&place.dns(&["apply"]), 0, &["already as it should be"]);
        expect(&place.dns(&["plan"]), 0, &["as it should be"]);
        let two = format!(
            "{}\naddresses = ['192.0.2.2', '2001:db8::2']\nttl = '10 min'\n\
             services = ['ldaps', 'ldap']",
            at(server, &server.key)
        );
        place.configure(NAME, "192.0.2.1", &two);
        let change = place.dns(&["apply"]);
        expect(&change, 0, &["- ldap.example.com. 300 IN A 192.0.2.1", "written"]);
        assert_eq!(all("A"), ["192.0.2.2"]);
        assert_eq!(all("AAAA"), ["2001:db8::2"]);
        assert_eq!(
            server.dig(&["_ldap._tcp.example.com", "SRV"]).unwrap(),
            ["0 100 389 ldap.example.com."]
        );
        expect(&place.dns(&["remove"]), 0, &["written"]);
        assert!(all("A").is_empty() && all("AAAA").is_empty() && srv().is_empty());
        assert_eq!(server.dig(&["taken.example.com", "A"]).unwrap(), ["192.0.2.99"]);
        expect(&place.dns(&["remove"]), 0, &["already"]);
        // The same key as its secret alone.
        let secret = std::fs::read_to_string(&server.key).unwrap();
        let alone = place.folder.path().join("secret");
        std::fs::write(&alone, secret.split('"').nth(3).unwrap()).unwrap();
        std::fs::set_permissions(&alone, std::fs::Permissions::from_mode(0o600)).unwrap();
        let named = format!("{}\nkey-name = 'chancery'", at(server, &alone));
        place.configure(NAME, "192.0.2.1", &named);
        expect(&place.dns(&["apply"]), 0, &["written"]);
        assert_eq!(all("A"), ["192.0.2.1"]);
    });
}

/// Commands may come before the first start, and leave a folder that it takes.
#[test]
fn a_server_starts_where_commands_have_written_before_it() {
    if !present("a first start after commands", &[peer()]) {
        return;
    }
    let place = Place::new();
    place.configure(NAME, "192.0.2.1", "zone = 'example.com'");
    let data = place.folder.path().join("data");
    let disabled = run(place.command(&["publish"]).arg("disable")).unwrap();
    expect(&disabled, 0, &[]);
    // What `dns apply` and `acme order` keep.
    for folder in ["dns", "acme"] {
        std::fs::create_dir_all(data.join(folder)).unwrap();
    }
    drop(place.serve());
    assert!(data.join("format").exists());
}

/// As a shell has it for a program that wrote to a pipe nobody reads.
#[test]
fn a_command_whose_reader_has_gone_ends_without_a_word() {
    if !present("a closed pipe", &[peer()]) {
        return;
    }
    let place = Place::new();
    place.configure(NAME, "192.0.2.1", "zone = 'example.com'");
    let mut command = place.command(&["dns", "print"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = command.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr), (Some(141), Vec::new()));
}

#[test]
fn a_record_of_somebody_else_is_shown_and_not_overwritten() {
    each("foreign records", |_, server| {
        let place = Place::new();
        let taken = || server.dig(&["taken.example.com", "A"]).unwrap();
        place.configure("'taken.example.com'", "192.0.2.1", &at(server, &server.key));
        let words =
            ["! taken.example.com. 300 IN A 192.0.2.99", "we never wrote it", "--replace taken"];
        expect(&place.dns(&["plan"]), 1, &words);
        expect(&place.dns(&["apply"]), 1, &words);
        assert_eq!(taken(), ["192.0.2.99"]);
        assert!(
            server.dig(&["_ldaps._tcp.example.com", "SRV"]).unwrap().is_empty(),
            "all of it or nothing"
        );
        let by_name = ["apply", "--replace", "other.example.com"];
        expect(&place.dns(&by_name), 1, &["--replace taken"]);
        expect(&place.dns(&["apply", "--replace", "taken.example.com"]), 0, &["written"]);
        assert_eq!(taken(), ["192.0.2.1"]);
        // Ours now; somebody changes it by hand.
        server.nsupdate("del taken.example.com A\nadd taken.example.com 60 A 192.0.2.7").unwrap();
        expect(&place.dns(&["apply"]), 1, &["192.0.2.7", "we wrote something else", "192.0.2.1"]);
        expect(&place.dns(&["remove"]), 0, &["somebody changed it since we wrote it"]);
        assert_eq!(taken(), ["192.0.2.7"]);
        let alias = || server.dig(&["alias.example.com", "CNAME"]).unwrap();
        place.configure("'alias.example.com'", "192.0.2.1", &at(server, &server.key));
        expect(
            &place.dns(&["apply"]),
            1,
            &["! alias.example.com. 300 IN CNAME taken.example.com."],
        );
        assert_eq!(alias(), ["taken.example.com."]);
        expect(&place.dns(&["apply", "--replace", "alias.example.com"]), 0, &["written"]);
        assert!(alias().is_empty());
        assert_eq!(server.dig(&["alias.example.com", "A"]).unwrap(), ["192.0.2.1"]);
    });
}

#[test]
fn a_refusal_says_what_to_do() {
    each("refused updates", |product, server| {
        let place = Place::new();
        let elsewhere = tempfile::tempdir().unwrap();
        let other_secret = write_key(elsewhere.path(), "chancery", "hmac-sha256").unwrap();
        let unknown = write_key(elsewhere.path(), "unknown", "hmac-sha384").unwrap();
        let powerless = match product {
            Product::Bind => "does not let this key change example.com.",
            Product::Knot => "powerless. with hmac-sha512, or has no rule that lets it",
        };
        for (key, words) in [
            (&other_secret, "with another secret"),
            (&unknown, "does not know a key named unknown. with hmac-sha384"),
            (&server.powerless_key, powerless),
        ] {
            place.configure(NAME, "192.0.2.1", &at(server, key));
            expect(&place.dns(&["apply"]), 3, &[words]);
        }
        let in_zone =
            |zone: &str| at(server, &server.key).replace("'example.com'", &format!("'{zone}'"));
        for zone in ["example.net", "ldap.example.com"] {
            place.configure(NAME, "192.0.2.1", &in_zone(zone));
            expect(&place.dns(&["apply"]), 3, &["must be a zone that `dns.server` holds"]);
        }
        place.configure("'a.inside.example.com'", "192.0.2.1", &at(server, &server.key));
        expect(&place.dns(&["apply"]), 3, &["has given the names below"]);
        std::fs::set_permissions(&server.key, std::fs::Permissions::from_mode(0o644)).unwrap();
        place.configure(NAME, "192.0.2.1", &at(server, &server.key));
        expect(&place.dns(&["apply"]), 3, &["others may read it", "chmod 600"]);
        assert!(server.dig(&["ldap.example.com", "A"]).unwrap().is_empty());
        let [nobody] = testing::ports::free::<1>().unwrap();
        let silent = format!("server = '127.0.0.1:{nobody}'\nzone = 'example.com'");
        place.configure(NAME, "192.0.2.1", &silent);
        expect(&place.dns(&["plan"]), 3, &["does not answer", "nobody listens there"]);
    });
}

#[test]
fn clocks_that_differ_are_told_apart() {
    let faketime = Peer::program("faketime", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1");
    each("clocks that differ", |_, server| {
        if !present("clocks that differ", std::slice::from_ref(&faketime)) {
            return;
        }
        let place = Place::new();
        place.configure(NAME, "192.0.2.1", &at(server, &server.key));
        for (shift, words) in [("-2h", "seconds behind its own"), ("+2h", "seconds ahead of")] {
            let mut command = place.command(&["dns", "apply"]);
            command.env("LD_PRELOAD", &faketime.file).env("FAKETIME", shift);
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            expect(&run(&mut command).unwrap(), 3, &[words, "time server"]);
        }
        assert!(server.dig(&["ldap.example.com", "A"]).unwrap().is_empty());
    });
}

#[test]
fn records_are_printed_for_hands_and_tools() {
    if !present("dns print", &[peer()]) {
        return;
    }
    let place = Place::new();
    place.configure(NAME, "192.0.2.1", "zone = 'example.com'");
    expect(&place.dns(&["print"]), 0, &["ldap.example.com. 300 IN A 192.0.2.1\n", " IN SRV "]);
    expect(&place.dns(&["print", "--format", "hosts"]), 0, &["192.0.2.1 ldap.example.com\n"]);
    expect(&place.dns(&["print", "--json"]), 0, &["\"type\": \"SRV\""]);
    expect(&place.dns(&["apply"]), 2, &["no name server is configured", "chancery dns print"]);
    place.configure("", "192.0.2.1", "");
    expect(&place.dns(&["print"]), 2, &["publish.names"]);
    place.configure(NAME, "192.0.2.1", "server = 'ns.example.com'\nservices = 'imap'");
    expect(&place.dns(&["print"]), 2, &["`ns.example.com` is not an address", "`imap`"]);
}

#[test]
fn the_outside_is_compared_with_what_is_published() {
    each("dns verify", |_, server| {
        let place = Place::new();
        place.configure(NAME, "127.0.0.1", &at(server, &server.key));
        let ldaps = place.serve();
        let [nobody] = testing::ports::free::<1>().unwrap();
        let seen = |port: u16, resolver: u16| {
            let view = format!(
                "{}\nport = {port}\nresolvers = ['127.0.0.1:{resolver}']\n\
                 name-servers = ['127.0.0.1:{}']",
                at(server, &server.key),
                server.port
            );
            place.configure(NAME, "127.0.0.1", &view);
        };
        seen(port(&ldaps.ldaps), server.port);
        expect(&place.dns(&["verify"]), 1, &["WRONG", "ldap.example.com A: nothing"]);
        expect(&place.dns(&["apply"]), 0, &["written"]);
        let words = ["resolver", "name server", "the certificate meant", "what is published"];
        expect(&place.dns(&["verify"]), 0, &words);
        let other = format!("--thumbprint={}", "ab:".repeat(32).trim_end_matches(':'));
        expect(&place.dns(&["verify", &other]), 1, &["another certificate", "meant is abab"]);
        expect(&place.dns(&["verify", "--thumbprint=ab"]), 2, &["64 hexadecimal digits"]);
        let json = place.dns(&["verify", "--json", &other]);
        expect(&json, 1, &["\"verdict\": \"wrong\""]);
        server.nsupdate("del ldap.example.com A\nadd ldap.example.com 300 A 127.0.0.2").unwrap();
        expect(&place.dns(&["verify", "--records-only"]), 1, &["127.0.0.2, and it should be"]);
        server.nsupdate("del ldap.example.com A\nadd ldap.example.com 900 A 127.0.0.1").unwrap();
        expect(&place.dns(&["verify"]), 1, &["for 900 seconds instead of 300"]);
        server.nsupdate("del ldap.example.com A\nadd ldap.example.com 300 A 127.0.0.1").unwrap();
        expect(&place.dns(&["verify"]), 0, &[]);
        // Silence says nothing about the records.
        seen(port(&ldaps.ldaps), nobody);
        expect(&place.dns(&["verify"]), 3, &["unknown", "not everybody could be asked"]);
        seen(port(&ldaps.ldaps), server.port);
        drop(ldaps);
        expect(&place.dns(&["verify", &other]), 3, &["nobody was met"]);
    });
}

#[test]
fn a_server_tells_when_the_outside_drifts() {
    each("dns drift", |_, server| {
        let place = Place::new();
        let view = format!(
            "{}\nresolvers = ['127.0.0.1:{}']\nservices = []",
            at(server, &server.key),
            server.port
        );
        place.configure(NAME, "127.0.0.1", &view);
        server.nsupdate("add ldap.example.com 300 A 192.0.2.99").unwrap();
        let mut ldaps = place.serve();
        // It looks for the first time when it starts, beside everything else.
        let told = |_: &Process| {
            let told = run(&mut place.command(&["alerts", "evaluate"])).ok()?;
            let is_told = ["dns-drifted", "192.0.2.99", "chancery dns plan"];
            is_told.iter().all(|word| told.stdout.contains(word)).then_some(())
        };
        ldaps.process.wait_until("an alert about the record", told).unwrap();
    });
}
