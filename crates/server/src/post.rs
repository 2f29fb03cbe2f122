//! The writer's answers to the connections of one worker: the worker is woken once for all answers
//! of a batch, and deals them out on its own thread, where waking a connection costs next to
//! nothing.
//!
//! Answered one by one, a worker that shares its core with the writer wakes for the first answer,
//! finds no more, sleeps, and wakes again for the next.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc::UnboundedSender;

use crate::in_flight::Event;

/// One worker's. Bounded by what is in flight on its connections.
#[derive(Debug, Default)]
pub(crate) struct Post(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    letters: Vec<Letter>,
    /// Sleeps until there is a letter.
    carrier: Option<Waker>,
}

#[derive(Debug)]
struct Letter {
    to: UnboundedSender<Event>,
    event: Event,
}

impl Post {
    /// Gives back whom to wake once there is no more to put; none where that is known already.
    #[must_use]
    pub(crate) fn put(&self, to: UnboundedSender<Event>, event: Event) -> Option<Waker> {
        let mut waiting = self.waiting();
        waiting.letters.push(Letter { to, event });
        waiting.carrier.take()
    }

    /// Carries letters to their connections, for as long as it is polled.
    pub(crate) async fn carry(self: Arc<Post>) {
        let mut letters = Vec::new();
        loop {
            poll_fn(|context| self.poll_take(context, &mut letters)).await;
            for Letter { to, event } in letters.drain(..) {
                // The connection may be gone: then nobody waits for the answer.
                let _ = to.send(event);
            }
        }
    }

    fn poll_take(&self, context: &mut Context<'_>, taken: &mut Vec<Letter>) -> Poll<()> {
        let mut waiting = self.waiting();
        if waiting.letters.is_empty() {
            waiting.carrier = Some(context.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut waiting.letters, taken);
        Poll::Ready(())
    }

    /// A thread that panicked has left whole letters, so its poison means nothing.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::*;
    use crate::in_flight::Finished;

    fn event(serial: u64) -> Event {
        Event { serial, finished: Box::new(Finished::Lost) }
    }

    #[tokio::test]
    async fn one_is_woken_for_many_letters_and_all_arrive() {
        let post = Arc::new(Post::default());
        let (to, mut letters) = unbounded_channel();
        let run = async {
            let carrying = spawn_local(Arc::clone(&post).carry());
            for round in 0..3 {
                yield_now().await; // the carrier sleeps
                let wakers: Vec<_> =
                    (0..4).map(|number| post.put(to.clone(), event(round * 4 + number))).collect();
                let woken = wakers.iter().filter(|waker| waker.is_some()).count();
                assert_eq!(woken, 1, "in round {round}");
                assert!(letters.is_empty(), "nothing is carried before somebody is woken");
                wakers.into_iter().flatten().for_each(Waker::wake);
                for number in 0..4 {
                    let letter = letters.recv().await.unwrap();
                    assert_eq!(letter.serial, round * 4 + number);
                }
            }
            carrying.abort();
        };
        LocalSet::new().run_until(run).await;
    }

    #[tokio::test]
    async fn a_letter_before_anybody_sleeps_is_carried_as_well() {
        let post = Arc::new(Post::default());
        let (to, mut letters) = unbounded_channel();
        assert!(post.put(to, event(7)).is_none(), "nobody sleeps");
        let run = async {
            let carrying = spawn_local(Arc::clone(&post).carry());
            assert_eq!(letters.recv().await.unwrap().serial, 7);
            carrying.abort();
        };
        LocalSet::new().run_until(run).await;
    }
}
