//! Shapes of entries that obey the schema, so that the next entry of the same shape is not checked
//! from the beginning: most entries of a tree are made alike.
//!
//! A shape is all that `schema::check` looks at, so what it found once it would find again.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::schema::Schema;
use crate::schema::check::EntryToCheck;

/// Shapes that are remembered; the oldest makes room.
const SHAPES_MAX: usize = 16;

/// Kept by the writer from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Obeying(RefCell<Known>);

#[derive(Debug, Default)]
struct Known {
    schema: Option<Arc<Schema>>,
    shapes: Vec<(Shape, u32)>,
    oldest: usize,
}

/// Numbers of types and classes' names, each part with its length in front.
pub(crate) type Shape = SmallVec<[u8; 256]>;

pub(crate) fn shape(entry: &EntryToCheck<'_>, relaxes: bool) -> Shape {
    let mut shape = Shape::new();
    shape.push(u8::from(relaxes));
    for count in [entry.attributes.len(), entry.rdn_types.len()] {
        shape.extend_from_slice(&count.to_le_bytes());
    }
    for (kind, count) in entry.attributes {
        // None, one, or too many for one: that is all that is asked.
        shape.extend_from_slice(&(kind.index * 4 + (*count).min(2) as u32).to_le_bytes());
    }
    for kind in entry.rdn_types {
        shape.extend_from_slice(&kind.index.to_le_bytes());
    }
    for class in entry.classes {
        shape.extend_from_slice(&class.len().to_le_bytes());
        shape.extend_from_slice(class);
    }
    shape
}

impl Obeying {
    /// The structural class of entries of this shape, where they are known to obey this schema.
    pub(crate) fn structural(&self, schema: &Arc<Schema>, shape: &Shape) -> Option<u32> {
        let known = self.0.borrow();
        known.schema.as_ref().filter(|known| Arc::ptr_eq(known, schema))?;
        known.shapes.iter().find(|(known, _)| known == shape).map(|(_, structural)| *structural)
    }

    pub(crate) fn remember(&self, schema: &Arc<Schema>, shape: Shape, structural: u32) {
        let known = &mut *self.0.borrow_mut();
        if !known.schema.as_ref().is_some_and(|known| Arc::ptr_eq(known, schema)) {
            *known = Known { schema: Some(Arc::clone(schema)), ..Known::default() };
        }
        if known.shapes.len() < SHAPES_MAX {
            known.shapes.push((shape, structural));
        } else if let Some(place) = known.shapes.get_mut(known.oldest) {
            *place = (shape, structural);
            known.oldest = (known.oldest + 1) % SHAPES_MAX;
        }
    }
}
