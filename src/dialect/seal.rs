//! Seals: a keyed checksum of the exact bytes of a reply, so that a client can tell that nobody changed it.
//!
//! Made when a reply has been rendered, and checked when an upstream's reply has come, before it is understood. Which
//! key is meant is the mapping's to say; whose keys they are is `auth`'s and the grant's. To make a key ready costs more
//! than to seal a short reply with it, so each thread remembers the keys that it sealed with last.

use std::cell::RefCell;

use hmac::{Hmac, Mac as _};
use quick_cache::unsync::Cache;
use sha2::Sha256;
use smallvec::SmallVec;
use subtle::ConstantTimeEq as _;

use super::exchange::SealKey;
use crate::model::SealKeys;

/// Keys that a thread remembers.
const MAX_READY: usize = 512;

/// A seal, as lower-case hex.
pub type Hex = [u8; 64];

type Ready = Hmac<Sha256>;

/// Keys made ready, by what they are made from.
pub struct Sealer(RefCell<Cache<Box<[u8]>, Ready>>);

impl Default for Sealer {
    fn default() -> Sealer {
        Sealer(RefCell::new(Cache::new(MAX_READY)))
    }
}

impl Sealer {
    /// The seal on these bytes. `None`: there is no key to make one with.
    pub fn seal(&self, keys: &SealKeys, key: SealKey, bytes: &[u8]) -> Option<Hex> {
        let secret = keys.secret(key)?;
        let known = self.0.borrow().get(&secret[..]).cloned();
        let ready = known.or_else(|| {
            let ready = Ready::new_from_slice(&secret).ok()?;
            self.0.borrow_mut().insert(secret[..].into(), ready.clone());
            Some(ready)
        });
        Some(sealed(ready?, bytes))
    }
}

impl SealKeys {
    /// Is this the seal on these bytes?
    pub fn verify(&self, key: SealKey, bytes: &[u8], seal: &str) -> bool {
        let ready = self
            .secret(key)
            .map(|secret| Ready::new_from_slice(&secret));
        let Some(Ok(ready)) = ready else { return false };
        sealed(ready, bytes).ct_eq(seal.as_bytes()).into()
    }

    fn secret(&self, key: SealKey) -> Option<SmallVec<[u8; 128]>> {
        let application = &self.application.0;
        let session = &self.session.0;
        if application.is_empty() || session.is_empty() {
            return None;
        }
        let mut secret = SmallVec::new();
        match key {
            SealKey::None => return None,
            SealKey::Application => {}
            SealKey::Session => {
                secret.extend_from_slice(session.as_bytes());
                secret.push(b'-');
            }
        }
        secret.extend_from_slice(application.as_bytes());
        Some(secret)
    }
}

fn sealed(mut ready: Ready, bytes: &[u8]) -> Hex {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    ready.update(bytes);
    let mut hex = [0; 64];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(ready.finalize().into_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}
