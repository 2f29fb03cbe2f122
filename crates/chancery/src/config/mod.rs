//! `chancery.toml`: read in two steps, documented from the same definition it is read by.
//!
//! In reading order:
//!
//! - [`raw`]: every section and setting with its documentation, default and bounds. The one place
//!   to add a setting.
//! - [`setting`]: what a section is made of; [`value`]: how sizes, durations and words are written.
//! - [`read`]: from text to raw sections; [`fault`]: what can be wrong, with line and column.
//! - [`overrides`]: the command line and the environment over the file.
//! - [`published`]: the published listeners and their network rules.
//! - [`resolved`]: [`Config`], which the rest of the program uses.
//! - [`outside`]: `[dns]` and `[acme]`, whose values mean something to others.
//! - [`alerts`]: where alerts go.
//! - [`mod@example`]: `chancery.example.toml` and `docs/reference/configuration.md`.

mod alerts;
mod example;
mod fault;
mod outside;
mod overrides;
mod published;
mod raw;
mod read;
mod resolved;
mod setting;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use alerts::{AlertChannels, MailTo, WebhookTo};
pub(crate) use example::{example, reference};
pub(crate) use fault::Fault;
pub(crate) use outside::{Acme, Dns, ExternalAccount};
pub(crate) use overrides::Overrides;
pub(crate) use published::Published;
pub(crate) use resolved::{Address, Audit, Config, Listener, ListenerTls, Log, Source};
pub(crate) use value::{
    AcmeChallenge, Anonymous, Bytes, Level, ListenMode, LogFormat, MailSecurity,
};
