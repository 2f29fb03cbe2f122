//! Syntaxes as a table: values that pass and values that do not.

use crate::schema::{Schema, Syntax};

#[test]
fn values() {
    use Syntax::*;
    for (syntax, good, bad) in [
        (DirectoryString, &["x", "é", " "][..], &[""][..]),
        (Ia5String, &["", "a@b"], &["é"]),
        (Integer, &["0", "-5", "123456789012345678901234567890"], &["", "-0", "007", "1.0", "+1"]),
        (Boolean, &["TRUE", "FALSE"], &["true", "", "1"]),
        (BitString, &["''B", "'0101'B"], &["0101", "'2'B", "'0'b"]),
        (Oid, &["cn", "2.5.4.3", "x-a"], &["", "2..5", "2.05", "-x", "a b"]),
        (DistinguishedName, &["", "cn=x", "cn=a+ou=b,dc=c"], &["x", "cn=a,,dc=b"]),
        (NameAndOptionalUid, &["cn=x", "cn=x#'01'B", "cn=x\\#y"], &["cn=x#'02'B"]),
        (
            GeneralizedTime,
            &["20261231235960Z", "2026123123Z", "20261231235959.123+0130"],
            &["2026123124Z", "20261231Z", "20261331000000Z", "20261231235959.Z"],
        ),
        (UtcTime, &["2612312359Z", "261231235959+0100"], &["26123123Z", "2612312359"]),
        (NumericString, &["1 2"], &["", "a"]),
        (PrintableString, &["a'()+,-./:?= "], &["", "a@b", "é", "a_b"]),
        (TelephoneNumber, &["+49 (30) 1"], &["", "+49#1"]),
        (CountryString, &["DE"], &["D", "DEU", "é"]),
        (PostalAddress, &["a$b", "a\\24b\\5C$c"], &["", "a\\b"]),
        (FacsimileTelephoneNumber, &["+1$a3Width", "+1"], &["", "$x"]),
        (TelexNumber, &["1$DE$x"], &["1$2", "1$2$"]),
        (TeletexTerminalIdentifier, &["abc", "abc$graphic:x"], &[""]),
        (DeliveryMethod, &["any", "mhs $ physical"], &["pigeon", ""]),
        (OtherMailbox, &["x$y"], &["x", "$y"]),
        (
            Uuid,
            &["597ae2f6-16a6-1027-98f4-d28b5365dc14"],
            &["{597ae2f6-16a6-1027-98f4-d28b5365dc14}", ""],
        ),
        (
            Csn,
            &["20260101000000.000000Z#000000#000#000000"],
            &["20260101000000.000000Z#0#000#000000"],
        ),
        (NisNetgroupTriple, &["(a,b,c)", "(,-,)"], &["(a,b)", "a,b,c"]),
        (BootParameter, &["root=fs:/export"], &["root=fs", "x"]),
        (AttributeTypeDescription, &["( 1.2 NAME 'x' SYNTAX 1.3 )"], &["", "( 1.2"]),
        (ObjectClassDescription, &["( 1.2 NAME 'x' )"], &["x"]),
        (SubtreeSpecification, &["{}", "{ base \"ou=x\" }"], &["x"]),
        (OctetString, &["", "x"], &[]),
    ] {
        let schema = Schema::standard();
        for value in good {
            assert_eq!(syntax.check(&schema, value.as_bytes()), Ok(()), "{syntax:?} {value:?}");
        }
        for value in bad {
            let outcome = syntax.check(&schema, value.as_bytes());
            assert!(outcome.is_err(), "{syntax:?} took {value:?}");
        }
    }
}

#[test]
fn bytes() {
    let schema = Schema::standard();
    let passes = |syntax: Syntax, value: &[u8]| syntax.check(&schema, value).is_ok();
    assert!(!passes(Syntax::DirectoryString, b"\xff"));
    assert!(passes(Syntax::Jpeg, b"\xff\xd8\xff\xe0"));
    assert!(!passes(Syntax::Jpeg, b"GIF89a"));
    assert!(passes(Syntax::Certificate, &[0x30, 2, 5, 0]));
    assert!(passes(Syntax::Certificate, &[0x30, 0x81, 2, 5, 0]));
    assert!(!passes(Syntax::Certificate, &[0x30, 3, 5, 0]));
    assert!(!passes(Syntax::Certificate, &[0x30, 0x80, 0, 0]));
    assert!(!passes(Syntax::Certificate, &[0x30, 0xff]));
}

#[test]
fn every_syntax_is_found_by_its_oid() {
    let schema = Schema::standard();
    for syntax in schema.syntaxes() {
        assert_eq!(Syntax::find(syntax.oid(&schema)), Some(syntax));
        assert!(!syntax.description(&schema).is_empty());
    }
}
