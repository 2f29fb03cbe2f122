//! Changes that share a transaction are answered like changes that come one after the other: the
//! writer sees what it has not committed yet, whatever it remembers from before.

use std::sync::mpsc::{Receiver, channel};

use directory::access::RuleText;
use directory::{ChangeControls, ChangeRequest, Error, Outcome, Subject};
use ldap::ldif::Reader;
use ldap::message::Scope;
use ldap::result::ResultCode;

use crate::sample::{Found, Sample, change_of, operator};

/// Staff, the crowd and the boss write people; whoever stands below `ou=office` writes groups;
/// everybody writes the board, and joins the crowd.
fn rules() -> Vec<RuleText> {
    vec![
        RuleText::new("group \"cn=staff,ou=groups,dc=example,dc=com\"", &["write"])
            .on("subtree \"ou=people,dc=example,dc=com\""),
        RuleText::new("entry \"cn=boss,dc=example,dc=com\"", &["write"])
            .on("subtree \"ou=people,dc=example,dc=com\""),
        RuleText::new("subtree \"ou=office,dc=example,dc=com\"", &["write"])
            .on("subtree \"ou=groups,dc=example,dc=com\""),
        RuleText::new("group \"cn=crowd,dc=example,dc=com\"", &["write"])
            .on("subtree \"ou=people,dc=example,dc=com\""),
        RuleText::new("anyone", &["write"])
            .on("entry \"cn=board,dc=example,dc=com\"")
            .on("entry \"cn=crowd,dc=example,dc=com\""),
        RuleText::new("anyone", &["search"]),
    ]
}

const OK: ResultCode = ResultCode::SUCCESS;
const DENIED: ResultCode = ResultCode::INSUFFICIENT_ACCESS_RIGHTS;
const MISSING: ResultCode = ResultCode::NO_SUCH_OBJECT;

/// A change, who asks for it (`op`, or a person by uid), and what comes of it.
type Line = (&'static str, &'static str, ResultCode);

const TOUCH_ANNA: &str = "dn: uid=anna,ou=people,dc=example,dc=com\nchangetype: modify\n\
                          replace: title\ntitle: touched\n-\n";
const TOUCH_STAFF: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: modify\n\
                           replace: description\ndescription: touched\n-\n";
const BO_JOINS: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: modify\n\
                        add: member\nmember: uid=bo,ou=people,dc=example,dc=com\n-\n";
const BO_LEAVES: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: modify\n\
                         delete: member\nmember: uid=bo,ou=people,dc=example,dc=com\n-\n";
const LATE: &str = "dn: uid=late,ou=people,dc=example,dc=com\nchangetype: add\n\
                    objectClass: inetOrgPerson\ncn: L\nsn: L\nuid: late\n";
const NO_STAFF: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: delete\n";
const STAFF_OF_BO: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: add\n\
                           objectClass: groupOfNames\ncn: staff\n\
                           member: uid=bo,ou=people,dc=example,dc=com\n";
const STAFF_AWAY: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: modrdn\n\
                          newrdn: cn=crew\ndeleteoldrdn: 1\n";
const STAFF_BACK: &str = "dn: cn=crew,ou=groups,dc=example,dc=com\nchangetype: modrdn\n\
                          newrdn: cn=staff\ndeleteoldrdn: 1\n";
const BO_BOSS: &str = "dn: uid=bo,ou=people,dc=example,dc=com\nchangetype: modrdn\n\
                       newrdn: cn=boss\ndeleteoldrdn: 0\nnewsuperior: dc=example,dc=com\n";
const OFFICE: &str = "dn: ou=office,dc=example,dc=com\nchangetype: add\n\
                      objectClass: organizationalUnit\nou: office\n";
const NO_OFFICE: &str = "dn: ou=office,dc=example,dc=com\nchangetype: delete\n";
const BO_TO_OFFICE: &str = "dn: uid=bo,ou=people,dc=example,dc=com\nchangetype: modrdn\n\
                            newrdn: uid=bo\ndeleteoldrdn: 0\nnewsuperior: ou=office,dc=example,dc=com\n";
const NO_ANNA: &str = "dn: uid=anna,ou=people,dc=example,dc=com\nchangetype: delete\n";
const ANNA_AGAIN: &str = "dn: uid=anna,ou=people,dc=example,dc=com\nchangetype: add\n\
                          objectClass: inetOrgPerson\ncn: A\nsn: A\nuid: anna\n";
const PEOPLE_AWAY: &str = "dn: ou=people,dc=example,dc=com\nchangetype: modrdn\n\
                           newrdn: ou=folk\ndeleteoldrdn: 1\n";
const PEOPLE_BACK: &str = "dn: ou=folk,dc=example,dc=com\nchangetype: modrdn\n\
                           newrdn: ou=people\ndeleteoldrdn: 1\n";
const TOUCH_FOLK: &str = "dn: uid=anna,ou=folk,dc=example,dc=com\nchangetype: modify\n\
                          replace: title\ntitle: moved\n-\n";
const REFERRAL: &str = "dn: ou=away,ou=people,dc=example,dc=com\nchangetype: add\n\
                        objectClass: referral\nobjectClass: extensibleObject\nou: away\n\
                        ref: ldaps://other/ou=away,dc=example,dc=com\n";
const TOUCH_AWAY: &str = "dn: ou=away,ou=people,dc=example,dc=com\nchangetype: modify\n\
                          replace: description\ndescription: here\n-\n";
const NESTED: &str = "dn: cn=nested,ou=groups,dc=example,dc=com\nchangetype: add\n\
                      objectClass: groupOfNames\ncn: nested\n\
                      member: uid=bo,ou=people,dc=example,dc=com\n";
const STAFF_NESTS: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: modify\n\
                           add: member\nmember: cn=nested,ou=groups,dc=example,dc=com\n-\n";
const NO_NESTED: &str = "dn: cn=nested,ou=groups,dc=example,dc=com\nchangetype: delete\n";
const BAD: &str = "dn: uid=anna,ou=people,dc=example,dc=com\nchangetype: modify\n\
                   replace: sn\n-\n";
const TWO_TITLES: &str = "dn: uid=anna,ou=people,dc=example,dc=com\nchangetype: modify\n\
                          replace: employeeNumber\nemployeeNumber: 1\nemployeeNumber: 2\n-\n";

const CROWD: &str = "dn: cn=crowd,dc=example,dc=com\nchangetype: add\n\
                     objectClass: groupOfNames\ncn: crowd\n\
                     member: uid=anna,ou=people,dc=example,dc=com\n";
const BO_IN_CROWD: &str = "dn: cn=crowd,dc=example,dc=com\nchangetype: modify\n\
                           add: member\nmember: uid=bo,ou=people,dc=example,dc=com\n-\n";
const BO_OUT_OF_CROWD: &str = "dn: cn=crowd,dc=example,dc=com\nchangetype: modify\n\
                               delete: member\nmember: uid=bo,ou=people,dc=example,dc=com\n-\n";
const BOARD: &str = "dn: cn=board,dc=example,dc=com\nchangetype: add\n\
                     objectClass: device\ncn: board\n";
const BOSS: &str = "dn: cn=boss,dc=example,dc=com\nchangetype: add\n\
                    objectClass: device\ncn: boss\n";
const NO_BOARD: &str = "dn: cn=board,dc=example,dc=com\nchangetype: delete\n";
const TOUCH_BOARD: &str = "dn: cn=board,dc=example,dc=com\nchangetype: modify\n\
                           replace: description\ndescription: touched\n-\n";
const CLERK: &str = "dn: cn=clerk,ou=office,dc=example,dc=com\nchangetype: add\n\
                     objectClass: device\ncn: clerk\n";
const NO_CLERK: &str = "dn: cn=clerk,ou=office,dc=example,dc=com\nchangetype: delete\n";
const TOUCH_CLERK: &str = "dn: cn=clerk,ou=office,dc=example,dc=com\nchangetype: modify\n\
                           replace: description\ndescription: touched\n-\n";

const SCRIPTS: &[(&str, &[Line])] = &[
    (
        "what was renamed is found by its new name",
        &[
            ("op", TOUCH_ANNA, OK),
            ("op", PEOPLE_AWAY, OK),
            ("op", TOUCH_ANNA, MISSING),
            ("op", TOUCH_FOLK, OK),
            ("op", PEOPLE_BACK, OK),
            ("op", TOUCH_FOLK, MISSING),
            ("op", TOUCH_ANNA, OK),
        ],
    ),
    (
        "a name that was given to another entry leads there",
        &[
            ("op", TOUCH_ANNA, OK),
            ("op", NO_ANNA, OK),
            ("op", TOUCH_ANNA, MISSING),
            ("op", ANNA_AGAIN, OK),
            ("op", TOUCH_ANNA, OK),
            ("op", ANNA_AGAIN, ResultCode::ENTRY_ALREADY_EXISTS),
            ("op", NO_ANNA, OK),
            ("op", NO_ANNA, MISSING),
        ],
    ),
    (
        "a rule about a group follows its members",
        &[
            ("bo", TOUCH_ANNA, DENIED),
            ("op", BO_JOINS, OK),
            ("bo", TOUCH_ANNA, OK),
            ("op", BO_LEAVES, OK),
            ("bo", TOUCH_ANNA, DENIED),
            ("op", NESTED, OK),
            ("bo", TOUCH_ANNA, DENIED),
            ("op", STAFF_NESTS, OK),
            ("bo", TOUCH_ANNA, OK),
            ("op", NO_NESTED, OK),
            ("bo", TOUCH_ANNA, DENIED),
        ],
    ),
    (
        "a rule about a group follows its name",
        &[
            ("op", BO_JOINS, OK),
            ("bo", TOUCH_ANNA, OK),
            ("op", STAFF_AWAY, OK),
            ("bo", TOUCH_ANNA, DENIED),
            ("op", STAFF_BACK, OK),
            ("bo", TOUCH_ANNA, OK),
            ("op", NO_STAFF, OK),
            ("bo", TOUCH_ANNA, DENIED),
            ("op", STAFF_OF_BO, OK),
            ("bo", TOUCH_ANNA, OK),
        ],
    ),
    (
        "a group gains who was named before there was such an entry",
        &[
            ("bo", TOUCH_ANNA, DENIED),
            ("op", STAFF_NESTS, OK),
            ("bo", TOUCH_ANNA, DENIED),
            ("op", NESTED, OK),
            ("bo", TOUCH_ANNA, OK),
            ("op", LATE, OK),
            ("bo", TOUCH_ANNA, OK),
        ],
    ),
    (
        "a rule about an entry and one about a subtree follow whoever asks",
        &[
            ("bo", TOUCH_ANNA, DENIED),
            ("op", BO_BOSS, OK),
            ("bo", TOUCH_ANNA, OK),
            ("bo", TOUCH_STAFF, DENIED),
        ],
    ),
    (
        "a subtree that comes, and goes again",
        &[
            ("bo", TOUCH_STAFF, DENIED),
            ("op", OFFICE, OK),
            ("bo", TOUCH_STAFF, DENIED),
            ("op", NO_OFFICE, OK),
            ("bo", TOUCH_STAFF, DENIED),
            ("op", OFFICE, OK),
            ("op", BO_TO_OFFICE, OK),
            ("bo", TOUCH_STAFF, OK),
        ],
    ),
    (
        "whoever asks may change what the rules make of them",
        &[
            ("op", CROWD, OK),
            ("bo", TOUCH_ANNA, DENIED),
            ("bo", BO_IN_CROWD, OK),
            ("bo", TOUCH_ANNA, OK),
            ("bo", BO_OUT_OF_CROWD, OK),
            ("bo", TOUCH_ANNA, DENIED),
        ],
    ),
    (
        "a place that a rule names comes, and goes again",
        &[
            ("bo", TOUCH_BOARD, MISSING),
            ("op", BOARD, OK),
            ("bo", TOUCH_BOARD, OK),
            ("op", NO_BOARD, OK),
            ("bo", TOUCH_BOARD, MISSING),
            ("op", BOARD, OK),
            ("bo", TOUCH_BOARD, OK),
        ],
    ),
    (
        "what is below a name that went and came again",
        &[
            ("op", OFFICE, OK),
            ("op", CLERK, OK),
            ("op", TOUCH_CLERK, OK),
            ("op", NO_CLERK, OK),
            ("op", NO_OFFICE, OK),
            ("op", TOUCH_CLERK, MISSING),
            ("op", OFFICE, OK),
            ("op", TOUCH_CLERK, MISSING),
            ("op", CLERK, OK),
            ("op", TOUCH_CLERK, OK),
        ],
    ),
    (
        "a place goes and comes again while all other names of the rules stay",
        &[
            ("op", CROWD, OK),
            ("op", BOSS, OK),
            ("op", OFFICE, OK),
            ("op", BOARD, OK),
            ("bo", TOUCH_BOARD, OK),
            ("op", NO_BOARD, OK),
            ("op", BOARD, OK),
            ("bo", TOUCH_BOARD, OK),
        ],
    ),
    (
        "a referral is one at once",
        &[
            ("op", TOUCH_ANNA, OK),
            ("op", TOUCH_AWAY, MISSING),
            ("op", REFERRAL, OK),
            ("op", TOUCH_AWAY, ResultCode::REFERRAL),
            ("op", TOUCH_ANNA, OK),
        ],
    ),
    (
        "what the schema refuses is refused each time",
        &[
            ("op", TOUCH_ANNA, OK),
            ("op", BAD, ResultCode::OBJECT_CLASS_VIOLATION),
            ("op", TOUCH_ANNA, OK),
            ("op", TWO_TITLES, ResultCode::CONSTRAINT_VIOLATION),
            ("op", BAD, ResultCode::OBJECT_CLASS_VIOLATION),
            ("op", TOUCH_ANNA, OK),
        ],
    ),
];

fn code(result: &Result<Outcome, Error>) -> ResultCode {
    match result {
        Ok(_) => OK,
        Err(Error::Refused(refusal)) => refusal.code,
        Err(Error::Fault(fault)) => panic!("{fault}"),
    }
}

fn request(subject: &Subject, ldif: &str) -> ChangeRequest {
    let record = Reader::new(ldif.as_bytes()).next().unwrap().unwrap();
    let controls = ChangeControls::default();
    ChangeRequest { subject: subject.clone(), change: change_of(&record), controls }
}

/// A directory whose writer has answered both askers before, and so remembers what it can.
fn prepared() -> (Sample, Subject) {
    let sample = Sample::with_people();
    sample.directory.replace_access(&rules()).unwrap();
    let bo = sample.who("uid=bo,ou=people,dc=example,dc=com");
    for subject in [&operator(), &bo, &operator(), &bo] {
        for ldif in [TOUCH_ANNA, TOUCH_STAFF] {
            let _ = sample.directory.submit_and_wait(request(subject, ldif));
        }
    }
    (sample, bo)
}

/// Submits while the writer is held back, so that it then takes all of them together.
fn in_one_batch(sample: &Sample, requests: Vec<ChangeRequest>) -> Vec<ResultCode> {
    let (release, held) = channel::<()>();
    let (reached, at_reply) = channel();
    let hold = Box::new(move |_: Result<Outcome, Error>| {
        reached.send(()).unwrap();
        held.recv().unwrap();
    });
    sample.directory.submit(request(&operator(), TOUCH_STAFF), hold).unwrap();
    at_reply.recv().unwrap();
    let waiting: Vec<Receiver<_>> = requests
        .into_iter()
        .map(|request| {
            let (send, receive) = channel();
            let reply = Box::new(move |result| send.send(result).unwrap());
            sample.directory.submit(request, reply).unwrap();
            receive
        })
        .collect();
    release.send(()).unwrap();
    waiting.into_iter().map(|receive| code(&receive.recv().unwrap())).collect()
}

fn content(sample: &Sample) -> Vec<String> {
    let all = sample.search_as(
        &operator(),
        "dc=example,dc=com",
        Scope::Subtree,
        "(objectClass=*)",
        &["*", "memberOf"],
    );
    let without_salt = |text: String| -> String {
        text.lines().filter(|line| !line.starts_with("userPassword")).collect()
    };
    let mut all: Vec<String> = all.unwrap().iter().map(Found::text).map(without_salt).collect();
    all.sort();
    all
}

#[test]
fn a_batch_is_answered_like_its_changes_one_by_one() {
    for (name, lines) in SCRIPTS {
        let expected: Vec<ResultCode> = lines.iter().map(|(.., code)| *code).collect();
        let requests = |bo: &Subject| -> Vec<ChangeRequest> {
            let subject = |who: &str| if who == "bo" { bo.clone() } else { operator() };
            lines.iter().map(|(who, ldif, _)| request(&subject(who), ldif)).collect()
        };
        let (alone, bo) = prepared();
        let answers: Vec<ResultCode> = requests(&bo)
            .into_iter()
            .map(|request| code(&alone.directory.submit_and_wait(request)))
            .collect();
        assert_eq!(answers, expected, "{name}, one by one");
        let (together, bo) = prepared();
        assert_eq!(in_one_batch(&together, requests(&bo)), expected, "{name}, in one batch");
        assert_eq!(content(&together), content(&alone), "{name}");
        let Sample { directory, folder, lens } = together;
        drop((lens, directory));
        crate::sample::check_store(folder.path());
    }
}
