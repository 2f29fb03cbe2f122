//! Folders as a crash leaves them.

use std::{fs, path::Path};

use super::*;
use crate::store::{EntryId, OpenError, PostingKey, Reader, Store, StoreOptions};

fn options() -> StoreOptions {
    StoreOptions { map_bytes_max: 1 << 30, ..StoreOptions::default() }
}

fn served(folder: &Path, options: &StoreOptions) -> Store {
    let store = Store::create(&folder.join("data"), options).unwrap();
    store.serve();
    store
}

/// What lies in the folder at this moment, as another folder.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in ["format", "data.mdb", "checkpoint", "journal.0", "journal.1"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// A batch that can be told by its number.
fn put(store: &Store, number: u64, bytes: usize) {
    let mut batch = store.batch().unwrap();
    batch.put_meta(&format!("own{number}"), &vec![number as u8; bytes]).unwrap();
    batch.posting_add(&PostingKey::ALL, EntryId(number)).unwrap();
    batch.commit().unwrap();
}

fn last(reader: &Reader<'_>) -> u64 {
    let ids = reader.posting(&PostingKey::ALL).unwrap().ids().unwrap();
    assert_eq!(ids, (1..=ids.len() as u64).map(EntryId).collect::<Vec<_>>());
    for EntryId(number) in &ids {
        assert!(reader.meta(&format!("own{number}")).unwrap().is_some(), "{number}");
    }
    assert_eq!(reader.meta(&format!("own{}", ids.len() + 1)).unwrap(), None);
    ids.len() as u64
}

#[test]
fn what_was_committed_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = served(folder.path(), &options());
    for number in 1..=20 {
        put(&store, number, 100);
        let copy = folder.path().join(format!("copy{number}"));
        copied(store.folder(), &copy);
        let again = Store::open(&copy, &options()).unwrap();
        assert_eq!(last(&again.snapshot().unwrap().reader()), number);
    }
}
