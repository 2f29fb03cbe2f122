//! The same data and the same requests to slapd and to Chancery; every difference is a known one.
//!
//! `CHANCERY_BLESS=1` writes slapd's outcomes behind the requests that are expected to be the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use testing::differential::script::{self, Expected, Outcome, Step};
use testing::differential::{ask, judge};
use testing::peers::missing::present;
use testing::peers::tools::Tools;
use testing::peers::{SUFFIX, Server, Subject};
use testing::wire::{Answer, Connection};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential")
}

/// A subject with the common data loaded, and a connection signed in as its administrator.
fn loaded(subject: Subject) -> (Server, Connection) {
    let server = subject.start().unwrap();
    let file = folder().join("data.ldif").display().to_string();
    // -M: the referral in the data is an entry to be added, not one to be followed.
    let added = Tools::new(&server).run("ldapadd", &["-M", "-f", &file]).unwrap();
    assert!(added.success(), "{subject:?} does not take data.ldif: {added:#?}");
    let connection = server.connect_as_admin().unwrap();
    (server, connection)
}

fn steps(server: &Server) -> Vec<Step> {
    let text = std::fs::read_to_string(folder().join("requests.txt")).unwrap();
    let base = format!("ou=diff,{SUFFIX}");
    let password = server.password().unwrap();
    let variables = [("B", &*base), ("S", SUFFIX), ("ADMIN", &*server.admin), ("PW", &*password)];
    script::parse(&text, &variables).unwrap()
}

/// Asks everything; a connection that breaks ends the test with the step that broke it.
fn run(server: &Server, connection: &mut Connection) -> Vec<Answer> {
    steps(server).iter().map(|step| ask(connection, step).unwrap()).collect()
}

fn fail_on(faults: &[String]) {
    assert!(faults.is_empty(), "{} differences:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn slapd_answers_as_noted() {
    if !present("differential::slapd_answers_as_noted", &[Subject::Slapd.program()]) {
        return;
    }
    let (server, mut connection) = loaded(Subject::Slapd);
    let answers = run(&server, &mut connection);
    let steps = steps(&server);
    assert!(steps.len() >= 300, "only {} requests", steps.len());
    if std::env::var("CHANCERY_BLESS").is_ok_and(|value| value == "1") {
        bless(&steps, &answers);
        return;
    }
    let faults: Vec<String> = steps
        .iter()
        .zip(answers)
        .flat_map(|(step, answer)| judge(step, &[(Subject::Slapd, answer)]))
        .collect();
    fail_on(&faults);
}

fn bless(steps: &[Step], answers: &[Answer]) {
    let file = folder().join("requests.txt");
    let outcomes: Vec<Outcome> = answers.iter().map(Outcome::of).collect();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, script::with_outcomes(&text, steps, &outcomes)).unwrap();
    for (step, answer) in steps.iter().zip(answers).filter(|(_, answer)| answer.code != 0) {
        println!("{}: {} -> {} {}", step.line, step.text, answer.code, answer.diagnostic);
    }
}

/// Whatever two slapds answer differently (a time, a random value, an order) is not comparable:
/// this keeps `compare::NOT_COMPARED` and the request list honest before Chancery is asked.
#[test]
fn two_slapds_do_not_differ() {
    if !present("differential::two_slapds_do_not_differ", &[Subject::Slapd.program()]) {
        return;
    }
    let (first, mut one) = loaded(Subject::Slapd);
    let (second, mut two) = loaded(Subject::Slapd);
    let answers = run(&first, &mut one).into_iter().zip(run(&second, &mut two));
    let pair = |(left, right)| [(Subject::Slapd, left), (Subject::Slapd, right)];
    let steps = steps(&first);
    let faults: Vec<String> =
        steps.iter().zip(answers.map(pair)).flat_map(|(step, pair)| judge(step, &pair)).collect();
    fail_on(&faults);
}

/// The reasons of requests.txt are those of `docs/reference/differences-from-openldap.md`.
#[test]
fn every_difference_is_documented() {
    let script = std::fs::read_to_string(folder().join("requests.txt")).unwrap();
    let variables = ["B", "S", "ADMIN", "PW"].map(|name| (name, "cn=x"));
    let noted: BTreeSet<String> = script::parse(&script, &variables)
        .unwrap()
        .into_iter()
        .filter_map(|step| match step.expected {
            Expected::Differs { reason, .. } => Some(reason),
            Expected::Same(_) => None,
        })
        .collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference/differences-from-openldap.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<String> = rows
        .filter_map(|row| row.strip_suffix(" |")?.rsplit_once(" | "))
        .map(|(_, reason)| reason.to_owned())
        .collect();
    assert_eq!(noted, listed, "requests.txt (left) and differences-from-openldap.md (right)");
}

#[test]
fn chancery_answers_as_slapd_does() {
    let needed = Subject::ALL.map(Subject::program);
    if !present("differential::chancery_answers_as_slapd_does", &needed) {
        return;
    }
    let answers = Subject::ALL.map(|subject| {
        let (server, mut connection) = loaded(subject);
        let answers = run(&server, &mut connection);
        (steps(&server), subject, answers)
    });
    let [(steps, slapd, left), (_, chancery, right)] = answers;
    let faults: Vec<String> = steps
        .iter()
        .zip(left.into_iter().zip(right))
        .flat_map(|(step, (left, right))| judge(step, &[(slapd, left), (chancery, right)]))
        .collect();
    fail_on(&faults);
}
