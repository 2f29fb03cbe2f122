//! A snapshot as seen by somebody: the only door through which the directory is read.

use std::cell::OnceCell;
use std::sync::Arc;

use arc_swap::Guard;
use ldap::filter::Filter;
use ldap::result::ResultCode;

use crate::access::{AccessRules, Rights, RuleText};
use crate::credentials::BindTarget;
use crate::directory::Inner;
use crate::epoch::Epoch;
use crate::judge::Judge;
use crate::keeper::HeldSnapshot;
use crate::lens::Lens;
use crate::refusal::{Error, Fault, Refusal};
use crate::ruling::Ruling;
use crate::search::evaluate::{Truth, evaluate};
use crate::search::filter::{Node, compile};
use crate::search::given::{GivenEntry, evaluate_given, explain, search_given};
use crate::search::{EntrySink, Search, SearchQuery, Step};
use crate::subject::{Subject, Who};
use crate::tree::{Memo, Tree};

/// Whose entry has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    One(Who),
    Several,
}

/// One asker's view of one snapshot. Short-lived: while it lives, the disk cannot reuse pages.
pub struct View<'d> {
    inner: &'d Inner,
    snapshot: HeldSnapshot<'d>,
    subject: &'d Subject,
    renames: Epoch,
    ruling: Guard<Arc<Ruling>>,
    lens: Option<&'d Lens>,
    judge: OnceCell<Judge>,
    /// Of what is known of accounts, from before the snapshot.
    lock_era: u64,
}

impl<'d> View<'d> {
    pub(crate) fn new(
        inner: &'d Inner,
        subject: &'d Subject,
        lens: Option<&'d Lens>,
    ) -> Result<View<'d>, Fault> {
        let before = (inner.names.renames.now(), inner.shape.now());
        let lock_era = inner.verifying.lockout.era();
        // A keeper is of no use where another process writes: nothing tells it of commits.
        let keeper = lens.and_then(Lens::keeper).filter(|_| !inner.settings.store.read_only);
        let snapshot = match keeper {
            Some(keeper) => HeldSnapshot::Kept(keeper.newest(&inner.store)?),
            None => HeldSnapshot::Own(Box::new(inner.store.snapshot()?)),
        };
        // After the snapshot was taken: every number in it has its name in here.
        let ruling = inner.in_force.load();
        // Where another process writes, nothing tells when the shape changes.
        let shape = inner.shape.since(before.1).filter(|_| !inner.settings.store.read_only);
        let lens = lens.filter(|lens| lens.focus(shape, &ruling));
        let renames = inner.names.renames.since(before.0);
        let judge = OnceCell::new();
        Ok(View { inner, snapshot, subject, renames, ruling, lens, judge, lock_era })
    }

    /// The tree without anybody's eyes: callers inside this crate judge access themselves.
    pub(crate) fn tree(&self) -> Tree<'_> {
        Tree {
            reader: self.snapshot.reader(),
            catalogue: &self.ruling.catalogue,
            suffixes: &self.ruling.suffixes,
            names: &self.inner.names,
            epoch: self.renames,
            rules: &self.ruling.rules,
            kinds: &self.ruling.kinds,
            rule_filters: OnceCell::new(),
            lens: self.lens,
            memo: Memo::default(),
        }
    }

    /// The rules for this asker, sorted once.
    fn judge(&self, tree: &Tree<'_>) -> Result<&Judge, Fault> {
        if let Some(judge) = self.judge.get() {
            return Ok(judge);
        }
        let judge = Judge::new(tree, self.subject)?;
        Ok(self.judge.get_or_init(|| judge))
    }

    pub(crate) fn lock_era(&self) -> u64 {
        self.lock_era
    }

    pub fn subject(&self) -> &Subject {
        self.subject
    }

    /// Plans a search. The result outlives this view.
    pub fn search(&self, query: &SearchQuery<'_>) -> Result<Search, Error> {
        let tree = self.tree();
        let judge = self.judge(&tree)?;
        Search::begin(&tree, judge, &self.subject.who, &self.ruling.indexes, query)
    }

    /// Plans a search and takes its first step.
    pub fn begin_search(
        &self,
        query: &SearchQuery<'_>,
        sink: &mut impl EntrySink,
        work_max: u32,
    ) -> Result<(Search, Step), Error> {
        let tree = self.tree();
        let judge = self.judge(&tree)?;
        let who = &self.subject.who;
        let mut search = Search::begin(&tree, judge, who, &self.ruling.indexes, query)?;
        let step = search.step(&tree, judge, sink, work_max)?;
        Ok((search, step))
    }

    /// Continues a search against this (perhaps newer) snapshot, until the sink is full, `work_max`
    /// entries were looked at, or the search ends.
    pub fn step(
        &self,
        search: &mut Search,
        sink: &mut impl EntrySink,
        work_max: u32,
    ) -> Result<Step, Error> {
        let tree = self.tree();
        let judge = self.judge(&tree)?;
        search.step(&tree, judge, sink, work_max)
    }

    /// Searches one entry that is not stored: the root DSE or the subschema.
    pub fn search_given(
        &self,
        entry: &GivenEntry,
        query: &SearchQuery<'_>,
        sink: &mut impl EntrySink,
    ) -> Result<(), Error> {
        search_given(&self.tree(), entry, query, sink)
    }

    /// The schema in force, as the subschema subentry (RFC 4512 §4.2).
    pub fn subschema(&self) -> GivenEntry {
        crate::subschema::entry(self.tree().schema())
    }

    /// Compares one asserted value (RFC 4511 §4.10).
    pub fn compare(
        &self,
        dn: &str,
        attribute: &str,
        value: &[u8],
        assertion: Option<&Filter<'_>>,
        manage_dsa_it: bool,
    ) -> Result<bool, Error> {
        let tree = self.tree();
        let judge = self.judge(&tree)?;
        let described = tree.catalogue.describe(attribute)?;
        let candidate = judge.locate(&tree, dn, manage_dsa_it)?;
        let rights = judge.of(&candidate);
        if let Some(assertion) = assertion {
            let node = compile(&tree, assertion)?;
            if evaluate(&node, &candidate, &rights)? != Some(true) {
                let message = "the entry does not match the assertion";
                return Err(Refusal::new(ResultCode::ASSERTION_FAILED, message).into());
            }
        }
        if !rights.attribute(&described.type_key)?.allows(Rights::COMPARE) {
            let message = format!("you may not compare '{}' of this entry", described.text);
            return Err(Refusal::new(ResultCode::INSUFFICIENT_ACCESS_RIGHTS, message).into());
        }
        compare_value(&tree, attribute, value, |node| {
            evaluate(node, &candidate, &crate::permits::IgnoringAccess)
        })
    }

    /// Compares with one entry that is not stored: the root DSE or the subschema.
    pub fn compare_given(
        &self,
        entry: &GivenEntry,
        attribute: &str,
        value: &[u8],
    ) -> Result<bool, Error> {
        let tree = self.tree();
        tree.catalogue.describe(attribute)?;
        let attributes = explain(&tree, entry)?;
        compare_value(&tree, attribute, value, |node| {
            evaluate_given(node, &tree, &attributes, &crate::permits::IgnoringAccess)
        })
    }

    /// What a bind as `dn` is verified against. An unknown name gives a target that costs the same
    /// and accepts nothing.
    pub fn bind_target(&self, dn: &str) -> Result<BindTarget, Error> {
        let verifying = Arc::clone(&self.inner.verifying);
        BindTarget::of(&self.tree(), self.subject, dn, self.lock_era, verifying)
    }

    /// The identity of the entry with that name.
    pub fn who_named(&self, dn: &str) -> Result<Option<Who>, Fault> {
        let tree = self.tree();
        Ok(match tree.find(dn)? {
            Some(id) => Some(Who::Entry { id, dn: Arc::from(tree.dn(id)?) }),
            None => None,
        })
    }

    /// The one entry with that `uid`, for identities of the form `u:name`.
    pub fn who_with_uid(&self, uid: &str) -> Result<Option<Who>, Error> {
        Ok(match self.who_with("uid", uid)? {
            Holder::One(who) => Some(who),
            // Ambiguous names sign nobody in.
            Holder::Nobody | Holder::Several => None,
        })
    }

    /// Whose entry has this value in this attribute.
    pub fn who_with(&self, attribute: &str, value: &str) -> Result<Holder, Error> {
        let tree = self.tree();
        let filter = Filter::Equality(ldap::filter::Assertion {
            attribute,
            value: std::borrow::Cow::Borrowed(value.as_bytes()),
        });
        let node = compile(&tree, &filter)?;
        let planner = crate::search::plan::Planner { tree: &tree, indexes: &self.ruling.indexes };
        let Some((plan, _)) = planner.plan(&node, u64::MAX)? else { return Ok(Holder::Nobody) };
        let mut walk = crate::search::walk::Walk::open(&tree.reader, &plan)?;
        let mut found = None;
        let mut block = 0;
        while let Some((number, bits)) = walk.next_from(block)? {
            for id in bits.iter(number) {
                let candidate = tree.expect_entry(id)?;
                let matches = evaluate(&node, &candidate, &crate::permits::IgnoringAccess)?;
                if matches == Some(true) && found.replace(id).is_some() {
                    return Ok(Holder::Several);
                }
            }
            block = number.saturating_add(1);
        }
        Ok(match found {
            Some(id) => Holder::One(Who::Entry { id, dn: Arc::from(tree.dn(id)?) }),
            None => Holder::Nobody,
        })
    }

    /// Whether the asker is among those that these words of access rules mean: `group "DN"`, `self`
    /// for whoever is an entry, and so on.
    pub fn is_meant(&self, who: &[String]) -> Result<bool, Error> {
        let tree = self.tree();
        let text = RuleText { who: who.to_vec(), ..RuleText::new("", &["read"]) };
        let rules = AccessRules::parse(&[text], &**tree.schema()).map_err(|errors| {
            let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Refusal::new(ResultCode::OTHER, reasons.join("; "))
        })?;
        // Somebody who is no entry is judged beside one that is not their own.
        let top = self.inner.settings.suffixes.first().map(|dn| tree.find(dn)).transpose()?;
        let Some(beside) = self.subject.entry().or(top.flatten()) else { return Ok(false) };
        let candidate = tree.expect_entry(beside)?;
        let decision = Arc::new(rules).decide(self.subject, &tree, &candidate, None)?;
        Ok(decision.rule.is_some())
    }

    /// Whether the asker may manage the first suffix as a whole: what concerns the server, and no
    /// entry, is for those.
    pub fn administers(&self) -> Result<bool, Error> {
        let tree = self.tree();
        if self.subject.who == Who::Operator {
            return Ok(true);
        }
        let suffixes = &self.inner.settings.suffixes;
        let Some(id) = suffixes.first().map(|dn| tree.find(dn)).transpose()?.flatten() else {
            return Ok(false);
        };
        let candidate = tree.expect_entry(id)?;
        Ok(self.judge(&tree)?.of(&candidate).entry()?.allows(Rights::MANAGE))
    }

    /// Which rule decides about an attribute (or, without one, about the entry itself).
    pub fn explain_access(
        &self,
        dn: &str,
        attribute: Option<&str>,
    ) -> Result<crate::access::Explanation, Error> {
        let tree = self.tree();
        let id = tree.find(dn)?;
        let Some(candidate) = id.map(|id| tree.entry(id)).transpose()?.flatten() else {
            let message = format!("there is no entry '{dn}'");
            return Err(Refusal::new(ResultCode::NO_SUCH_OBJECT, message).into());
        };
        let key = attribute.map(|name| tree.catalogue.describe(name)).transpose()?;
        let key = key.as_ref().map(|described| described.type_key.as_str());
        Ok(tree.rules.explain(self.subject, &tree, &candidate, key)?)
    }
}

fn compare_value(
    tree: &Tree<'_>,
    attribute: &str,
    value: &[u8],
    evaluated: impl Fn(&Node) -> Result<Truth, Fault>,
) -> Result<bool, Error> {
    let filter = Filter::Equality(ldap::filter::Assertion {
        attribute,
        value: std::borrow::Cow::Borrowed(value),
    });
    let truth_of =
        |filter: &Filter<'_>| -> Result<Truth, Error> { Ok(evaluated(&compile(tree, filter)?)?) };
    let truth = truth_of(&filter)?;
    if truth != Some(true) && truth_of(&Filter::Present(attribute))? != Some(true) {
        let message = format!("the entry has no '{attribute}'");
        return Err(Refusal::new(ResultCode::NO_SUCH_ATTRIBUTE, message).into());
    }
    match truth {
        Some(truth) => Ok(truth),
        None => Err(unfit(tree, attribute, value).into()),
    }
}

/// Why an assertion about a known attribute could not be evaluated.
fn unfit(tree: &Tree<'_>, attribute: &str, value: &[u8]) -> Refusal {
    let name = attribute.split(';').next().unwrap_or_default();
    let kind = tree.schema().attribute_type(name);
    match kind.map(|kind| (kind.equality, kind.syntax.check(tree.schema(), value))) {
        Some((Some(_), Err(invalid))) => Refusal::new(
            ResultCode::INVALID_ATTRIBUTE_SYNTAX,
            format!("the value to compare does not fit '{attribute}': {invalid}"),
        ),
        Some((Some(_), Ok(()))) => Refusal::new(
            ResultCode::INVALID_ATTRIBUTE_SYNTAX,
            format!("the value to compare does not fit the matching rule of '{attribute}'"),
        ),
        _ => Refusal::new(
            ResultCode::INAPPROPRIATE_MATCHING,
            format!("'{attribute}' has no equality rule, so its values cannot be compared"),
        ),
    }
}
