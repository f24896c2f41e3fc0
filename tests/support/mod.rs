//! What several suites need: cases as files, and model records as TOML.
#![allow(dead_code, reason = "each suite uses a part of this")]

pub mod case;
pub mod records;
pub mod sections;
