//! Random changes against the directory and against a simple model: every result code, and now and
//! then the whole tree, filters by index and by scan, pages, and all of it again after reopening.
//!
//! `CHANCERY_MODEL_SEED` and `CHANCERY_MODEL_STEPS` replay one run or make it longer.

mod filters;
mod operations;
pub mod rng;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::channel;

use directory::{Change, ChangeControls, ChangeRequest, Error};
use ldap::message::Scope;

use crate::sample::{Found, Sample, operator};
use filters::condition;
use rng::Rng;
use world::{SUFFIX, World};

/// Steps between two comparisons of everything.
const STEPS_COMPARED: usize = 40;

struct Run {
    seed: u64,
    rng: Rng,
    sample: Sample,
    world: World,
    /// The identifiers of entries once seen: they never change.
    uuids: BTreeMap<u64, String>,
    log: Vec<String>,
}

#[test]
fn the_directory_does_what_the_model_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let steps = number("CHANCERY_MODEL_STEPS").unwrap_or(1500);
    let seeds = match number("CHANCERY_MODEL_SEED") {
        Some(seed) => vec![seed],
        None => vec![1, 2, 3],
    };
    for seed in seeds {
        println!("seed {seed}, {steps} steps");
        Run::new(seed).go(usize::try_from(steps).unwrap());
    }
}

impl Run {
    fn new(seed: u64) -> Run {
        Run {
            seed,
            rng: Rng::new(seed),
            sample: Sample::empty(),
            world: World::default(),
            uuids: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    fn go(mut self, steps: usize) {
        let mut done = 0;
        let mut compared = 0;
        while done < steps {
            done += self.burst();
            self.ask();
            if done - compared >= STEPS_COMPARED {
                compared = done;
                if self.rng.once_in(4) {
                    self.sample.reopen();
                    self.log.push("reopened".to_owned());
                }
                self.compare();
            }
        }
        self.compare();
        self.sample.reopen();
        self.compare();
    }

    fn fail(&self, what: &str) -> ! {
        let last = self.log.len().saturating_sub(60);
        panic!("seed {}: {what}\n\nthe last steps:\n{}", self.seed, self.log[last..].join("\n"));
    }

    /// Some changes at once, so that several meet in one transaction.
    fn burst(&mut self) -> usize {
        let count = 1 + self.rng.below(6);
        let mut expected = Vec::new();
        let (sender, receiver) = channel();
        for index in 0..count {
            let (change, controls) = operations::change(&mut self.rng, &self.world);
            let code = self.expect(&change, &controls);
            self.log.push(format!("{code} {}", describe(&change, &controls)));
            expected.push((code, describe(&change, &controls)));
            let sender = sender.clone();
            let request = ChangeRequest { subject: operator(), change, controls };
            let reply = Box::new(move |result| sender.send((index, result)).unwrap());
            self.sample.directory.submit(request, reply).unwrap();
        }
        for _ in 0..count {
            let (index, result) = receiver.recv().unwrap();
            let code = match result {
                Ok(_) => 0,
                Err(Error::Refused(refusal)) => refusal.code.0,
                Err(Error::Fault(fault)) => {
                    self.fail(&format!("{fault:?} in {}", expected[index].1))
                }
            };
            if u32::from(expected[index].0) != code {
                let (expected, what) = &expected[index];
                self.fail(&format!("code {code} instead of {expected}: {what}"));
            }
        }
        count
    }

    fn expect(&mut self, change: &Change, controls: &ChangeControls) -> u16 {
        let mut after = self.world.clone();
        match after.apply(change, controls) {
            Ok(()) => {
                self.world = after;
                0
            }
            Err(code) => code,
        }
    }

    /// One random search, by index, by scan and in pages.
    fn ask(&mut self) {
        if self.world.entries.is_empty() {
            return;
        }
        let condition = condition(&mut self.rng, &self.world, 3);
        let ids: Vec<u64> = self.world.entries.keys().copied().collect();
        let base = self.rng.pick(&ids);
        let scope =
            self.rng.pick(&[Scope::Subtree, Scope::OneLevel, Scope::Base, Scope::Subordinates]);
        let expected: BTreeSet<String> = ids
            .iter()
            .filter(|id| self.in_scope(**id, base, scope))
            .filter(|id| condition.holds(&self.world, **id) == Some(true))
            .map(|id| self.world.dn(*id))
            .collect();
        let base = self.world.dn(base);
        let text = condition.text();
        for filter in [text.clone(), format!("(!(!{text}))")] {
            let found = self.sample.search_as(&operator(), &base, scope, &filter, &["1.1"]);
            let found = found.unwrap_or_else(|error| self.fail(&format!("{filter}: {error:?}")));
            self.same(&filter, &base, &expected, found);
        }
        let size = u32::try_from(1 + self.rng.below(4)).unwrap();
        let found = self.sample.paged(&base, scope, &text, size);
        self.same(&format!("{text} in pages of {size}"), &base, &expected, found);
    }

    fn in_scope(&self, id: u64, base: u64, scope: Scope) -> bool {
        match scope {
            Scope::Base => id == base,
            Scope::OneLevel => self.world.entries[&id].parent == base,
            Scope::Subtree => self.world.is_within(id, base),
            Scope::Subordinates => id != base && self.world.is_within(id, base),
        }
    }

    fn same(&self, filter: &str, base: &str, expected: &BTreeSet<String>, found: Vec<Found>) {
        let count = found.len();
        let names: BTreeSet<String> = found.into_iter().map(|entry| entry.dn).collect();
        if names != *expected || count != names.len() {
            self.fail(&format!("{filter} below {base} finds {names:#?}\ninstead of {expected:#?}"));
        }
    }

    /// Every entry with every attribute.
    fn compare(&mut self) {
        if self.world.entries.is_empty() {
            return;
        }
        let everything = ["*", "+"];
        let found = self
            .sample
            .search_as(&operator(), SUFFIX, Scope::Subtree, "(objectClass=*)", &everything)
            .unwrap_or_else(|error| self.fail(&format!("{error:?}")));
        let mut found: BTreeMap<String, Found> =
            found.into_iter().map(|entry| (entry.dn.clone(), entry)).collect();
        for id in self.world.entries.keys().copied().collect::<Vec<_>>() {
            let dn = self.world.dn(id);
            let Some(entry) = found.remove(&dn) else { self.fail(&format!("{dn} is missing")) };
            self.compare_entry(id, &entry);
        }
        if let Some(dn) = found.keys().next() {
            self.fail(&format!("{dn} should not be there"));
        }
        let count = self.sample.directory.entry_count().unwrap();
        assert_eq!(count, self.world.entries.len() as u64);
    }

    fn compare_entry(&mut self, id: u64, found: &Found) {
        let mut held: BTreeMap<String, Vec<String>> = found
            .attributes
            .iter()
            .map(|(name, values)| (name.to_lowercase(), values.clone()))
            .collect();
        if held.len() != found.attributes.len() {
            self.fail(&format!("an attribute is there twice in {}", found.text()));
        }
        let uuid = held.remove("entryuuid").unwrap_or_default().concat();
        let known = self.uuids.entry(id).or_insert_with(|| uuid.clone()).clone();
        if known != uuid || uuid.len() != 36 {
            self.fail(&format!("entryUUID {known} became {uuid} in {}", found.dn));
        }
        for stamp in ["creatorsname", "createtimestamp", "modifiersname", "modifytimestamp"] {
            if held.remove(stamp).is_none_or(|values| values.len() != 1) {
                self.fail(&format!("{stamp} in {}", found.text()));
            }
        }
        let mut expected = self.expected_values(id);
        for values in [&mut held, &mut expected] {
            let unordered = world::LINKS.iter().chain(&["memberof"]);
            for key in unordered {
                values.entry((*key).to_owned()).or_default().sort();
            }
        }
        for key in held.keys().chain(expected.keys()) {
            if held.get(key) != expected.get(key) {
                let (held, expected) = (held.get(key), expected.get(key));
                let dn = &found.dn;
                self.fail(&format!("{key} of {dn} is\n{held:?}\ninstead of\n{expected:?}"));
            }
        }
    }

    fn expected_values(&self, id: u64) -> BTreeMap<String, Vec<String>> {
        let entry = &self.world.entries[&id];
        let children = self.world.children(id);
        let mut values = entry.values.clone();
        for (key, links) in &entry.links {
            values.insert(key.clone(), links.iter().map(|one| self.world.printed(one)).collect());
        }
        let groups = self.world.member_of(id);
        values.insert("memberof".into(), groups.iter().map(|id| self.world.dn(*id)).collect());
        let mut one = |key: &str, value: String| values.insert(key.to_owned(), vec![value]);
        one("entrydn", self.world.dn(id));
        one("numsubordinates", children.to_string());
        one("hassubordinates", if children > 0 { "TRUE" } else { "FALSE" }.to_owned());
        one("subschemasubentry", directory::SUBSCHEMA_DN.to_owned());
        one("structuralobjectclass", entry.values["objectclass"][0].clone());
        values
    }
}

fn describe(change: &Change, controls: &ChangeControls) -> String {
    let values = |values: &[Vec<u8>]| {
        let texts = values.iter().map(|value| String::from_utf8_lossy(value).into_owned());
        texts.collect::<Vec<_>>().join(" | ")
    };
    match change {
        Change::Add { dn, attributes } => {
            let attributes = attributes.iter();
            let attributes =
                attributes.map(|one| format!("{}: {}", one.description, values(&one.values)));
            format!("add {dn} {:?}", attributes.collect::<Vec<_>>())
        }
        Change::Delete { dn } => format!("delete {dn} tree={}", controls.tree_delete),
        Change::Modify { dn, modifications } => {
            let all = modifications.iter().map(|one| {
                let attribute = &one.attribute;
                format!(
                    "{:?} {}: {}",
                    one.operation,
                    attribute.description,
                    values(&attribute.values)
                )
            });
            let all = all.collect::<Vec<_>>();
            format!("modify {dn} {all:?} permissive={}", controls.permissive)
        }
        Change::ModifyDn { dn, new_rdn, delete_old_rdn, new_superior } => {
            format!("rename {dn} to {new_rdn} {delete_old_rdn} {new_superior:?}")
        }
        Change::SetPassword { dn, .. } | Change::StoreStanding { dn } => format!("password {dn}"),
    }
}
