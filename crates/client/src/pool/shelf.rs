//! What lies idle, and until when. A task takes away what has lain there for too long.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::discovery::Chance;

/// In the order in which they were put there.
type Items<T> = Mutex<Vec<(T, Instant)>>;

pub(super) struct Shelf<T> {
    items: Arc<Items<T>>,
    /// Something was put there, or the shelf is gone.
    changed: Arc<Notify>,
}

impl<T: Send + 'static> Shelf<T> {
    /// Called inside a runtime, which then looks after it.
    pub(super) fn attended() -> Shelf<T> {
        let (items, changed) = (Arc::<Items<T>>::default(), Arc::<Notify>::default());
        tokio::spawn(attend(Arc::downgrade(&items), Arc::clone(&changed)));
        Shelf { items, changed }
    }

    /// For so long, less up to a tenth by chance.
    pub(super) fn put(&self, item: T, idle: Duration, chance: &mut Chance<'_>) {
        let tenth = u32::try_from(idle.as_millis() / 10).unwrap_or(u32::MAX);
        let jitter = Duration::from_millis(chance(tenth).into());
        locked(&self.items).push((item, Instant::now() + idle.saturating_sub(jitter)));
        self.changed.notify_one();
    }

    /// Only these.
    pub(super) fn keep(&self, is_wanted: impl Fn(&T) -> bool) {
        locked(&self.items).retain(|(item, _)| is_wanted(item));
    }

    /// The one that was used last, so that those that are not needed grow old. What is not good
    /// any longer goes.
    pub(super) fn take(&self, is_good: impl Fn(&T) -> bool) -> Option<T> {
        let now = Instant::now();
        let mut items = locked(&self.items);
        while let Some((item, until)) = items.pop() {
            if until > now && is_good(&item) {
                return Some(item);
            }
        }
        None
    }
}

impl<T> Drop for Shelf<T> {
    fn drop(&mut self) {
        locked(&self.items).clear();
        self.changed.notify_one();
    }
}

fn locked<T>(items: &Items<T>) -> MutexGuard<'_, Vec<(T, Instant)>> {
    items.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn attend<T>(items: Weak<Items<T>>, changed: Arc<Notify>) {
    while let Some(next) = items.upgrade().map(|items| sweep(&items)) {
        match next {
            Some(at) => tokio::select! {
                () = sleep_until(at) => {}
                () = changed.notified() => {}
            },
            None => changed.notified().await,
        }
    }
}

/// Drops what is too old; when to look again.
fn sweep<T>(items: &Items<T>) -> Option<Instant> {
    let now = Instant::now();
    let mut items = locked(items);
    items.retain(|(_, until)| *until > now);
    items.iter().map(|(_, until)| *until).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const IDLE: Duration = Duration::from_secs(600);

    /// The task sees a new time at its next turn.
    async fn pass(seconds: u64) {
        advance(Duration::from_secs(seconds)).await;
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_idle_goes_before_its_time_is_up() {
        let shelf = Shelf::attended();
        let (early, late) = (Arc::new(()), Arc::new(()));
        shelf.put(Arc::clone(&early), IDLE, &mut |tenth| tenth);
        shelf.put(Arc::clone(&late), IDLE, &mut |_| 0);
        pass(539).await;
        assert_eq!(Arc::strong_count(&early), 2);
        // A tenth less.
        pass(1).await;
        assert_eq!((Arc::strong_count(&early), Arc::strong_count(&late)), (1, 2));
        pass(59).await;
        assert_eq!(Arc::strong_count(&late), 2);
        pass(1).await;
        assert_eq!(Arc::strong_count(&late), 1);
        assert!(shelf.take(|_| true).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_one_is_taken_and_the_task_ends_with_the_shelf() {
        let shelf = Shelf::attended();
        for item in 1..=4 {
            shelf.put(item, IDLE, &mut |_| 0);
        }
        assert_eq!(shelf.take(|item| *item != 4), Some(3));
        let items = Arc::downgrade(&shelf.items);
        drop(shelf);
        pass(0).await;
        assert!(items.upgrade().is_none());
        let runtime = tokio::runtime::Handle::current();
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    }
}
