//! Every named maximum of the LDAP service, its default, and what a client is told at the limit.

use std::time::Duration;

/// The limits of one server. All are settable; the defaults suit a directory of a million people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in total. Beyond: closed at once.
    pub connections: usize,
    /// Connections from one address. Beyond: closed at once. The local socket does not count.
    pub connections_per_address: usize,
    /// Connections from one IPv4 /24 or IPv6 /64, which one host may hold as a whole. Beyond:
    /// closed at once. This machine itself does not count.
    pub connections_per_network: usize,
    /// Bytes of one message before a successful bind. Beyond: notice (`protocolError`), closed.
    pub message_bytes_before_bind: usize,
    /// Bytes of one message after it. Beyond: notice (`protocolError`), closed.
    pub message_bytes: usize,
    /// Operations of one connection being worked on. At the limit nothing more is read from it.
    pub operations_in_flight: usize,
    /// Answer bytes waiting for a reader. At the limit its searches rest and nothing is read.
    pub output_bytes: usize,
    /// Candidates one step of a search may look at before others get their turn.
    pub search_step: u32,
    /// Entries of one search; 0 is no limit. Beyond: `sizeLimitExceeded`.
    pub search_entries: u32,
    /// Seconds of one search; 0 is no limit. Beyond: `timeLimitExceeded`.
    pub search_seconds: u32,
    /// Entries one search may look at; 0 is no limit. Beyond: `adminLimitExceeded`.
    pub search_lookthrough: u32,
    /// Entries of one page. A larger page that is asked for is answered with one of this size.
    pub page_entries: u32,
    /// Until the TLS handshake must be over. Beyond: closed.
    pub handshake: Duration,
    /// Without a byte in either direction and nothing in flight. Beyond: notice (`unavailable`).
    pub idle: Duration,
    /// The same before a successful bind, where only whole messages count as a sign of life.
    pub idle_before_bind: Duration,
    /// Waiting for a reader that takes nothing. Beyond: closed.
    pub write_stall: Duration,
    /// Passwords waiting to be verified or hashed. Beyond: `busy`.
    pub passwords_waiting: usize,
    /// Bytes of a password. Beyond: `invalidCredentials` on bind, `constraintViolation` on change.
    pub password_bytes: usize,
    /// Characters of a filter, a name or a message in the audit log; the rest is cut.
    pub audit_text: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 10_000,
            connections_per_address: 1_000,
            connections_per_network: 4_000,
            message_bytes_before_bind: 256 * 1024,
            message_bytes: 16 * 1024 * 1024,
            operations_in_flight: 64,
            output_bytes: 64 * 1024,
            search_step: 2_000,
            search_entries: 0,
            search_seconds: 3_600,
            search_lookthrough: 0,
            page_entries: 10_000,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(15 * 60),
            idle_before_bind: Duration::from_secs(60),
            write_stall: Duration::from_secs(60),
            passwords_waiting: 256,
            password_bytes: 1024,
            audit_text: 1024,
        }
    }
}

/// The smaller of what a client asked for and what the server allows; 0 is "no limit" in both.
pub(crate) fn tighter(asked: u32, allowed: u32) -> u32 {
    match (asked, allowed) {
        (0, limit) | (limit, 0) => limit,
        (asked, allowed) => asked.min(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::tighter;

    #[test]
    fn zero_is_no_limit_on_either_side() {
        for (asked, allowed, expected) in [(0, 0, 0), (5, 0, 5), (0, 5, 5), (3, 5, 3), (9, 5, 5)] {
            assert_eq!(tighter(asked, allowed), expected, "{asked} asked, {allowed} allowed");
        }
    }
}
