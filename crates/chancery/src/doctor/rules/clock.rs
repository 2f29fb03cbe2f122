//! Whose clock is wrong, where times do not fit together.

use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::{Finding, Layer};
use crate::doctor::facts::{Facts, Node, Offered};

/// This was written later.
const WRITTEN: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);
/// Kerberos takes no more (RFC 4120 §1.6), and certificates are issued with less.
const SKEW_MAX: Duration = Duration::minutes(5);

/// What the server takes for now, at the moment of `now`.
pub(super) struct ServerTime {
    pub(super) at: OffsetDateTime,
    source: &'static str,
}

pub(super) fn server_time(node: &Node) -> Option<ServerTime> {
    let over_tls = node.ldap.as_ref();
    let in_clear = node.clear().and_then(|clear| clear.root.as_ref());
    let said = [over_tls, in_clear].into_iter().flatten();
    let said = said.filter_map(|root| root.current_time.as_deref()).find_map(generalized);
    if let Some(at) = said {
        return Some(ServerTime { at, source: "currentTime of its root DSE" });
    }
    // A clock is alike in two answers of one moment; random numbers are not.
    let both = [Offered::Tls12, Offered::Tls12Old].map(|offered| {
        let one = node.greetings.iter().find(|one| one.offered == offered);
        one.and_then(|one| one.seconds)
    });
    let [Some(one), Some(other)] = both else { return None };
    let at = OffsetDateTime::from_unix_timestamp(one.into()).ok()?;
    (one.abs_diff(other) <= 10).then_some(ServerTime { at, source: "the clock in its TLS answers" })
}

/// `20260101120000.0Z`.
fn generalized(text: &str) -> Option<OffsetDateTime> {
    let form = time::macros::format_description!("[year][month][day][hour][minute][second]");
    let seconds = text.get(..14)?;
    let is_utc = text.ends_with('Z');
    let parsed = PrimitiveDateTime::parse(seconds, form).ok()?;
    is_utc.then_some(parsed.assume_utc())
}

/// No clock that is right says this.
pub(super) fn is_impossible(now: OffsetDateTime) -> bool {
    now < WRITTEN
}

/// A clock that is known to be wrong, and where that fails what is looked at.
pub(super) fn finding(facts: &Facts, now: OffsetDateTime, is_failing: bool) -> Option<Finding> {
    if is_impossible(now) {
        let cause = format!("this machine's clock is wrong: it says {}", text(now));
        let found = Finding::new("CLOCK", Layer::Certificate, cause)
            .seen(format!("this program is newer than that: {}", text(WRITTEN)))
            .fix("set this machine's clock, and let it follow NTP: timedatectl set-ntp true");
        return Some(if is_failing { found } else { found.warning() });
    }
    let times = facts.nodes.iter().filter_map(|node| Some((node.address, server_time(node)?)));
    let mut skewed = times.filter(|(_, server)| (server.at - now).abs() > SKEW_MAX);
    let (address, server) = skewed.next()?;
    let (here, there) = (text(now), text(server.at));
    let whose = if is_failing { "this machine's clock is wrong" } else { "the clocks differ" };
    let cause = format!("{whose}: it is {here} here, and {there} at the server");
    let mut found = Finding::new("CLOCK", Layer::Certificate, cause)
        .seen(format!("the server's time: {}", server.source))
        .fix("let this machine's clock follow NTP: timedatectl set-ntp true")
        .fix("if this clock is right, let the server's follow NTP");
    found.nodes.push(address);
    Some(if is_failing { found } else { found.warning() })
}

/// An end that has come may be this clock's fault, where nobody else's is known.
pub(super) fn doubt(facts: &Facts, found: &[Finding], now: OffsetDateTime) -> Option<Finding> {
    let expired = found.iter().find(|one| one.code == "CERT-EXPIRED")?;
    let is_known = facts.nodes.iter().any(|node| server_time(node).is_some());
    if is_known || found.iter().any(|one| one.code == "CLOCK") {
        return None;
    }
    let cause = format!("or this machine's clock is ahead: it says {}", text(now));
    let mut doubt = Finding::new("CLOCK", Layer::Certificate, cause)
        .likely()
        .warning()
        .fix("compare it with another clock: date -u; timedatectl set-ntp true");
    doubt.nodes.clone_from(&expired.nodes);
    Some(doubt)
}

pub(super) fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_directories() {
        let noon = datetime!(2030-01-01 12:00 UTC);
        assert_eq!(generalized("20300101120000.0Z"), Some(noon));
        assert_eq!(generalized("20300101120000Z"), Some(noon));
        assert_eq!(generalized("20300101120000+0100"), None);
        assert_eq!(generalized("noon"), None);
    }
}
