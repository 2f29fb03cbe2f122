//! What the program around the server does when a client asks for it: requests of its own commands,
//! certificate signing requests, the next certificate, the state of everything. All of it may take
//! its time, so it is done on threads apart from the connections, but for [`Steward::monitor`].

use std::fmt;
use std::sync::Arc;

use directory::{GivenEntry, Refusal, Subject};
use ldap::result::ResultCode;

use crate::in_flight::{Call, Finished, Progress, Work};
use crate::password_pool::PasswordPool;
use crate::session::Session;

/// Requests that wait for the steward. Beyond: busy.
const WAITING_MAX: usize = 64;

/// Threads of the steward: a slow certificate authority must not hold up `chancery status`.
const THREADS: usize = 2;

/// Called from the steward's threads; several calls may be under way at once.
pub trait Steward: Send + Sync + fmt::Debug {
    /// A request of one of the product's own commands, from the operator on the local socket: JSON
    /// in, JSON out.
    fn manage(&self, request: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// A certificate signing request of somebody who has signed in over a protected connection.
    fn enrol(&self, requester: &Subject, request: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// An administrator wrote `renewServerCertificate: 1` to the root DSE.
    fn renew_certificate(&self, requester: &Subject) -> Result<(), Refusal>;

    /// The entries at and below `cn=monitor`, its own first. Called on a connection's thread.
    fn monitor(&self) -> Vec<GivenEntry>;
}

/// The steward and the threads it works on.
#[derive(Clone, Debug)]
pub(crate) struct Office {
    steward: Arc<dyn Steward>,
    threads: PasswordPool,
}

impl Office {
    pub(crate) fn open(steward: Arc<dyn Steward>) -> std::io::Result<Office> {
        Ok(Office { steward, threads: PasswordPool::named("steward", THREADS, WAITING_MAX)? })
    }

    pub(crate) fn steward(&self) -> &dyn Steward {
        &*self.steward
    }
}

/// Hands the steward something to do; the answer's value is what it gives back.
pub(crate) fn ask(
    session: &Session,
    call: &Call,
    doing: impl FnOnce(&dyn Steward) -> Result<Option<Vec<u8>>, Refusal> + Send + 'static,
) -> Result<Progress, Refusal> {
    let Some(office) = &session.shared.office else {
        let message =
            "nothing here does this: the server was started without the program around it";
        return Err(Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message));
    };
    let (slot, steward) = (session.reply_slot(call), Arc::clone(&office.steward));
    office.threads.submit(move || slot.send(Finished::Advised(doing(&*steward))))?;
    Ok(Progress::InFlight(Work::Steward))
}
