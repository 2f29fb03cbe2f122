//! When the configured indexes differ from those on disk: new ones are built, dropped ones removed,
//! before the directory answers anybody.

use crate::catalogue::Catalogue;
use crate::directory::Inner;
use crate::index::OwnedKey;
use crate::refusal::Fault;
use crate::store::{EntryId, IndexKind, PostingKey};

pub(crate) const META: &str = "indexes";

/// Rows removed and entries indexed in one transaction.
const ROWS_PER_BATCH: usize = 20_000;

/// Makes the postings what the settings say.
pub(crate) fn reconcile(inner: &Inner) -> Result<(), Fault> {
    let catalogue = inner.catalogue();
    let wanted = inner.indexes().text(&catalogue.schema);
    let (built, count) = {
        let snapshot = inner.store.snapshot()?;
        let reader = snapshot.reader();
        let built = reader.meta(META)?.map(|text| String::from_utf8_lossy(text).into_owned());
        (built, reader.entry_count()?)
    };
    if built.as_deref() == Some(wanted.as_str()) {
        return Ok(());
    }
    if count > 0 {
        tracing::info!(entries = count, "the indexes are not as configured; building them anew");
        drop_all(inner, &catalogue)?;
        build_all(inner)?;
    }
    let mut batch = inner.store.batch()?;
    batch.put_meta(META, wanted.as_bytes())?;
    batch.commit()
}

fn drop_all(inner: &Inner, catalogue: &Catalogue) -> Result<(), Fault> {
    for (id, _) in catalogue.iter() {
        for kind in [IndexKind::Equality, IndexKind::Presence, IndexKind::Substring] {
            loop {
                let mut batch = inner.store.batch()?;
                let more = batch.drop_postings(kind, id, ROWS_PER_BATCH)?;
                batch.commit()?;
                if !more {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn build_all(inner: &Inner) -> Result<(), Fault> {
    let mut next = EntryId(0);
    while let Some(after) = build_some(inner, next)? {
        next = after;
        tracing::info!(entry = next.0, "indexing");
    }
    Ok(())
}

/// Indexes the entries from `next` on; gives where to go on.
fn build_some(inner: &Inner, next: EntryId) -> Result<Option<EntryId>, Fault> {
    let indexes = inner.indexes();
    let mut catalogue = inner.catalogue();
    let mut batch = inner.store.batch()?;
    let mut found: Vec<(EntryId, Vec<OwnedKey>)> = Vec::new();
    let mut after = None;
    for row in batch.reader().entries_from(next)? {
        let (id, record) = row?;
        if found.len() >= ROWS_PER_BATCH {
            after = Some(id);
            break;
        }
        let mut keys = Vec::new();
        for row in record.rows() {
            if let Some(described) = catalogue.described(row.attribute) {
                indexes.keys(&catalogue.schema, described, row.values(), &mut keys);
            }
        }
        found.push((id, keys));
    }
    for (id, keys) in found {
        for (kind, type_index, value) in keys {
            let schema = catalogue.schema.clone();
            let Some(attribute_type) = schema.attribute_type_at(type_index) else { continue };
            let attribute = match catalogue.id(&attribute_type.key) {
                Some(attribute) => attribute,
                None => {
                    let new = batch.attribute_id_or_new(&attribute_type.name)?;
                    let row = [(new, attribute_type.name.clone())];
                    catalogue = std::sync::Arc::new(catalogue.extended(&row));
                    new
                }
            };
            batch.posting_add(&PostingKey { kind, attribute, key: &value }, id)?;
        }
    }
    inner.in_force.with_numbers(&catalogue, || batch.commit())?;
    Ok(after)
}
