//! Descriptions from the RFCs, from other servers, and at random; the real schema files of
//! OpenLDAP where they are installed.

use proptest::prelude::*;

use super::*;

#[test]
fn attribute_types_are_read_and_printed() {
    let table = [
        ("( 2.5.4.3 NAME 'cn' SUP name )", "( 2.5.4.3 NAME 'cn' SUP name )"),
        (
            "(2.5.4.3 NAME ('cn' 'commonName')\n\tSUP name DESC 'RFC4519: name')",
            "( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: name' SUP name )",
        ),
        ("( 1.2 SINGLE-VALUE SYNTAX '1.3.6.1.4.1.1466.115.121.1.15'{ )", ""),
        (
            "( foo-oid NAME 'my_attr' DESC '' SYNTAX '1.3.6.1{64}' usage dsaoperation X-ORIGIN ( 'a' 'b' ) )",
            "( foo-oid NAME 'my_attr' DESC '' SYNTAX 1.3.6.1{64} USAGE dSAOperation X-ORIGIN ( 'a' 'b' ) )",
        ),
        (
            "( 1.2 DESC 'it\\27s \\5c \\q' SUP 'name' COLLECTIVE NO-USER-MODIFICATION OBSOLETE X-A 'b' )",
            "( 1.2 DESC 'it\\27s \\5C \\5Cq' OBSOLETE SUP name COLLECTIVE NO-USER-MODIFICATION X-A 'b' )",
        ),
        (
            "( 1.2 EQUALITY caseIgnoreMatch ORDERING 2.5.13.3 SUBSTR x SYNTAX 1.2{5} )",
            "( 1.2 EQUALITY caseIgnoreMatch ORDERING 2.5.13.3 SUBSTR x SYNTAX 1.2{5} )",
        ),
    ];
    for (text, printed) in table {
        if printed.is_empty() {
            assert!(AttributeTypeDescription::parse(text).is_err(), "{text}");
            continue;
        }
        let parsed = AttributeTypeDescription::parse(text).expect(text);
        assert_eq!(parsed.to_string(), printed);
        assert_eq!(AttributeTypeDescription::parse(printed), Ok(parsed));
    }
}

#[test]
fn other_descriptions_are_read_and_printed() {
    let class = "( 2.5.6.6 NAME 'person' SUP top STRUCTURAL MUST ( sn $ cn ) MAY ( a $ b ) )";
    let spread = "( 2.5.6.6 MAY(a$b)MUST (sn $cn) NAME 'person' SUP top )";
    let parsed = ObjectClassDescription::parse(spread).expect(spread);
    assert_eq!(parsed.to_string(), class);
    assert_eq!(parsed.must, ["sn", "cn"]);
    let auxiliary = "( 1.2 NAME 'x' SUP ( a $ b ) AUXILIARY MAY c )";
    let rule = "( 2.5.13.2 NAME 'caseIgnoreMatch' SYNTAX 1.3.6 )";
    let rule_use = "( 2.5.13.2 NAME 'caseIgnoreMatch' OBSOLETE APPLIES ( cn $ sn ) )";
    let syntax = "( 1.3.6.1 DESC 'Boolean' X-NOT-HUMAN-READABLE 'TRUE' )";
    let printed = [
        ObjectClassDescription::parse(auxiliary).map(|parsed| parsed.to_string()),
        MatchingRuleDescription::parse(rule).map(|parsed| parsed.to_string()),
        MatchingRuleUseDescription::parse(rule_use).map(|parsed| parsed.to_string()),
        SyntaxDescription::parse(syntax).map(|parsed| parsed.to_string()),
    ];
    let expected = [auxiliary, rule, rule_use, syntax].map(|text| Ok(text.to_owned()));
    assert_eq!(printed, expected);
}

#[test]
fn faults_say_where_and_why() {
    let table = [
        ("", 0, "begins with `(`, not the end"),
        ("2.5.4.3", 0, "begins with `(`"),
        ("( 2.5.4.3 NAME 'cn' SUP name", 28, "closing `)` is missing"),
        ("( NAME 'cn' SUP name )", 7, "keyword such as"),
        ("( 2.5.4.03 SUP name )", 2, "numeric OID"),
        ("( 1.2 NAMES 'cn' SUP name )", 6, "`NAMES` is not a field of an attribute type"),
        ("( 1.2 NAME 'cn' NAME 'sn' SUP name )", 16, "NAME is given twice"),
        ("( 1.2 NAME 'c n' SUP name )", 11, "a NAME is"),
        ("( 1.2 NAME 'cn SUP name )", 11, "never closed"),
        ("( 1.2 NAME 'cn' )", 17, "needs SUP or SYNTAX"),
        ("( 1.2 SUP name ) x", 17, "nothing may follow"),
        ("( 1.2 SUP name USAGE mine )", 21, "USAGE is"),
        ("( 1.2 SYNTAX 1.2{x} )", 13, "a length is written"),
        ("( 1.2 DESC cn SUP name )", 11, "DESC must be text"),
        ("( 1.2 X-ORIGIN ( 'a' SUP name )", 21, "X-ORIGIN must be text"),
        ("( foo:1.2 SUP name )", 2, "`foo` is not defined"),
        ("( 1.2 SUP ( a $ b ) )", 10, "SUP must be a name"),
    ];
    for (text, offset, what) in table {
        let error = AttributeTypeDescription::parse(text).expect_err(text);
        assert!(error.what.contains(what), "{text}: {error}");
        assert_eq!(error.offset, offset, "{text}: {error}");
    }
    assert!(MatchingRuleDescription::parse("( 1.2 )").is_err());
    assert!(MatchingRuleUseDescription::parse("( 1.2 )").is_err());
    let long = format!("( 1.2 DESC '{}' )", "x".repeat(MAX_DESCRIPTION_BYTES));
    assert!(SyntaxDescription::parse(&long).is_err());
}

fn any_oid() -> impl Strategy<Value = String> {
    "[a-z][a-zA-Z0-9_-]{0,6}|[0-2](\\.[1-9][0-9]{0,3}){1,4}"
}

fn any_extensions() -> impl Strategy<Value = Extensions> {
    let values = proptest::collection::vec("[ -~é]{0,6}", 0..3);
    proptest::collection::vec(("X-[A-Z-]{1,6}", values), 0..3)
}

prop_compose! {
    fn any_attribute_type()(
        oid in any_oid(),
        names in proptest::collection::vec("[a-z][a-z0-9-]{0,4}", 0..3),
        description in proptest::option::of(".{0,8}"),
        flags in any::<[bool; 4]>(),
        superior in any_oid(),
        rules in any::<[Option<bool>; 3]>(),
        syntax in proptest::option::of((any_oid(), any::<Option<u32>>())),
        usage in 0..4_usize,
        extensions in any_extensions(),
    ) -> AttributeTypeDescription {
        let rule = |set: Option<bool>| set.map(|_| "someMatch".to_owned());
        let (syntax, length) = syntax.map_or((None, None), |(oid, length)| (Some(oid), length));
        AttributeTypeDescription {
            oid, names, description, obsolete: flags[0], superior: Some(superior),
            equality: rule(rules[0]), ordering: rule(rules[1]), substring: rule(rules[2]),
            syntax, length, single_value: flags[1], collective: flags[2],
            no_user_modification: flags[3], usage: Usage::ALL[usage], extensions,
        }
    }
}

prop_compose! {
    fn any_object_class()(
        oid in any_oid(),
        names in proptest::collection::vec("[a-z][a-z0-9-]{0,4}", 0..3),
        description in proptest::option::of(".{0,8}"),
        obsolete in any::<bool>(),
        lists in proptest::collection::vec(proptest::collection::vec(any_oid(), 0..4), 3),
        kind in 0..3_usize,
        extensions in any_extensions(),
    ) -> ObjectClassDescription {
        let kinds = [ClassKind::Abstract, ClassKind::Structural, ClassKind::Auxiliary];
        ObjectClassDescription {
            oid, names, description, obsolete, kind: kinds[kind], superiors: lists[0].clone(),
            must: lists[1].clone(), may: lists[2].clone(), extensions,
        }
    }
}

proptest! {
    #[test]
    fn printed_attribute_types_read_back(description in any_attribute_type()) {
        let printed = description.to_string();
        prop_assert_eq!(AttributeTypeDescription::parse(&printed), Ok(description));
    }

    #[test]
    fn printed_object_classes_read_back(description in any_object_class()) {
        let printed = description.to_string();
        prop_assert_eq!(ObjectClassDescription::parse(&printed), Ok(description));
    }

    #[test]
    fn no_text_panics(text in ".{0,60}|\\( 1\\.2 ([A-Z-]{2,6}|'[a-z\\\\0-9]{0,4}'|[a-z()$ {}:']){0,12}") {
        let _ = AttributeTypeDescription::parse(&text);
        let _ = ObjectClassDescription::parse(&text);
        let _ = MatchingRuleUseDescription::parse(&text);
        let _ = MatchingRuleDescription::parse(&text);
        let _ = SyntaxDescription::parse(&text);
    }
}
