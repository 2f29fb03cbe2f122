//! Kill -9 under concurrent writers: every answered write is there after the restart, and of an
//! unanswered one either all or nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use testing::peers::chancery::{binary, peer, serve, start_command};
use testing::peers::missing::present;
use testing::peers::{SUFFIX, Server};
use testing::process::run_checked;
use testing::wire::Connection;
use testing::wire::raw::message;
use testing::wire::request::{SUBTREE, add, add_person, delete, modify, search};

const ROUNDS: usize = 6;
const WRITERS: usize = 4;

/// Requests on the way of one writer, so that each commit holds those of several.
const WINDOW: usize = 8;

/// What one person must be like: both attributes are written together, always to the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The last number that was answered; later ones may be there as well, up to the one that was
    /// sent.
    From(i64, i64),
    /// Deletion was answered.
    Gone,
    /// Deletion was sent and not answered: it is there with this number, or gone.
    Perhaps(i64),
}

fn dn(name: &str) -> String {
    format!("uid={name},{SUFFIX}")
}

/// One step of one person's life: added with 0, numbered up to 3, and every other one deleted.
fn request(name: &str, step: i64) -> Vec<u8> {
    let number = step.to_string();
    let number: &[&[u8]] = &[number.as_bytes()];
    match step {
        0 => add_person(&dn(name), name, &[("description", number), ("title", number)]),
        4 => delete(&dn(name)),
        _ => modify(&dn(name), &[(2, "description", number), (2, "title", number)]),
    }
}

/// Writes until the server is gone. What was answered, and what was sent, goes into `known`.
fn write(
    mut connection: Connection,
    prefix: &str,
    answered: &AtomicUsize,
    known: &Mutex<BTreeMap<String, Known>>,
) {
    for block in 0.. {
        let names: Vec<String> =
            (0..WINDOW).map(|number| format!("{prefix}-{block}-{number}")).collect();
        let steps = if block % 2 == 0 { 0..=4 } else { 0..=3 };
        for step in steps {
            let mut batch = Vec::new();
            for (id, name) in (100..).zip(&names) {
                let before = Known::From(step - 1, step);
                let before = if step == 4 { Known::Perhaps(3) } else { before };
                known.lock().unwrap().insert(name.clone(), before);
                batch.extend(message(id, &request(name, step), &[]));
            }
            if connection.send(&batch).is_err() {
                return;
            }
            for _ in &names {
                let Ok(Some(said)) = connection.next_said() else { return };
                let at = usize::try_from(said.id - 100).unwrap();
                assert_eq!(said.code, Some(0), "{} {}", names[at], said.text);
                let now = if step == 4 { Known::Gone } else { Known::From(step, step) };
                known.lock().unwrap().insert(names[at].clone(), now);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Everybody's two attributes.
fn stored(server: &Server) -> BTreeMap<String, (String, String)> {
    let mut admin = server.connect_as_admin().unwrap();
    let all = search(SUFFIX, SUBTREE, "(&(uid=*)(title=*))", &["uid", "description", "title"]);
    let answer = admin.ask(&all, &[]).unwrap().expect_success("search").unwrap();
    let mut people = BTreeMap::new();
    for entry in answer.entries {
        let one = |name: &str| {
            let found = entry.attributes.iter().find(|attribute| attribute.0 == name);
            let (_, values) = found.unwrap_or_else(|| panic!("{} has no {name}", entry.dn));
            assert_eq!(values.len(), 1, "{} {name}", entry.dn);
            String::from_utf8(values[0].clone()).unwrap()
        };
        people.insert(one("uid"), (one("description"), one("title")));
    }
    people
}

fn check(stored: &BTreeMap<String, (String, String)>, known: &BTreeMap<String, Known>) {
    for (name, known) in known {
        let found = stored.get(name).map(|(description, title)| {
            assert_eq!(description, title, "{name} is half written");
            description.parse::<i64>().unwrap()
        });
        let fits = match (*known, found) {
            (Known::From(least, most), Some(number)) => (least..=most).contains(&number),
            (Known::From(least, _), None) => least < 0,
            (Known::Gone, found) => found.is_none(),
            (Known::Perhaps(last), found) => found.is_none_or(|number| number == last),
        };
        assert!(fits, "{name} should be {known:?} and is {found:?}");
    }
    for name in stored.keys() {
        assert!(known.contains_key(name), "{name} is there and nobody wrote it");
    }
}

#[test]
fn every_answered_write_survives_kill_nine() {
    if !present("kill -9", &[peer()]) {
        return;
    }
    let mut folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    let data = folder.path().join("data");
    let known = Mutex::new(BTreeMap::new());
    let mut total = 0;
    for round in 0..ROUNDS {
        let mut server = start_command(folder, &data, serve(&data)).unwrap();
        check(&stored(&server), &known.lock().unwrap());
        let answered = AtomicUsize::new(0);
        // Another moment in each round, counted in answers and not in time.
        let enough = 150 + 37 * round;
        std::thread::scope(|scope| {
            for number in 0..WRITERS {
                let connection = server.connect_as_admin().unwrap();
                let prefix = format!("r{round}w{number}");
                let (answered, known) = (&answered, &known);
                scope.spawn(move || write(connection, &prefix, answered, known));
            }
            while answered.load(Ordering::Relaxed) < enough {
                assert!(std::path::Path::new(&format!("/proc/{}", server.process.pid())).exists());
                std::thread::yield_now();
            }
            server.process.kill().unwrap();
        });
        total += answered.load(Ordering::Relaxed);
        let Server { process, folder: kept, .. } = server;
        drop(process);
        folder = kept;
    }
    let server = start_command(folder, &data, serve(&data)).unwrap();
    let people = stored(&server);
    check(&people, &known.lock().unwrap());
    eprintln!("{ROUNDS} kills, {total} answered writes, {} people left", people.len());
    assert!(total > ROUNDS * 150);
}

#[test]
fn what_only_reads_makes_a_killed_servers_folder_whole_first() {
    if !present("kill -9 and reading", &[peer()]) {
        return;
    }
    let mut folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    let data = folder.path().join("data");
    for (round, command) in ["check", "export", "backup"].into_iter().enumerate() {
        let mut server = start_command(folder, &data, serve(&data)).unwrap();
        let mut admin = server.connect_as_admin().unwrap();
        let name = format!("killed{round}");
        let add = add_person(&dn(&name), &name, &[]);
        admin.ask(&add, &[]).unwrap().expect_success("add").unwrap();
        server.process.kill().unwrap();
        let Server { process, folder: kept, .. } = server;
        drop(process);
        folder = kept;
        let copy = folder.path().join(format!("copy{round}"));
        let on = |command: &str, data: &Path| {
            let mut program = Command::new(binary());
            program.arg(command).arg("--data").arg(data);
            program
        };
        let mut reading = on(command, &data);
        if command == "backup" {
            reading.arg(&copy);
        }
        let said = run_checked(&mut reading).unwrap();
        // What each of them says, or what its copy holds.
        let text = match command {
            "check" => {
                assert!(said.contains("0 broken"), "{said}");
                run_checked(&mut on("export", &data)).unwrap()
            }
            "export" => said,
            _ => run_checked(&mut on("export", &copy)).unwrap(),
        };
        assert!(text.contains(&format!("uid: {name}\n")), "{command} lacks {name}");
    }
}

#[test]
fn a_group_and_its_members_agree_after_kill_nine() {
    if !present("kill -9 with links", &[peer()]) {
        return;
    }
    let folder = tempfile::Builder::new().prefix("chancery-").tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = start_command(folder, &data, serve(&data)).unwrap();
    let mut admin = server.connect_as_admin().unwrap();
    let group = format!("cn=team,{SUFFIX}");
    let first = format!("cn=admin,{SUFFIX}");
    let new = add(&group, &[("objectClass", &[b"groupOfNames"]), ("member", &[first.as_bytes()])]);
    admin.ask(&new, &[]).unwrap().expect_success("group").unwrap();
    let mut batch = Vec::new();
    for number in 0..200 {
        let name = format!("m{number}");
        batch.extend(message(2 * number + 100, &add_person(&dn(&name), &name, &[]), &[]));
        let join = modify(&group, &[(0, "member", &[dn(&name).as_bytes()])]);
        batch.extend(message(2 * number + 101, &join, &[]));
    }
    admin.send(&batch).unwrap();
    let mut answered = Vec::new();
    while answered.len() < 100 {
        let said = admin.next_said().unwrap().unwrap();
        assert_eq!(said.code, Some(0), "{said:?}");
        answered.push(said.id);
    }
    server.process.kill().unwrap();
    while let Ok(Some(said)) = admin.next_said() {
        answered.push(said.id);
    }
    let Server { process, folder, .. } = server;
    drop(process);
    let server = start_command(folder, &data, serve(&data)).unwrap();
    let mut admin = server.connect_as_admin().unwrap();
    let mut names = |filter: &str| {
        let answer = admin.ask(&search(SUFFIX, SUBTREE, filter, &["1.1"]), &[]).unwrap();
        let mut found: Vec<String> = answer.entries.into_iter().map(|entry| entry.dn).collect();
        found.sort();
        found
    };
    let (by_link, all) = (names(&format!("(memberOf={group})")), names("(uid=m*)"));
    for name in by_link.iter().filter(|name| **name != first) {
        assert!(all.contains(name), "{name} is a member and does not exist");
        let groups = names(&format!("(member={name})"));
        assert_eq!(groups, std::slice::from_ref(&group), "{name}");
    }
    for id in answered {
        let name = dn(&format!("m{}", (id - 100) / 2));
        assert!(all.contains(&name), "{name} was answered");
        assert!(id % 2 == 0 || by_link.contains(&name), "{name} joined and that was answered");
    }
}
