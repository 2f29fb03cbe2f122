//! A file that no module names is never compiled, and so never fails. This finds it.

use std::path::Path;

#[test]
fn every_file_of_the_suite_is_a_module() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let named = main.lines().any(|line| line.trim() == format!("mod {name};"));
        assert!(name == "main" || named, "tests/suite/main.rs does not name {}", path.display());
    }
}

#[test]
fn every_client_script_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The suite's own, and the lab's that it runs.
    let folders = ["tests/suite", "src/lab"].map(|name| folder.join(name));
    let sources = folders.into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let files = sources.map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let clients: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for file in std::fs::read_dir(folder.join("clients")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let script = path.is_file() && !name.ends_with(".pyc");
        let shared = name == "scenario.py";
        assert!(
            !script || shared || clients.contains(&format!("{name}\"")),
            "nobody runs clients/{name}"
        );
    }
}
