//! Pseudonyms for users: a keyed hash, so that the same user is the same everywhere and nobody without the key can try
//! names. The key is a setting and never stored with the data.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Shorter keys can be guessed.
const SHORTEST: usize = 16;

/// The key of the pseudonyms.
#[derive(Clone)]
pub struct PseudonymKey(Hmac<Sha256>);

impl std::fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PseudonymKey(***)")
    }
}

impl PseudonymKey {
    /// From a secret of at least 16 bytes.
    ///
    /// # Errors
    /// In words, if it is shorter.
    pub fn new(secret: &str) -> Result<Self, String> {
        if secret.len() < SHORTEST {
            return Err(format!("must have at least {SHORTEST} characters"));
        }
        Hmac::new_from_slice(secret.as_bytes()).map(Self).map_err(|error| error.to_string())
    }

    /// The pseudonym of a key: `p-` and 128 bits of its HMAC-SHA-256 in hexadecimal.
    #[must_use]
    pub fn of(&self, key: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(key.as_bytes());
        let hash = mac.finalize().into_bytes();
        format!("p-{}", crate::audit_log::hex(&hash[..16]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_hmac_that_others_compute() {
        // python3 -c "import hmac; print(hmac.new(b'0123456789abcdef', b'u1', 'sha256').hexdigest()[:32])"
        let key = PseudonymKey::new("0123456789abcdef").unwrap();
        assert_eq!(key.of("u1"), "p-5162bddb18bda0082a7b39c472f7d118");
        assert_ne!(key.of("u2"), key.of("u1"));
        assert_ne!(PseudonymKey::new("0123456789abcdeF").unwrap().of("u1"), key.of("u1"));
        assert!(PseudonymKey::new("short").is_err());
        assert!(!format!("{key:?}").contains("0123"));
    }
}
