//! Turns on a core that the writer and those who answer have to share.
//!
//! Where the process has one core, the kernel lets a thread that is busy keep it for milliseconds,
//! and a search that takes microseconds waits for it. So both hand the core over at places of
//! their own choosing: the writer after a few changes, and whoever answers after a while, as long
//! as the writer waits. With a core for each of them nothing of this happens.

use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Default)]
pub struct Turns {
    is_shared: AtomicBool,
    writer_waits: AtomicBool,
}

impl Turns {
    /// From now on: the threads of this process have one core between them.
    pub fn share(&self) {
        self.is_shared.store(true, Ordering::Relaxed);
    }

    /// Whether the writer has handed the core over and would go on.
    pub fn writer_waits(&self) -> bool {
        self.writer_waits.load(Ordering::Relaxed)
    }

    /// Lets others run, if there are any that could.
    pub(crate) fn writer_gives(&self) {
        if self.is_shared.load(Ordering::Relaxed) {
            self.writer_waits.store(true, Ordering::Relaxed);
            std::thread::yield_now();
            self.writer_waits.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The writer gives its turn again and again until somebody has seen it wait.
    fn is_seen_waiting(turns: &Turns, rounds_max: u32) -> bool {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..rounds_max {
                    turns.writer_gives();
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                }
                is_over.store(true, Ordering::Relaxed);
            });
            while !turns.writer_waits() {
                if is_over.load(Ordering::Relaxed) {
                    return false;
                }
                std::thread::yield_now();
            }
            is_over.store(true, Ordering::Relaxed);
            true
        })
    }

    #[test]
    fn the_writer_waits_only_where_the_core_is_shared() {
        let turns = Turns::default();
        assert!(!is_seen_waiting(&turns, 10_000));
        turns.share();
        assert!(is_seen_waiting(&turns, u32::MAX));
        assert!(!turns.writer_waits(), "it has its turn again");
    }
}
