//! Sabir: a protocol-bridging relay proxy for chat.
pub mod diagnose;
pub mod dialect;
pub mod model;
