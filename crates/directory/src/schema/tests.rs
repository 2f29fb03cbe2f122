//! The schema as a whole: it builds, finds and resolves.

use super::*;

#[test]
fn the_shipped_schema_builds() {
    let schema = Schema::with_files(&[]).unwrap();
    assert!(schema.attribute_type("CommonName").is_some());
}
