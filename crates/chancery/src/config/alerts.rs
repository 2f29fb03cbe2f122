//! Where alerts go besides the log: what is written in `[alerts]`, checked as a whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::Faults;
use super::raw::Alerts;
use super::value::MailSecurity;

/// Where alerts go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AlertChannels {
    pub(crate) webhook: Option<WebhookTo>,
    pub(crate) mail: Option<MailTo>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebhookTo {
    pub(crate) url: String,
    /// None: the CAs that the machine trusts.
    pub(crate) ca: Option<PathBuf>,
    /// The file of a bearer token.
    pub(crate) secret: Option<PathBuf>,
    pub(crate) patience: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailTo {
    /// With a port or without.
    pub(crate) server: String,
    pub(crate) security: MailSecurity,
    /// None: the CAs that the machine trusts.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) user: Option<String>,
    /// The file of the password.
    pub(crate) password: Option<PathBuf>,
    pub(crate) from: String,
    /// At least one.
    pub(crate) to: Vec<String>,
}

impl AlertChannels {
    pub(super) fn resolve(raw: &Alerts, folder: &Path, faults: &mut Faults<'_>) -> AlertChannels {
        let place = |path: &Option<PathBuf>| path.as_ref().map(|path| folder.join(path));
        let webhook = raw.webhook.clone().map(|url| WebhookTo {
            url,
            ca: place(&raw.webhook_ca),
            secret: place(&raw.webhook_secret),
            patience: raw.webhook_time,
        });
        if webhook.is_none() {
            for (key, path) in
                [("webhook-ca", &raw.webhook_ca), ("webhook-secret", &raw.webhook_secret)]
            {
                if path.is_some() {
                    faults.without_place(&format!("alerts.{key}"), "write `webhook` as well");
                }
            }
        }
        let mail = raw.mail_server.clone().and_then(|server| {
            Some(MailTo {
                server,
                security: raw.mail_security,
                ca: place(&raw.mail_ca),
                user: raw.mail_user.clone(),
                password: place(&raw.mail_password),
                from: mail_from(raw, faults)?,
                to: mail_to(raw, faults)?,
            })
        });
        if raw.mail_user.is_some() != raw.mail_password.is_some() {
            let what = "write both `mail-user` and `mail-password`, or neither";
            faults.without_place("alerts.mail-user", what);
        }
        if raw.mail_user.is_some() && raw.mail_security == MailSecurity::None {
            let what = "a password is never sent in the clear; write \"starttls\" or \"tls\"";
            faults.without_place("alerts.mail-security", what);
        }
        AlertChannels { webhook, mail }
    }
}

fn mail_from(raw: &Alerts, faults: &mut Faults<'_>) -> Option<String> {
    if raw.mail_from.is_none() {
        faults.without_place("alerts.mail-from", "write the address that mail comes from");
    }
    raw.mail_from.clone()
}

fn mail_to(raw: &Alerts, faults: &mut Faults<'_>) -> Option<Vec<String>> {
    if raw.mail_to.is_empty() {
        faults.without_place("alerts.mail-to", "write at least one address");
        return None;
    }
    Some(raw.mail_to.clone())
}
