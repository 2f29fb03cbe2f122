//! Names, filters, LDIF and schema descriptions.

use ldap::dn::{Dn, MAX_DN_BYTES, Rdn};
use ldap::filter::{Filter, FilterBytes};
use ldap::ldif::{LdifError, Reader, Record, Split, Splitter, write_record};
use ldap::message::DecodeLimits;
use ldap::schema_text::{
    AttributeTypeDescription, MatchingRuleDescription, MatchingRuleUseDescription,
    ObjectClassDescription, SchemaFile, SyntaxDescription,
};

/// Any text is a name or is refused; a name that is printed reads back as itself.
pub fn dn(text: &str) {
    let _ = Rdn::parse(text);
    let Ok(dn) = Dn::parse(text) else { return };
    let printed = dn.to_string();
    // Escapes may make the text longer than what is read.
    if printed.len() <= MAX_DN_BYTES {
        assert_eq!(Dn::parse(&printed), Ok(dn), "{printed}");
    }
}

/// Whatever parses as a filter comes back from its text and from its bytes.
pub fn filter_text(text: &str) {
    let limits = DecodeLimits::default();
    let Ok(filter) = Filter::parse(text, &limits) else { return };
    let printed = filter.to_string();
    assert_eq!(Filter::parse(&printed, &limits).as_ref(), Ok(&filter));
    let kept = FilterBytes::from_filter(&filter);
    assert_eq!(kept.filter(), filter);
    assert!(FilterBytes::from_wire(kept.as_bytes(), &limits).is_ok());
}

/// Any bytes are records or are refused; records that are written read back as themselves, and
/// arriving in pieces changes nothing.
pub fn ldif(bytes: &[u8]) {
    let mut whole = Vec::new();
    for record in Reader::new(bytes) {
        if let Ok(record) = &record {
            check_written(record);
        }
        whole.push(record.map(|record| written(&record)));
    }
    assert_eq!(in_pieces(bytes), whole);
}

fn written(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_record(&mut out, record);
    out
}

fn check_written(record: &Record<'_>) {
    let once = written(record);
    let mut reader = Reader::new(&once);
    let read = reader.next().expect("a record was written").expect("a good one");
    assert_eq!(written(&read), once);
    assert!(reader.next().is_none());
}

fn in_pieces(bytes: &[u8]) -> Vec<Result<Vec<u8>, LdifError>> {
    let (mut splitter, mut buffer, mut read) = (Splitter::new(), Vec::new(), Vec::new());
    let mut pieces = bytes.chunks(3);
    let mut at_end = false;
    loop {
        match splitter.next_record(&buffer, at_end).expect("inputs are small") {
            Split::Record { range, line, consumed } => {
                let record =
                    Record::parse(buffer.get(range).expect("of this buffer"), line).transpose();
                read.extend(record.map(|record| record.map(|record| written(&record))));
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

macro_rules! check {
    ($text:expr, $($kind:ty),*) => {$(
        if let Ok(parsed) = <$kind>::parse($text) {
            let printed = parsed.to_string();
            assert_eq!(<$kind>::parse(&printed), Ok(parsed), "{printed}");
        }
    )*};
}

/// Any text is a description or is refused; one that is printed reads back as itself.
pub fn schema_text(text: &str) {
    check!(
        text,
        AttributeTypeDescription,
        ObjectClassDescription,
        MatchingRuleDescription,
        MatchingRuleUseDescription,
        SyntaxDescription
    );
    let _ = SchemaFile::parse(text, "fuzz");
}
