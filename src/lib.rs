//! Sabir.
pub mod diagnose;
pub mod model;
