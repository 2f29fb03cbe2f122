//! What is measured, by name: requests and the answers that the deterministic data asks for.
