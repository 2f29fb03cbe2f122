//! Shapes of entries that obey the schema, so that the next entry of the same shape is not checked
//! from the beginning: most entries of a tree are made alike.
//!
//! A shape is all that `schema::check` looks at, so what it has let pass once it would let pass
//! again. One that was refused is not remembered: the refusal says more than the shape.

use std::cell::RefCell;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::entry::Entry;
use crate::schema::{AttributeType, Schema};

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

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    relaxes: bool,
    /// How many of the numbers are of attributes; the rest is of the relative name.
    attributes: usize,
    /// Of each type, and whether it has more values than one.
    types: SmallVec<[(u32, bool); 32]>,
    /// The names, each with its length in front.
    classes: SmallVec<[u8; 128]>,
}

impl Shape {
    /// `linked` are attributes that the entry has beside its own.
    pub(crate) fn of(
        entry: &Entry,
        linked: &[(&AttributeType, usize)],
        classes: &[&[u8]],
        rdn_types: &[&AttributeType],
        relaxes: bool,
    ) -> Shape {
        let own = entry.attributes.iter();
        let own =
            own.filter_map(|held| Some((held.described.type_index?, held.values.are_several())));
        let linked = linked.iter().map(|(kind, count)| (kind.index, *count > 1));
        let mut types: SmallVec<[(u32, bool); 32]> = own.chain(linked).collect();
        let attributes = types.len();
        types.extend(rdn_types.iter().map(|kind| (kind.index, false)));
        let mut names = SmallVec::new();
        for class in classes {
            names.extend_from_slice(&class.len().to_le_bytes());
            names.extend_from_slice(class);
        }
        Shape { relaxes, attributes, types, classes: names }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(number: u32) -> Shape {
        let types = SmallVec::from_slice(&[(number, false)]);
        Shape { relaxes: false, attributes: 1, types, classes: SmallVec::new() }
    }

    #[test]
    fn the_last_shapes_of_one_schema_are_known() {
        let (schema, other) = (Schema::standard(), Schema::with_files(&[]).unwrap());
        let other = Arc::new(other);
        let most = u32::try_from(SHAPES_MAX).unwrap();
        let obeying = Obeying::default();
        for number in 0..=most {
            obeying.remember(&schema, shape(number), number + 100);
        }
        for (number, expected) in [(0, None), (1, Some(101)), (most, Some(most + 100))] {
            assert_eq!(obeying.structural(&schema, &shape(number)), expected, "shape {number}");
        }
        let several = Shape { types: SmallVec::from_slice(&[(1, true)]), ..shape(1) };
        let named = Shape { attributes: 0, ..shape(1) };
        let relaxed = Shape { relaxes: true, ..shape(1) };
        for another in [several, named, relaxed] {
            assert_eq!(obeying.structural(&schema, &another), None, "{another:?}");
        }
        assert_eq!(obeying.structural(&other, &shape(1)), None, "another schema");
        obeying.remember(&other, shape(2), 7);
        assert_eq!(obeying.structural(&schema, &shape(1)), None, "forgotten with its schema");
    }
}
