//! Seals: a keyed checksum of the exact bytes of a reply, so that a client can tell that nobody changed it.
//!
//! Made when a reply has been rendered, and checked when an upstream's reply has come, before it is understood. Which
//! key is meant is the mapping's to say; whose keys they are is `auth`'s and the grant's.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::exchange::SealKey;
use crate::model::SealKeys;

impl SealKeys {
    /// The seal on these bytes, lower-case hex. `None`: there is no key to make one with.
    pub fn seal(&self, key: SealKey, bytes: &[u8]) -> Option<String> {
        let application = &self.application.0;
        let session = &self.session.0;
        if application.is_empty() || session.is_empty() {
            return None;
        }
        let key = match key {
            SealKey::None => return None,
            SealKey::Application => application.to_string(),
            SealKey::Session => format!("{session}-{application}"),
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
        mac.update(bytes);
        Some(
            mac.finalize()
                .into_bytes()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// Is this the seal on these bytes?
    pub fn verify(&self, key: SealKey, bytes: &[u8], seal: &str) -> bool {
        self.seal(key, bytes)
            .is_some_and(|right| bool::from(right.as_bytes().ct_eq(seal.as_bytes())))
    }
}
