//! SASL PLAIN (RFC 4616): a name and a password, on a protected connection.

use directory::{Error, Refusal};
use ldap::result::ResultCode;

use crate::in_flight::{Call, Progress};
use crate::operations::bind::{Binding, identity, verify};
use crate::session::Session;

pub(crate) fn run(
    session: &mut Session,
    call: &Call,
    credentials: Option<&[u8]>,
) -> Result<Progress, Error> {
    let message = Message::parse(credentials.unwrap_or_default())?;
    if message.password.is_empty() {
        let sentence = "a name without a password proves nothing; give the password as well";
        return Err(Refusal::new(ResultCode::UNWILLING_TO_PERFORM, sentence).into());
    }
    let name = identity::name_of(session, message.name)?;
    let authorization = Some(message.authorization.to_owned()).filter(|text| !text.is_empty());
    let binding = Binding { authorization, ..Binding::default() };
    verify(session, call, &name, message.password, binding, |_| Ok(()))
}

/// `message = [authzid] UTF8NUL authcid UTF8NUL passwd` (RFC 4616 §2).
struct Message<'c> {
    authorization: &'c str,
    name: &'c str,
    password: &'c [u8],
}

impl<'c> Message<'c> {
    fn parse(credentials: &'c [u8]) -> Result<Message<'c>, Refusal> {
        let mut parts = credentials.split(|&byte| byte == 0);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(authorization), Some(name), Some(password), None) if !name.is_empty() => {
                let authorization = identity::text(authorization)?;
                Ok(Message { authorization, name: identity::text(name)?, password })
            }
            _ => Err(Refusal::new(
                ResultCode::INVALID_CREDENTIALS,
                "PLAIN needs [authorization] NUL name NUL password (RFC 4616)",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let parse = |bytes: &'static [u8]| {
            Message::parse(bytes).ok().map(|m| (m.authorization, m.name, m.password))
        };
        assert_eq!(parse(b"\0eva\0secret"), Some(("", "eva", b"secret".as_slice())));
        assert_eq!(parse(b"u:eva\0eva\0s"), Some(("u:eva", "eva", b"s".as_slice())));
        for wrong in [&b""[..], b"eva", b"\0eva", b"\0\0secret", b"\0eva\0s\0x", b"\0\xff\0s"] {
            assert!(parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
