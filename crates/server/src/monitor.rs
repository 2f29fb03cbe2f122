//! `cn=monitor` and what is below it: the state of the server as entries, made when asked for.
//! Administrators see it; for everybody else there is no such entry.

use directory::{EntrySink, Error, GivenEntry, Refusal, SearchQuery, View};
use ldap::message::Scope;
use ldap::result::ResultCode;

use crate::steward::Steward;

const NAME: &str = "cn=monitor";

/// Whether a name is that of the monitor or of something below it.
pub(crate) fn is_meant(name: &str) -> bool {
    // Asked of every search, and hardly any name ends so.
    let ending = name.trim_end().as_bytes().last_chunk::<7>();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case(b"monitor"))
        && (normal(name) == NAME || normal(name).ends_with(&format!(",{NAME}")))
}

/// Compared as text: these names hold nothing that needs an escape.
fn normal(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_lowercase()
}

/// Answers a search whose base [`is_meant`].
pub(crate) fn search(
    steward: &dyn Steward,
    view: &View<'_>,
    query: &SearchQuery<'_>,
    sink: &mut impl EntrySink,
) -> Result<(), Error> {
    let base = normal(query.base);
    let entries = if view.administers()? { steward.monitor() } else { Vec::new() };
    if !entries.iter().any(|entry| normal(&entry.dn) == base) {
        let message = "there is no such entry, or it is not for you to see";
        return Err(Refusal::new(ResultCode::NO_SUCH_OBJECT, message).into());
    }
    for entry in entries.iter().filter(|entry| is_in_scope(&normal(&entry.dn), &base, query.scope))
    {
        view.search_given(entry, query, sink)?;
    }
    Ok(())
}

fn is_in_scope(name: &str, base: &str, scope: Scope) -> bool {
    let above = name.strip_suffix(base).and_then(|above| above.strip_suffix(','));
    match scope {
        Scope::Base => name == base,
        Scope::OneLevel => above.is_some_and(|above| !above.contains(',')),
        Scope::Subtree => name == base || above.is_some(),
        Scope::Subordinates => above.is_some(),
    }
}

/// One entry, for stewards to make theirs of.
pub fn entry(below: Option<&str>, attributes: &[(&str, Vec<String>)]) -> GivenEntry {
    let (dn, cn) = match below {
        None => (NAME.to_owned(), "monitor"),
        Some(cn) => (format!("cn={cn},{NAME}"), cn),
    };
    let fixed = [
        ("objectClass", vec!["top".to_owned(), "monitor".to_owned()]),
        ("cn", vec![cn.to_owned()]),
        ("structuralObjectClass", vec!["monitor".to_owned()]),
        ("entryDN", vec![dn.clone()]),
    ];
    let all = fixed.iter().chain(attributes).filter(|(_, values)| !values.is_empty());
    let attributes = all.map(|(description, values)| directory::NewAttribute {
        description: (*description).to_owned(),
        values: values.iter().map(|value| value.clone().into_bytes()).collect(),
    });
    GivenEntry { attributes: attributes.collect(), dn }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monitors_names() {
        for name in ["cn=monitor", "CN = Monitor", "cn=certificate, cn=Monitor "] {
            assert!(is_meant(name), "{name:?}");
        }
        for name in
            ["", "monitor", "cn=monitors", "ou=monitor", "uid=xcn=monitor,dc=x", "cn=amonitor"]
        {
            assert!(!is_meant(name), "{name:?}");
        }
    }

    #[test]
    fn scopes() {
        let (top, below) = ("cn=monitor", "cn=tls,cn=monitor");
        for (scope, self_in, below_in) in [
            (Scope::Base, true, false),
            (Scope::OneLevel, false, true),
            (Scope::Subtree, true, true),
            (Scope::Subordinates, false, true),
        ] {
            assert_eq!(is_in_scope(top, top, scope), self_in, "{scope:?}");
            assert_eq!(is_in_scope(below, top, scope), below_in, "{scope:?}");
        }
    }
}
