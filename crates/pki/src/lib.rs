//! Certificates as values: parse, judge, issue. No sockets, no clock (time is an argument).
//!
//! In reading order:
//!
//! - [`certificate`]: what one certificate says, as plain values ([`Summary`]).
//! - [`pem`]: files to rustls types, with errors that name what is wrong ([`Credential`]).
//! - [`pfx`]: the same from PFX files.
//! - [`judge`]: every rule about a certificate at once, with what to do ([`Judgement`]).
//! - [`choice`]: which of several is served, and why each other is not ([`Choice`]).
//! - [`authority`]: the in-house CA, what it signs and revokes ([`InHouseCa`]).
//! - [`request`]: certificate signing requests ([`SigningRequest`]).
//! - [`template`]: what may be issued to whom, as reviewed text ([`Template`]), and its lint.
//! - [`collection`]: certificates as CAs publish them, and who issued whom.
//! - [`trust`]: a CA's certificate in the forms that clients want.
//! - [`elsewhere`]: what a certificate says is to be had elsewhere.
//! - [`proof`]: what tls-alpn-01 shows a public CA.

pub mod authority;
pub mod certificate;
pub mod choice;
pub mod collection;
mod der;
pub mod elsewhere;
pub mod judge;
mod name;
pub mod pem;
pub mod pfx;
pub mod proof;
pub mod request;
pub mod template;
pub mod trust;

pub use authority::{CaMaterial, InHouseCa, IssueFailed, Issued, KeyUsage, Reason};
pub use authority::{Revocations, Revoked, Wish};
pub use certificate::{NotACertificate, Summary};
pub use choice::{Candidate, Choice, Chosen, Verdict, choose};
pub use judge::{Finding, Judgement, Level, Policy, Rule, Wanted};
pub use name::{NamePart, name_text};
pub use pem::{Credential, PemRefused};
pub use pfx::{Pfx, PfxRefused};
pub use request::{RequestRefused, SigningRequest};
pub use template::{Template, Templates};
