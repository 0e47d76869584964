//! Random secrets. Each has 256 bits, so a fast hash is enough to store it by.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use rand::distr::Alphanumeric;
use sha2::{Digest, Sha256};

/// What a bearer token begins with, so that a leaked one can be recognised.
pub(super) const TOKEN_PREFIX: &str = "concord_";

/// A session's secret, for the cookie.
pub(super) fn session() -> String {
    URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>())
}

/// A bearer token.
pub(super) fn bearer_token() -> String {
    format!("{TOKEN_PREFIX}{}", session())
}

/// A password for a person to type: 20 letters and digits, 119 bits.
pub(super) fn password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(20).map(char::from).collect()
}

/// What is stored of a secret.
pub(super) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}
