//! Matching rules as tables: equal, different, ordered, found inside, refused.

use crate::schema::{MatchingRule, Piece, Schema};

fn rule(name: &str) -> MatchingRule {
    MatchingRule::find(name).unwrap_or_else(|| panic!("no rule {name}"))
}

fn normal(name: &str, value: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let outcome = rule(name).normalize(&Schema::standard(), value.as_bytes(), &mut out);
    outcome.ok().map(|()| out)
}

#[test]
fn equal_values() {
    for (name, one, two) in [
        ("caseIgnoreMatch", "Fred", "fReD"),
        ("caseIgnoreMatch", "  Fred   Smith ", "fred smith"),
        ("caseIgnoreMatch", "", "   "),
        ("caseIgnoreMatch", "STRASSE", "Straße"),
        ("caseIgnoreMatch", "STRAẞE", "straße"),
        ("caseIgnoreMatch", "ﬁsh", "FISH"),
        ("caseIgnoreMatch", "ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("caseIgnoreMatch", "Ångström", "A\u{30a}NGSTRO\u{308}M"),
        ("caseIgnoreMatch", "ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("caseIgnoreMatch", "a\u{a0}b", "A  b"),
        ("caseIgnoreMatch", "a\tb\nc", "a b c"),
        ("caseIgnoreMatch", "zero\u{200b}width\u{ad}", "zerowidth"),
        ("caseIgnoreMatch", "\u{feff}bom", "BOM"),
        ("caseIgnoreMatch", "bell\u{7}", "bell"),
        ("caseIgnoreMatch", "™", "tm"),
        ("caseIgnoreMatch", "ⅷ", "VIII"),
        ("caseIgnoreMatch", "\u{212a}elvin", "kelvin"),
        ("caseIgnoreMatch", "ΌΣΟΣ", "όσος"),
        ("caseIgnoreMatch", "İstanbul", "istanbul"),
        ("caseIgnoreMatch", "I\u{307}stanbul", "İSTANBUL"),
        ("caseIgnoreMatch", "\u{b4}x", "\u{301}x"),
        ("caseExactMatch", " a  b ", "a b"),
        ("caseExactMatch", "\u{e9}", "e\u{301}"),
        ("caseIgnoreIA5Match", "A@B.Example", "a@b.example"),
        ("caseExactIA5Match", "/bin/sh ", "/bin/sh"),
        ("numericStringMatch", "12 34", "1234"),
        ("telephoneNumberMatch", "+49 30-1234", "+49301234"),
        ("telephoneNumberMatch", "+1 (5) X", "+1 (5)x"),
        ("caseIgnoreListMatch", "1 Main St$ Town", "1 MAIN st$town "),
        ("booleanMatch", "TRUE", "true"),
        ("objectIdentifierMatch", "person", "2.5.6.6"),
        ("objectIdentifierMatch", "commonName", "CN"),
        ("objectIdentifierFirstComponentMatch", "( 2.5.4.3 NAME 'cn' )", "cn"),
        ("objectIdentifierFirstComponentMatch", "(2.5.4.3 NAME 'cn' )", "2.5.4.3"),
        ("integerFirstComponentMatch", "( 12 NAME 'x' FORM y )", "12"),
        ("directoryStringFirstComponentMatch", "( 'Ab c' x )", "ab  C"),
        (
            "distinguishedNameMatch",
            "CN=Fred  Smith, DC=Example,dc=com",
            "cn=fred smith,dc=example,DC=COM",
        ),
        ("distinguishedNameMatch", "2.5.4.3=x,o=y", "commonName=X,organizationName=Y"),
        ("distinguishedNameMatch", "ou=a+cn=b,dc=x", "cn=B+ou=A,dc=x"),
        ("distinguishedNameMatch", "cn=a\\2cb", "cn=a\\,b"),
        ("distinguishedNameMatch", "unknown=A", "UNKNOWN=a"),
        ("uniqueMemberMatch", "cn=A,dc=x#'01'B", "CN=a,DC=x#'01'B"),
        ("generalizedTimeMatch", "20260101000000Z", "202601010100+0100"),
        ("generalizedTimeMatch", "20251231190000-0500", "2026010100Z"),
        ("generalizedTimeMatch", "2026010100.5Z", "202601010030Z"),
        ("generalizedTimeMatch", "202601010000.25Z", "20260101000015,000Z"),
        ("generalizedTimeMatch", "20240229120000Z", "20240301030000+1500"),
        ("uTCTimeMatch", "260101000000Z", "2601010100+0100"),
        (
            "UUIDMatch",
            "597AE2F6-16A6-1027-98F4-D28B5365DC14",
            "597ae2f6-16a6-1027-98f4-d28b5365dc14",
        ),
        (
            "CSNMatch",
            "20260101000000Z#00000A#00#000000",
            "20260101000000.000000Z#00000a#000#000000",
        ),
        ("rdnMatch", "CN=a+ou=B", "ou=b+cn=A"),
    ] {
        let (left, right) = (normal(name, one), normal(name, two));
        assert!(left.is_some(), "{name}: {one:?} has no normal form");
        assert_eq!(left, right, "{name}: {one:?} and {two:?} should be equal");
    }
}

#[test]
fn different_values() {
    for (name, one, two) in [
        ("caseIgnoreMatch", "ab", "a b"),
        ("caseIgnoreMatch", "ı", "i"),
        ("caseIgnoreMatch", "é", "e"),
        ("caseIgnoreMatch", "a-b", "ab"),
        ("caseExactMatch", "Fred", "fred"),
        ("caseExactMatch", "ß", "ss"),
        ("caseExactIA5Match", "/bin/SH", "/bin/sh"),
        ("telephoneNumberMatch", "+1", "1"),
        ("caseIgnoreListMatch", "a$b", "b$a"),
        ("caseIgnoreListMatch", "a$", "a"),
        ("integerMatch", "1", "-1"),
        ("bitStringMatch", "'01'B", "'1'B"),
        ("octetStringMatch", "a ", "a"),
        ("distinguishedNameMatch", "cn=a,dc=x", "cn=a"),
        ("distinguishedNameMatch", "cn=a,dc=x", "ou=a,dc=x"),
        ("distinguishedNameMatch", "cn=a+ou=b", "cn=a,ou=b"),
        ("uniqueMemberMatch", "cn=a#'0'B", "cn=a"),
        ("generalizedTimeMatch", "2026010100Z", "2026010100+0100"),
        ("objectIdentifierMatch", "person", "organizationalPerson"),
    ] {
        let (left, right) = (normal(name, one), normal(name, two));
        assert!(left.is_some() && right.is_some(), "{name}: {one:?} {two:?}");
        assert_ne!(left, right, "{name}: {one:?} and {two:?} should differ");
    }
}

#[test]
fn ordered_values() {
    for (name, ascending) in [
        (
            "integerOrderingMatch",
            &[
                "-100",
                "-20",
                "-19",
                "-9",
                "-1",
                "0",
                "1",
                "9",
                "10",
                "99",
                "100000000000000000000000",
            ][..],
        ),
        (
            "generalizedTimeOrderingMatch",
            &[
                "19991231235959Z",
                "20260101000000Z",
                "20260101000000.5Z",
                "20260101000001Z",
                "2026010100-0100",
            ],
        ),
        ("caseIgnoreOrderingMatch", &["a", "a b", "ab", "B", "ba"]),
        ("numericStringOrderingMatch", &["1 0", "11", "2"]),
        (
            "UUIDOrderingMatch",
            &["00000000-0000-0000-0000-0000000000ff", "00000000-0000-0000-0000-000000000100"],
        ),
        (
            "CSNOrderingMatch",
            &[
                "20260101000000.000001Z#000000#001#000000",
                "20260101000000.000001Z#000001#000#000000",
            ],
        ),
        ("octetStringOrderingMatch", &["", "a", "aa", "b"]),
    ] {
        for pair in ascending.windows(2) {
            let (low, high) = (normal(name, pair[0]), normal(name, pair[1]));
            assert!(low.is_some() && low < high, "{name}: {:?} before {:?}", pair[0], pair[1]);
            let less =
                rule(name).matches(&Schema::standard(), pair[0].as_bytes(), pair[1].as_bytes());
            assert_eq!(less, Ok(true), "{name} {pair:?}");
        }
    }
}

#[test]
fn refused_values() {
    for (name, value) in [
        ("integerMatch", ""),
        ("integerMatch", "-"),
        ("integerMatch", "1.5"),
        ("integerMatch", "007"),
        ("integerMatch", "-0"),
        ("booleanMatch", "yes"),
        ("generalizedTimeMatch", "20260101"),
        ("generalizedTimeMatch", "20260101000000"),
        ("generalizedTimeMatch", "20260229000000Z"),
        ("generalizedTimeMatch", "00000101000000+0100"),
        ("UUIDMatch", "597ae2f616a6102798f4d28b5365dc14"),
        ("CSNMatch", "20260101000000Z"),
        ("caseIgnoreIA5Match", "é"),
        ("caseIgnoreMatch", "\u{e000}"),
        ("caseIgnoreMatch", "\u{fffd}"),
        ("distinguishedNameMatch", "not a name"),
        ("bitStringMatch", "0101"),
        ("objectIdentifierMatch", "1..2"),
    ] {
        assert_eq!(normal(name, value), None, "{name}: {value:?}");
    }
    let not_utf8 = rule("caseIgnoreMatch").normalize(&Schema::standard(), b"\xff", &mut Vec::new());
    assert!(not_utf8.is_err());
}

/// RFC 4518 §2.6.1's own example, and others.
#[test]
fn pieces_keep_the_spaces_that_count() {
    for (piece, position, expected) in [
        ("foo bar  ", Piece::Initial, " foo  bar "),
        ("foo bar  ", Piece::Any, "foo  bar "),
        ("foo bar  ", Piece::Final, "foo  bar "),
        (" foo", Piece::Any, " foo"),
        ("foo", Piece::Any, "foo"),
        ("foo", Piece::Initial, " foo"),
        ("foo", Piece::Final, "foo "),
        ("   ", Piece::Any, " "),
        ("É", Piece::Any, "é"),
    ] {
        let mut out = Vec::new();
        let schema = Schema::standard();
        rule("caseIgnoreSubstringsMatch")
            .normalize_piece(&schema, piece.as_bytes(), position, &mut out)
            .unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{piece:?} {position:?}");
    }
}

#[test]
fn substring_assertions() {
    for (name, value, assertion, expected) in [
        ("caseIgnoreSubstringsMatch", "Foo Bar", "foo*", true),
        ("caseIgnoreSubstringsMatch", "Foo Bar", "*bar", true),
        ("caseIgnoreSubstringsMatch", "Foo Bar", "*o  b*", true),
        ("caseIgnoreSubstringsMatch", "Foo Bar", "foo * bar", true),
        ("caseIgnoreSubstringsMatch", "FooBar", "foo *", false),
        ("caseIgnoreSubstringsMatch", "abab", "ab*ab", true),
        ("caseIgnoreSubstringsMatch", "aba", "ab*ba", false),
        ("caseIgnoreSubstringsMatch", "a*b", "*\\2A*", true),
        ("caseExactSubstringsMatch", "Foo", "*f*", false),
        ("telephoneNumberSubstringsMatch", "+49 30 12-34", "*012*", true),
        ("caseExactIA5SubstringsMatch", "/home/x", "/home/*", true),
        ("octetStringSubstringsMatch", "abc", "*b*", true),
        ("caseIgnoreListSubstringsMatch", "1 Main$Town", "*main*", true),
        ("caseIgnoreListSubstringsMatch", "1 Main$Town", "*main$t*", true),
    ] {
        let outcome =
            rule(name).matches(&Schema::standard(), value.as_bytes(), assertion.as_bytes());
        assert_eq!(outcome, Ok(expected), "{name}: {value:?} {assertion:?}");
    }
    let whole = rule("caseIgnoreSubstringsMatch").matches(&Schema::standard(), b"a", b"a");
    assert!(whole.is_err(), "an assertion without an asterisk is no substring assertion");
}

#[test]
fn other_assertions() {
    for (name, value, assertion, expected) in [
        ("wordMatch", "Fred P. Smith", "smith", true),
        ("wordMatch", "Fred Smithers", "smith", false),
        ("keywordMatch", "red,green", "GREEN", true),
        ("1.2.840.113556.1.4.803", "514", "2", true),
        ("1.2.840.113556.1.4.803", "512", "2", false),
        ("1.2.840.113556.1.4.803", "-2147483646", "-2147483648", true),
        ("1.2.840.113556.1.4.804", "512", "514", true),
        ("1.2.840.113556.1.4.804", "512", "2", false),
        ("CSNSIDMatch", "20260101000000.000000Z#000000#00a#000000", "00A", true),
        ("1.2.840.113556.1.4.1941", "CN=a", "cn=A", true),
        ("dnSubtreeMatch", "cn=a,OU=b", "ou=B", true),
        ("dnSubtreeMatch", "ou=b", "ou=b", true),
        ("dnSubtreeMatch", "cn=a,ou=bb", "ou=b", false),
        ("dnSubordinateMatch", "cn=a,ou=b", "ou=b", true),
        ("dnSubordinateMatch", "ou=b", "ou=b", false),
        ("dnOneLevelMatch", "cn=a,ou=b", "ou=b", true),
        ("dnOneLevelMatch", "cn=x,cn=a,ou=b", "ou=b", false),
        ("dnOneLevelMatch", "ou=b", "ou=b", false),
        ("dnSuperiorMatch", "ou=b", "cn=a,ou=b", true),
        ("dnSuperiorMatch", "ou=b", "ou=b", false),
    ] {
        let outcome =
            rule(name).matches(&Schema::standard(), value.as_bytes(), assertion.as_bytes());
        assert_eq!(outcome, Ok(expected), "{name}: {value:?} {assertion:?}");
    }
}

#[test]
fn the_table_is_in_order() {
    for rule in MatchingRule::all() {
        assert_eq!(MatchingRule::find(rule.oid()), Some(rule));
        assert_eq!(MatchingRule::find(rule.name()), Some(rule));
        assert!(!rule.assertion_syntax_oid().is_empty());
    }
}
