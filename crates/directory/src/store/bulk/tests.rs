//! Bulk loads against the same rows written one by one.

use super::*;
use crate::store::{CommitNumber, EntryBuilder, StoreOptions, check};

struct Loaded {
    parent: u64,
    name: String,
    values: Vec<Vec<u8>>,
}

fn entries(count: u64) -> Vec<Loaded> {
    let loaded = |id: u64| Loaded {
        parent: if id == 1 { 0 } else { 1 + id % 7.min(id - 1) },
        name: format!("cn=entry {}", id.wrapping_mul(0x9e37_79b9) % 100_003),
        values: vec![format!("v{}", id % 13).into(), format!("unique {id}").into()],
    };
    (1..=count).map(loaded).collect()
}

fn name_key(entry: &Loaded) -> Vec<u8> {
    match entry.parent {
        0 => crate::store::names::suffix_key([entry.name.as_bytes()]).unwrap(),
        _ => entry.name.clone().into_bytes(),
    }
}

fn record(entry: &Loaded, id: AttributeId) -> Vec<u8> {
    let flags = crate::store::EntryFlags { has_links: true, has_loose: true };
    let mut builder = EntryBuilder::new(EntryId(entry.parent), &entry.name).flags(flags);
    builder.user(id, "cn", &entry.values).build().unwrap()
}

fn options() -> StoreOptions {
    StoreOptions { map_bytes_max: 1 << 30, ..StoreOptions::default() }
}

fn load(store: &Store, entries: &[Loaded], memory: usize) -> BulkTotals {
    let mut bulk = BulkWriter::begin(store, memory).unwrap();
    let cn = bulk.attribute_id_or_new("cn").unwrap();
    for entry in entries {
        let node = BulkNode {
            parent: EntryId(entry.parent),
            name_key: &name_key(entry),
            rdn: &entry.name,
        };
        let id = bulk.add(&record(entry, cn), &node).unwrap();
        bulk.posting(&PostingKey::ALL, id).unwrap();
        for value in &entry.values {
            bulk.posting(&PostingKey::equality(cn, value), id).unwrap();
            bulk.posting(&PostingKey::equality(cn, value), id).unwrap();
        }
        bulk.link(id, cn, EntryId(entries.len() as u64 + 1 - id.0), b"t").unwrap();
        bulk.loose(id, cn, format!("loose{}\0", id.0).as_bytes(), b"cn=loose").unwrap();
    }
    let (batch, totals) = bulk.finish().unwrap();
    batch.commit().unwrap();
    totals
}

fn write(store: &Store, entries: &[Loaded]) {
    let mut batch = store.batch().unwrap();
    let cn = batch.attribute_id_or_new("cn").unwrap();
    for entry in entries {
        let id = batch.next_entry_id().unwrap();
        batch.put_entry(id, &record(entry, cn)).unwrap();
        batch.insert_node(id, EntryId(entry.parent), &name_key(entry), &entry.name).unwrap();
        batch.posting_add(&PostingKey::ALL, id).unwrap();
        for value in &entry.values {
            batch.posting_add(&PostingKey::equality(cn, value), id).unwrap();
        }
        batch.link(id, cn, EntryId(entries.len() as u64 + 1 - id.0), b"t").unwrap();
        let loose = format!("loose{}\0", id.0);
        batch.add_loose(id, cn, loose.as_bytes(), b"cn=loose").unwrap();
    }
    batch.commit().unwrap();
}

fn rows(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let snapshot = store.snapshot().unwrap();
    let reader = snapshot.reader();
    let tables = store.tables;
    let all = [
        tables.meta,
        tables.attributes,
        tables.entries,
        tables.nodes,
        tables.names,
        tables.links,
        tables.backlinks,
        tables.loose,
        tables.loose_names,
        tables.postings,
    ];
    all.into_iter()
        .flat_map(|table| reader.prefix(table, &[], "testing").unwrap())
        .map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap())
        .collect()
}

#[test]
fn a_load_writes_what_single_changes_write() {
    let folder = tempfile::tempdir().unwrap();
    let entries = entries(700);
    let one = Store::create(&folder.path().join("one"), &options()).unwrap();
    write(&one, &entries);
    let expected = rows(&one);
    for (name, memory, spills) in [("large", MEMORY_BYTES_MAX, false), ("small", 20_000, true)] {
        let store = Store::create(&folder.path().join(name), &options()).unwrap();
        let totals = load(&store, &entries, memory);
        assert_eq!((totals.entries, totals.runs > 2), (700, spills));
        assert!(rows(&store) == expected, "{name}");
        let snapshot = store.snapshot().unwrap();
        let mut findings = Vec::new();
        check(&snapshot.reader(), &mut |finding| findings.push(finding)).unwrap();
        assert_eq!(findings, []);
    }
}

#[test]
fn a_load_that_is_given_up_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join("data"), &options()).unwrap();
    let before = rows(&store);
    let mut bulk = BulkWriter::begin(&store, 1000).unwrap();
    let node = BulkNode { parent: EntryId::ROOT, name_key: b"k", rdn: "cn=a" };
    bulk.add(&[1; 40], &node).unwrap();
    drop(bulk);
    assert_eq!(rows(&store), before);
    load(&store, &entries(3), 1000);
    assert!(BulkWriter::begin(&store, 1000).is_err());
    assert_eq!(store.snapshot().unwrap().reader().last_commit().unwrap(), CommitNumber(0));
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join("data"), &options()).unwrap();
    let mut bulk = BulkWriter::begin(&store, 1000).unwrap();
    let node = |parent| BulkNode { parent: EntryId(parent), name_key: b"k", rdn: "cn=a" };
    assert!(bulk.add(b"r", &node(1)).is_err());
    drop(bulk);
    let mut bulk = BulkWriter::begin(&store, 1000).unwrap();
    bulk.add(b"r", &node(0)).unwrap();
    bulk.add(b"r", &node(0)).unwrap();
    let Err(Fault::Damaged { what }) = bulk.finish() else { panic!() };
    assert!(what.contains("same name"), "{what}");
}

/// Prints how fast a load is: 15 postings per entry, 10 of them grams that many entries share.
#[test]
#[ignore = "a measurement, to be run optimized and by hand"]
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn speed() {
    const ENTRIES: u64 = 500_000;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join("data"), &StoreOptions::default()).unwrap();
    let start = std::time::Instant::now();
    let mut bulk = BulkWriter::begin(&store, MEMORY_BYTES_MAX).unwrap();
    let cn = bulk.attribute_id_or_new("cn").unwrap();
    let text = "x".repeat(600);
    for number in 1..=ENTRIES {
        let rdn = format!("uid=user{number}");
        let parent = EntryId(number.min(2) - 1);
        let mut builder = EntryBuilder::new(parent, &rdn);
        let record = builder.user(cn, "cn", [&rdn, &text]).build().unwrap();
        let node = BulkNode { parent, name_key: rdn.as_bytes(), rdn: &rdn };
        let id = bulk.add(&record, &node).unwrap();
        bulk.posting(&PostingKey::ALL, id).unwrap();
        bulk.posting(&PostingKey::presence(cn), id).unwrap();
        bulk.posting(&PostingKey::equality(cn, rdn.as_bytes()), id).unwrap();
        bulk.posting(&PostingKey::equality(cn, format!("{rdn}@example.com").as_bytes()), id)
            .unwrap();
        bulk.posting(&PostingKey::equality(cn, b"person"), id).unwrap();
        for gram in 0..10 {
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (gram * 4);
            let gram = [b'a' + (mixed % 26) as u8, b'a' + (mixed / 26 % 26) as u8, b'a'];
            bulk.posting(&PostingKey::gram(cn, &gram), id).unwrap();
        }
    }
    let fed = start.elapsed();
    let (batch, totals) = bulk.finish().unwrap();
    let sorted = start.elapsed();
    batch.commit().unwrap();
    let all = start.elapsed();
    let rate = ENTRIES as f64 / all.as_secs_f64();
    println!("{rate:.0} entries/s; fed {fed:?}, sorted {sorted:?}, durable {all:?}; {totals:?}");
    println!("{:?}", store.sizes().unwrap());
}
