//! LDIF written: the same record always gives the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{LdifAttribute, LdifControl, LdifModification, LdifValue, Record, RecordKind};
use crate::message::ModifyOperation;

/// RFC 2849 leaves the width open; 76 is what its examples and every tool use.
const LINE_WIDTH: usize = 76;

/// The line that opens a file.
pub fn write_version(out: &mut Vec<u8>) {
    out.extend_from_slice(b"version: 1\n\n");
}

/// A whole record and the empty line after it.
pub fn write_record(out: &mut Vec<u8>, record: &Record<'_>) {
    write_dn(out, &record.dn);
    for control in &record.controls {
        write_control(out, control);
    }
    match &record.kind {
        RecordKind::Content(attributes) => write_attributes(out, attributes),
        RecordKind::Add(attributes) => {
            write_attribute(out, "changetype", b"add");
            write_attributes(out, attributes);
        }
        RecordKind::Delete => write_attribute(out, "changetype", b"delete"),
        RecordKind::Modify(modifications) => {
            write_attribute(out, "changetype", b"modify");
            modifications.iter().for_each(|modification| write_modification(out, modification));
        }
        RecordKind::ModifyDn { new_rdn, delete_old_rdn, new_superior } => {
            write_attribute(out, "changetype", b"modrdn");
            write_attribute(out, "newrdn", new_rdn.as_bytes());
            write_attribute(out, "deleteoldrdn", if *delete_old_rdn { b"1" } else { b"0" });
            if let Some(superior) = new_superior {
                write_attribute(out, "newsuperior", superior.as_bytes());
            }
        }
    }
    out.push(b'\n');
}

/// The line a record begins with.
pub fn write_dn(out: &mut Vec<u8>, dn: &str) {
    write_attribute(out, "dn", dn.as_bytes());
}

/// One value; base64 where RFC 2849 does not let it stand as it is; folded.
pub fn write_attribute(out: &mut Vec<u8>, description: &str, value: &[u8]) {
    let start = out.len();
    out.extend_from_slice(description.as_bytes());
    write_value(out, value);
    end_line(out, start);
}

/// A value that the reader is to fetch.
pub fn write_url(out: &mut Vec<u8>, description: &str, url: &str) {
    let start = out.len();
    out.extend_from_slice(description.as_bytes());
    out.extend_from_slice(b":< ");
    out.extend_from_slice(url.as_bytes());
    end_line(out, start);
}

fn write_attributes(out: &mut Vec<u8>, attributes: &[LdifAttribute<'_>]) {
    for attribute in attributes {
        write_either(out, &attribute.description, &attribute.value);
    }
}

fn write_either(out: &mut Vec<u8>, description: &str, value: &LdifValue<'_>) {
    match value {
        LdifValue::Inline(bytes) => write_attribute(out, description, bytes),
        LdifValue::Url(url) => write_url(out, description, url),
    }
}

fn write_modification(out: &mut Vec<u8>, modification: &LdifModification<'_>) {
    let operation = match modification.operation {
        ModifyOperation::Add => "add",
        ModifyOperation::Delete => "delete",
        ModifyOperation::Replace => "replace",
        ModifyOperation::Increment => "increment",
    };
    write_attribute(out, operation, modification.description.as_bytes());
    for value in &modification.values {
        write_either(out, &modification.description, value);
    }
    out.extend_from_slice(b"-\n");
}

fn write_control(out: &mut Vec<u8>, control: &LdifControl<'_>) {
    let start = out.len();
    out.extend_from_slice(b"control: ");
    out.extend_from_slice(control.oid.as_bytes());
    if control.critical {
        out.extend_from_slice(b" true");
    }
    match &control.value {
        None => {}
        Some(LdifValue::Inline(value)) => write_value(out, value),
        Some(LdifValue::Url(url)) => {
            out.extend_from_slice(b":< ");
            out.extend_from_slice(url.as_bytes());
        }
    }
    end_line(out, start);
}

/// The colon and what follows it.
fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    if value.is_empty() {
        out.push(b':');
    } else if is_safe(value) {
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
    } else {
        out.extend_from_slice(b":: ");
        out.extend_from_slice(STANDARD.encode(value).as_bytes());
    }
}

/// RFC 2849 `SAFE-STRING`, and its note 8: a value that ends in a space is encoded too.
fn is_safe(value: &[u8]) -> bool {
    let safe = |&byte: &u8| !matches!(byte, 0 | b'\n' | b'\r' | 0x80..);
    !matches!(value.first(), Some(b' ' | b':' | b'<'))
        && value.last() != Some(&b' ')
        && value.iter().all(safe)
}

fn end_line(out: &mut Vec<u8>, start: usize) {
    if out.len() - start > LINE_WIDTH {
        let tail = out.split_off(start + LINE_WIDTH);
        for piece in tail.chunks(LINE_WIDTH - 1) {
            out.extend_from_slice(b"\n ");
            out.extend_from_slice(piece);
        }
    }
    out.push(b'\n');
}
