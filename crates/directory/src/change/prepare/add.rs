//! Adding an entry (RFC 4511 §4.7).

use std::sync::Arc;

use ldap::message::ModifyOperation;
use ldap::result::ResultCode;

use crate::access::Rights;
use crate::catalogue::Described;
use crate::change::NewAttribute;
use crate::change::apply::{Explained, apply, repeated};
use crate::change::prepare::links::Links;
use crate::change::prepare::rules::add_naming_values;
use crate::change::prepare::{Prepared, PreparedAdd, Preparing, denied};
use crate::entry::Entry;
use crate::judge::Newcomer;
use crate::names::{NodeKey, Resolved};
use crate::permits::IgnoringAccess;
use crate::referral::Asked;
use crate::refusal::{Error, Refusal};
use crate::schema::names::NormalizedDn;
use crate::search::filter::compile;
use crate::search::given::evaluate_given;
use crate::store::{EntryFlags, EntryId};

pub(crate) fn prepare(
    preparing: &Preparing<'_, '_>,
    dn: &str,
    attributes: &[NewAttribute],
) -> Result<Prepared, Error> {
    let written = crate::names::parse(dn)?;
    let name = preparing.tree.normalize(dn)?;
    // What is wrong with the request itself is said first: it does not depend on what exists.
    let explained = explain(preparing, attributes)?;
    let node = node_of(preparing, dn, &name)?;
    let (place, rights) = find_place(preparing, dn, node, &name, &explained)?;
    let rdns = if place.node.is_suffix {
        written.rdns
    } else {
        written.rdns.into_iter().take(1).collect()
    };
    let rdn = ldap::dn::Dn { rdns: rdns.clone() }.to_string();
    assert(preparing, &explained)?;
    let (parent, flags) = (place.parent, EntryFlags::default());
    let mut entry = Entry { parent, rdn, flags, attributes: Vec::new() };
    let mut links = Links::of_new(preparing.tree, &name);
    for attribute in &explained {
        preparing.check_changeable(&attribute.described, rights)?;
        if attribute.described.link {
            links.apply(attribute, false)?;
        } else if entry.find(&attribute.described.key).is_some() {
            return Err(repeated_attribute(&attribute.described).into());
        } else {
            apply(&mut entry, preparing.schema(), attribute, false)
                .map_err(|refusal| clarify(refusal, &attribute.described))?;
        }
    }
    add_naming_values(preparing, &mut entry, &rdns)?;
    if entry.find("entryuuid").is_some() {
        preparing.check_uuid(&entry, None)?;
    }
    let relaxes = preparing.relaxes(rights);
    let structural = preparing.check_schema(None, (&entry, &rdns), &links, relaxes)?;
    stamp(preparing, &mut entry, structural)?;
    Ok(Prepared::Add(Box::new(PreparedAdd {
        parent: place.parent,
        name_key: place.node.key,
        reversed: name.reversed(),
        entry,
        links: links.into_changes(),
    })))
}

struct Place {
    parent: EntryId,
    node: NodeKey,
}

fn node_of(
    preparing: &Preparing<'_, '_>,
    dn: &str,
    name: &NormalizedDn,
) -> Result<NodeKey, Refusal> {
    if let Some(unknown) = &name.unknown_type {
        let message = format!("'{dn}': the schema has no attribute type '{unknown}'");
        return Err(Refusal::new(ResultCode::INVALID_DN_SYNTAX, message));
    }
    preparing.tree.suffixes.node_key(name).ok_or_else(|| {
        let held: Vec<&str> = preparing.tree.suffixes.texts().collect();
        let message =
            format!("'{dn}' is not below a suffix of this directory ({})", held.join(" and "));
        Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message)
    })
}

/// Whoever may not see an entry is answered as if it were not there.
fn find_place(
    preparing: &Preparing<'_, '_>,
    dn: &str,
    node: NodeKey,
    name: &NormalizedDn,
    explained: &[Explained<'_>],
) -> Result<(Place, Rights), Error> {
    let tree = preparing.tree;
    match tree.resolve(name)? {
        Resolved::Found(id) => {
            let candidate = tree.expect_entry(id)?;
            if !preparing.judge.discloses(&candidate)? {
                judge_newcomer(preparing, candidate.record.parent(), name, explained)?;
                return Err(denied("add this entry").into());
            }
            let message = "an entry of this name exists";
            Err(Refusal::new(ResultCode::ENTRY_ALREADY_EXISTS, message).into())
        }
        Resolved::Missing { nearest: None, .. } if node.is_suffix => {
            let rights = judge_newcomer(preparing, EntryId::ROOT, name, explained)?;
            Ok((Place { parent: EntryId::ROOT, node }, rights))
        }
        Resolved::Missing { nearest: Some(parent), missing: 1 } => {
            check_referral(preparing, dn, Some(parent))?;
            let rights = judge_newcomer(preparing, parent, name, explained)?;
            if tree.expect_entry(parent)?.is_of_class("alias") {
                let message = "an alias has nothing below it";
                return Err(Refusal::new(ResultCode::ALIAS_PROBLEM, message).into());
            }
            Ok((Place { parent, node }, rights))
        }
        Resolved::Missing { nearest, .. } => {
            check_referral(preparing, dn, nearest)?;
            Err(no_parent(preparing, nearest)?)
        }
    }
}

fn check_referral(
    preparing: &Preparing<'_, '_>,
    dn: &str,
    at: Option<EntryId>,
) -> Result<(), Error> {
    let manage = preparing.controls.manage_dsa_it;
    match preparing.judge.referral_seen(preparing.tree, at, Asked::without_scope(dn), manage)? {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

fn no_parent(preparing: &Preparing<'_, '_>, nearest: Option<EntryId>) -> Result<Error, Error> {
    let refusal = preparing.judge.missing(preparing.tree, nearest)?;
    let message = "the entry above it does not exist; add that first".to_owned();
    Ok(Refusal { message, ..refusal }.into())
}

fn explain<'r>(
    preparing: &Preparing<'_, '_>,
    attributes: &'r [NewAttribute],
) -> Result<Vec<Explained<'r>>, Error> {
    attributes.iter().map(|attribute| preparing.explain(attribute, ModifyOperation::Add)).collect()
}

fn judge_newcomer(
    preparing: &Preparing<'_, '_>,
    parent: EntryId,
    name: &NormalizedDn,
    explained: &[Explained<'_>],
) -> Result<Rights, Error> {
    let attributes = given(explained);
    let newcomer = Newcomer { tree: preparing.tree, parent, name, attributes: &attributes };
    let rights = preparing.judge.of(&newcomer).entry()?;
    if rights.allows(Rights::ADD) {
        return Ok(rights);
    }
    // Someone who may not see the parent learns nothing about whether it is there.
    let parent_is_seen = match preparing.tree.entry(parent)? {
        Some(candidate) => preparing.judge.discloses(&candidate)?,
        None => false,
    };
    match parent_is_seen {
        true => Err(denied("add this entry").into()),
        false => Err(no_parent(preparing, Some(parent))?),
    }
}

/// RFC 4528 §3: of an add, what is being added must match.
fn assert(preparing: &Preparing<'_, '_>, explained: &[Explained<'_>]) -> Result<(), Error> {
    let Some(assertion) = &preparing.controls.assertion else { return Ok(()) };
    let node = compile(preparing.tree, &assertion.filter())?;
    let given = given(explained);
    match evaluate_given(&node, preparing.tree, &given, &IgnoringAccess)? {
        Some(true) => Ok(()),
        _ => {
            let message = "the new entry does not match the assertion, so it was not added";
            Err(Refusal::new(ResultCode::ASSERTION_FAILED, message).into())
        }
    }
}

fn given(explained: &[Explained<'_>]) -> Vec<(Arc<Described>, Vec<Vec<u8>>)> {
    explained.iter().map(|one| (one.described.clone(), one.values.to_vec())).collect()
}

fn repeated_attribute(described: &Described) -> Refusal {
    Refusal::new(
        ResultCode::ATTRIBUTE_OR_VALUE_EXISTS,
        format!("'{}' is given twice; give all its values together", described.text),
    )
}

fn clarify(refusal: Refusal, described: &Described) -> Refusal {
    match refusal.code {
        ResultCode::ATTRIBUTE_OR_VALUE_EXISTS => repeated(described),
        _ => refusal,
    }
}

/// The attributes the server keeps, unless a manager brought them along with the relax control.
fn stamp(preparing: &Preparing<'_, '_>, entry: &mut Entry, structural: &str) -> Result<(), Error> {
    let time = crate::clock::generalized_time(preparing.stamp.time_ms);
    let author = preparing.author();
    let uuid = uuid::Builder::from_random_bytes(preparing.stamp.uuid).into_uuid().to_string();
    let kept: [(&str, &str); 6] = [
        ("structuralobjectclass", structural),
        ("entryuuid", &uuid),
        ("creatorsname", author),
        ("createtimestamp", &time),
        ("modifiersname", author),
        ("modifytimestamp", &time),
    ];
    for (key, value) in kept {
        let brought = entry.find(key).is_some();
        if !brought || key == "structuralobjectclass" {
            preparing.stamp(entry, key, value)?;
        }
    }
    Ok(())
}
