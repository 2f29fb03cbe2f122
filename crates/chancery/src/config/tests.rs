//! Files as text in, configurations or faults out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::ConfigError;
use super::raw::SECTIONS;
use super::resolved::{Address, Audit};
use super::value::{Bytes, Level, ListenMode, LogFormat};
use super::*;

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::from_text(text, Some(Path::new("/etc/chancery.toml")), &Overrides::default())
}

fn right(text: &str) -> Config {
    load(text).expect("this configuration is right")
}

/// The faults as they are printed.
fn wrong(text: &str) -> Vec<String> {
    let error = load(text).expect_err("this configuration is wrong");
    error.to_string().lines().map(str::to_owned).collect()
}

fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// What is in the repository is what the definitions say. To write it anew, set CHANCERY_BLESS.
fn check_fresh(path: &str, expected: &str) {
    let path = project_file(path);
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        std::fs::write(&path, expected).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).expect("the file is there");
    assert!(found == expected, "{}: stale; run the tests with CHANCERY_BLESS=1", path.display());
}

#[test]
fn generated_files_are_fresh() {
    check_fresh("chancery.example.toml", &example());
    check_fresh("docs/reference/configuration.md", &reference());
}

/// Every setting of the example, taken out of its comment.
fn uncommented() -> String {
    let lines = example();
    let lines = lines.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
        Some(rest) if rest.starts_with("    \"") => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_the_defaults() {
    let text = uncommented();
    let config = load(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let defaults = right("");
    assert_eq!(config, Config { access_places: config.access_places.clone(), ..defaults.clone() });
    assert_eq!(right(&example()), defaults);
}

#[test]
fn every_setting_stands_in_the_example() {
    let text = uncommented();
    for section in &SECTIONS {
        for setting in section.settings.iter().filter(|_| section.header != "access") {
            let (key, absent) = (setting.key(), setting.default.is_empty());
            let line = if absent { format!("\n# {key} = ") } else { format!("\n{key} = ") };
            assert!(text.contains(&line), "{}.{key}", section.header);
            assert!(!setting.about.is_empty(), "{}.{key} has no documentation", section.header);
            assert_ne!(absent, setting.sample.is_empty(), "{}.{key}", section.header);
        }
    }
}

#[test]
fn nothing_configured_is_a_safe_server() {
    let config = Config::load(None, &Overrides::default()).expect("the defaults are right");
    assert_eq!(config.data, Path::new("chancery-data"));
    assert_eq!(config.suffixes, ["dc=example,dc=com"]);
    assert_eq!(config.administrator, "cn=admin,dc=example,dc=com");
    assert_eq!(config.anonymous, Anonymous::RootDse);
    let listeners: Vec<_> = config.listeners.iter().map(|l| (&l.address, l.mode)).collect();
    let address = Address::Internet("127.0.0.1:6636".parse().expect("an address"));
    let local = Address::Path("chancery-data/ldapi".into());
    assert_eq!(listeners, [(&address, ListenMode::Ldaps), (&local, ListenMode::Ldapi)]);
    assert_eq!(config.tls.sources, []);
    assert_eq!(config.access.len(), 5);
}

#[test]
fn a_full_file_is_read() {
    let config = right(
        r#"
        data = "d"
        suffixes = ["dc=a", "dc=b"]
        anonymous = "search"
        [[listen]]
        address = "[::]:636"
        client-certificates = "optional"
        client-ca = "ca.pem"
        [[listen]]
        address = "run/ldapi"
        mode = "ldapi"
        [tls]
        certificate = "/tls/a.pem"
        key = "a.key"
        [limits]
        connections = 5
        message-bytes = "2 MiB"
        idle-time = "90s"
        search-time = "0s"
        [log]
        level = "debug"
        format = "json"
        audit = "audit.log"
        [[access]]
        on = "everything"
        who = ["self", 'group "cn=g,dc=a"']
        may = "read"
        where = "(cn=*)"
        attributes = "mail"
        "#,
    );
    assert_eq!(config.data, Path::new("/etc/d"));
    assert_eq!(config.administrator, "cn=admin,dc=a");
    assert_eq!(config.listeners.len(), 3);
    assert_eq!(config.listeners[0].tls.client_ca.as_deref(), Some(Path::new("/etc/ca.pem")));
    assert_eq!(config.listeners[1].address, Address::Path("/etc/run/ldapi".into()));
    let files = Source::Files { certificate: "/tls/a.pem".into(), key: Some("/etc/a.key".into()) };
    assert_eq!(config.tls.sources, [files]);
    assert_eq!(config.limits.connections, 5);
    assert_eq!(config.limits.message_bytes, Bytes(2 << 20));
    assert_eq!(config.limits.idle_time, Duration::from_secs(90));
    assert_eq!(config.limits.search_time, Duration::ZERO);
    assert_eq!((config.log.level, config.log.format), (Level::Debug, LogFormat::Json));
    assert_eq!(config.log.audit, Audit::File("/etc/audit.log".into()));
    assert_eq!(config.access.len(), 1);
    assert_eq!(
        config.access[0].to_string(),
        "self or group \"cn=g,dc=a\" may read where (cn=*) attributes mail"
    );
}

#[test]
fn every_fault_is_listed_with_its_place() {
    let found = wrong(concat!(
        "sufixes = []\n",
        "anonymous = \"maybe\"\n",
        "[limits]\n",
        "connections = 0\n",
        "message_bytes = 1\n",
        "idle-time = 30\n",
        "[tls]\n",
        "key = \"k\"\n",
        "[[listen]]\n",
        "address = \"localhost:636\"\n",
    ));
    let at = |line: &str| format!("/etc/chancery.toml:{line}");
    assert_eq!(found.len(), 7, "{found:#?}");
    assert_eq!(found[0], at("1:1: sufixes: there is no such setting; did you mean `suffixes`?"));
    assert_eq!(found[1], at("2:13: anonymous: write \"none\", \"root-dse\" or \"search\""));
    assert_eq!(found[2], at("4:15: limits.connections: write 1 to 1000000"));
    assert!(found[3].ends_with("did you mean `message-bytes`?"), "{}", found[3]);
    assert!(found[4].contains("6:13: limits.idle-time: write a duration such as"));
    assert!(found[6].contains("9:1: listen[1].address: `localhost:636` is not an address"));
    assert_eq!(found[5], at("tls.certificate: write the certificate of the key"));
}

#[test]
fn faults_of_each_kind() {
    for (text, expected) in [
        ("[limits", "1:8: "),
        ("limits = 3", "limits: write a section `[limits]`"),
        ("[listen]", "listen: write `[[listen]]`"),
        ("listen = [1]", "listen[1]: write `[[listen]]`"),
        ("[nothing-like-it]", "there are data, suffixes"),
        ("[[acess]]", "did you mean `access`?"),
        ("suffixes = []", "suffixes: write at least one"),
        ("suffixes = ['nonsense']", "suffixes: `nonsense` is not a name"),
        ("suffixes = ['dc=a', 'DC=A']", "suffixes: `DC=A` is there twice"),
        ("administrator = ''", "administrator: `` is not a name: it is empty"),
        ("data = ''", "1:8: data: write a path"),
        ("[[listen]]\nmode = 'ldap'", "listen[1].mode: write \"ldaps\", \"starttls\" or"),
        ("[[listen]]\nclient-certificates = 'optional'", "listen[1].client-ca: write"),
        ("[[listen]]\nclient-ca = 'x'", "listen[1].client-certificates: write"),
        ("[[listen]]\n[[listen]]", "listen[2]: another listener has the same address"),
        ("[limits]\nmessage-bytes = '3 Gib'", "write a size such as"),
        ("[limits]\nmessage-bytes = '3 GiB'", "write 1 KiB to 1 GiB"),
        ("[limits]\nvalues = -1", "write a whole number"),
        ("[limits]\nsearch-time = '99999999999999999999 h'", "write a duration"),
        ("[publish]\ninternl = 1", "did you mean `internal`?"),
        ("[publish.internal]\nadress = 'x'", "did you mean `address`?"),
        ("publish = 1", "publish: write a section `[publish]`"),
        ("[publish]\nrule = 1", "publish.rule: write `[[publish.rule]]`"),
        ("[publish]\ninternal = 1", "publish.internal: write a section `[publish.internal]`"),
        ("[publish.external]\nenabled = true", "publish.external.address: write where it listens"),
        ("[publish.internal]\naddress = '10.0.0.5'", "is not an address that clients can know"),
        ("[publish.internal]\naddress = '10.0.0.5:0'", "is not an address that clients can know"),
        ("[publish.internal]\naddress = '127.0.0.1:6636'", "a `[[listen]]` has the same address"),
        (
            "[publish.internal]\naddress = '[::]:636'\n[publish.external]\naddress = '[::]:636'",
            "publish.external.address: the internal listener has the same",
        ),
        ("[publish.external]\nproxy-from = '::/0'", "write the balancers' own addresses"),
        ("[publish.external]\nproxy-from = '10.0.0.5/8'", "write 10.0.0.0/8 for the network"),
        ("[[publish.rule]]\nname = 'a'", "1:1: publish.rule[1].priority: it is missing"),
        ("[[publish.rule]]\npriority = 99", "publish.rule[1].priority: write 100 to 4096"),
        ("[[publish.rule]]\nverdict = 'drop'", "verdict: write \"allow\" or \"deny\""),
        ("[[publish.rule]]\nsource = '10.0.0.1/8'", "publish.rule[1].source: `10.0.0.1/8` has"),
        (
            "[[publish.rule]]\nname='a'\npriority=200\nsource='10.0.0.0/8'\nverdict='allow'\n\
             [[publish.rule]]\nname='b'\npriority=200\nsource='11.0.0.0/8'\nverdict='allow'",
            "6:1: publish.rule[2].priority: `b` and `a` both have 200",
        ),
        ("[passwords]\nrehash = 'yes'", "write true or false"),
        ("[indexes]\nequality = ['cn', 3]", "write a list of strings"),
        ("\n[[access]]\nwho = 'self'", "2:1: access[1].may: it is missing"),
        ("[[access]]\nwhom = 'self'", "did you mean `who`?"),
    ] {
        let found = wrong(text);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{text}: {found:#?}");
    }
}

#[test]
fn published_listeners_and_their_rules_are_read() {
    let config = right(
        r#"
        [publish]
        cut = true
        [publish.internal]
        address = "10.0.0.5:636"
        [publish.external]
        enabled = true
        address = "[::]:636"
        proxy-from = ["10.0.0.9", "10.1.0.0/24"]
        [[publish.rule]]
        name = "late"
        priority = 300
        source = "2001:db8::/32"
        verdict = "deny"
        [[publish.rule]]
        name = "office"
        priority = 200
        source = ["192.0.2.0/24", "198.51.100.7"]
        port = 636
        listener = "external"
        verdict = "allow"
        "#,
    );
    let published = &config.published;
    assert!(published.cut && !published.internal.enabled && published.external.enabled);
    assert_eq!(published.internal.address, "10.0.0.5:636".parse().ok());
    let balancers: Vec<_> = published.external.balancers.iter().map(ToString::to_string).collect();
    assert_eq!(balancers, ["10.0.0.9/32", "10.1.0.0/24"]);
    let rules = published.rules.of(server::network::Scope::External, 636);
    let decides = |address: &str| rules.judge(address.parse().expect("an address")).label();
    assert_eq!(decides("198.51.100.7"), "office (200)");
    assert_eq!(decides("2001:db8::1"), "late (300)");
}

#[test]
fn the_command_line_wins_over_the_environment_over_the_file() {
    let environment = Overrides::from_environment(|name| {
        let value = match name {
            "CHANCERY_DATA" => "/env",
            "CHANCERY_SUFFIX" => "dc=env",
            "CHANCERY_LISTEN" => "127.0.0.1:1, 127.0.0.1:2",
            "CHANCERY_LOG" => "trace",
            "CHANCERY_LISTEN_STARTTLS" => "",
            _ => return None,
        };
        Some(value.to_owned())
    });
    let flags = Overrides { data: Some("flag".into()), ..Overrides::default() };
    let text = "data = 'file'\n[[listen]]\naddress = '127.0.0.1:9'\n[[listen]]\n\
        address = '127.0.0.1:8'\nmode = 'starttls'";
    let config = Config::from_text(text, None, &flags.over(environment)).expect("it is right");
    assert_eq!(config.data, Path::new("flag"));
    assert_eq!(config.suffixes, ["dc=env"]);
    assert_eq!(config.log.level, Level::Trace);
    let ports: Vec<_> = config.listeners.iter().filter_map(port).collect();
    assert_eq!(ports, [8, 1, 2]);
}

fn port(listener: &Listener) -> Option<u16> {
    match &listener.address {
        Address::Internet(address) => Some(address.port()),
        Address::Path(_) => None,
    }
}

#[test]
fn overrides_are_checked_too() {
    let overrides = Overrides {
        suffix: Some("x".into()),
        listen: vec!["6636".into()],
        log_level: Some("loud".into()),
        ..Overrides::default()
    };
    let error = Config::from_text("", None, &overrides).expect_err("all three are wrong");
    let keys: Vec<_> = error.faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["suffixes", "--listen", "CHANCERY_LOG"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let path = Path::new("/nonexistent/chancery.toml");
    let error = Config::load(Some(path), &Overrides::default()).expect_err("it is not there");
    let text = error.to_string();
    assert!(text.starts_with("/nonexistent/chancery.toml:cannot be read"), "{text}");
}

#[test]
fn access_faults_point_into_the_file() {
    let config = right(
        "[[access]]\nwho = 'self'\nmay = 'read'\n[[access]]\nwho = 'everybody'\nmay = 'read'",
    );
    let fault = directory::access::RuleError {
        rule: 1,
        field: "who",
        what: "`everybody` is not an asker".into(),
        right: "write `anyone`".into(),
    };
    assert_eq!(
        config.access_error(&[fault]).to_string(),
        "/etc/chancery.toml:4:1: access[2].who: `everybody` is not an asker; write `anyone`"
    );
}

#[test]
fn words_are_compared_by_letters() {
    for (from, to, expected) in [
        ("", "", 0),
        ("a", "", 1),
        ("", "ab", 2),
        ("kitten", "sitting", 3),
        ("max_size", "max-size", 0),
        ("flaw", "lawn", 2),
    ] {
        assert_eq!(super::read::distance(from, to), expected, "{from} {to}");
    }
}

#[test]
fn published_listeners_have_a_tls_of_their_own() {
    let text = "[tls]\nfloor='1.3'\n[publish.internal]\nclient-certificates='required'\n\
                client-ca='ca.pem'\ntls-floor='1.2'\n[publish.external]\n\
                ciphers=['TLS13_AES_256_GCM_SHA384']\n";
    let config = Config::from_text(text, None, &Overrides::default()).unwrap();
    let (internal, external) = (&config.published.internal.tls, &config.published.external.tls);
    assert_eq!(internal.client_ca.as_deref(), Some(Path::new("ca.pem")));
    assert!(internal.needs_client_certificate && !external.needs_client_certificate);
    assert_eq!(internal.policy.floor, server::tls::TlsFloor::Tls12);
    assert_eq!(external.policy.floor, server::tls::TlsFloor::Tls13);
    assert_eq!(external.policy.suites, ["TLS13_AES_256_GCM_SHA384"]);
    for (text, key) in [
        ("client-certificates='optional'", "publish.external.client-ca"),
        ("client-ca='ca.pem'", "publish.external.client-certificates"),
        ("ciphers=['none']", "publish.external.ciphers"),
    ] {
        let text = format!("[publish.external]\n{text}\n");
        let error = Config::from_text(&text, None, &Overrides::default()).unwrap_err();
        assert!(error.faults.iter().any(|fault| fault.key == key), "{error:?}");
    }
}
