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
