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
        (
            "( foo-oid NAME 'my_attr' DESC '' SYNTAX '1.3.6.1{64}' usage dsaoperation \
             X-ORIGIN ( 'a' 'b' ) )",
            "( foo-oid NAME 'my_attr' DESC '' SYNTAX 1.3.6.1{64} USAGE dSAOperation \
             X-ORIGIN ( 'a' 'b' ) )",
        ),
        (
            "( 1.2 DESC 'it\\27s \\5c \\q' SUP 'name' COLLECTIVE \
             NO-USER-MODIFICATION OBSOLETE X-A 'b' )",
            "( 1.2 DESC 'it\\27s \\5C \\5Cq' OBSOLETE SUP name COLLECTIVE \
             NO-USER-MODIFICATION X-A 'b' )",
        ),
        (
            "( 1.2 EQUALITY caseIgnoreMatch ORDERING 2.5.13.3 SUBSTR x SYNTAX 1.2{5} )",
            "( 1.2 EQUALITY caseIgnoreMatch ORDERING 2.5.13.3 SUBSTR x SYNTAX 1.2{5} )",
        ),
    ];
    for (text, printed) in table {
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
        ("( 1.2 SYNTAX '1.2'{ )", 18, "`{` is not a field"),
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

const OPENLDAP_FORM: &str = "\
# a comment
objectIdentifier\tBase 1.3.6.1.4.1.99999
objectidentifier BaseAttr Base:1
attributetype ( BaseAttr:1
\tNAME 'one'
# a comment inside

\tSYNTAX Base:7{32}
)
ATTRIBUTETYPE( 1.2 NAME 'two' SUP one )
ditcontentrule ( 1.2 AUX whatever )
ldapsyntax ( Base:7 DESC 'own' )
objectclass
\t( Base:2 NAME 'three' MAY ( one $ two ) )
";

const LDIF_FORM: &str = "\
# a comment
dn: cn=x,cn=schema,cn=config
objectClass: olcSchemaConfig
cn: x
olcAttributeTypes: {0}( BaseAttr:1 NAME 'one' SY
 NTAX Base:7{32} )
olcattributetypes:: ezF9KCAxLjIgTkFNRSAndHdvJyBTVVAgb25lICk=
olcObjectIdentifier: {0}Base 1.3.6.1.4.1.99999
olcObjectIdentifier: {1}BaseAttr Base:1

dn: cn=schema
changetype: modify
add: objectClasses
objectClasses: ( Base:2 NAME 'three' MAY ( one $ two ) )
-
add: ldapSyntaxes
ldapSyntaxes: ( Base:7 DESC 'own' )
";

#[test]
fn both_file_forms_say_the_same() {
    let schema = SchemaFile::parse(OPENLDAP_FORM, "x.schema").expect("the OpenLDAP form");
    let lines = |file: &SchemaFile| -> Vec<u32> {
        let types = file.attribute_types.iter().map(|(line, _)| *line);
        let classes = file.object_classes.iter().map(|(line, _)| *line);
        types.chain(classes).chain(file.syntaxes.iter().map(|(line, _)| *line)).collect()
    };
    assert_eq!(lines(&schema), [4, 10, 13, 12]);
    let (_, first) = &schema.attribute_types[0];
    assert_eq!(
        first.to_string(),
        "( 1.3.6.1.4.1.99999.1.1 NAME 'one' SYNTAX 1.3.6.1.4.1.99999.7{32} )"
    );
    let ldif = SchemaFile::parse(LDIF_FORM, "x.ldif").expect("the LDIF form");
    assert_eq!(lines(&ldif), [5, 7, 14, 17]);
    assert_eq!(printed(&ldif), printed(&schema));
}

fn printed(file: &SchemaFile) -> Vec<String> {
    let types = file.attribute_types.iter().map(|(_, one)| one.to_string());
    let classes = file.object_classes.iter().map(|(_, one)| one.to_string());
    types.chain(classes).chain(file.syntaxes.iter().map(|(_, one)| one.to_string())).collect()
}

#[test]
fn faults_in_files_name_the_line() {
    let table = [
        ("# c\n  ( 1.2 )", 2, "continues nothing"),
        ("attributetype ( 1.2\n\n# c\n NAMES 'x' )", 4, "`NAMES` is not a field"),
        ("\nattributtype ( 1.2 )", 2, "`attributtype` where one of"),
        ("objectidentifier a b:1", 1, "`b` is not defined"),
        ("objectidentifier a 1.2\nobjectidentifier A 1.3", 2, "defined as 1.2 already"),
        ("objectidentifier a 1.2 3", 1, "takes a name and an OID"),
        ("dn: cn=schema\nattributeTypes: ( 1.2 NAME 'x' )", 2, "needs SUP or SYNTAX"),
        ("dn: cn=schema\nattributeTypes ( 1.2 NAME 'x' )", 2, "has no colon"),
        ("dn: cn=schema\nattributeTypes:: (", 2, "base64"),
        ("dn: cn=schema\nattributeTypes:< file:///x", 2, "URL"),
    ];
    for (text, line, what) in table {
        let error = SchemaFile::parse(text, "a.schema").expect_err(text);
        assert!(error.what.contains(what), "{text}: {error}");
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.to_string().starts_with("a.schema, line "), "{error}");
    }
    assert_eq!(SchemaFile::parse("", "empty"), Ok(SchemaFile::default()));
}

/// Everything OpenLDAP ships, if it is installed here: read, printed, read again.
#[test]
fn installed_openldap_schemas_read_back() {
    let Ok(folder) = std::fs::read_dir("/etc/ldap/schema") else {
        eprintln!("SKIPPED: no /etc/ldap/schema here; install slapd to run this test");
        return;
    };
    let is_schema = |path: &std::path::Path| {
        path.extension().is_some_and(|extension| extension == "schema" || extension == "ldif")
    };
    let mut definitions = 0;
    for path in folder.flatten().map(|file| file.path()).filter(|path| is_schema(path)) {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect(&name);
        let file = SchemaFile::parse(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        for (_, one) in &file.attribute_types {
            assert_eq!(AttributeTypeDescription::parse(&one.to_string()).as_ref(), Ok(one));
        }
        for (_, one) in &file.object_classes {
            assert_eq!(ObjectClassDescription::parse(&one.to_string()).as_ref(), Ok(one));
        }
        for (_, one) in &file.syntaxes {
            assert_eq!(SyntaxDescription::parse(&one.to_string()).as_ref(), Ok(one));
        }
        let found = file.attribute_types.len() + file.object_classes.len();
        assert!(found > 0, "{name}: nothing found");
        definitions += found;
        println!("{name}: {found}");
    }
    println!("{definitions} definitions");
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
    fn what_was_read_is_printed_and_read_alike(
        words in proptest::collection::vec(
            prop_oneof![
                "NAME '[a-z]{1,3}'",
                "NAME \\( ('[a-z]'){0,3} \\)",
                "DESC '[ -&(-~]{0,8}'",
                "SYNTAX '?1\\.[1-9](\\{[0-9]{1,3}\\})?'?",
                "(SUP|EQUALITY|ORDERING|SUBSTR) '?[a-z]{1,4}'?",
                "(SUP|MUST|MAY|APPLIES) \\(( ?[a-z]{1,3} ?\\$?){0,3}\\)",
                "X-[A-Za-z{}:é]{0,3} ('a\\\\\\\\27b'|\\( \\)|\\( 'a''b' \\))",
                "OBSOLETE|ABSTRACT|AUXILIARY|COLLECTIVE|USAGE dSAOperation",
            ],
            0..6,
        )
    ) {
        let text = format!("( 1.2 {} )", words.join(" "));
        macro_rules! check {
            ($($kind:ty),*) => {$(
                if let Ok(parsed) = <$kind>::parse(&text) {
                    prop_assert_eq!(<$kind>::parse(&parsed.to_string()), Ok(parsed));
                }
            )*};
        }
        check!(AttributeTypeDescription, ObjectClassDescription, MatchingRuleDescription);
        check!(MatchingRuleUseDescription, SyntaxDescription);
    }

    #[test]
    fn no_text_panics(
        text in ".{0,60}|\\( 1\\.2 ([A-Z-]{2,6}|'[a-z\\\\0-9]{0,4}'|[a-z()$ {}:']){0,12}"
    ) {
        let _ = AttributeTypeDescription::parse(&text);
        let _ = ObjectClassDescription::parse(&text);
        let _ = MatchingRuleUseDescription::parse(&text);
        let _ = MatchingRuleDescription::parse(&text);
        let _ = SyntaxDescription::parse(&text);
        let _ = SchemaFile::parse(&text, "");
        let _ = SchemaFile::parse(&format!("attributetype {text}\nobjectidentifier {text}"), "");
        let _ = SchemaFile::parse(&format!("olcAttributeTypes: {text}"), "");
    }
}
