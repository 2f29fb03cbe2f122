//! What may be done, as a set of bits with the implications already drawn.

use std::fmt;

/// A set of rights. `read` holds `search`, which holds `compare`, which holds `auth`; `manage`
/// holds everything. `write` holds nothing else: who may set a password may not read it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u8);

impl Rights {
    pub const NONE: Rights = Rights(0);
    /// Proving one's identity against the attribute (bind).
    pub const AUTH: Rights = Rights(1);
    pub const COMPARE: Rights = Rights(2 | Rights::AUTH.0);
    /// Using the attribute in a filter.
    pub const SEARCH: Rights = Rights(4 | Rights::COMPARE.0);
    pub const READ: Rights = Rights(8 | Rights::SEARCH.0);
    /// Creating the entry. Says nothing about attributes.
    pub const ADD: Rights = Rights(16);
    /// Changing the attribute; on the entry itself: renaming it.
    pub const WRITE: Rights = Rights(32);
    /// Removing the entry. Says nothing about attributes.
    pub const DELETE: Rights = Rights(64);
    /// Everything, and setting attributes that users may not modify.
    pub const MANAGE: Rights = Rights(u8::MAX);

    /// Whether all of `needed` is in here.
    pub fn allows(self, needed: Rights) -> bool {
        self.0 & needed.0 == needed.0
    }

    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn with(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// The right a rule calls by this word.
    pub(crate) fn named(word: &str) -> Option<Rights> {
        WORDS.iter().find(|(name, _)| *name == word).map(|(_, rights)| *rights)
    }
}

/// Every word a rule may use, the strongest of each chain first, so that printing stops there.
pub(crate) const WORDS: [(&str, Rights); 9] = [
    ("manage", Rights::MANAGE),
    ("read", Rights::READ),
    ("search", Rights::SEARCH),
    ("compare", Rights::COMPARE),
    ("auth", Rights::AUTH),
    ("add", Rights::ADD),
    ("write", Rights::WRITE),
    ("delete", Rights::DELETE),
    ("none", Rights::NONE),
];

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        let mut said = Rights::NONE;
        for (word, rights) in WORDS {
            if self.allows(rights) && !said.allows(rights) {
                let comma = if said.is_none() { "" } else { ", " };
                write!(f, "{comma}{word}")?;
                said = said.with(rights);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}
