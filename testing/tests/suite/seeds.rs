//! The fuzz targets' seeds, replayed: an input that was a finding once is kept here for good.

use std::path::Path;

use testing::fuzzed::TARGETS;

#[test]
fn every_seed_is_taken_by_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    for (name, target) in TARGETS {
        assert!(root.join(format!("fuzz_targets/{name}.rs")).exists(), "{name} is no fuzz target");
        let seeds = std::fs::read_dir(root.join("seeds").join(name)).unwrap();
        let mut paths: Vec<_> = seeds.map(|seed| seed.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{name} has no seeds");
        for path in paths {
            eprintln!("{}", path.display());
            target(&std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn every_fuzz_target_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/fuzz_targets");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(TARGETS.iter().any(|target| target.0 == name), "{name} is not replayed");
    }
}

/// Where there is no fuzzer, the seeds with a few bytes changed: always the same ones.
/// `CHANCERY_CHANGES` makes more of them.
#[test]
fn seeds_of_certificates_hold_with_changed_bytes() {
    let changes = std::env::var("CHANCERY_CHANGES").ok().and_then(|count| count.parse().ok());
    let changes: u64 = changes.unwrap_or(200);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    let targets = ["certificate", "pem_text", "pfx", "signing_request", "templates"];
    for (name, target) in TARGETS.iter().filter(|target| targets.contains(&target.0)) {
        for seed in std::fs::read_dir(root.join(name)).unwrap() {
            let seed = std::fs::read(seed.unwrap().path()).unwrap();
            let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
            for _ in 0..changes {
                target(&chance.changed(&seed));
            }
        }
    }
}

/// Marsaglia's xorshift: the same numbers on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % below.max(1)
    }

    /// One to four changes: a bit, a byte, a cut, a piece twice.
    fn changed(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.next(4) {
            let at = self.next(bytes.len());
            match self.next(4) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.next(8),
                1 if at < bytes.len() => bytes[at] = u8::try_from(self.next(256)).unwrap(),
                2 => {
                    let end = (at + self.next(8)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ => {
                    let end = (at + self.next(16)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        bytes
    }
}
