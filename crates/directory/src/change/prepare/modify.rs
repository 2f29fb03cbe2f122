//! Modifying an entry (RFC 4511 §4.6), and setting its password.

use ldap::message::ModifyOperation;
use ldap::result::ResultCode;

use crate::access::Rights;
use crate::change::Modification;
use crate::change::apply::{Explained, apply};
use crate::change::prepare::links::Links;
use crate::change::prepare::rules::{check_name_kept, parse_rdn};
use crate::change::prepare::{Prepared, PreparedModify, Preparing, denied, standing};
use crate::entry::Entry;
use crate::refusal::{Error, Refusal};
use crate::tree::Candidate;

pub(crate) fn prepare(
    preparing: &Preparing<'_, '_>,
    dn: &str,
    modifications: &[Modification],
) -> Result<Prepared, Error> {
    let tree = preparing.tree;
    let candidate = preparing.judge.locate(tree, dn, preparing.controls.manage_dsa_it)?;
    preparing.assert(&candidate)?;
    let explained = modifications
        .iter()
        .map(|one| preparing.explain(&one.attribute, one.operation))
        .collect::<Result<Vec<_>, _>>()?;
    check_rights(preparing, &candidate, &explained)?;
    let before = Entry::decode(&candidate.record, tree.catalogue)?;
    let mut after = before.clone();
    let mut links = Links::of(tree, candidate.id, before.flags);
    for modification in &explained {
        if modification.described.link {
            links.apply(modification, preparing.controls.permissive)?;
        } else {
            apply(&mut after, preparing.schema(), modification, preparing.controls.permissive)?;
        }
    }
    let unlocks = standing::end(preparing, candidate.id, &explained, &mut after);
    let rdns = parse_rdn(&after.rdn)?;
    check_name_kept(preparing, &after, &rdns)?;
    if explained.iter().any(|one| one.described.key == "entryuuid") {
        preparing.check_uuid(&after, Some(candidate.id))?;
    }
    let relaxes = preparing.relaxes(preparing.judge.of(&candidate).entry()?);
    let structural = preparing.check_schema(Some(&before), (&after, &rdns), &links, relaxes)?;
    check_structural(&before, structural, relaxes)?;
    preparing.stamp(&mut after, "structuralobjectclass", structural)?;
    if !explained.iter().any(|one| one.described.key == "modifytimestamp") {
        preparing.stamp_modified(&mut after)?;
    }
    Ok(Prepared::Modify(Box::new(PreparedModify {
        id: candidate.id,
        dn: candidate.dn()?.to_owned(),
        before,
        after,
        links: links.into_changes(),
        unlocks,
    })))
}

fn check_rights(
    preparing: &Preparing<'_, '_>,
    candidate: &Candidate<'_, '_>,
    explained: &[Explained<'_>],
) -> Result<(), Error> {
    let judged = preparing.judge.of(candidate);
    for modification in explained {
        let described = &modification.described;
        let rights = judged.attribute(&described.type_key)?;
        if !rights.allows(Rights::WRITE) {
            return Err(denied(&format!("change '{}' of this entry", described.text)).into());
        }
        preparing.check_changeable(described, rights)?;
    }
    Ok(())
}

/// RFC 4512 §2.4.2: an entry's structural class does not change while it lives.
fn check_structural(before: &Entry, structural: &str, relax: bool) -> Result<(), Refusal> {
    let old = before.text("structuralobjectclass").unwrap_or(structural);
    if relax || old.eq_ignore_ascii_case(structural) {
        return Ok(());
    }
    Err(Refusal::new(
        ResultCode::OBJECT_CLASS_MODS_PROHIBITED,
        format!("the entry's structural class is '{old}' and cannot become '{structural}'"),
    ))
}

pub(crate) fn prepare_password(
    preparing: &Preparing<'_, '_>,
    dn: &str,
    hash: &[u8],
    only_if: Option<&[u8]>,
) -> Result<Prepared, Error> {
    let tree = preparing.tree;
    let candidate = preparing.judge.locate(tree, dn, false)?;
    if !preparing.judge.of(&candidate).attribute("userpassword")?.allows(Rights::WRITE) {
        return Err(denied("change this entry's password").into());
    }
    let before = Entry::decode(&candidate.record, tree.catalogue)?;
    let mut after = before.clone();
    let held = before.find("userpassword").map(|held| held.values.to_vec()).unwrap_or_default();
    let values = match only_if {
        None => vec![hash.to_vec()],
        Some(old) if held.iter().any(|value| value == old) => {
            held.into_iter().map(|value| if value == old { hash.to_vec() } else { value }).collect()
        }
        Some(_) => return Ok(Prepared::Nothing),
    };
    let modification = Explained {
        operation: ModifyOperation::Replace,
        described: tree.catalogue.describe("userPassword")?,
        values: &values,
    };
    apply(&mut after, preparing.schema(), &modification, true)?;
    let unlocks = only_if.is_none()
        && standing::end(preparing, candidate.id, std::slice::from_ref(&modification), &mut after);
    let links = Links::of(tree, candidate.id, before.flags);
    let rdns = parse_rdn(&after.rdn)?;
    preparing.check_schema(Some(&before), (&after, &rdns), &links, false)?;
    if only_if.is_none() {
        preparing.stamp_modified(&mut after)?;
    }
    Ok(Prepared::Modify(Box::new(PreparedModify {
        id: candidate.id,
        dn: candidate.dn()?.to_owned(),
        before,
        after,
        links: Vec::new(),
        unlocks,
    })))
}
