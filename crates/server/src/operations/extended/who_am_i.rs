//! Who am I? (RFC 4532): the authorization identity, empty for nobody.

use directory::Error;

use crate::audit;
use crate::in_flight::Progress;
use crate::operations::extended::refuse_value;
use crate::respond::Answer;
use crate::session::Session;

pub(crate) fn run(session: &Session, value: Option<&[u8]>) -> Result<Progress, Error> {
    refuse_value(value)?;
    let identity = audit::who(&session.subject.who).into_owned();
    Ok(Progress::Done(Answer::success().with_value(identity.into_bytes())))
}
