//! TLS to upstreams: whom we believe, and sessions that are resumed.
//!
//! The system's authorities are trusted, and those that the operator names for an upstream besides. There is no way to
//! switch verification off.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, Error, RootCertStore};

use super::pem::{self, BadPem};
use super::provider;

/// An authority of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads a file of certificates.
    ///
    /// # Errors
    /// It cannot be read, or has none that can be trusted.
    pub fn open(path: &Path) -> Result<Authorities, BadPem> {
        let certificates = pem::certificates(path)?;
        let mut store = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            let number = index + 1;
            let added = store.add(certificate.clone());
            added.map_err(|_| BadPem::NotACertificate { number })?;
        }
        Ok(Authorities(certificates))
    }
}

/// Those whom the system trusts. Read once, however many upstreams there are.
pub struct System {
    roots: RootCertStore,
}

impl System {
    /// A system that has none is told of by the caller, who knows whether it matters.
    pub fn read() -> System {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the system's certificates cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
        System { roots }
    }

    /// Makes the TLS of one upstream, to be shared by all threads, so that a session begun by one is resumed by
    /// another. `None` if nobody at all would be trusted.
    ///
    /// # Errors
    /// The cryptography refuses its own defaults.
    pub fn connector(&self, own: Option<&Authorities>) -> Result<Option<Arc<ClientConfig>>, Error> {
        let mut roots = self.roots.clone();
        for certificate in own.iter().flat_map(|own| &own.0) {
            roots.add(certificate.clone())?;
        }
        if roots.is_empty() {
            return Ok(None);
        }
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(config)))
    }
}
