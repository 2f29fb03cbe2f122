//! Bytes on one side, LDAP values on the other. Pure: no I/O, no clock, no panic on any input.
//!
//! In reading order:
//!
//! - [`ber`]: the subset of BER that LDAP allows (RFC 4511 §5.1), read in place, written forward.
//! - [`message`]: `LDAPMessage`, one struct per operation; requests borrow from the read buffer.
//! - [`response`]: everything a server sends, written straight into an output buffer.
//! - [`control`] and [`extended`]: the values inside controls and extended operations.
//! - [`filter`]: search filters, from the wire and from RFC 4515 text.
//! - [`dn`]: distinguished names, RFC 4514.
//! - [`ldif`]: RFC 2849, content and change records, with line numbers.
//! - [`schema_text`]: RFC 4512 §4.1 descriptions, and OpenLDAP's two file forms around them.
//! - [`result`]: result codes. [`oid`]: every object identifier we speak, by name.

pub mod ber;
pub mod control;
pub mod dn;
pub mod extended;
pub mod filter;
pub mod ldif;
pub mod message;
pub mod oid;
pub mod response;
pub mod result;
pub mod schema_text;
