//! From the names people sign in with (RFC 4513 §5.2.1.8: `dn:`, `u:`, or just a name) to entries.

use std::borrow::Cow;

use directory::{Error, Refusal, Who};
use ldap::result::ResultCode;

use crate::session::Session;

/// Where the name of nobody leads: verifying it costs the same and fails.
const NOBODY: &str = "cn=nobody by this name";

pub(crate) fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| {
        Refusal::new(ResultCode::INVALID_CREDENTIALS, "the identity is not valid UTF-8")
    })
}

/// The distinguished name behind an identity; the name of nobody where there is none, or more
/// than one.
pub(crate) fn name_of<'t>(session: &Session, identity: &'t str) -> Result<Cow<'t, str>, Error> {
    if let Some(dn) = strip_prefix(identity, "dn:") {
        return Ok(Cow::Borrowed(dn));
    }
    let user = match strip_prefix(identity, "u:") {
        Some(user) => user,
        None if identity.contains('=') => return Ok(Cow::Borrowed(identity)),
        None => identity,
    };
    Ok(user_named(session, user)?.map_or(Cow::Borrowed(NOBODY), Cow::Owned))
}

fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The one entry with this `uid`; two are as good as none.
fn user_named(session: &Session, user: &str) -> Result<Option<String>, Error> {
    let view = session.shared.directory.view(&session.subject)?;
    match view.who_with_uid(user)? {
        Some(Who::Entry { dn, .. }) => Ok(Some(dn.to_string())),
        _ => Ok(None),
    }
}

/// An authorization identity other than one's own is somebody else's rights: not given here.
pub(crate) fn refuse_other(session: &Session, who: &Who, authorization: &str) -> Result<(), Error> {
    let name = name_of(session, authorization)?;
    let same = match who {
        Who::Name(own) => own.eq_ignore_ascii_case(&name),
        _ => {
            session.shared.directory.view(&session.subject)?.who_named(&name)?.as_ref() == Some(who)
        }
    };
    if same {
        return Ok(());
    }
    let message = "acting as somebody else is not allowed; leave the authorization identity out";
    Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message).into())
}
