//! Latencies in a log-linear histogram: 64 steps for each doubling, so within 1.6 % of the truth.

/// Steps for each doubling.
const STEPS: u64 = 64;
const STEP_BITS: u32 = 6;
/// Up to 2^40 ns, some 18 minutes; longer counts as that.
const BITS_MAX: u32 = 40;
const BUCKETS: usize = ((BITS_MAX - STEP_BITS + 1) as u64 * STEPS) as usize;

/// Counts of nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, nanoseconds: u64) {
        if let Some(count) = self.counts.get_mut(bucket(nanoseconds)) {
            *count += 1;
        }
        self.total += 1;
        self.max = self.max.max(nanoseconds);
    }

    pub fn count(&self) -> u64 {
        self.total
    }

    pub fn max_us(&self) -> f64 {
        self.max as f64 / 1e3
    }

    /// Microseconds below or at which this share (0.5, 0.99, 0.999) of all lie; 0 when empty.
    pub fn quantile_us(&self, share: f64) -> f64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(at).min(self.max) as f64 / 1e3;
            }
        }
        0.0
    }

    pub fn p50_us(&self) -> f64 {
        self.quantile_us(0.5)
    }

    pub fn p99_us(&self) -> f64 {
        self.quantile_us(0.99)
    }

    pub fn p999_us(&self) -> f64 {
        self.quantile_us(0.999)
    }

    /// Adds all that another one counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }
}

/// Values below `STEPS` have a bucket each; then each doubling has `STEPS` of them.
fn bucket(value: u64) -> usize {
    let value = value.min((1 << BITS_MAX) - 1);
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(STEP_BITS + 1);
    // With shift > 0 the leading bit is at STEP_BITS, so `value >> shift` is in STEPS..2*STEPS.
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    let within = bucket - shift * STEPS;
    ((within + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Histogram, bucket, upper};

    #[test]
    fn a_bucket_holds_what_it_says() {
        for value in (0..70).map(|bits| 1u64.checked_shl(bits).unwrap_or(u64::MAX)) {
            for value in [value - 1, value, value.saturating_add(1)] {
                let value = value.min((1 << 40) - 1);
                let upper = upper(bucket(value));
                assert!(bucket(value) < BUCKETS, "{value}");
                assert!(upper >= value, "{value} {upper}");
                assert!(upper - value <= value / 64 + 1, "{value} {upper}");
            }
        }
    }

    #[test]
    fn quantiles_are_within_a_step() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.p50_us(), 0.0);
        (1..=1000).for_each(|us| histogram.record(us * 1000));
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let found = histogram.quantile_us(share);
            assert!((found / expected - 1.0).abs() < 0.02, "{share}: {found}");
        }
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!((twice.count(), twice.max_us()), (2000, 1000.0));
    }
}
