//! What an upstream sends.
#![no_main]

#[path = "../reply.rs"]
mod reply;

libfuzzer_sys::fuzz_target!(|data: &[u8]| reply::reply(data));
