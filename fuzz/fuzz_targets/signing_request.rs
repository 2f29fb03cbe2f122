//! Runs `testing::fuzzed::signing_request`, which says what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| testing::fuzzed::signing_request(bytes));
