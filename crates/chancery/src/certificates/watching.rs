//! Notices within a moment that a certificate was replaced on disk, or that time alone makes
//! another one the best; and that client certificates were revoked.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::{Certificates, ListenersTls};
use crate::ca::Ca;
use crate::duties::Duty;

/// How often files are looked at. Links are followed, and folders of other machines have no other
/// way to say that something changed.
const EVERY: Duration = Duration::from_millis(500);

/// How often everything is judged again although no file changed: certificates begin and end.
const JUDGED_EVERY: time::Duration = time::Duration::minutes(10);

/// Called after another certificate came into service.
pub(crate) type AfterReplacement = Box<dyn FnMut() + Send>;

/// The duty that watches the files of all sources.
pub(crate) struct Watching {
    certificates: Arc<Certificates>,
    seen: Vec<(PathBuf, Option<Mark>)>,
    judged: OffsetDateTime,
    /// The thumbprint of what was in service when last looked, whoever brought it there.
    handled: Option<String>,
    after: AfterReplacement,
}

/// What changes when a file does, wherever a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

fn mark(path: &Path) -> Option<Mark> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Mark {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

impl Watching {
    /// `now`: when the certificates were last looked at.
    pub(crate) fn new(
        certificates: Arc<Certificates>,
        now: OffsetDateTime,
        after: AfterReplacement,
    ) -> Watching {
        let (seen, handled) = (look(&certificates), thumbprint(&certificates));
        Watching { certificates, seen, judged: now, handled, after }
    }
}

/// How often somebody may have been revoked.
const REVOKED_EVERY: Duration = Duration::from_secs(1);

/// The duty that keeps those out whose client certificates were revoked.
pub(crate) struct Revocations {
    ca: Ca,
    listeners: Arc<ListenersTls>,
    seen: Option<Mark>,
    /// What could not be taken over, and was told of.
    pub(super) told: Option<Option<Mark>>,
}

impl Revocations {
    pub(crate) fn new(ca: Ca, listeners: Arc<ListenersTls>) -> Revocations {
        // What was there when the listeners were made counts already; once more does no harm.
        Revocations { ca, listeners, seen: None, told: None }
    }
}

impl Duty for Revocations {
    fn name(&self) -> &'static str {
        "revocations"
    }

    fn every(&self) -> Duration {
        REVOKED_EVERY
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        let seen = mark(&self.ca.crl_pem());
        if seen != self.seen {
            if let Err(error) = self.listeners.refresh(now) {
                // Tried again, because another file may be what is broken; told once, because the
                // alert says that it still is.
                let is_told = self.told == Some(seen);
                self.told = Some(seen);
                return if is_told { Ok(()) } else { Err(error) };
            }
            (self.seen, self.told) = (seen, None);
        }
        Ok(())
    }
}

fn thumbprint(certificates: &Certificates) -> Option<String> {
    certificates.served().map(|served| served.thumbprint)
}

fn look(certificates: &Certificates) -> Vec<(PathBuf, Option<Mark>)> {
    certificates.watched().into_iter().map(|path| (path.clone(), mark(&path))).collect()
}

impl Duty for Watching {
    fn name(&self) -> &'static str {
        "certificates"
    }

    fn every(&self) -> Duration {
        EVERY
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        // Looked at before it is read: what is written in between is seen the next time.
        let seen = look(&self.certificates);
        let is_time = now - self.judged >= JUDGED_EVERY || now < self.judged;
        if seen != self.seen || is_time {
            (self.seen, self.judged) = (seen, now);
            self.certificates.refresh(now);
        }
        // A reload or a write to the root DSE may have replaced it as well.
        let served = thumbprint(&self.certificates);
        if served != self.handled {
            self.handled = served;
            (self.after)();
        }
        Ok(())
    }
}
