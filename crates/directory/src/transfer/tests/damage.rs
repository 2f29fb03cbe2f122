//! Every kind of damage is found and named. Made by raw writes, as no change could.

use super::*;
use crate::store::{AttributeId, Batch, EntryBuilder, EntryFlags, EntryId, PostingKey};
use crate::transfer::check::Severity;

const GROUP: &str = "dn: cn=staff,ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: staff\n\
                     member: uid=anna,ou=people,dc=example,dc=com\n\
                     member: uid=late,ou=people,dc=example,dc=com\n\n";

/// 1 the suffix, 2 people, 3 groups, 4 anna, 5 bo, 6 staff.
const ANNA: EntryId = EntryId(4);
const BO: EntryId = EntryId(5);
const STAFF: EntryId = EntryId(6);

struct Raw<'b, 's> {
    batch: &'b mut Batch<'s>,
}

impl Raw<'_, '_> {
    /// A value as its equality index has it.
    fn normal(name: &str, value: &str) -> Vec<u8> {
        let schema = crate::schema::Schema::standard();
        let rule = schema.attribute_type(name).and_then(|kind| kind.equality);
        crate::entry::equality_key(&schema, rule, value.as_bytes())
    }

    fn number(&self, key: &str) -> AttributeId {
        self.batch.reader().attribute_id(key).unwrap()
    }

    /// Writes the entry's record again, with each attribute as `change` wants it; none leaves it
    /// out.
    fn rewrite(
        &mut self,
        id: EntryId,
        flags: EntryFlags,
        change: impl Fn(&str, Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>>,
    ) {
        let record = {
            let reader = self.batch.reader();
            let entry = reader.entry(id).unwrap().unwrap();
            let mut builder = EntryBuilder::new(entry.parent(), entry.rdn()).flags(flags);
            let user = entry.user_rows().count();
            for (position, row) in entry.rows().enumerate() {
                let name = reader.attribute_name(row.attribute).unwrap();
                let values = row.values().map(<[u8]>::to_vec).collect();
                let Some(values) = change(name, values) else { continue };
                match position < user {
                    true => builder.user(row.attribute, name, values),
                    false => builder.operational(row.attribute, name, values),
                };
            }
            builder.build().unwrap()
        };
        self.batch.put_entry(id, &record).unwrap();
    }

    fn without(&mut self, id: EntryId, left_out: &str) {
        let flags = EntryFlags { has_links: true, has_loose: true };
        self.rewrite(id, flags, |name, values| (name != left_out).then_some(values));
    }

    fn with(&mut self, id: EntryId, changed: &str, value: &[u8]) {
        let flags = EntryFlags { has_links: true, has_loose: true };
        self.rewrite(id, flags, |name, values| {
            Some(if name == changed { vec![value.to_vec()] } else { values })
        });
    }
}

fn found(damage: impl Fn(&mut Raw<'_, '_>)) -> Vec<Finding> {
    let folder = Folder::loaded(&format!("{TOP}{}{}{GROUP}", person("anna"), person("bo")));
    let store = unlocked(|| {
        Store::open(folder.path(), &settings().store).map_err(|error| error.to_string())
    });
    let mut batch = store.batch().unwrap();
    damage(&mut Raw { batch: &mut batch });
    batch.commit().unwrap();
    drop(store);
    findings(&folder.open())
}

type Damage = fn(&mut Raw<'_, '_>);

/// What is done, and what must be found: the place, and what is wrong.
const DAMAGES: &[(Damage, &str, &str)] = &[
    (
        |raw| {
            let uid = raw.number("uid");
            let key = Raw::normal("uid", "anna");
            assert!(raw.batch.posting_remove(&PostingKey::equality(uid, &key), ANNA).unwrap());
        },
        "entry 4 (uid=anna,ou=people,dc=example,dc=com)",
        "it is missing from the equality index of 'uid'",
    ),
    (
        |raw| {
            let uid = raw.number("uid");
            raw.batch.posting_add(&PostingKey::equality(uid, b"zoe"), ANNA).unwrap();
        },
        "entry 4 (uid=anna,ou=people,dc=example,dc=com)",
        "the equality index of 'uid' has it under a key that it does not call for: zoe",
    ),
    (
        |raw| {
            let uid = raw.number("uid");
            assert!(raw.batch.posting_remove(&PostingKey::presence(uid), BO).unwrap());
            raw.batch.posting_add(&PostingKey::presence(uid), STAFF).unwrap();
        },
        "entry 6 (cn=staff,ou=groups,dc=example,dc=com)",
        "the presence index of 'uid' has it under a key that it does not call for: ",
    ),
    (
        |raw| {
            let cn = raw.number("cn");
            assert!(raw.batch.posting_remove(&PostingKey::gram(cn, b"ann"), ANNA).unwrap());
        },
        "entry 4 (uid=anna,ou=people,dc=example,dc=com)",
        "it is missing from the substring index of 'cn'",
    ),
    (
        |raw| {
            raw.batch.posting_remove(&PostingKey::ALL, BO).unwrap();
        },
        "postings",
        "the posting of all entries lacks some",
    ),
    (|raw| raw.without(ANNA, "uid"), "entry 4", "it lacks the value of 'uid' that its name has"),
    (|raw| raw.without(ANNA, "entryUUID"), "entry 4", "it has no entryUUID"),
    (
        |raw| {
            let reader = raw.batch.reader();
            let uuid = reader.attribute_id("entryuuid").unwrap();
            let uuid = reader.entry(ANNA).unwrap().unwrap().values(uuid).next().unwrap().to_vec();
            raw.with(BO, "entryUUID", &uuid.to_ascii_uppercase());
        },
        "entry 5",
        "another entry has the same entryUUID",
    ),
    (
        |raw| {
            let flags = EntryFlags { has_links: true, has_loose: true };
            raw.rewrite(ANNA, flags, |name, mut values| {
                if name == "cn" {
                    values.push(b"  ANNA ".to_vec());
                }
                Some(values)
            });
        },
        "entry 4",
        "'cn' has two values that are equal",
    ),
    (
        |raw| raw.rewrite(STAFF, EntryFlags::default(), |_, values| Some(values)),
        "entry 6",
        "it has links, and no flag for them",
    ),
    (
        |raw| {
            let flags = EntryFlags { has_links: true, has_loose: false };
            raw.rewrite(STAFF, flags, |_, values| Some(values));
        },
        "entry 6",
        "it has loose names, and no flag for them",
    ),
    (
        |raw| {
            let member = raw.number("member");
            raw.batch.link(STAFF, member, EntryId(99), b"").unwrap();
        },
        "the link from entry 6 to entry 99",
        "one of its ends does not exist",
    ),
    (
        |raw| {
            let member = raw.number("member");
            let reversed = raw.batch.reader().reversed_name(BO).unwrap();
            let value = b"uid=bo,ou=people,dc=example,dc=com";
            raw.batch.add_loose(STAFF, member, &reversed, value).unwrap();
        },
        "entry 6",
        "its value 'uid=bo,ou=people,dc=example,dc=com' names an entry but is loose",
    ),
    (
        |raw| {
            let key = b"\0\0wrong".to_vec();
            raw.batch.move_node(ANNA, EntryId(2), &key, "uid=anna").unwrap();
        },
        "entry 4",
        "it is not found under its own name",
    ),
    (
        |raw| {
            raw.batch.delete_entry(BO).unwrap();
        },
        "entry 5",
        "it has a name but no record",
    ),
    (
        |raw| {
            raw.batch.append_change(b"no record").unwrap();
        },
        "changes",
        "its record has an unknown version or kind",
    ),
];

#[test]
fn every_damage_is_found_and_named() {
    for (damage, place, what) in DAMAGES {
        let findings = found(damage);
        let named = |finding: &&Finding| {
            finding.severity == Severity::Broken
                && finding.place.starts_with(place)
                && finding.what.contains(what)
        };
        assert!(findings.iter().any(|finding| named(&finding)), "{place}: {what}\n{findings:#?}");
    }
}

#[test]
fn a_flag_too_many_is_no_damage() {
    let flags = EntryFlags { has_links: true, has_loose: true };
    assert_eq!(found(|raw| raw.rewrite(ANNA, flags, |_, values| Some(values))), []);
}

#[test]
fn an_entry_that_its_classes_do_not_allow_is_a_warning() {
    let findings = found(|raw| {
        raw.without(ANNA, "sn");
        let sn = raw.number("sn");
        raw.batch
            .posting_remove(&PostingKey::equality(sn, &Raw::normal("sn", "anna")), ANNA)
            .unwrap();
    });
    let warnings: Vec<&Finding> =
        findings.iter().filter(|finding| finding.severity == Severity::Warning).collect();
    assert_eq!(warnings.len(), 1, "{findings:#?}");
    assert!(warnings[0].what.contains("requires attribute 'sn'"), "{findings:#?}");
}
