//! Progress on a terminal, for work that takes longer than a second: one line, rewritten.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

const FIRST_AFTER: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(250);

pub(crate) struct Progress {
    shown: bool,
    started: Instant,
    last: Instant,
    enabled: bool,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        let now = Instant::now();
        Progress { shown: false, started: now, last: now, enabled: std::io::stderr().is_terminal() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Shows the text if it is time.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        let due =
            if self.shown { now - self.last >= EVERY } else { now - self.started >= FIRST_AFTER };
        if !self.enabled || !due {
            return;
        }
        self.shown = true;
        self.last = now;
        eprint!("\r\x1b[K{}", text());
        let _ = std::io::stderr().flush();
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
            let _ = std::io::stderr().flush();
            self.shown = false;
        }
    }
}
