//! The attribute descriptions of this directory: what each number in a stored entry means under the
//! schema in force.
//!
//! A number stands for a *description* (`cn`, `cn;lang-de`). The catalogue is immutable and swapped
//! when a change uses a new description or the schema is reloaded.

use std::collections::HashMap;
use std::sync::Arc;

use ldap::result::ResultCode;
use smallvec::SmallVec;

use crate::access::ClassMemo;
use crate::refusal::Refusal;
use crate::schema::{AttributeDescription, AttributeType, Schema};
use crate::store::AttributeId;

/// Attributes that are computed from the tree whenever they are asked for, and never stored.
pub(crate) const COMPUTED: [&str; 6] = [
    "memberof",
    "entrydn",
    "hassubordinates",
    "numsubordinates",
    "subschemasubentry",
    "numallsubordinates",
];

/// Attributes whose values are secrets: never indexed, never logged, never in an error message.
pub(crate) const SECRETS: [&str; 8] = [
    "userpassword",
    "authpassword",
    "sambantpassword",
    "sambalmpassword",
    "krbprincipalkey",
    "unicodepwd",
    "olcrootpw",
    "pwdhistory",
];

/// What the lock of an account is kept in.
pub(crate) const LOCKED_TIME: &str = "pwdaccountlockedtime";
pub(crate) const FAILURE_TIME: &str = "pwdfailuretime";

/// Their numbers, which no directory has in which nobody ever failed to sign in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LockNumbers {
    pub locked: Option<AttributeId>,
    pub failures: Option<AttributeId>,
}

/// One attribute description under the schema in force.
#[derive(Debug)]
pub(crate) struct Described {
    /// Where the catalogue has it; none for a description that was only asked for.
    pub number: Option<AttributeId>,
    /// Lower case, options sorted: what descriptions are compared by.
    pub key: String,
    /// As it is written into entries: the schema's spelling.
    pub text: String,
    /// Lower-case primary name of the bare type.
    pub type_key: String,
    /// None where the schema in force no longer has the type: such values are opaque.
    pub type_index: Option<u32>,
    pub options: Vec<String>,
    pub operational: bool,
    /// Values are names of entries and live in the link tables.
    pub link: bool,
    pub secret: bool,
    pub access_class: ClassMemo,
}

impl Described {
    fn of(description: &AttributeDescription<'_>) -> Described {
        let kind = description.attribute_type;
        let mut text = kind.name.clone();
        for option in &description.options {
            text.push(';');
            text.push_str(option);
        }
        Described {
            number: None,
            key: text.to_lowercase(),
            text,
            type_key: kind.key.clone(),
            type_index: Some(kind.index),
            options: description.options.clone(),
            operational: kind.is_operational(),
            link: kind.is_link() && description.options.is_empty(),
            secret: SECRETS.contains(&kind.key.as_str()),
            access_class: ClassMemo::default(),
        }
    }

    fn opaque(text: &str) -> Described {
        let key = text.to_lowercase();
        let type_key = key.split(';').next().unwrap_or_default().to_owned();
        let secret = SECRETS.contains(&type_key.as_str());
        let options = key.split(';').skip(1).map(str::to_owned).collect();
        let text = text.to_owned();
        Described {
            number: None,
            key,
            text,
            type_key,
            type_index: None,
            options,
            operational: false,
            link: false,
            secret,
            access_class: ClassMemo::default(),
        }
    }

    pub(crate) fn attribute_type<'s>(&self, schema: &'s Schema) -> Option<&'s AttributeType> {
        schema.attribute_type_at(self.type_index?)
    }
}

/// The descriptions that stand for one attribute type.
#[derive(Clone, Debug, Default)]
struct OfType {
    /// Its own without options.
    bare: Option<AttributeId>,
    /// Its own and those of its subtypes, whatever their options.
    all: Numbers,
}

/// The numbers of the descriptions that one asked for means; mostly one.
pub(crate) type Numbers = SmallVec<[AttributeId; 4]>;

/// Every description that has a number, with the schema that explains them.
pub(crate) struct Catalogue {
    pub schema: Arc<Schema>,
    by_id: Vec<Option<Arc<Described>>>,
    ids: HashMap<String, AttributeId>,
    /// By the index of the attribute type.
    of_type: Vec<OfType>,
    links: Vec<AttributeId>,
    lock: LockNumbers,
}

impl Catalogue {
    pub(crate) fn new<'t>(
        schema: Arc<Schema>,
        dictionary: impl Iterator<Item = (AttributeId, &'t str)>,
    ) -> Catalogue {
        let mut catalogue = Catalogue {
            schema,
            by_id: Vec::new(),
            ids: HashMap::new(),
            of_type: Vec::new(),
            links: Vec::new(),
            lock: LockNumbers::default(),
        };
        for (id, text) in dictionary {
            catalogue.insert(id, text);
        }
        catalogue
    }

    fn insert(&mut self, id: AttributeId, text: &str) {
        let mut described = match AttributeDescription::parse(&self.schema, text) {
            Ok(description) => Described::of(&description),
            Err(_) => Described::opaque(text),
        };
        described.number = Some(id);
        let position = id.0 as usize;
        if self.by_id.len() <= position {
            self.by_id.resize(position + 1, None);
        }
        self.ids.insert(described.key.clone(), id);
        let schema = Arc::clone(&self.schema);
        let mut kind = described.attribute_type(&schema);
        while let Some(at) = kind {
            let of_type = self.of_type_mut(at.index);
            if !of_type.all.contains(&id) {
                of_type.all.push(id);
            }
            if described.key == at.key {
                of_type.bare = Some(id);
            }
            kind = at.superior.and_then(|index| schema.attribute_type_at(index));
        }
        if described.link {
            self.links.push(id);
        }
        match described.key.as_str() {
            LOCKED_TIME => self.lock.locked = Some(id),
            FAILURE_TIME => self.lock.failures = Some(id),
            _ => {}
        }
        if let Some(slot) = self.by_id.get_mut(position) {
            *slot = Some(Arc::new(described));
        }
    }

    fn of_type_mut(&mut self, index: u32) -> &mut OfType {
        let index = index as usize;
        if self.of_type.len() <= index {
            self.of_type.resize(index + 1, OfType::default());
        }
        #[allow(clippy::indexing_slicing, reason = "it is there since the lines above")]
        &mut self.of_type[index]
    }

    /// The same catalogue with more rows, for a change that met new descriptions.
    pub(crate) fn extended(&self, new: &[(AttributeId, String)]) -> Catalogue {
        let mut catalogue = Catalogue {
            schema: self.schema.clone(),
            by_id: self.by_id.clone(),
            ids: self.ids.clone(),
            of_type: self.of_type.clone(),
            links: self.links.clone(),
            lock: self.lock,
        };
        for (id, text) in new {
            catalogue.insert(*id, text);
        }
        catalogue
    }

    /// The same with the rows that only `other` has.
    pub(crate) fn with_numbers_of(&self, other: &Catalogue) -> Catalogue {
        let new = other.iter().filter(|(id, _)| self.described(*id).is_none());
        let new: Vec<_> = new.map(|(id, described)| (id, described.text.clone())).collect();
        self.extended(&new)
    }

    pub(crate) fn described(&self, id: AttributeId) -> Option<&Arc<Described>> {
        self.by_id.get(id.0 as usize)?.as_ref()
    }

    /// The number of a description, given its key.
    pub(crate) fn id(&self, key: &str) -> Option<AttributeId> {
        self.ids.get(key).copied()
    }

    /// The number of a type's own description, given the type's index.
    pub(crate) fn bare(&self, type_index: u32) -> Option<AttributeId> {
        self.of_type.get(type_index as usize)?.bare
    }

    pub(crate) fn lock_numbers(&self) -> LockNumbers {
        self.lock
    }

    /// The descriptions of which some entry may have links.
    pub(crate) fn link_attributes(&self) -> impl Iterator<Item = &Arc<Described>> {
        self.links.iter().filter_map(|id| self.described(*id))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (AttributeId, &Arc<Described>)> {
        self.by_id.iter().enumerate().filter_map(|(position, described)| {
            let id = AttributeId(u32::try_from(position).ok()?);
            Some((id, described.as_ref()?))
        })
    }

    /// Explains a client's description, whether it has a number yet or not.
    pub(crate) fn describe(&self, text: &str) -> Result<Arc<Described>, Refusal> {
        let bare = self.schema.attribute_type(text).and_then(|kind| self.bare(kind.index));
        let known = bare.or_else(|| self.id(text)).and_then(|id| self.described(id));
        if let Some(described) = known {
            return Ok(described.clone());
        }
        match AttributeDescription::parse(&self.schema, text) {
            Ok(description) => Ok(Arc::new(Described::of(&description))),
            Err(error) => Err(Refusal::new(
                ResultCode::UNDEFINED_ATTRIBUTE_TYPE,
                format!("attribute description '{text:.100}': {error}"),
            )),
        }
    }

    /// The numbers of all descriptions that are subtypes of `wanted` (RFC 4512 §2.5.1), itself
    /// included.
    pub(crate) fn subtypes(&self, wanted: &AttributeDescription<'_>) -> Numbers {
        let of_type = self.of_type.get(wanted.attribute_type.index as usize);
        let all = of_type.map(|of_type| of_type.all.as_slice()).unwrap_or_default();
        let mut ids = Numbers::from_slice(all);
        if !wanted.options.is_empty() {
            ids.retain(|id| self.described(*id).is_some_and(|found| offers_all(found, wanted)));
        }
        ids
    }
}

fn offers_all(described: &Described, wanted: &AttributeDescription<'_>) -> bool {
    wanted.options.iter().all(|option| offers(&described.options, option))
}

/// RFC 3866 §2.1: `lang-de-` as an option wanted stands for every language tag it begins.
fn offers(options: &[String], wanted: &str) -> bool {
    if wanted.starts_with("lang-") && wanted.ends_with('-') {
        let exact = wanted.trim_end_matches('-');
        return options.iter().any(|option| option.starts_with(wanted) || option == exact);
    }
    options.iter().any(|option| option == wanted)
}
