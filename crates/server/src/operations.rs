//! One file per verb of RFC 4511. Each gets the session and a decoded request, and ends with an
//! answer or with something in flight.

pub(crate) mod abandon;
pub(crate) mod add;
pub(crate) mod bind;
pub(crate) mod change;
pub(crate) mod compare;
pub(crate) mod delete;
pub(crate) mod extended;
pub(crate) mod modify;
pub(crate) mod modify_dn;
pub(crate) mod search;
pub(crate) mod unbind;
