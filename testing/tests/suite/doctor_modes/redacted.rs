//! What can be shown to anybody.

use pki::{Summary, pem};
use testing::peers::chancery::peer;
use testing::peers::missing::present;
use testing::peers::{SUFFIX, port};

use super::{directory, doctor, first, json, private};

/// None of these may be in it.
#[track_caller]
fn is_free_of(originals: &[String], text: &str) {
    let lower = text.to_lowercase();
    for original in originals {
        assert!(!lower.contains(&original.to_lowercase()), "{original} is in:\n{text}");
    }
}

#[test]
fn nothing_of_the_target_is_left() {
    if !present("redacted answers", &[peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (ca, kept) = (at("corp-root.pem"), at("kept.json"));
    let server = directory("Corp Issuing", &["dc1.corp.example"], ca.as_ref());
    let password = at("password");
    std::fs::copy(&server.password_file, &password).unwrap();
    private(password.as_ref());
    let number = port(&server.ldaps);
    let address = format!("127.0.0.1:{number}");
    let root = pem::certificates(&std::fs::read(&ca).unwrap()).unwrap().remove(0);
    let root = Summary::parse(&root).unwrap();
    let mut originals: Vec<String> =
        ["dc1", "corp", "127.0.0.1", "secret-unit", SUFFIX, "dc=example", "cn=admin"]
            .map(str::to_owned)
            .into();
    originals.extend([root.subject, root.thumbprint, at("")]);
    let target = format!("ldaps://dc1.corp.example:{number}");
    let other = format!("ldaps://dc2.corp.example:{number}");
    let base = format!("ou=secret-unit,{SUFFIX}");
    let sign_in = ["--as", &server.admin, "--password-file", &password];
    let search = ["--base", &base, "--filter", "(cn=dc1)"];
    for (target, more, code) in [
        (&target, [&["--ca", &ca][..], &sign_in, &search].concat(), "SEARCH-SHAPE"),
        (&other, vec!["--ca", &ca], "NAME-MISMATCH"),
        (&target, vec![], "TRUST-CA"),
    ] {
        let asked = [&[target.as_str(), "--address", &address][..], &more].concat();
        let open = doctor(&asked);
        assert_eq!(first(&open), code, "{}{}", open.stdout, open.stderr);
        let hidden = doctor(&[&asked[..], &["--redact", "--save", &kept]].concat());
        assert_eq!((first(&hidden).as_str(), hidden.code), (code, open.code), "{}", hidden.stderr);
        let whole = doctor(&[&asked[..], &["--redact", "--json"]].concat());
        let saved = std::fs::read_to_string(&kept).unwrap();
        for text in [&hidden.stdout, &whole.stdout, &saved] {
            is_free_of(&originals, text);
        }
        let all = json(&whole);
        assert_eq!(all["findings"][0]["code"], code);
        assert_eq!(all["facts"]["target"], format!("ldaps://host-1:{number}"));
        // What was found is said again, although it cannot be judged any more.
        let again = doctor(&["--facts", &kept]);
        assert_eq!((again.stdout, again.code), (hidden.stdout, hidden.code));
    }
}
