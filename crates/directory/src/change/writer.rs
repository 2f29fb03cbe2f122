//! The writer: one thread that owns the write transaction, takes all waiting changes, makes them
//! durable with one commit, and only then answers.
//!
//! A fault while performing one change aborts the transaction; the changes are then run again one
//! by one, so that only the faulty one fails. A commit that fails in an unknown way, or a panic,
//! *poisons* the directory: no more writes until a restart. A full disk only refuses.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use ldap::result::ResultCode;

use crate::catalogue::Catalogue;
use crate::change::perform::{Performed, Performing};
use crate::change::prepare::{Prepared, Preparing, Stamp, prepare};
use crate::change::{Change, ChangeRequest, Outcome, ReadEntry, Reply};
use crate::directory::Inner;
use crate::epoch::EpochCounter;
use crate::judge::Judge;
use crate::refusal::{Error, Fault, Refusal};
use crate::search::projection::{Selection, project};
use crate::store::{Batch, CommitNumber, EntryId};
use crate::subject::Subject;
use crate::tree::{Memo, Tree};

/// Changes in one transaction at most: bounds the delay of the first.
pub(crate) const BATCH_CHANGES_MAX: usize = 512;

/// Old change-log rows removed with each batch, so trimming never stalls it.
const TRIMMED_PER_CHANGE: u64 = 4;

pub(crate) enum Job {
    Change {
        request: Box<ChangeRequest>,
        answer: Answer,
    },
    /// Ends the thread once everything before it is done.
    Stop,
}

impl Job {
    /// Takes back a change that was not queued.
    pub(crate) fn forget(self) {
        if let Job::Change { answer, .. } = self {
            answer.forget();
        }
    }
}

/// A reply that is sent exactly once: a dropped one says that the writer failed.
pub(crate) struct Answer(Option<Reply>);

impl Answer {
    pub(crate) fn new(reply: Reply) -> Answer {
        Answer(Some(reply))
    }

    /// The change was not queued: its submitter answers, not the writer.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }

    fn send(mut self, result: Result<Outcome, Error>) {
        if let Some(reply) = self.0.take() {
            reply(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply(Err(Error::Fault(Fault::Poisoned)));
        }
    }
}

/// The writer thread's whole life.
pub(crate) fn run(inner: &Inner, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut waiting = Vec::new();
        let mut stopping = !collect(first, &mut waiting);
        while !stopping && waiting.len() < BATCH_CHANGES_MAX {
            let Ok(job) = jobs.try_recv() else { break };
            stopping = !collect(job, &mut waiting);
        }
        if catch_unwind(AssertUnwindSafe(|| write(inner, waiting))).is_err() {
            tracing::error!("the writer panicked; no more changes are accepted until a restart");
            inner.poisoned.store(true, Ordering::SeqCst);
        }
        if stopping {
            return;
        }
    }
}

type Waiting = (Box<ChangeRequest>, Answer);

fn collect(job: Job, waiting: &mut Vec<Waiting>) -> bool {
    match job {
        Job::Change { request, answer } => {
            waiting.push((request, answer));
            true
        }
        Job::Stop => false,
    }
}

fn write(inner: &Inner, waiting: Vec<Waiting>) {
    if inner.poisoned.load(Ordering::SeqCst) {
        return; // dropped answers say so
    }
    let requests: Vec<&ChangeRequest> = waiting.iter().map(|(request, _)| &**request).collect();
    match write_batch(inner, &requests) {
        Ok(results) => {
            for ((_, answer), result) in waiting.into_iter().zip(results) {
                answer.send(result);
            }
        }
        Err(_) if waiting.len() > 1 => {
            for (request, answer) in waiting {
                let result = write_batch(inner, &[&request]);
                answer.send(single(result));
            }
        }
        Err(fault) => {
            let mut fault = Some(fault);
            for (_, answer) in waiting {
                answer.send(Err(refuse_or_fault(fault.take().unwrap_or(Fault::Poisoned))));
            }
        }
    }
}

fn single(result: Result<Vec<Result<Outcome, Error>>, Fault>) -> Result<Outcome, Error> {
    match result {
        Ok(mut results) => results.pop().unwrap_or(Err(Error::Fault(Fault::Poisoned))),
        Err(fault) => Err(refuse_or_fault(fault)),
    }
}

/// A full disk is no fault of the change or of ours.
fn refuse_or_fault(fault: Fault) -> Error {
    match fault {
        Fault::Full => Error::Refused(Refusal::new(
            ResultCode::UNAVAILABLE,
            "no room on the server's disk, or its map is full; nothing was changed, reading goes on; \
             free some room and try again",
        )),
        other => Error::Fault(other),
    }
}

/// Everything in one transaction. `Err` means that nothing of it happened.
#[inline(never)] // the instruction guard counts what is below this name
fn write_batch(
    inner: &Inner,
    requests: &[&ChangeRequest],
) -> Result<Vec<Result<Outcome, Error>>, Fault> {
    if inner.poisoned.load(Ordering::SeqCst) {
        return Err(Fault::Poisoned);
    }
    let mut written = try_batch(inner, requests);
    if matches!(written, Err(Fault::Full)) {
        written = match inner.store.make_room() {
            Ok(true) => try_batch(inner, requests),
            Ok(false) => Err(Fault::Full),
            Err(fault) => Err(fault),
        };
    }
    if written.is_err() {
        // The next batch gives the same numbers to other entries, whose names are not those cached.
        inner.names.renames.begin_change();
        inner.names.renames.end_change();
    }
    written
}

fn try_batch(
    inner: &Inner,
    requests: &[&ChangeRequest],
) -> Result<Vec<Result<Outcome, Error>>, Fault> {
    let mut writing = Writing {
        inner,
        batch: inner.store.batch()?,
        catalogue: inner.catalogue.load_full(),
        names_are_cached: true,
        judge: None,
        changed: false,
        renamed: false,
        reshaped: false,
    };
    let mut results = Vec::with_capacity(requests.len());
    for request in requests {
        match writing.one(request) {
            Ok(outcome) => results.push(Ok(outcome)),
            Err(Error::Refused(refusal)) => results.push(Err(Error::Refused(refusal))),
            Err(Error::Fault(fault)) => return Err(fault),
        }
    }
    if !writing.changed {
        return Ok(results); // nothing to make durable
    }
    writing.commit(requests.len() as u64)?;
    Ok(results)
}

struct Writing<'w> {
    inner: &'w Inner,
    batch: Batch<'w>,
    catalogue: Arc<Catalogue>,
    /// False once this batch has renamed an entry: cached names may be wrong.
    names_are_cached: bool,
    /// Of whoever asked for the change before. Good until a change that may have moved what the
    /// rules name, or who is a member of it.
    judge: Option<(Subject, Arc<Judge>)>,
    changed: bool,
    renamed: bool,
    /// What a lens remembers is no longer true.
    reshaped: bool,
}

impl Writing<'_> {
    fn one(&mut self, request: &ChangeRequest) -> Result<Outcome, Error> {
        let stamp = self.stamp(&request.change);
        let mut outcome = Outcome::default();
        let (prepared, author, judge) = {
            let tree = self.tree(&self.batch, self.catalogue.clone());
            let judge = self.judge(&tree, &request.subject)?;
            let preparing = Preparing {
                tree: &tree,
                judge: &judge,
                subject: &request.subject,
                controls: &request.controls,
                stamp: &stamp,
            };
            let prepared = prepare(&preparing, request)?;
            if let (Some(attributes), Some(id)) = (&request.controls.pre_read, id_before(&prepared))
            {
                outcome.pre_read = Some(read_entry(&tree, &judge, id, attributes)?);
            }
            (prepared, preparing.author(), judge)
        };
        self.judge = leaves_judges(&prepared).then(|| (request.subject.clone(), judge));
        if matches!(prepared, Prepared::Nothing) {
            return Ok(outcome);
        }
        let performed = self.perform(&prepared, author, stamp.time_ms)?;
        outcome.commit = performed.commit;
        if let (Some(attributes), Some(id)) = (&request.controls.post_read, performed.id) {
            let tree = self.tree(&self.batch, self.catalogue.clone());
            let judge = Judge::new(&tree, &request.subject)?;
            outcome.post_read = Some(read_entry(&tree, &judge, id, attributes)?);
        }
        Ok(outcome)
    }

    fn judge(&self, tree: &Tree<'_>, subject: &Subject) -> Result<Arc<Judge>, Fault> {
        match &self.judge {
            Some((who, judge)) if who == subject && judge.is_by(&tree.rules) => Ok(judge.clone()),
            _ => Ok(Arc::new(Judge::new(tree, subject)?)),
        }
    }

    fn perform(
        &mut self,
        prepared: &Prepared,
        author: String,
        time_ms: u64,
    ) -> Result<Performed, Fault> {
        self.changed = true;
        self.reshaped |= reshapes(prepared);
        let renames = matches!(prepared, Prepared::Rename(_));
        self.names_are_cached &= !renames;
        let (inner, cached) = (self.inner, self.names_are_cached);
        let mut performing = Performing {
            batch: &mut self.batch,
            catalogue: self.catalogue.clone(),
            indexes: self.inner.indexes(),
            author,
            time_ms,
        };
        let performed = performing.perform(prepared, &|batch, catalogue, act| {
            act(&tree_over(inner, batch, catalogue, cached))
        })?;
        self.catalogue = performing.catalogue;
        self.renamed |= performed.renamed;
        Ok(performed)
    }

    fn tree<'t>(&'t self, batch: &'t Batch<'_>, catalogue: Arc<Catalogue>) -> Tree<'t> {
        tree_over(self.inner, batch, catalogue, self.names_are_cached)
    }

    fn stamp(&self, change: &Change) -> Stamp {
        let mut uuid = [0u8; 16];
        if matches!(change, Change::Add { .. }) {
            self.inner.clock.random(&mut uuid);
        }
        Stamp { time_ms: self.inner.clock.now_ms(), uuid }
    }

    /// Makes the batch durable and visible.
    fn commit(mut self, changes: u64) -> Result<(), Fault> {
        self.trim(changes)?;
        let known = self.inner.catalogue.load_full();
        // Published first: whoever sees the new rows must know the numbers in them.
        self.inner.catalogue.store(self.catalogue.clone());
        let changing =
            [(self.renamed, &self.inner.names.renames), (self.reshaped, &self.inner.shape)];
        let changing = changing.into_iter().filter_map(|(does, epoch)| does.then_some(epoch));
        changing.clone().for_each(EpochCounter::begin_change);
        let committed = self.batch.commit();
        changing.for_each(EpochCounter::end_change);
        if committed.is_err() {
            self.inner.catalogue.store(known);
        }
        match committed {
            Err(fault @ Fault::Full) => Err(fault),
            Err(fault) => {
                tracing::error!(%fault, "a commit failed; no more changes until a restart");
                self.inner.poisoned.store(true, Ordering::SeqCst);
                Err(fault)
            }
            Ok(()) => Ok(()),
        }
    }

    fn trim(&mut self, changes: u64) -> Result<(), Fault> {
        let rows_max = changes.saturating_mul(TRIMMED_PER_CHANGE);
        let before = self.first_kept(rows_max)?;
        self.batch.trim_changes(before, rows_max)?;
        Ok(())
    }

    /// The oldest change that is neither too old nor too much, looking at no more than `rows_max`.
    fn first_kept(&self, rows_max: u64) -> Result<CommitNumber, Fault> {
        let settings = &self.inner.settings;
        let reader = self.batch.reader();
        let first = reader.counters()?.first_commit;
        if reader.changes_bytes()? > settings.changes_kept_bytes {
            return Ok(CommitNumber(first.0.saturating_add(rows_max)));
        }
        let oldest = self.inner.clock.now_ms().saturating_sub(settings.changes_kept_ms);
        let limit = usize::try_from(rows_max).unwrap_or(usize::MAX);
        for row in reader.changes_from(first)?.take(limit) {
            let (number, change) = row?;
            if crate::change::record::time_ms(change) >= oldest {
                return Ok(number);
            }
        }
        Ok(CommitNumber(first.0.saturating_add(rows_max)))
    }
}

/// Whether the change makes something untrue that a lens may remember: which entries there are,
/// where they stand, links between them, what is a referral or an alias.
fn reshapes(prepared: &Prepared) -> bool {
    match prepared {
        Prepared::Nothing => false,
        Prepared::Add(_) | Prepared::Delete(_) | Prepared::Rename(_) => true,
        Prepared::Modify(modify) => {
            let [before, after] = [&modify.before, &modify.after]
                .map(|entry| entry.find("objectclass").map(|found| &found.values));
            !modify.links.is_empty() || before != after
        }
    }
}

fn tree_over<'t>(
    inner: &'t Inner,
    batch: &'t Batch<'_>,
    catalogue: Arc<Catalogue>,
    names_are_cached: bool,
) -> Tree<'t> {
    let epoch = names_are_cached.then(|| inner.names.renames.now()).filter(|epoch| epoch % 2 == 0);
    Tree {
        reader: batch.reader(),
        catalogue,
        suffixes: inner.suffixes.load_full(),
        names: &inner.names,
        epoch,
        rules: inner.rules.load_full(),
        rule_filters: OnceCell::new(),
        lens: None,
        memo: Memo::default(),
    }
}

/// Whether what the rules make of an asker is the same afterwards: no name and no link has changed.
fn leaves_judges(prepared: &Prepared) -> bool {
    match prepared {
        Prepared::Nothing => true,
        Prepared::Modify(modify) => modify.links.is_empty(),
        Prepared::Add(_) | Prepared::Delete(_) | Prepared::Rename(_) => false,
    }
}

fn id_before(prepared: &Prepared) -> Option<EntryId> {
    match prepared {
        Prepared::Delete(removed) => removed.last().map(|one| one.id),
        Prepared::Modify(modify) => Some(modify.id),
        Prepared::Rename(rename) => Some(rename.id),
        Prepared::Add(_) | Prepared::Nothing => None,
    }
}

/// RFC 4527: the entry as this asker may read it.
fn read_entry(
    tree: &Tree<'_>,
    judge: &Judge,
    id: EntryId,
    attributes: &[String],
) -> Result<ReadEntry, Fault> {
    let candidate = tree.expect_entry(id)?;
    let names: Vec<&str> = attributes.iter().map(String::as_str).collect();
    let selection = Selection::new(tree, &names, false);
    let rights = judge.of(&candidate);
    let projection = project(&candidate, &selection, &rights)?;
    Ok(ReadEntry { dn: candidate.dn()?.to_owned(), attributes: projection.slices().concat() })
}
