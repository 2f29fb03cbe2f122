//! What is to be done now and then beside the server: one thread, one duty after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use time::OffsetDateTime;

/// Something that is done again and again. It gets the time and never reads a clock, so that a test
/// can let a year go by.
pub(crate) trait Duty: Send {
    fn name(&self) -> &'static str;

    /// How long after one run the next is due; the first is due at once.
    fn every(&self) -> Duration;

    /// An error is logged; the duty stays and is due again.
    fn run(&mut self, now: OffsetDateTime) -> Result<()>;
}

/// The thread; dropping it lets the duty at work end and stops the rest.
pub(crate) struct Duties {
    /// Says when to stop.
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Duties {
    pub(crate) fn start(duties: Vec<Box<dyn Duty>>) -> Result<Duties> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("duties".to_owned())
            .spawn(move || work(duties, &stopped))
            .context("cannot start the thread of duties")?;
        Ok(Duties { stop, thread: Some(thread) })
    }
}

impl Drop for Duties {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of duties panicked");
        }
    }
}

fn work(duties: Vec<Box<dyn Duty>>, stopped: &Receiver<()>) {
    let begin = Instant::now();
    let mut due: Vec<(Instant, Box<dyn Duty>)> =
        duties.into_iter().map(|duty| (begin, duty)).collect();
    loop {
        for (next, duty) in &mut due {
            if *next <= Instant::now() {
                perform(duty.as_mut(), OffsetDateTime::now_utc());
                *next = Instant::now() + duty.every();
            }
        }
        let next = due.iter().map(|(next, _)| *next).min();
        let wait = next.map_or(Duration::from_secs(3600), |next| {
            next.saturating_duration_since(Instant::now())
        });
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn perform(duty: &mut dyn Duty, now: OffsetDateTime) {
    let name = duty.name();
    match catch_unwind(AssertUnwindSafe(|| duty.run(now))) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(duty = name, "{error:#}"),
        Err(_) => tracing::error!(duty = name, "panicked; it is due again"),
    }
}

/// A duty that waits for servers of others, on a thread of its own, so that the rest stays
/// punctual. While one run lasts there is no second; the end of the program waits for none.
pub(crate) struct Aside<D> {
    duty: Arc<Mutex<D>>,
    name: &'static str,
    every: Duration,
    running: Option<JoinHandle<()>>,
}

impl<D: Duty + 'static> Aside<D> {
    pub(crate) fn new(duty: D) -> Aside<D> {
        let (name, every) = (duty.name(), duty.every());
        Aside { duty: Arc::new(Mutex::new(duty)), name, every, running: None }
    }
}

impl<D: Duty + 'static> Duty for Aside<D> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn run(&mut self, now: OffsetDateTime) -> Result<()> {
        if self.running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let duty = Arc::clone(&self.duty);
        let started = thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            perform(&mut *duty.lock().unwrap_or_else(PoisonError::into_inner), now);
        });
        self.running = Some(started.context("cannot start a thread")?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(&'static str, Duration, Sender<&'static str>);

    impl Duty for Counting {
        fn name(&self) -> &'static str {
            self.0
        }

        fn every(&self) -> Duration {
            self.1
        }

        fn run(&mut self, _now: OffsetDateTime) -> Result<()> {
            self.2.send(self.0)?;
            assert!(self.0 != "panics", "as asked");
            anyhow::bail!("an error is no reason to stop")
        }
    }

    #[test]
    fn each_at_once_and_then_again() {
        let (done, is_done) = channel();
        let hour = Duration::from_secs(3600);
        let duty = |name, every| Box::new(Counting(name, every, done.clone())) as Box<dyn Duty>;
        let duties =
            Duties::start(vec![duty("panics", Duration::ZERO), duty("rare", hour)]).unwrap();
        let wait = || is_done.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!([wait(), wait(), wait(), wait()], ["panics", "rare", "panics", "panics"]);
        drop(duties);
    }

    struct Slow(Receiver<()>, Sender<OffsetDateTime>);

    impl Duty for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }

        fn every(&self) -> Duration {
            Duration::ZERO
        }

        fn run(&mut self, now: OffsetDateTime) -> Result<()> {
            self.1.send(now)?;
            self.0.recv()?;
            Ok(())
        }
    }

    #[test]
    fn one_that_waits_for_others_holds_nobody_up() {
        let (go_on, wait) = channel();
        let (begun, is_begun) = channel();
        let mut aside = Aside::new(Slow(wait, begun));
        let first = OffsetDateTime::UNIX_EPOCH;
        aside.run(first).unwrap();
        assert_eq!(is_begun.recv_timeout(Duration::from_secs(10)).unwrap(), first);
        aside.run(first + Duration::from_secs(1)).unwrap();
        assert!(is_begun.try_recv().is_err(), "while one run lasts there is no second");
        go_on.send(()).unwrap();
        aside.running.take().unwrap().join().unwrap();
        let third = first + Duration::from_secs(2);
        aside.run(third).unwrap();
        assert_eq!(is_begun.recv_timeout(Duration::from_secs(10)).unwrap(), third);
        go_on.send(()).unwrap();
    }
}
