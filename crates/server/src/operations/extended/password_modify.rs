//! Password Modify (RFC 3062): the old password verified, the new one hashed, then one change.

use directory::password;
use directory::{Change, ChangeControls, ChangeRequest, Error, Refusal, Who};
use ldap::extended::{PasswordModifyRequest, PasswordModifyResponse};
use ldap::result::ResultCode;
use zeroize::Zeroizing;

use crate::door::Held;
use crate::in_flight::{Call, Finished, Progress, Work};
use crate::operations::bind::attempt::{Concluded, Counting, Let};
use crate::operations::bind::{attempt, identity, refuse_unprotected};
use crate::operations::change;
use crate::respond::Answer;
use crate::session::{Session, State};

/// A change on its way through the pool and the writer.
pub(crate) struct PasswordChange {
    dn: String,
    new_password: Zeroizing<Vec<u8>>,
    /// Told to the client at the end, and only then.
    generated: bool,
    /// An old password is tried.
    tries: bool,
    /// Then the answer waits for so long, whatever it is.
    held: Option<Held>,
}

impl PasswordChange {
    pub(crate) fn is_attempt(&self) -> bool {
        self.tries
    }
}

/// Never prints the password.
impl std::fmt::Debug for PasswordChange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "PasswordChange({:?})", self.dn)
    }
}

pub(crate) fn run(
    session: &mut Session,
    call: &Call,
    value: Option<&[u8]>,
) -> Result<Progress, Error> {
    refuse_unprotected(session)?;
    let request = match value {
        None => PasswordModifyRequest::default(),
        Some(value) => PasswordModifyRequest::decode(value).map_err(|error| {
            let message = format!("the request value of password modify is malformed: {error}");
            Refusal::new(ResultCode::PROTOCOL_ERROR, message)
        })?,
    };
    let dn = target_name(session, &request)?;
    let (new_password, generated) = new_password(session, &request)?;
    let tries = request.old_password.is_some();
    let change = Box::new(PasswordChange { dn, new_password, generated, tries, held: None });
    match request.old_password {
        Some(old) => verify(session, call, change, old),
        None => {
            refuse_own_without_old(session, &change.dn)?;
            hash(session, call, change)
        }
    }
}

fn target_name(session: &Session, request: &PasswordModifyRequest<'_>) -> Result<String, Error> {
    if let Some(identity) = request.user_identity.filter(|identity| !identity.is_empty()) {
        return Ok(identity::name_of(session, identity)?.into_owned());
    }
    match &session.subject.who {
        Who::Entry { dn, .. } => Ok(dn.to_string()),
        _ => Err(Refusal::new(
            ResultCode::UNWILLING_TO_PERFORM,
            "you have no entry here whose password could change; bind first or name one",
        )
        .into()),
    }
}

fn new_password(
    session: &Session,
    request: &PasswordModifyRequest<'_>,
) -> Result<(Zeroizing<Vec<u8>>, bool), Error> {
    let limit = session.shared.limits.password_bytes;
    match request.new_password {
        None => Ok((generate()?, true)),
        Some(&[]) => {
            let message = "the new password is empty; leave it out to get a generated one";
            Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, message).into())
        }
        Some(new) if new.len() > limit => {
            let message = format!("the new password is longer than {limit} bytes");
            Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, message).into())
        }
        Some(new) => Ok((Zeroizing::new(new.to_vec()), false)),
    }
}

fn generate() -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut random = Zeroizing::new([0_u8; password::GENERATED_LENGTH]);
    getrandom::fill(random.as_mut_slice()).map_err(|_| {
        Refusal::new(ResultCode::UNAVAILABLE, "the system gives no random bytes; try again")
    })?;
    Ok(Zeroizing::new(password::generate(&random).into_bytes()))
}

/// A session that somebody else took over must not be enough to lock its owner out. Whoever may
/// change the passwords of others does not need to know them: that, the access rules decide.
fn refuse_own_without_old(session: &Session, dn: &str) -> Result<(), Error> {
    if session.shared.own_password_without_old || session.subject.who == Who::Operator {
        return Ok(());
    }
    let view = session.shared.directory.view(&session.subject)?;
    if view.who_named(dn)?.as_ref() != Some(&session.subject.who) {
        return Ok(());
    }
    let message = "changing one's own password needs the old one as well";
    Err(Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message).into())
}

fn verify(
    session: &mut Session,
    call: &Call,
    mut change: Box<PasswordChange>,
    old: &[u8],
) -> Result<Progress, Error> {
    // To ask for a new password is a way to try an old one, so it counts as a bind does.
    change.held = match attempt::admit(session)? {
        Let::Judge(held) => held,
        Let::Answer(held) => {
            return Ok(attempt::answer(session, call, held, attempt::unheard(WRONG)));
        }
    };
    let place = session.shared.passwords.reserve()?;
    let target = session.shared.directory.view(&session.subject)?.bind_target(&change.dn)?;
    if let Some(verdict) = target.verify_quickly(old) {
        let concluded = Counting::of(session).conclude(verdict);
        return go_on(session, call, change, concluded);
    }
    let counting = Counting::of(session);
    let (slot, old) = (session.reply_slot(call), Zeroizing::new(old.to_vec()));
    let job = move || slot.send(Finished::Verified(counting.verify(&target, &old)));
    session.shared.passwords.submit_at(place, job)?;
    Ok(in_flight(session, change))
}

const WRONG: &str = "the old password is wrong";

/// As with a bind, nothing is read while a password is tried: so nobody leaves before it counts.
fn in_flight(session: &mut Session, change: Box<PasswordChange>) -> Progress {
    if change.tries && session.state == State::Open {
        session.state = State::Binding;
    }
    Progress::InFlight(Work::PasswordModify(change))
}

fn go_on(
    session: &mut Session,
    call: &Call,
    mut change: Box<PasswordChange>,
    concluded: Concluded,
) -> Result<Progress, Error> {
    match concluded {
        Ok(_) => hash(session, call, change),
        Err(note) => {
            let held = change.held.take();
            Ok(attempt::answer(session, call, held, attempt::wrong(WRONG, note)))
        }
    }
}

fn hash(
    session: &mut Session,
    call: &Call,
    change: Box<PasswordChange>,
) -> Result<Progress, Error> {
    let (slot, password) = (session.reply_slot(call), change.new_password.clone());
    let directory = session.shared.directory.clone();
    let job = move || {
        let hash = directory.hasher().hash(&password, &directory.salt());
        slot.send(Finished::Hashed(hash));
    };
    session.shared.passwords.submit(job)?;
    Ok(in_flight(session, change))
}

/// The pool or the writer has news.
pub(crate) fn proceed(
    session: &mut Session,
    call: &Call,
    mut pending: Box<PasswordChange>,
    finished: Finished,
) -> Result<Progress, Error> {
    match finished {
        Finished::Verified(concluded) => go_on(session, call, pending, concluded),
        Finished::Hashed(Ok(hash)) => store(session, call, pending, hash),
        Finished::Hashed(Err(failed)) => {
            Err(Refusal::new(ResultCode::CONSTRAINT_VIOLATION, failed.to_string()).into())
        }
        Finished::Changed(outcome) => {
            let held = pending.held.take();
            let answer = outcome.map_or_else(Answer::from, |outcome| done(&pending, &outcome));
            Ok(attempt::answer(session, call, held, answer))
        }
        Finished::Advised(_) | Finished::Released | Finished::Lost => {
            Err(crate::session::lost().into())
        }
    }
}

fn store(
    session: &mut Session,
    call: &Call,
    pending: Box<PasswordChange>,
    hash: Vec<u8>,
) -> Result<Progress, Error> {
    let change = Change::SetPassword { dn: pending.dn.clone(), hash, only_if: None };
    let subject = session.subject.clone();
    let request = ChangeRequest { subject, change, controls: ChangeControls::default() };
    let slot = session.reply_slot(call);
    let reply = Box::new(move |result| slot.send(Finished::Changed(result)));
    session.shared.directory.submit(request, reply)?;
    Ok(in_flight(session, pending))
}

fn done(pending: &PasswordChange, outcome: &directory::Outcome) -> Answer {
    let answer = change::answer(outcome);
    if !pending.generated {
        return answer;
    }
    let mut value = Vec::new();
    PasswordModifyResponse { generated_password: Some(&pending.new_password) }.encode(&mut value);
    answer.with_value(value)
}
