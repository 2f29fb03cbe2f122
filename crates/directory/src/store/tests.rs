//! The store against real files, and random batches against ordered maps.

use std::path::Path;

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

#[test]
fn a_creation_that_was_cut_short_is_begun_again() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str| std::fs::write(folder.path().join(name), "half").unwrap();
    let open = || Store::open(folder.path(), &options()).map(|_| ());
    std::fs::create_dir(folder.path().join("schema")).unwrap();
    put("lock");
    assert!(matches!(open(), Err(OpenError::Missing { .. })), "what an operator prepares");
    put("data.mdb");
    assert!(matches!(open(), Err(OpenError::NotADirectoryFolder { .. })), "data without a draft");
    put("format.new");
    assert!(matches!(open(), Err(OpenError::Missing { .. })));
    put("letter.txt");
    assert!(matches!(open(), Err(OpenError::NotADirectoryFolder { .. })), "somebody's folder");
    std::fs::remove_file(folder.path().join("letter.txt")).unwrap();
    drop(Store::create(folder.path(), &options()).unwrap());
    assert!(open().is_ok());
    let lock = std::fs::metadata(folder.path().join("lock.mdb")).unwrap();
    assert!(lock.blocks() * 512 >= lock.len(), "the lock file has holes");
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
