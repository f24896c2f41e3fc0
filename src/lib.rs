//! Sabir: a protocol-bridging relay proxy for chat.
pub mod config;
pub mod diagnose;
pub mod dialect;
pub mod model;
pub mod route;
pub mod store;
