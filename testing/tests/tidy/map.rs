//! The maps leave nothing out: ARCHITECTURE.md, the fuzz manifest, the documentation's index.

use std::fs;

use crate::report;
use crate::source::{read, root, rust};

/// Files at the top of every crate that need no mention.
const EVERYWHERE: &[&str] = &["lib", "main", "tests"];

#[test]
fn architecture_names_every_crate_and_top_level_module() {
    let map = read("ARCHITECTURE.md");
    let mut findings = Vec::new();
    for source in rust() {
        let parts: Vec<&str> = source.path.split('/').collect();
        let ["crates", name, "src", module, ..] = parts[..] else { continue };
        let module = module.trim_end_matches(".rs");
        let drawn = [format!("{name}/src/{module}"), format!("`{module}`")];
        let named = drawn.iter().any(|text| map.contains(text.as_str()));
        let finding = format!("{name}: module `{module}`");
        if !named && !EVERYWHERE.contains(&module) && !findings.contains(&finding) {
            findings.push(finding);
        }
        if !map.contains(&format!("`{name}`")) {
            findings.push(format!("crate `{name}`"));
        }
    }
    findings.dedup();
    report("ARCHITECTURE.md does not name:", &findings);
}

#[test]
fn every_fuzz_target_is_in_its_manifest() {
    let manifest = read("fuzz/Cargo.toml");
    let mut findings = Vec::new();
    for source in rust() {
        if let Some(target) = source.path.strip_prefix("fuzz/fuzz_targets/")
            && manifest.matches(&format!("path = \"fuzz_targets/{target}\"")).count() != 1
        {
            findings.push(source.path);
        }
    }
    report("fuzz/Cargo.toml has not exactly one [[bin]] for:", &findings);
}

#[test]
fn every_document_is_in_the_index() {
    let index = read("docs/README.md");
    let mut findings = Vec::new();
    for folder in ["design", "decisions", "operating", "reference"] {
        for file in fs::read_dir(root().join("docs").join(folder)).unwrap() {
            let name = file.unwrap().file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") && !index.contains(&format!("({folder}/{name})")) {
                findings.push(format!("docs/{folder}/{name}"));
            }
        }
    }
    report("docs/README.md does not link:", &findings);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut findings = Vec::new();
    for source in crate::source::texts().iter().filter(|source| source.path.ends_with(".md")) {
        let folder = root().join(&source.path).parent().unwrap().to_owned();
        for link in source.text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains(':');
            if local && !folder.join(target).exists() {
                findings.push(format!("{}: {target}", source.path));
            }
        }
    }
    report("a link to nothing:", &findings);
}
