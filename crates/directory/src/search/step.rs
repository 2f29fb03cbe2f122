//! A running search, and one step of it.

use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::OnceLock;

use ldap::message::Scope;
use ldap::result::ResultCode;

use crate::access::Rights;
use crate::index::Indexes;
use crate::judge::Judge;
use crate::referral::continued;
use crate::refusal::{Error, Fault, Refusal};
use crate::search::base::{Root, find_base, follows_below, in_scope, of_class, roots};
use crate::search::evaluate::evaluate;
use crate::search::filter::{Node, compile};
use crate::search::plan::{Blocks, FEW, Plan, Planner};
use crate::search::projection::{Selection, project};
use crate::search::walk::Walk;
use crate::search::{EntrySink, SearchDone, SearchQuery, Step};
use crate::store::EntryId;
use crate::store::block::block_of;
use crate::subject::Who;
use crate::tree::{Candidate, Tree};

/// Descendants that are listed by walking the tree of names; a larger subtree is found by its ids.
const WALKED_MAX: usize = 20_000;

/// A search between two steps: it holds no transaction.
#[derive(Debug)]
pub struct Search {
    roots: Vec<Root>,
    filter: Node,
    selection: Selection,
    plan: Plan,
    /// The next id to look at.
    next: EntryId,
    references: Vec<Vec<String>>,
    skipped: Blocks,
    has_skipped: bool,
    size_limit: u64,
    sent: u64,
    page: Option<PageState>,
    examined: u64,
    ended: bool,
}

#[derive(Debug)]
struct PageState {
    size: u64,
    sent: u64,
    fingerprint: u64,
}

/// Cookie: the next id, how many entries were sent before, and what was searched for, by whom.
const COOKIE_BYTES: usize = 24;

impl Search {
    pub(crate) fn begin(
        tree: &Tree<'_>,
        judge: &Judge,
        who: &Who,
        indexes: &Indexes,
        query: &SearchQuery<'_>,
    ) -> Result<Search, Error> {
        let base = find_base(tree, judge, query)?;
        assert_base(tree, judge, base, query)?;
        let filter = compile(tree, query.filter)?;
        let roots = roots(tree, base, query)?;
        let plan = choose_plan(tree, indexes, &filter, &roots)?;
        let mut search = Search {
            roots,
            filter,
            selection: Selection::new(tree, query.attributes, query.types_only),
            plan,
            next: EntryId(0),
            references: Vec::new(),
            skipped: Blocks::default(),
            has_skipped: false,
            size_limit: u64::from(query.size_limit),
            sent: 0,
            page: None,
            examined: 0,
            ended: false,
        };
        search.set_aside(tree, judge, query)?;
        search.open_page(who, query)?;
        Ok(search)
    }

    /// Referral objects are answered as references and never as entries (RFC 3296 §3), aliases that
    /// are followed are not answered themselves.
    fn set_aside(
        &mut self,
        tree: &Tree<'_>,
        judge: &Judge,
        query: &SearchQuery<'_>,
    ) -> Result<(), Fault> {
        let overview = tree.overview()?;
        if !query.manage_dsa_it && overview.has_referrals {
            let referrals = of_class(tree, "referral")?;
            for id in referrals.ids() {
                self.refer(tree, judge, id)?;
            }
            self.skipped = referrals;
        }
        if follows_below(query.deref) && query.scope != Scope::Base && overview.has_aliases {
            for id in of_class(tree, "alias")?.ids() {
                self.skipped.insert(id);
            }
        }
        self.has_skipped = !self.skipped.is_empty();
        Ok(())
    }

    fn refer(&mut self, tree: &Tree<'_>, judge: &Judge, id: EntryId) -> Result<(), Fault> {
        let Some(candidate) = tree.entry(id)? else { return Ok(()) };
        for root in &self.roots {
            if in_scope(tree, id, root)? && judge.discloses(&candidate)? {
                let dn = candidate.dn()?;
                let uris = candidate.referrals().into_iter();
                self.references.push(uris.map(|uri| continued(&uri, dn, root.scope)).collect());
                break;
            }
        }
        Ok(())
    }

    fn open_page(&mut self, who: &Who, query: &SearchQuery<'_>) -> Result<(), Refusal> {
        let Some(page) = query.page else { return Ok(()) };
        let fingerprint = fingerprint(who, query);
        let mut state = PageState { size: u64::from(page.size), sent: 0, fingerprint };
        if !page.cookie.is_empty() {
            let (next, sent) = read_cookie(page.cookie, fingerprint)?;
            self.next = next;
            self.sent = sent;
            self.references.clear();
        }
        // RFC 2696 §3: a size of zero asks for nothing (more).
        self.ended = page.size == 0;
        state.sent = 0;
        self.page = Some(state);
        Ok(())
    }

    /// Entries looked at so far.
    pub fn examined(&self) -> u64 {
        self.examined
    }

    pub fn plan_name(&self) -> &'static str {
        self.plan.name()
    }

    pub(crate) fn step(
        &mut self,
        tree: &Tree<'_>,
        judge: &Judge,
        sink: &mut impl EntrySink,
        work_max: u32,
    ) -> Result<Step, Error> {
        for uris in self.references.drain(..) {
            sink.reference(&uris);
        }
        // A step that may look at nothing would never end.
        let work = work_max.max(1);
        let mut stepping = Stepping { tree, judge, work };
        if self.ended {
            return Ok(self.done(None));
        }
        match &self.plan {
            Plan::All => self.step_all(&mut stepping, sink),
            Plan::One(id) => self.step_few(&[*id], &mut stepping, sink),
            Plan::Few(ids) => self.step_few(&ids.clone(), &mut stepping, sink),
            _ => self.step_plan(&mut stepping, sink),
        }
    }

    fn step_all(
        &mut self,
        stepping: &mut Stepping<'_, '_>,
        sink: &mut impl EntrySink,
    ) -> Result<Step, Error> {
        for row in stepping.tree.reader.entries_from(self.next)? {
            let (id, record) = row?;
            if sink.is_full() || !stepping.has_work() {
                return Ok(Step::More);
            }
            let candidate = Candidate::new(stepping.tree, id, record);
            if let Some(step) = self.consider(&candidate, stepping, sink)? {
                return Ok(step);
            }
        }
        Ok(self.done(None))
    }

    fn step_few(
        &mut self,
        ids: &[EntryId],
        stepping: &mut Stepping<'_, '_>,
        sink: &mut impl EntrySink,
    ) -> Result<Step, Error> {
        for id in ids {
            if let Some(step) = self.visit(*id, stepping, sink)? {
                return Ok(step);
            }
        }
        Ok(self.done(None))
    }

    /// One candidate of a plan.
    fn visit(
        &mut self,
        id: EntryId,
        stepping: &mut Stepping<'_, '_>,
        sink: &mut impl EntrySink,
    ) -> Result<Option<Step>, Error> {
        if id < self.next {
            return Ok(None);
        }
        if sink.is_full() || !stepping.has_work() {
            return Ok(Some(Step::More));
        }
        let Some(candidate) = stepping.tree.entry(id)? else {
            self.next = EntryId(id.0 + 1); // deleted since the plan was made
            return Ok(None);
        };
        self.consider(&candidate, stepping, sink)
    }

    fn step_plan(
        &mut self,
        stepping: &mut Stepping<'_, '_>,
        sink: &mut impl EntrySink,
    ) -> Result<Step, Error> {
        let plan = std::mem::replace(&mut self.plan, Plan::All);
        let stepped = self.walk(&plan, stepping, sink);
        self.plan = plan;
        Ok(match stepped? {
            Step::Done(done) => Step::Done(SearchDone { plan: self.plan.name(), ..done }),
            Step::More => Step::More,
        })
    }

    fn walk(
        &mut self,
        plan: &Plan,
        stepping: &mut Stepping<'_, '_>,
        sink: &mut impl EntrySink,
    ) -> Result<Step, Error> {
        let mut walk = Walk::open(&stepping.tree.reader, plan)?;
        let mut block = block_of(self.next).0;
        while let Some((number, bits)) = walk.next_from(block)? {
            for id in bits.iter(number) {
                if let Some(step) = self.visit(id, stepping, sink)? {
                    return Ok(step);
                }
            }
            block = number.saturating_add(1);
        }
        Ok(self.done(None))
    }

    /// Looks at one entry; ends the search where a page or the size limit is full and one more
    /// matches.
    fn consider(
        &mut self,
        candidate: &Candidate<'_, '_>,
        stepping: &mut Stepping<'_, '_>,
        sink: &mut impl EntrySink,
    ) -> Result<Option<Step>, Error> {
        self.examined += 1;
        if self.is_set_aside(candidate.id) || !self.is_in_scope(candidate, stepping.tree)? {
            self.next = EntryId(candidate.id.0 + 1);
            return Ok(None);
        }
        let rights = stepping.judge.of(candidate);
        let matches = rights.entry()?.allows(Rights::READ)
            && evaluate(&self.filter, candidate, &rights)? == Some(true);
        if !matches {
            self.next = EntryId(candidate.id.0 + 1);
            return Ok(None);
        }
        if self.page.as_ref().is_some_and(|page| page.sent >= page.size) {
            return Ok(Some(self.done(Some(candidate.id))));
        }
        if self.size_limit > 0 && self.sent >= self.size_limit {
            let message = format!("more than {} entries match", self.size_limit);
            return Err(Refusal::new(ResultCode::SIZE_LIMIT_EXCEEDED, message).into());
        }
        let projection = project(candidate, &self.selection, &rights)?;
        sink.entry(candidate.dn()?.as_bytes(), &projection.slices());
        self.sent += 1;
        if let Some(page) = &mut self.page {
            page.sent += 1;
        }
        self.next = EntryId(candidate.id.0 + 1);
        Ok(None)
    }

    fn is_set_aside(&self, id: EntryId) -> bool {
        self.has_skipped && self.skipped.contains(id)
    }

    fn is_in_scope(&self, candidate: &Candidate<'_, '_>, tree: &Tree<'_>) -> Result<bool, Fault> {
        for root in &self.roots {
            let parent = candidate.record.parent();
            let is_base = candidate.id == root.base;
            let found = match root.scope {
                Scope::Base => is_base,
                Scope::OneLevel => parent == root.base,
                Scope::Subtree => is_base || tree.is_within(parent, root.base)?,
                Scope::Subordinates => !is_base && tree.is_within(parent, root.base)?,
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn done(&mut self, next: Option<EntryId>) -> Step {
        self.ended = true;
        let cookie = self.page.as_ref().map(|page| match next {
            Some(next) => cookie(next, self.sent, page.fingerprint),
            None => Vec::new(),
        });
        Step::Done(SearchDone { cookie, examined: self.examined, plan: self.plan.name() })
    }
}

/// What is known while one step runs.
struct Stepping<'s, 't> {
    tree: &'s Tree<'t>,
    judge: &'s Judge,
    work: u32,
}

impl Stepping<'_, '_> {
    fn has_work(&mut self) -> bool {
        let has_work = self.work > 0;
        self.work = self.work.saturating_sub(1);
        has_work
    }
}

/// RFC 4528 on a search: the base entry must match.
fn assert_base(
    tree: &Tree<'_>,
    judge: &Judge,
    base: EntryId,
    query: &SearchQuery<'_>,
) -> Result<(), Error> {
    let Some(assertion) = query.assertion else { return Ok(()) };
    let node = compile(tree, assertion)?;
    let candidate = tree.expect_entry(base)?;
    let rights = judge.of(&candidate);
    if evaluate(&node, &candidate, &rights)? == Some(true) {
        return Ok(());
    }
    Err(Refusal::new(ResultCode::ASSERTION_FAILED, "the base entry does not match the assertion")
        .into())
}

/// The narrower of what the filter's indexes and the scope itself offer.
fn choose_plan(
    tree: &Tree<'_>,
    indexes: &Indexes,
    filter: &Node,
    roots: &[Root],
) -> Result<Plan, Fault> {
    if let [Root { base, scope: Scope::Base }] = roots {
        return Ok(Plan::One(*base));
    }
    let total = tree.overview()?.entry_count;
    let planner = Planner { tree, indexes };
    let by_index = planner.plan(filter, total)?;
    let bound = by_index.as_ref().map_or(total / 2, |(_, count)| *count);
    if bound <= FEW
        && let Some((plan, _)) = by_index
    {
        return Ok(plan); // listing the scope could not make it much narrower
    }
    if let [root] = roots {
        let listed_max = usize::try_from(bound).unwrap_or(usize::MAX).min(WALKED_MAX);
        if let Some(listed) = list_scope(tree, root, listed_max)? {
            return Ok(Plan::Set(listed));
        }
    }
    Ok(by_index.map_or(Plan::All, |(plan, _)| plan))
}

/// All entries in scope, if they are fewer than `listed_max`.
fn list_scope(tree: &Tree<'_>, root: &Root, listed_max: usize) -> Result<Option<Blocks>, Fault> {
    let children =
        |id| -> Result<u64, Fault> { Ok(tree.reader.node(id)?.map_or(0, |node| node.children)) };
    let mut listed = vec![root.base];
    let mut at = 0;
    while let Some(parent) = listed.get(at).copied() {
        if root.scope == Scope::OneLevel && at > 0 {
            break;
        }
        at += 1;
        let children = children(parent)?;
        // Told by the count, before a child is read.
        if listed.len() as u64 + children > listed_max as u64 {
            return Ok(None);
        }
        if children > 0 {
            for child in tree.reader.children(parent)? {
                listed.push(child?);
            }
        }
    }
    Ok(Some(Blocks::from_ids(listed)))
}

fn fingerprint(who: &Who, query: &SearchQuery<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match who {
        Who::Anonymous => 0u8.hash(&mut hasher),
        Who::Entry { id, .. } => id.hash(&mut hasher),
        Who::Name(name) => name.hash(&mut hasher),
        Who::Operator => 1u8.hash(&mut hasher),
    }
    query.base.hash(&mut hasher);
    (query.scope as u8).hash(&mut hasher);
    query.filter.to_string().hash(&mut hasher);
    query.attributes.hash(&mut hasher);
    hasher.finish()
}

/// Binds a cookie to its search and to this process: a client cannot make one, to be sent more than
/// its size limit, nor use one after a restart.
fn seal(next: u64, sent: u64, fingerprint: u64) -> u64 {
    static SECRET: OnceLock<RandomState> = OnceLock::new();
    SECRET.get_or_init(RandomState::new).hash_one((next, sent, fingerprint))
}

fn cookie(next: EntryId, sent: u64, fingerprint: u64) -> Vec<u8> {
    let mut cookie = Vec::with_capacity(COOKIE_BYTES);
    for number in [next.0, sent, seal(next.0, sent, fingerprint)] {
        cookie.extend_from_slice(&number.to_be_bytes());
    }
    cookie
}

fn read_cookie(cookie: &[u8], fingerprint: u64) -> Result<(EntryId, u64), Refusal> {
    let number = |at: usize| {
        let bytes = cookie.get(at..at + 8)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    };
    match (cookie.len(), number(0), number(8), number(16)) {
        (COOKIE_BYTES, Some(next), Some(sent), Some(print))
            if print == seal(next, sent, fingerprint) =>
        {
            Ok((EntryId(next), sent))
        }
        _ => Err(Refusal::new(
            ResultCode::UNWILLING_TO_PERFORM,
            "this paged-results cookie is not from this search; begin again without a cookie",
        )),
    }
}
