//! A few threads for slow password hashes, so that none of them ever stalls a connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use directory::Refusal;
use ldap::result::ResultCode;

type Job = (Place, Box<dyn FnOnce() + Send>);

/// At most as many hashes at once as there are cores, and a bounded queue before them.
#[derive(Clone, Debug)]
pub(crate) struct PasswordPool {
    queue: SyncSender<Job>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
    /// Whether a job that nobody waits for is at work.
    has_spare_job: Arc<AtomicBool>,
}

/// A place in the queue, until dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The right to the one job that nobody waits for, until dropped.
#[derive(Debug)]
pub(crate) struct SpareTurn(Arc<AtomicBool>);

impl Drop for SpareTurn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl PasswordPool {
    /// The threads end when the last clone of the pool is dropped.
    pub(crate) fn start(threads: usize, waiting_max: usize) -> std::io::Result<PasswordPool> {
        PasswordPool::named("password", threads, waiting_max)
    }

    /// The same for other slow work.
    pub(crate) fn named(
        name: &str,
        threads: usize,
        waiting_max: usize,
    ) -> std::io::Result<PasswordPool> {
        let (queue, jobs) = sync_channel::<Job>(waiting_max);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || work_off(&jobs))?;
        }
        Ok(PasswordPool {
            queue,
            waiting: Arc::default(),
            waiting_max,
            has_spare_job: Arc::default(),
        })
    }

    /// None: somebody else has it. One at a time, so that people who wait never wait for many.
    pub(crate) fn spare_turn(&self) -> Option<SpareTurn> {
        let is_taken = self.has_spare_job.swap(true, Ordering::Acquire);
        (!is_taken).then(|| SpareTurn(Arc::clone(&self.has_spare_job)))
    }

    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Refusal> {
        self.submit_at(self.reserve()?, job)
    }

    /// For those who must know that there is room before they look at what they bring.
    pub(crate) fn reserve(&self) -> Result<Place, Refusal> {
        // Counted first: dropping the place counts it back.
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(&self.waiting));
        if before < self.waiting_max { Ok(place) } else { Err(busy()) }
    }

    pub(crate) fn submit_at(
        &self,
        place: Place,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<(), Refusal> {
        self.queue.try_send((place, Box::new(job))).map_err(|error| match error {
            TrySendError::Full(_) => busy(),
            TrySendError::Disconnected(_) => {
                Refusal::new(ResultCode::UNAVAILABLE, "the server is shutting down")
            }
        })
    }
}

fn busy() -> Refusal {
    let text = "too many requests of this kind are waiting; try again shortly";
    Refusal::new(ResultCode::BUSY, text)
}

fn work_off(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // A thread that panicked held no state in the receiver, so its poison means nothing.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((place, job)) = next else { return };
        drop(place);
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a job panicked; its client is told, the pool goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn one_job_that_nobody_waits_for_at_a_time() {
        let pool = PasswordPool::start(1, 1).unwrap();
        let turn = pool.spare_turn().unwrap();
        assert!(pool.clone().spare_turn().is_none());
        drop(turn);
        assert!(pool.spare_turn().is_some(), "given back");
    }

    #[test]
    fn a_full_queue_is_busy_and_a_panic_costs_one_job() {
        let pool = PasswordPool::start(1, 1).unwrap();
        let (started, has_started) = channel();
        let (release, released) = channel::<()>();
        pool.submit(move || {
            started.send(()).unwrap();
            released.recv().ok();
            panic!("this job fails");
        })
        .unwrap();
        has_started.recv().unwrap();
        let (done, is_done) = channel();
        pool.submit(move || done.send(7).unwrap()).unwrap();
        let refused = pool.submit(|| ()).unwrap_err();
        assert_eq!(refused.code, ResultCode::BUSY);
        release.send(()).unwrap();
        assert_eq!(is_done.recv(), Ok(7));
    }
}
