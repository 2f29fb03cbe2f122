//! Four clients, each with a full scenario, against each subject.
//!
//! The scenarios in other languages are in `testing/clients`; the one with ldap-utils is here.

use std::path::{Path, PathBuf};
use std::process::Command;

use testing::peers::chancery::{binary, target_folder};
use testing::peers::missing::{Peer, present};
use testing::peers::tools::{Over, SignIn, Tools};
use testing::peers::{SUFFIX, Server, Subject};
use testing::process::{Finished, run, run_checked};

const MANY: usize = 10_000;
const MANY_BASE: &str = "ou=many,dc=example,dc=com";

/// A subject with 10 000 people below [`MANY_BASE`].
fn crowded(subject: Subject) -> Server {
    let server = subject.start().unwrap();
    let file = server.folder.path().join("many.ldif");
    std::fs::write(&file, many_people()).unwrap();
    match subject {
        Subject::Slapd => {
            let path = file.display().to_string();
            let added = Tools::new(&server).run("ldapadd", &["-f", &path]).unwrap();
            assert!(added.success(), "{}", added.stderr);
        }
        Subject::Chancery => {
            let data = server.folder.path().join("data");
            let mut import = Command::new(binary());
            run_checked(import.arg("import").arg(&file).arg("--data").arg(data)).unwrap();
        }
    }
    server
}

fn many_people() -> String {
    let unit = format!("dn: {MANY_BASE}\nobjectClass: organizationalUnit\nou: many\n\n");
    (0..MANY).fold(unit, |ldif, number| {
        ldif + &format!(
            "dn: uid=p{number},{MANY_BASE}\nobjectClass: inetOrgPerson\nuid: p{number}\n\
             cn: Person {number}\nsn: {number}\n\n"
        )
    })
}

/// The scripts' arguments (`testing/clients/scenario.py`).
fn arguments(command: &mut Command, server: &Server) {
    command.args(["--uri", &server.ldaps, "--starttls-uri", &server.ldap]);
    command.arg("--ca").arg(&server.ca).args(["--bind-dn", &server.admin]);
    command.arg("--password-file").arg(&server.password_file);
    command.args(["--base", SUFFIX, "--many", MANY_BASE]);
    if server.subject == Subject::Chancery {
        // slapd lets a secret pass in the clear unless told otherwise; we never do.
        command.arg("--confidential");
    }
    if let Some(client) = &server.client {
        command.arg("--cert").arg(&client.certificate).arg("--key").arg(&client.key);
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

fn python() -> Peer {
    Peer::program(
        "python with ldap3 and python-ldap",
        target_folder().join("peers/venv/bin/python"),
    )
}

fn ldapts() -> Peer {
    let module = target_folder().join("peers/npm/node_modules/ldapts");
    Peer::program("the npm package ldapts", module)
}

fn ldap_utils() -> Peer {
    Peer::program("ldap-utils", "/usr/bin/ldapsearch")
}

fn run_script(subject: Subject, name: &str) {
    let node = name.ends_with(".mjs");
    let client = if node { ldapts() } else { python() };
    if !present(&format!("clients: {name} on {}", subject.name()), &[subject.program(), client]) {
        return;
    }
    let server = crowded(subject);
    let mut command = match node {
        true => Command::new("node"),
        false => Command::new(python().file),
    };
    command.env("PEERS_NPM", target_folder().join("peers/npm"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script(name));
    arguments(&mut command, &server);
    let finished = run(&mut command).unwrap();
    print!("{}", finished.stdout);
    assert!(finished.success(), "{}{}", finished.stdout, finished.stderr);
}

#[test]
fn python_ldap3_on_slapd() {
    run_script(Subject::Slapd, "python_ldap3.py");
}

#[test]
fn python_ldap3_on_chancery() {
    run_script(Subject::Chancery, "python_ldap3.py");
}

#[test]
fn python_ldap_on_slapd() {
    run_script(Subject::Slapd, "python_ldap.py");
}

#[test]
fn python_ldap_on_chancery() {
    run_script(Subject::Chancery, "python_ldap.py");
}

#[test]
fn ldapts_on_slapd() {
    run_script(Subject::Slapd, "node_ldapts.mjs");
}

#[test]
fn ldapts_on_chancery() {
    run_script(Subject::Chancery, "node_ldapts.mjs");
}

#[test]
fn ldap_utils_on_slapd() {
    ldap_utils_scenario(Subject::Slapd);
}

#[test]
fn ldap_utils_on_chancery() {
    ldap_utils_scenario(Subject::Chancery);
}

fn ldap_utils_scenario(subject: Subject) {
    let test = format!("clients: ldap-utils on {}", subject.name());
    if !present(&test, &[subject.program(), ldap_utils()]) {
        return;
    }
    let server = crowded(subject);
    let tools = Tools::new(&server);
    binds(&tools, &server);
    adds(&tools);
    filters(&tools);
    pages(&tools);
    modifies_and_compares(&tools);
    renames(&tools);
    passwords(&tools);
    external(&tools, &server);
    deletes(&tools);
}

const BASE: &str = "ou=ldap-utils,dc=example,dc=com";

/// ldap-utils end with the LDAP result code.
fn expect(code: i32, finished: &Finished, what: &str) {
    assert_eq!(finished.code, Some(code), "{what}: {finished:#?}");
}

fn binds(tools: &Tools<'_>, server: &Server) {
    let me = format!("dn:{}", server.admin);
    for over in [Over::Ldaps, Over::StartTls] {
        let who = tools.over(over).run("ldapwhoami", &[]).unwrap();
        expect(0, &who, "whoami");
        assert_eq!(who.stdout.trim().to_lowercase(), me.to_lowercase(), "{over:?}");
        let wrong = SignIn::Simple(server.admin.clone(), "wrong".to_owned());
        expect(49, &tools.over(over).signed_in(wrong).run("ldapwhoami", &[]).unwrap(), "wrong");
    }
    let clear = tools.over(Over::Plain).run("ldapwhoami", &[]).unwrap();
    expect(if server.subject == Subject::Chancery { 13 } else { 0 }, &clear, "bind in the clear");
    let anonymous = tools.signed_in(SignIn::Anonymous);
    let root = ["-LLL", "-s", "base", "-b", "", "supportedLDAPVersion"];
    let root = anonymous.run("ldapsearch", &root).unwrap();
    assert!(root.stdout.contains("supportedLDAPVersion: 3"), "{root:#?}");
}

fn adds(tools: &Tools<'_>) {
    let mut ldif = String::new();
    for dn in [BASE.to_owned(), format!("ou=old,{BASE}"), format!("ou=new,{BASE}")] {
        ldif += &format!("dn: {dn}\nobjectClass: organizationalUnit\n\n");
    }
    for (number, name) in ["Anna Alpha", "Bert Beta", "Carla Gamma"].iter().enumerate() {
        let (first, last) = name.split_once(' ').unwrap();
        let (uid, number) = (first.to_lowercase(), number + 1);
        ldif += &format!(
            "dn: uid={uid},ou=old,{BASE}\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\n\
             cn: {name}\nsn: {last}\nmail: {uid}@example.com\nuidNumber: {number}\n\
             gidNumber: 7\nhomeDirectory: /home/{uid}\n\n"
        );
    }
    expect(0, &tools.run_ldif("ldapadd", &ldif).unwrap(), "add");
    expect(68, &tools.run_ldif("ldapadd", &ldif).unwrap(), "add again");
}

fn filters(tools: &Tools<'_>) {
    for (filter, expected) in [
        ("(uid=anna)", "anna"),
        ("(cn=ANNA  ALPHA)", "anna"),
        ("(cn=an*)", "anna"),
        ("(cn=*r*t*)", "bert"),
        ("(cn=*amma)", "carla"),
        ("(uidNumber>=2)", "bert carla"),
        ("(uidNumber<=1)", "anna"),
        ("(mail=*)", "anna bert carla"),
        ("(sn~=beta)", "bert"),
        ("(cn:caseExactMatch:=Anna Alpha)", "anna"),
        ("(cn:caseExactMatch:=anna alpha)", ""),
        ("(cn:2.5.13.2:=anna alpha)", "anna"),
        ("(&(ou:dn:=old)(objectClass=person))", "anna bert carla"),
        ("(:dn:2.5.13.2:=anna)", "anna"),
        ("(uidNumber:1.2.840.113556.1.4.803:=2)", "bert carla"),
        ("(&(objectClass=person)(!(uid=bert)))", "anna carla"),
        ("(|(uid=anna)(uid=carla))", "anna carla"),
        ("(&(objectClass=person)(&))", "anna bert carla"),
        ("(&(objectClass=person)(|))", ""),
    ] {
        assert_eq!(uids(tools, BASE, filter), expected, "{filter}");
    }
}

/// The uid values found, sorted, with blanks between.
fn uids(tools: &Tools<'_>, base: &str, filter: &str) -> String {
    let found = tools.run("ldapsearch", &["-LLL", "-b", base, filter, "uid"]).unwrap();
    expect(0, &found, filter);
    let mut uids: Vec<&str> =
        found.stdout.lines().filter_map(|line| line.strip_prefix("uid: ")).collect();
    uids.sort_unstable();
    uids.join(" ")
}

fn pages(tools: &Tools<'_>) {
    let paged = ["-LLL", "-E", "pr=500/noprompt", "-b", MANY_BASE, "(objectClass=person)", "1.1"];
    let found = tools.run("ldapsearch", &paged).unwrap();
    expect(0, &found, "paged search");
    let mut names: Vec<&str> =
        found.stdout.lines().filter(|line| line.starts_with("dn: ")).collect();
    assert_eq!(names.len(), MANY);
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), MANY, "an entry came twice");
}

fn modifies_and_compares(tools: &Tools<'_>) {
    let anna = format!("uid=anna,ou=old,{BASE}");
    let changes = format!(
        "dn: {anna}\nchangetype: modify\nadd: description\ndescription: one\ndescription: two\n-\n\
         delete: description\ndescription: one\n-\nreplace: title\ntitle: Dr.\n-\n\
         increment: uidNumber\nuidNumber: 10\n-\n"
    );
    expect(0, &tools.run_ldif("ldapmodify", &changes).unwrap(), "modify");
    let read = ["-LLL", "-b", &anna, "-s", "base", "description", "title", "uidNumber"];
    let read = tools.run("ldapsearch", &read).unwrap();
    let mut lines: Vec<&str> = read.stdout.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    assert_eq!(lines[..1], ["description: two"]);
    assert_eq!(lines[2..], ["title: Dr.", "uidNumber: 11"]);
    expect(6, &tools.run("ldapcompare", &[&anna, "title:dr."]).unwrap(), "compare true");
    expect(5, &tools.run("ldapcompare", &[&anna, "title:Prof."]).unwrap(), "compare false");
    let asserted = tools.run("ldapcompare", &["-e", "!assert=(uid=bert)", &anna, "title:x"]);
    expect(122, &asserted.unwrap(), "compare with a false assertion");
}

fn renames(tools: &Tools<'_>) {
    let leaf = format!("uid=bert,ou=old,{BASE}");
    expect(0, &tools.run("ldapmodrdn", &["-r", &leaf, "uid=bertram"]).unwrap(), "leaf");
    let (old, new) = (format!("ou=old,{BASE}"), format!("ou=new,{BASE}"));
    let moved = tools.run("ldapmodrdn", &["-r", "-s", &new, &old, "ou=moved"]).unwrap();
    expect(0, &moved, "subtree");
    let below = format!("ou=moved,{new}");
    assert_eq!(uids(tools, &below, "(objectClass=person)"), "anna bertram carla");
    let gone = tools.run("ldapsearch", &["-LLL", "-b", &old, "-s", "base"]).unwrap();
    expect(32, &gone, "under the old name");
    let inside = tools.run("ldapmodrdn", &["-r", "-s", &below, &new, "ou=new"]).unwrap();
    assert_ne!(inside.code, Some(0), "below itself: {inside:#?}");
}

fn passwords(tools: &Tools<'_>) {
    let anna = format!("uid=anna,ou=moved,ou=new,{BASE}");
    let set = tools.run("ldappasswd", &["-s", "brand new", &anna]).unwrap();
    expect(0, &set, "password modify");
    let own = tools.signed_in(SignIn::Simple(anna.clone(), "brand new".to_owned()));
    let who = own.run("ldapwhoami", &[]).unwrap();
    assert_eq!(who.stdout.trim().to_lowercase(), format!("dn:{anna}").to_lowercase());
    let changed = own.run("ldappasswd", &["-a", "brand new", "-s", "newer"]).unwrap();
    expect(0, &changed, "one's own password");
    expect(49, &own.run("ldapwhoami", &[]).unwrap(), "the old one");
}

fn external(tools: &Tools<'_>, server: &Server) {
    let external = tools.signed_in(SignIn::External);
    let me = format!("dn:{}", server.admin).to_lowercase();
    if server.client.is_some() {
        let who = external.run("ldapwhoami", &[]).unwrap();
        assert_eq!(who.stdout.trim().to_lowercase(), me, "by certificate: {who:#?}");
    }
    let local = external.over(Over::LocalSocket);
    let who = local.run("ldapwhoami", &[]).unwrap();
    expect(0, &who, "EXTERNAL over the local socket");
    // slapd is configured to take the account it runs under for the administrator; with us that
    // account is the operator, who is no entry.
    let local_name = if server.subject == Subject::Chancery { "u:operator" } else { &me };
    assert_eq!(who.stdout.trim().to_lowercase(), local_name, "by peer credentials");
    assert_eq!(uids(&local, MANY_BASE, "(uid=p7)"), "p7", "read over the local socket");
}

fn deletes(tools: &Tools<'_>) {
    let moved = format!("ou=moved,ou=new,{BASE}");
    let anna = format!("uid=anna,{moved}");
    expect(0, &tools.run("ldapdelete", &[&anna]).unwrap(), "delete");
    expect(32, &tools.run("ldapdelete", &[&anna]).unwrap(), "delete again");
    expect(66, &tools.run("ldapdelete", &[&moved]).unwrap(), "delete with children");
    expect(0, &tools.run("ldapdelete", &["-r", BASE]).unwrap(), "delete recursively");
    expect(32, &tools.run("ldapsearch", &["-b", BASE, "-s", "base"]).unwrap(), "gone");
}
