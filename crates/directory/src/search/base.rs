//! Where a search begins: the base entry, aliases followed, referrals met, the entries in scope.

use ldap::message::{DerefAliases, Scope};
use ldap::result::ResultCode;

use crate::judge::Judge;
use crate::names::Resolved;
use crate::referral::Asked;
use crate::refusal::{Error, Fault, Refusal};
use crate::search::SearchQuery;
use crate::search::plan::Blocks;
use crate::store::{EntryId, PostingKey};
use crate::tree::{Candidate, Tree};

/// Aliases followed one after the other before the chain counts as a loop.
const ALIAS_HOPS_MAX: usize = 16;

/// Aliases a single search follows into other parts of the tree.
const ALIAS_ROOTS_MAX: usize = 1_000;

/// One subtree (or level, or entry) that is searched; more than one only where aliases lead
/// elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub base: EntryId,
    pub scope: Scope,
}

fn follows_at_base(deref: DerefAliases) -> bool {
    matches!(deref, DerefAliases::FindingBase | DerefAliases::Always)
}

pub(crate) fn follows_below(deref: DerefAliases) -> bool {
    matches!(deref, DerefAliases::InSearching | DerefAliases::Always)
}

/// The base entry, with aliases in its name followed where the query asks for it.
pub(crate) fn find_base(
    tree: &Tree<'_>,
    judge: &Judge,
    query: &SearchQuery<'_>,
) -> Result<EntryId, Error> {
    let asked = |dn| Asked { dn, scope: Some(query.scope) };
    if !follows_at_base(query.deref) {
        return judge.locate_base(tree, asked(query.base), query.manage_dsa_it);
    }
    let mut dn = query.base.to_owned();
    for _ in 0..ALIAS_HOPS_MAX {
        match alias_on_the_way(tree, judge, &dn)? {
            Some(other) => dn = other,
            None => return Ok(judge.locate_for(tree, asked(&dn), query.manage_dsa_it)?.id),
        }
    }
    let message = format!("the base's aliases lead to more than {ALIAS_HOPS_MAX} others");
    Err(Refusal::new(ResultCode::ALIAS_PROBLEM, message).into())
}

/// The name that an alias at or above `dn` makes of it.
fn alias_on_the_way(tree: &Tree<'_>, judge: &Judge, dn: &str) -> Result<Option<String>, Error> {
    let name = tree.normalize(dn)?;
    let (nearest, missing) = match tree.resolve(&name)? {
        Resolved::Found(id) => (Some(id), 0),
        Resolved::Missing { nearest, missing } => (nearest, missing),
    };
    let Some(candidate) = nearest.map(|id| tree.entry(id)).transpose()?.flatten() else {
        return Ok(None);
    };
    // An alias that the asker may not see leads nowhere, like a name that is not there.
    let Some(target) = alias_target(&candidate)? else { return Ok(None) };
    if !judge.discloses(&candidate)? {
        return Ok(None);
    }
    let Some(target) = target else {
        // RFC 4511 A.2: "an alias has been dereferenced that names no object".
        let message = "the alias leads to no entry of this directory";
        let refusal = Refusal::new(ResultCode::ALIAS_PROBLEM, message);
        return Err(refusal.with_matched(candidate.dn()?).into());
    };
    let written = crate::names::parse(dn)?;
    let below = ldap::dn::Dn { rdns: written.rdns.into_iter().take(missing).collect() };
    Ok(Some(crate::names::join_names(&below.to_string(), &tree.dn(target)?)))
}

/// None: no alias. Some(None): an alias to nowhere.
fn alias_target(candidate: &Candidate<'_, '_>) -> Result<Option<Option<EntryId>>, Fault> {
    if !candidate.is_of_class("alias") {
        return Ok(None);
    }
    let Some(attribute) = candidate.tree.catalogue.id("aliasedobjectname") else {
        return Ok(Some(None));
    };
    let mut links = candidate.tree.reader.links_of(candidate.id, attribute)?;
    Ok(Some(links.next().transpose()?.map(|link| link.to)))
}

/// The base and every place that aliases below it lead to.
pub(crate) fn roots(
    tree: &Tree<'_>,
    base: EntryId,
    query: &SearchQuery<'_>,
) -> Result<Vec<Root>, Fault> {
    let mut roots = vec![Root { base, scope: query.scope }];
    if !follows_below(query.deref) || query.scope == Scope::Base {
        return Ok(roots);
    }
    let aliases = of_class(tree, "alias")?;
    let mut next = 0;
    while let Some(root) = roots.get(next).copied() {
        next += 1;
        for alias in aliases.ids() {
            if roots.len() >= ALIAS_ROOTS_MAX || !in_scope(tree, alias, &root)? {
                continue;
            }
            let Some(candidate) = tree.entry(alias)? else { continue };
            if let Some(Some(target)) = alias_target(&candidate)? {
                let scope =
                    if root.scope == Scope::OneLevel { Scope::Base } else { Scope::Subtree };
                let found = Root { base: target, scope };
                if !roots.contains(&found) {
                    roots.push(found);
                }
            }
        }
    }
    Ok(roots)
}

/// Entries of a class that has few: referrals and aliases.
pub(crate) fn of_class(tree: &Tree<'_>, class: &str) -> Result<Blocks, Fault> {
    let mut found = Blocks::default();
    let Some(attribute) = tree.catalogue.id("objectclass") else { return Ok(found) };
    let rule = tree.schema().attribute_type("objectClass").and_then(|kind| kind.equality);
    let key = crate::entry::equality_key(tree.schema(), rule, class.as_bytes());
    let mut posting = tree.reader.posting(&PostingKey::equality(attribute, &key))?;
    while let Some(block) = posting.next_block()? {
        block.iter().for_each(|id| found.insert(id));
    }
    Ok(found)
}

pub(crate) fn in_scope(tree: &Tree<'_>, id: EntryId, root: &Root) -> Result<bool, Fault> {
    match root.scope {
        Scope::Base => Ok(id == root.base),
        Scope::OneLevel => Ok(tree.parent(id)? == root.base),
        Scope::Subtree => tree.is_within(id, root.base),
        Scope::Subordinates => Ok(id != root.base && tree.is_within(id, root.base)?),
    }
}
