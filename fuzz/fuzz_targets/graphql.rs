//! What stands behind the request line of a POST at Glimesh's door.
#![no_main]

#[path = "../exchange.rs"]
mod exchange;

libfuzzer_sys::fuzz_target!(|data: &[u8]| exchange::graphql(data));
