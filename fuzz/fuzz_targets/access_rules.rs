//! Runs `testing::fuzzed::access_rules`, which says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| testing::fuzzed::access_rules(text));
