//! Apache signs its users in through `mod_authnz_ldap`, over LDAPS with the CA verified.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use testing::peers::missing::{Peer, present};
use testing::peers::tools::Tools;
use testing::peers::{SUFFIX, Server, Subject, port};
use testing::process::Process;

const MODULES: &str = "/usr/lib/apache2/modules";

/// Two people, of whom one is in the group that may read `/staff`.
fn people() -> String {
    let unit = format!("ou=web,{SUFFIX}");
    let mut ldif = format!("dn: {unit}\nobjectClass: organizationalUnit\nou: web\n\n");
    for uid in ["alice", "bob"] {
        ldif += &format!(
            "dn: uid={uid},{unit}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n\
             userPassword: the secret of {uid}\n\n"
        );
    }
    ldif + &format!(
        "dn: cn=staff,{unit}\nobjectClass: groupOfNames\ncn: staff\nmember: uid=alice,{unit}\n"
    )
}

fn configuration(folder: &Path, web: u16, server: &Server) -> String {
    let (here, documents) = (folder.display(), folder.join("htdocs"));
    let mut text = format!(
        "ServerName localhost\nListen 127.0.0.1:{web}\nPidFile {here}/httpd.pid\n\
         DefaultRuntimeDir {here}\nMutex file:{here}\nErrorLog {here}/error.log\nLogLevel info\n"
    );
    for name in
        ["mpm_event", "authn_core", "authz_core", "auth_basic", "authz_user", "ldap", "authnz_ldap"]
    {
        text += &format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n");
    }
    // Apache has to drop root; www-data is there wherever apache2 is.
    text += &format!(
        "User www-data\nGroup www-data\nLDAPTrustedGlobalCert CA_BASE64 {ca}\nLDAPVerifyServerCert On\n\
         DocumentRoot {documents}\n<Directory {documents}>\n AuthType Basic\n AuthName test\n \
         AuthBasicProvider ldap\n AuthLDAPURL {ldaps}/ou=web,{SUFFIX}?uid?sub?(objectClass=person)\n \
         AuthLDAPBindDN {admin}\n AuthLDAPBindPassword \"{password}\"\n Require valid-user\n</Directory>\n\
         <Location /staff>\n Require ldap-group cn=staff,ou=web,{SUFFIX}\n</Location>\n",
        ca = folder.join("ca.pem").display(),
        documents = documents.display(),
        ldaps = server.ldaps,
        admin = server.admin,
        password = server.password().unwrap(),
    );
    text
}

fn start_apache(folder: &Path, server: &Server) -> (Process, u16) {
    let [web] = testing::ports::free::<1>().unwrap();
    fs::create_dir_all(folder.join("htdocs/staff")).unwrap();
    fs::write(folder.join("htdocs/index.txt"), "hello\n").unwrap();
    fs::write(folder.join("htdocs/staff/index.txt"), "hello staff\n").unwrap();
    // Its workers are not root, so everything they read is made readable.
    fs::copy(&server.ca, folder.join("ca.pem")).unwrap();
    let file = folder.join("httpd.conf");
    fs::write(&file, configuration(folder, web, server)).unwrap();
    Command::new("chmod").args(["-R", "a+rX"]).arg(folder).status().unwrap();
    let mut command = Command::new("/usr/sbin/apache2");
    command.args(["-DFOREGROUND", "-d"]).arg(folder).arg("-f").arg(file);
    let mut process = Process::start("apache2", folder, command).unwrap();
    process.wait_for_port(web).unwrap();
    (process, web)
}

/// The status of `GET path` with Basic authentication.
fn status(web: u16, path: &str, user: &str, password: &str) -> u16 {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let mut stream = TcpStream::connect(("127.0.0.1", web)).unwrap();
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn logins(subject: Subject) {
    let apache = Peer::program("apache2", "/usr/sbin/apache2");
    let test = format!("apache on {}", subject.name());
    if !present(&test, &[subject.program(), apache]) {
        return;
    }
    let server = subject.start().unwrap();
    let added = Tools::new(&server).run_ldif("ldapadd", &people()).unwrap();
    assert!(added.success(), "{added:#?}");
    let folder = tempfile::Builder::new().prefix("apache-").tempdir().unwrap();
    let (process, web) = start_apache(folder.path(), &server);
    assert_ne!(port(&server.ldaps), 0);
    for (path, user, password, expected) in [
        ("/index.txt", "alice", "the secret of alice", 200),
        ("/index.txt", "bob", "the secret of bob", 200),
        ("/index.txt", "alice", "wrong", 401),
        ("/index.txt", "alice", "", 401),
        ("/index.txt", "nobody", "x", 401),
        ("/index.txt", "*", "the secret of alice", 401),
        ("/staff/index.txt", "alice", "the secret of alice", 200),
        ("/staff/index.txt", "bob", "the secret of bob", 401),
    ] {
        let log = || fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
        let got = status(web, path, user, password);
        assert_eq!(got, expected, "{path} as {user}\n{}\n{}", process.output(), log());
    }
}

#[test]
fn logins_on_slapd() {
    logins(Subject::Slapd);
}

#[test]
fn logins_on_chancery() {
    logins(Subject::Chancery);
}
