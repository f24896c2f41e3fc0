//! Certificates and keys, read from files, and the TLS that is made of them for both sides.
//!
//! [`server`] is what clients meet at the public door, [`client`] is how upstreams are called. The cryptography is
//! ring's, named explicitly: no process-wide default decides. It opens no socket and knows no HTTP; handshakes are
//! carried out where connections are made, within the limits that hold there.

pub mod client;
mod pem;
pub mod server;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

pub use pem::BadPem;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
