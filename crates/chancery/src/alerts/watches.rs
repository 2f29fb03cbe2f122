//! What accounts, sources and the certificate that is served have to say.

use std::sync::Arc;

use directory::Directory;
use server::Door;
use time::OffsetDateTime;

use super::{Condition, Deadline, Level, Watches};
use crate::sources::milliseconds;

/// Locked accounts and blocked sources: signs of somebody guessing.
pub(crate) struct Guessing {
    pub(crate) directory: Directory,
    pub(crate) door: Arc<Door>,
}

impl Watches for Guessing {
    fn conditions(&self, now: OffsetDateTime) -> Vec<Condition> {
        let mut conditions = Vec::new();
        match self.directory.locked_accounts(3) {
            Ok((_, 0)) => {}
            Ok((first, count)) => {
                let names: Vec<_> = first.iter().map(|account| account.dn.as_str()).collect();
                let more = if count > 3 { " and others" } else { "" };
                conditions.push(Condition {
                    id: "accounts-locked",
                    cause: String::new(),
                    level: Level::Notice,
                    what: format!("{count} locked: {}{more}", names.join("; ")),
                    fix: "look in the audit log for where the wrong passwords came from; \
                        `chancery account unlock DN` unlocks one"
                        .to_owned(),
                });
            }
            Err(error) => tracing::warn!(%error, "locked accounts cannot be counted"),
        }
        let known = self.door.known(milliseconds(now));
        for source in known.into_iter().filter(|source| source.blocked) {
            conditions.push(Condition {
                id: "source-blocked",
                level: Level::Notice,
                what: format!("too many wrong passwords came from {}", source.source),
                fix: "find out who that is; if many people sign in through it, name it in \
                    [lockout] `gateways`"
                    .to_owned(),
                cause: source.source,
            });
        }
        conditions
    }
}

/// The certificate that is served.
pub(crate) struct Served {
    pub(crate) tls: server::tls::ServingTls,
}

impl Watches for Served {
    fn conditions(&self, _now: OffsetDateTime) -> Vec<Condition> {
        Vec::new()
    }

    fn deadlines(&self) -> Vec<Deadline> {
        let served = self.tls.served();
        let names: Vec<String> = served.names.iter().map(ToString::to_string).collect();
        vec![Deadline {
            id: "certificate-expiring",
            cause: served.thumbprint.clone(),
            subject: match names.is_empty() {
                true => "the certificate that is served".to_owned(),
                false => format!("the certificate for {}", names.join(", ")),
            },
            at: served.not_after,
            quiet_until: None,
            fix: "put a new certificate in its place, then `chancery reload`".to_owned(),
        }]
    }
}
