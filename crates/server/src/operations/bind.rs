//! Bind (RFC 4511 §4.2, RFC 4513 §5): whoever binds is nobody until it has succeeded.

pub(crate) mod attempt;
pub(crate) mod external;
pub(crate) mod identity;
pub(crate) mod plain;

use directory::{Error, Protection, Refusal, Rehash, Verdict};
use ldap::message::{Authentication, BindRequest};
use ldap::result::ResultCode;
use zeroize::Zeroizing;

use crate::door::Held;
use crate::in_flight::{Call, Finished, Progress, Work};
use crate::operations::bind::attempt::{Concluded, Counting, Let};
use crate::respond::Answer;
use crate::session::{Session, State};

/// One sentence for a wrong name and a wrong password: which of them it was, nobody learns.
const WRONG: &str = "the name or the password is wrong";

/// A password is being verified on the pool.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    /// PLAIN's authorization identity, which must be the one that is signed in.
    authorization: Option<String>,
    /// The answer waits for so long.
    held: Option<Held>,
}

pub(crate) fn run(
    session: &mut Session,
    call: &Call,
    request: &BindRequest<'_>,
) -> Result<Progress, Error> {
    if request.version != 3 {
        let message = format!("this is LDAP version 3, not {}", request.version);
        return Err(Refusal::new(ResultCode::PROTOCOL_ERROR, message).into());
    }
    match request.authentication {
        Authentication::Simple(password) => simple(session, call, request.name, password),
        Authentication::Sasl { mechanism, credentials } => {
            sasl(session, call, mechanism, credentials)
        }
    }
}

fn simple(
    session: &mut Session,
    call: &Call,
    name: &str,
    password: &[u8],
) -> Result<Progress, Error> {
    match (name.is_empty(), password.is_empty()) {
        // RFC 4513 §5.1.1. What the anonymous may do is decided when they ask for it.
        (true, true) => return Ok(Progress::Done(Answer::success())),
        // RFC 4513 §5.1.2: "Servers SHOULD by default fail Unauthenticated Bind requests with a
        // resultCode of unwillingToPerform."
        (false, true) => {
            let message = "a name without a password proves nothing; give the password as well";
            return Err(Refusal::new(ResultCode::UNWILLING_TO_PERFORM, message).into());
        }
        (_, false) => {}
    }
    refuse_unprotected(session)?;
    verify(session, call, name, password, Binding::default(), refuse_malformed)
}

/// RFC 4511 §4.2: the name is an LDAPDN. That it is none says nothing about any entry.
fn refuse_malformed(name: &str) -> Result<(), Refusal> {
    ldap::dn::Dn::parse(name).map(drop).map_err(|error| {
        let message = format!("'{name:.100}' is no distinguished name: {error}");
        Refusal::new(ResultCode::INVALID_DN_SYNTAX, message)
    })
}

/// Before the password is looked at: the answer must not tell whether it was right.
pub(crate) fn refuse_unprotected(session: &Session) -> Result<(), Refusal> {
    if session.subject.protection != Protection::None {
        return Ok(());
    }
    let message = match session.offers.start_tls {
        true => "no password is accepted on an unprotected connection; use StartTLS or LDAPS first",
        false => "no password is accepted on an unprotected connection; use LDAPS",
    };
    Err(Refusal::new(ResultCode::CONFIDENTIALITY_REQUIRED, message))
}

fn sasl(
    session: &mut Session,
    call: &Call,
    mechanism: &str,
    credentials: Option<&[u8]>,
) -> Result<Progress, Error> {
    // RFC 4422 §3.1: mechanism names are upper case; being lenient harms nobody.
    match mechanism.to_ascii_uppercase().as_str() {
        "EXTERNAL" if session.offers.external => external::run(session, credentials),
        "PLAIN" if session.subject.protection == Protection::None => {
            refuse_unprotected(session)?;
            Err(not_offered(session, mechanism).into())
        }
        "PLAIN" => plain::run(session, call, credentials),
        _ => Err(not_offered(session, mechanism).into()),
    }
}

fn not_offered(session: &Session, mechanism: &str) -> Refusal {
    let offered: Vec<_> = session.offers.mechanisms().collect();
    let offered = match offered.is_empty() {
        true => "none on this connection".to_owned(),
        false => offered.join(", "),
    };
    let message = match mechanism.eq_ignore_ascii_case("EXTERNAL") {
        true => format!("EXTERNAL needs a client certificate; offered: {offered}"),
        false => format!("the mechanism {mechanism:.20} is not offered; offered: {offered}"),
    };
    Refusal::new(ResultCode::AUTH_METHOD_NOT_SUPPORTED, message)
}

/// Looks the name up and verifies the password: at once if that is cheap, on the pool otherwise.
fn verify(
    session: &mut Session,
    call: &Call,
    name: &str,
    password: &[u8],
    binding: Binding,
    look_at_unknown: fn(&str) -> Result<(), Refusal>,
) -> Result<Progress, Error> {
    if password.len() > session.shared.limits.password_bytes {
        return Err(Refusal::new(ResultCode::INVALID_CREDENTIALS, WRONG).into());
    }
    let held = match attempt::admit(session)? {
        Let::Judge(held) => held,
        Let::Answer(held) => {
            return Ok(attempt::answer(session, call, held, attempt::unheard(WRONG)));
        }
    };
    let binding = Binding { held, ..binding };
    // Before any look at the password: "busy" must not tell that it was a wrong one.
    let place = session.shared.passwords.reserve()?;
    let target = session
        .shared
        .directory
        .view_through(&session.subject, &session.lens)?
        .bind_target(name)?;
    if target.is_nobody() {
        look_at_unknown(name)?;
    }
    if let Some(verdict) = target.verify_quickly(password) {
        let concluded = Counting::of(session).conclude(verdict);
        return Ok(finish(session, call, concluded, binding));
    }
    let password = Zeroizing::new(password.to_vec());
    let slot = session.reply_slot(call);
    let counting = Counting::of(session);
    let job = move || slot.send(Finished::Verified(counting.verify(&target, &password)));
    session.shared.passwords.submit_at(place, job)?;
    session.state = State::Binding;
    Ok(Progress::InFlight(Work::Bind(binding)))
}

/// Replaces an outdated hash, unless it was changed meanwhile. Nobody waits for it, and where
/// another one is at work, the pool or the writer is busy, the next bind does it.
fn store_again(session: &Session, rehash: Rehash) {
    let Some(turn) = session.shared.passwords.spare_turn() else { return };
    let directory = session.shared.directory.clone();
    let job = move || {
        let Some(request) = rehash.into_change(&directory.salt()) else { return };
        let reply = Box::new(move |result: Result<_, Error>| {
            // Only now: the same password in the meantime would be hashed for nothing.
            drop(turn);
            if let Err(error) = result {
                tracing::debug!(?error, "an outdated password hash was not replaced");
            }
        });
        let _ = directory.submit(request, reply);
    };
    let _ = session.shared.passwords.submit(job);
}

/// The verdict is there; from here on the session is somebody, or nobody.
pub(crate) fn finish(
    session: &mut Session,
    call: &Call,
    concluded: Concluded,
    binding: Binding,
) -> Progress {
    let answer = match concluded {
        Ok(verdict) => {
            accept(session, verdict, binding.authorization.as_deref()).unwrap_or_else(Answer::from)
        }
        Err(note) => attempt::wrong(WRONG, note),
    };
    attempt::answer(session, call, binding.held, answer)
}

fn accept(
    session: &mut Session,
    verdict: Verdict,
    authorization: Option<&str>,
) -> Result<Answer, Error> {
    let Some(who) = verdict.accepted else {
        return Ok(attempt::wrong(WRONG, None));
    };
    if let Some(authorization) = authorization {
        identity::refuse_other(session, &who, authorization)?;
    }
    session.subject.who = who;
    if let Some(rehash) = verdict.rehash {
        store_again(session, rehash);
    }
    Ok(Answer::success())
}
