//! What accounts and the sources of failed sign-ins have to say.

use std::sync::Arc;

use directory::Directory;
use server::Door;
use time::OffsetDateTime;

use super::{Condition, Level, Watches};
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
                    level: Level::Warning,
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
                level: Level::Warning,
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
