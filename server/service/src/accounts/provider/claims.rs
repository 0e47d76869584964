//! What a provider says of a person, and the checks that an ID token passes before it is believed.

use super::signature;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Deserializer};

/// How far the provider's clock and ours may be apart.
const LEEWAY_SECONDS: u64 = 60;

/// Who it is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Claims {
    pub sub: String,
    #[serde(default)]
    pub email: Option<String>,
    /// Some providers write it as a text.
    #[serde(default, deserialize_with = "truth")]
    pub email_verified: bool,
}

fn truth<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(value == true || value == "true")
}

#[derive(Deserialize)]
struct IdToken {
    #[serde(flatten)]
    claims: Claims,
    #[serde(default)]
    nonce: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What an ID token must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
}

/// The key that a token says it is signed with; without a name only where there is no choice.
pub(super) fn key_of<'k>(token: &str, keys: &'k JwkSet) -> Result<Option<&'k Jwk>, String> {
    let header = decode_header(token).map_err(|error| format!("the ID token's header: {error}"))?;
    Ok(match &header.kid {
        Some(kid) => keys.find(kid),
        None => match keys.keys.as_slice() {
            [only] => Some(only),
            _ => None,
        },
    })
}

/// The claims of a token that this key has signed for us, about this sign-in, and that has not ended.
pub(super) fn verified(token: &str, key: &Jwk, expected: Expected<'_>) -> Result<Claims, String> {
    signature::install();
    let header = decode_header(token).map_err(|error| error.to_string())?;
    if !algorithms(key).contains(&header.alg) {
        return Err(format!("the ID token is signed with {:?}, its key is for others", header.alg));
    }
    let mut rules = Validation::new(header.alg);
    rules.leeway = LEEWAY_SECONDS;
    rules.validate_nbf = true;
    rules.set_issuer(&[expected.issuer]);
    rules.set_audience(&[expected.client_id]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let public = DecodingKey::from_jwk(key).map_err(|error| format!("the provider's key: {error}"))?;
    let token: IdToken =
        decode(token, &public, &rules).map_err(|error| format!("the ID token: {error}"))?.claims;
    // Ours among other audiences would be good at theirs too.
    let ours_alone = match &token.aud {
        Audience::One(one) => one == expected.client_id,
        Audience::Many(many) => many.iter().all(|one| one == expected.client_id),
    };
    if !ours_alone || token.azp.is_some_and(|party| party != expected.client_id) {
        return Err("the ID token is for others too".to_owned());
    }
    if token.nonce != expected.nonce {
        return Err("the ID token is of another sign-in".to_owned());
    }
    Ok(token.claims)
}

/// What a public key may have signed with. Keys that both sides know are no way to tell who signed.
fn algorithms(key: &Jwk) -> Vec<Algorithm> {
    use Algorithm::*;
    if key.common.public_key_use.as_ref().is_some_and(|it| *it != PublicKeyUse::Signature) {
        return Vec::new();
    }
    let fit = match &key.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P256 => vec![ES256],
        AlgorithmParameters::EllipticCurve(it) if it.curve == EllipticCurve::P384 => vec![ES384],
        AlgorithmParameters::OctetKeyPair(it) if it.curve == EllipticCurve::Ed25519 => vec![EdDSA],
        _ => Vec::new(),
    };
    let Some(only) = &key.common.key_algorithm else { return fit };
    fit.into_iter().filter(|it| format!("{it:?}") == only.to_string()).collect()
}
