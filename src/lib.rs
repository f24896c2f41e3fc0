//! Sabir.
pub mod admin;
pub mod alarm;
pub mod ingress;
pub mod metrics;
pub mod model;
pub mod relay;
