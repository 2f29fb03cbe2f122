//! The values inside extended operations. Their object identifiers are in [`crate::oid::extended`].

use std::fmt;

use crate::ber::tag::SEQUENCE;
use crate::ber::{DecodeError, DecodeErrorKind, Reader, begin, write_octets};
use crate::message::MessageId;
use crate::message::decode::message_id;

const USER_IDENTITY: u8 = 0x80;
const OLD_PASSWORD: u8 = 0x81;
const NEW_PASSWORD: u8 = 0x82;
const GENERATED_PASSWORD: u8 = 0x80;

/// ```text
/// PasswdModifyRequestValue ::= SEQUENCE {
///   userIdentity    [0]  OCTET STRING OPTIONAL
///   oldPasswd       [1]  OCTET STRING OPTIONAL
///   newPasswd       [2]  OCTET STRING OPTIONAL }
/// ```
/// (RFC 3062 §2.) A request without a value is the default one: one's own, to be generated.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PasswordModifyRequest<'a> {
    /// A name, or whatever else the server takes for an identity.
    pub user_identity: Option<&'a str>,
    pub old_password: Option<&'a [u8]>,
    pub new_password: Option<&'a [u8]>,
}

impl<'a> PasswordModifyRequest<'a> {
    pub fn decode(value: &'a [u8]) -> Result<PasswordModifyRequest<'a>, DecodeError> {
        let mut outer = Reader::new(value);
        let mut reader = outer.nested(SEQUENCE)?;
        outer.finish()?;
        let user_identity = reader.optional(USER_IDENTITY)?.map(Reader::into_text).transpose()?;
        let old_password = reader.optional(OLD_PASSWORD)?.map(|value| value.rest());
        let new_password = reader.optional(NEW_PASSWORD)?.map(|value| value.rest());
        // Ignoring a misplaced password here would set a password nobody asked for.
        if let Some(USER_IDENTITY | OLD_PASSWORD | NEW_PASSWORD) = reader.peek() {
            let kind = DecodeErrorKind::Invalid("the parts of a password change are out of order");
            return Err(reader.error(kind));
        }
        reader.ignore_rest()?;
        Ok(PasswordModifyRequest { user_identity, old_password, new_password })
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let nested = begin(out, SEQUENCE);
        let parts = [
            (USER_IDENTITY, self.user_identity.map(str::as_bytes)),
            (OLD_PASSWORD, self.old_password),
            (NEW_PASSWORD, self.new_password),
        ];
        for (tag, part) in parts {
            if let Some(part) = part {
                write_octets(out, tag, part);
            }
        }
        nested.end(out);
    }
}

impl fmt::Debug for PasswordModifyRequest<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PasswordModifyRequest({:?}, secrets)", self.user_identity)
    }
}

/// ```text
/// PasswdModifyResponseValue ::= SEQUENCE {
///   genPasswd       [0]     OCTET STRING OPTIONAL }
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PasswordModifyResponse<'a> {
    pub generated_password: Option<&'a [u8]>,
}

impl<'a> PasswordModifyResponse<'a> {
    pub fn decode(value: &'a [u8]) -> Result<PasswordModifyResponse<'a>, DecodeError> {
        let mut outer = Reader::new(value);
        let mut reader = outer.nested(SEQUENCE)?;
        outer.finish()?;
        let generated_password = reader.optional(GENERATED_PASSWORD)?.map(|value| value.rest());
        reader.ignore_rest()?;
        Ok(PasswordModifyResponse { generated_password })
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let nested = begin(out, SEQUENCE);
        if let Some(password) = self.generated_password {
            write_octets(out, GENERATED_PASSWORD, password);
        }
        nested.end(out);
    }
}

impl fmt::Debug for PasswordModifyResponse<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PasswordModifyResponse(secret)")
    }
}

/// ```text
/// cancelRequestValue ::= SEQUENCE {
///     cancelID        MessageID }
/// ```
/// (RFC 3909 §2.1.)
pub fn decode_cancel(value: &[u8]) -> Result<MessageId, DecodeError> {
    let mut outer = Reader::new(value);
    let mut reader = outer.nested(SEQUENCE)?;
    outer.finish()?;
    let id = message_id(&mut reader)?;
    reader.ignore_rest()?;
    Ok(id)
}

pub fn encode_cancel(id: MessageId, out: &mut Vec<u8>) {
    let nested = begin(out, SEQUENCE);
    crate::ber::write_integer(out, crate::ber::tag::INTEGER, i64::from(id.0));
    nested.end(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_modify_requests() {
        let none = PasswordModifyRequest::default();
        let table: &[(&[u8], PasswordModifyRequest<'_>)] = &[
            (b"\x30\x00", none),
            (b"\x30\x05\x82\x03new", PasswordModifyRequest { new_password: Some(b"new"), ..none }),
            (
                b"\x30\x0d\x80\x01u\x81\x03old\x82\x03new",
                PasswordModifyRequest {
                    user_identity: Some("u"),
                    old_password: Some(b"old"),
                    new_password: Some(b"new"),
                },
            ),
        ];
        for (bytes, expected) in table {
            assert_eq!(PasswordModifyRequest::decode(bytes), Ok(*expected));
            let mut out = Vec::new();
            expected.encode(&mut out);
            assert_eq!(out, *bytes);
        }
        for bytes in [&b""[..], b"\x04\x00", b"\x30\x06\x82\x01n\x81\x01o", b"\x30\x03\x80\x01\xff"]
        {
            assert!(PasswordModifyRequest::decode(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn password_modify_responses() {
        for generated_password in [None, Some(&b"made"[..])] {
            let response = PasswordModifyResponse { generated_password };
            let mut out = Vec::new();
            response.encode(&mut out);
            assert_eq!(PasswordModifyResponse::decode(&out), Ok(response));
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let request = PasswordModifyRequest { old_password: Some(b"hunter"), ..Default::default() };
        let response = PasswordModifyResponse { generated_password: Some(b"hunter") };
        let printed = format!("{request:?} {response:?}");
        let bytes = format!("{:?}", b"hunter");
        assert!(!printed.contains("hunter") && !printed.contains(bytes.trim_matches(['[', ']'])));
    }

    #[test]
    fn cancel() {
        let mut out = Vec::new();
        encode_cancel(MessageId(300), &mut out);
        assert_eq!(out, [0x30, 4, 2, 2, 1, 44]);
        assert_eq!(decode_cancel(&out), Ok(MessageId(300)));
        assert!(decode_cancel(&[0x30, 0]).is_err());
    }
}
