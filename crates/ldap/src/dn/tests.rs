//! Names from the RFCs, from real clients, and at random.

use proptest::prelude::*;

use super::*;

fn name(parts: &[&[(&str, &[u8])]]) -> Dn {
    let value = |(attribute, value): &(&str, &[u8])| AttributeValue {
        attribute: (*attribute).to_owned(),
        value: value.to_vec(),
    };
    let rdn = |part: &&[(&str, &[u8])]| Rdn { values: part.iter().map(value).collect() };
    Dn { rdns: parts.iter().map(rdn).collect() }
}

/// Text as sent, the name it means, and how that name is printed.
#[test]
fn names_are_read_and_printed() {
    type Row = (&'static str, &'static [&'static [(&'static str, &'static [u8])]], &'static str);
    let table: &[Row] = &[
        ("", &[], ""),
        ("  ", &[], ""),
        // RFC 4514 §4
        (
            "UID=jsmith,DC=example,DC=net",
            &[&[("UID", b"jsmith")], &[("DC", b"example")], &[("DC", b"net")]],
            "UID=jsmith,DC=example,DC=net",
        ),
        (
            "OU=Sales+CN=J.  Smith,DC=net",
            &[&[("OU", b"Sales"), ("CN", b"J.  Smith")], &[("DC", b"net")]],
            "OU=Sales+CN=J.  Smith,DC=net",
        ),
        (
            "CN=James \\\"Jim\\\" Smith\\, III,DC=net",
            &[&[("CN", b"James \"Jim\" Smith, III")], &[("DC", b"net")]],
            "CN=James \\\"Jim\\\" Smith\\, III,DC=net",
        ),
        ("CN=Before\\0dAfter", &[&[("CN", b"Before\rAfter")]], "CN=Before\\0DAfter"),
        (
            "1.3.6.1.4.1.1466.0=#04024869",
            &[&[("1.3.6.1.4.1.1466.0", b"Hi")]],
            "1.3.6.1.4.1.1466.0=Hi",
        ),
        ("CN=Lu\\C4\\8Di\\C4\\87", &[&[("CN", b"Lu\xc4\x8di\xc4\x87")]], "CN=Lučić"),
        // RFC 2253 §4 and RFC 1779
        (
            " cn = a b ; o = \"x, y\" \n, c=DE ",
            &[&[("cn", b"a b")], &[("o", b"x, y")], &[("c", b"DE")]],
            "cn=a b,o=x\\, y,c=DE",
        ),
        ("OID.2.5.4.3=a", &[&[("2.5.4.3", b"a")]], "2.5.4.3=a"),
        (
            "oid.2.5.4.3 = \"a\\\"b\\\\\" + sn=c",
            &[&[("2.5.4.3", b"a\"b\\"), ("sn", b"c")]],
            "2.5.4.3=a\\\"b\\\\+sn=c",
        ),
        // Other encodings stay encodings; only whole strings are unwrapped.
        ("cn=#020105", &[&[("cn", b"\x02\x01\x05")]], "cn=\\02\\01\\05"),
        ("cn=#0c0461", &[&[("cn", b"\x0c\x04a")]], "cn=\\0C\\04a"),
        ("cn=#138101", &[&[("cn", b"\x13\x81\x01")]], "cn=\\13\\81\\01"),
        ("cn=#16810161", &[&[("cn", b"a")]], "cn=a"),
        // Padding
        ("cn=\\ a\\ ,o=\\ ", &[&[("cn", b" a ")], &[("o", b" ")]], "cn=\\ a\\ ,o=\\ "),
        ("cn=a\\  ", &[&[("cn", b"a ")]], "cn=a\\ "),
        ("cn=\\#1,o=a#b", &[&[("cn", b"#1")], &[("o", b"a#b")]], "cn=\\#1,o=a#b"),
        ("cn=,o=x", &[&[("cn", b"")], &[("o", b"x")]], "cn=,o=x"),
        ("cn=a=b\\=c", &[&[("cn", b"a=b=c")]], "cn=a=b=c"),
        ("cn=\\ff\\00z", &[&[("cn", b"\xff\0z")]], "cn=\\FF\\00z"),
        ("my_type=a", &[&[("my_type", b"a")]], "my_type=a"),
    ];
    for (text, parts, printed) in table {
        let expected = name(parts);
        assert_eq!(Dn::parse(text).as_ref(), Ok(&expected), "{text}");
        assert_eq!(expected.to_string(), *printed, "{text}");
        assert_eq!(Dn::parse(printed), Ok(expected), "{printed}");
    }
}

#[test]
fn faults_say_where_and_why() {
    let table: &[(&str, usize, &str)] = &[
        ("cn", 2, "`=` must follow"),
        ("=a", 0, "an attribute type must stand here"),
        ("cn=a,", 5, "the name ends where"),
        ("cn=a,,o=b", 5, "an attribute type must stand here"),
        ("cn=a+", 5, "the name ends where"),
        ("1a=b", 0, "neither an attribute name"),
        ("1.=b", 0, "neither an attribute name"),
        ("-x=b", 0, "neither an attribute name"),
        ("OID.cn.x=b", 0, "neither an attribute name"),
        ("cn=\"a", 3, "never closed"),
        ("cn=\"a\"b", 6, "only `,`"),
        ("cn=#", 3, "pairs of hex digits"),
        ("cn=#abc", 3, "pairs of hex digits"),
        ("cn=#abcx", 3, "pairs of hex digits"),
        ("cn=#abx", 6, "only `,`"),
        ("cn=a\\", 4, "after `\\`"),
        ("cn=a\\zz", 4, "after `\\`"),
        ("cn=a<b", 4, "write `<` as `\\<`"),
        ("cn=a\"b", 4, "write `\"`"),
        ("cn=a\0b", 4, "`\\00`"),
        ("cn=\"a\0b\"", 5, "`\\00`"),
        ("cn;lang-de=a", 2, "`=` must follow"),
    ];
    for (text, offset, what) in table {
        let error = Dn::parse(text).expect_err(text);
        assert_eq!(error.offset, *offset, "{text}: {error}");
        assert!(error.what.contains(what), "{text}: {error}");
    }
}

#[test]
fn limits_are_kept() {
    let deep = vec!["o=x"; MAX_RDNS].join(",");
    assert_eq!(Dn::parse(&deep).map(|dn| dn.rdns.len()), Ok(MAX_RDNS));
    assert!(Dn::parse(&format!("{deep},o=x")).is_err());
    let wide = vec!["o=x"; MAX_RDN_VALUES].join("+");
    assert!(Dn::parse(&wide).is_ok());
    assert!(Dn::parse(&format!("{wide}+o=x")).is_err());
    let long = format!("o={}", "x".repeat(MAX_DN_BYTES - 2));
    assert!(Dn::parse(&long).is_ok());
    assert!(Dn::parse(&format!("{long}x")).is_err());
}

#[test]
fn names_are_taken_apart() {
    let dn = Dn::parse("cn=a,dc=b").expect("a name");
    assert_eq!(dn.rdn().map(Rdn::to_string).as_deref(), Some("cn=a"));
    let above = dn.parent().expect("a parent");
    assert_eq!(above.to_string(), "dc=b");
    let root = above.parent().expect("the root");
    assert!(root.is_empty() && root.parent().is_none() && root.rdn().is_none());
    assert_eq!(Rdn::parse(" cn = a ").map(|rdn| rdn.to_string()).as_deref(), Ok("cn=a"));
    assert!(Rdn::parse("cn=a,dc=b").is_err());
    assert!(Rdn::parse("").is_err());
}

fn any_value() -> impl Strategy<Value = AttributeValue> {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        "[ #=,+;<>\"\\\\a-cé\n]{0,8}".prop_map(String::into_bytes),
    ];
    ("[a-z][a-z0-9-]{0,6}|[0-2]\\.[1-9][0-9]{0,3}", bytes)
        .prop_map(|(attribute, value)| AttributeValue { attribute, value })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        parts in proptest::collection::vec(proptest::collection::vec(any_value(), 1..3), 0..5)
    ) {
        let dn = Dn { rdns: parts.into_iter().map(|values| Rdn { values }).collect() };
        prop_assert_eq!(Dn::parse(&dn.to_string()), Ok(dn));
    }

    #[test]
    fn no_text_panics(text in ".{0,40}|[a-c0-9=,;+#\"\\\\ .<>]{0,30}") {
        if let Ok(dn) = Dn::parse(&text) {
            prop_assert_eq!(Dn::parse(&dn.to_string()), Ok(dn));
        }
        let _ = Rdn::parse(&text);
    }
}
