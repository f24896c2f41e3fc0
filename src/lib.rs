//! Sabir.
pub mod model;
