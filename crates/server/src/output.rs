//! The bytes on their way to one client.

/// What capacity an empty buffer may keep until its connection is at rest: one step's answers.
const KEPT_CAPACITY: usize = 128 * 1024;

/// Once this much of the front is sent, and at least half, it is dropped, so that a reader who is
/// slow but never finished cannot make the buffer grow, and each byte is moved once at most.
const SENT_MAX: usize = 32 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    sent: usize,
}

impl Output {
    /// To append to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(crate) fn unsent(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Counts what is sent but still there as well, as `Sink` does, which sees the buffer only.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Keeps nothing where there is nothing to send.
    pub(crate) fn rest(&mut self) {
        if self.is_empty() {
            *self = Output::default();
        }
    }

    /// The client has taken this many more bytes.
    pub(crate) fn mark_sent(&mut self, count: usize) {
        self.sent = self.bytes.len().min(self.sent + count);
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_CAPACITY);
            self.sent = 0;
        } else if self.sent >= SENT_MAX && self.sent >= self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_never_makes_it_grow() {
        let mut output = Output::default();
        for _ in 0..10_000 {
            if output.len() < 64 * 1024 {
                output.buffer().extend_from_slice(&[7; 100]);
            }
            output.mark_sent(50);
            assert!(output.len() <= 64 * 1024 + 100);
        }
        let left = output.unsent().len();
        output.mark_sent(left);
        assert!(output.is_empty());
        assert_eq!(output.len(), 0);
    }
}
