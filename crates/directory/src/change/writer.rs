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
use std::task::Waker;

use ldap::result::ResultCode;

use crate::catalogue::Catalogue;
use crate::change::perform::{Performed, Performing};
use crate::change::prepare::obeying::Obeying;
use crate::change::prepare::{Prepared, Preparing, Stamp, author, prepare};
use crate::change::{Change, ChangeRequest, Outcome, ReadEntry, WakingReply};
use crate::directory::Inner;
use crate::epoch::EpochCounter;
use crate::judge::Judge;
use crate::lens::{Lens, Reshaping};
use crate::refusal::{Error, Fault, Refusal};
use crate::ruling::Ruling;
use crate::search::projection::{Selection, project};
use crate::store::{Batch, CommitNumber, EntryId};
use crate::tree::{Memo, Tree};

/// After so many the writer offers its core to those who answer, where they share one: less than
/// 200 microseconds of work.
const CHANGES_PER_TURN: usize = 6;

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
pub(crate) struct Answer(Option<WakingReply>);

impl Answer {
    pub(crate) fn new(reply: WakingReply) -> Answer {
        Answer(Some(reply))
    }

    /// The change was not queued: its submitter answers, not the writer.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }

    fn send(mut self, result: Result<Outcome, Error>, woken: &mut Woken) {
        if let Some(reply) = self.0.take() {
            woken.0.extend(reply(result));
        }
    }
}

/// Woken when it is dropped, that is in any case: once all answers are given.
#[derive(Default)]
struct Woken(Vec<Waker>);

impl Drop for Woken {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            drop(Woken(reply(Err(Error::Fault(Fault::Poisoned))).into_iter().collect()));
        }
    }
}

/// What the writer keeps from one batch to the next.
#[derive(Default)]
struct Memory {
    /// Goes along with what each change does (`Lens::forget`), inside the transaction too.
    lens: Lens,
    obeying: Obeying,
}

/// The writer thread's whole life.
pub(crate) fn run(inner: &Inner, jobs: &Receiver<Job>) {
    let memory = Memory::default();
    while let Ok(first) = jobs.recv() {
        let mut waiting = Vec::new();
        let mut stopping = !collect(first, &mut waiting);
        while !stopping && waiting.len() < BATCH_CHANGES_MAX {
            let Ok(job) = jobs.try_recv() else { break };
            stopping = !collect(job, &mut waiting);
        }
        if catch_unwind(AssertUnwindSafe(|| write(inner, &memory, waiting))).is_err() {
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

fn write(inner: &Inner, memory: &Memory, waiting: Vec<Waiting>) {
    if inner.poisoned.load(Ordering::SeqCst) {
        return; // dropped answers say so
    }
    let mut woken = Woken::default();
    let requests: Vec<&ChangeRequest> = waiting.iter().map(|(request, _)| &**request).collect();
    match write_batch(inner, memory, &requests) {
        Ok(results) => {
            for ((_, answer), result) in waiting.into_iter().zip(results) {
                answer.send(result, &mut woken);
            }
        }
        Err(_) if waiting.len() > 1 => {
            for (request, answer) in waiting {
                let result = write_batch(inner, memory, &[&request]);
                answer.send(single(result), &mut Woken::default());
            }
        }
        Err(fault) => {
            let mut fault = Some(fault);
            for (_, answer) in waiting {
                let fault = fault.take().unwrap_or(Fault::Poisoned);
                answer.send(Err(refuse_or_fault(fault)), &mut woken);
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
    memory: &Memory,
    requests: &[&ChangeRequest],
) -> Result<Vec<Result<Outcome, Error>>, Fault> {
    if inner.poisoned.load(Ordering::SeqCst) {
        return Err(Fault::Poisoned);
    }
    let mut written = try_batch(inner, memory, requests);
    if matches!(written, Err(Fault::Full)) {
        forget(inner, memory);
        written = match inner.store.make_room() {
            Ok(true) => try_batch(inner, memory, requests),
            Ok(false) => Err(Fault::Full),
            Err(fault) => Err(fault),
        };
    }
    if written.is_err() {
        forget(inner, memory);
    }
    written
}

/// What was learned from a batch that did not happen.
fn forget(inner: &Inner, memory: &Memory) {
    memory.lens.clear();
    // The next batch gives the same numbers to other entries, whose names are not those cached.
    inner.names.renames.begin_change();
    inner.names.renames.end_change();
}

fn try_batch(
    inner: &Inner,
    memory: &Memory,
    requests: &[&ChangeRequest],
) -> Result<Vec<Result<Outcome, Error>>, Fault> {
    let ground = Ground::new(inner, memory);
    memory.lens.focus(Some(inner.shape.now()), &ground.ruling);
    let catalogue = Arc::clone(&ground.ruling.catalogue);
    let mut writing = Writing {
        ground,
        batch: inner.store.batch()?,
        catalogue,
        changed: false,
        renamed: false,
        reshaped: false,
        unlocked: Vec::new(),
    };
    let mut results = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        if index.is_multiple_of(CHANGES_PER_TURN) {
            inner.turns.writer_gives();
        }
        match writing.one(request) {
            Ok(outcome) => results.push(Ok(outcome)),
            Err(Error::Refused(refusal)) => results.push(Err(Error::Refused(refusal))),
            Err(Error::Fault(fault)) => return Err(fault),
        }
    }
    if !writing.changed {
        return Ok(results); // nothing to make durable
    }
    inner.turns.writer_gives();
    writing.commit(requests.len() as u64)?;
    inner.turns.writer_gives();
    Ok(results)
}

/// What a batch stands on, the same for all of its changes: whatever was replaced before a change
/// was submitted is in force for it.
struct Ground<'w> {
    inner: &'w Inner,
    ruling: Arc<Ruling>,
    memory: &'w Memory,
    /// False once this batch has renamed an entry: cached names may be wrong.
    names_are_cached: bool,
}

impl<'w> Ground<'w> {
    fn new(inner: &'w Inner, memory: &'w Memory) -> Ground<'w> {
        Ground { inner, ruling: Arc::clone(&inner.in_force.load()), memory, names_are_cached: true }
    }

    fn tree<'t>(&'t self, batch: &'t Batch<'_>, catalogue: &'t Arc<Catalogue>) -> Tree<'t> {
        Tree { lens: Some(&self.memory.lens), ..self.tree_without_lens(batch, catalogue) }
    }

    /// In the middle of a change, when it is not known yet what has to be forgotten.
    fn tree_without_lens<'t>(
        &'t self,
        batch: &'t Batch<'_>,
        catalogue: &'t Arc<Catalogue>,
    ) -> Tree<'t> {
        let renames = &self.inner.names.renames;
        Tree {
            reader: batch.reader(),
            catalogue,
            suffixes: &self.ruling.suffixes,
            names: &self.inner.names,
            epoch: Some(renames.now()).filter(|now| self.names_are_cached && now % 2 == 0),
            rules: &self.ruling.rules,
            kinds: &self.ruling.kinds,
            rule_filters: OnceCell::new(),
            lens: None,
            memo: Memo::default(),
        }
    }
}

struct Writing<'w> {
    ground: Ground<'w>,
    batch: Batch<'w>,
    catalogue: Arc<Catalogue>,
    changed: bool,
    renamed: bool,
    /// What a lens remembers is no longer true.
    reshaped: bool,
    /// Of which nothing is known any more.
    unlocked: Vec<EntryId>,
}

impl Writing<'_> {
    fn one(&mut self, request: &ChangeRequest) -> Result<Outcome, Error> {
        let stamp = self.stamp(&request.change);
        let mut outcome = Outcome::default();
        let prepared = {
            let tree = self.ground.tree(&self.batch, &self.catalogue);
            let judge = Judge::new(&tree, &request.subject)?;
            let preparing = Preparing {
                tree: &tree,
                judge: &judge,
                subject: &request.subject,
                controls: &request.controls,
                stamp: &stamp,
                obeying: &self.ground.memory.obeying,
                lockout: &self.ground.inner.verifying.lockout,
            };
            let prepared = prepare(&preparing, request)?;
            if let (Some(attributes), Some(id)) = (&request.controls.pre_read, id_before(&prepared))
            {
                outcome.pre_read = Some(read_entry(&tree, &judge, id, attributes)?);
            }
            prepared
        };
        if matches!(prepared, Prepared::Nothing) {
            return Ok(outcome);
        }
        let performed = self.perform(&prepared, author(&request.subject), stamp.time_ms)?;
        outcome.commit = performed.commit;
        if let (Some(attributes), Some(id)) = (&request.controls.post_read, performed.id) {
            let tree = self.ground.tree(&self.batch, &self.catalogue);
            let judge = Judge::new(&tree, &request.subject)?;
            outcome.post_read = Some(read_entry(&tree, &judge, id, attributes)?);
        }
        Ok(outcome)
    }

    fn perform(
        &mut self,
        prepared: &Prepared,
        author: &str,
        time_ms: u64,
    ) -> Result<Performed, Fault> {
        self.changed = true;
        self.ground.names_are_cached &= !matches!(prepared, Prepared::Rename(_));
        let ground = &self.ground;
        let mut performing = Performing {
            batch: &mut self.batch,
            catalogue: Arc::clone(&self.catalogue),
            indexes: Arc::clone(&ground.ruling.indexes),
            author,
            time_ms,
        };
        let performed = performing.perform(prepared, &|batch, catalogue, act| {
            act(&ground.tree_without_lens(batch, &catalogue))
        })?;
        self.catalogue = performing.catalogue;
        self.renamed |= performed.renamed;
        self.reshaped |= performed.reshaping != Reshaping::None;
        ground.memory.lens.forget(performed.reshaping);
        if let Prepared::Modify(modify) = prepared
            && modify.unlocks
        {
            // At once, for changes after this one in the batch; and again when readers see it.
            ground.inner.verifying.lockout.forget(modify.id);
            self.unlocked.push(modify.id);
        }
        Ok(performed)
    }

    fn stamp(&self, change: &Change) -> Stamp {
        let mut uuid = [0u8; 16];
        if matches!(change, Change::Add { .. }) {
            self.ground.inner.clock.random(&mut uuid);
        }
        Stamp { time_ms: self.ground.inner.clock.now_ms(), uuid }
    }

    /// Makes the batch durable and visible.
    fn commit(mut self, changes: u64) -> Result<(), Fault> {
        self.trim(changes)?;
        let inner = self.ground.inner;
        let changing = [(self.renamed, &inner.names.renames), (self.reshaped, &inner.shape)];
        let changing = changing.into_iter().filter_map(|(does, epoch)| does.then_some(epoch));
        changing.clone().for_each(EpochCounter::begin_change);
        let batch = self.batch;
        let committed = match Arc::ptr_eq(&self.catalogue, &self.ground.ruling.catalogue) {
            true => batch.commit(),
            // First of all: whoever sees the new rows must know the numbers in them.
            false => inner.in_force.with_numbers(&self.catalogue, || batch.commit()),
        };
        changing.for_each(EpochCounter::end_change);
        match committed {
            Err(fault @ Fault::Full) => Err(fault),
            Err(fault) => {
                tracing::error!(%fault, "a commit failed; no more changes until a restart");
                inner.poisoned.store(true, Ordering::SeqCst);
                Err(fault)
            }
            Ok(()) => {
                self.unlocked.iter().for_each(|id| inner.verifying.lockout.forget(*id));
                if self.reshaped {
                    self.ground.memory.lens.settle(inner.shape.now());
                }
                Ok(())
            }
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
        let settings = &self.ground.inner.settings;
        let reader = self.batch.reader();
        let first = reader.counters()?.first_commit;
        if reader.changes_bytes()? > settings.changes_kept_bytes {
            return Ok(CommitNumber(first.0.saturating_add(rows_max)));
        }
        let oldest = self.ground.inner.clock.now_ms().saturating_sub(settings.changes_kept_ms);
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
