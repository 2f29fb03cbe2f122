//! Every broken invariant is found, and a sound directory gives no finding.

use super::*;

type Breaker = fn(&mut Batch<'_>);

/// Two entries with a link, a loose name, postings and a change: nothing to find.
fn sound(batch: &mut Batch<'_>) {
    let root = add(batch, 0, "dc=com");
    let leaf = add(batch, root.0, "cn=leaf");
    let linked = EntryFlags { has_links: true, has_loose: false };
    batch.put_entry(root, &record(0, "dc=com", linked)).unwrap();
    batch.link(root, B, leaf, b"").unwrap();
    let loose = EntryFlags { has_links: false, has_loose: true };
    batch.put_entry(leaf, &record(root.0, "cn=leaf", loose)).unwrap();
    batch.add_loose(leaf, B, b"dc=com\0cn=none\0", b"cn=none,dc=com").unwrap();
    batch.posting_add(&PostingKey::equality(A, b"leaf"), leaf).unwrap();
    batch.append_change(&change()).unwrap();
}

fn change() -> Vec<u8> {
    [&[1, 1][..], &[0; 32], &2u32.to_le_bytes(), b"dn", &0u32.to_le_bytes(), b"cn: x"].concat()
}

fn break_row(batch: &mut Batch<'_>, table: usize, key: &[u8], value: Option<&[u8]>) {
    batch.break_row(table, key, value);
}

const ENTRIES: usize = 0;
const NODES: usize = 1;
const NAMES: usize = 2;
const LINKS: usize = 3;
const BACKLINKS: usize = 4;
const LOOSE: usize = 5;
const LOOSE_NAMES: usize = 6;
const POSTINGS: usize = 7;
const CHANGES: usize = 8;
const META: usize = 9;

fn id(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

#[test]
fn every_broken_invariant_is_found() {
    let cases: &[(&str, Breaker)] = &[
        ("it has no row in nodes", |b| break_row(b, NODES, &id(2), None)),
        ("it has a name but no record", |b| break_row(b, ENTRIES, &id(2), None)),
        ("unknown version", |b| break_row(b, ENTRIES, &id(2), Some(&[9; 40]))),
        ("another RDN", |b| {
            b.put_entry(EntryId(2), &record(1, "cn=other", Default::default())).unwrap();
        }),
        ("another parent", |b| {
            b.put_entry(EntryId(2), &record(7, "cn=leaf", Default::default())).unwrap();
        }),
        ("it has loose names, and no flag for them", |b| {
            b.put_entry(EntryId(2), &record(1, "cn=leaf", Default::default())).unwrap();
        }),
        ("it has links, and no flag for them", |b| {
            b.put_entry(EntryId(1), &record(0, "dc=com", Default::default())).unwrap();
        }),
        ("an attribute twice", |b| {
            let mut twice = EntryBuilder::new(EntryId(1), "cn=leaf");
            let twice = twice.user(A, "cn", ["a"]).user(A, "cn", ["b"]).build().unwrap();
            b.put_entry(EntryId(2), &twice).unwrap();
        }),
        ("under another one's number", |b| {
            let mut wrong = EntryBuilder::new(EntryId(1), "cn=leaf");
            let wrong = wrong.user(B, "cn", ["a"]).build().unwrap();
            b.put_entry(EntryId(2), &wrong).unwrap();
        }),
        ("its number was never given out", |b| {
            b.put_entry(EntryId(50), &record(0, "cn=x", Default::default())).unwrap();
        }),
        ("ancestors form a cycle", |b| b.move_node(EntryId(1), EntryId(2), b"k", "k").unwrap()),
        ("count of children is wrong", |b| b.set_children(EntryId(1), 5).unwrap()),
        ("row in names is missing", |b| {
            break_row(b, NAMES, &[&id(1)[..], b"cn=leaf"].concat(), None);
        }),
        ("in names under another name", |b| {
            break_row(b, NAMES, &[&id(1)[..], b"more"].concat(), Some(&2u64.to_le_bytes()));
        }),
        ("it has no row in backlinks", |b| {
            break_row(b, BACKLINKS, &[&id(2)[..], &[0, 0, 0, 2], &id(1)].concat(), None);
        }),
        ("in backlinks and not in links", |b| {
            break_row(b, LINKS, &[&id(1)[..], &[0, 0, 0, 2], &id(2)].concat(), None);
        }),
        ("one of its ends does not exist", |b| {
            b.link(EntryId(1), B, EntryId(40), b"").unwrap();
        }),
        ("differ in number", |b| {
            break_row(b, LOOSE, &[&id(2)[..], &[0, 0, 0, 2], &[7; 16]].concat(), Some(b"x"));
        }),
        ("in loose_names and not in loose", |b| {
            let key = [b"x\0", &id(2)[..], &[0, 0, 0, 2], &names::hash16(b"x\0")].concat();
            break_row(b, LOOSE_NAMES, &key, Some(b""));
        }),
        ("names an entry and should be a link", |b| {
            b.add_loose(EntryId(2), B, b"dc=com\0cn=leaf\0", b"x").unwrap();
        }),
        ("members that are no entries", |b| {
            b.posting_add(&PostingKey::equality(A, b"x"), EntryId(40)).unwrap();
        }),
        ("list is not in order", |b| {
            break_row(b, POSTINGS, b"e\0\0\0\x01x\0\0\0\0\0", Some(&[2, 0, 1, 0]));
        }),
        ("an unknown kind", |b| {
            break_row(b, POSTINGS, b"q\0\0\0\x01x\0\0\0\0\0", Some(&[1, 0]));
        }),
        ("not escaped and closed", |b| {
            break_row(b, POSTINGS, b"e\0\0\0\x01xy\0\0\0\0", Some(&[1, 0]));
        }),
        ("attribute has no name", |b| {
            b.posting_add(&PostingKey::presence(AttributeId(9)), EntryId(1)).unwrap();
        }),
        ("the posting of all entries lacks", |b| {
            b.posting_remove(&PostingKey::ALL, EntryId(2)).unwrap();
        }),
        ("among all entries but has no record", |b| {
            b.posting_add(&PostingKey::ALL, EntryId(40)).unwrap();
        }),
        ("a gap in front of it", |b| break_row(b, CHANGES, &id(5), Some(&change()))),
        ("unknown version or kind", |b| break_row(b, CHANGES, &id(1), Some(&[1, 9]))),
        ("record is too short", |b| break_row(b, CHANGES, &id(1), Some(&change()[..35]))),
        ("next_commit is not behind", |b| break_row(b, CHANGES, &id(1), None)),
        ("entry_count is not", |b| b.count_entries(3)),
    ];
    for (expected, breaker) in cases {
        let (_folder, store) = created();
        let mut batch = store.batch().unwrap();
        sound(&mut batch);
        batch.commit().unwrap();
        assert_eq!(findings(&store), []);
        let mut batch = store.batch().unwrap();
        breaker(&mut batch);
        batch.commit().unwrap();
        let found = findings(&store);
        assert!(found.iter().any(|f| f.what.contains(expected)), "{expected}: {found:?}");
    }
}

#[test]
fn a_missing_counter_is_a_fault() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    break_row(&mut batch, META, b"next_entry", None);
    batch.commit().unwrap();
    assert!(matches!(store.batch(), Err(Fault::Damaged { .. })));
    assert!(store.snapshot().unwrap().reader().entry_count().is_err());
}
