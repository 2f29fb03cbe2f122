//! What somebody should be told about the CA in time.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use super::own::{self, is_due};
use super::{Ca, summary};
use crate::alerts::{Condition, Level, Watches};
use crate::config::Config;

/// A root has to reach every client, which takes long.
const ROOT_LEFT: Duration = Duration::days(365);
const ISSUING_LEFT: Duration = Duration::days(120);

/// Watches the CA of a data folder and the certificate it made for this server.
#[derive(Clone, Debug)]
pub(crate) struct CaWatch {
    ca: Ca,
    /// The server's own names, where its certificate comes from this CA. All clones share them.
    own_names: Arc<Mutex<Option<Vec<String>>>>,
}

impl CaWatch {
    pub(crate) fn new(ca: Ca, own_names: Option<Vec<String>>) -> CaWatch {
        CaWatch { ca, own_names: Arc::new(Mutex::new(own_names)) }
    }

    pub(crate) fn of(config: &Config) -> CaWatch {
        CaWatch::new(Ca::at(&config.data), own::wanted(config))
    }

    /// From now on under the names of this configuration.
    pub(crate) fn follow(&self, config: &Config) {
        *self.own_names.lock().unwrap_or_else(PoisonError::into_inner) = own::wanted(config);
    }
}

impl Watches for CaWatch {
    fn conditions(&self, now: OffsetDateTime) -> Vec<Condition> {
        if !self.ca.exists() {
            return Vec::new();
        }
        let mut found = Vec::new();
        self.authorities(now, &mut found);
        self.list(now, &mut found);
        self.templates(now, &mut found);
        self.own(now, &mut found);
        found
    }
}

impl CaWatch {
    fn authorities(&self, now: OffsetDateTime, found: &mut Vec<Condition>) {
        let root_fix = "make a new data folder's CA known to all clients before this one ends: \
                        chancery ca export";
        let issuing_fix = "put the root's key back beside ca.pem; the next start renews it";
        for (path, least, fix) in [
            (self.ca.root_pem(), ROOT_LEFT, root_fix),
            (self.ca.issuing_pem(), ISSUING_LEFT, issuing_fix),
        ] {
            let Ok(one) = summary(&path) else { continue };
            let left = one.not_after - now;
            if left > least {
                continue;
            }
            let level = if left < Duration::days(30) { Level::Critical } else { Level::Warning };
            let what = match left.is_negative() {
                true => format!("the CA {} has expired", one.subject),
                false => format!("the CA {} has {} days left", one.subject, left.whole_days()),
            };
            let (cause, fix) = (one.thumbprint, fix.to_owned());
            found.push(Condition { id: "ca-expiring", cause, level, what, fix });
        }
    }

    fn list(&self, now: OffsetDateTime, found: &mut Vec<Condition>) {
        let what = match self.ca.list() {
            Ok(None) => return,
            Ok(Some(list)) => match list.next_update {
                Some(next) if next > now => return,
                _ => "the list of revoked certificates is out of date".to_owned(),
            },
            Err(error) => format!("the list of revoked certificates cannot be read: {error:#}"),
        };
        found.push(Condition {
            id: "crl-stale",
            cause: "crl.pem".to_owned(),
            level: Level::Warning,
            what,
            fix: "make it anew: chancery ca crl --renew".to_owned(),
        });
    }

    fn templates(&self, now: OffsetDateTime, found: &mut Vec<Condition>) {
        let fix = "see what is wrong and mend ca/templates.toml: chancery ca template lint";
        let condition = |cause: String, what: String| Condition {
            id: "template-refused",
            cause,
            level: Level::Warning,
            what,
            fix: fix.to_owned(),
        };
        match self.ca.reviewed(now) {
            Ok(reviewed) => found.extend(reviewed.off.into_iter().map(|name| {
                let what =
                    format!("the certificate template {name} is off, because it is dangerous");
                condition(name, what)
            })),
            Err(error) => found.push(condition(
                "templates.toml".to_owned(),
                format!("no certificates are issued: {error:#}"),
            )),
        }
    }

    /// It was due long enough ago that somebody should have renewed it.
    fn own(&self, now: OffsetDateTime, found: &mut Vec<Condition>) {
        let names = self.own_names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(names) = names else { return };
        let Some(leaf) = own::there(&self.ca.data) else { return };
        let late = own::renew_before(&self.ca, now) - Duration::days(2);
        let Some(why) = is_due(&leaf, &names, late, now) else { return };
        let reason = match self.ca.signer() {
            Ok(_) => why,
            Err(error) => format!("{why}: {error:#}"),
        };
        found.push(Condition {
            id: "renewal-failing",
            cause: leaf.thumbprint,
            level: if leaf.not_after - now < Duration::days(7) {
                Level::Critical
            } else {
                Level::Warning
            },
            what: format!("the server's certificate should have been renewed: {reason}"),
            fix: "see why: chancery ca status".to_owned(),
        });
    }
}
