//! Sabir.
pub mod config;
pub mod diagnose;
pub mod model;
pub mod route;
