//! The public door's TLS: one certificate, which may change while connections are open.
//!
//! [`Certificates`] is asked at every handshake which certificate to show, so a renewed one is shown from the next
//! handshake on, and nothing that is open notices. One that is broken is never taken: what was shown stays.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, ServerConfig};

use super::pem::{self, BadPem};
use super::provider;

/// Where the certificate is, with the chain behind it, and where its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadPair {
    #[error("the certificate's file: {0}")]
    Certificate(#[source] BadPem),
    #[error("the key's file: {0}")]
    Key(#[source] BadPem),
    #[error("the key does not belong to the certificate")]
    Mismatch,
}

/// The certificate that is shown.
#[derive(Debug)]
pub struct Certificates {
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or do not go together.
    pub fn open(files: &Files) -> Result<Certificates, BadPair> {
        let shown = RwLock::new(Arc::new(read(files)?));
        Ok(Certificates { shown })
    }

    /// Shows what is in these files instead. True if it is another certificate.
    ///
    /// # Errors
    /// As [`Certificates::open`]; what was shown stays.
    pub fn turn_to(&self, files: &Files) -> Result<bool, BadPair> {
        let pair = read(files)?;
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let other = shown.cert != pair.cert;
        *shown = Arc::new(pair);
        Ok(other)
    }

    /// When the certificate that is shown ceases to be valid, in seconds since 1970.
    pub fn expiry(&self) -> Option<i64> {
        pem::expiry(self.shown().cert.first()?)
    }

    fn shown(&self) -> Arc<CertifiedKey> {
        let shown = self.shown.read();
        shown.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown())
    }
}

/// What carries out handshakes; one serves all threads, and so resumes what another thread began.
///
/// # Errors
/// The system has no random bytes for the keys that sessions are resumed with.
pub fn acceptor(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.ticketer = ring::Ticketer::new()?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(files: &Files) -> Result<CertifiedKey, BadPair> {
    let chain = pem::certificates(&files.certificate).map_err(BadPair::Certificate)?;
    let key = pem::key(&files.key).map_err(BadPair::Key)?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => BadPair::Mismatch,
        Error::InvalidCertificate(_) => BadPair::Certificate(BadPem::NotACertificate { number: 1 }),
        error => BadPair::Key(BadPem::NotAKey(error)),
    })
}
