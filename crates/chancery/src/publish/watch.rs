//! What an administrator should be told about publishing.

use time::OffsetDateTime;

use server::network::{Exposure, Scope};

use super::publisher::Publisher;
use super::record::State;
use super::refusals::{exposure, sentence};
use crate::alerts::{Condition, Level, Watches};

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
        let exposed = exposure(in_force, Scope::External).ok().flatten();
        if let Some(exposed @ Exposure::Everyone { .. }) = exposed {
            conditions.push(Condition {
                id: "external-open-to-everyone",
                cause: in_force
                    .external
                    .as_ref()
                    .map_or_else(String::new, |door| door.address.to_string()),
                level: Level::Critical,
                what: format!("the external listener {}", sentence(exposed)),
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
