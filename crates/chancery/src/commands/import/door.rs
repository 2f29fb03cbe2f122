//! Two doors to a directory that holds something: the running server's local socket, or the folder
//! itself.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Result;
use directory::{
    Change, ChangeControls, ChangeRequest, Directory, Error, Outcome, Protection, Subject, Who,
};
use ldap::message::{
    AddRequest, Attribute, Control, DeleteRequest, Modification, ModifyDnRequest, ModifyRequest,
    Request,
};
use ldap::oid::control::{MANAGE_DSA_IT, RELAX_RULES};
use ldap::result::ResultCode;

use crate::failure::failed;
use crate::local::Local;

/// None: done. Else the code and what was wrong.
pub(super) type Outcomes = Option<(ResultCode, String)>;

/// Changes go in, outcomes come out in the same order; several are under way.
pub(super) trait Door {
    fn has_room(&self) -> bool;
    fn submit(&mut self, change: Change) -> Result<()>;
    fn next_outcome(&mut self) -> Result<Outcomes>;
}

/// Over the local socket of the server that has the folder open.
pub(super) struct Served(Local);

impl Served {
    pub(super) fn connect(data: &Path) -> Result<Served> {
        Ok(Served(Local::connect(data)?))
    }
}

impl Door for Served {
    fn has_room(&self) -> bool {
        self.0.has_room()
    }

    fn submit(&mut self, change: Change) -> Result<()> {
        let controls =
            [RELAX_RULES, MANAGE_DSA_IT].map(|oid| Control { oid, critical: true, value: None });
        self.0.send(&request(&change), &controls)
    }

    fn next_outcome(&mut self) -> Result<Outcomes> {
        let answer = self.0.next_answer()?;
        Ok((answer.code != ResultCode::SUCCESS).then_some((answer.code, answer.message)))
    }
}

fn request(change: &Change) -> Request<'_> {
    match change {
        Change::Add { dn, attributes } => {
            Request::Add(AddRequest { dn, attributes: attributes.iter().map(borrowed).collect() })
        }
        Change::Delete { dn } => Request::Delete(DeleteRequest { dn }),
        Change::Modify { dn, modifications } => {
            let changes = modifications.iter().map(|one| Modification {
                operation: one.operation,
                attribute: borrowed(&one.attribute),
            });
            Request::Modify(ModifyRequest { dn, changes: changes.collect() })
        }
        Change::ModifyDn { dn, new_rdn, delete_old_rdn, new_superior } => {
            Request::ModifyDn(ModifyDnRequest {
                dn,
                new_rdn,
                delete_old_rdn: *delete_old_rdn,
                new_superior: new_superior.as_deref(),
            })
        }
        // LDIF has no such record, so `change_of` makes none.
        Change::SetPassword { dn, .. } | Change::StoreStanding { dn } => {
            Request::Delete(DeleteRequest { dn })
        }
    }
}

fn borrowed(attribute: &directory::NewAttribute) -> Attribute<'_> {
    Attribute {
        description: &attribute.description,
        values: attribute.values.iter().map(Vec::as_slice).collect(),
    }
}

/// Through the folder itself, which no server has open.
pub(super) struct Opened {
    directory: Directory,
    waiting: VecDeque<Receiver<Result<Outcome, Error>>>,
}

/// Enough that the writer commits many at once.
const UNDER_WAY_MAX: usize = 1024;

impl Opened {
    pub(super) fn new(directory: Directory) -> Opened {
        Opened { directory, waiting: VecDeque::new() }
    }
}

impl Door for Opened {
    fn has_room(&self) -> bool {
        self.waiting.len() < UNDER_WAY_MAX
    }

    fn submit(&mut self, change: Change) -> Result<()> {
        let mut request = ChangeRequest {
            subject: Subject { who: Who::Operator, address: None, protection: Protection::Local },
            change,
            controls: ChangeControls {
                relax: true,
                manage_dsa_it: true,
                ..ChangeControls::default()
            },
        };
        let (sender, receiver) = sync_channel(1);
        let settled = match Directory::needs_settling(&request) {
            true => self.directory.settle(&mut request),
            false => Ok(()),
        };
        match settled {
            Err(error) => {
                let _ = sender.send(Err(error));
            }
            Ok(()) => {
                let reply = Box::new(move |result| {
                    let _ = sender.send(result);
                });
                self.directory.submit(request, reply).map_err(|refusal| failed(refusal.message))?;
            }
        }
        self.waiting.push_back(receiver);
        Ok(())
    }

    fn next_outcome(&mut self) -> Result<Outcomes> {
        let Some(receiver) = self.waiting.pop_front() else {
            return Err(failed("no change is under way"));
        };
        match receiver.recv() {
            Ok(Ok(_)) => Ok(None),
            Ok(Err(Error::Refused(refusal))) => Ok(Some((refusal.code, refusal.message))),
            Ok(Err(Error::Fault(fault))) => Err(failed(fault)),
            Err(_) => Err(failed("the writer stopped")),
        }
    }
}
