//! Search: a bounded stream of entries. Pages are asked for one after the other, and values that
//! Active Directory hands out in ranges are put together, before an entry is given.

mod ranges;

use std::collections::VecDeque;

use bytes::Bytes;
use ldap::control::PagedResults;
use ldap::filter::{Filter, FilterBytes};
use ldap::message::{Control, DecodeLimits, DerefAliases, Request, Scope, SearchRequest};
use ldap::oid;
use ldap::response::{Response, ResponseMessage};
use ldap::result::ResultCode;

use crate::entry::{Answer, Entry};
use crate::error::Error;
use crate::session::{Pending, Session, Turn, decoded};

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Query {
    pub base: String,
    pub scope: Scope,
    pub filter: FilterBytes,
    /// Empty: all user attributes.
    pub attributes: Vec<String>,
    pub deref: DerefAliases,
    /// 0: none asked for.
    pub size_limit: u32,
    pub time_limit_seconds: u32,
    pub types_only: bool,
    /// How many entries are asked for at a time; none: no paging (RFC 2696).
    pub page: Option<u32>,
}

impl Query {
    pub fn new(base: &str, scope: Scope, filter: &str) -> Result<Query, Error> {
        let parsed = Filter::parse(filter, &DecodeLimits::default())
            .map_err(|why| Error::Filter { filter: filter.to_owned(), why })?;
        Ok(Query {
            base: base.to_owned(),
            scope,
            filter: FilterBytes::from_filter(&parsed),
            attributes: Vec::new(),
            deref: DerefAliases::Never,
            size_limit: 0,
            time_limit_seconds: 0,
            types_only: false,
            page: None,
        })
    }

    #[must_use]
    pub fn attributes(mut self, attributes: &[&str]) -> Query {
        self.attributes = attributes.iter().map(|&name| name.to_owned()).collect();
        self
    }

    #[must_use]
    pub fn paged(mut self, entries: u32) -> Query {
        self.page = Some(entries.max(1));
        self
    }

    fn request(&self) -> SearchRequest<'_> {
        SearchRequest {
            base: &self.base,
            scope: self.scope,
            deref: self.deref,
            size_limit: self.size_limit,
            time_limit_seconds: self.time_limit_seconds,
            types_only: self.types_only,
            filter: self.filter.filter(),
            attributes: self.attributes.iter().map(String::as_str).collect(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Entry(Entry),
    /// Where the search would go on (RFC 4511 §4.5.3): given, never followed.
    Reference(Vec<String>),
}

/// What may come for a search while the ranges of one entry are read. It is a page's worth; a
/// server that sends without end would otherwise fill the memory.
const BACKLOG_BYTES_MAX: usize = 64 << 20;

/// The entries of a search as they come. Dropped before the end, the search is abandoned.
pub struct Entries {
    session: Session,
    query: Query,
    state: State,
    /// Held over all pages and ranges.
    turn: Turn,
    /// What came while ranges were read.
    backlog: VecDeque<Bytes>,
    /// After an error or the end nothing more comes.
    answer: Option<Answer>,
    found: VecDeque<Found>,
}

enum State {
    Running(Pending),
    /// The next page is asked for with this.
    Between(Vec<u8>),
    Done,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Entries({:?})", self.query.base)
    }
}

impl Session {
    pub async fn search(&self, query: Query) -> Result<Entries, Error> {
        let mut entries = Entries {
            session: self.clone(),
            query,
            state: State::Between(Vec::new()),
            turn: self.turn().await,
            backlog: VecDeque::new(),
            answer: None,
            found: VecDeque::new(),
        };
        entries.ask()?;
        Ok(entries)
    }

    /// All of a search, for those that are known to be small: more than `most` is an error.
    pub async fn found(&self, query: Query, most: usize) -> Result<Vec<Entry>, Error> {
        let mut entries = self.search(query).await?;
        let mut all = Vec::new();
        while let Some(found) = entries.next().await? {
            if let Found::Entry(entry) = found {
                if all.len() == most {
                    return Err(Error::TooMany { most });
                }
                all.push(entry);
            }
        }
        Ok(all)
    }

    /// One entry by name; none where there is no such object.
    pub async fn read(&self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>, Error> {
        let query = Query::new(dn, Scope::Base, "(objectClass=*)")?.attributes(attributes);
        one(self.found(query, 1).await)
    }

    /// What the server says of itself (RFC 4512 §5.1).
    pub async fn root_dse(&self) -> Result<Entry, Error> {
        Ok(self.read("", &["*", "+"]).await?.unwrap_or_default())
    }
}

impl Entries {
    /// The next entry or reference; none at the end. A result code that is no success is an error.
    pub async fn next(&mut self) -> Result<Option<Found>, Error> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(Some(found));
            }
            match &mut self.state {
                State::Done => return Ok(None),
                State::Between(_) => self.ask()?,
                State::Running(pending) => {
                    let message = match self.backlog.pop_front() {
                        Some(message) => Ok(message),
                        None => pending.next().await,
                    };
                    let taken = match message {
                        Ok(message) => self.take(&message).await,
                        Err(error) => Err(error),
                    };
                    if taken.is_err() {
                        self.state = State::Done;
                    }
                    taken?;
                }
            }
        }
    }

    /// How the search ended, once it has.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    fn ask(&mut self) -> Result<(), Error> {
        let State::Between(cookie) = std::mem::replace(&mut self.state, State::Done) else {
            return Ok(());
        };
        let request = Request::Search(self.query.request());
        let mut value = Vec::new();
        let control = self.query.page.map(|size| {
            PagedResults { size, cookie: &cookie }.encode(&mut value);
        });
        let paged = Control {
            oid: oid::control::PAGED_RESULTS,
            // A server without pages answers all at once, which is as good.
            critical: false,
            value: Some(&value),
        };
        let controls = if control.is_some() { &[paged][..] } else { &[] };
        let turn = self.turn.clone();
        self.state = State::Running(self.session.begin_in(turn, "search", &request, controls)?);
        Ok(())
    }

    /// Reads what is missing of an entry. What comes for the search meanwhile is kept aside: the
    /// connection is read in order, and would stand still behind a full queue.
    async fn complete(&mut self, entry: &mut Entry) -> Result<(), Error> {
        if !ranges::are_in(entry) {
            return Ok(());
        }
        let (session, turn) = (self.session.clone(), self.turn.clone());
        let mut completing = std::pin::pin!(ranges::complete(&session, &turn, entry));
        let mut is_open = true;
        let mut held: usize = self.backlog.iter().map(Bytes::len).sum();
        loop {
            let State::Running(pending) = &mut self.state else {
                return completing.await;
            };
            tokio::select! {
                done = &mut completing => return done,
                more = pending.more(), if is_open => match more {
                    Some(message) => {
                        held += message.len();
                        if held > BACKLOG_BYTES_MAX {
                            return Err(Error::Overrun { most: BACKLOG_BYTES_MAX });
                        }
                        self.backlog.push_back(message);
                    }
                    None => is_open = false,
                },
            }
        }
    }

    async fn take(&mut self, message: &[u8]) -> Result<(), Error> {
        let ResponseMessage { response, controls, .. } = decoded(message)?;
        match response {
            Response::SearchEntry(found) => {
                let mut entry = Entry::of(&found);
                self.complete(&mut entry).await?;
                self.found.push_back(Found::Entry(entry));
            }
            Response::SearchReference(uris) => {
                let uris = uris.into_iter().map(str::to_owned).collect();
                self.found.push_back(Found::Reference(uris));
            }
            Response::SearchDone(outcome) => {
                let answer = Answer::of(&outcome);
                let cookie = cookie(&controls)?;
                let is_done = answer.code == ResultCode::SUCCESS;
                self.state = match cookie {
                    Some(cookie) if is_done && self.query.page.is_some() => State::Between(cookie),
                    _ => State::Done,
                };
                if !is_done {
                    self.answer = Some(answer.clone());
                    return Err(Error::Refused { operation: "search", answer: Box::new(answer) });
                }
                if matches!(self.state, State::Done) {
                    self.answer = Some(answer);
                }
            }
            Response::Intermediate(_) => {}
            _ => return Err(Error::Unexpected { operation: "search" }),
        }
        Ok(())
    }
}

/// The one that was read; none where there is no such object.
pub(crate) fn one(found: Result<Vec<Entry>, Error>) -> Result<Option<Entry>, Error> {
    match found {
        Ok(mut found) => Ok(found.pop()),
        Err(Error::Refused { answer, .. }) if answer.code == ResultCode::NO_SUCH_OBJECT => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the next page goes on; none at the last one.
fn cookie(controls: &[Control<'_>]) -> Result<Option<Vec<u8>>, Error> {
    let is_it = |one: &&Control<'_>| one.oid == oid::control::PAGED_RESULTS;
    let Some(value) = controls.iter().find(is_it).and_then(|one| one.value) else {
        return Ok(None);
    };
    let paged = PagedResults::decode(value).map_err(Error::Malformed)?;
    Ok((!paged.cookie.is_empty()).then(|| paged.cookie.to_vec()))
}
