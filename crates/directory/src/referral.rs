//! The URIs of a referral object as they are answered (RFC 3296 §5, RFC 4511 §4.1.10 and §4.5.3).

use std::fmt::Write as _;

use ldap::message::Scope;

/// What was asked for at or below the referral object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'d> {
    pub dn: &'d str,
    /// Only a search has one.
    pub scope: Option<Scope>,
}

impl Asked<'_> {
    pub(crate) fn without_scope(dn: &str) -> Asked<'_> {
        Asked { dn, scope: None }
    }
}

/// A URI of the object `referral` for a request about a name at or below it: the URI's own name (or
/// where it has none the referral's) takes the place of the referral's in the name asked for.
pub(crate) fn referred(uri: &str, referral: &str, asked: Asked<'_>) -> String {
    let below = names_below(asked.dn, referral);
    rewritten(uri, referral, &below, asked.scope.map(scope_text))
}

/// A URI of a referral object met while searching: it is the base of what remains to be searched,
/// of which only the entry itself is in the scope of a one-level search (RFC 4511 §4.5.3).
pub(crate) fn continued(uri: &str, referral: &str, scope: Scope) -> String {
    let scope = if scope == Scope::OneLevel { "base" } else { "sub" };
    rewritten(uri, referral, "", Some(scope))
}

fn scope_text(scope: Scope) -> &'static str {
    match scope {
        Scope::Base => "base",
        Scope::OneLevel => "one",
        Scope::Subtree => "sub",
        Scope::Subordinates => "subordinates",
    }
}

/// The RDNs of `dn` that stand below `above`, each followed by a comma.
fn names_below(dn: &str, above: &str) -> String {
    let (Ok(dn), Ok(above)) = (ldap::dn::Dn::parse(dn), ldap::dn::Dn::parse(above)) else {
        return String::new();
    };
    let count = dn.rdns.len().saturating_sub(above.rdns.len());
    dn.rdns.iter().take(count).fold(String::new(), |names, rdn| names + &rdn.to_string() + ",")
}

/// `ldap://host/dn?attributes?scope?filter?extensions` (RFC 4516 §2). Other URIs stay as they are.
fn rewritten(uri: &str, referral: &str, below: &str, scope: Option<&str>) -> String {
    let Some((scheme, rest)) = uri.split_once("://").filter(|(scheme, _)| is_ldap(scheme)) else {
        return uri.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end);
    let mut parts = rest.strip_prefix('/').unwrap_or(rest).split('?');
    let own = parts.next().unwrap_or_default();
    let base = if own.is_empty() { encoded(referral) } else { own.to_owned() };
    let mut parts: Vec<&str> = parts.collect();
    if let Some(scope) = scope.filter(|_| parts.get(1).is_none_or(|scope| scope.is_empty())) {
        parts.resize(parts.len().max(2), "");
        if let Some(place) = parts.get_mut(1) {
            *place = scope;
        }
    }
    let mut uri = format!("{scheme}://{host}/{}{base}", encoded(below));
    for part in parts {
        uri.push('?');
        uri.push_str(part);
    }
    uri.truncate(uri.trim_end_matches('?').len());
    uri
}

fn is_ldap(scheme: &str) -> bool {
    ["ldap", "ldaps", "ldapi"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// RFC 4516 §2.1: `?` and what RFC 3986 does not allow in a path is percent-encoded.
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // writing to a String does not fail
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERRAL: &str = "ou=away,dc=example";

    #[test]
    fn a_name_below_is_asked_for_where_the_uri_leads() {
        for (uri, dn, scope, wanted) in [
            ("ldap://h/ou=far,o=x", REFERRAL, None, "ldap://h/ou=far,o=x"),
            ("ldap://h/ou=far,o=x", "cn=a,OU=away,dc=example", None, "ldap://h/cn=a,ou=far,o=x"),
            ("ldap://h", "cn=a b,ou=away,dc=example", None, "ldap://h/cn=a%20b,ou=away,dc=example"),
            (
                "ldaps://h:6/",
                REFERRAL,
                Some(Scope::OneLevel),
                "ldaps://h:6/ou=away,dc=example??one",
            ),
            ("ldap://h/o=x??sub", REFERRAL, Some(Scope::Base), "ldap://h/o=x??sub"),
            ("ldap://h/o=x?cn??(a=b)", REFERRAL, Some(Scope::Base), "ldap://h/o=x?cn?base?(a=b)"),
            ("https://h/x", "cn=a,ou=away,dc=example", Some(Scope::Base), "https://h/x"),
        ] {
            assert_eq!(referred(uri, REFERRAL, Asked { dn, scope }), wanted, "{uri} {dn}");
        }
    }

    #[test]
    fn a_search_goes_on_at_the_referral() {
        for (uri, scope, wanted) in [
            ("ldap://h/o=x", Scope::Subtree, "ldap://h/o=x??sub"),
            ("ldap://h/o=x", Scope::Subordinates, "ldap://h/o=x??sub"),
            ("ldap://h/o=x", Scope::OneLevel, "ldap://h/o=x??base"),
            ("ldap://h", Scope::OneLevel, "ldap://h/ou=away,dc=example??base"),
        ] {
            assert_eq!(continued(uri, REFERRAL, scope), wanted, "{uri} {scope:?}");
        }
    }
}
