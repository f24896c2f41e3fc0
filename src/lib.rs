//! Sabir.
pub mod diagnose;
pub mod model;
pub mod route;
