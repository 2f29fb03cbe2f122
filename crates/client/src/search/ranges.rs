//! Active Directory gives at most `MaxValRange` values of an attribute at a time, under
//! `member;range=0-1499`, and the rest to whoever asks for `member;range=1500-*` (MS-ADTS
//! 3.1.1.3.1.3.3). Whoever does not know takes a part of a group for the whole.

use ldap::message::{DerefAliases, Request, Scope};
use ldap::response::Response;

use super::Query;
use crate::entry::{Attribute, Entry};
use crate::error::Error;
use crate::session::{Session, Turn, checked, decoded};

/// More values than this of one attribute are not put together.
const VALUES_MAX: usize = 10_000_000;

/// `member;range=0-1499`: the attribute, the first value and the last, if it is not the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range<'a> {
    attribute: &'a str,
    from: usize,
    to: Option<usize>,
}

impl<'a> Range<'a> {
    fn of(description: &'a str) -> Option<Range<'a>> {
        let at = description.to_ascii_lowercase().rfind(";range=")?;
        let (attribute, option) = description.split_at_checked(at)?;
        let (from, to) = option.get(";range=".len()..)?.split_once('-')?;
        let to = if to == "*" { None } else { Some(to.parse().ok()?) };
        Some(Range { attribute, from: from.parse().ok()?, to })
    }
}

/// Whether there is anything to complete.
pub(super) fn are_in(entry: &Entry) -> bool {
    entry.attributes.iter().any(|one| Range::of(&one.description).is_some())
}

/// Reads what is missing of every attribute that came as a range.
pub(super) async fn complete(
    session: &Session,
    turn: &Turn,
    entry: &mut Entry,
) -> Result<(), Error> {
    let dn = entry.dn.clone();
    for attribute in &mut entry.attributes {
        let Some(range) = Range::of(&attribute.description) else { continue };
        let name = range.attribute.to_owned();
        let refused = |why: String| Error::Ranges { dn: dn.clone(), attribute: name.clone(), why };
        if range.from != 0 {
            // Somebody asked for a range by name, and has it.
            continue;
        }
        let mut last = range.to;
        while let Some(to) = last {
            if to.checked_add(1) != Some(attribute.values.len()) {
                let count = attribute.values.len();
                return Err(refused(format!("{count} values came for a range that ends at {to}")));
            }
            if attribute.values.len() > VALUES_MAX {
                return Err(refused(format!("there are more than {VALUES_MAX} values")));
            }
            let from = attribute.values.len();
            let next = read(session, turn, &dn, &format!("{name};range={from}-*")).await?;
            let Some(next) = next else {
                return Err(refused(format!("nothing came from value {from} on")));
            };
            match Range::of(&next.description) {
                Some(range) if range.from == from && !next.values.is_empty() => last = range.to,
                _ => return Err(refused(format!("{} came for {from}-*", next.description))),
            }
            attribute.values.extend(next.values);
        }
        attribute.description = name;
    }
    // AD sends an empty `member` beside the range.
    let whole = std::mem::take(&mut entry.attributes);
    for attribute in whole {
        let same =
            |one: &&mut Attribute| one.description.eq_ignore_ascii_case(&attribute.description);
        match entry.attributes.iter_mut().find(same) {
            Some(one) if one.values.is_empty() => one.values = attribute.values,
            Some(_) if attribute.values.is_empty() => {}
            _ => entry.attributes.push(attribute),
        }
    }
    Ok(())
}

/// One attribute of one entry, as the server describes it.
async fn read(
    session: &Session,
    turn: &Turn,
    dn: &str,
    description: &str,
) -> Result<Option<Attribute>, Error> {
    let mut query = Query::new(dn, Scope::Base, "(objectClass=*)")?.attributes(&[description]);
    query.deref = DerefAliases::Never;
    let mut pending =
        session.begin_in(turn.clone(), "search", &Request::Search(query.request()), &[])?;
    let mut found = None;
    loop {
        let message = pending.next().await?;
        match decoded(&message)?.response {
            Response::SearchEntry(entry) => {
                let entry = Entry::of(&entry);
                found =
                    entry.attributes.into_iter().find(|one| Range::of(&one.description).is_some());
            }
            Response::SearchDone(outcome) => {
                return checked("search", &outcome).map(|()| found);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_other_options_are_not() {
        let range = |from, to| Some(Range { attribute: "member", from, to });
        assert_eq!(Range::of("member;range=0-1499"), range(0, Some(1499)));
        assert_eq!(Range::of("member;Range=1500-*"), range(1500, None));
        for none in ["member", "cn;lang-de", "member;range=", "member;range=a-b", "member;range=1"]
        {
            assert_eq!(Range::of(none), None, "{none}");
        }
    }
}
