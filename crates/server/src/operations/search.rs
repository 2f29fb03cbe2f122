//! Search (RFC 4511 §4.5): planned once, then stepped while the client keeps up.

use std::time::Duration;

use directory::{
    EntrySink, Error, Page, Refusal, Search, SearchDone, SearchQuery, Step, View, Who,
};
use ldap::control::PagedResults;
use ldap::message::{MessageId, Scope, SearchRequest};
use ldap::oid::control;
use ldap::response::{write_entry, write_reference};
use ldap::result::ResultCode;
use tokio::time::Instant;

use crate::audit::Record;
use crate::controls::Controls;
use crate::in_flight::{Call, Progress, Work};
use crate::limits::tighter;
use crate::monitor;
use crate::respond::Answer;
use crate::root_dse;
use crate::session::Session;

/// A search between two steps. It holds no snapshot, so a slow client holds up nobody.
#[derive(Debug)]
pub(crate) struct RunningSearch {
    search: Search,
    deadline: Option<Instant>,
    /// Entries it may look at; 0 is no limit.
    lookthrough: u32,
}

/// Whether this search may be answered to anybody: the root DSE and the schema.
pub(crate) fn is_public(request: &SearchRequest<'_>) -> bool {
    is_root_dse(request) || is_schema(request)
}

fn is_root_dse(request: &SearchRequest<'_>) -> bool {
    request.base.is_empty() && request.scope == Scope::Base
}

fn is_schema(request: &SearchRequest<'_>) -> bool {
    matches!(request.scope, Scope::Base | Scope::Subtree) && root_dse::is_subschema(request.base)
}

pub(crate) fn run(
    session: &mut Session,
    call: &mut Call,
    request: &SearchRequest<'_>,
    controls: &Controls<'_>,
) -> Result<Progress, Error> {
    if controls.paged.is_some_and(|paged| paged.size == 0) {
        // RFC 2696 §3: a size of zero gives up the paged search.
        return Ok(Progress::Done(with_cookie(Answer::success(), Some(Vec::new()))));
    }
    let query = query(session, request, controls);
    let deadline = deadline(session, request);
    let view = session.shared.directory.view_through(&session.subject, &session.lens)?;
    let mut sink = Sink {
        id: call.id,
        full_at: session.shared.limits.output_bytes,
        output: session.output.buffer(),
        record: &mut call.record,
    };
    if let Some(office) = &session.shared.office
        && monitor::is_meant(request.base)
    {
        monitor::search(office.steward(), &view, &query, &mut sink)?;
        let cookie = query.page.map(|_| Vec::new());
        return Ok(Progress::Done(with_cookie(Answer::success(), cookie)));
    }
    if is_public(request) {
        let entry = match is_root_dse(request) {
            true => root_dse::entry(&session.shared.directory.suffixes(), session.offers),
            false => view.subschema(),
        };
        view.search_given(&entry, &query, &mut sink)?;
        let cookie = query.page.map(|_| Vec::new());
        return Ok(Progress::Done(with_cookie(Answer::success(), cookie)));
    }
    let lookthrough = match session.subject.who {
        Who::Operator => 0,
        _ => session.shared.limits.search_lookthrough,
    };
    let work_max = session.shared.limits.search_step.min(allowance(lookthrough, 0));
    let (search, step) = view.begin_search(&query, &mut sink, work_max)?;
    let running = RunningSearch { search, deadline, lookthrough };
    match running.stepped(step)? {
        Some(answer) => Ok(Progress::Done(answer)),
        None => Ok(Progress::InFlight(Work::Search(Box::new(running)))),
    }
}

/// The next step of a search in flight, against a snapshot of now.
pub(crate) fn advance(
    session: &mut Session,
    call: &mut Call,
    mut running: Box<RunningSearch>,
) -> Result<Progress, Error> {
    let view = session.shared.directory.view_through(&session.subject, &session.lens)?;
    let mut sink = Sink {
        id: call.id,
        full_at: session.shared.limits.output_bytes,
        output: session.output.buffer(),
        record: &mut call.record,
    };
    match running.step(&view, &mut sink, session.now, session.shared.limits.search_step)? {
        Some(answer) => Ok(Progress::Done(answer)),
        None => Ok(Progress::InFlight(Work::Search(running))),
    }
}

impl RunningSearch {
    fn step(
        &mut self,
        view: &View<'_>,
        sink: &mut Sink<'_>,
        now: Instant,
        work_max: u32,
    ) -> Result<Option<Answer>, Error> {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            let message =
                "the search took longer than its time limit; narrow the filter or page it";
            return Err(Refusal::new(ResultCode::TIME_LIMIT_EXCEEDED, message).into());
        }
        let work_max = work_max.min(self.may_look_at());
        let step = view.step(&mut self.search, sink, work_max)?;
        self.stepped(step)
    }

    fn stepped(&self, step: Step) -> Result<Option<Answer>, Error> {
        if self.may_look_at() == 0 {
            let message = "the search would look at too many entries; ask for an indexed attribute";
            return Err(Refusal::new(ResultCode::ADMIN_LIMIT_EXCEEDED, message).into());
        }
        match step {
            Step::More => Ok(None),
            Step::Done(SearchDone { cookie, .. }) => {
                Ok(Some(with_cookie(Answer::success(), cookie)))
            }
        }
    }

    fn may_look_at(&self) -> u32 {
        allowance(self.lookthrough, self.search.examined())
    }
}

/// Entries until it is sure that there are too many: one more than allowed.
fn allowance(lookthrough: u32, examined: u64) -> u32 {
    if lookthrough == 0 {
        return u32::MAX;
    }
    let examined = u32::try_from(examined).unwrap_or(u32::MAX);
    lookthrough.saturating_add(1).saturating_sub(examined)
}

fn query<'q>(
    session: &Session,
    request: &'q SearchRequest<'q>,
    controls: &'q Controls<'q>,
) -> SearchQuery<'q> {
    let limits = &session.shared.limits;
    let allowed = if session.subject.who == Who::Operator { 0 } else { limits.search_entries };
    SearchQuery {
        base: request.base,
        scope: request.scope,
        deref: request.deref,
        size_limit: tighter(request.size_limit, allowed),
        types_only: request.types_only,
        filter: &request.filter,
        attributes: &request.attributes,
        manage_dsa_it: controls.manage_dsa_it,
        page: controls.paged.and_then(|paged| page(paged, request.size_limit, limits.page_entries)),
        assertion: controls.assertion.as_ref(),
    }
}

/// RFC 2696 §3: "If the page size is greater than or equal to the sizeLimit value, the server
/// should ignore the control as the request can be satisfied in a single page".
fn page(paged: PagedResults<'_>, size_limit: u32, page_max: u32) -> Option<Page<'_>> {
    let one_page = size_limit != 0 && paged.size >= size_limit && paged.cookie.is_empty();
    // A size of 0 asks for nothing more, and ends a paged search.
    let size = if paged.size == 0 { 0 } else { tighter(paged.size, page_max) };
    (!one_page).then_some(Page { size, cookie: paged.cookie })
}

fn deadline(session: &Session, request: &SearchRequest<'_>) -> Option<Instant> {
    let allowed = match session.subject.who {
        Who::Operator => 0,
        _ => session.shared.limits.search_seconds,
    };
    match tighter(request.time_limit_seconds, allowed) {
        0 => None,
        seconds => Some(session.now + Duration::from_secs(u64::from(seconds))),
    }
}

fn with_cookie(answer: Answer, cookie: Option<Vec<u8>>) -> Answer {
    let Some(cookie) = cookie else { return answer };
    let mut value = Vec::new();
    // RFC 2696 §2: the server's size is an estimate; 0 where it has none.
    PagedResults { size: 0, cookie: &cookie }.encode(&mut value);
    answer.with_control(control::PAGED_RESULTS, value)
}

/// Entries go from the store straight into the connection's output buffer.
struct Sink<'s> {
    id: MessageId,
    output: &'s mut Vec<u8>,
    full_at: usize,
    record: &'s mut Record,
}

impl EntrySink for Sink<'_> {
    fn entry(&mut self, dn: &[u8], attributes: &[&[u8]]) {
        let before = self.output.len();
        write_entry(self.output, self.id, dn, attributes, &[]);
        self.record.entries += 1;
        self.record.bytes += u64::try_from(self.output.len() - before).unwrap_or(u64::MAX);
    }

    fn reference(&mut self, uris: &[String]) {
        let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
        write_reference(self.output, self.id, &uris, &[]);
    }

    fn is_full(&self) -> bool {
        self.output.len() >= self.full_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_as_large_as_the_size_limit_is_no_page() {
        let paged = |size, cookie| PagedResults { size, cookie };
        let size = |paged, limit| page(paged, limit, 1_000).map(|page| page.size);
        assert_eq!(size(paged(10, b""), 0), Some(10));
        assert_eq!(size(paged(10, b""), 10), None);
        assert_eq!(size(paged(10, b"more"), 10), Some(10));
        assert_eq!(size(paged(5_000, b""), 0), Some(1_000));
    }
}
