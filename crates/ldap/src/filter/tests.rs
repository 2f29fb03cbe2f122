//! Filters by hand, as text and as bytes; both come back.

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::ber::DecodeErrorKind;

fn parse(text: &str) -> Result<Filter<'_>, FilterSyntaxError> {
    Filter::parse(text, &DecodeLimits::default())
}

fn value(bytes: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(bytes)
}

fn equality<'a>(attribute: &'a str, bytes: &'a [u8]) -> Filter<'a> {
    Filter::Equality(Assertion { attribute, value: value(bytes) })
}

fn substrings<'a>(initial: &'a [u8], any: &[&'a [u8]], last: &'a [u8]) -> Filter<'a> {
    let some = |bytes: &'a [u8]| Some(value(bytes)).filter(|bytes| !bytes.is_empty());
    Filter::Substrings(Substrings {
        attribute: "cn",
        initial: some(initial),
        any: any.iter().map(|bytes| value(bytes)).collect(),
        last: some(last),
    })
}

fn extensible<'a>(attribute: &'a str, dn: bool, rule: &'a str, bytes: &'a [u8]) -> Filter<'a> {
    let some = |text: &'a str| Some(text).filter(|text| !text.is_empty());
    Filter::Extensible(Extensible {
        rule: some(rule),
        attribute: some(attribute),
        value: value(bytes),
        dn_attributes: dn,
    })
}

#[test]
fn text_both_ways() {
    let table = [
        ("(cn=Babs Jensen)", equality("cn", b"Babs Jensen")),
        ("(cn=)", equality("cn", b"")),
        ("(cn;lang-de=a=b)", equality("cn;lang-de", b"a=b")),
        ("(1.2.840.1=x)", equality("1.2.840.1", b"x")),
        ("(o=Parens R Us \\28for all your needs\\29)", {
            equality("o", b"Parens R Us (for all your needs)")
        }),
        ("(cn=\\2a\\5c\\00)", equality("cn", b"*\\\0")),
        ("(sn=Lu\u{10d}i\u{107})", equality("sn", b"Lu\xc4\x8di\xc4\x87")),
        ("(bin=\\ff\\fe)", equality("bin", b"\xff\xfe")),
        ("(cn=*)", Filter::Present("cn")),
        ("(cn=*a*)", substrings(b"", &[b"a"], b"")),
        ("(cn=a*)", substrings(b"a", &[], b"")),
        ("(cn=*a)", substrings(b"", &[], b"a")),
        ("(cn=a*b*c*d)", substrings(b"a", &[b"b", b"c"], b"d")),
        ("(cn=*\\2a*)", substrings(b"", &[b"*"], b"")),
        ("(a~=b)", Filter::Approx(Assertion { attribute: "a", value: value(b"b") })),
        ("(a>=b)", Filter::GreaterOrEqual(Assertion { attribute: "a", value: value(b"b") })),
        ("(a<=b)", Filter::LessOrEqual(Assertion { attribute: "a", value: value(b"b") })),
        ("(cn:caseExactMatch:=Fred)", extensible("cn", false, "caseExactMatch", b"Fred")),
        ("(cn:=Betty)", extensible("cn", false, "", b"Betty")),
        ("(sn:dn:2.4.6.8.10:=Barney)", extensible("sn", true, "2.4.6.8.10", b"Barney")),
        ("(o:dn:=Ace)", extensible("o", true, "", b"Ace")),
        ("(:1.2.3:=Wilma)", extensible("", false, "1.2.3", b"Wilma")),
        ("(:dn:2.4.6.8.10:=Dino)", extensible("", true, "2.4.6.8.10", b"Dino")),
        ("(&)", Filter::And(vec![])),
        ("(|)", Filter::Or(vec![])),
        ("(!(cn=*))", Filter::Not(Box::new(Filter::Present("cn")))),
        ("(&(a=*)(|(b=*)(c=d)))", {
            let inner = Filter::Or(vec![Filter::Present("b"), equality("c", b"d")]);
            Filter::And(vec![Filter::Present("a"), inner])
        }),
    ];
    for (text, filter) in table {
        assert_eq!(parse(text).as_ref(), Ok(&filter), "{text}");
        assert_eq!(filter.to_string(), text);
        assert_eq!(FilterBytes::from_filter(&filter).filter(), filter, "{text}");
    }
    assert_eq!(parse("(cn=\\2A)"), Ok(equality("cn", b"*")), "either case of a digit");
    assert_eq!(parse("(o:DN:=a)"), Ok(extensible("o", true, "", b"a")), "either case of dn");
}

#[test]
fn values_without_escapes_are_borrowed() {
    let Ok(Filter::Equality(assertion)) = parse("(cn=plain)") else { panic!("no equality") };
    assert!(matches!(assertion.value, Cow::Borrowed(_)));
}

#[test]
fn texts_that_are_no_filters() {
    let table = [
        ("", 0),
        ("cn=a", 0),
        ("(cn=a", 5),
        ("(cn=a))", 6),
        ("(cn=a)x", 6),
        ("()", 1),
        ("(cn)", 3),
        ("(=a)", 1),
        ("(c n=a)", 1),
        ("(cn~a)", 4),
        ("(cn>a)", 4),
        ("(cn=a(b)", 5),
        ("(cn=\\2)", 4),
        ("(cn=\\zz)", 4),
        ("(cn=\\)", 4),
        ("(cn=a\0)", 5),
        ("(cn=a**b)", 6),
        ("(cn=**)", 5),
        ("(cn>=a*)", 6),
        ("(cn:=a*)", 6),
        ("(cn:dn)", 6),
        ("(:=a)", 3),
        ("(:dn:=a)", 6),
        ("(cn::=a)", 4),
        ("(cn:a:b:=c)", 6),
        ("(!)", 2),
        ("(!(a=*)(b=*))", 7),
        ("(&(a=*)", 7),
        ("(& (a=*))", 2),
        ("(cn=é\\c)", 6),
    ];
    for (text, offset) in table {
        let error = parse(text).unwrap_err();
        assert_eq!(error.offset, offset, "{text:?}: {error}");
    }
}

#[test]
fn text_is_limited_like_the_wire() {
    let deep = |count| format!("{}(a=*){}", "(!".repeat(count), ")".repeat(count));
    assert!(parse(&deep(63)).is_ok());
    assert!(parse(&deep(64)).is_err());
    assert!(parse(&deep(100_000)).is_err());
    let wide = |count| format!("(&{})", "(a=*)".repeat(count));
    assert!(parse(&wide(4095)).is_ok());
    assert!(parse(&wide(4096)).is_err());
    let pieces = |count| format!("(a=*{})", "b*".repeat(count));
    assert!(parse(&pieces(4000)).is_ok());
    assert!(parse(&pieces(5000)).is_err());
}

#[test]
fn bytes_are_limited() {
    let limits = DecodeLimits { filter_depth_max: 3, filter_nodes_max: 6, ..Default::default() };
    let table = [
        ("(a=*)", true),
        ("(!(!(a=*)))", true),
        ("(!(!(!(a=*))))", false),
        ("(&(a=*)(a=*)(a=*)(a=*)(a=*))", true),
        ("(&(a=*)(a=*)(a=*)(a=*)(a=*)(a=*))", false),
        ("(&(|(a=*)(a=*))(|(a=*)))", true),
        ("(&(|(a=*)(a=*))(|(a=*)(a=*)))", false),
        ("(a=b*c*d*e*f)", true),
        ("(a=b*c*d*e*f*g)", false),
    ];
    for (text, fits) in table {
        let bytes = FilterBytes::from_filter(&parse(text).unwrap());
        let got = FilterBytes::from_wire(bytes.as_bytes(), &limits);
        assert_eq!(got.is_ok(), fits, "{text}");
        if let Err(error) = got {
            assert!(matches!(error.kind, DecodeErrorKind::TooMany(_)), "{text}: {error}");
        }
    }
}

#[test]
fn bytes_by_hand() {
    let table: &[(&[u8], Result<Filter<'_>, DecodeErrorKind>)] = &[
        (b"\x87\x02cn", Ok(Filter::Present("cn"))),
        (b"\xa0\x00", Ok(Filter::And(vec![]))),
        (b"\xa1\x04\x87\x02cn", Ok(Filter::Or(vec![Filter::Present("cn")]))),
        (b"\xa4\x0d\x04\x02cn\x30\x07\x80\x01a\x82\x02bc", Ok(substrings(b"a", &[], b"bc"))),
        (b"\xa4\x0c\x04\x02cn\x30\x06\x81\x01a\x81\x01b", Ok(substrings(b"", &[b"a", b"b"], b""))),
        (b"\xa9\x0a\x82\x02cn\x83\x01v\x84\x01\xff", Ok(extensible("cn", true, "", b"v"))),
        (b"\xa9\x07\x81\x02\x31.\x83\x01v", Ok(extensible("", false, "1.", b"v"))),
        (b"", Err(DecodeErrorKind::Missing("the filter"))),
        (b"\x87\x00", Err(DecodeErrorKind::Invalid("a presence filter must name an attribute"))),
        (b"\xa7\x00", Err(DecodeErrorKind::UnknownChoice("Filter"))),
        (b"\xa2\x00", Err(DecodeErrorKind::Missing("the filter"))),
        (
            b"\xa2\x06\x87\x01a\x87\x01b",
            Err(DecodeErrorKind::Invalid("a not filter must hold exactly one filter")),
        ),
        (
            b"\xa4\x06\x04\x02cn\x30\x00",
            Err(DecodeErrorKind::Invalid("a substring filter has no substring")),
        ),
        (
            b"\xa4\x08\x04\x02cn\x30\x02\x80\x00",
            Err(DecodeErrorKind::Invalid("a substring must not be empty")),
        ),
        (b"\xa4\x09\x04\x02cn\x30\x03\x83\x01a", Err(DecodeErrorKind::UnknownChoice("substring"))),
        (
            b"\xa9\x03\x83\x01v",
            Err(DecodeErrorKind::Missing("the matching rule or the type of an extensible match")),
        ),
        (b"\xa3\x05\x04\x02cn\x04\x01", Err(DecodeErrorKind::Truncated)),
    ];
    for (bytes, expected) in table {
        let got = Filter::decode(&mut Reader::new(bytes), &DecodeLimits::default());
        assert_eq!(got.map_err(|error| error.kind), *expected, "{bytes:02x?}");
    }
    let orders: [&[u8]; 5] =
        [&[0x81, 0x80], &[0x82, 0x80], &[0x82, 0x81], &[0x80, 0x80], &[0x82, 0x82]];
    for order in orders {
        let mut bytes = b"\xa4\x0c\x04\x02cn\x30\x06".to_vec();
        bytes.extend(order.iter().flat_map(|&tag| [tag, 1, b'a']));
        let error = FilterBytes::from_wire(&bytes, &DecodeLimits::default()).unwrap_err();
        assert!(error.to_string().starts_with("an initial substring must come first"), "{error}");
    }
}

#[test]
fn kept_bytes_are_one_whole_filter() {
    let limits = DecodeLimits::default();
    let kept = FilterBytes::from_wire(b"\x87\x02cn", &limits).unwrap();
    assert_eq!(kept.filter(), Filter::Present("cn"));
    assert_eq!(kept.as_bytes(), b"\x87\x02cn");
    assert!(FilterBytes::from_wire(b"\x87\x02cn\x00", &limits).is_err());
    let handmade = FilterBytes::from_filter(&Filter::Present(""));
    assert_eq!(handmade.filter(), Filter::Or(vec![]));
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["cn", "objectClass", "sn;lang-de", "2.5.4.3", "a-b"])
}

fn octets(least: usize) -> impl Strategy<Value = Cow<'static, [u8]>> {
    let random = prop::collection::vec(any::<u8>(), least..40);
    let pointed = prop::collection::vec(prop::sample::select(&b"*()\\\0a=:"[..]), least..20);
    prop_oneof![random, pointed].prop_map(Cow::Owned)
}

fn assertion() -> impl Strategy<Value = Assertion<'static>> {
    (name(), octets(0)).prop_map(|(attribute, value)| Assertion { attribute, value })
}

fn item() -> impl Strategy<Value = Filter<'static>> {
    let piece = || prop::option::of(octets(1));
    let substrings = (name(), piece(), prop::collection::vec(octets(1), 0..3), piece())
        .prop_filter("at least one piece", |(_, initial, any, last)| {
            initial.is_some() || !any.is_empty() || last.is_some()
        })
        .prop_map(|(attribute, initial, any, last)| {
            Filter::Substrings(Substrings { attribute, initial, any, last })
        });
    let extensible = (prop::option::of(name()), prop::option::of(name()), octets(0), any::<bool>())
        .prop_filter("a rule or an attribute", |(rule, attribute, ..)| {
            rule.is_some() || attribute.is_some()
        })
        .prop_map(|(rule, attribute, value, dn_attributes)| {
            Filter::Extensible(Extensible { rule, attribute, value, dn_attributes })
        });
    prop_oneof![
        assertion().prop_map(Filter::Equality),
        assertion().prop_map(Filter::GreaterOrEqual),
        assertion().prop_map(Filter::LessOrEqual),
        assertion().prop_map(Filter::Approx),
        name().prop_map(Filter::Present),
        substrings,
        extensible,
    ]
}

/// Any filter of a few levels.
pub(crate) fn any_filter() -> impl Strategy<Value = Filter<'static>> {
    item().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..5).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn filters_come_back_from_text_and_bytes(filter in any_filter()) {
        let text = filter.to_string();
        let parsed = parse(&text);
        prop_assert_eq!(parsed.as_ref(), Ok(&filter), "{}", text);
        prop_assert!(!text.contains(|character: char| character.is_ascii_control()));
        let kept = FilterBytes::from_filter(&filter);
        prop_assert_eq!(kept.filter(), filter);
    }

    #[test]
    fn random_text_does_no_harm(text in "[(]?[&|!(]{0,3}[a-z=~<>:*()\\\\0-9é]{0,30}[)]{0,3}") {
        if let Ok(filter) = parse(&text) {
            let printed = filter.to_string();
            prop_assert_eq!(parse(&printed), Ok(filter));
        }
    }

    #[test]
    fn any_text_does_no_harm(text: String) {
        let _ = parse(&text);
    }
}
