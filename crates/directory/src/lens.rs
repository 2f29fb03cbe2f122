//! What was worked out for one asker and stays true from one view to the next: the access rules as
//! far as they are known from the asker alone, what names lead to, who lies below whom.
//!
//! All of it depends on the *shape* of the tree only: which entries there are, where they stand,
//! who is a member of what, which objects are referrals. Commits that change none of that (a new
//! telephone number, a new password) leave a lens clear; any other begins a new epoch of
//! `Inner::shape`, and [`Lens::focus`] empties the lens. What depends on an entry's other content
//! is never kept in here.
//!
//! A lens is a cache and nothing else: without one every answer is the same, only slower.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use crate::access::AskerRules;
use crate::epoch::Epoch;
use crate::keeper::Keeper;
use crate::ruling::Ruling;
use crate::store::EntryId;
use crate::subject::Subject;

/// What one change of the writer did to the shape of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reshaping {
    /// Nothing.
    None,
    /// An entry more, that no link leads to or from.
    Grown,
    /// This entry less; no link led to it or from it.
    Shrunk(EntryId),
    /// Other links of an entry, or other classes.
    Linked,
    /// Anything else.
    Anyhow,
}

/// Names that are remembered; the oldest makes room.
const NAMES_MAX: usize = 8;
/// Longer names are not remembered: they are rare, and a lens is small.
const NAME_BYTES_MAX: usize = 512;
/// Pairs of entries of which is known whether one lies below the other.
const PAIRS_MAX: usize = 32;

/// Kept by whoever asks again and again (a session), handed to each view.
#[derive(Debug, Default)]
pub struct Lens {
    under: RefCell<Option<Under>>,
    resolved: RefCell<Option<Arc<[Option<EntryId>]>>>,
    overview: Cell<Option<Overview>>,
    names: RefCell<Names>,
    pairs: RefCell<Vec<(EntryId, EntryId, bool)>>,
    asker: RefCell<Option<(Subject, Arc<AskerRules>)>>,
    /// Of the parent of the entry that was answered last.
    parent_name: RefCell<Option<(EntryId, Arc<str>)>>,
    keeper: Option<Rc<Keeper>>,
}

/// What the remembered things were worked out under.
struct Under {
    shape: u64,
    ruling: Arc<Ruling>,
}

impl std::fmt::Debug for Under {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Under(shape {})", self.shape)
    }
}

/// The directory as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overview {
    pub entry_count: u64,
    pub has_referrals: bool,
    pub has_aliases: bool,
}

impl Overview {
    /// Whoever needs to know must look.
    const UNSURE: Overview =
        Overview { entry_count: u64::MAX, has_referrals: true, has_aliases: true };
}

#[derive(Debug, Default)]
struct Names {
    known: Vec<Named>,
    /// Whose place the next one takes once there are `NAMES_MAX`.
    oldest: usize,
}

/// What a name leads to, as it was written.
#[derive(Debug)]
struct Named {
    text: Box<str>,
    id: EntryId,
    /// The asker may begin a search there; true only where no entry's content has a say in that.
    is_open: bool,
}

impl Lens {
    /// One whose views share the thread's snapshot.
    pub fn keeping(keeper: Rc<Keeper>) -> Lens {
        Lens { keeper: Some(keeper), ..Lens::default() }
    }

    pub(crate) fn keeper(&self) -> Option<&Keeper> {
        self.keeper.as_deref()
    }

    /// Empties it unless all that was remembered still holds for a snapshot of this epoch. False:
    /// nothing can be remembered of that snapshot.
    pub(crate) fn focus(&self, shape: Epoch, ruling: &Arc<Ruling>) -> bool {
        let Some(shape) = shape else { return false };
        let holds = self
            .under
            .borrow()
            .as_ref()
            .is_some_and(|under| under.shape == shape && Arc::ptr_eq(&under.ruling, ruling));
        if !holds {
            self.clear();
            *self.under.borrow_mut() = Some(Under { shape, ruling: Arc::clone(ruling) });
        }
        true
    }

    /// Gives back what it remembers, and the memory for it.
    pub fn clear(&self) {
        self.under.replace(None);
        self.resolved.replace(None);
        self.overview.set(None);
        self.names.replace(Names::default());
        self.pairs.replace(Vec::new());
        self.asker.replace(None);
        self.parent_name.replace(None);
    }

    pub(crate) fn parent_name(&self, id: EntryId) -> Option<Arc<str>> {
        let parent = self.parent_name.borrow();
        parent.as_ref().filter(|(known, _)| *known == id).map(|(_, name)| Arc::clone(name))
    }

    pub(crate) fn remember_parent_name(&self, id: EntryId, name: &Arc<str>) {
        let known = &mut *self.parent_name.borrow_mut();
        if known.as_ref().is_none_or(|(known, _)| *known != id) {
            *known = Some((id, Arc::clone(name)));
        }
    }

    /// The writer's own lens: forgets what the change that it has just made inside its transaction
    /// may have made untrue. Names and places that are remembered are those of entries that there
    /// are, so one more entry takes nothing from them.
    pub(crate) fn forget(&self, reshaping: Reshaping) {
        match reshaping {
            Reshaping::None => return,
            Reshaping::Grown => {
                if self.resolves(None) {
                    self.forget_askers();
                }
            }
            Reshaping::Shrunk(id) => {
                let asks = |(subject, _): &(Subject, _)| subject.entry() == Some(id);
                if self.resolves(Some(id)) || self.asker.borrow().as_ref().is_some_and(asks) {
                    self.forget_askers();
                }
                self.names.borrow_mut().known.retain(|named| named.id != id);
            }
            Reshaping::Linked => {
                self.asker.replace(None);
            }
            Reshaping::Anyhow => self.clear(),
        }
        // The indexes do not show this batch yet, so they cannot be asked for referrals.
        self.overview.set(Some(Overview::UNSURE));
    }

    /// What was remembered and not forgotten inside the writer's transaction is true of its commit.
    pub(crate) fn settle(&self, shape: u64) {
        self.overview.set(None);
        if let Some(under) = &mut *self.under.borrow_mut() {
            under.shape = shape;
        }
    }

    /// Whether a name in the rules leads there, as far as is known.
    fn resolves(&self, to: Option<EntryId>) -> bool {
        self.resolved.borrow().as_ref().is_none_or(|resolved| resolved.contains(&to))
    }

    fn forget_askers(&self) {
        self.resolved.replace(None);
        self.asker.replace(None);
    }

    /// The rules for this asker.
    pub(crate) fn asker(&self, subject: &Subject) -> Option<Arc<AskerRules>> {
        let asker = self.asker.borrow();
        asker.as_ref().filter(|(known, _)| known == subject).map(|(_, rules)| Arc::clone(rules))
    }

    pub(crate) fn remember_asker(&self, subject: &Subject, rules: &Arc<AskerRules>) {
        self.asker.replace(Some((subject.clone(), Arc::clone(rules))));
        // Where one asker may begin, another may not.
        for named in &mut self.names.borrow_mut().known {
            named.is_open = false;
        }
    }

    /// What the names in the access rules lead to.
    pub(crate) fn resolved(&self) -> Option<Arc<[Option<EntryId>]>> {
        self.resolved.borrow().clone()
    }

    pub(crate) fn remember_resolved(&self, resolved: &Arc<[Option<EntryId>]>) {
        self.resolved.replace(Some(Arc::clone(resolved)));
    }

    pub(crate) fn overview(&self) -> Option<Overview> {
        self.overview.get()
    }

    pub(crate) fn remember_overview(&self, overview: Overview) {
        self.overview.set(Some(overview));
    }

    /// The entry of a name.
    pub(crate) fn named(&self, text: &str) -> Option<EntryId> {
        let names = self.names.borrow();
        names.known.iter().find(|named| &*named.text == text).map(|named| named.id)
    }

    /// The entry of a name at which these rules are known to let their asker begin a search.
    pub(crate) fn open_to(&self, asker: &Arc<AskerRules>, text: &str) -> Option<EntryId> {
        let names = self.names.borrow();
        let named = names.known.iter().find(|named| &*named.text == text)?;
        (named.is_open && self.is_of(asker)).then_some(named.id)
    }

    /// Whether these are the rules that are remembered.
    fn is_of(&self, asker: &Arc<AskerRules>) -> bool {
        self.asker.borrow().as_ref().is_some_and(|(_, known)| Arc::ptr_eq(known, asker))
    }

    pub(crate) fn remember_name(&self, text: &str, id: EntryId) {
        if text.len() > NAME_BYTES_MAX || self.named(text).is_some() {
            return;
        }
        let names = &mut *self.names.borrow_mut();
        let named = Named { text: Box::from(text), id, is_open: false };
        if names.known.len() < NAMES_MAX {
            names.known.push(named);
        } else if let Some(place) = names.known.get_mut(names.oldest) {
            *place = named;
            names.oldest = (names.oldest + 1) % NAMES_MAX;
        }
    }

    /// These rules let their asker begin at this name.
    pub(crate) fn remember_open(&self, asker: &Arc<AskerRules>, text: &str) {
        if !self.is_of(asker) {
            return;
        }
        let names = &mut *self.names.borrow_mut();
        if let Some(named) = names.known.iter_mut().find(|named| &*named.text == text) {
            named.is_open = true;
        }
    }

    /// Whether the first is the second or lies below it, if that is known.
    pub(crate) fn is_within(&self, id: EntryId, ancestor: EntryId) -> Option<bool> {
        let pairs = self.pairs.borrow();
        let known = pairs.iter().find(|(low, high, _)| *low == id && *high == ancestor);
        known.map(|(.., within)| *within)
    }

    pub(crate) fn remember_within(&self, id: EntryId, ancestor: EntryId, within: bool) {
        let mut pairs = self.pairs.borrow_mut();
        if pairs.len() == PAIRS_MAX {
            pairs.clear();
        }
        pairs.push((id, ancestor, within));
    }
}
