//! Changes: what may be asked of the one door through which everything that changes goes.
//!
//! ```text
//! ChangeRequest ─► queue (bounded; full = busy) ─► writer ─► prepare (reads only, may refuse)
//!     ─► perform (puts) ─► commit, one fsync for all that waited ─► reply
//! ```
//!
//! - [`prepare`]: one file per verb: access, apply, schema, invariants, stamps.
//! - [`apply`]: modifications against an entry, pure.
//! - [`perform`]: an entry's rows, links, postings and change record, in one transaction.
//! - [`writer`]: the thread, group commit, poison.
//! - [`record`]: what the change log keeps.
//! - [`secrets`]: passwords are hashed and verified before a change enters the queue.

pub(crate) mod apply;
pub(crate) mod perform;
pub(crate) mod prepare;
pub(crate) mod record;
pub(crate) mod secrets;
pub(crate) mod writer;

use std::task::Waker;

use ldap::filter::FilterBytes;
use ldap::message::ModifyOperation;

use crate::refusal::Error;
use crate::subject::Subject;

/// One change, with who asks for it.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    pub subject: Subject,
    pub change: Change,
    pub controls: ChangeControls,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    Add {
        dn: String,
        attributes: Vec<NewAttribute>,
    },
    Delete {
        dn: String,
    },
    Modify {
        dn: String,
        modifications: Vec<Modification>,
    },
    ModifyDn {
        dn: String,
        new_rdn: String,
        delete_old_rdn: bool,
        new_superior: Option<String>,
    },
    /// Replaces the password by a stored hash. With `only_if`, exactly that stored value is
    /// replaced, and nothing happens if it is gone (a rehash must not undo a newer password).
    SetPassword {
        dn: String,
        hash: Vec<u8>,
        only_if: Option<Vec<u8>>,
    },
    /// Writes into the entry what is known of attempts to sign in to it, when its turn comes.
    StoreStanding {
        dn: String,
    },
}

impl Change {
    pub fn dn(&self) -> &str {
        match self {
            Change::Add { dn, .. }
            | Change::Delete { dn }
            | Change::Modify { dn, .. }
            | Change::ModifyDn { dn, .. }
            | Change::SetPassword { dn, .. }
            | Change::StoreStanding { dn } => dn,
        }
    }
}

/// Values may be secrets, so only the shape is printed.
impl std::fmt::Debug for Change {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self {
            Change::Add { .. } => "Add",
            Change::Delete { .. } => "Delete",
            Change::Modify { .. } => "Modify",
            Change::ModifyDn { .. } => "ModifyDn",
            Change::SetPassword { .. } => "SetPassword",
            Change::StoreStanding { .. } => "StoreStanding",
        };
        write!(out, "{verb}({:?})", self.dn())
    }
}

/// An attribute description with values, as a client wrote them.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAttribute {
    pub description: String,
    pub values: Vec<Vec<u8>>,
}

impl NewAttribute {
    pub fn new<V: Into<Vec<u8>>>(
        description: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> NewAttribute {
        NewAttribute {
            description: description.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}

impl std::fmt::Debug for NewAttribute {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} ({} values)", self.description, self.values.len())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modification {
    pub operation: ModifyOperation,
    pub attribute: NewAttribute,
}

/// The request controls that a change can carry.
#[derive(Clone, Debug, Default)]
pub struct ChangeControls {
    /// RFC 4528: refuse unless the entry matches.
    pub assertion: Option<FilterBytes>,
    /// RFC 4527: attributes to return as they were before the change.
    pub pre_read: Option<Vec<String>>,
    /// RFC 4527: attributes to return as they are after it.
    pub post_read: Option<Vec<String>>,
    pub manage_dsa_it: bool,
    /// Delete everything below as well.
    pub tree_delete: bool,
    /// Adding a value that is there and deleting one that is not are no errors.
    pub permissive: bool,
    /// Let a manager set attributes that users may not.
    pub relax: bool,
}

/// What a performed change gives back.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub pre_read: Option<ReadEntry>,
    pub post_read: Option<ReadEntry>,
    /// The change's number in the change log.
    pub commit: u64,
}

/// An entry as one asker may read it: its name and PartialAttribute TLVs, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadEntry {
    pub dn: String,
    pub attributes: Vec<u8>,
}

/// Called from the writer once the change is durable or refused.
pub type Reply = Box<dyn FnOnce(Result<Outcome, Error>) + Send>;

/// The same; what it gives back is woken when all changes of the batch are answered, so that a
/// thread that waits for several is woken once.
pub type WakingReply = Box<dyn FnOnce(Result<Outcome, Error>) -> Option<Waker> + Send>;
