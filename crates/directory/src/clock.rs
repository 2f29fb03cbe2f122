//! Time and chance as arguments, so that expiry and identifiers can be tested without waiting.

use std::time::{SystemTime, UNIX_EPOCH};

/// Where the writer takes the time and randomness that a change is stamped with.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Fills `bytes` with unpredictable ones.
    fn random(&self, bytes: &mut [u8]);
}

/// The machine's own clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&self, bytes: &mut [u8]) {
        // Without randomness there are no passwords and no identifiers: nothing sensible can go on.
        #[allow(clippy::expect_used, reason = "getrandom fails only where the kernel has none")]
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// `20261121093000Z`, as `createTimestamp` and `modifyTimestamp` are written (RFC 4517 §3.3.13).
pub(crate) fn generalized_time(ms: u64) -> String {
    let seconds = ms / 1000;
    let (year, month, day) = civil(seconds / 86_400);
    let rest = seconds % 86_400;
    let mut text = String::with_capacity(15);
    // Digit by digit: every change is stamped.
    let pairs = [year / 100, year % 100, month, day, rest / 3600, rest / 60 % 60, rest % 60];
    for pair in pairs {
        text.extend([pair / 10 % 10, pair % 10].map(|digit| char::from(b'0' + digit as u8)));
    }
    text.push('Z');
    text
}

/// The same with thousandths, for what happens more than once in a second.
pub(crate) fn generalized_time_ms(ms: u64) -> String {
    let mut text = generalized_time(ms);
    text.truncate(14);
    format!("{text}.{:03}Z", ms % 1000)
}

/// Year, month and day of a day number since 1970-01-01 (Gregorian, proleptic).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        for (ms, text) in [
            (0, "19700101000000Z"),
            (951_782_400_000, "20000229000000Z"),
            (1_795_253_399_999, "20261121092959Z"),
            (4_107_542_399_000, "21000228235959Z"),
        ] {
            assert_eq!(generalized_time(ms), text);
            let read = crate::schema::time::milliseconds;
            assert_eq!(read(text.as_bytes()), Some(ms / 1000 * 1000));
            assert_eq!(read(generalized_time_ms(ms).as_bytes()), Some(ms));
        }
    }
}
