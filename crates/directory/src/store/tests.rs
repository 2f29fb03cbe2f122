//! The store against real files, and random batches against ordered maps.

mod damage;
mod journal;
mod model;
mod opening;

use std::ops::Bound;

use super::*;
use crate::refusal::Fault;

const A: AttributeId = AttributeId(1);
const B: AttributeId = AttributeId(2);

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

/// What lies in a folder at this moment, as another folder.
fn copied(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["format", "data.mdb", "checkpoint", "journal.0", "journal.1"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// The store as it comes back where it was not closed.
fn crashed(store: Store, copy: &std::path::Path) -> Store {
    copied(store.folder(), copy);
    drop(store);
    Store::open(copy, &options()).unwrap()
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

fn record(parent: u64, rdn: &str, flags: EntryFlags) -> Vec<u8> {
    let mut builder = EntryBuilder::new(EntryId(parent), rdn).flags(flags);
    builder.user(A, "cn", [rdn]).operational(B, "member", ["x"]);
    builder.build().unwrap()
}

fn add(batch: &mut Batch<'_>, parent: u64, rdn: &str) -> EntryId {
    let (cn, member) = (batch.attribute_id_or_new("cn"), batch.attribute_id_or_new("member"));
    assert_eq!((cn.unwrap(), member.unwrap()), (A, B));
    let id = batch.next_entry_id().unwrap();
    batch.put_entry(id, &record(parent, rdn, EntryFlags::default())).unwrap();
    let key = match parent {
        0 => names::suffix_key([rdn.as_bytes()]).unwrap(),
        _ => rdn.as_bytes().to_vec(),
    };
    batch.insert_node(id, EntryId(parent), &key, rdn).unwrap();
    batch.posting_add(&PostingKey::ALL, id).unwrap();
    id
}

fn all<T>(rows: Result<impl Iterator<Item = Result<T, Fault>>, Fault>) -> Vec<T> {
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn findings(store: &Store) -> Vec<Finding> {
    let mut findings = Vec::new();
    let snapshot = store.snapshot().unwrap();
    check(&snapshot.reader(), &mut |finding| findings.push(finding)).unwrap();
    findings
}

#[test]
fn what_is_written_is_read_after_reopening() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let id = add(&mut batch, 0, "dc=com");
    assert_eq!(batch.attribute_id_or_new("CN").unwrap(), A);
    assert_eq!(batch.append_change(b"one").unwrap(), CommitNumber(1));
    batch.put_meta("indexes", b"cn eq").unwrap();
    assert_eq!(batch.reader().entry_count().unwrap(), 1);
    assert_eq!(batch.reader().attribute_name(A), Some("cn"));
    batch.commit().unwrap();

    let store = reopened(store);
    let snapshot = store.snapshot().unwrap();
    let reader = snapshot.reader();
    assert_eq!(reader.entry(id).unwrap().unwrap().rdn(), "dc=com");
    let key = names::suffix_key([&b"dc=com"[..]]).unwrap();
    assert_eq!(reader.child(EntryId::ROOT, &key).unwrap(), Some(id));
    assert_eq!(reader.posting(&PostingKey::ALL).unwrap().ids().unwrap(), [id]);
    assert_eq!((reader.attribute_id("cn"), reader.attribute_name(A)), (Some(A), Some("cn")));
    assert_eq!(reader.change(CommitNumber(1)).unwrap(), Some(&b"one"[..]));
    assert_eq!(reader.last_commit().unwrap(), CommitNumber(1));
    assert_eq!(reader.meta("indexes").unwrap(), Some(&b"cn eq"[..]));
    assert_eq!(reader.meta("none").unwrap(), None);
}

#[test]
fn several_snapshots_of_one_thread_see_their_own_moment() {
    let (_folder, store) = created();
    let before = store.snapshot().unwrap();
    let mut batch = store.batch().unwrap();
    let id = add(&mut batch, 0, "dc=com");
    assert!(batch.reader().entry(id).unwrap().is_some());
    batch.commit().unwrap();
    let after = store.snapshot().unwrap();
    assert!(before.reader().entry(id).unwrap().is_none());
    assert_eq!(before.reader().attribute_id("cn"), None);
    assert!(after.reader().entry(id).unwrap().is_some());
    assert_eq!(after.reader().attribute_id("cn"), Some(A));
}

#[test]
fn an_aborted_batch_gives_its_numbers_out_again() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    assert_eq!(add(&mut batch, 0, "dc=com"), EntryId(1));
    batch.abort();
    let mut batch = store.batch().unwrap();
    assert_eq!(batch.reader().attribute_id("cn"), None);
    assert_eq!(add(&mut batch, 0, "dc=com"), EntryId(1));
}

#[test]
fn names_are_a_tree() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let root = add(&mut batch, 0, "dc=com");
    let (one, two) = (add(&mut batch, 1, "ou=one"), add(&mut batch, 1, "ou=two"));
    let leaf = add(&mut batch, 2, "cn=leaf");
    assert!(batch.insert_node(EntryId(9), root, b"ou=two", "ou=Two").is_err());
    assert!(batch.remove_node(one).is_err());

    batch.move_node(leaf, two, b"cn=new", "cn=New").unwrap();
    batch.put_entry(leaf, &record(two.0, "cn=New", EntryFlags::default())).unwrap();
    let reader = batch.reader();
    assert_eq!(reader.child(one, b"cn=leaf").unwrap(), None);
    assert_eq!(reader.child(two, b"cn=new").unwrap(), Some(leaf));
    assert_eq!(reader.ancestors(leaf).unwrap(), [two, root]);
    assert_eq!(all(reader.children(root)), [one, two]);
    assert_eq!(all(reader.children_after(root, b"ou=one")), [two]);
    let counts = [one, two].map(|id| reader.node(id).unwrap().unwrap().children);
    assert_eq!(counts, [0, 1]);
    let reversed = reader.reversed_name(leaf).unwrap();
    assert_eq!(reversed, b"dc=com\0ou=two\0cn=new\0");
    assert_eq!(reader.resolve_reversed(&reversed).unwrap(), Some(leaf));
    assert_eq!(reader.resolve_reversed(b"dc=com\0ou=six\0").unwrap(), None);

    batch.remove_node(one).unwrap();
    assert!(batch.delete_entry(one).unwrap());
    batch.posting_remove(&PostingKey::ALL, one).unwrap();
    assert_eq!(batch.reader().node(root).unwrap().unwrap().children, 1);
    batch.commit().unwrap();
    assert_eq!(findings(&store), []);
    let snapshot = store.snapshot().unwrap();
    let rest = all(snapshot.reader().entries_from(EntryId(2)));
    assert_eq!(rest.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [two, leaf]);
}

#[test]
fn long_name_keys_are_cut_on_both_ways() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let root = add(&mut batch, 0, "dc=com");
    let long = "x".repeat(5000);
    let id = add(&mut batch, root.0, &long);
    let reader = batch.reader();
    assert_eq!(reader.child(root, long.as_bytes()).unwrap(), Some(id));
    assert_eq!(reader.child(root, &long.as_bytes()[1..]).unwrap(), None);
    let mut reversed = reader.reversed_name(root).unwrap();
    names::push_reversed(&mut reversed, long.as_bytes());
    assert_eq!(reader.reversed_name(id).unwrap(), reversed);
    batch.commit().unwrap();
    assert_eq!(findings(&store), []);
}

#[test]
fn links_are_found_from_both_ends() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let (from, to) = (EntryId(5), [EntryId(6), EntryId(7), EntryId(300)]);
    assert!(to.iter().all(|to| batch.link(from, B, *to, b"").unwrap()));
    assert!(!batch.link(from, B, to[0], b"'01'B").unwrap());
    assert!(batch.link(from, A, to[1], b"").unwrap());
    let reader = batch.reader();
    assert_eq!(reader.link(from, B, to[0]).unwrap().unwrap().text, b"'01'B");
    assert_eq!(all(reader.links(from)).len(), 4);
    let ends = |links: Vec<Link<'_>>| links.iter().map(|link| link.to).collect::<Vec<_>>();
    assert_eq!(ends(all(reader.links_of(from, B))), to);
    assert_eq!(ends(all(reader.links_from_after(from, B, to[0]))), to[1..]);
    assert_eq!(all(reader.backlinks(to[1])).len(), 2);
    let back = Backlink { attribute: A, from };
    assert_eq!(all(reader.backlinks_of(to[1], A)), [back]);
    assert!(batch.unlink(from, A, to[1]).unwrap());
    assert!(!batch.unlink(from, A, to[1]).unwrap());
    assert!(!batch.reader().has_link(from, A, to[1]).unwrap());
    assert_eq!(all(batch.reader().backlinks_of(to[1], A)), []);
}

#[test]
fn loose_names_are_found_at_and_below_a_name() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let from = EntryId(5);
    let long = format!("dc=com\0{}\0", "y".repeat(600));
    let cases = ["dc=com\0", "dc=com\0ou=a\0", "dc=com\0ou=ab\0", "dc=co\0", &long];
    for case in cases {
        assert!(batch.add_loose(from, B, case.as_bytes(), case.as_bytes()).unwrap());
        assert!(!batch.add_loose(from, B, case.as_bytes(), case.as_bytes()).unwrap());
    }
    let below = |batch: &Batch<'_>, name: &str| {
        let reader = batch.reader();
        let found = all(reader.loose_below(name.as_bytes())).into_iter().map(|found| {
            let value = reader.loose_value(found.from, found.attribute, &found.hash).unwrap();
            let text = std::str::from_utf8(value.unwrap()).unwrap().to_owned();
            let exact = found.hash == names::hash16(name.as_bytes());
            (text, exact, found.certain)
        });
        found.collect::<Vec<_>>()
    };
    let found = below(&batch, "dc=com\0ou=a\0");
    assert_eq!(found, [("dc=com\0ou=a\0".to_owned(), true, true)]);
    assert_eq!(below(&batch, "dc=com\0").len(), 4);
    assert_eq!(below(&batch, &long), [(long.clone(), true, false)]);
    assert_eq!(below(&batch, "dc=net\0"), []);
    // The numbers behind a shorter name may look like the rest of a longer one.
    assert_eq!(below(&batch, "dc=com\0ou=a\0\0\0\0\0\0\0\0\x05"), []);
    assert_eq!(all(batch.reader().loose(from)).len(), 5);
    assert!(batch.remove_loose(from, B, long.as_bytes()).unwrap());
    assert!(!batch.remove_loose(from, B, long.as_bytes()).unwrap());
    assert_eq!(all(batch.reader().loose_of(from, B)).len(), 4);
    assert_eq!(below(&batch, "dc=com\0").len(), 3);
}

#[test]
fn a_posting_is_walked_sought_and_counted() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let key = PostingKey::equality(A, b"v");
    let ids = [1, 2, 8191, 8192, 90_000].map(EntryId);
    assert!(ids.iter().all(|id| batch.posting_add(&key, *id).unwrap()));
    assert!(!batch.posting_add(&key, ids[0]).unwrap());
    // A longer key, whose rows are next to those of the shorter one.
    batch.posting_add(&PostingKey::equality(A, b"v\0\0\0\0"), EntryId(77)).unwrap();
    let reader = batch.reader();
    let mut posting = reader.posting(&key).unwrap();
    assert_eq!(posting.survey(4).unwrap(), Survey::Many(5));
    assert_eq!(posting.survey(5).unwrap(), Survey::Few(ids.into_iter().collect()));
    posting.seek(1);
    assert_eq!(posting.next_block().unwrap().unwrap().number, 1);
    posting.seek(5);
    assert_eq!(posting.next_block().unwrap().unwrap().number, 10);
    assert!(posting.next_block().unwrap().is_none());
    posting.seek(0);
    assert_eq!(posting.ids().unwrap(), ids);
    assert!(reader.posting_block(&key, 1).unwrap().is_some());
    assert!(reader.posting_block(&key, 2).unwrap().is_none());
    assert!(batch.posting_remove(&key, ids[3]).unwrap());
    assert!(!batch.posting_remove(&key, ids[3]).unwrap());
    assert!(batch.reader().posting_block(&key, 1).unwrap().is_none());
    assert!(!batch.drop_postings(IndexKind::Equality, A, 1).unwrap());
    assert!(batch.drop_postings(IndexKind::Equality, A, 100).unwrap());
    assert_eq!(
        batch.reader().posting(&key).unwrap().survey(9).unwrap(),
        Survey::Few(Default::default())
    );
}

#[test]
fn long_postings_are_walked_and_estimated() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let numbers: Vec<u32> = (0..40).map(|number| number * 3).chain([500, 501]).collect();
    let key = PostingKey::equality(A, b"v");
    for number in &numbers {
        for low in [0, 9] {
            batch.posting_add(&key, block::id_in(*number, low)).unwrap();
        }
    }
    batch.posting_add(&PostingKey::equality(A, b"w"), EntryId(1)).unwrap();
    let reader = batch.reader();
    let first = |from: u32| numbers.iter().copied().find(|number| *number >= from);
    // Forward in small and large steps, the same again, backward, and behind the end.
    let asked = [0, 0, 1, 2, 3, 60, 60, 61, 117, 118, 400, 500, 501, 502, 502, 9, 8, 4, 600, 0];
    let mut posting = reader.posting(&key).unwrap();
    for from in asked {
        let found = posting.at_or_after(from).unwrap().map(|block| block.number);
        assert_eq!(found, first(from), "from {from}");
    }
    // Eight ids in the first ten numbers, so about as many in every ten of the 502.
    let survey = reader.posting(&key).unwrap().survey(8).unwrap();
    assert_eq!(survey, Survey::Many(8 + 8 * 492 / 10));
}

#[test]
fn ranges_keep_the_order_of_values_and_never_lose_one() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    let long = [vec![b'm'; 200], vec![b'a']].concat();
    let longer = [vec![b'm'; 200], vec![b'b']].concat();
    let values: Vec<&[u8]> =
        vec![b"", b"\0", b"\0\x01", b"\x01", b"\x02", b"a", b"a\0", b"ab", &long, &longer, b"z"];
    for (id, value) in (1..).map(EntryId).zip(&values) {
        batch.posting_add(&PostingKey::equality(A, value), id).unwrap();
    }
    batch.posting_add(&PostingKey::equality(B, b"b"), EntryId(99)).unwrap();
    batch.posting_add(&PostingKey::presence(A), EntryId(99)).unwrap();
    let ids = |lower, upper| {
        let rows = batch.reader().posting_range(IndexKind::Equality, A, lower, upper);
        all(rows).iter().flat_map(|row| row.block.iter()).collect::<Vec<_>>()
    };
    assert_eq!(ids(Bound::Unbounded, Bound::Unbounded).len(), values.len());
    let mut bounds = vec![Bound::Unbounded];
    bounds.extend(values.iter().map(|value| Bound::Included(*value)));
    bounds.extend(values.iter().map(|value| Bound::Excluded(*value)));
    for lower in &bounds {
        for upper in &bounds {
            let found = ids(*lower, *upper);
            let exact = (1..).map(EntryId).zip(&values).filter(|(_, value)| {
                std::ops::RangeBounds::<[u8]>::contains(&(*lower, *upper), **value)
            });
            let exact: Vec<EntryId> = exact.map(|(id, _)| id).collect();
            let lost = exact.iter().filter(|id| !found.contains(id)).count();
            assert_eq!(lost, 0, "{lower:?} {upper:?}");
            let beyond = found.iter().filter(|id| !exact.contains(id));
            assert!(beyond.clone().all(|id| [9, 10].contains(&id.0)), "{lower:?} {upper:?}");
        }
    }
}

#[test]
fn changes_are_trimmed_in_steps() {
    let (_folder, store) = created();
    let mut batch = store.batch().unwrap();
    for number in 1..=10u64 {
        assert_eq!(batch.append_change(&[number as u8]).unwrap(), CommitNumber(number));
    }
    assert_eq!(batch.trim_changes(CommitNumber(6), 2).unwrap(), 2);
    assert_eq!(batch.trim_changes(CommitNumber(6), 100).unwrap(), 3);
    assert_eq!(batch.trim_changes(CommitNumber(6), 100).unwrap(), 0);
    batch.commit().unwrap();
    let store = reopened(store);
    let snapshot = store.snapshot().unwrap();
    let reader = snapshot.reader();
    assert_eq!(reader.counters().unwrap().first_commit, CommitNumber(6));
    assert_eq!(reader.change(CommitNumber(5)).unwrap(), None);
    let rest = all(reader.changes_from(CommitNumber(8)));
    assert_eq!(rest.iter().map(|(number, _)| number.0).collect::<Vec<_>>(), [8, 9, 10]);
    let mut batch = store.batch().unwrap();
    assert_eq!(batch.trim_changes(CommitNumber(u64::MAX), 100).unwrap(), 5);
    assert_eq!(batch.append_change(b"x").unwrap(), CommitNumber(11));
}

#[test]
fn a_full_map_is_full_and_nothing_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let small = StoreOptions { map_bytes_max: 1 << 20, ..StoreOptions::default() };
    let store = Store::create(&folder.path().join("data"), &small).unwrap();
    let mut batch = store.batch().unwrap();
    batch.attribute_id_or_new("cn").unwrap();
    let full = (1..1000).try_for_each(|id| batch.put_entry(EntryId(id), &[0; 8000]));
    assert!(matches!(full, Err(Fault::Full)), "{full:?}");
    drop(batch);
    let mut batch = store.batch().unwrap();
    assert_eq!(batch.reader().entry_count().unwrap(), 0);
    add(&mut batch, 0, "dc=com");
    batch.commit().unwrap();
    assert_eq!(findings(&store), []);
}
