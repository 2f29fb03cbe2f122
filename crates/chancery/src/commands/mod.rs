//! One file per command.

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod acme;
pub(crate) mod alerts;
pub(crate) mod backup;
pub(crate) mod ca;
pub(crate) mod cert;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod dns;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod ldap;
mod progress;
pub(crate) mod publish;
pub(crate) mod reload;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod status;
