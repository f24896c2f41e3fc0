//! Seals: a keyed checksum of the exact bytes of a reply, so that a client can tell that nobody changed it.
//!
//! Made when a reply has been rendered, and checked when an upstream's reply has come, before it is understood. Which
//! key is meant is the mapping's to say; whose keys they are is `auth`'s and the grant's.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use smallvec::SmallVec;
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
        let mut secret = SmallVec::<[u8; 128]>::new();
        match key {
            SealKey::None => return None,
            SealKey::Application => {}
            SealKey::Session => {
                secret.extend_from_slice(session.as_bytes());
                secret.push(b'-');
            }
        }
        secret.extend_from_slice(application.as_bytes());
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).ok()?;
        mac.update(bytes);
        Some(hex(&mac.finalize().into_bytes()))
    }

    /// Is this the seal on these bytes?
    pub fn verify(&self, key: SealKey, bytes: &[u8], seal: &str) -> bool {
        self.seal(key, bytes)
            .is_some_and(|right| bool::from(right.as_bytes().ct_eq(seal.as_bytes())))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(halves.map(|half| char::from(DIGITS[usize::from(half)])));
    text
}
