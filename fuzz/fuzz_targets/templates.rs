//! Runs `testing::fuzzed::templates`, which says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| testing::fuzzed::templates(text));
