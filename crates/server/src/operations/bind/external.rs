//! SASL EXTERNAL (RFC 4422 appendix A): whoever TLS or the local socket has already proved.

use directory::{Error, Who};

use crate::certificate_map;
use crate::in_flight::Progress;
use crate::operations::bind::identity;
use crate::respond::Answer;
use crate::session::{LocalUser, Proof, Session};

pub(crate) fn run(session: &mut Session, credentials: Option<&[u8]>) -> Result<Progress, Error> {
    let who = match &session.proof {
        Proof::Nothing => return Err(certificate_map::no_one().into()),
        Proof::Certificate(certificate) => {
            let view = session.shared.directory.view(&session.subject)?;
            certificate_map::who(&session.shared.certificate_rules.in_force(), certificate, &view)?
        }
        Proof::User(user) => local(*user, session.shared.own_user),
    };
    let authorization = identity::text(credentials.unwrap_or_default())?;
    if !authorization.is_empty() {
        identity::refuse_other(session, &who, authorization)?;
    }
    session.subject.who = who;
    Ok(Progress::Done(Answer::success()))
}

/// The owner of the server's data may do everything, with or without the server; so may root.
fn local(user: LocalUser, own_user: u32) -> Who {
    if user.user == 0 || user.user == own_user {
        return Who::Operator;
    }
    // The form that slapd gave such names, so that access rules written for it go on working.
    let (group, user) = (user.group, user.user);
    Who::Name(format!("gidNumber={group}+uidNumber={user},cn=peercred,cn=external,cn=auth").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_and_root_are_the_operator() {
        let local = |user| local(LocalUser { user, group: 100 }, 1000);
        assert_eq!(local(0), Who::Operator);
        assert_eq!(local(1000), Who::Operator);
        let name = "gidNumber=100+uidNumber=1001,cn=peercred,cn=external,cn=auth";
        assert_eq!(local(1001), Who::Name(name.into()));
    }
}
