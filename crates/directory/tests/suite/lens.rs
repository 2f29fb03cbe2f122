//! What a lens remembers is forgotten when it is no longer true: the same questions through one
//! lens, and each time without any, while the tree changes its shape underneath.

use std::rc::Rc;

use directory::access::RuleText;
use directory::{
    Change, Directory, Error, Lens, Modification, NewAttribute, Protection, SearchQuery, Step,
    Subject, Who,
};
use ldap::ldif::Reader;
use ldap::message::{DecodeLimits, DerefAliases, ModifyOperation, Scope};
use ldap::result::ResultCode;

use crate::sample::{Collected, Sample, change_of};

const PEOPLE: &str = "ou=people,dc=example,dc=com";
const STAFF: &str = "cn=staff,ou=groups,dc=example,dc=com";

/// Staff reads people; everybody sees the tree above them.
fn rules() -> Vec<RuleText> {
    vec![
        RuleText::new(&format!("group \"{STAFF}\""), &["read"])
            .on(&format!("subtree \"{PEOPLE}\"")),
        RuleText::new("anyone", &["read"]).on("entry \"dc=example,dc=com\""),
        RuleText::new("anyone", &["read"]).on("subtree \"ou=groups,dc=example,dc=com\""),
    ]
}

/// The names found below `base`, or the result code.
fn found(
    directory: &Directory,
    subject: &Subject,
    lens: &Lens,
    (base, scope): (&str, Scope),
) -> Result<Vec<String>, ResultCode> {
    let filter = ldap::filter::Filter::parse("(objectClass=*)", &DecodeLimits::default()).unwrap();
    let query = SearchQuery {
        base,
        scope,
        deref: DerefAliases::Never,
        size_limit: 0,
        types_only: false,
        filter: &filter,
        attributes: &["1.1"],
        manage_dsa_it: false,
        page: None,
        assertion: None,
    };
    let view = directory.view_through(subject, lens).unwrap();
    let mut sink = Collected::default();
    let run = || -> Result<(), Error> {
        let mut search = view.search(&query)?;
        while view.step(&mut search, &mut sink, 100)? == Step::More {}
        Ok(())
    };
    match { run }() {
        Ok(()) => {
            let mut names: Vec<String> = sink.entries.into_iter().map(|entry| entry.dn).collect();
            names.sort();
            Ok(names)
        }
        Err(Error::Refused(refusal)) => Err(refusal.code),
        Err(Error::Fault(fault)) => panic!("{fault}"),
    }
}

/// Every question, for every asker, through the lens of long ago and through a new one.
fn compare(sample: &Sample, subjects: &[Subject], lens: &Lens, after: &str) {
    let bases = ["dc=example,dc=com", PEOPLE, STAFF, "uid=bo,ou=people,dc=example,dc=com"];
    for subject in subjects {
        for base in bases {
            for scope in [Scope::Base, Scope::OneLevel, Scope::Subtree] {
                let asked = (base, scope);
                let remembered = found(&sample.directory, subject, lens, asked);
                let anew = found(&sample.directory, subject, &Lens::default(), asked);
                assert_eq!(
                    remembered, anew,
                    "{base} {scope:?} for {:?} after {after}",
                    subject.who
                );
            }
        }
    }
}

fn member(operation: ModifyOperation, dn: &str) -> Change {
    let attribute = NewAttribute { description: "member".into(), values: vec![dn.into()] };
    Change::Modify { dn: STAFF.into(), modifications: vec![Modification { operation, attribute }] }
}

/// LDIF change records, one after the other.
fn changes(ldif: &str) -> Vec<Change> {
    Reader::new(ldif.as_bytes()).map(|record| change_of(&record.unwrap())).collect()
}

#[test]
fn a_lens_never_outlives_what_it_remembers() {
    let sample = Sample::with_people();
    sample.directory.replace_access(&rules()).unwrap();
    let bo = sample.who("uid=bo,ou=people,dc=example,dc=com");
    let anna = sample.who("uid=anna,ou=people,dc=example,dc=com");
    let nobody = Subject { who: Who::Anonymous, address: None, protection: Protection::Tls };
    let subjects = [anna.clone(), bo.clone(), nobody];
    let lens = Lens::keeping(Rc::default());
    compare(&sample, &subjects, &lens, "nothing");
    let people = (PEOPLE, Scope::Subtree);
    assert_eq!(found(&sample.directory, &bo, &lens, people), Err(ResultCode::NO_SUCH_OBJECT));

    sample.change(member(ModifyOperation::Add, "uid=bo,ou=people,dc=example,dc=com")).unwrap();
    assert_eq!(found(&sample.directory, &bo, &lens, people).unwrap().len(), 3, "bo is staff now");
    compare(&sample, &subjects, &lens, "a member more");
    sample.change(member(ModifyOperation::Delete, "uid=bo,ou=people,dc=example,dc=com")).unwrap();
    assert_eq!(found(&sample.directory, &bo, &lens, people), Err(ResultCode::NO_SUCH_OBJECT));
    compare(&sample, &subjects, &lens, "a member less");

    let steps = [
        "dn: uid=late,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: inetOrgPerson\n\
         cn: L\nsn: L\nuid: late\n",
        "dn: ou=people,dc=example,dc=com\nchangetype: modrdn\nnewrdn: ou=folk\ndeleteoldrdn: 1\n",
        "dn: ou=folk,dc=example,dc=com\nchangetype: modrdn\nnewrdn: ou=people\ndeleteoldrdn: 1\n",
        "dn: ou=away,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: referral\n\
         objectClass: extensibleObject\nou: away\nref: ldaps://other/ou=away,dc=example,dc=com\n",
        "dn: uid=bo,ou=people,dc=example,dc=com\nchangetype: delete\n",
        "dn: cn=staff,ou=groups,dc=example,dc=com\nchangetype: delete\n",
    ];
    for step in steps {
        for change in changes(step) {
            sample.change(change).unwrap();
        }
        compare(&sample, &subjects, &lens, step);
    }
    sample.directory.replace_access(&[RuleText::new("anyone", &["read"])]).unwrap();
    compare(&sample, &subjects, &lens, "other rules");
}

/// What only looks into entries decides is asked each time.
#[test]
fn a_base_that_a_filter_opens_is_looked_at_again() {
    let sample = Sample::with_people();
    let open = RuleText::new("anyone", &["read"]).filter("(description=open)");
    sample.directory.replace_access(&[open]).unwrap();
    let nobody = Subject { who: Who::Anonymous, address: None, protection: Protection::Tls };
    let lens = Lens::keeping(Rc::default());
    let describe = |text: &str| {
        let attribute =
            NewAttribute { description: "description".into(), values: vec![text.into()] };
        let modifications = vec![Modification { operation: ModifyOperation::Replace, attribute }];
        sample.change(Change::Modify { dn: PEOPLE.into(), modifications }).unwrap();
    };
    for (text, expected) in [("open", true), ("closed", false), ("open", true)] {
        describe(text);
        let answer = found(&sample.directory, &nobody, &lens, (PEOPLE, Scope::Subtree));
        assert_eq!(answer.is_ok(), expected, "{text}: {answer:?}");
    }
}
