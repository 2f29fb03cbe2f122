//! Records read, refused and written; the same records however the text arrives.

use proptest::prelude::*;

use super::*;

fn records(text: &str) -> Vec<Record<'_>> {
    let read: Result<Vec<_>, _> = Reader::new(text.as_bytes()).collect();
    read.unwrap_or_else(|error| panic!("{error}"))
}

fn first_error(text: &str) -> LdifError {
    Reader::new(text.as_bytes()).find_map(Result::err).expect(text)
}

/// A record as one line of text, to compare with.
fn shown(record: &Record<'_>) -> String {
    let mut out = format!("{} {}", record.line, record.dn);
    for control in &record.controls {
        let value = control.value.as_ref().map_or_else(String::new, value);
        out.push_str(&format!(" | control {} {} {value}", control.oid, control.critical));
    }
    let lines = |kind: &str, lines: &[LdifAttribute<'_>]| {
        let shown =
            lines.iter().map(|a| format!(" | {} {}={}", a.line, a.description, value(&a.value)));
        format!(" | {kind}{}", shown.collect::<String>())
    };
    out + &match &record.kind {
        RecordKind::Content(attributes) => lines("content", attributes),
        RecordKind::Add(attributes) => lines("add", attributes),
        RecordKind::Delete => " | delete".to_owned(),
        RecordKind::Modify(modifications) => {
            let shown = modifications.iter().map(|one| {
                let values: Vec<String> = one.values.iter().map(value).collect();
                format!(" | {} {:?} {} {values:?}", one.line, one.operation, one.description)
            });
            shown.collect()
        }
        RecordKind::ModifyDn { new_rdn, delete_old_rdn, new_superior } => {
            format!(" | rename {new_rdn} {delete_old_rdn} {new_superior:?}")
        }
    }
}

fn value(value: &LdifValue<'_>) -> String {
    match value {
        LdifValue::Inline(bytes) => bytes.escape_ascii().to_string(),
        LdifValue::Url(url) => format!("<{url}>"),
    }
}

#[test]
fn records_are_read() {
    let table: &[(&str, &[&str])] = &[
        ("", &[]),
        ("\n\r\n\n", &[]),
        ("# only a comment\n that goes on\n", &[]),
        ("version: 1\n", &[]),
        ("dn: cn=a", &["1 cn=a | content"]),
        ("dn:\nobjectClass: top\n", &["1  | content | 2 objectClass=top"]),
        (
            "version: 1\ndn: cn=a\ncn: a\n\n\n# c\ndn: cn=b\ncn:b\n\n",
            &["2 cn=a | content | 3 cn=a", "7 cn=b | content | 8 cn=b"],
        ),
        (
            "\u{feff}version: 1\r\n\r\ndn: cn=a\r\ncn: a\r\n\r\ndn: cn=b\r\ncn: b",
            &["3 cn=a | content | 4 cn=a", "6 cn=b | content | 7 cn=b"],
        ),
        // Folds, in names, values, base64 and comments; trailing spaces stay.
        (
            "dn: cn=\n a\ndescri\n ption: x\n  y \n# c\n c\ncn:: Y\n Q=\n =\nsn:\n  z\n",
            &["1 cn=a | content | 3 description=x y  | 8 cn=a | 11 sn=z"],
        ),
        ("dn:: Y249w6k=\ncn:   é : b\n", &["1 cn=é | content | 2 cn=\\xc3\\xa9 : b"]),
        (
            "dn: o=x\na:\nb: \nc::\nd;lang-de: e\n",
            &["1 o=x | content | 2 a= | 3 b= | 4 c= | 5 d;lang-de=e"],
        ),
        ("dn: o=x\nphoto:< file:///a b\n", &["1 o=x | content | 2 photo=<file:///a b>"]),
        (
            "dn: o=x\nmember;range=0-1: cn=a\n2.5.4.3: b\n",
            &["1 o=x | content | 2 member;range=0-1=cn=a | 3 2.5.4.3=b"],
        ),
        ("DN: o=x\nChangeType: ADD\no: x\n", &["1 o=x | add | 3 o=x"]),
        ("dn: o=x\nchangetype: delete\n", &["1 o=x | delete"]),
        (
            "dn: o=x\ncontrol: 1.2.3 true\ncontrol: 1.2.4: v\n\
             control: 1.2.5 false:: dg==\nchangetype: delete\n",
            &[
                "1 o=x | control 1.2.3 true  | control 1.2.4 false v | control 1.2.5 false v | delete",
            ],
        ),
        (
            "dn: o=x\nchangetype: modify\nadd: cn\ncn: a\nCN: b\n-\ndelete: sn\n-\n\
             increment: n\nn: 1\n",
            &["1 o=x | 3 Add cn [\"a\", \"b\"] | 7 Delete sn [] | 9 Increment n [\"1\"]"],
        ),
        ("dn: o=x\nchangetype: modify\n", &["1 o=x"]),
        (
            "dn: o=x\nchangetype: modrdn\nnewrdn: o=y\ndeleteoldrdn: 1\n",
            &["1 o=x | rename o=y true None"],
        ),
        (
            "dn: o=x\nchangetype: moddn\nnewrdn: o=y\ndeleteoldrdn: 0\nnewsuperior: c=z\n\n\
             dn: o=z\n",
            &["1 o=x | rename o=y false Some(\"c=z\")", "7 o=z | content"],
        ),
    ];
    for (text, expected) in table {
        let read: Vec<String> = records(text).iter().map(shown).collect();
        assert_eq!(read, *expected, "{text}");
    }
}

#[test]
fn faults_name_the_line() {
    let table = [
        ("dn: o=x\nmail\n", 2, "`mail` has no colon; a line is `name: value`"),
        ("\ncn: x\n", 2, "a record begins with `dn: …`"),
        ("version: 2\ndn: o=x\n", 1, "only version 1"),
        ("dn: o=x\n\n cn: x\n", 3, "continues nothing"),
        ("dn: o=x\nc n: x\n", 2, "`c n` is not an attribute name"),
        ("dn: o=x\n: x\n", 2, "`` is not an attribute name"),
        ("dn: o=x\ncn:: YQ\n", 2, "the value of `cn` is not base64"),
        ("dn: o=x\ncn:: Y Q==\n", 2, "the value of `cn` is not base64"),
        ("dn: o=x\ncn:: YR==\n", 2, "the value of `cn` is not base64"),
        ("dn:: /w==\n", 1, "the value of `dn` is not UTF-8"),
        ("dn:< file:///x\n", 1, "`dn` cannot be read from a URL"),
        ("dn: o=x\njpegPhoto:< file:///x\r\r\n", 2, "control character"),
        ("dn: o=x\no: x\ndn: o=y\n", 3, "a second `dn`"),
        ("dn: o=x\no: x\nchangetype: add\n", 3, "right below `dn`"),
        ("dn: o=x\nchangetype: none\n", 2, "`none` is not known"),
        ("dn: o=x\nchangetype: delete\no: x\n", 3, "nothing may follow"),
        ("dn: o=x\nchangetype: modify\n-\n", 3, "ends nothing"),
        ("dn: o=x\nchangetype: modify\nput: cn\n", 3, "`put` where"),
        ("dn: o=x\nchangetype: modify\nadd: cn\nsn: a\n", 4, "`sn` where `cn` must stand"),
        ("dn: o=x\nchangetype: modrdn\ndeleteoldrdn: 1\n", 2, "needs `newrdn"),
        ("dn: o=x\nchangetype: modrdn\nnewrdn: o=y\n", 2, "needs `deleteoldrdn"),
        ("dn: o=x\nchangetype: modrdn\ndeleteoldrdn: yes\n", 3, "is 0"),
        ("dn: o=x\nchangetype: modrdn\nnewrdn: o=y\nnewrdn: o=z\n", 4, "once each"),
        ("dn: o=x\ncontrol: 1.2 maybe\nchangetype: delete\n", 2, "a control is"),
        ("dn: o=x\ncontrol: me\nchangetype: delete\n", 2, "`me` is not a numeric OID"),
        ("dn: o=x\ncontrol: 1.2\no: x\n", 3, "`changetype: …` must follow"),
        ("dn: o=x\ncontrol: 1.2\n", 1, "`changetype: …` must follow"),
    ];
    for (text, line, what) in table {
        let error = first_error(text);
        assert!(error.what.contains(what), "{text}: {error}");
        assert_eq!(error.line, line, "{text}: {error}");
    }
    assert!(first_error("dn: o=x\nmail\n").to_string().starts_with("line 2: `mail`"));
}

#[test]
fn a_faulty_record_does_not_end_the_file() {
    let text = "dn: o=a\n\ndn: o=b\nbad\n\n# c\ndn: o=c\n";
    let mut reader = Reader::new(text.as_bytes());
    assert!(matches!(reader.next(), Some(Ok(record)) if record.dn == "o=a"));
    assert!(matches!(reader.next(), Some(Err(error)) if error.line == 4));
    assert_eq!(reader.record_text(), b"dn: o=b\nbad\n");
    assert!(matches!(reader.next(), Some(Ok(record)) if record.line == 7));
    assert!(reader.next().is_none());
    assert_eq!(reader.remaining(), 0);
}

/// Every way to cut the text in two, and one byte at a time.
#[test]
fn pieces_give_the_same_records() {
    let texts = [
        "\u{feff}version: 1\n\n# c\ndn: cn=a\ncn: a\n b\n\n\ndn: cn=b\ncn:: YQ==\n",
        "\r\ndn: cn=a\r\ncn: a\r\n\r\n\r\ndn: cn=b\r\nsn: c",
        "dn: o=x\nchangetype: modify\nadd: cn\ncn: a\n-\n\ndn: o=y\nchangetype: delete\n\n\n",
    ];
    for text in texts {
        let whole: Vec<String> = records(text).iter().map(shown).collect();
        for cut in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(cut);
            assert_eq!(in_pieces(&[first, second]), whole, "{text:?} cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(in_pieces(&bytes), whole, "{text:?} byte by byte");
    }
}

fn in_pieces(pieces: &[&[u8]]) -> Vec<String> {
    let (mut splitter, mut buffer, mut read) = (Splitter::new(), Vec::new(), Vec::new());
    let mut pieces = pieces.iter();
    let mut at_end = false;
    loop {
        match splitter.next_record(&buffer, at_end).expect("no limit is reached") {
            Split::Record { range, line, consumed } => {
                let record = Record::parse(&buffer[range], line).expect("a record");
                read.extend(record.as_ref().map(shown));
                buffer.drain(..consumed);
            }
            Split::NeedMore { .. } if at_end => return read,
            Split::NeedMore { consumed } => {
                buffer.drain(..consumed);
                match pieces.next() {
                    Some(piece) => buffer.extend_from_slice(piece),
                    None => at_end = true,
                }
            }
        }
    }
}

#[test]
fn a_record_of_too_many_lines_is_refused() {
    let lines = usize::try_from(MAX_RECORD_LINES).expect("fits");
    let text = format!("dn: o=x\n{}", "a:\n".repeat(lines));
    let mut reader = Reader::new(text.as_bytes());
    assert!(matches!(reader.next(), Some(Err(error)) if error.what.contains("lines at most")));
    assert!(reader.next().is_none());
}

#[test]
fn values_are_written_as_rfc_2849_wants() {
    let long = "x".repeat(80);
    let folded = format!("cn: {}\n {}\n", &long[..72], &long[72..]);
    let exact = "y".repeat(72);
    let unfolded = format!("cn: {exact}\n");
    let table: &[(&[u8], &str)] = &[
        (b"", "cn:\n"),
        (b"plain: <text>", "cn: plain: <text>\n"),
        (b" a", "cn:: IGE=\n"),
        (b"a ", "cn:: YSA=\n"),
        (b":a", "cn:: OmE=\n"),
        (b"<a", "cn:: PGE=\n"),
        (b"a\nb", "cn:: YQpi\n"),
        (b"a\rb", "cn:: YQ1i\n"),
        (b"a\0b", "cn:: YQBi\n"),
        ("é".as_bytes(), "cn:: w6k=\n"),
        (long.as_bytes(), &folded),
        (exact.as_bytes(), &unfolded),
    ];
    for (value, expected) in table {
        let mut out = Vec::new();
        write_attribute(&mut out, "cn", value);
        assert_eq!(String::from_utf8_lossy(&out), *expected);
    }
}

#[test]
fn changes_are_written_as_they_were_read() {
    let text = "version: 1\n\n\
        dn: o=x\ncontrol: 1.2.3 true: v\ncontrol: 1.2.4\nchangetype: modify\nadd: cn\ncn: a\n\
        cn:< file:///b\n-\ndelete: sn\n-\nreplace: o\no: y\n-\nincrement: n\nn: 1\n-\n\n\
        dn: o=x\nchangetype: add\no: x\n\n\
        dn: o=x\nchangetype: delete\n\n\
        dn: o=x\nchangetype: modrdn\nnewrdn: o=y\ndeleteoldrdn: 1\nnewsuperior: c=z\n\n";
    let mut out = Vec::new();
    write_version(&mut out);
    records(text).iter().for_each(|record| write_record(&mut out, record));
    assert_eq!(String::from_utf8_lossy(&out), text);
}

#[test]
fn file_urls_are_paths() {
    let table = [
        ("file:///etc/a%20b", Ok("/etc/a b")),
        ("file://localhost/a", Ok("/a")),
        ("file:///%C3%A9", Ok("/é")),
        ("file://elsewhere/a", Err("only `file:///path`")),
        ("https://x/a", Err("only `file:///path`")),
        ("file:///a%2", Err("two hex digits")),
        ("file:///a%+1", Err("two hex digits")),
        ("file:///a%00", Err("not UTF-8 text")),
        ("file:///%ff", Err("not UTF-8 text")),
    ];
    for (url, expected) in table {
        match (file_url_path(url), expected) {
            (Ok(path), Ok(expected)) => assert_eq!(path, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{url}: {error}"),
            (found, _) => panic!("{url}: {found:?}"),
        }
    }
}

fn any_attributes() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        "[ -~]{0,200}".prop_map(String::into_bytes),
        "[a :<é\r\n#-]{0,4}".prop_map(String::into_bytes),
    ];
    let description = prop_oneof!["[a-bd-z][a-z]{0,3}(;lang-[a-z]{2})?", "[e-z]{70,90}"];
    let usable = description.prop_filter("a keyword", |name| name != "dn");
    proptest::collection::vec((usable, bytes), 0..8)
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        dn in "[ -~é]{0,100}",
        attributes in any_attributes(),
        is_add in any::<bool>(),
    ) {
        let lines = attributes.iter().map(|(description, value)| LdifAttribute {
            line: 0,
            description: Cow::Borrowed(description),
            value: LdifValue::Inline(Cow::Borrowed(value)),
        });
        let lines = lines.collect();
        let kind = if is_add { RecordKind::Add(lines) } else { RecordKind::Content(lines) };
        let record = Record { line: 1, dn: Cow::Borrowed(&dn), controls: Vec::new(), kind };
        let mut out = Vec::new();
        write_record(&mut out, &record);
        prop_assert!(out.split(|&byte| byte == b'\n').all(|line| line.len() <= 76));
        let mut reader = Reader::new(&out);
        let mut read = reader.next().expect("one record").expect("a good one");
        prop_assert!(reader.next().is_none());
        if let RecordKind::Add(lines) | RecordKind::Content(lines) = &mut read.kind {
            lines.iter_mut().for_each(|line| line.line = 0);
        }
        prop_assert_eq!(&read, &record);
        let mut again = Vec::new();
        write_record(&mut again, &read);
        prop_assert_eq!(again, out);
    }

    #[test]
    fn what_was_read_is_written_and_read_alike(
        lines in proptest::collection::vec(
            prop_oneof![
                "(changetype|add|delete|control|cn|dn):{1,2} [01a =]{0,4}",
                "(newrdn|deleteoldrdn|newsuperior):{1,2} [01a =]{0,4}",
                Just("changetype: modify".to_owned()),
                Just("add: cn ".to_owned()),
                "[Cc][nN]:<? ?[ -~é]{0,90}",
                "(control:|control::|control:<) ?1\\.2( true| false)?(:[:<]? ?[ -~]{0,6})?",
                Just("-".to_owned()),
                Just(" x".to_owned()),
                "#[ -~]{0,5}",
                Just("dn: o=x".to_owned()),
                Just(String::new()),
            ],
            0..12,
        ),
        line_end in "\r?\n",
    ) {
        let text = format!("dn: o=x{line_end}{}", lines.join(&line_end));
        let mut read = Vec::new();
        for record in Reader::new(text.as_bytes()) {
            if let Ok(record) = &record {
                let mut once = Vec::new();
                write_record(&mut once, record);
                let again = Reader::new(&once).next().expect("one").expect("a good one");
                let mut twice = Vec::new();
                write_record(&mut twice, &again);
                prop_assert_eq!(&twice, &once, "{}", String::from_utf8_lossy(&once));
            }
            read.extend(record.as_ref().map(shown));
        }
        if Reader::new(text.as_bytes()).all(|record| record.is_ok()) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(5).collect();
            prop_assert_eq!(in_pieces(&pieces), read);
        }
    }

    #[test]
    fn no_bytes_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        text in "(dn: a|changetype: [adm]|add: a|a: b|-|control: 1.2|:: |:< |[ #:\r\n]){0,20}",
    ) {
        Reader::new(&bytes).for_each(drop);
        Reader::new(text.as_bytes()).for_each(drop);
        let pieces: Vec<&[u8]> = bytes.chunks(7).collect();
        let mut splitter = Splitter::new();
        for piece in pieces {
            let _ = splitter.next_record(piece, false);
        }
        let _ = file_url_path(&text);
    }
}
