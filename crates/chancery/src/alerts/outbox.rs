//! What is still to be delivered: one message for each evaluation and channel, in order, tried
//! again with growing pauses, and given up after two days.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::board::Notice;

/// Messages that wait. Beyond: the oldest is given up.
const MESSAGES_MAX: usize = 200;

const FIRST_PAUSE: Duration = Duration::seconds(5);
const LONGEST_PAUSE: Duration = Duration::hours(1);

/// With the pauses above this is two days.
const ATTEMPTS_MAX: u32 = 57;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Channel {
    Webhook,
    Mail,
}

impl Channel {
    pub(crate) const ALL: [Channel; 2] = [Channel::Webhook, Channel::Mail];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Channel::Webhook => "webhook",
            Channel::Mail => "mail",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Message {
    /// For receivers, which may get one twice: where the server ends between sending and noting it.
    pub(crate) number: u64,
    pub(crate) channel: Channel,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) at: OffsetDateTime,
    pub(crate) notices: Vec<Notice>,
    pub(crate) attempts: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) next: OffsetDateTime,
    /// Why the last attempt failed.
    pub(crate) error: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Outbox {
    pub(crate) messages: Vec<Message>,
    last_number: u64,
    /// Given up, since the file was made.
    pub(crate) lost: u64,
}

impl Outbox {
    pub(crate) fn put(&mut self, channel: Channel, notices: &[Notice], now: OffsetDateTime) {
        if self.messages.len() >= MESSAGES_MAX {
            self.messages.remove(0);
            self.lost += 1;
        }
        self.last_number += 1;
        self.messages.push(Message {
            number: self.last_number,
            channel,
            at: now,
            notices: notices.to_vec(),
            attempts: 0,
            next: now,
            error: None,
        });
    }

    /// The oldest of a channel, if it is its turn: the others wait behind it.
    pub(crate) fn due(&self, channel: Channel, now: OffsetDateTime) -> Option<&Message> {
        let first = self.first(channel)?;
        // A clock that was set back must not make it wait for longer than a pause.
        (first.next <= now || first.next > now + LONGEST_PAUSE).then_some(first)
    }

    pub(crate) fn first(&self, channel: Channel) -> Option<&Message> {
        self.messages.iter().find(|message| message.channel == channel)
    }

    pub(crate) fn delivered(&mut self, number: u64) {
        self.messages.retain(|message| message.number != number);
    }

    /// Whether it is given up.
    pub(crate) fn failed(&mut self, number: u64, error: String, now: OffsetDateTime) -> bool {
        let found = self.messages.iter_mut().find(|message| message.number == number);
        let Some(message) = found else { return false };
        message.attempts += 1;
        message.next = now + pause(message.attempts);
        message.error = Some(error);
        let over = message.attempts >= ATTEMPTS_MAX;
        if over {
            self.delivered(number);
            self.lost += 1;
        }
        over
    }

    /// Of channels that are no longer configured: nobody will deliver it.
    pub(crate) fn keep_only(&mut self, channels: &[Channel]) {
        self.messages.retain(|message| channels.contains(&message.channel));
    }
}

/// Doubled with each failure.
fn pause(attempts: u32) -> Duration {
    let doubled = 2_i32.checked_pow(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    FIRST_PAUSE.checked_mul(doubled).map_or(LONGEST_PAUSE, |pause| pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2027-01-01 0:00 UTC);

    #[test]
    fn in_order_with_growing_pauses_until_it_is_given_up() {
        let mut outbox = Outbox::default();
        outbox.put(Channel::Webhook, &[], START);
        outbox.put(Channel::Webhook, &[], START);
        outbox.put(Channel::Mail, &[], START);
        let number = |outbox: &Outbox, channel, now| outbox.due(channel, now).map(|it| it.number);
        assert_eq!(number(&outbox, Channel::Mail, START), Some(3), "beside the other channel");
        let (mut now, mut pauses) = (START, Vec::new());
        for _ in 1..ATTEMPTS_MAX {
            assert_eq!(number(&outbox, Channel::Webhook, now), Some(1));
            assert!(!outbox.failed(1, "refused".to_owned(), now));
            let first = &outbox.messages[0];
            pauses.push((first.next - now).whole_seconds());
            assert_eq!(number(&outbox, Channel::Webhook, now), None, "the second waits as well");
            now = first.next;
        }
        assert_eq!(pauses[..11], [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
        assert!((Duration::hours(47)..Duration::hours(49)).contains(&(now - START)));
        assert!(outbox.failed(1, "refused".to_owned(), now), "given up");
        assert_eq!((number(&outbox, Channel::Webhook, now), outbox.lost), (Some(2), 1));
        outbox.delivered(2);
        assert_eq!(number(&outbox, Channel::Webhook, now), None);
        outbox.keep_only(&[Channel::Webhook]);
        assert!(outbox.messages.is_empty());
    }

    #[test]
    fn a_clock_set_back_holds_nothing_up_and_there_is_an_end_to_what_waits() {
        let mut outbox = Outbox::default();
        outbox.put(Channel::Mail, &[], START);
        outbox.failed(1, "refused".to_owned(), START);
        assert!(outbox.due(Channel::Mail, START - Duration::days(9)).is_some());
        for _ in 0..2 * MESSAGES_MAX {
            outbox.put(Channel::Mail, &[], START);
        }
        assert_eq!(outbox.messages.len(), MESSAGES_MAX);
        assert_eq!(outbox.lost as usize, MESSAGES_MAX + 1);
    }
}
