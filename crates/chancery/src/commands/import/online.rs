//! Records as changes, many under way at once. Content records whose parent has not come yet are
//! tried again at the end, so their order does not matter.

use std::collections::VecDeque;
use std::io::Read;

use anyhow::Result;
use directory::transfer::Rejected;
use directory::transfer::changes::change_of;
use directory::transfer::load::Loaded;
use directory::transfer::records::{RawRecord, Records};
use ldap::ldif::{Record, RecordKind};
use ldap::result::ResultCode;

use super::Rejects;
use super::door::Door;
use crate::commands::progress::Progress;
use crate::failure::failed;

struct Importing<'i, D> {
    door: &'i mut D,
    rejects: &'i mut Rejects,
    under_way: VecDeque<Sent>,
    /// Added entries whose parent was missing.
    again: Vec<RawRecord>,
    loaded: Loaded,
    retrying: bool,
}

struct Sent {
    raw: RawRecord,
    dn: String,
    is_add: bool,
}

pub(super) fn run(
    door: &mut impl Door,
    source: impl Read,
    rejects: &mut Rejects,
    progress: &mut Progress,
) -> Result<Loaded> {
    let mut importing = Importing {
        door,
        rejects,
        under_way: VecDeque::new(),
        again: Vec::new(),
        loaded: Loaded::default(),
        retrying: false,
    };
    let mut records = Records::new(source);
    while let Some(record) = records.next() {
        importing.record(record.map_err(failed)?)?;
        let (entries, bytes) = (importing.loaded.entries, records.bytes());
        progress.show(|| format!("importing: {entries} records, {} MiB", bytes >> 20));
    }
    importing.drain()?;
    importing.retry()?;
    Ok(importing.loaded)
}

impl<D: Door> Importing<'_, D> {
    fn record(&mut self, raw: RawRecord) -> Result<()> {
        let parsed = match Record::parse(&raw.text, raw.line) {
            Ok(None) => return Ok(()),
            Ok(Some(record)) => {
                let is_add = matches!(record.kind, RecordKind::Content(_) | RecordKind::Add(_));
                let dn = record.dn.to_string();
                change_of(&record)
                    .map(|change| (change, dn, is_add))
                    .map_err(|what| (record.line, what))
            }
            Err(error) => Err((error.line, error.what)),
        };
        match parsed {
            Err((line, what)) => {
                self.reject(Rejected { line, dn: String::new(), what, text: raw.text })
            }
            Ok((change, dn, is_add)) => {
                // A change after adds that wait for parents must see them first.
                while !self.door.has_room() {
                    self.outcome()?;
                }
                self.door.submit(change)?;
                self.under_way.push_back(Sent { raw, dn, is_add });
                Ok(())
            }
        }
    }

    fn drain(&mut self) -> Result<()> {
        while !self.under_way.is_empty() {
            self.outcome()?;
        }
        Ok(())
    }

    /// Tries what waited for parents, as long as that gets any further.
    fn retry(&mut self) -> Result<()> {
        loop {
            let waiting = std::mem::take(&mut self.again);
            if waiting.is_empty() {
                return Ok(());
            }
            let before = self.loaded.entries;
            for raw in waiting {
                self.record(raw)?;
            }
            self.drain()?;
            self.retrying = self.loaded.entries == before;
        }
    }

    fn outcome(&mut self) -> Result<()> {
        let outcome = self.door.next_outcome()?;
        let Some(Sent { raw, dn, is_add }) = self.under_way.pop_front() else { return Ok(()) };
        match outcome {
            None => {
                self.loaded.entries += 1;
                Ok(())
            }
            Some((ResultCode::NO_SUCH_OBJECT, _)) if is_add && !self.retrying => {
                self.again.push(raw);
                Ok(())
            }
            Some((code, message)) => {
                let what = format!("{message} ({code})");
                self.reject(Rejected { line: raw.line, dn, what, text: raw.text })
            }
        }
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        if !self.rejects.keeps_going() {
            let done = self.loaded.entries;
            return Err(failed(format!(
                "{rejected}\n{done} records before it were imported; mend the file, or use --continue REJECTS"
            )));
        }
        self.loaded.rejected += 1;
        self.rejects.write(&rejected)
    }
}
