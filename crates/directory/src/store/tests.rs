//! The store against real files, and random batches against ordered maps.

use super::*;

fn options() -> StoreOptions {
    StoreOptions { map_bytes_max: 1 << 30, ..StoreOptions::default() }
}

fn created() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(&folder.path().join("data"), &options()).unwrap();
    (folder, store)
}

fn reopened(store: Store) -> Store {
    let folder = store.folder().to_owned();
    drop(store);
    Store::open(&folder, &options()).unwrap()
}

fn record(parent: u64, rdn: &str) -> Vec<u8> {
    let mut builder = EntryBuilder::new(EntryId(parent), rdn);
    builder.user(AttributeId(1), "cn", [rdn]);
    builder.build().unwrap()
}

#[test]
fn what_is_written_is_read_after_reopening() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let cn = batch.attribute_id_or_new("cn").unwrap();
    assert_eq!(batch.attribute_id_or_new("CN").unwrap(), cn);
    let id = batch.next_entry_id().unwrap();
    batch.put_entry(id, &record(0, "dc=com")).unwrap();
    batch.insert_node(id, EntryId::ROOT, b"\x02\0ab", "dc=com").unwrap();
    batch.posting_add(&PostingKey::ALL, id).unwrap();
    assert_eq!(batch.append_change(b"one").unwrap(), CommitNumber(1));
    assert_eq!(batch.reader().entry_count().unwrap(), 1);
    batch.commit().unwrap();

    let store = reopened(store);
    let snapshot = store.snapshot().unwrap();
    let reader = snapshot.reader();
    assert_eq!(reader.entry(id).unwrap().unwrap().rdn(), "dc=com");
    assert_eq!(reader.child(EntryId::ROOT, b"\x02\0ab").unwrap(), Some(id));
    assert_eq!(reader.posting(&PostingKey::ALL).unwrap().ids().unwrap(), [id]);
    assert_eq!((reader.attribute_id("cn"), reader.attribute_name(cn)), (Some(cn), Some("cn")));
    assert_eq!(reader.change(CommitNumber(1)).unwrap(), Some(&b"one"[..]));
    assert_eq!(reader.last_commit().unwrap(), CommitNumber(1));
}
