//! From the names people sign in with (RFC 4513 §5.2.1.8: `dn:`, `u:`, or just a name) to entries.

use std::borrow::Cow;

use directory::{EntrySink, Error, Protection, Refusal, SearchQuery, Step, Subject, Who};
use ldap::filter::{Assertion, Filter};
use ldap::message::{DerefAliases, Scope};
use ldap::result::ResultCode;

use crate::session::Session;

/// Where the name of nobody leads: verifying it costs the same and fails.
const NOBODY: &str = "cn=nobody by this name";

/// Candidates looked at for one user name. `uid` is indexed, so two matches are found at once.
const WORK_MAX: u32 = 1_000;

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

/// The one entry with this `uid`. The server asks for itself here: who signs in is nobody yet.
fn user_named(session: &Session, user: &str) -> Result<Option<String>, Error> {
    let server = Subject { who: Who::Operator, address: None, protection: Protection::Local };
    let filter =
        Filter::Equality(Assertion { attribute: "uid", value: Cow::Borrowed(user.as_bytes()) });
    let view = session.shared.directory.view(&server)?;
    let mut found = Found::default();
    for suffix in session.shared.directory.suffixes() {
        let query = SearchQuery {
            base: &suffix,
            scope: Scope::Subtree,
            deref: DerefAliases::Never,
            size_limit: 0,
            types_only: true,
            filter: &filter,
            attributes: &["1.1"],
            manage_dsa_it: false,
            page: None,
            assertion: None,
        };
        let mut search = match view.search(&query) {
            Ok(search) => search,
            // A suffix without an entry yet.
            Err(Error::Refused(_)) => continue,
            Err(fault) => return Err(fault),
        };
        while !found.is_full() {
            if let Step::Done(_) = view.step(&mut search, &mut found, WORK_MAX)? {
                break;
            }
        }
    }
    let only_one = found.names.len() == 1;
    Ok(found.names.pop().filter(|_| only_one))
}

/// Two are as good as none.
#[derive(Default)]
struct Found {
    names: Vec<String>,
}

impl EntrySink for Found {
    fn entry(&mut self, dn: &[u8], _attributes: &[&[u8]]) {
        self.names.push(String::from_utf8_lossy(dn).into_owned());
    }

    fn reference(&mut self, _uris: &[String]) {}

    fn is_full(&self) -> bool {
        self.names.len() > 1
    }
}

/// An authorization identity other than one's own is somebody else's rights: not given here.
pub(crate) fn refuse_other(session: &Session, who: &Who, authorization: &str) -> Result<(), Error> {
    let name = name_of(session, authorization)?;
    let same = match who {
        Who::Name(own) => own.eq_ignore_ascii_case(&name),
        _ => {
            session.shared.directory.view(&session.subject)?.who_named(&name).as_ref() == Some(who)
        }
    };
    if same {
        return Ok(());
    }
    let message = "acting as somebody else is not allowed; leave the authorization identity out";
    Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message).into())
}
