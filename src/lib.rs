//! Sabir.
pub mod alarm;
pub mod model;
pub mod relay;
