//! Random batches, committed, aborted and reopened, against ordered maps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Operation {
    Put(u64, u8),
    Delete(u64),
    Link(u64, u32, u64, u8),
    Unlink(u64, u32, u64),
    AddLoose(u64, u32, u8),
    RemoveLoose(u64, u32, u8),
    AddPosting(u32, u8, u64),
    RemovePosting(u32, u8, u64),
    Name(u8),
    Change(u8),
    Trim(u64, u64),
    Meta(u8, u8),
}

#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    Abort,
    CommitAndReopen,
    CommitAndCrash,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    entries: BTreeMap<u64, u8>,
    links: BTreeMap<(u64, u32, u64), Vec<u8>>,
    loose: BTreeMap<(u64, u32, u8), Vec<u8>>,
    postings: BTreeMap<(u32, u8), BTreeSet<u64>>,
    names: Vec<u8>,
    changes: BTreeMap<u64, u8>,
    last_change: u64,
    meta: BTreeMap<u8, u8>,
}

fn operations() -> impl Strategy<Value = Operation> {
    // Ids beside each other and in other blocks; few attributes, so that operations meet.
    let id = || prop_oneof![1u64..6, 8190u64..8195, Just(70_000)];
    let attribute = || 1u32..3;
    prop_oneof![
        (id(), any::<u8>()).prop_map(|(id, byte)| Operation::Put(id, byte)),
        id().prop_map(Operation::Delete),
        (id(), attribute(), id(), 0u8..3).prop_map(|(f, a, t, x)| Operation::Link(f, a, t, x)),
        (id(), attribute(), id()).prop_map(|(f, a, t)| Operation::Unlink(f, a, t)),
        (id(), attribute(), 0u8..4).prop_map(|(f, a, n)| Operation::AddLoose(f, a, n)),
        (id(), attribute(), 0u8..4).prop_map(|(f, a, n)| Operation::RemoveLoose(f, a, n)),
        (attribute(), 0u8..3, id()).prop_map(|(a, v, i)| Operation::AddPosting(a, v, i)),
        (attribute(), 0u8..3, id()).prop_map(|(a, v, i)| Operation::RemovePosting(a, v, i)),
        (0u8..5).prop_map(Operation::Name),
        any::<u8>().prop_map(Operation::Change),
        (0u64..20, 0u64..4).prop_map(|(before, rows)| Operation::Trim(before, rows)),
        (0u8..3, any::<u8>()).prop_map(|(name, value)| Operation::Meta(name, value)),
    ]
}

fn loose_name(number: u8) -> Vec<u8> {
    // One of them is longer than what a key keeps of it.
    [vec![b'x'; 10 + usize::from(number) * 200], vec![0]].concat()
}

fn run(batch: &mut Batch<'_>, model: &mut Model, operation: &Operation) {
    match *operation {
        Operation::Put(id, byte) => {
            batch
                .put_entry(EntryId(id), &record(0, &byte.to_string(), Default::default()))
                .unwrap();
            model.entries.insert(id, byte);
        }
        Operation::Delete(id) => {
            let was = batch.delete_entry(EntryId(id)).unwrap();
            assert_eq!(was, model.entries.remove(&id).is_some());
        }
        Operation::Link(from, a, to, x) => {
            let text = vec![x; usize::from(x)];
            let new = batch.link(EntryId(from), AttributeId(a), EntryId(to), &text).unwrap();
            assert_eq!(new, model.links.insert((from, a, to), text).is_none());
        }
        Operation::Unlink(from, a, to) => {
            let was = batch.unlink(EntryId(from), AttributeId(a), EntryId(to)).unwrap();
            assert_eq!(was, model.links.remove(&(from, a, to)).is_some());
        }
        Operation::AddLoose(from, a, n) => {
            let name = loose_name(n);
            let new = batch.add_loose(EntryId(from), AttributeId(a), &name, &[n]).unwrap();
            assert_eq!(new, model.loose.insert((from, a, n), vec![n]).is_none());
        }
        Operation::RemoveLoose(from, a, n) => {
            let was = batch.remove_loose(EntryId(from), AttributeId(a), &loose_name(n)).unwrap();
            assert_eq!(was, model.loose.remove(&(from, a, n)).is_some());
        }
        Operation::AddPosting(a, v, id) => {
            let new = batch.posting_add(&PostingKey::equality(AttributeId(a), &[v]), EntryId(id));
            assert_eq!(new.unwrap(), model.postings.entry((a, v)).or_default().insert(id));
        }
        Operation::RemovePosting(a, v, id) => {
            let key = PostingKey::equality(AttributeId(a), std::slice::from_ref(&v));
            let was = batch.posting_remove(&key, EntryId(id)).unwrap();
            assert_eq!(was, model.postings.entry((a, v)).or_default().remove(&id));
        }
        Operation::Name(n) => {
            batch.attribute_id_or_new(&format!("attribute{n}")).unwrap();
            if !model.names.contains(&n) {
                model.names.push(n);
            }
        }
        Operation::Change(byte) => {
            model.last_change += 1;
            let number = batch.append_change(&[byte]).unwrap();
            assert_eq!(number, CommitNumber(model.last_change));
            model.changes.insert(model.last_change, byte);
        }
        Operation::Trim(before, rows) => {
            let gone = model.changes.range(..before).take(rows as usize).map(|(n, _)| *n);
            let gone: Vec<u64> = gone.collect();
            let trimmed = batch.trim_changes(CommitNumber(before), rows).unwrap();
            assert_eq!(trimmed, gone.len() as u64);
            model.changes.retain(|number, _| !gone.contains(number));
        }
        Operation::Meta(name, value) => {
            batch.put_meta(&format!("own{name}"), &[value]).unwrap();
            model.meta.insert(name, value);
        }
    }
}

/// The store's rows, read in every way there is, as a model.
fn read(reader: &Reader<'_>, known: &Model) -> Model {
    let mut model = Model { last_change: reader.last_commit().unwrap().0, ..Model::default() };
    for (id, entry) in all(reader.entries_from(EntryId(0))) {
        assert_eq!(reader.entry(id).unwrap().unwrap().rdn(), entry.rdn());
        model.entries.insert(id.0, entry.rdn().parse().unwrap());
    }
    assert_eq!(reader.entry_count().unwrap(), model.entries.len() as u64);
    let ids: BTreeSet<u64> = [1, 2, 3, 4, 5, 8190, 8191, 8192, 8193, 8194, 70_000].into();
    for &id in &ids {
        read_sides(reader, id, &mut model);
    }
    for (&(a, v), set) in &known.postings {
        let key = PostingKey::equality(AttributeId(a), std::slice::from_ref(&v));
        let ids = reader.posting(&key).unwrap().ids().unwrap();
        let few = set.iter().map(|id| EntryId(*id)).collect();
        assert_eq!(reader.posting(&key).unwrap().survey(set.len()).unwrap(), Survey::Few(few));
        model.postings.insert((a, v), ids.iter().map(|id| id.0).collect());
    }
    for (id, name) in reader.dictionary().iter() {
        assert_eq!(reader.attribute_id(name), Some(id));
        model.names.push(name["attribute".len()..].parse().unwrap());
    }
    for (number, record) in all(reader.changes_from(CommitNumber(0))) {
        model.changes.insert(number.0, record[0]);
    }
    for name in 0..3 {
        let value = reader.meta(&format!("own{name}")).unwrap();
        model.meta.extend(value.map(|value| (name, value[0])));
    }
    model
}

fn read_sides(reader: &Reader<'_>, id: u64, model: &mut Model) {
    for link in all(reader.links(EntryId(id))) {
        let back = Backlink { attribute: link.attribute, from: EntryId(id) };
        assert!(all(reader.backlinks(link.to)).contains(&back));
        model.links.insert((id, link.attribute.0, link.to.0), link.text.to_vec());
    }
    for back in all(reader.backlinks(EntryId(id))) {
        assert!(reader.has_link(back.from, back.attribute, EntryId(id)).unwrap());
    }
    for loose in all(reader.loose(EntryId(id))) {
        let number = loose.value[0];
        let found = all(reader.loose_below(&loose_name(number)));
        assert!(found.iter().any(|name| name.from.0 == id && name.hash == loose.hash));
        model.loose.insert((id, loose.attribute.0, number), loose.value.to_vec());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn batches_do_what_maps_do(
        batches in vec(
            (
                vec(operations(), 0..40),
                prop_oneof![
                    Just(End::Commit),
                    Just(End::Abort),
                    Just(End::CommitAndReopen),
                    Just(End::CommitAndCrash),
                ],
            ),
            1..6,
        ),
    ) {
        let (folder, mut store) = created();
        store.serve();
        let mut model = Model::default();
        for (number, (operations, end)) in batches.iter().enumerate() {
            let mut next = model.clone();
            let mut batch = store.batch().unwrap();
            operations.iter().for_each(|operation| run(&mut batch, &mut next, operation));
            prop_assert_eq!(read(&batch.reader(), &next), next.clone());
            match end {
                End::Abort => batch.abort(),
                End::Commit | End::CommitAndReopen | End::CommitAndCrash => {
                    batch.commit().unwrap();
                    model = next;
                }
            }
            if matches!(end, End::CommitAndReopen) {
                store = reopened(store);
                store.serve();
            }
            if matches!(end, End::CommitAndCrash) {
                store = crashed(store, &folder.path().join(format!("crashed{number}")));
                store.serve();
            }
            let snapshot = store.snapshot().unwrap();
            prop_assert_eq!(read(&snapshot.reader(), &model), model.clone());
        }
    }

    #[test]
    fn the_tree_of_names_keeps_its_counts(
        moves in vec((0usize..12, 0usize..12, 0u8..6), 0..60),
    ) {
        let (_folder, store) = created();
        let mut batch = store.batch().unwrap();
        let ids: Vec<EntryId> =
            (0u64..12).map(|n| add(&mut batch, n.min(1), &format!("n{n}"))).collect();
        for (who, below, name) in moves {
            let (id, parent) = (ids[who], ids[below]);
            let cyclic = id == parent || batch.reader().ancestors(parent).unwrap().contains(&id);
            let key = format!("m{name}");
            let taken = batch.reader().child(parent, key.as_bytes()).unwrap().is_some();
            if who != 0 && !cyclic && !taken {
                batch.move_node(id, parent, key.as_bytes(), &key).unwrap();
                batch.put_entry(id, &record(parent.0, &key, Default::default())).unwrap();
            }
        }
        batch.commit().unwrap();
        prop_assert_eq!(findings(&store), []);
    }
}
