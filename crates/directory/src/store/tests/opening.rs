//! Folders that can and cannot be opened, and what is said about them.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
};

use super::*;

fn open(folder: &std::path::Path) -> OpenError {
    Store::open(folder, &options()).unwrap_err()
}

#[test]
fn folders_that_are_none_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(matches!(open(&path.join("none")), OpenError::Missing { .. }));
    assert!(matches!(open(path), OpenError::Missing { .. }));
    fs::write(path.join("file"), "text").unwrap();
    assert!(matches!(open(path), OpenError::NotADirectoryFolder { .. }));
    assert!(matches!(open(&path.join("file")), OpenError::NotADirectoryFolder { .. }));
    let created = Store::create(&path.join("file"), &options()).unwrap_err();
    assert!(matches!(created, OpenError::NotADirectoryFolder { .. }), "{created:?}");
    fs::write(path.join("format"), "something else").unwrap();
    let error = open(path);
    assert!(matches!(error, OpenError::NotADirectoryFolder { .. }));
    assert_eq!(error.to_string().lines().count(), 1);
    assert!(error.to_string().contains("name the folder"));
}

#[test]
fn what_the_caller_keeps_beside_the_data_may_be_there_first() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("orders"), "text").unwrap();
    assert!(matches!(open(folder.path()), OpenError::NotADirectoryFolder { .. }));
    let options = StoreOptions { beside: &["orders"], ..options() };
    let missing = Store::open(folder.path(), &options).unwrap_err();
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing:?}");
    drop(Store::create(folder.path(), &options).unwrap());
    assert!(folder.path().join("orders").exists());
}

#[test]
fn other_formats_are_named_without_opening_the_data() {
    let (_folder, store) = created();
    let path = store.folder().to_owned();
    drop(store);
    fs::write(path.join("format"), "chancery directory 7\n").unwrap();
    let newer = open(&path);
    assert!(matches!(newer, OpenError::NewerFormat { found: 7, ours: 2 }));
    assert!(newer.to_string().contains("use the newer program"), "{newer}");
    fs::write(path.join("format"), "chancery directory 0\n").unwrap();
    assert!(matches!(open(&path), OpenError::OlderFormat { found: 0, ours: 2 }));
}

#[test]
fn a_newer_format_inside_the_data_is_found_too() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    batch.put_meta("format", &3u32.to_le_bytes()).unwrap();
    batch.commit().unwrap();
    let path = store.folder().to_owned();
    drop(store);
    assert!(matches!(open(&path), OpenError::NewerFormat { found: 3, ours: 2 }));
}

#[test]
fn one_writer_per_folder() {
    let (_folder, store) = created();
    let path = store.folder().to_owned();
    let locked = open(&path);
    assert!(matches!(locked, OpenError::Locked { .. }));
    assert!(locked.to_string().contains("in use"), "{locked}");
    drop(store);
    assert!(matches!(Store::create(&path, &options()), Err(OpenError::Exists { .. })));
    Store::open(&path, &options()).unwrap();
}

#[test]
fn a_creation_that_was_cut_off_is_finished() {
    let (_folder, store) = created();
    let path = store.folder().to_owned();
    drop(store);
    fs::remove_file(path.join("format")).unwrap();
    assert!(matches!(open(&path), OpenError::NotADirectoryFolder { .. }));
    drop(Store::create(&path, &options()).unwrap());
    Store::open(&path, &options()).unwrap();
}

#[test]
fn only_the_owner_may_read_the_files() {
    let (_folder, store) = created();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(store.folder()), 0o700);
    for file in ["data.mdb", "lock.mdb", "lock", "format"] {
        assert_eq!(mode(&store.folder().join(file)), 0o600, "{file}");
    }
}

#[test]
fn no_permission_names_the_file() {
    let (_folder, store) = created();
    let path = store.folder().to_owned();
    drop(store);
    // The superuser may read everything, so there is nothing to see.
    if fs::metadata(&path).unwrap().uid() == 0 {
        return;
    }
    fs::set_permissions(path.join("data.mdb"), fs::Permissions::from_mode(0o000)).unwrap();
    let OpenError::Permission { path: named } = open(&path) else { panic!() };
    assert!(named.ends_with("data.mdb"));
}

#[test]
fn garbage_is_damage() {
    let (_folder, store) = created();
    let path = store.folder().to_owned();
    drop(store);
    fs::write(path.join("data.mdb"), [7; 16384]).unwrap();
    let error = open(&path);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("restore"), "{error}");
}

#[test]
fn reading_only_takes_no_lock_and_writes_nothing() {
    let (_folder, store) = created();
    let path = store.folder().to_owned();
    let mut batch = store.batch().unwrap();
    let id = add(&mut batch, 0, "dc=com");
    batch.commit().unwrap();
    drop(store);
    let reading = StoreOptions { read_only: true, ..options() };
    let lock = fs::File::open(path.join("lock")).unwrap();
    lock.lock().unwrap();
    let store = Store::open(&path, &reading).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert!(snapshot.reader().entry(id).unwrap().is_some());
    assert_eq!(snapshot.reader().attribute_name(A), Some("cn"));
    assert!(store.batch().is_err());
}

#[test]
fn a_copy_is_a_directory_of_its_own() {
    let (folder, store) = created();
    let mut batch = store.batch().unwrap();
    let id = add(&mut batch, 0, "dc=com");
    batch.commit().unwrap();
    let copy = folder.path().join("copy");
    fs::create_dir(&copy).unwrap();
    store.copy_to(&copy.join("data.mdb")).unwrap();
    assert!(store.copy_to(&copy.join("data.mdb")).is_err());
    assert!(copy.join("data.mdb").exists(), "a refused copy leaves what was there");
    fs::copy(store.folder().join("format"), copy.join("format")).unwrap();
    let copied = Store::open(&copy, &options()).unwrap();
    assert!(copied.snapshot().unwrap().reader().entry(id).unwrap().is_some());
    assert_eq!(findings(&copied), []);
    let sizes = copied.sizes().unwrap();
    assert!(sizes.used_bytes > 0 && sizes.used_bytes <= sizes.map_bytes);
    assert!(sizes.file_bytes > 0);
}
