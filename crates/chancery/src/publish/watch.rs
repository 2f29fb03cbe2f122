//! What an administrator should be told about publishing.

use std::net::SocketAddr;

use server::network::{Exposure, RuleTable, Scope, Verdict};
use time::OffsetDateTime;

use super::publisher::Publisher;
use super::record::State;
use super::refusals::{exposure, sentence};
use crate::alerts::{Condition, Level, Watches};
use crate::config::{Address, Config};

/// Listeners of `[[listen]]` that others than this machine and private networks may reach: no rule
/// stands before them.
pub(crate) struct NotUnderRules(Vec<SocketAddr>);

impl NotUnderRules {
    pub(crate) fn of(config: &Config) -> NotUnderRules {
        let private = RuleTable::default().of(Scope::Internal, 0);
        let is_exposed = |address: &SocketAddr| {
            let is_private = private.judge(address.ip()).verdict == Verdict::Allow;
            address.ip().is_unspecified() || !is_private
        };
        let all = config.listeners.iter().filter_map(|listener| match listener.address {
            Address::Internet(address) => Some(address),
            Address::Path(_) => None,
        });
        NotUnderRules(all.filter(is_exposed).collect())
    }
}

impl Watches for NotUnderRules {
    fn conditions(&self, _now: OffsetDateTime) -> Vec<Condition> {
        let condition = |address: &SocketAddr| Condition {
            id: "listener-under-no-rules",
            cause: address.to_string(),
            level: Level::Notice,
            what: format!("whoever reaches {address} is let in: [[listen]] is under no rules"),
            fix: "publish it instead: `address` in [publish.internal] or [publish.external]"
                .to_owned(),
        };
        self.0.iter().map(condition).collect()
    }
}

const OPEN_TO_EVERYONE: [(Scope, &str); 2] = [
    (Scope::Internal, "internal-open-to-everyone"),
    (Scope::External, "external-open-to-everyone"),
];

impl Watches for Publisher {
    fn conditions(&self, _now: OffsetDateTime) -> Vec<Condition> {
        let record = self.record();
        let mut conditions = Vec::new();
        if let (State::Failed, Some(reason)) = (record.state, &record.reason) {
            conditions.push(Condition {
                id: "publishing-failed",
                cause: reason.clone(),
                level: Level::Critical,
                what: format!("publishing failed, what served before still serves: {reason}"),
                fix: "mend what is named, then `chancery publish apply`".to_owned(),
            });
        }
        let in_force = &record.in_force;
        for (scope, id) in OPEN_TO_EVERYONE {
            let exposed = exposure(in_force, scope).ok().flatten();
            let (Some(exposed @ Exposure::Everyone { .. }), Some(door)) =
                (exposed, in_force.door(scope))
            else {
                continue;
            };
            conditions.push(Condition {
                id,
                cause: door.address.to_string(),
                level: Level::Critical,
                what: format!("the {scope} listener {}", sentence(exposed)),
                fix: "narrow the rules in [[publish.rule]] and take `accept-open-to-everyone` out"
                    .to_owned(),
            });
        }
        for name in self.uncovered() {
            conditions.push(Condition {
                id: "name-not-covered",
                what: format!("the certificate that is served does not cover {name}"),
                cause: name,
                level: Level::Critical,
                fix: "issue a certificate for all of [publish] `names`, or take the name out"
                    .to_owned(),
            });
        }
        conditions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn a_listener_that_anybody_may_reach_is_told_of() {
        for (listener, expected) in [
            ("'127.0.0.1:636'", 0),
            ("'[::1]:636'", 0),
            ("'10.0.0.5:636'", 0),
            ("'0.0.0.0:636'", 1),
            ("'[::]:389'\nmode='starttls'", 1),
            ("'203.0.113.10:636'", 1),
            ("'run/ldapi'\nmode='ldapi'", 0),
        ] {
            let text = format!("[[listen]]\naddress={listener}\n");
            let config = Config::from_text(&text, None, &Overrides::default()).unwrap();
            let conditions = NotUnderRules::of(&config).conditions(OffsetDateTime::UNIX_EPOCH);
            assert_eq!(conditions.len(), expected, "{listener}: {conditions:?}");
        }
    }
}
