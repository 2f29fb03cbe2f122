//! Tables: (rules, subject, entry, attribute) -> rights, over a small made-up tree.

use std::net::IpAddr;
use std::sync::Arc;

use super::*;
use crate::refusal::Fault;
use crate::store::EntryId;
use crate::subject::{Protection, Subject, Who};

/// (id, parent, name). The tree of all tests here.
const TREE: [(u64, u64, &str); 9] = [
    (1, 0, "dc=x"),
    (2, 1, "ou=people,dc=x"),
    (3, 2, "uid=anna,ou=people,dc=x"),
    (4, 2, "uid=ben,ou=people,dc=x"),
    (5, 1, "ou=groups,dc=x"),
    (6, 5, "cn=admins,ou=groups,dc=x"),
    (7, 5, "cn=staff,ou=groups,dc=x"),
    (8, 1, "cn=admin,dc=x"),
    (9, 3, "cn=phone,uid=anna,ou=people,dc=x"),
];
/// (group or role or managed entry, attribute, whom it names)
const NAMED: [(u64, &str, u64); 5] = [
    (6, "member", 7),       // staff is nested in admins
    (7, "uniquemember", 4), // ben is staff
    (6, "roleoccupant", 3),
    (3, "manager", 4), // ben manages anna
    (7, "owner", 3),
];
const CLASSES: [(u64, &str); 4] =
    [(3, "person"), (4, "person"), (6, "groupofnames"), (7, "groupofuniquenames")];

fn id_of(dn: &str) -> Option<EntryId> {
    TREE.iter().find(|(_, _, name)| *name == dn).map(|(id, ..)| EntryId(*id))
}

fn parent_of(id: EntryId) -> Option<EntryId> {
    let row = TREE.iter().find(|(own, ..)| *own == id.0)?;
    (row.1 != 0).then_some(EntryId(row.1))
}

fn below(mut id: Option<EntryId>, ancestor: EntryId) -> bool {
    while let Some(next) = id.and_then(parent_of) {
        if next == ancestor {
            return true;
        }
        id = Some(next);
    }
    false
}

struct Small;

impl Tree for Small {
    fn resolve(&self, dn: &str) -> Result<Option<EntryId>, Fault> {
        Ok(id_of(dn))
    }
    fn is_below(&self, entry: EntryId, ancestor: EntryId) -> Result<bool, Fault> {
        Ok(below(Some(entry), ancestor))
    }
    fn is_member(&self, asker: EntryId, group: EntryId) -> Result<bool, Fault> {
        let members = NAMED.iter().filter(|(from, kind, _)| {
            *from == group.0 && matches!(*kind, "member" | "uniquemember")
        });
        let mut found = false;
        for (_, _, to) in members {
            found |= *to == asker.0 || self.is_member(asker, EntryId(*to))?;
        }
        Ok(found)
    }
    fn is_occupant(&self, asker: EntryId, role: EntryId) -> Result<bool, Fault> {
        Ok(NAMED.contains(&(role.0, "roleoccupant", asker.0)))
    }
}

impl Vocabulary for Small {
    fn attribute(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            "surname" | "2.5.4.4" => Some("sn".to_owned()),
            "unknown" => None,
            _ if lower.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Some(lower),
            _ => None,
        }
    }
    fn subtypes(&self, key: &str) -> Vec<String> {
        let below: &[&str] = if key == "name" { &["cn", "sn"] } else { &[] };
        below.iter().map(|&key| key.to_owned()).collect()
    }
    fn is_name_valued(&self, key: &str) -> bool {
        matches!(key, "manager" | "owner" | "member")
    }
    fn class_attributes(&self, class: &str) -> Option<Vec<String>> {
        let keys = ["cn", "sn", "userpassword"].map(str::to_owned);
        (class == "person").then(|| keys.to_vec())
    }
    fn operational_attributes(&self) -> Vec<String> {
        ["entryuuid", "createtimestamp", "pwdhistory"].map(str::to_owned).to_vec()
    }
    fn check_name(&self, dn: &str) -> Result<(), String> {
        if dn.contains('=') { Ok(()) } else { Err("an RDN has no `=`".to_owned()) }
    }
    fn check_filter(&self, filter: &str) -> Result<(), String> {
        if filter.starts_with('(') { Ok(()) } else { Err("no parenthesis".to_owned()) }
    }
}

/// An entry of the tree, or one being added; counts how often its filter is asked for.
struct Entry {
    dn: &'static str,
    filters: std::cell::Cell<u32>,
}

fn entry(dn: &'static str) -> Entry {
    Entry { dn, filters: std::cell::Cell::new(0) }
}

impl Target for Entry {
    fn id(&self) -> Option<EntryId> {
        id_of(self.dn)
    }
    fn parent(&self) -> Option<EntryId> {
        id_of(self.dn.split_once(',')?.1)
    }
    fn is_below(&self, ancestor: EntryId) -> Result<bool, Fault> {
        Ok(self.parent() == Some(ancestor) || below(self.parent(), ancestor))
    }
    fn is_named(&self, dn: &str) -> Result<bool, Fault> {
        Ok(self.dn == dn)
    }
    fn satisfies(&self, filter: &RuleFilter) -> Result<bool, Fault> {
        self.filters.set(self.filters.get() + 1);
        let id = self.id().map_or(0, |id| id.0);
        Ok(CLASSES.iter().any(|(own, class)| {
            *own == id && filter.text.eq_ignore_ascii_case(&format!("(objectClass={class})"))
        }))
    }
    fn names(&self, attribute: &str, asker: EntryId) -> Result<bool, Fault> {
        Ok(NAMED.iter().any(|(from, kind, to)| {
            Some(EntryId(*from)) == self.id() && *kind == attribute && *to == asker.0
        }))
    }
}

/// `anonymous`, `operator`, `name`, or a DN of the tree; ` @address` behind it.
fn subject(text: &str) -> Subject {
    let (who, address) = text.split_once(" @").unwrap_or((text, "192.0.2.1"));
    let address = (address != "local").then(|| address.parse::<IpAddr>().expect("an address"));
    let who = match who {
        "anonymous" => Who::Anonymous,
        "operator" => Who::Operator,
        "name" => Who::Name("CN=machine".into()),
        dn => Who::Entry { id: id_of(dn).expect("in the tree"), dn: dn.into() },
    };
    Subject { who, address, protection: Protection::Tls }
}

const ANNA: &str = "uid=anna,ou=people,dc=x";
const BEN: &str = "uid=ben,ou=people,dc=x";
const ADMIN: &str = "cn=admin,dc=x";
const ADMINS: &str = "cn=admins,ou=groups,dc=x";
const STAFF: &str = "cn=staff,ou=groups,dc=x";
const PHONE: &str = "cn=phone,uid=anna,ou=people,dc=x";

fn parse(rules: &[RuleText]) -> Arc<AccessRules> {
    Arc::new(AccessRules::parse(rules, &Small).expect("these rules are right"))
}

fn decided(
    rules: &Arc<AccessRules>,
    asker: &str,
    dn: &'static str,
    attribute: &str,
) -> (String, Option<usize>) {
    let attribute = (attribute != "entry").then_some(attribute);
    let decision = rules.decide(&subject(asker), &Small, &entry(dn), attribute);
    let decision = decision.expect("no fault");
    (decision.rights.to_string(), decision.rule)
}

/// Rows of (asker, entry, attribute, rights).
fn check(rules: &[RuleText], rows: &[(&str, &'static str, &str, &str)]) {
    let rules = parse(rules);
    for (asker, dn, attribute, rights) in rows {
        let (found, rule) = decided(&rules, asker, dn, attribute);
        assert_eq!(found, *rights, "{asker} on {dn} {attribute}, decided by rule {rule:?}");
    }
}

#[test]
fn defaults_keep_secrets_and_let_people_help_themselves() {
    check(
        &AccessRules::defaults("dc=x", ADMIN),
        &[
            (ADMIN, ANNA, "userpassword", "manage"),
            (ADMIN, "dc=x", "entry", "manage"),
            (ANNA, ANNA, "userpassword", "auth, write"),
            (ANNA, BEN, "userpassword", "auth"),
            ("anonymous", ANNA, "userpassword", "auth"),
            ("anonymous", ANNA, "entry", "none"),
            ("anonymous", ANNA, "cn", "none"),
            (ANNA, ANNA, "telephonenumber", "read, write"),
            (ANNA, BEN, "telephonenumber", "read"),
            (ANNA, ANNA, "uid", "read"),
            (ANNA, ANNA, "entry", "read"),
            (ANNA, STAFF, "member", "read"),
            (ANNA, ANNA, "entryuuid", "read"),
            (ANNA, ANNA, "pwdhistory", "auth, write"),
            ("name", ANNA, "cn", "read"),
            ("operator", ANNA, "userpassword", "manage"),
        ],
    );
}

#[test]
fn every_kind_of_asker() {
    let group = format!("group \"{ADMINS}\"");
    let role = format!("role \"{ADMINS}\"");
    let one = format!("entry \"{BEN}\"");
    let table: [(&str, &str, &'static str, bool); 22] = [
        ("anyone", "anonymous", ANNA, true),
        ("anonymous", "anonymous", ANNA, true),
        ("anonymous", BEN, ANNA, false),
        ("signed-in", "anonymous", ANNA, false),
        ("signed-in", "name", ANNA, true),
        ("self", ANNA, ANNA, true),
        ("self", BEN, ANNA, false),
        ("self", "anonymous", ANNA, false),
        (&one, BEN, ANNA, true),
        (&one, ANNA, ANNA, false),
        (&one, "name", ANNA, false),
        (&group, BEN, ANNA, true), // through the nested group
        (&group, ANNA, ANNA, false),
        (&role, ANNA, BEN, true),
        (&role, BEN, BEN, false),
        ("subtree \"ou=people,dc=x\"", ANNA, STAFF, true),
        ("subtree \"ou=people,dc=x\"", ADMIN, STAFF, false),
        ("value-of manager", BEN, ANNA, true),
        ("value-of manager", BEN, STAFF, false),
        ("value-of owner", ANNA, STAFF, true),
        ("group \"cn=not-there,dc=x\"", BEN, ANNA, false),
        ("entry \"cn=not-there,dc=x\"", "name", ANNA, false),
    ];
    for (who, asker, dn, matches) in table {
        let rules = parse(&[RuleText::new(who, &["read"])]);
        let (rights, _) = decided(&rules, asker, dn, "cn");
        assert_eq!(rights, if matches { "read" } else { "none" }, "{who} for {asker} on {dn}");
    }
}

#[test]
fn a_list_of_askers_is_any_of_them() {
    let mut rule = RuleText::new("self", &["write"]);
    rule.who.push("value-of manager".to_owned());
    rule.who.push(format!("entry \"{ADMIN}\""));
    check(
        &[rule],
        &[
            (ANNA, ANNA, "cn", "write"),
            (BEN, ANNA, "cn", "write"),
            (ADMIN, ANNA, "cn", "write"),
            (ANNA, BEN, "cn", "none"),
        ],
    );
}

#[test]
fn every_kind_of_place() {
    let table: [(&str, &[&'static str], &[&'static str]); 6] = [
        ("everything", &["dc=x", ANNA, PHONE, STAFF], &[]),
        ("entry \"ou=people,dc=x\"", &["ou=people,dc=x"], &["dc=x", ANNA]),
        ("children \"ou=people,dc=x\"", &[ANNA, BEN], &["ou=people,dc=x", PHONE]),
        ("subtree \"ou=people,dc=x\"", &["ou=people,dc=x", ANNA, PHONE], &["dc=x", STAFF]),
        ("below \"ou=people,dc=x\"", &[ANNA, PHONE], &["ou=people,dc=x", STAFF]),
        ("subtree \"ou=none,dc=x\"", &[], &["dc=x", ANNA]),
    ];
    for (place, inside, outside) in table {
        let rules = parse(&[RuleText::new("anyone", &["read"]).on(place)]);
        for &dn in inside {
            assert_eq!(decided(&rules, "anonymous", dn, "cn").0, "read", "{place}: {dn}");
        }
        for &dn in outside {
            assert_eq!(decided(&rules, "anonymous", dn, "cn").0, "none", "{place}: {dn}");
        }
    }
}

#[test]
fn an_entry_being_added_has_a_place_but_no_number() {
    let new = "uid=new,ou=people,dc=x";
    for (place, rights) in [
        ("everything", "add"),
        ("entry \"uid=new,ou=people,dc=x\"", "add"),
        ("entry \"uid=other,ou=people,dc=x\"", "none"),
        ("children \"ou=people,dc=x\"", "add"),
        ("subtree \"ou=people,dc=x\"", "add"),
        ("below \"dc=x\"", "add"),
        ("below \"uid=new,ou=people,dc=x\"", "none"),
        ("subtree \"ou=groups,dc=x\"", "none"),
    ] {
        check(
            &[RuleText::new("anyone", &["add"]).on(place)],
            &[("anonymous", new, "entry", rights)],
        );
    }
}

#[test]
fn every_kind_of_attribute_list() {
    // (list, entry, cn, sn, mail, userpassword, entryuuid, pwdhistory)
    let table: [(&[&str], [bool; 7]); 14] = [
        (&["*"], [false, true, true, true, false, false, false]),
        (&["+"], [false, false, false, false, false, true, false]),
        (&["entry"], [true, false, false, false, false, false, false]),
        (&["all"], [true, true, true, true, false, true, false]),
        (&["all", "@secrets"], [true, true, true, true, true, true, true]),
        (&["*", "+", "userPassword"], [false, true, true, true, true, true, false]),
        (&["mail"], [false, false, false, true, false, false, false]),
        (&["surname"], [false, false, true, false, false, false, false]),
        (&["2.5.4.4"], [false, false, true, false, false, false, false]),
        (&["name"], [false, true, true, false, false, false, false]),
        (&["@person"], [false, true, true, false, false, false, false]),
        (&["all except mail"], [true, true, true, false, false, true, false]),
        (&["all except name, @secrets"], [true, false, false, true, false, true, false]),
        (&["all except mail", "userPassword"], [true, true, true, false, true, true, false]),
    ];
    let asked = ["entry", "cn", "sn", "mail", "userpassword", "entryuuid", "pwdhistory"];
    for (list, expected) in table {
        let rules = parse(&[RuleText::new("anyone", &["read"]).attributes(list)]);
        for (attribute, expected) in asked.iter().zip(expected) {
            let (rights, _) = decided(&rules, "anonymous", ANNA, attribute);
            assert_eq!(rights == "read", expected, "{list:?}: {attribute}");
        }
    }
}

#[test]
fn secrets_are_meant_only_when_named_managed_or_denied() {
    let everything = |may: &str| RuleText::new("anyone", &[may]);
    let row = |rights| [("anonymous", ANNA, "userpassword", rights)];
    check(&[everything("read")], &row("none"));
    check(&[everything("write")], &row("none"));
    check(&[everything("manage")], &row("manage"));
    check(&[everything("none"), everything("read").attributes(&["@secrets"])], &row("none"));
    check(&[everything("read"), everything("auth").attributes(&["@secrets"])], &row("auth"));
    check(&[everything("read").attributes(&["unicodePwd"])], &row("none"));
}

#[test]
fn options_do_not_make_another_attribute() {
    let rules = [RuleText::new("anyone", &["read"]).attributes(&["cn"])];
    check(&rules, &[("anonymous", ANNA, "cn;lang-de", "read")]);
}

#[test]
fn filters_and_networks_narrow_a_rule() {
    let people = RuleText::new("anyone", &["read"]).filter("(objectClass=person)");
    check(&[people], &[("anonymous", ANNA, "cn", "read"), ("anonymous", STAFF, "cn", "none")]);
    let near = RuleText::new("anyone", &["read"]).from("10.0.0.0/8").from("2001:db8::/32");
    check(
        &[near, RuleText::new("anyone", &["compare"]).from("local")],
        &[
            ("anonymous @10.255.0.1", ANNA, "cn", "read"),
            ("anonymous @11.0.0.1", ANNA, "cn", "none"),
            ("anonymous @::ffff:10.0.0.1", ANNA, "cn", "read"),
            ("anonymous @2001:db8:1::1", ANNA, "cn", "read"),
            ("anonymous @2001:db9::1", ANNA, "cn", "none"),
            ("anonymous @local", ANNA, "cn", "compare"),
        ],
    );
}

#[test]
fn the_first_match_decides_alone() {
    let rules = [
        RuleText::new("self", &["write"]).attributes(&["mail"]),
        RuleText::new("signed-in", &["none"]).on(&format!("entry \"{BEN}\"")),
        RuleText::new("signed-in", &["search"]),
    ];
    check(
        &rules,
        &[
            (ANNA, ANNA, "mail", "write"), // and not search as well
            (ANNA, BEN, "mail", "none"),
            (BEN, BEN, "mail", "write"),
            (ANNA, ANNA, "cn", "search"),
        ],
    );
}

#[test]
fn every_fault_is_listed_at_once() {
    let rules = [
        RuleText::new("everybody", &["reed"]).on("tree \"dc=x\"").attributes(&["unknown", "cn;x"]),
        RuleText::new("group cn=admins", &["none", "read"]).filter("cn=a").from("10.0.0.1/8"),
        RuleText::new("value-of mail", &["read"]).on("subtree \"x\"").attributes(&["@nothing"]),
        RuleText { may: vec!["read".into()], attributes: Some(vec![]), ..RuleText::default() },
    ];
    let errors = AccessRules::parse(&rules, &Small).expect_err("all of them are wrong");
    let found: Vec<(usize, &str)> = errors.iter().map(|error| (error.rule, error.field)).collect();
    let expected = [
        (0, "may"),
        (0, "who"),
        (0, "on"),
        (0, "attributes"),
        (0, "attributes"),
        (1, "may"),
        (1, "who"),
        (1, "where"),
        (1, "from"),
        (2, "who"),
        (2, "on"),
        (2, "attributes"),
        (3, "who"),
        (3, "attributes"),
    ];
    assert_eq!(found, expected);
    let first = errors[1].to_string();
    assert!(first.starts_with("access rule 1, who: `everybody` is not an asker; write"), "{first}");
}

#[test]
fn networks_are_checked() {
    for (text, right) in [
        ("10.0.0.0/8", true),
        ("0.0.0.0/0", true),
        ("::/0", true),
        ("192.0.2.7", true),
        ("local", true),
        ("10.0.0.0/33", false),
        ("10.0.0.0/x", false),
        ("10.1.0.0/8", false),
        ("example.com", false),
        ("", false),
    ] {
        let rule = RuleText::new("anyone", &["read"]).from(text);
        assert_eq!(AccessRules::parse(&[rule], &Small).is_ok(), right, "{text}");
    }
}

#[test]
fn rules_beyond_the_maximum_are_refused() {
    let many = vec![RuleText::new("anyone", &["read"]); RULES_MAX];
    assert!(AccessRules::parse(&many, &Small).is_ok());
    let more = vec![RuleText::new("anyone", &["read"]); RULES_MAX + 1];
    assert!(AccessRules::parse(&more, &Small).is_err());
}

#[test]
fn the_last_rule_of_a_full_list_decides() {
    let mut rules = vec![RuleText::new("self", &["write"]); RULES_MAX - 1];
    rules.push(RuleText::new("anyone", &["read"]));
    assert_eq!(decided(&parse(&rules), BEN, ANNA, "cn"), ("read".to_owned(), Some(255)));
}

#[test]
fn a_rule_is_tried_at_most_once_per_entry() {
    let rules = parse(&[
        RuleText::new("anyone", &["read"]).filter("(objectClass=device)"),
        RuleText::new("anyone", &["search"]),
    ]);
    let asker = for_asker(&rules, ANNA);
    let target = entry(BEN);
    let access = asker.for_entry(&target);
    for attribute in ["cn", "sn", "mail", "entryuuid"] {
        assert_eq!(access.attribute(attribute).expect("no fault"), Rights::SEARCH);
    }
    assert_eq!(target.filters.get(), 1);
}

fn for_asker(rules: &Arc<AccessRules>, asker: &str) -> AskerRules {
    let resolved = rules.resolve_names(&Small).expect("no fault");
    rules.for_asker(&subject(asker), &Small, resolved).expect("no fault")
}

fn readable(rules: &[RuleText], asker: &str, dn: &'static str) -> (bool, Vec<String>) {
    let rules = parse(rules);
    let asker = for_asker(&rules, asker);
    let target = entry(dn);
    let access = asker.for_entry(&target);
    match access.readable_user_attributes().expect("no fault") {
        UserAttributes::AllExcept(names) => (true, names.iter().map(|&n| n.to_owned()).collect()),
        UserAttributes::Only(names) => (false, names.iter().map(|&n| n.to_owned()).collect()),
    }
}

#[test]
fn projection_learns_what_it_may_copy_whole() {
    let defaults = AccessRules::defaults("dc=x", ADMIN);
    assert_eq!(readable(&defaults, ADMIN, ANNA), (true, vec![]));
    assert_eq!(readable(&defaults, "operator", ANNA), (true, vec![]));
    assert_eq!(readable(&defaults, "anonymous", ANNA), (false, vec![]));
    let (all, except) = readable(&defaults, ANNA, BEN);
    assert!(all);
    let mut expected: Vec<&str> = SECRETS.to_vec();
    expected.retain(|key| *key != "pwdhistory"); // operational, so never among user attributes
    expected.sort_unstable();
    assert_eq!(except, expected);
    let some = [RuleText::new("anyone", &["read"]).attributes(&["mail", "entryUUID", "cn"])];
    assert_eq!(readable(&some, "anonymous", ANNA), (false, vec!["cn".into(), "mail".into()]));
}

#[test]
fn classes_answer_like_names() {
    let rules = parse(&AccessRules::defaults("dc=x", ADMIN));
    let asker = for_asker(&rules, ANNA);
    let target = entry(ANNA);
    let access = asker.for_entry(&target);
    let readable = access.allowed(Rights::READ).expect("no fault");
    for key in ["cn", "userpassword", "telephonenumber", "entryuuid", "pwdhistory"] {
        let rights = access.attribute(key).expect("no fault");
        assert_eq!(readable.contains(rules.class_of(key)), rights.allows(Rights::READ), "{key}");
    }
}

#[test]
fn an_explanation_names_each_reason() {
    let rules = parse(&[
        RuleText::new("anyone", &["read"]).attributes(&["cn"]),
        RuleText::new("anyone", &["read"]).from("10.0.0.0/8"),
        RuleText::new("anonymous", &["read"]),
        RuleText::new("anyone", &["read"]).on("subtree \"ou=groups,dc=x\""),
        RuleText::new("anyone", &["read"]).filter("(objectClass=device)"),
        RuleText::new("self", &["search", "write"]),
        RuleText::new("anyone", &["none"]),
    ]);
    let explain = |attribute| {
        rules.explain(&subject(ANNA), &Small, &entry(ANNA), Some(attribute)).expect("no fault")
    };
    let reasons: Vec<_> = explain("mail").considered.iter().map(|c| c.reason).collect();
    let mail = [
        Some(Reason::Attributes),
        Some(Reason::From),
        Some(Reason::Who),
        Some(Reason::On),
        Some(Reason::Where),
        None,
    ];
    assert_eq!(reasons, mail);
    let text = explain("mail").to_string();
    assert!(text.ends_with("rule 6 decides: search, write"), "{text}");
    assert!(text.contains("rule 3: anonymous may read\n    not this one: it speaks of other"));
    let secret = explain("userpassword");
    assert_eq!(secret.considered[1].reason, Some(Reason::Secret));
    assert_eq!(secret.decision.rule, Some(6));
}

#[test]
fn an_explanation_without_a_rule_says_so() {
    let rules = parse(&[RuleText::new("self", &["read"])]);
    let told = rules.explain(&subject(BEN), &Small, &entry(ANNA), None).expect("no fault");
    assert!(told.to_string().ends_with("no rule speaks of this, so it is denied: none"));
    let told = rules.explain(&subject("operator"), &Small, &entry(ANNA), None).expect("no fault");
    assert_eq!(told.to_string(), "the operator may do everything: manage");
}

#[test]
fn rights_print_as_they_are_written() {
    for (rights, text) in [
        (Rights::NONE, "none"),
        (Rights::READ, "read"),
        (Rights::AUTH.with(Rights::WRITE), "auth, write"),
        (Rights::SEARCH.with(Rights::ADD).with(Rights::DELETE), "search, add, delete"),
        (Rights::MANAGE, "manage"),
    ] {
        assert_eq!(rights.to_string(), text);
    }
    assert!(!Rights::WRITE.allows(Rights::AUTH));
    assert!(!Rights::READ.with(Rights::WRITE).allows(Rights::MANAGE));
}
