//! A set of rule numbers, small enough to copy.

/// How many access rules a directory may have.
pub const RULES_MAX: usize = 256;

const WORDS: usize = RULES_MAX / 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RuleMask([u64; WORDS]);

impl RuleMask {
    /// Numbers from `RULES_MAX` on are never in a set; parsing refuses so many rules.
    pub(crate) fn insert(&mut self, rule: usize) {
        if let Some(word) = self.0.get_mut(rule / 64) {
            *word |= 1 << (rule % 64);
        }
    }

    pub(crate) fn contains(&self, rule: usize) -> bool {
        self.0.get(rule / 64).is_some_and(|word| word >> (rule % 64) & 1 == 1)
    }

    pub(crate) fn and(self, other: &RuleMask) -> RuleMask {
        let mut both = self;
        both.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine &= theirs);
        both
    }

    /// The rules in their order.
    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        let [mut word, rest @ ..] = self.0;
        let mut rest = rest.into_iter();
        let mut first = 0;
        std::iter::from_fn(move || {
            while word == 0 {
                word = rest.next()?;
                first += 64;
            }
            let low = word.trailing_zeros() as usize;
            word &= word - 1;
            Some(first + low)
        })
    }
}
