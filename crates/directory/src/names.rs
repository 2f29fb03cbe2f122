//! From names to entries and back: the tree of names, read in both directions.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use ldap::dn::Dn;
use ldap::result::ResultCode;

use crate::epoch::{Epoch, EpochCounter};
use crate::refusal::{Fault, Refusal};
use crate::schema::Schema;
use crate::schema::names::{NormalizedDn, normalize_dn};
use crate::search::printed::PrintedLinks;
use crate::store::{EntryId, Reader, names};

/// Above the suffixes: the parent of every suffix's node.
pub(crate) const ROOT: EntryId = EntryId(0);

/// Cached names of entries that have children; more than this many and the cache starts anew.
const CACHED_NAMES_MAX: usize = 100_000;

/// The trees this directory holds, by their normalized names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suffixes {
    suffixes: Vec<(String, NormalizedDn)>,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    Found(EntryId),
    /// Nothing of that name; `nearest` is the closest existing entry above it, if any, and
    /// `missing` how many RDNs of the name are below that.
    Missing {
        nearest: Option<EntryId>,
        missing: usize,
    },
}

impl Suffixes {
    /// The error names the suffix that is no name.
    pub(crate) fn new(schema: &Schema, texts: &[String]) -> Result<Suffixes, (String, Refusal)> {
        let mut suffixes = Vec::new();
        for text in texts {
            let name =
                parse_and_normalize(schema, text).map_err(|refusal| (text.clone(), refusal))?;
            if names::suffix_key(name.keys.iter().map(Vec::as_slice)).is_none() {
                let message = "it is too long for a suffix; use a shorter one";
                let refusal = Refusal::new(ResultCode::INVALID_DN_SYNTAX, message);
                return Err((text.clone(), refusal));
            }
            suffixes.push((text.clone(), name));
        }
        Ok(Suffixes { suffixes })
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.suffixes.iter().map(|(text, _)| text.as_str())
    }

    /// The suffix that holds `name`: how many of its RDNs (counted from the root) it spans.
    fn holding(&self, name: &NormalizedDn) -> Option<usize> {
        let holds = |suffix: &&(String, NormalizedDn)| name.keys.ends_with(&suffix.1.keys);
        self.suffixes.iter().filter(holds).map(|suffix| suffix.1.keys.len()).max()
    }

    /// Walks from the suffix down to the named entry.
    pub(crate) fn resolve(
        &self,
        reader: &Reader<'_>,
        name: &NormalizedDn,
    ) -> Result<Resolved, Fault> {
        let Some(span) = self.holding(name) else {
            return Ok(Resolved::Missing { nearest: None, missing: name.keys.len() });
        };
        let (below, suffix) = name.keys.split_at(name.keys.len() - span);
        let Some(mut id) = reader.child(ROOT, &suffix_key(suffix))? else {
            return Ok(Resolved::Missing { nearest: None, missing: name.keys.len() });
        };
        for (position, key) in below.iter().enumerate().rev() {
            match reader.child(id, key)? {
                Some(child) => id = child,
                None => return Ok(Resolved::Missing { nearest: Some(id), missing: position + 1 }),
            }
        }
        Ok(Resolved::Found(id))
    }

    /// The key under which `name` stands below `parent`: a suffix keeps all of its RDNs in one
    /// node.
    pub(crate) fn node_key(&self, name: &NormalizedDn) -> Option<NodeKey> {
        let span = self.holding(name)?;
        if span == name.keys.len() {
            return Some(NodeKey { key: suffix_key(&name.keys), is_suffix: true });
        }
        let key = name.keys.first()?.clone();
        Some(NodeKey { key, is_suffix: false })
    }
}

pub(crate) struct NodeKey {
    pub key: Vec<u8>,
    pub is_suffix: bool,
}

/// One key for the several RDNs of a suffix (docs/design/storage.md, "Name keys").
pub(crate) fn suffix_key(keys: &[Vec<u8>]) -> Vec<u8> {
    // `Suffixes::new` has refused the ones that would be too long.
    names::suffix_key(keys.iter().map(Vec::as_slice)).unwrap_or_default()
}

/// A name as written by a client, ready to be looked up.
pub(crate) fn parse_and_normalize(schema: &Schema, text: &str) -> Result<NormalizedDn, Refusal> {
    let name = parse(text)?;
    normalize_dn(schema, &name)
        .map_err(|error| Refusal::new(ResultCode::INVALID_DN_SYNTAX, format!("'{text}': {error}")))
}

pub(crate) fn parse(text: &str) -> Result<Dn, Refusal> {
    Dn::parse(text)
        .map_err(|error| Refusal::new(ResultCode::INVALID_DN_SYNTAX, format!("'{text}': {error}")))
}

/// The names of parents, shared by all readers: an entry's name is its own RDN and its parent's
/// name.
///
/// A rename makes cached names wrong, so the cache belongs to an epoch of renames.
#[derive(Default)]
pub(crate) struct NameCache {
    pub renames: EpochCounter,
    names: RwLock<(u64, HashMap<EntryId, Arc<str>>)>,
    /// Many names at once: the values of large groups.
    pub(crate) printed: PrintedLinks,
}

impl NameCache {
    fn cached(&self, epoch: Epoch, id: EntryId) -> Option<Arc<str>> {
        let names = self.names.read().ok()?;
        if Some(names.0) != epoch {
            return None;
        }
        names.1.get(&id).cloned()
    }

    fn remember(&self, epoch: Epoch, id: EntryId, name: &Arc<str>) {
        let Some(epoch) = epoch else { return };
        let Ok(mut names) = self.names.write() else { return };
        if names.0 < epoch || names.1.len() >= CACHED_NAMES_MAX {
            *names = (epoch.max(names.0), HashMap::new());
        }
        if names.0 == epoch {
            names.1.insert(id, name.clone());
        }
    }

    /// The name of an entry that has children (or is about to be named as a parent).
    pub(crate) fn parent_name(
        &self,
        reader: &Reader<'_>,
        epoch: Epoch,
        id: EntryId,
    ) -> Result<Arc<str>, Fault> {
        if id == ROOT {
            return Ok(Arc::from(""));
        }
        if let Some(name) = self.cached(epoch, id) {
            return Ok(name);
        }
        let name: Arc<str> = Arc::from(self.compose(reader, epoch, id)?);
        self.remember(epoch, id, &name);
        Ok(name)
    }

    /// Any entry's name, from its node.
    pub(crate) fn compose(
        &self,
        reader: &Reader<'_>,
        epoch: Epoch,
        id: EntryId,
    ) -> Result<String, Fault> {
        let node = reader
            .node(id)?
            .ok_or_else(|| Fault::Damaged { what: format!("entry {} has no node", id.0) })?;
        let parent = self.parent_name(reader, epoch, node.parent)?;
        Ok(join(node.rdn, &parent))
    }
}

pub(crate) fn join(rdn: &str, parent: &str) -> String {
    if parent.is_empty() {
        return rdn.to_owned();
    }
    let mut name = String::with_capacity(rdn.len() + 1 + parent.len());
    for part in [rdn, ",", parent] {
        name.push_str(part);
    }
    name
}

/// Two names, one below the other, either of which may be empty.
pub(crate) fn join_names(below: &str, above: &str) -> String {
    if below.is_empty() { above.to_owned() } else { join(below, above) }
}
