//! The attributes a rule speaks of, and attributes grouped by which rules speak of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use smallvec::SmallVec;

use super::mask::RuleMask;
use super::rule::Rule;

/// What `@secrets` means, in lower case: values that let one act as somebody. A rule means them
/// only when it says `@secrets` or their name, or when it grants `manage` or `none`.
pub const SECRETS: [&str; 17] = [
    "userpassword",
    "authpassword",
    "unicodepwd",
    "dbcspwd",
    "sambantpassword",
    "sambalmpassword",
    "sambapasswordhistory",
    "krbprincipalkey",
    "krbmkey",
    "krbextradata",
    "pwdhistory",
    "userpkcs12",
    "ipanthash",
    "ipatokenotpkey",
    "oathsecret",
    "krb5key",
    "passwordhistory",
];

pub(crate) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttributeSet {
    pub(crate) entry: bool,
    pub(crate) user: bool,
    pub(crate) operational: bool,
    /// Whether `user` and `operational` hold secrets as well.
    pub(crate) secrets: bool,
    pub(crate) named: BTreeSet<String>,
    pub(crate) except: BTreeSet<String>,
}

impl AttributeSet {
    pub(crate) fn everything() -> AttributeSet {
        AttributeSet { entry: true, user: true, operational: true, ..AttributeSet::default() }
    }

    fn holds(&self, key: &str, operational: bool) -> bool {
        self.named.contains(key)
            || (self.holds_others(operational)
                && !self.except.contains(key)
                && (self.secrets || !is_secret(key)))
    }

    /// Whether it holds the attributes that no rule mentions.
    fn holds_others(&self, operational: bool) -> bool {
        if operational { self.operational } else { self.user }
    }
}

/// A group of attributes that every rule treats alike. Numbers are stable as long as the rules are,
/// so a caller may remember the class of each attribute of its dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeClass(pub(crate) u32);

impl AttributeClass {
    /// The entry itself.
    pub const ENTRY: AttributeClass = AttributeClass(0);
    /// User attributes that no rule mentions.
    pub(crate) const USER: AttributeClass = AttributeClass(1);
    /// Operational attributes that no rule mentions.
    pub(crate) const OPERATIONAL: AttributeClass = AttributeClass(2);
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Class {
    /// Which rules speak of these attributes.
    pub(crate) rules: RuleMask,
    pub(crate) operational: bool,
    /// The attributes, sorted; empty in the first three classes, which hold all the others.
    pub(crate) names: Vec<String>,
}

/// All attributes there are, in classes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    pub(crate) list: Vec<Class>,
    of: HashMap<String, AttributeClass>,
    /// Tells these classes from those of other rules; 0 is that of no rules.
    generation: u32,
}

/// The class of one attribute under the rules that were asked last, so that the next asking costs
/// no look-up.
#[derive(Debug)]
pub(crate) struct ClassMemo(AtomicU64);

impl Default for ClassMemo {
    fn default() -> ClassMemo {
        ClassMemo(AtomicU64::new(u64::MAX))
    }
}

impl Classes {
    pub(crate) fn new(rules: &[Rule], operational: &[String]) -> Classes {
        static GENERATIONS: AtomicU32 = AtomicU32::new(1);
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        let is_operational: BTreeSet<&str> = operational.iter().map(String::as_str).collect();
        let mut classes = Classes { list: unmentioned(rules), of: HashMap::new(), generation };
        for key in operational {
            classes.of.insert(key.clone(), AttributeClass::OPERATIONAL);
        }
        for (alike, names) in mentioned(rules, &is_operational) {
            classes.push(alike, names);
        }
        classes
    }

    fn push(&mut self, (operational, rules): (bool, RuleMask), names: Vec<String>) {
        let class = AttributeClass(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        for name in &names {
            self.of.insert(name.clone(), class);
        }
        self.list.push(Class { rules, operational, names });
    }

    pub(crate) fn of(&self, key: &str) -> AttributeClass {
        let kind = key.split(';').next().unwrap_or(key);
        self.of.get(kind).copied().unwrap_or(AttributeClass::USER)
    }

    /// The same through what the attribute remembers: generation and class in one number.
    #[inline]
    pub(crate) fn remembered(&self, key: &str, memo: &ClassMemo) -> AttributeClass {
        let known = memo.0.load(Ordering::Relaxed);
        if known >> 32 == u64::from(self.generation) {
            return AttributeClass(known as u32);
        }
        let class = self.of(key);
        memo.0.store(u64::from(self.generation) << 32 | u64::from(class.0), Ordering::Relaxed);
        class
    }

    pub(crate) fn rules(&self, class: AttributeClass) -> RuleMask {
        self.list.get(class.0 as usize).map(|class| class.rules).unwrap_or_default()
    }
}

/// The first three classes, in the order of their constants.
fn unmentioned(rules: &[Rule]) -> Vec<Class> {
    let class = |operational, speaks: &dyn Fn(&AttributeSet) -> bool| Class {
        rules: mask(rules, speaks),
        operational,
        names: Vec::new(),
    };
    vec![
        class(false, &|set| set.entry),
        class(false, &|set| set.holds_others(false)),
        class(true, &|set| set.holds_others(true)),
    ]
}

type Alike = BTreeMap<(bool, RuleMask), Vec<String>>;

/// The attributes that some rule treats on its own, grouped.
fn mentioned(rules: &[Rule], is_operational: &BTreeSet<&str>) -> Alike {
    let named = rules.iter().flat_map(|rule| rule.attributes.named.iter());
    let except = rules.iter().flat_map(|rule| rule.attributes.except.iter());
    let mut names: BTreeSet<&str> = named.chain(except).map(String::as_str).collect();
    names.extend(SECRETS);
    let mut alike = Alike::new();
    for name in names {
        let operational = is_operational.contains(name);
        let speaks = mask(rules, &|set| set.holds(name, operational));
        alike.entry((operational, speaks)).or_default().push(name.to_owned());
    }
    alike
}

fn mask(rules: &[Rule], speaks: &dyn Fn(&AttributeSet) -> bool) -> RuleMask {
    let mut mask = RuleMask::default();
    let speaking = rules.iter().enumerate().filter(|(_, rule)| speaks(&rule.attributes));
    speaking.for_each(|(index, _)| mask.insert(index));
    mask
}

/// A set of attribute classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassSet(SmallVec<[u64; 2]>);

impl ClassSet {
    pub(crate) fn insert(&mut self, class: AttributeClass) {
        let word = class.0 as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (class.0 % 64);
        }
    }

    pub fn contains(&self, class: AttributeClass) -> bool {
        self.0.get(class.0 as usize / 64).is_some_and(|word| word >> (class.0 % 64) & 1 == 1)
    }
}
