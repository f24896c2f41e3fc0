//! Sabir: a protocol-bridging relay proxy for chat.
//!
//! A client speaks one chat API; another chat service carries out what it asks, and the answer comes back in the
//! client's own words. The modules stand in the order of a request's journey.

pub mod app;
pub mod cli;
pub mod config;
pub mod diagnose;

pub mod admin;
pub mod alarm;
pub mod batch;
pub mod ingress;
pub mod lines;
pub mod tls;

pub mod dialect;
pub mod model;

pub mod gateway;

pub mod auth;
pub mod route;

pub mod relay;
pub mod store;

pub mod log;
pub mod metrics;
