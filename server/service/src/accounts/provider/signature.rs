//! The signatures of ID tokens, verified by ring: the one implementation of cryptography that is here already. Nothing
//! is ever signed.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result, new_error};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::signature::{self as alg, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(new_error(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes ring what tokens are verified by. That it was done already is no error.
pub(super) fn install() {
    let _ = RING.install_default();
}

struct ByRing(Algorithm, DecodingKey);

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if algorithm.family() != key.family() || algorithm.family() == AlgorithmFamily::Hmac {
        return Err(new_error(ErrorKind::InvalidAlgorithm));
    }
    Ok(Box::new(ByRing(*algorithm, key.clone())))
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let done = match self.1.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let how = rsa(self.0).ok_or_else(Error::new)?;
                RsaPublicKeyComponents { n, e }.verify(how, message, signature)
            }
            DecodingKeyKind::SecretOrDer(point) => {
                let how = curve(self.0).ok_or_else(Error::new)?;
                UnparsedPublicKey::new(how, point).verify(message, signature)
            }
        };
        done.map_err(|_| Error::new())
    }
}

/// RSA keys of less than 2048 bits are refused.
fn rsa(algorithm: Algorithm) -> Option<&'static alg::RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &alg::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &alg::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &alg::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &alg::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &alg::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &alg::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::ES256 => &alg::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &alg::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &alg::ED25519,
        _ => return None,
    })
}
