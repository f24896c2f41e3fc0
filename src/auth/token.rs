//! Tokens and session ids: made of random bytes, and known again by their hash alone.
//!
//! Nothing here knows whose they are. A secret that was given is compared without telling, by the time that takes, how
//! far it agrees.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::model::profile::TokenKind;
use crate::model::{Secret, Text, Time};

/// The system gives no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// What is stored and looked up instead of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(secret: &str) -> Digest {
        Digest(Sha256::digest(secret.as_bytes()).into())
    }

    /// As it is stored.
    pub fn text(&self) -> Text {
        URL_SAFE_NO_PAD.encode(self.0).into()
    }

    /// From the store; nothing else is kept there under such a name.
    pub fn read(text: &str) -> Option<Digest> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Digest)
    }
}

/// Compares two secrets without telling by the time it takes how far they agree.
pub fn same(left: &Secret, right: &str) -> bool {
    // Both are always hashed: nor does it tell whether there is a secret at all.
    bool::from(Digest::of(&left.0).0.ct_eq(&Digest::of(right).0)) && !left.0.is_empty()
}

/// So many letters and digits, each as likely as every other and not to be guessed.
pub fn letters(length: usize) -> Text {
    // Six bits choose one; the last two choices are none.
    const ALL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\0\0";
    // Seeded by the system and drawn on this thread, many bytes at once: every sealed reply needs some.
    let (mut random, mut rng) = ([0; 40], rand::rng());
    let mut drawn = Text::with_capacity(length);
    while drawn.len() < length {
        rng.fill_bytes(&mut random);
        // What stands for none is written over by the next.
        let (mut letters, mut count) = ([0; 40], 0);
        for byte in random {
            letters[count] = ALL[usize::from(byte & 63)];
            count += usize::from(letters[count] != 0);
        }
        let wanted = count.min(length - drawn.len());
        drawn.push_str(str::from_utf8(&letters[..wanted]).unwrap_or_default());
    }
    drawn
}

/// A new token for a person: 256 random bits, in the form that the dialect's clients want.
pub fn token(
    kind: TokenKind,
    person: &str,
    now: Time,
    expires: Option<Time>,
) -> Result<Text, NoRandomness> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| NoRandomness)?;
    let random_text = URL_SAFE_NO_PAD.encode(random);
    Ok(match kind {
        TokenKind::Opaque => format!("sbr_{random_text}").into(),
        TokenKind::Jwt => jwt(person, &random_text, &random, now, expires),
    })
}

/// Clients read the expiry out of it; we know it again by its hash, so the signature's key is thrown away.
fn jwt(person: &str, id: &str, key: &[u8], now: Time, expires: Option<Time>) -> Text {
    let mut claims = serde_json::json!({ "sub": person, "jti": id, "iat": now.seconds() });
    if let Some(expires) = expires {
        claims["exp"] = expires.seconds().into();
    }
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let seal = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(signed.as_bytes());
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        }
        Err(_) => String::new(),
    };
    format!("{signed}.{seal}").into()
}
