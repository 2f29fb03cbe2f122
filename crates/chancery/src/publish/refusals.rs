//! What stands against opening a publication: all of it at once, each with what would be right.

use server::network::{Exposure, Scope};

use super::publication::{Publication, SCOPES};

/// What the rules themselves say against it, where they are not those that are known.
pub(crate) fn of_rules(known: &Publication, wanted: &Publication) -> Vec<String> {
    let is_new =
        |scope: &Scope| known.door(*scope) != wanted.door(*scope) || known.rules != wanted.rules;
    let changed = SCOPES.into_iter().filter(is_new);
    let against = changed.filter_map(|scope| of_listener(wanted, scope).unwrap_or_else(Some));
    let mut against: Vec<String> = against.collect();
    // Rules that cannot be read are the same for both.
    against.dedup();
    against
}

/// The error is a refusal as well: rules that cannot be read.
fn of_listener(wanted: &Publication, scope: Scope) -> Result<Option<String>, String> {
    let (Some(exposure), Some(door)) = (exposure(wanted, scope)?, wanted.door(scope)) else {
        return Ok(None);
    };
    Ok(match exposure {
        // The internal one lets private addresses in without a rule.
        Exposure::Nobody if scope == Scope::External => Some(format!(
            "the {scope} listener lets nobody in on port {}: write a `[[publish.rule]]` that \
             allows those who are to reach it",
            door.address.port()
        )),
        Exposure::Everyone { .. } if !door.accept_open_to_everyone => Some(format!(
            "the {scope} listener {}: narrow the rules, or write `accept-open-to-everyone = true` \
             in [publish.{scope}] if that is meant",
            sentence(exposure)
        )),
        Exposure::Nobody | Exposure::Everyone { .. } | Exposure::Some => None,
    })
}

/// Whether clients will be shown the certificate where they were not before, or under other names.
pub(crate) fn shows_certificate_anew(known: &Publication, wanted: &Publication) -> bool {
    let is_new = |scope| match (known.door(scope), wanted.door(scope)) {
        (Some(known), Some(wanted)) => known.address != wanted.address,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let has_new_name = wanted.names.iter().any(|name| !known.names.contains(name));
    SCOPES.into_iter().any(is_new) || (wanted.is_open() && has_new_name)
}

/// How open a listener is; none where it is not wanted.
pub(crate) fn exposure(wanted: &Publication, scope: Scope) -> Result<Option<Exposure>, String> {
    let admission = wanted.admission(scope)?;
    Ok(admission.map(|(_, admission)| Exposure::of(&admission.rules)))
}

/// What comes after "the listener".
pub(crate) fn sentence(exposure: Exposure) -> String {
    match exposure {
        Exposure::Nobody => "lets nobody in".to_owned(),
        Exposure::Some => "lets in those whom its rules name".to_owned(),
        Exposure::Everyone { family, percent } => {
            format!(
                "is open to everyone: its rules let in {percent} % of the public {family} addresses"
            )
        }
    }
}
