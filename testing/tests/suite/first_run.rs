//! The first start as somebody sees it who has just arrived, the second start, and every start that
//! cannot be: one line that says what to do, and the documented exit code.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use testing::peers::chancery::{binary, peer, serve, start_command};
use testing::peers::missing::{Peer, present};
use testing::peers::{SUFFIX, Server};
use testing::process::{Finished, Process, run, run_checked};
use testing::wire::Connection;
use testing::wire::request::{SUBTREE, add_person, search};

/// The documented exit codes (docs/reference/commands.md).
const USAGE: Option<i32> = Some(2);
const FAILED: Option<i32> = Some(3);

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("chancery-").tempdir().unwrap()
}

/// The commands that the greeting prints, as they stand: blocks apart by empty lines.
fn printed_commands(greeting: &str) -> Vec<String> {
    let (_, commands) = greeting.split_once("Try these").expect("the greeting has commands");
    let blocks = commands.split("\n\n").skip(1).map(str::trim).filter(|block| !block.is_empty());
    blocks.map(str::to_owned).collect()
}

#[test]
fn the_printed_commands_work_as_they_stand() {
    let tools = [
        Peer::program("ldapsearch", "/usr/bin/ldapsearch"),
        Peer::program("ldappasswd", "/usr/bin/ldappasswd"),
    ];
    if !present("printed commands", &[&[peer()], &tools[..]].concat()) {
        return;
    }
    let folder = folder();
    // Nothing is configured but the port, so that two tests do not meet on the usual one.
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
    let mut process = Process::start("chancery", folder.path(), command).unwrap();
    process.wait_for_line(|line| line.contains("ldappasswd").then_some(())).unwrap();
    let greeting = std::fs::read_to_string(folder.path().join("chancery.out")).unwrap();
    let commands = printed_commands(&greeting);
    assert_eq!(commands.len(), 3, "{greeting}");
    let mut outputs = Vec::new();
    for command in &commands {
        let mut shell = Command::new("sh");
        let done = run(shell.arg("-c").arg(command).current_dir(folder.path())).unwrap();
        assert!(done.success(), "{command}\n{done:#?}");
        outputs.push(done.stdout);
    }
    assert!(outputs[0].contains("dn: uid=anna,ou=people,"), "{}", outputs[0]);
    // The new password is the person's own now.
    let me = commands[2].replace("ldappasswd", "ldapwhoami");
    let (common, _) = me.split_once(" -D ").unwrap();
    let dn = format!("uid=you,ou=people,{SUFFIX}");
    let whoami = format!("{common} -D {dn} -w 'correct horse battery'");
    let said = run(Command::new("sh").arg("-c").arg(whoami).current_dir(folder.path())).unwrap();
    assert!(said.success() && said.stdout.contains(&dn), "{said:#?}");
    for (file, mode) in
        [("ca.pem", 0o644), ("ca.key", 0o600), ("server.key", 0o600), ("admin.password", 0o600)]
    {
        let path = folder.path().join("chancery-data").join(file);
        let found = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
    let data = folder.path().join("chancery-data").metadata().unwrap().permissions().mode();
    assert_eq!(data & 0o077, 0, "the data folder is for its owner only");
}

/// Every entry's name and entryUUID, sorted.
fn identities(server: &Server) -> Vec<(String, Vec<u8>)> {
    let mut admin = server.connect_as_admin().unwrap();
    let all = admin.ask(&search(SUFFIX, SUBTREE, "(objectClass=*)", &["entryUUID"]), &[]).unwrap();
    let mut found: Vec<_> =
        all.entries.into_iter().map(|entry| (entry.dn, entry.attributes[0].1[0].clone())).collect();
    found.sort();
    found
}

#[test]
fn a_second_start_finds_everything_as_it_was() {
    if !present("second start", &[peer()]) {
        return;
    }
    let folder = folder();
    let data = folder.path().join("data");
    let files = || {
        ["ca.pem", "ca.key", "server.pem", "server.key", "admin.password"]
            .map(|name| std::fs::read(data.join(name)).unwrap())
    };
    let mut first = start_command(folder, &data, serve(&data)).unwrap();
    let (before, made) = (identities(&first), files());
    assert!(before.len() > 8, "an example tree was made: {before:?}");
    assert!(first.process.terminate().unwrap().success(), "a clean end is exit code 0");
    let Server { process, folder, .. } = first;
    drop(process);
    let second = start_command(folder, &data, serve(&data)).unwrap();
    assert_eq!(identities(&second), before);
    assert_eq!(files(), made);
}

#[test]
fn a_start_that_failed_is_made_good_by_the_next() {
    if !present("failed first start", &[peer()]) {
        return;
    }
    let folder = folder();
    // What a creation that was cut short leaves, beside what an operator may have prepared.
    let begun = folder.path().join("data");
    std::fs::create_dir_all(begun.join("schema")).unwrap();
    for name in ["lock", "format.new", "data.mdb"] {
        std::fs::write(begun.join(name), "half").unwrap();
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", &address, "--data"]).arg(&data);
    one_line("port in use", &run(&mut command).unwrap(), FAILED, &[&address, "--listen"]);
    let server = start_command(folder, &data, serve(&data)).unwrap();
    // It is still the first time that somebody sees it run.
    let mut process = server.process;
    process.wait_for_line(|line| line.contains("ldappasswd").then_some(())).unwrap();
}

/// One line on standard error with all of `parts`, nothing on standard output, and the exit code.
fn one_line(name: &str, finished: &Finished, code: Option<i32>, parts: &[&str]) {
    assert_eq!(finished.code, code, "{name}: {finished:#?}");
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{name}: {finished:#?}");
    assert!(lines[0].starts_with("chancery: "), "{name}: {finished:#?}");
    for part in parts {
        assert!(lines[0].contains(part), "{name}: {part} is missing in {finished:#?}");
    }
    assert_eq!(finished.stdout, "", "{name}");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    if !present("second server", &[peer()]) {
        return;
    }
    let folder = folder();
    let data = folder.path().join("data");
    let server = start_command(folder, &data, serve(&data)).unwrap();
    let second = run(&mut serve(&data)).unwrap();
    one_line("second server", &second, FAILED, &["in use by another process", "stop it"]);
    identities(&server);
}

#[test]
fn a_folder_of_a_newer_version_is_refused() {
    if !present("newer version", &[peer()]) {
        return;
    }
    let folder = folder();
    let data = folder.path().join("data");
    let first = start_command(folder, &data, serve(&data)).unwrap();
    let Server { process, folder, .. } = first;
    drop(process);
    let format = data.join("format");
    let text = std::fs::read_to_string(&format).unwrap();
    let (words, number) = text.trim_end().rsplit_once(' ').unwrap();
    let newer: u32 = number.parse::<u32>().unwrap() + 1;
    std::fs::write(&format, format!("{words} {newer}\n")).unwrap();
    let refused = run(&mut serve(&data)).unwrap();
    one_line("newer version", &refused, FAILED, &[&newer.to_string(), "newer program"]);
    std::fs::write(&format, "something else\n").unwrap();
    one_line("no format", &run(&mut serve(&data)).unwrap(), FAILED, &["data"]);
    drop(folder);
}

fn is_root() -> bool {
    run_checked(Command::new("id").arg("-u")).unwrap().trim() == "0"
}

#[test]
fn a_folder_without_permission_is_refused() {
    let setpriv = Peer::program("setpriv", "/usr/bin/setpriv");
    if !present("folder without permission", &[peer(), setpriv]) {
        return;
    }
    // Where somebody else can get to, with a binary that they can run.
    let folder = folder();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("chancery");
    std::fs::copy(binary(), &program).unwrap();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command
    } else {
        Command::new(&program)
    };
    for data in [closed.join("data"), closed.clone()] {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        let refused = run(&mut command).unwrap();
        let path = closed.display().to_string();
        one_line("no permission", &refused, FAILED, &["permission", &path, "run as"]);
        let program = command.get_program().to_owned();
        let kept: Vec<_> = command.get_args().take(4).map(ToOwned::to_owned).collect();
        command = Command::new(program);
        command.args(kept.iter().filter(|_| is_root()));
    }
}

#[test]
fn a_disk_without_room_is_said() {
    let unshare = Peer::program("unshare", "/usr/bin/unshare");
    if !present("disk without room", &[peer(), unshare]) {
        return;
    }
    let folder = folder();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    for kib in [4, 24, 64, 112, 132, 140, 160, 200] {
        let script = format!(
            "mount -t tmpfs -o size={kib}k none {small} || exit 99\n\
             exec {binary} serve --listen 127.0.0.1:0 --data {small}/data",
            small = small.display(),
            binary = binary().display(),
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", &script]);
        let finished = run(&mut command).unwrap();
        if finished.code == Some(99) || finished.stderr.contains("unshare") {
            eprintln!("SKIPPED: test disk without room may not mount: {}", finished.stderr);
            return;
        }
        one_line(&format!("{kib} KiB"), &finished, FAILED, &["no room", "free some"]);
    }
}

#[test]
fn a_disk_that_fills_up_refuses_writes_until_there_is_room() {
    let unshare = Peer::program("unshare", "/usr/bin/unshare");
    if !present("disk that fills up", &[peer(), unshare]) {
        return;
    }
    if !is_root() {
        eprintln!("SKIPPED: test disk that fills up must be root to mount");
        return;
    }
    let folder = folder();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=2m none {small} || exit 99\n\
         exec {binary} serve --listen 127.0.0.1:0 --data {small}/data",
        small = small.display(),
        binary = binary().display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]);
    let mut process = Process::start("chancery", folder.path(), command).unwrap();
    let listening = |line: &str| line.strip_prefix("listening on ldaps://127.0.0.1:")?.parse().ok();
    let port: u16 = match process.wait_for_line(listening) {
        Ok(port) => port,
        Err(error) if error.to_string().contains("exit status: 99") => {
            eprintln!("SKIPPED: test disk that fills up may not mount: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    // The mount is the server's own; this is the way in.
    let small = format!("/proc/{}/root{}", process.pid(), small.display());
    let data = Path::new(&small).join("data");
    let mut admin = Connection::open(port, &data.join("ca.pem")).unwrap();
    let password = std::fs::read_to_string(data.join("admin.password")).unwrap();
    let bound = admin.bind(&format!("cn=admin,{SUFFIX}"), &password).unwrap();
    assert_eq!(bound.code, 0, "{}", bound.diagnostic);
    let text = vec![b'x'; 9000];
    let mut add = |number: usize| {
        let (dn, uid) = (format!("uid=f{number},{SUFFIX}"), format!("f{number}"));
        let more: &[(&str, &[&[u8]])] = &[("description", &[&text])];
        let refused = admin.ask(&add_person(&dn, &uid, more), &[]).unwrap();
        let found = admin.ask(&search(SUFFIX, SUBTREE, "(uid=f*)", &["1.1"]), &[]).unwrap();
        assert_eq!(found.code, 0, "reading goes on: {}", found.diagnostic);
        (refused.code, refused.diagnostic, found.entries.len())
    };
    let (mut added, mut refused) = (0, 0);
    while refused < 20 {
        let (code, diagnostic, found) = add(added + 1000 * refused);
        match code {
            0 => added += 1,
            _ => refused += 1,
        }
        assert!(
            code == 0 || (code == 52 && diagnostic.contains("free some")),
            "{code} {diagnostic}"
        );
        assert_eq!(found, added, "what was refused is not there");
        assert!(added < 300, "2 MiB never filled up");
    }
    let pid = process.pid().to_string();
    let target = folder.path().join("small").display().to_string();
    run_checked(Command::new("nsenter").args([
        "--mount",
        "--target",
        &pid,
        "mount",
        "-o",
        "remount,size=8m",
        &target,
    ]))
    .unwrap();
    let (code, diagnostic, found) = add(99_999);
    assert_eq!((code, found), (0, added + 1), "there is room again: {diagnostic}");
    eprintln!("{added} entries fitted, 20 were refused, then one more fitted");
}

#[test]
fn wrong_configurations_list_their_faults() {
    if !present("wrong configuration", &[peer()]) {
        return;
    }
    let folder = folder();
    let file = folder.path().join("chancery.toml");
    let start = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = serve(&folder.path().join("data"));
        run(command.arg("--config").arg(&file)).unwrap()
    };
    let unknown = start("[limits]\nconections = 5\n");
    one_line("unknown key", &unknown, USAGE, &[":2:", "conections", "connections"]);
    let not_toml = start("[limits\n");
    one_line("not TOML", &not_toml, USAGE, &[":1:"]);
    assert!(!folder.path().join("data").exists(), "nothing is made under a wrong configuration");
    let rule = start("[[access]]\nwho = 'anybody'\nmay = 'read'\n");
    one_line("a wrong rule", &rule, USAGE, &[":1:", "anybody", "anyone"]);
    let several = start("anonymous = 'perhaps'\n[limits]\nconections = 5\nfilter-depth = 1000\n");
    assert_eq!(several.code, USAGE, "{several:#?}");
    let lines: Vec<&str> = several.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "one line for each fault: {several:#?}");
    for (line, part) in lines.iter().zip(["anonymous", "conections", "filter-depth"]) {
        assert!(line.contains(part), "{line}");
    }
    let mut command = serve(&folder.path().join("data"));
    let missing = run(command.arg("--config").arg(folder.path().join("nowhere.toml"))).unwrap();
    one_line("no such file", &missing, USAGE, &["nowhere.toml", "--config"]);
    let usage = run(Command::new(binary()).args(["serve", "--listne", "x"])).unwrap();
    assert_eq!(usage.code, USAGE);
}
