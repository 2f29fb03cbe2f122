//! The exported CA in each of its forms, with the clients they are for.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use pki::{pem, trust};
use testing::peers::chancery::{binary, peer, start};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, port};
use testing::process::{Finished, run, run_checked};

const PASSWORD: &str = "changeit";

fn chancery(at: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(binary());
    command.current_dir(at).args(["--data", "data", "ca", "export"]).args(arguments);
    run(&mut command).unwrap()
}

fn password(at: &Path) {
    let file = at.join("password");
    std::fs::write(&file, PASSWORD).unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
}

fn program(name: &str) -> Peer {
    Peer::program(name, format!("/usr/bin/{name}"))
}

#[test]
fn openssl_finds_the_ca_in_a_folder_of_hashes() {
    if !present("ca export", &[peer(), program("openssl")]) {
        return;
    }
    let server = start().unwrap();
    let at = server.folder.path();
    for again in [false, true] {
        let said = chancery(at, &["--hash-dir", "trusted"]);
        assert!(said.success() && said.stdout.starts_with("wrote trusted/"), "{again}: {said:?}");
    }
    assert_eq!(std::fs::read_dir(at.join("trusted")).unwrap().count(), 1);
    let mut connect = Command::new("openssl");
    let target = format!("localhost:{}", port(&server.ldaps));
    connect.current_dir(at).args(["s_client", "-connect", &target, "-CApath", "trusted"]);
    let arguments = ["-no-CAfile", "-no-CAstore", "-verify_return_error"];
    let said = run(connect.args(["-verify_hostname", "localhost"]).args(arguments)).unwrap();
    assert!(said.stdout.contains("Verify return code: 0 (ok)"), "{said:?}");
}

/// Subjects as CAs have them, in each type of string, and how OpenSSL names the file.
#[test]
fn hashes_are_those_of_openssl() {
    if !present("ca export", &[program("openssl")]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let subjects = [
        ("/CN=Test CA", &[][..]),
        ("/C=SE/O=Example  AB/OU=  IT /CN=ROOT ca", &[]),
        ("/DC=com/DC=example/CN=Zo\u{eb} \u{416}", &["-utf8"]),
        ("/CN=a+OU=b/O=\u{e9}t\u{e9}", &["-utf8", "-multivalue-rdn"]),
        ("/emailAddress=CA@Example.com/serialNumber=12 34", &[]),
        ("/CN=Tab\there", &[]),
    ];
    for (subject, more) in subjects {
        let mut make = Command::new("openssl");
        make.current_dir(at).args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "9"]);
        make.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", "key", "-out", "ca.pem"]);
        run_checked(make.args(["-subj", subject]).args(more)).unwrap();
        let mut hash = Command::new("openssl");
        let expected =
            run_checked(hash.current_dir(at).args(["x509", "-hash", "-noout", "-in", "ca.pem"]));
        let der = pem::certificates(&std::fs::read(at.join("ca.pem")).unwrap()).unwrap();
        assert_eq!(trust::subject_hash(&der[0]).unwrap(), expected.unwrap().trim(), "{subject}");
    }
}

#[test]
fn java_reads_both_truststores() {
    if !present("ca export", &[peer(), program("keytool"), program("openssl")]) {
        return;
    }
    let server = start().unwrap();
    let at = server.folder.path();
    password(at);
    let both = ["--pkcs12", "ca.p12", "--jks", "ca.jks", "--password-file", "password"];
    let said = chancery(at, &both);
    assert_eq!(said.stdout, "wrote ca.p12\nwrote ca.jks\n", "{said:?}");
    let again = chancery(at, &both);
    assert_eq!(again.code, Some(3), "nothing is written over: {again:?}");
    let mut print = Command::new("openssl");
    print.current_dir(at).args(["x509", "-in", "data/ca.pem", "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = run_checked(&mut print).unwrap();
    let (_, fingerprint) = fingerprint.trim().split_once('=').unwrap();
    for (file, kind) in [("ca.p12", "PKCS12"), ("ca.jks", "JKS")] {
        let mut list = Command::new("keytool");
        list.current_dir(at).args(["-list", "-keystore", file, "-storetype", kind, "-storepass"]);
        let said = run(list.arg(PASSWORD)).unwrap();
        assert!(said.success(), "{file}: {said:?}");
        assert!(said.stdout.contains("chancery-ca"), "{file}: {said:?}");
        assert!(said.stdout.contains("trustedCertEntry"), "{file}: {said:?}");
        assert!(said.stdout.contains(fingerprint), "{file}: {said:?}");
        let mut wrong = Command::new("keytool");
        wrong.current_dir(at).args(["-list", "-keystore", file, "-storetype", kind]);
        let said = run(wrong.args(["-storepass", "something else"])).unwrap();
        assert!(!said.success(), "{file}: the password is asked for: {said:?}");
    }
    let short = at.join("short");
    std::fs::write(&short, "12345").unwrap();
    std::fs::set_permissions(short, PermissionsExt::from_mode(0o600)).unwrap();
    let said = chancery(at, &["--jks", "new.jks", "--password-file", "short"]);
    assert!(said.stderr.contains("at least 6 characters"), "{said:?}");
    assert!(!at.join("new.jks").exists());
    let said = chancery(at, &["--jks", "new.jks"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("give --password-file FILE"), "{said:?}");
}

#[test]
fn java_signs_in_with_either_truststore_and_not_without() {
    if !present("ca export", &[peer(), program("java")]) {
        return;
    }
    let server = start().unwrap();
    let at = server.folder.path();
    password(at);
    let both = ["--pkcs12", "ca.p12", "--jks", "ca.jks", "--password-file", "password"];
    assert!(chancery(at, &both).success());
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/Jndi.java");
    for (file, kind, is_trusted) in
        [("ca.p12", "PKCS12", true), ("ca.jks", "JKS", true), ("none", "PKCS12", false)]
    {
        let mut java = Command::new("java");
        java.current_dir(at).args([
            &format!("-Djavax.net.ssl.trustStore={file}"),
            &format!("-Djavax.net.ssl.trustStoreType={kind}"),
            &format!("-Djavax.net.ssl.trustStorePassword={PASSWORD}"),
        ]);
        java.arg(&source).args([&server.ldaps, &server.admin]).arg(&server.password_file);
        let said = run(java.arg(SUFFIX)).unwrap();
        let found = format!("found uid=anna,ou=people,{SUFFIX}\n");
        assert_eq!(said.stdout == found, is_trusted, "{file}: {said:?}");
        if !is_trusted {
            // Which of its threads notices first that it does not trust, Java does not say.
            assert!(!said.success() && said.stderr.contains("CommunicationException"), "{said:?}");
        }
    }
}

#[test]
fn the_lines_for_openldap_work_as_printed() {
    if !present("ca export", &[peer(), program("ldapwhoami")]) {
        return;
    }
    let server = start().unwrap();
    let at = server.folder.path();
    let said = chancery(at, &[]);
    assert_eq!(said.stdout, std::fs::read_to_string(at.join("data/ca.pem")).unwrap());
    assert!(said.stderr.contains("This is the CA that clients must trust"), "{said:?}");
    std::fs::write(at.join("exported.pem"), said.stdout).unwrap();
    let lines = chancery(at, &["--for", "openldap", "--name", "localhost"]).stdout;
    // Only the folder is another; the port is what this server was told when it started.
    let path = at.join("exported.pem").display().to_string();
    let lines = lines.replace("/etc/ldap/chancery-ca.pem", &path);
    let lines = lines.replace(":6636", &format!(":{}", port(&server.ldaps)));
    std::fs::write(at.join("ldap.conf"), &lines).unwrap();
    let mut whoami = Command::new("ldapwhoami");
    whoami.env("LDAPCONF", at.join("ldap.conf"));
    whoami.args(["-x", "-D", &server.admin, "-y"]);
    let said = run(whoami.arg(&server.password_file)).unwrap();
    assert!(said.stdout.contains(&server.admin), "{lines}\n{said:?}");
    for client in ["sssd", "java", "windows", "containers", "debian", "redhat", "node", "python"] {
        let said = chancery(at, &["--for", client]);
        assert!(said.success() && said.stdout.contains("chancery-ca"), "{client}: {said:?}");
        assert!(!said.stdout.contains('{') || client == "containers" || client == "node");
    }
}

/// One client with and without the exported CA: the first succeeds, the second must not.
fn accepts(name: &str, with: &mut Command, without: &mut Command, expected: &str) {
    let said = run(with).unwrap();
    let shows = said.stdout.contains(expected);
    assert!(said.success() && shows, "{name} with the exported CA: {said:?}");
    let said = run(without).unwrap();
    assert!(!said.stdout.contains(expected), "{name} without it: {said:?}");
    assert!(!said.success(), "{name} without it: {said:?}");
}

fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

#[test]
fn other_clients_trust_the_exported_ca_and_no_other() {
    let peers = ["openssl", "ldapwhoami", "node", "python3"].map(program);
    if !present("clients that trust the CA", &[&[peer()], peers.as_slice()].concat()) {
        return;
    }
    let server = start().unwrap();
    let at = server.folder.path();
    let number = port(&server.ldaps).to_string();
    std::fs::write(at.join("exported.pem"), chancery(at, &["--pem"]).stdout).unwrap();
    let exported = at.join("exported.pem");
    let here = |program: &str| {
        let mut command = Command::new(program);
        command.current_dir(at);
        command
    };

    // GnuTLS, as Debian builds ldap-utils.
    let whoami = |ca: &Path| {
        let mut command = here("ldapwhoami");
        command.args(["-H", &server.ldaps, "-x", "-D", &server.admin, "-y"]);
        command.arg(&server.password_file).env("LDAPTLS_CACERT", ca);
        command
    };
    let nothing = Path::new("/dev/null");
    accepts("ldapwhoami", &mut whoami(&exported), &mut whoami(nothing), "dn:cn=admin");

    let s_client = |ca: &[&str]| {
        let mut command = here("openssl");
        command.args(["s_client", "-connect", &format!("localhost:{number}")]);
        command.args(["-verify_return_error", "-verify_hostname", "localhost"]).args(ca);
        command
    };
    accepts(
        "openssl",
        &mut s_client(&["-CAfile", "exported.pem"]),
        &mut s_client(&["-no-CAfile", "-no-CApath", "-no-CAstore"]),
        "Verify return code: 0 (ok)",
    );

    let mut with = here("node");
    with.arg(script("trust.mjs")).args(["localhost", &number]);
    with.env("NODE_EXTRA_CA_CERTS", &exported);
    let mut without = here("node");
    without.arg(script("trust.mjs")).args(["localhost", &number]);
    accepts("Node", &mut with, &mut without, "bound");

    let mut with = here("python3");
    with.arg(script("trust.py")).args(["localhost", &number, "exported.pem"]);
    let mut without = here("python3");
    without.arg(script("trust.py")).args(["localhost", &number]);
    accepts("Python", &mut with, &mut without, "bound");
}
