//! Names to positions, in any letter case, without allocating for names of usual length.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// FNV-1a: the keys are the schema's own, so nobody can choose them to collide.
#[derive(Clone)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Lower-case names and OIDs of schema elements.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameMap {
    positions: HashMap<Box<[u8]>, u32, BuildHasherDefault<Fnv>>,
}

/// Longer names take an allocation to look up.
const SHORT: usize = 64;

impl NameMap {
    pub(crate) fn insert(&mut self, name: &str, position: u32) {
        self.positions.insert(name.to_ascii_lowercase().into_bytes().into(), position);
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let mut buffer = [0; SHORT];
        let Some(short) = buffer.get_mut(..name.len()) else {
            return self.positions.get(name.to_ascii_lowercase().as_bytes()).copied();
        };
        short.copy_from_slice(name.as_bytes());
        short.make_ascii_lowercase();
        self.positions.get(&*short).copied()
    }
}
