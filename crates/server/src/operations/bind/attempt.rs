//! What stands around each look at a password: who is let in to try, what the verdict counts for,
//! and when the answer goes out. The client is told the same in every case; the audit is told why.

use std::net::IpAddr;
use std::sync::Arc;

use directory::{BindTarget, Directory, Refusal, Unfit, Verdict};
use ldap::result::ResultCode;

use crate::door::{Admission, Door, Held};
use crate::in_flight::{Call, Finished, Progress, Work};
use crate::respond::Answer;
use crate::session::{Session, State};

/// Where the failures of a source are many, nothing tells whether a password was right.
const UNHEARD: &str = "too many wrong passwords came from there: this one was not looked at";
const LOCKED: &str = "the account is locked";
const NOW_LOCKED: &str = "the password is wrong, and the account is locked now";

/// An attempt that may go on.
#[derive(Debug)]
pub(crate) enum Let {
    Judge(Option<Held>),
    Answer(Option<Held>),
}

pub(crate) fn admit(session: &Session) -> Result<Let, Refusal> {
    let shared = &session.shared;
    match shared.door.admit(session.subject.address, || shared.directory.now_ms()) {
        Admission::Judged(held) => Ok(Let::Judge(held)),
        Admission::Unheard(held) => Ok(Let::Answer(held)),
        Admission::Full => Err(Refusal::new(
            ResultCode::BUSY,
            "too many passwords are waiting to be answered; try again shortly",
        )),
    }
}

/// The verdict as it counts, with why it is a "no" where that is more than a wrong password.
pub(crate) type Concluded = Result<Verdict, Option<&'static str>>;

/// What counts verdicts, on whatever thread they are found.
pub(crate) struct Counting {
    directory: Directory,
    door: Arc<Door>,
    address: Option<IpAddr>,
}

impl Counting {
    pub(crate) fn of(session: &Session) -> Counting {
        let shared = &session.shared;
        let (directory, door) = (shared.directory.clone(), Arc::clone(&shared.door));
        Counting { directory, door, address: session.subject.address }
    }

    /// Verified and counted in one go, so that it counts when nobody waits for it any more.
    pub(crate) fn verify(&self, target: &BindTarget, password: &[u8]) -> Concluded {
        self.conclude(target.verify(password))
    }

    pub(crate) fn conclude(&self, verdict: Verdict) -> Concluded {
        let matched = verdict.accepted.is_some();
        let now_ms = || self.directory.now_ms();
        let concluded = self.door.judge(self.address, matched, now_ms, || {
            let verdict = self.directory.conclude(verdict);
            let failed = verdict.accepted.is_none();
            (verdict, failed)
        });
        told(concluded)
    }
}

fn told(concluded: Option<Verdict>) -> Concluded {
    match concluded {
        None => Err(Some(UNHEARD)),
        Some(verdict) if verdict.accepted.is_some() => Ok(verdict),
        Some(verdict) => Err(verdict.refusal.map(|unfit| match unfit {
            Unfit::Locked => LOCKED,
            Unfit::NowLocked => NOW_LOCKED,
        })),
    }
}

/// Not looked at: answered as a wrong password is.
pub(crate) fn unheard(sentence: &'static str) -> Answer {
    wrong(sentence, Some(UNHEARD))
}

pub(crate) fn wrong(sentence: &'static str, note: Option<&'static str>) -> Answer {
    Answer::new(ResultCode::INVALID_CREDENTIALS, sentence).noted(note)
}

/// Answers a bind, now or when it is time. Nothing is read meanwhile, and no thread waits.
pub(crate) fn answer(
    session: &mut Session,
    call: &Call,
    held: Option<Held>,
    answer: Answer,
) -> Progress {
    // A server that stops waits for nothing of its own.
    let held = held.filter(|_| session.state != State::Draining);
    let Some(held) = held else { return Progress::Done(answer) };
    let slot = session.reply_slot(call);
    tokio::spawn(async move {
        tokio::time::sleep(held.delay).await;
        slot.send(Finished::Released);
    });
    if session.state == State::Open {
        session.state = State::Binding;
    }
    Progress::InFlight(Work::Held(Box::new(answer)))
}
