//! What several suites need: cases as files, model records as TOML, source files as tokens.
#![allow(dead_code, reason = "each suite uses a part of this")]

pub mod authority;
pub mod bombs;
pub mod call;
pub mod case;
pub mod check;
pub mod faults;
pub mod records;
pub mod running;
pub mod sections;
pub mod server;
pub mod source;
pub mod words;
