//! Renaming an entry, or moving it below another (RFC 4511 §4.9). Nothing below it is touched.

use ldap::dn::Rdn;
use ldap::result::ResultCode;

use crate::access::Rights;
use crate::change::prepare::links::Links;
use crate::change::prepare::rules::{add_naming_values, parse_rdn};
use crate::change::prepare::{Prepared, PreparedRename, Preparing, denied};
use crate::entry::{Entry, equality_key};
use crate::judge::Newcomer;
use crate::names::{Resolved, join};
use crate::refusal::{Error, Refusal};
use crate::schema::names::NormalizedDn;
use crate::store::EntryId;
use crate::tree::Candidate;

pub(crate) fn prepare(
    preparing: &Preparing<'_, '_>,
    dn: &str,
    new_rdn: &str,
    delete_old_rdn: bool,
    new_superior: Option<&str>,
) -> Result<Prepared, Error> {
    let tree = preparing.tree;
    let rdns = parse_rdn(new_rdn)?;
    let [rdn] = rdns.as_slice() else {
        let message = format!("'{new_rdn}' must be one relative name, such as 'cn=new name'");
        return Err(Refusal::new(ResultCode::INVALID_DN_SYNTAX, message).into());
    };
    let candidate = preparing.judge.locate(tree, dn, preparing.controls.manage_dsa_it)?;
    preparing.assert(&candidate)?;
    if candidate.record.parent() == EntryId::ROOT {
        let message = "a suffix cannot be renamed; export, change the suffix and import";
        return Err(Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message).into());
    }
    let new_parent = match new_superior {
        Some(superior) => find_superior(preparing, &candidate, superior)?,
        None => candidate.record.parent(),
    };
    let new_dn = join(&rdn.to_string(), &tree.dn(new_parent)?);
    let name = tree.normalize(&new_dn)?;
    if let Some(unknown) = &name.unknown_type {
        let message = format!("'{new_rdn}': the schema has no attribute type '{unknown}'");
        return Err(Refusal::new(ResultCode::INVALID_DN_SYNTAX, message).into());
    }
    let before = Entry::decode(&candidate.record, tree.catalogue)?;
    check_rights(preparing, &candidate, &before, new_parent, &name)?;
    check_free(preparing, &candidate, &name)?;
    let after = renamed(preparing, &before, rdn, delete_old_rdn, new_parent)?;
    let links = Links::of(tree, candidate.id, before.flags);
    let relaxes = preparing.relaxes(preparing.judge.of(&candidate).entry()?);
    preparing.check_schema(Some(&before), (&after, &rdns), &links, relaxes)?;
    Ok(Prepared::Rename(Box::new(PreparedRename {
        id: candidate.id,
        dn: candidate.dn()?.to_owned(),
        new_dn,
        new_parent,
        name_key: name.keys.first().cloned().unwrap_or_default(),
        reversed: name.reversed(),
        before,
        after,
        links: links.into_changes(),
    })))
}

fn find_superior(
    preparing: &Preparing<'_, '_>,
    candidate: &Candidate<'_, '_>,
    superior: &str,
) -> Result<EntryId, Error> {
    let tree = preparing.tree;
    let manage_dsa_it = preparing.controls.manage_dsa_it;
    let parent = preparing.judge.locate(tree, superior, manage_dsa_it).map_err(no_superior)?;
    if tree.is_within(parent.id, candidate.id)? {
        let message = "an entry cannot be moved below itself";
        return Err(Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message).into());
    }
    if parent.is_of_class("alias") {
        let message = "an alias has nothing below it";
        return Err(Refusal::new(ResultCode::ALIAS_PROBLEM, message).into());
    }
    Ok(parent.id)
}

/// RFC 4511 §4.1.9: the matched name is for the entry that was to be changed, not for this one.
fn no_superior(error: Error) -> Error {
    match error {
        Error::Refused(refusal) if refusal.code == ResultCode::NO_SUCH_OBJECT => {
            Error::Refused(Refusal::new(refusal.code, "there is no such entry to move it below"))
        }
        other => other,
    }
}

fn check_free(
    preparing: &Preparing<'_, '_>,
    candidate: &Candidate<'_, '_>,
    name: &NormalizedDn,
) -> Result<(), Error> {
    match preparing.tree.resolve(name)? {
        Resolved::Found(id) if id != candidate.id => {
            Err(Refusal::new(ResultCode::ENTRY_ALREADY_EXISTS, "an entry of the new name exists")
                .into())
        }
        _ => Ok(()),
    }
}

/// A new name takes `write` on the entry; a new place `delete` here and `add` there.
fn check_rights(
    preparing: &Preparing<'_, '_>,
    candidate: &Candidate<'_, '_>,
    before: &Entry,
    new_parent: EntryId,
    name: &NormalizedDn,
) -> Result<(), Error> {
    let here = preparing.judge.of(candidate).entry()?;
    if !here.allows(Rights::WRITE) {
        return Err(denied("rename this entry").into());
    }
    if new_parent == candidate.record.parent() {
        return Ok(());
    }
    if !here.allows(Rights::DELETE) {
        return Err(denied("move this entry away from where it is").into());
    }
    let held = before.attributes.iter();
    let attributes: Vec<_> =
        held.map(|held| (held.described.clone(), held.values.to_vec())).collect();
    let newcomer =
        Newcomer { tree: preparing.tree, parent: new_parent, name, attributes: &attributes };
    if !preparing.judge.of(&newcomer).entry()?.allows(Rights::ADD) {
        return Err(denied("move entries there").into());
    }
    Ok(())
}

fn renamed(
    preparing: &Preparing<'_, '_>,
    before: &Entry,
    rdn: &Rdn,
    delete_old_rdn: bool,
    new_parent: EntryId,
) -> Result<Entry, Error> {
    let mut after = before.clone();
    after.parent = new_parent;
    after.rdn = rdn.to_string();
    if delete_old_rdn {
        remove_naming_values(preparing, &mut after, &before.rdn, rdn)?;
    }
    add_naming_values(preparing, &mut after, std::slice::from_ref(rdn))?;
    preparing.stamp_modified(&mut after)?;
    Ok(after)
}

/// The old name's values go. One that the new name has as well goes too, and comes back as the new
/// name spells it, in its old place.
fn remove_naming_values(
    preparing: &Preparing<'_, '_>,
    entry: &mut Entry,
    old_rdn: &str,
    new_rdn: &Rdn,
) -> Result<(), Error> {
    let schema = preparing.schema();
    let key_of = |attribute: &str, value: &[u8]| -> Result<(String, Vec<u8>), Error> {
        let described = preparing.tree.catalogue.describe(attribute)?;
        let rule = described.attribute_type(schema).and_then(|kind| kind.equality);
        Ok((described.key.clone(), equality_key(schema, rule, value)))
    };
    let mut kept = Vec::new();
    for part in &new_rdn.values {
        kept.push((key_of(&part.attribute, &part.value)?, part.value.clone()));
    }
    for part in parse_rdn(old_rdn)?.iter().flat_map(|rdn| &rdn.values) {
        let old = key_of(&part.attribute, &part.value)?;
        let Some(held) = entry.find(&old.0) else { continue };
        let described = held.described.clone();
        let rule = described.attribute_type(schema).and_then(|kind| kind.equality);
        let mut values = held.values.to_vec();
        match kept.iter().find(|(new, _)| *new == old) {
            Some((_, spelled)) => values
                .iter_mut()
                .filter(|value| equality_key(schema, rule, value) == old.1)
                .for_each(|value| value.clone_from(spelled)),
            None => values.retain(|value| equality_key(schema, rule, value) != old.1),
        }
        entry.set(described, values);
    }
    Ok(())
}
