//! A work and its tally: what was issued, what came back, what counts.

use anyhow::{Result, bail};

use super::{Content, Histogram, Session, Turn, Work};

/// What is counted in the measured interval.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) operations: u64,
    pub(super) resumed: u64,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) checksum: u64,
    pub(super) latency: Histogram,
}

/// One work with all lanes that do it.
pub(super) struct Party<'w> {
    pub(super) work: &'w dyn Work,
    pub(super) bind: Option<(String, String)>,
    pub(super) session: Session,
    pub(super) page: Option<u32>,
    limit: Option<u64>,
    pub(super) issued: u64,
    pub(super) answered: u64,
    /// No more operations, but those that leave things as they were.
    pub(super) is_ending: bool,
    pub(super) is_measuring: bool,
    pub(super) tally: Tally,
    references: Vec<Option<(u64, u64)>>,
    /// Space for what is sent.
    pub(super) out: Vec<u8>,
    pub(super) scratch: Vec<u8>,
}

impl<'w> Party<'w> {
    pub(super) fn new(work: &'w dyn Work, bind: Option<(String, String)>) -> Self {
        Self {
            work,
            bind,
            session: work.session(),
            page: work.page(),
            limit: work.operations_max(),
            issued: 0,
            answered: 0,
            is_ending: false,
            is_measuring: false,
            tally: Tally::default(),
            references: vec![None; work.references()],
            out: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Whether a lane with so many operations may begin another one.
    pub(super) fn may_issue(&self, turns: u64) -> bool {
        let is_over = self.is_ending || self.limit.is_some_and(|limit| self.issued >= limit);
        !is_over || !self.work.may_rest(turns)
    }

    /// Whether all operations that can be made were made and answered.
    pub(super) fn is_exhausted(&self) -> bool {
        self.answered == self.issued && self.limit.is_some_and(|limit| self.issued >= limit)
    }

    pub(super) fn received(&mut self, bytes: usize) {
        if self.is_measuring {
            self.tally.bytes += bytes as u64;
        }
    }

    /// An operation is complete: judged, and counted if it counts.
    pub(super) fn done(
        &mut self,
        turn: Turn,
        nanoseconds: u64,
        entries: u64,
        sum: u64,
        counts: bool,
    ) -> Result<()> {
        self.answered += 1;
        let expected = match self.work.expected(turn).content {
            Content::Sum { entries, sum } => (entries, sum),
            Content::First(at) => match self.references.get_mut(at) {
                Some(first) => *first.get_or_insert((entries, sum)),
                None => bail!("{}: no reference {at}", self.work.name()),
            },
        };
        if expected != (entries, sum) {
            return Err(self.wrong_content(turn, entries, expected.0));
        }
        if counts {
            self.tally.operations += 1;
            self.tally.entries += entries;
            self.tally.checksum = self.tally.checksum.wrapping_add(sum);
            self.tally.latency.record(nanoseconds);
        }
        Ok(())
    }

    fn wrong_content(&self, turn: Turn, entries: u64, expected: u64) -> anyhow::Error {
        let what = self.work.describe(turn);
        if entries != expected {
            return anyhow::anyhow!(
                "{what}: wrong answer: {entries} entries instead of {expected}; was all data \
                 loaded, is `--entries` what was loaded, and may this identity read it?"
            );
        }
        anyhow::anyhow!(
            "{what}: wrong answer: {entries} entries as expected, but not with the expected \
             content; may this identity read all attributes, and was the data changed?"
        )
    }
}
