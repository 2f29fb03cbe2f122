//! Random changes over few names, so that they meet: entries that exist, existed, or will.

use directory::{Change, ChangeControls, Modification, NewAttribute};
use ldap::message::ModifyOperation;

use super::rng::Rng;
use super::world::{SUFFIX, World};

const WORDS: [&str; 12] = [
    "anna",
    "Bo",
    "anna berg",
    "c",
    "Dora  Ek",
    "ER",
    "team x",
    "ops",
    "zz top",
    "berg",
    "ann",
    "7",
];
const CLASSES: [&str; 4] =
    ["organizationalUnit", "inetOrgPerson", "groupOfNames", "groupOfUniqueNames"];

/// A word, its case at random, now and then longer than what keys hold whole.
pub fn word(rng: &mut Rng) -> String {
    let word = rng.pick(&WORDS);
    let word = match rng.below(4) {
        0 => word.to_uppercase(),
        1 => word.to_lowercase(),
        _ => word.to_owned(),
    };
    match rng.below(60) {
        0 => format!("{word}{}", "long".repeat(60)),
        1 => format!("{}{word}", "wide".repeat(110)),
        _ => word,
    }
}

pub fn rdn(rng: &mut Rng) -> String {
    let kind = rng.pick(&["cn", "uid", "ou", "cn", "uid"]);
    let first = format!("{kind}={}", word(rng));
    if !rng.once_in(12) {
        return first;
    }
    let other = if kind == "uid" { "cn" } else { "uid" };
    let second = format!("{other}={}", word(rng));
    if rng.once_in(2) { format!("{first}+{second}") } else { format!("{second}+{first}") }
}

/// The name of an entry there is, in any case, or of none.
pub fn dn(rng: &mut Rng, world: &World) -> String {
    if world.entries.is_empty() {
        return SUFFIX.to_owned();
    }
    let ids: Vec<u64> = world.entries.keys().copied().collect();
    let known = world.dn(rng.pick(&ids));
    match rng.below(8) {
        0 => format!("{},{known}", rdn(rng)),
        1 => known.to_uppercase(),
        2 if known.contains(',') && !rng.once_in(3) => {
            let above = known.split_once(',').unwrap().1;
            format!("{},{above}", rdn(rng))
        }
        _ => known,
    }
}

pub fn change(rng: &mut Rng, world: &World) -> (Change, ChangeControls) {
    let mut controls = ChangeControls { permissive: rng.once_in(3), ..ChangeControls::default() };
    if world.find(SUFFIX).is_none() {
        return (suffix(), controls);
    }
    let crowded = world.entries.len() > 60;
    let change = match rng.below(20) {
        0..=7 => add(rng, world),
        8..=13 => modify(rng, world),
        14..=16 => rename(rng, world),
        _ => {
            controls.tree_delete = rng.once_in(if crowded { 2 } else { 5 });
            let dn = dn(rng, world);
            if dn.to_lowercase() == SUFFIX && !rng.once_in(40) {
                controls.tree_delete = false;
            }
            Change::Delete { dn }
        }
    };
    (change, controls)
}

fn suffix() -> Change {
    Change::Add {
        dn: SUFFIX.to_owned(),
        attributes: vec![
            NewAttribute::new("objectClass", ["domain", "extensibleObject"]),
            NewAttribute::new("dc", ["example"]),
        ],
    }
}

fn names(rng: &mut Rng, world: &World, least: usize) -> Vec<String> {
    let count = least + rng.below(3);
    (0..count).map(|_| dn(rng, world)).collect()
}

fn words(rng: &mut Rng, least: usize) -> Vec<String> {
    let count = least + rng.below(3);
    (0..count).map(|_| word(rng)).collect()
}

fn add(rng: &mut Rng, world: &World) -> Change {
    let dn = match rng.below(3) {
        0 => dn(rng, world),
        _ => {
            let above = dn(rng, world);
            format!("{},{above}", rdn(rng))
        }
    };
    let class = rng.pick(&CLASSES);
    let mut attributes = vec![NewAttribute::new("objectClass", [class, "extensibleObject"])];
    let required: &[&str] = match class {
        "organizationalUnit" => &["ou"],
        "inetOrgPerson" => &["cn", "sn"],
        "groupOfNames" => &["cn", "member"],
        _ => &["cn", "uniqueMember"],
    };
    for name in required {
        if rng.once_in(30) {
            continue;
        }
        let values = if name.to_lowercase().ends_with("member") {
            names(rng, world, 1)
        } else {
            vec![word(rng)]
        };
        attributes.push(NewAttribute::new(*name, values));
    }
    for name in ["description", "cn;lang-de", "description;lang-en"] {
        if rng.once_in(4) {
            attributes.push(NewAttribute::new(name, words(rng, 1)));
        }
    }
    if rng.once_in(3) {
        attributes.push(NewAttribute::new("uidNumber", [rng.below(50).to_string()]));
    }
    for name in ["seeAlso", "manager", "owner"] {
        if rng.once_in(5) {
            attributes.push(NewAttribute::new(name, names(rng, world, 1)));
        }
    }
    Change::Add { dn, attributes }
}

fn modify(rng: &mut Rng, world: &World) -> Change {
    let count = 1 + rng.below(3);
    let modifications = (0..count).map(|_| modification(rng, world)).collect();
    Change::Modify { dn: dn(rng, world), modifications }
}

fn modification(rng: &mut Rng, world: &World) -> Modification {
    let operation = rng.pick(&[
        ModifyOperation::Add,
        ModifyOperation::Add,
        ModifyOperation::Delete,
        ModifyOperation::Replace,
    ]);
    let least = usize::from(operation == ModifyOperation::Add);
    let (name, values) = match rng.below(10) {
        0..=4 => {
            let name =
                rng.pick(&["member", "member", "uniqueMember", "seeAlso", "manager", "owner"]);
            (name, names(rng, world, least))
        }
        5 => {
            let number = rng.below(50).to_string();
            if rng.once_in(2) {
                let attribute = NewAttribute::new("uidNumber", [number]);
                return Modification { operation: ModifyOperation::Increment, attribute };
            }
            ("uidNumber", vec![number])
        }
        _ => {
            let kinds = ["description", "cn", "sn", "uid", "cn;lang-de", "description;lang-en"];
            (rng.pick(&kinds), words(rng, least))
        }
    };
    Modification { operation, attribute: NewAttribute::new(name, values) }
}

fn rename(rng: &mut Rng, world: &World) -> Change {
    let dn = dn(rng, world);
    let new_rdn = match rng.below(5) {
        0 => dn.split(',').next().unwrap().replace(['a', 'A'], "A"),
        _ => rdn(rng),
    };
    let new_rdn =
        if new_rdn.starts_with("dc=") || new_rdn.starts_with("DC=") { rdn(rng) } else { new_rdn };
    Change::ModifyDn {
        new_superior: rng.once_in(2).then(|| self::dn(rng, world)),
        delete_old_rdn: rng.once_in(2),
        dn,
        new_rdn,
    }
}
