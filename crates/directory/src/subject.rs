//! Who asks. Nothing in the directory can be read or changed without saying so.

use std::net::IpAddr;
use std::sync::Arc;

use crate::store::EntryId;

/// The asker of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub who: Who,
    /// The client's address; none for the local socket and for the server itself.
    pub address: Option<IpAddr>,
    pub protection: Protection,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Anonymous,
    /// Signed in as an entry of this directory.
    Entry {
        id: EntryId,
        dn: Arc<str>,
    },
    /// Signed in by a proof that maps to no entry (a client certificate's subject, a local user).
    Name(Arc<str>),
    /// The owner of the data folder on the local socket, or the server itself: may do everything.
    Operator,
}

impl Subject {
    /// The entry that asks, where it is one.
    pub(crate) fn entry(&self) -> Option<EntryId> {
        match &self.who {
            Who::Entry { id, .. } => Some(*id),
            Who::Anonymous | Who::Name(_) | Who::Operator => None,
        }
    }
}

/// How the connection is protected. Order is strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    None,
    Tls,
    /// A local socket: the bytes never leave the machine.
    Local,
}
