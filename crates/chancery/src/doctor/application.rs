//! What the application will do: one sign-in at most, and its search, over a verified session.

use std::net::SocketAddr;
use std::time::Instant;

use client::{Connector, Error, Found, Query, Secret, Session};
use ldap::message::Scope;
use ldap::result::ResultCode;

use super::facts::{Application, Refused, Search};
use super::probe::{Asked, since};

/// What is tried.
#[derive(Clone)]
pub(crate) struct Trying {
    pub(crate) sign_in: Option<(String, Secret)>,
    /// Base and filter.
    pub(crate) search: Option<(String, String)>,
}

/// More entries than this are not counted.
const COUNT_MAX: u64 = 10_000;
/// As most applications ask; without pages AD gives 1000 and says that it stopped.
const PAGE: u32 = 500;
const REFERENCES_MAX: usize = 20;

pub(super) async fn attempt(asked: &Asked, address: SocketAddr) -> Option<Application> {
    let trying = asked.trying.as_ref()?;
    let signed_in_as = trying.sign_in.as_ref().map(|(name, _)| name.clone());
    let mut tried = Application { address, signed_in_as, refused: None, search: None };
    match signed_in(asked, trying, address).await {
        Err(error) => tried.refused = Some(refused(&error)),
        Ok(session) => {
            if let Some((base, filter)) = &trying.search {
                tried.search = Some(searched(&session, base, filter).await);
            }
        }
    }
    Some(tried)
}

async fn signed_in(asked: &Asked, trying: &Trying, address: SocketAddr) -> Result<Session, Error> {
    let connector = Connector::new(&asked.trust, None)?;
    let session = connector.connect_to(&asked.target, address).await?;
    if let Some((name, password)) = &trying.sign_in {
        session.bind(name, password).await?;
    }
    Ok(session)
}

async fn searched(session: &Session, base: &str, filter: &str) -> Search {
    let started = Instant::now();
    let mut search = Search {
        base: base.to_owned(),
        filter: filter.to_owned(),
        count: 0,
        is_more: false,
        without_pages: None,
        references: Vec::new(),
        refused: None,
        ms: 0,
    };
    if let Err(error) = counted(session, &mut search).await {
        search.refused = Some(refused(&error));
    }
    search.ms = since(started);
    if search.refused.is_none() && search.count > 0 {
        search.without_pages = stopped_at(session, base, filter).await;
    }
    search
}

/// How many entries come without pages, where the server stops by itself before the end.
async fn stopped_at(session: &Session, base: &str, filter: &str) -> Option<u64> {
    let query = Query::new(base, Scope::Subtree, filter).ok()?;
    let mut entries = session.search(query.attributes(&["1.1"])).await.ok()?;
    let mut count = 0;
    loop {
        match entries.next().await {
            Ok(Some(Found::Entry(_))) if count == COUNT_MAX => return None,
            Ok(Some(Found::Entry(_))) => count += 1,
            Ok(Some(Found::Reference(_))) => {}
            Ok(None) => return None,
            Err(Error::Refused { answer, .. }) => {
                return (answer.code == ResultCode::SIZE_LIMIT_EXCEEDED).then_some(count);
            }
            Err(_) => return None,
        }
    }
}

async fn counted(session: &Session, search: &mut Search) -> Result<(), Error> {
    let query = Query::new(&search.base, Scope::Subtree, &search.filter)?;
    let mut entries = session.search(query.attributes(&["1.1"]).paged(PAGE)).await?;
    while let Some(found) = entries.next().await? {
        match found {
            Found::Entry(_) if search.count == COUNT_MAX => {
                search.is_more = true;
                break;
            }
            Found::Entry(_) => search.count += 1,
            Found::Reference(uris) => {
                let room = REFERENCES_MAX.saturating_sub(search.references.len());
                search.references.extend(uris.into_iter().take(room));
            }
        }
    }
    Ok(())
}

fn refused(error: &Error) -> Refused {
    match error {
        Error::Refused { answer, .. } => Refused {
            code: Some(answer.code.0),
            message: answer.message.clone(),
            matched: answer.matched.clone(),
        },
        other => Refused { code: None, message: other.to_string(), matched: String::new() },
    }
}
