//! What a client of HTTP/1 sends.
#![no_main]

#[path = "../stream.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| stream::stream(data));
