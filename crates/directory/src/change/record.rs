//! What the change log keeps of a change: a head, and an LDIF change record's body after all stamps
//! and hashes (docs/design/storage.md, "Change record").

use ldap::ldif::write_attribute;

use crate::change::perform::Differing;
use crate::change::prepare::links::LinkChange;
use crate::entry::Entry;
use crate::store::EntryId;

const VERSION: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Add = 1,
    Delete = 2,
    Modify = 3,
    Rename = 4,
    BulkLoad = 5,
}

pub(crate) struct Head<'h> {
    pub kind: Kind,
    pub time_ms: u64,
    pub id: EntryId,
    /// The entryUUID's text; anything else is kept as zeros.
    pub uuid: &'h str,
    pub dn: &'h str,
    pub author: &'h str,
}

pub(crate) fn encode(head: &Head<'_>, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + head.dn.len() + head.author.len() + body.len());
    out.push(VERSION);
    out.push(head.kind as u8);
    out.extend_from_slice(&head.time_ms.to_le_bytes());
    out.extend_from_slice(&head.id.0.to_le_bytes());
    out.extend_from_slice(uuid::Uuid::try_parse(head.uuid).unwrap_or_default().as_bytes());
    for text in [head.dn, head.author] {
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(body);
    out
}

/// When a recorded change was made; 0 where the record is too short to say.
pub(crate) fn time_ms(record: &[u8]) -> u64 {
    let bytes = record.get(2..10).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map_or(0, u64::from_le_bytes)
}

/// The whole entry as it was added.
pub(crate) fn added(entry: &Entry, links: &[LinkChange]) -> Vec<u8> {
    let mut out = Vec::new();
    for attribute in &entry.attributes {
        for value in attribute.values.iter() {
            write_attribute(&mut out, &attribute.described.text, value);
        }
    }
    for change in links.iter().filter(|change| change.text.is_some()) {
        write_attribute(&mut out, &change.described.text, &change.value);
    }
    out
}

/// The attributes that differ, each replaced by what it is now; links by what came and went.
pub(crate) fn modified((before, after): &Differing<'_>, links: &[LinkChange]) -> Vec<u8> {
    let values = after.iter().flat_map(|attribute| attribute.values.iter());
    let mut out = Vec::with_capacity(values.map(|value| value.len() + 64).sum());
    for attribute in after {
        write_attribute(&mut out, "replace", attribute.described.text.as_bytes());
        for value in attribute.values.iter() {
            write_attribute(&mut out, &attribute.described.text, value);
        }
        out.extend_from_slice(b"-\n");
    }
    for attribute in before {
        if !after.iter().any(|held| held.described.key == attribute.described.key) {
            write_attribute(&mut out, "replace", attribute.described.text.as_bytes());
            out.extend_from_slice(b"-\n");
        }
    }
    for change in links {
        let verb = if change.text.is_some() { "add" } else { "delete" };
        write_attribute(&mut out, verb, change.described.text.as_bytes());
        write_attribute(&mut out, &change.described.text, &change.value);
        out.extend_from_slice(b"-\n");
    }
    out
}

/// The new name, and the attributes that the rename changed.
pub(crate) fn renamed(differing: &Differing<'_>, new_dn: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_attribute(&mut out, "newdn", new_dn.as_bytes());
    out.extend_from_slice(&modified(differing, &[]));
    out
}
