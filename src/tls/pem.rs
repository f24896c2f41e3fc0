//! PEM files, as operators have them: a chain of certificates, a key, or a list of those who are trusted.
//!
//! It says exactly what is wrong with a file, because that is what goes wrong with TLS. Whether anyone trusts a
//! certificate is not decided here.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// A system's whole list of authorities is a quarter of this.
const LARGEST: u64 = 1 << 20;

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BadPem {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it has more than {LARGEST} bytes")]
    TooLarge,
    #[error("there is no certificate in it (a line BEGIN CERTIFICATE)")]
    NoCertificate,
    #[error("there is no private key in it (a line BEGIN PRIVATE KEY)")]
    NoKey,
    #[error("its PEM is damaged: {0}")]
    Damaged(String),
    #[error("certificate {number} in it cannot be understood")]
    NotACertificate { number: usize },
    #[error("the key in it cannot be used: {0}")]
    NotAKey(rustls::Error),
}

/// A chain, the server's own certificate first; or a list.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadPem> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(damaged)?;
    if found.is_empty() {
        return Err(BadPem::NoCertificate);
    }
    for (index, certificate) in found.iter().enumerate() {
        if expiry(certificate).is_none() {
            return Err(BadPem::NotACertificate { number: index + 1 });
        }
    }
    Ok(found)
}

pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, BadPem> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|error| match error {
        Error::NoItemsFound => BadPem::NoKey,
        error => damaged(error),
    })
}

/// When a certificate ceases to be valid, in seconds since 1970; nothing if it is none.
pub(super) fn expiry(certificate: &CertificateDer<'_>) -> Option<i64> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let until = certificate.tbs_certificate.validity.not_after;
    i64::try_from(until.to_unix_duration().as_secs()).ok()
}

fn read(path: &Path) -> Result<Vec<u8>, BadPem> {
    let mut text = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(BadPem::TooLarge);
    }
    Ok(text)
}

/// In our words: the error's own show bytes of the file, which may be a key's.
fn damaged(error: Error) -> BadPem {
    BadPem::Damaged(match error {
        Error::MissingSectionEnd { .. } => "a section has no END line".into(),
        Error::IllegalSectionStart { .. } => "a BEGIN line is broken".into(),
        _ => "a section is no base64".into(),
    })
}
