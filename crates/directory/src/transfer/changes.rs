//! LDIF records as changes, for a directory that holds something already.

use ldap::ldif::{LdifAttribute, LdifValue, Record, RecordKind, file_url_path};

use crate::catalogue::COMPUTED;
use crate::change::{Change, Modification, NewAttribute};

/// Operational attributes of other servers' exports that say where an entry lies in their store, or
/// what the tree itself tells.
pub(crate) const DROPPED: [&str; 8] = [
    "structuralobjectclass",
    "entryid",
    "parentid",
    "dncomp",
    "tombstonenumsubordinates",
    "governingstructurerule",
    "nscpentrydn",
    "entryusn",
];

pub(crate) fn is_dropped(description: &str) -> bool {
    let mut names = COMPUTED.iter().chain(&DROPPED);
    names.any(|name| name.eq_ignore_ascii_case(description))
}

/// The change a record asks for; content records are added.
pub fn change_of(record: &Record<'_>) -> Result<Change, String> {
    let dn = record.dn.to_string();
    Ok(match &record.kind {
        RecordKind::Content(attributes) | RecordKind::Add(attributes) => {
            Change::Add { dn, attributes: gathered(attributes)? }
        }
        RecordKind::Delete => Change::Delete { dn },
        RecordKind::Modify(modifications) => {
            let modifications = modifications.iter().map(|one| {
                let values = one.values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
                let attribute = NewAttribute::new(one.description.as_ref(), values);
                Ok(Modification { operation: one.operation, attribute })
            });
            Change::Modify { dn, modifications: modifications.collect::<Result<_, String>>()? }
        }
        RecordKind::ModifyDn { new_rdn, delete_old_rdn, new_superior } => Change::ModifyDn {
            dn,
            new_rdn: new_rdn.to_string(),
            delete_old_rdn: *delete_old_rdn,
            new_superior: new_superior.as_ref().map(ToString::to_string),
        },
    })
}

/// The lines of one attribute together, without what is never taken from a file.
pub(crate) fn gathered(lines: &[LdifAttribute<'_>]) -> Result<Vec<NewAttribute>, String> {
    let mut attributes: Vec<NewAttribute> = Vec::with_capacity(lines.len());
    for line in lines {
        if is_dropped(&line.description) {
            continue;
        }
        let value = value(&line.value)?;
        let same =
            |held: &&mut NewAttribute| held.description.eq_ignore_ascii_case(&line.description);
        // The lines of an attribute mostly stand together, so the last is looked at first.
        match attributes.iter_mut().rev().find(same) {
            Some(held) => held.values.push(value),
            None => attributes.push(NewAttribute::new(line.description.as_ref(), [value])),
        }
    }
    Ok(attributes)
}

fn value(value: &LdifValue<'_>) -> Result<Vec<u8>, String> {
    match value {
        LdifValue::Inline(value) => Ok(value.to_vec()),
        LdifValue::Url(url) => {
            let path = file_url_path(url)?;
            std::fs::read(&path).map_err(|error| format!("{path} cannot be read: {error}"))
        }
    }
}
