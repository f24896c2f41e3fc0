//! Sabir.
pub mod alarm;
pub mod ingress;
pub mod model;
pub mod relay;
