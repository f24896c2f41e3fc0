//! Any request at any door.
#![no_main]

#[path = "../exchange.rs"]
mod exchange;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exchange::request(data));
