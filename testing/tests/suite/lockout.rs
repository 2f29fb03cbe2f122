//! Accounts that lock, and sources that are not listened to, as clients and an administrator see
//! it.

use std::path::Path;
use std::process::Command;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use testing::peers::chancery::{
    binary, peer, serve, start_command, start_configured, target_folder,
};
use testing::peers::missing::{Peer, present};
use testing::peers::tools::{SignIn, Tools};
use testing::peers::{SUFFIX, Server};
use testing::process::{Finished, run, run_checked};
use testing::wire::Connection;
use testing::wire::request::{add_person, modify, password_modify};

const EVA: &str = "uid=eva,dc=example,dc=com";
const BOB: &str = "uid=bob,dc=example,dc=com";
const RIGHT: &str = "correct horse";
const WRONG: i64 = 49;

/// Accounts only: the tests all come from one address.
const ACCOUNTS: &str = "[lockout]\nsource-failures = 0\n";

fn ldap_utils() -> Peer {
    Peer::program("ldap-utils", "/usr/bin/ldapsearch")
}

fn python() -> Peer {
    Peer::program(
        "python with ldap3 and python-ldap",
        target_folder().join("peers/venv/bin/python"),
    )
}

/// A server with eva and bob, whose password is the same.
fn start(test: &str, config: &str, peers: &[Peer]) -> Option<Server> {
    if !present(test, &[&[peer()], peers].concat()) {
        return None;
    }
    let server = start_configured(config).unwrap();
    let mut admin = server.connect_as_admin().unwrap();
    for (dn, uid) in [(EVA, "eva"), (BOB, "bob")] {
        let person = add_person(dn, uid, &[("userPassword", &[RIGHT.as_bytes()])]);
        admin.ask(&person, &[]).unwrap().expect_success("add").unwrap();
    }
    Some(server)
}

/// Ended and started again, on the same folder and with the same configuration.
fn again(mut server: Server, ends: impl FnOnce(&mut Server)) -> Server {
    ends(&mut server);
    let Server { process, folder, .. } = server;
    drop(process);
    let data = folder.path().join("data");
    let mut command = serve(&data);
    command.arg("--config").arg(folder.path().join("chancery.toml"));
    start_command(folder, &data, command).unwrap()
}

fn bind(server: &Server, dn: &str, password: &str) -> (i64, String) {
    let answer = server.connect().unwrap().bind(dn, password).unwrap();
    (answer.code, answer.diagnostic)
}

fn fail(server: &Server, count: usize) -> Vec<(i64, String)> {
    (0..count).map(|number| bind(server, EVA, &format!("guess {number}"))).collect()
}

fn signs_in(server: &Server, dn: &str) -> bool {
    bind(server, dn, RIGHT).0 == 0
}

/// Waits until what was counted is on the disk: a "no" does not wait for it, the next write does.
fn written(server: &Server) {
    let mut admin = server.connect_as_admin().unwrap();
    let write = modify(BOB, &[(2, "description", &[b"x"])]);
    admin.ask(&write, &[]).unwrap().expect_success("write").unwrap();
}

fn account(server: &Server, verb: &str, more: &[&str]) -> Finished {
    let data = server.folder.path().join("data");
    let mut command = Command::new(binary());
    command.args(["account", verb, EVA]).args(more).arg("--data").arg(data);
    run(&mut command).unwrap()
}

#[test]
fn five_wrong_passwords_lock_an_account_and_the_client_is_told_nothing() {
    let Some(server) = start("lockout", ACCOUNTS, &[ldap_utils()]) else { return };
    let as_eva = |password: &str| {
        let eva = SignIn::Simple(EVA.to_owned(), password.to_owned());
        Tools::new(&server).signed_in(eva).run("ldapwhoami", &[]).unwrap()
    };
    assert!(as_eva(RIGHT).success());
    let told: Vec<_> = (0..5).map(|_| as_eva("wrong")).collect();
    let locked = as_eva(RIGHT);
    assert_eq!(locked.code, Some(WRONG as i32), "{}", locked.stderr);
    assert!(told.iter().all(|one| one.stderr == locked.stderr), "{told:?} {locked:?}");
    assert!(signs_in(&server, BOB), "somebody else");

    let shown = Tools::new(&server)
        .run("ldapsearch", &["-LLL", "-b", EVA, "pwdAccountLockedTime", "pwdFailureTime"])
        .unwrap();
    assert_eq!(shown.stdout.matches("pwdFailureTime: ").count(), 5, "{}", shown.stdout);
    assert_eq!(shown.stdout.matches("pwdAccountLockedTime: ").count(), 1, "{}", shown.stdout);
    let found = Tools::new(&server)
        .run("ldapsearch", &["-LLL", "-b", SUFFIX, "(pwdAccountLockedTime=*)", "1.1"])
        .unwrap();
    assert_eq!(found.stdout.trim(), format!("dn: {EVA}"));

    let output = server.process.output();
    let counts = ["the name or the password is wrong", "is locked now", "the account is locked\""];
    assert_eq!(counts.map(|words| output.matches(words).count()), [4, 1, 1], "{output}");
    assert!(output.contains("too many wrong passwords: the account is locked"), "{output}");
}

#[test]
fn a_lock_outlives_the_server_and_ends_in_three_ways() {
    let Some(server) = start("unlocking", ACCOUNTS, &[ldap_utils()]) else { return };
    fail(&server, 3);
    written(&server);
    let server = again(server, |server| server.process.kill().unwrap());
    let status = account(&server, "status", &[]).stdout;
    assert!(status.contains("is not locked; 3 failures count"), "{status}");
    fail(&server, 2);
    written(&server);
    let server = again(server, |server| server.process.kill().unwrap());
    assert!(!signs_in(&server, EVA) && signs_in(&server, BOB));
    let status = account(&server, "status", &[]);
    assert_eq!(status.code, Some(1), "{}", status.stdout);
    assert!(status.stdout.contains("is locked since ") && status.stdout.contains(" until "));
    let json = account(&server, "status", &["--json"]).stdout;
    assert!(json.contains("\"locked\":true"), "{json}");

    assert!(account(&server, "unlock", &[]).success());
    assert!(signs_in(&server, EVA), "unlocked by a command");
    fail(&server, 5);
    assert!(!signs_in(&server, EVA));
    let ldif = format!("dn: {EVA}\nchangetype: modify\ndelete: pwdAccountLockedTime\n");
    let modified = Tools::new(&server).run_ldif("ldapmodify", &ldif).unwrap();
    assert!(modified.success(), "{}", modified.stderr);
    assert!(signs_in(&server, EVA), "unlocked by an administrator's modify");
    fail(&server, 5);
    assert!(!signs_in(&server, EVA));
    let reset = Tools::new(&server).run("ldappasswd", &["-s", "another", EVA]).unwrap();
    assert!(reset.success(), "{}", reset.stderr);
    assert_eq!(bind(&server, EVA, "another").0, 0, "unlocked by a new password");
    let shown = Tools::new(&server).run("ldapsearch", &["-LLL", "-b", EVA, "+"]).unwrap();
    assert!(!shown.stdout.contains("pwd"), "{}", shown.stdout);
    let nobody = run(Command::new(binary())
        .args(["account", "status", "uid=x,dc=example,dc=com", "--data"])
        .arg(server.folder.path().join("data")))
    .unwrap();
    assert_eq!(nobody.code, Some(3));
    assert!(nobody.stderr.contains("there is no entry"), "{}", nobody.stderr);
}

#[test]
fn guesses_at_the_same_time_get_no_more_tries() {
    let Some(server) = start("parallel guesses", ACCOUNTS, &[]) else { return };
    const GUESSES: usize = 30;
    let barrier = Barrier::new(GUESSES);
    let connections: Vec<Connection> = (0..GUESSES).map(|_| server.connect().unwrap()).collect();
    std::thread::scope(|scope| {
        for (number, mut connection) in connections.into_iter().enumerate() {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                let answer = connection.bind(EVA, &format!("guess {number}")).unwrap();
                assert_eq!(answer.code, WRONG);
            });
        }
    });
    let output = server.process.output();
    let counts = ["the name or the password is wrong", "is locked now", "the account is locked\""];
    let found = counts.map(|words| output.matches(words).count());
    assert_eq!(found, [4, 1, GUESSES - 5], "each was judged when its turn came: {output}");
    assert!(!signs_in(&server, EVA));
}

#[test]
fn asking_for_a_new_password_is_no_way_around_it() {
    let Some(server) = start("password modify", ACCOUNTS, &[]) else { return };
    let mut eva = server.connect().unwrap();
    eva.bind(EVA, RIGHT).unwrap().expect_success("bind").unwrap();
    for _ in 0..5 {
        assert_eq!(eva.ask(&password_modify(b"wrong", b"new"), &[]).unwrap().code, WRONG);
    }
    assert!(!signs_in(&server, EVA));
    let right = password_modify(RIGHT.as_bytes(), b"new");
    assert_eq!(eva.ask(&right, &[]).unwrap().code, WRONG, "the old one is right, but locked");
}

fn from(server: &Server, attempts: &[(&str, &str)]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/lockout.py");
    let mut command = Command::new(python().file);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script);
    command.args(["--uri", &server.ldaps, "--dn", EVA, "--ca"]).arg(&server.ca);
    command.args(attempts.iter().map(|(address, password)| format!("{address}={password}")));
    run_checked(&mut command).unwrap().trim().to_owned()
}

#[test]
fn one_source_can_neither_go_on_guessing_nor_lock_anybody_out() {
    let config = "[lockout]\nsource-failures = 4\nsource-forgiven-each = '1 h'\n";
    let Some(server) = start("sources", config, &[python()]) else { return };
    let started = Instant::now();
    let codes = fail(&server, 4);
    // The first is free; then a quarter of a second, a half, a whole one.
    assert!(started.elapsed() >= Duration::from_millis(250 + 500 + 1000), "answers come later");
    let unheard = bind(&server, EVA, RIGHT);
    assert!(codes.iter().all(|one| *one == unheard), "{codes:?} {unheard:?}");
    assert_eq!(unheard.0, WRONG);
    let (there, elsewhere) = ("127.0.0.1", "127.0.1.1");
    let attempts = [(elsewhere, RIGHT), (there, RIGHT), (elsewhere, RIGHT), (there, "x")];
    assert_eq!(from(&server, &attempts), "0 49 0 49");
    assert!(account(&server, "status", &[]).stdout.contains("is not locked; no failures"));
    let reload = |more: &str| {
        let file = server.folder.path().join("chancery.toml");
        std::fs::write(file, format!("{config}{more}")).unwrap();
        let mut command = Command::new(binary());
        command.args(["reload", "--config"]).arg(server.folder.path().join("chancery.toml"));
        run_checked(command.arg("--data").arg(server.folder.path().join("data"))).unwrap();
    };
    reload("gateways = ['127.0.0.1']\n");
    assert_eq!(from(&server, &attempts), "0 0 0 49", "a gateway is listened to at once");
    reload("");
    let server = again(server, |server| assert!(server.process.terminate().unwrap().success()));
    assert_eq!(from(&server, &attempts), "0 49 0 49", "known after a restart");
    let output = server.process.output();
    assert!(output.contains("this one was not looked at"), "{output}");
}

#[test]
fn an_answer_that_is_held_back_holds_up_nobody_else() {
    let config = "[lockout]\nfailures = 0\nsource-failures = 8\nsource-forgiven-each = '1 h'\n";
    let Some(server) = start("held answers", config, &[]) else { return };
    let mut bystander = server.connect_as_admin().unwrap();
    let mut others: Vec<Connection> = (0..40).map(|_| server.connect().unwrap()).collect();
    fail(&server, 4);
    std::thread::scope(|scope| {
        let codes: Vec<_> = others
            .iter_mut()
            .map(|one| scope.spawn(|| one.bind(EVA, "wrong").unwrap().code))
            .collect();
        let whoami = testing::wire::request::who_am_i();
        bystander.ask(&whoami, &[]).unwrap().expect_success("meanwhile").unwrap();
        let codes: Vec<i64> = codes.into_iter().map(|code| code.join().unwrap()).collect();
        // Busy: no more than 32 answers of one source are held back.
        assert!(codes.iter().all(|code| [WRONG, 51].contains(code)), "{codes:?}");
    });
    let output = server.process.output();
    let judged = output.matches("the name or the password is wrong").count();
    assert_eq!(judged, 8, "of all that came at the same time: {output}");
}
