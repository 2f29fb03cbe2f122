//! PFX files that OpenSSL made, in each encryption, and what `chancery cert` says of them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use testing::peers::missing::{Peer, present};
use testing::process::{Finished, run, run_checked};

const PASSWORD: &str = "correct horse";

/// Further arguments of `openssl pkcs12 -export`, and what is said of the file.
type Export = (&'static str, &'static [&'static str], &'static str);

const EXPORTS: &[Export] = &[
    ("default", &[], "encryption PBES2 with AES-256-CBC and SHA-256, MAC SHA-256"),
    ("legacy", &["-legacy"], "3DES with SHA-1 for the key, RC2-40 with SHA-1 for the rest"),
    ("descert", &["-legacy", "-descert"], "encryption 3DES with SHA-1, MAC SHA-1"),
    ("nomac", &["-nomac"], "SHA-256 for the key, none for the rest, MAC none"),
    ("aes128", &["-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"], "PBES2 with AES-128-CBC"),
    ("plain certificates", &["-certpbe", "NONE"], "for the key, none for the rest, MAC SHA-256"),
    ("sha512", &["-macalg", "sha512"], "MAC SHA-512"),
    ("windows", &["-legacy", "-descert", "-keyex", "-CSP", "Some Provider"], "3DES with SHA-1"),
];

#[test]
fn every_encryption_of_openssl_is_read_and_named() {
    if !present("pfx", &[openssl_peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    make(at);
    for (name, arguments, expected) in EXPORTS {
        export(at, arguments, PASSWORD);
        let said = check(at, "good.password");
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        assert!(said.stdout.contains("note: pfx-encryption (CN=ldap.example.com)"), "{said:?}");
        assert!(said.stdout.contains(expected), "{name}: {}", said.stdout);
        let said = check(at, "bad.password");
        assert_eq!(said.code, Some(3), "{name}: {said:?}");
        assert!(said.stderr.contains("the password is wrong"), "{name}: {said:?}");
    }
}

#[test]
fn an_empty_password_is_none() {
    if !present("pfx", &[openssl_peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    make(at);
    for arguments in [&[][..], &["-legacy"], &["-nomac", "-keypbe", "NONE", "-certpbe", "NONE"]] {
        export(at, arguments, "");
        for password in [Some("empty.password"), None] {
            let said = judged(at, password);
            assert_eq!(said.code, Some(0), "{arguments:?} {password:?}: {said:?}");
        }
    }
    export(at, &[], PASSWORD);
    let said = judged(at, None);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("needs a password and none was given; give --password-file"));
}

#[test]
fn what_is_wrong_is_told_apart() {
    if !present("pfx", &[openssl_peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    make(at);
    let path = at.join("made.pfx");
    export(at, &["-nokeys"], PASSWORD);
    let no_key = std::fs::read(&path).unwrap();
    export(at, &[], PASSWORD);
    let good = std::fs::read(&path).unwrap();
    let convert = ["x509", "-in", "own.pem", "-outform", "DER", "-out", "own.der"];
    run_checked(&mut openssl(at, &convert)).unwrap();
    let certificate = std::fs::read(at.join("own.der")).unwrap();
    let mut altered = good.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("no key", no_key, "there is no private key in this PFX file"),
        (
            "a path",
            b"C:\\certs\\ldaps.pfx".to_vec(),
            "where the content of a PFX file was expected",
        ),
        ("a certificate", certificate, "not a PFX file: it is a certificate in DER, without a key"),
        ("cut off", good[..good.len() - 100].to_vec(), "damaged: it is cut off"),
        ("altered", altered, "the password is wrong for this PFX file (or the file was altered"),
        ("empty text", b"\n".to_vec(), "not a PFX file: it is empty"),
    ];
    for (what, content, expected) in cases {
        std::fs::write(&path, content).unwrap();
        let said = check(at, "good.password");
        assert_eq!(said.code, Some(3), "{what}: {said:?}");
        assert!(said.stderr.contains(expected), "{what}: {said:?}");
    }
}

#[test]
fn what_is_written_openssl_reads() {
    if !present("pfx", &[openssl_peer()]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    make(at);
    for (how, legacy, expected) in [
        ("aes", &[][..], "PBES2, PBKDF2, AES-256-CBC"),
        ("3des", &["-legacy"][..], "pbeWithSHA1And3-KeyTripleDES-CBC"),
    ] {
        let _ = std::fs::remove_file(at.join("written.pfx"));
        let mut command = chancery(at, &["cert", "convert", "chain.pem", "--key", "own.key"]);
        command.args(["--output", "written.pfx", "--encryption", how]);
        run_checked(command.args(["--password-file", "good.password"])).unwrap();
        let read = ["pkcs12", "-in", "written.pfx", "-info", "-noenc", "-passin"];
        let said = run(openssl(at, &read).arg(format!("pass:{PASSWORD}")).args(legacy)).unwrap();
        assert!(said.success(), "{how}: {said:?}");
        assert!(said.stderr.contains(expected), "{how}: {}", said.stderr);
        assert_eq!(said.stdout.matches("BEGIN CERTIFICATE").count(), 2, "{how}");
        assert!(said.stdout.contains("BEGIN PRIVATE KEY"), "{how}");
    }
}

fn openssl_peer() -> Peer {
    Peer::program("openssl", "/usr/bin/openssl")
}

/// A CA, a server's certificate by it, and files with passwords.
fn make(at: &Path) {
    let p256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    for name in ["root", "own"] {
        let file = format!("{name}.key");
        run_checked(openssl(at, &["genpkey", "-out", &file]).args(p256)).unwrap();
        std::fs::set_permissions(at.join(file), PermissionsExt::from_mode(0o600)).unwrap();
    }
    let root = ["req", "-x509", "-new", "-key", "root.key", "-out", "root.pem", "-days", "3650"];
    run_checked(openssl(at, &root).args(["-subj", "/CN=Root"])).unwrap();
    std::fs::write(
        at.join("own.ext"),
        "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n\
         subjectAltName=DNS:ldap.example.com\n",
    )
    .unwrap();
    let request = ["req", "-new", "-key", "own.key", "-out", "own.csr"];
    run_checked(openssl(at, &request).args(["-subj", "/CN=ldap.example.com"])).unwrap();
    let sign = ["x509", "-req", "-in", "own.csr", "-CA", "root.pem", "-CAkey", "root.key"];
    let rest = ["-CAcreateserial", "-days", "365", "-extfile", "own.ext", "-out", "own.pem"];
    run_checked(openssl(at, &sign).args(rest)).unwrap();
    let read = |name: &str| std::fs::read(at.join(name)).unwrap();
    std::fs::write(at.join("chain.pem"), [read("own.pem"), read("root.pem")].concat()).unwrap();
    for (name, password) in [("good", PASSWORD), ("bad", "wrong"), ("empty", "")] {
        let path = at.join(format!("{name}.password"));
        std::fs::write(&path, format!("{password}\n")).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }
}

/// The server's certificate, the CA's and the key as `made.pfx`.
fn export(at: &Path, arguments: &[&str], password: &str) {
    let mut command = openssl(at, &["pkcs12", "-export", "-inkey", "own.key", "-in", "own.pem"]);
    command.args(["-certfile", "root.pem", "-out", "made.pfx", "-passout"]);
    run_checked(command.arg(format!("pass:{password}")).args(arguments)).unwrap();
}

fn check(at: &Path, password_file: &str) -> Finished {
    judged(at, Some(password_file))
}

fn judged(at: &Path, password_file: Option<&str>) -> Finished {
    let mut command = chancery(at, &["cert", "check", "made.pfx", "--name", "ldap.example.com"]);
    if let Some(file) = password_file {
        command.args(["--password-file", file]);
    }
    run(&mut command).unwrap()
}

fn openssl(at: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(at).args(arguments);
    command
}

fn chancery(at: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(testing::peers::chancery::binary());
    command.current_dir(at).args(arguments);
    command
}
