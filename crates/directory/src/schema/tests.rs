//! The schema as a whole: it builds, finds, resolves, describes itself and takes more files.

mod entries;
mod rules;
mod syntaxes;

use proptest::prelude::*;

use super::names::{MAX_KEY, cut_key, normalize_dn};
use super::*;
use ldap::dn::Dn;

fn file(text: &str) -> [(String, String); 1] {
    [("own.schema".to_owned(), text.to_owned())]
}

#[test]
fn elements_are_found_by_any_name_in_any_case() {
    let schema = Schema::standard();
    for (text, name) in [("CN", "cn"), ("commonname", "cn"), ("2.5.4.3", "cn"), ("MAIL", "mail")] {
        assert_eq!(schema.attribute_type(text).unwrap().name, name);
    }
    assert!(schema.attribute_type("cn;lang-de").is_none());
    assert!(schema.attribute_type(&"x".repeat(100)).is_none());
    assert_eq!(schema.object_class("INETORGPERSON").unwrap().oid, "2.16.840.1.113730.3.2.2");
    assert!(schema.object_class("cn").is_none());
}

#[test]
fn what_is_inherited_is_resolved() {
    let schema = Schema::standard();
    let cn = schema.attribute_type("cn").unwrap();
    assert_eq!(cn.equality, Some(MatchingRule::CaseIgnoreMatch));
    assert_eq!(cn.substring, Some(MatchingRule::CaseIgnoreSubstringsMatch));
    assert_eq!(cn.syntax, Syntax::DirectoryString);
    let name = schema.attribute_type("name").unwrap();
    assert!(schema.is_subtype(cn, name) && !schema.is_subtype(name, cn));
    assert!(schema.subtypes(name).any(|sub| sub.name == "givenName"));
    assert_eq!(schema.subtypes(name).next().unwrap().name, "name");
    let class = |name: &str| schema.object_class(name).unwrap();
    assert!(schema.is_subclass(class("inetOrgPerson"), class("person")));
    assert!(!schema.is_subclass(class("person"), class("inetOrgPerson")));
    assert!(schema.subclasses(class("person")).any(|sub| sub.name == "inetOrgPerson"));
    let sn = schema.attribute_type("sn").unwrap().index;
    assert!(class("inetOrgPerson").must.contains(&sn));
}

#[test]
fn links_are_what_users_point_with() {
    let schema = Schema::standard();
    for name in ["member", "uniqueMember", "manager", "owner", "seeAlso", "secretary"] {
        assert!(schema.attribute_type(name).unwrap().is_link(), "{name}");
    }
    for name in ["memberOf", "creatorsName", "cn", "entryDN", "pwdPolicySubentry"] {
        assert!(!schema.attribute_type(name).unwrap().is_link(), "{name}");
    }
}

#[test]
fn the_schema_describes_itself_and_reads_that_again() {
    let schema = Schema::standard();
    let values = schema.describe();
    assert_eq!(values.attribute_types.len(), schema.attribute_types().count());
    for text in &values.attribute_types {
        AttributeTypeDescription::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    for text in &values.object_classes {
        ObjectClassDescription::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    let uses = |rule: &str| {
        let found = values.matching_rule_use.iter().find(|text| text.contains(rule));
        found.cloned().unwrap_or_default()
    };
    assert!(uses("'integerBitAndMatch'").contains("uidNumber"));
    assert!(uses("'inChainMatch'").contains("member"));
    assert!(values.ldap_syntaxes.iter().any(|text| text.contains("1.3.6.1.1.16.1")));
    assert!(values.matching_rules.iter().any(|text| text.contains("caseIgnoreMatch")));
}

#[test]
fn files_add_and_may_repeat_but_not_contradict() {
    let good = "attributetype ( 1.3.6.1.4.1.99999.1 NAME 'badge' SUP name SINGLE-VALUE )\n\
                objectclass ( 1.3.6.1.4.1.99999.2 NAME 'badged' AUXILIARY MAY ( badge $ cn ) )\n\
                attributetype ( 2.5.4.3 NAME ( 'cn' 'fullName' ) SUP name )\n";
    let schema = Schema::with_files(&file(good)).unwrap();
    assert!(schema.attribute_type("BADGE").unwrap().single_value);
    assert_eq!(schema.attribute_type("fullName").unwrap().name, "cn");
    assert_eq!(schema.object_class("badged").unwrap().may.len(), 2);
    for (bad, words) in [
        (
            "attributetype ( 1.9.1 NAME 'cn' SUP name )",
            "conflicts in 'cn' with 'cn' (2.5.4.3) of core.schema",
        ),
        ("attributetype ( 2.5.4.3 NAME 'badge' SUP name )", "conflicts in 'OID'"),
        ("attributetype ( 1.9.1 NAME 'badge' SUP nothing )", "SUP names 'nothing'"),
        ("attributetype ( 1.9.1 NAME 'badge' )", "needs SUP or SYNTAX"),
        ("attributetype ( 1.9.1 NAME 'badge' SYNTAX 1.9.9 )", "syntax '1.9.9' is not known"),
        (
            "attributetype ( 1.9.1 NAME 'badge' EQUALITY x SUP name )",
            "matching rule 'x' is not known",
        ),
        (
            "attributetype ( 1.9.1 NAME 'badge' EQUALITY caseIgnoreOrderingMatch SUP name )",
            "cannot stand behind EQUALITY",
        ),
        ("attributetype ( 1.9.1 NAME 'badge' SUP badge )", "leads back"),
        ("objectclass ( 1.9.1 NAME 'badged' SUP nothing )", "SUP names class 'nothing'"),
        ("objectclass ( 1.9.1 NAME 'badged' SUP badged )", "leads back"),
        ("objectclass ( 1.9.1 NAME 'badged' MUST nothing )", "'nothing' is defined by no"),
        ("objectclass ( 1.9.1 NAME 'badged' SUP person AUXILIARY )", "'person' is Structural"),
        ("attributetype ( 1.9.1 NAME", "own.schema, line"),
    ] {
        let error = Schema::with_files(&file(&format!("\n{bad}\n"))).expect_err(bad).to_string();
        assert!(error.contains(words), "{bad}: {error}");
        assert!(error.starts_with("own.schema, line "), "{error}");
    }
}

#[test]
fn declared_syntaxes_are_known() {
    let text = "ldapsyntax ( 1.9.5 DESC 'Colour' )\n\
                ldapsyntax ( 1.9.6 DESC 'Number' X-SUBST '1.3.6.1.4.1.1466.115.121.1.27' )\n\
                attributetype ( 1.9.1 NAME 'colour' SYNTAX 1.9.5 )\n\
                attributetype ( 1.9.2 NAME 'level' SYNTAX 1.9.6 )\n";
    let schema = Schema::with_files(&file(text)).unwrap();
    let colour = schema.attribute_type("colour").unwrap().syntax;
    assert_eq!((colour.oid(&schema), colour.description(&schema)), ("1.9.5", "Colour"));
    assert_eq!(colour.check(&schema, b"\xff"), Ok(()));
    assert_eq!(schema.attribute_type("level").unwrap().syntax, Syntax::Integer);
}

#[test]
fn openldaps_files_load_on_top() {
    let folder = std::path::Path::new("/etc/ldap/schema");
    let Ok(listing) = std::fs::read_dir(folder) else {
        eprintln!("SKIPPED: no {} here (Debian: apt install slapd)", folder.display());
        return;
    };
    let mut files = Vec::new();
    for path in listing.map(|entry| entry.unwrap().path()) {
        // dsee.schema contradicts itself; slapd refuses it as well.
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_schema = name.ends_with(".schema") || name.ends_with(".ldif");
        if is_schema && !name.starts_with("dsee") {
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    files.sort();
    for file in &files {
        let above = [file.clone()];
        let needs_others =
            ["openldap", "corba", "java"].iter().any(|name| file.0.starts_with(name));
        if !needs_others {
            Schema::with_files(&above).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    let schema = Schema::with_files(&files).unwrap_or_else(|error| panic!("{error}"));
    assert!(schema.attribute_types().count() > Schema::standard().attribute_types().count());
}

#[test]
fn attribute_descriptions() {
    let schema = Schema::standard();
    let parse = |text: &str| AttributeDescription::parse(&schema, text);
    for (text, canonical) in [
        ("CommonName", "cn"),
        ("cn;LANG-de;x-a;lang-de", "cn;lang-de;x-a"),
        ("usercertificate;BINARY", "userCertificate;binary"),
        ("2.5.4.3;lang-de-ch", "cn;lang-de-ch"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), canonical);
    }
    for text in ["", "cn;", "cn;;lang-de", "cn;la ng", "nothing", "cn;unknown", "c n", "cn;é"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    assert!(!parse("cn;lang-de-").unwrap().is_storable());
}

#[test]
fn description_subtypes() {
    let schema = Schema::standard();
    for (one, requested, expected) in [
        ("cn", "cn", true),
        ("cn", "name", true),
        ("name", "cn", false),
        ("cn;lang-de", "cn", true),
        ("cn;lang-de", "name", true),
        ("cn", "cn;lang-de", false),
        ("cn;lang-de", "cn;lang-de", true),
        ("cn;lang-de-ch", "cn;lang-de", false),
        ("cn;lang-de-ch", "cn;lang-de-", true),
        ("cn;lang-de", "cn;lang-de-", true),
        ("cn;lang-den", "cn;lang-de-", false),
        ("cn;lang-fr", "cn;lang-", true),
        ("cn", "cn;lang-", false),
        ("cn;lang-de;x-a", "cn;x-a", true),
        ("userCertificate", "userCertificate;binary", true),
        ("userCertificate;binary", "userCertificate", true),
    ] {
        let parse = |text| AttributeDescription::parse(&schema, text).unwrap();
        assert_eq!(parse(one).is_subtype_of(&parse(requested)), expected, "{one} of {requested}");
    }
}

#[test]
fn name_keys_are_as_the_storage_note_says() {
    let schema = Schema::standard();
    let keys = |text: &str| normalize_dn(&schema, &Dn::parse(text).unwrap()).unwrap();
    let name = keys("UID=Ann+CN=B,dc=Example");
    assert_eq!(name.keys[0], b"\x02\0cn\x03\0 b \x03\0uid\x05\0 ann ");
    assert_eq!(name.keys[1], b"\x02\0dc\x09\0 example ");
    assert_eq!(name.unknown_type, None);
    assert!(name.is_at_or_below(&keys("DC=example")) && !keys("dc=example").is_at_or_below(&name));
    assert!(name.reversed().starts_with(&keys("dc=example").reversed()));
    assert!(!keys("dc=examples").reversed().starts_with(&keys("dc=example").reversed()));
    assert_eq!(keys("cn=a,nothing=b").unknown_type.as_deref(), Some("nothing"));
    let long = keys(&format!("cn={}", "x".repeat(1000)));
    let cut = cut_key(long.keys[0].clone());
    assert!(cut.len() == MAX_KEY && cut[..384] == long.keys[0][..384]);
    assert_eq!(cut_key(name.keys[0].clone()), name.keys[0]);
    assert!(normalize_dn(&schema, &Dn::parse("c=\\FF").unwrap()).is_err());
}

proptest! {
    #[test]
    fn rules_and_syntaxes_survive_any_bytes(
        value in proptest::collection::vec(any::<u8>(), 0..60),
        assertion in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let schema = Schema::standard();
        for rule in schema.matching_rules() {
            let _ = rule.normalize(&schema, &value, &mut Vec::new());
            let _ = rule.matches(&schema, &value, &assertion);
            for position in [Piece::Initial, Piece::Any, Piece::Final] {
                let _ = rule.normalize_piece(&schema, &value, position, &mut Vec::new());
            }
        }
        for syntax in schema.syntaxes() {
            let _ = syntax.check(&schema, &value);
        }
    }

    #[test]
    fn preparing_twice_changes_nothing(value in "\\PC{0,30}") {
        let schema = Schema::standard();
        for rule in [MatchingRule::CaseIgnoreMatch, MatchingRule::CaseExactMatch]
        {
            let (mut once, mut twice) = (Vec::new(), Vec::new());
            if rule.normalize(&schema, value.as_bytes(), &mut once).is_ok() {
                rule.normalize(&schema, &once, &mut twice).unwrap();
                prop_assert_eq!(once, twice);
            }
        }
    }

    #[test]
    fn letter_case_and_composition_never_matter(value in "[a-zA-Zà-öÀ-Öα-ωΑ-Ρа-яА-Я ]{1,20}") {
        use unicode_normalization::UnicodeNormalization;
        let schema = Schema::standard();
        let normal = |text: &str| {
            let mut out = Vec::new();
            MatchingRule::CaseIgnoreMatch.normalize(&schema, text.as_bytes(), &mut out).unwrap();
            out
        };
        prop_assert_eq!(normal(&value), normal(&value.to_uppercase()));
        prop_assert_eq!(normal(&value), normal(&value.nfd().collect::<String>()));
    }

    #[test]
    fn integer_bytes_order_as_numbers(one in any::<i64>(), two in any::<i64>()) {
        let normal = |number: i64| {
            let mut out = Vec::new();
            number::normalize(number.to_string().as_bytes(), &mut out).unwrap();
            out
        };
        prop_assert_eq!(one.cmp(&two), normal(one).cmp(&normal(two)));
        let (small, other) = (one % 100, two % 100);
        prop_assert_eq!(small.cmp(&other), normal(small).cmp(&normal(other)));
    }
}
