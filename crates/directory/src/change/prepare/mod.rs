//! Preparing a change: everything that can refuse it, and nothing that writes. One file per verb.
//!
//! What comes out is complete: performing it needs no further decision.

pub(crate) mod add;
pub(crate) mod delete;
pub(crate) mod links;
pub(crate) mod modify;
pub(crate) mod obeying;
pub(crate) mod rename;
mod rules;
mod standing;

use ldap::result::ResultCode;

use crate::change::{Change, ChangeControls, ChangeRequest};
use crate::entry::Entry;
use crate::judge::Judge;
use crate::lockout::Lockout;
use crate::refusal::{Error, Refusal};
use crate::search::evaluate::evaluate;
use crate::search::filter::compile;
use crate::store::EntryId;
use crate::subject::{Subject, Who};
use crate::tree::{Candidate, Tree};
use links::LinkChange;
use obeying::Obeying;
pub(crate) use rules::check_names;

/// What time and chance contribute to one change, decided before it is prepared.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    pub time_ms: u64,
    pub uuid: [u8; 16],
}

/// A change that nothing stands against any more.
pub(crate) enum Prepared {
    Add(Box<PreparedAdd>),
    Delete(Vec<Removed>),
    Modify(Box<PreparedModify>),
    Rename(Box<PreparedRename>),
    /// Already as it should be (a rehash that came too late).
    Nothing,
}

pub(crate) struct PreparedAdd {
    pub parent: EntryId,
    pub name_key: Vec<u8>,
    /// The name as a scan key, to bind loose values that waited for it.
    pub reversed: Vec<u8>,
    pub entry: Entry,
    pub links: Vec<LinkChange>,
}

/// Entries to remove, leaves first.
pub(crate) struct Removed {
    pub id: EntryId,
    pub dn: String,
    pub entry: Entry,
}

pub(crate) struct PreparedModify {
    pub id: EntryId,
    pub dn: String,
    pub before: Entry,
    pub after: Entry,
    pub links: Vec<LinkChange>,
    /// What was known of attempts to sign in to it does not count any more.
    pub unlocks: bool,
}

pub(crate) struct PreparedRename {
    pub id: EntryId,
    pub dn: String,
    pub new_dn: String,
    pub new_parent: EntryId,
    pub name_key: Vec<u8>,
    pub reversed: Vec<u8>,
    pub before: Entry,
    pub after: Entry,
    pub links: Vec<LinkChange>,
}

/// What preparing looks at.
pub(crate) struct Preparing<'p, 't> {
    pub tree: &'p Tree<'t>,
    pub judge: &'p Judge,
    pub subject: &'p Subject,
    pub controls: &'p ChangeControls,
    pub stamp: &'p Stamp,
    pub obeying: &'p Obeying,
    pub lockout: &'p Lockout,
}

/// Prepares any change.
pub(crate) fn prepare(
    preparing: &Preparing<'_, '_>,
    request: &ChangeRequest,
) -> Result<Prepared, Error> {
    check_not_root(&request.change)?;
    match &request.change {
        Change::Add { dn, attributes } => add::prepare(preparing, dn, attributes),
        Change::Delete { dn } => delete::prepare(preparing, dn),
        Change::Modify { dn, modifications } => modify::prepare(preparing, dn, modifications),
        Change::ModifyDn { dn, new_rdn, delete_old_rdn, new_superior } => {
            rename::prepare(preparing, dn, new_rdn, *delete_old_rdn, new_superior.as_deref())
        }
        Change::SetPassword { dn, hash, only_if } => {
            modify::prepare_password(preparing, dn, hash, only_if.as_deref())
        }
        Change::StoreStanding { dn } => standing::prepare(preparing, dn),
    }
}

/// RFC 4512 §5.1: the root DSE is there, and is not changed by operations.
fn check_not_root(change: &Change) -> Result<(), Refusal> {
    let (Change::Add { dn, .. }
    | Change::Delete { dn }
    | Change::Modify { dn, .. }
    | Change::ModifyDn { dn, .. }
    | Change::SetPassword { dn, .. }
    | Change::StoreStanding { dn }) = change;
    if !dn.trim().is_empty() {
        return Ok(());
    }
    let code = match change {
        Change::Add { .. } => ResultCode::ENTRY_ALREADY_EXISTS,
        _ => ResultCode::UNWILLING_TO_PERFORM,
    };
    Err(Refusal::new(code, "the empty name is the server's own entry, which is only read"))
}

impl<'p, 't> Preparing<'p, 't> {
    /// RFC 4528: the entry must match before anything happens to it.
    pub(crate) fn assert(&self, candidate: &Candidate<'_, 't>) -> Result<(), Error> {
        let Some(assertion) = &self.controls.assertion else { return Ok(()) };
        let node = compile(self.tree, &assertion.filter())?;
        let rights = self.judge.of(candidate);
        if evaluate(&node, candidate, &rights)? == Some(true) {
            return Ok(());
        }
        let message = "the entry does not match the assertion, so nothing was changed";
        Err(Refusal::new(ResultCode::ASSERTION_FAILED, message).into())
    }

    /// Who is written into creatorsName and modifiersName.
    pub(crate) fn author(&self) -> &'p str {
        author(self.subject)
    }
}

pub(crate) fn author(subject: &Subject) -> &str {
    match &subject.who {
        Who::Anonymous => "",
        Who::Entry { dn, .. } | Who::Name(dn) => dn,
        Who::Operator => "cn=operator",
    }
}

pub(crate) fn denied(what: &str) -> Refusal {
    Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, format!("you may not {what}"))
}
