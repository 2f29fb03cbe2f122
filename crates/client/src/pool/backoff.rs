//! Which targets are left out for a while, because they could not be reached.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::target::Target;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Backoff {
    left_out: HashMap<Target, LeftOut>,
}

struct LeftOut {
    until: Instant,
    pause: Duration,
}

impl Backoff {
    /// Those that may be tried, in the order given. Where all are left out, the one whose time is
    /// up first: to ask nobody would be no better.
    pub(super) fn reachable(&self, targets: Vec<Target>, now: Instant) -> Vec<Target> {
        let until = |target: &Target| self.left_out.get(target).map(|out| out.until);
        let soonest = targets.iter().min_by_key(|target| until(target)).cloned();
        let mut may: Vec<Target> = targets;
        may.retain(|target| until(target).is_none_or(|until| until <= now));
        if may.is_empty() {
            may.extend(soonest);
        }
        may
    }

    /// Doubles the pause. Several who fail at the same time count once.
    pub(super) fn failed(&mut self, target: Target, now: Instant) {
        let next = match self.left_out.get(&target) {
            Some(out) if out.until > now => return,
            Some(out) => (out.pause * 2).min(LONGEST),
            None => SHORTEST,
        };
        self.left_out.insert(target, LeftOut { until: now + next, pause: next });
    }

    pub(super) fn succeeded(&mut self, target: &Target) {
        self.left_out.remove(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_from_a_second_to_a_minute() {
        let target = |name: &str| Target::parse(name).unwrap();
        let (one, two) = (target("one"), target("two"));
        let both = || vec![one.clone(), two.clone()];
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            backoff.failed(one.clone(), now);
            // Another who fails meanwhile changes nothing.
            backoff.failed(one.clone(), now);
            let almost = now + Duration::from_secs(pause) - Duration::from_millis(1);
            assert_eq!(backoff.reachable(both(), almost), std::slice::from_ref(&two));
            now += Duration::from_secs(pause);
            assert_eq!(backoff.reachable(both(), now), both());
        }
        backoff.succeeded(&one);
        backoff.failed(two.clone(), now);
        backoff.failed(one.clone(), now + Duration::from_millis(500));
        let soon = now + Duration::from_millis(600);
        assert_eq!(backoff.reachable(both(), soon), std::slice::from_ref(&two));
        let after = now + Duration::from_millis(1200);
        assert_eq!(backoff.reachable(both(), after), [two]);
    }
}
