//! Sabir.
pub mod model;
pub mod store;
