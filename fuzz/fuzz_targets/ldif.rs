//! Any bytes are records or are refused; records that are written read back as themselves, and
//! arriving in pieces changes nothing.
#![no_main]

use ldap::ldif::{Reader, Record, Split, Splitter, write_record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Vec::new();
    for record in Reader::new(bytes) {
        if let Ok(record) = &record {
            check_written(record);
        }
        whole.push(record.map(|record| written(&record)));
    }
    assert_eq!(in_pieces(bytes), whole);
});

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

fn in_pieces(bytes: &[u8]) -> Vec<Result<Vec<u8>, ldap::ldif::LdifError>> {
    let (mut splitter, mut buffer, mut read) = (Splitter::new(), Vec::new(), Vec::new());
    let mut pieces = bytes.chunks(3);
    let mut at_end = false;
    loop {
        match splitter.next_record(&buffer, at_end).expect("inputs are small") {
            Split::Record { range, line, consumed } => {
                let record = Record::parse(&buffer[range], line).transpose();
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
