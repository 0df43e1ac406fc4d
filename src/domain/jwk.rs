//! The JWK in which Salesforce takes a public key: with a certificate inside (`x5c`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, jwk};
use serde_json::{Value, json};

use super::certificate::Certificate;
use super::clock::Timestamp;
use super::keys::RsaPair;
use super::seal::ExposeSecret;

/// A JWK that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwk {
    /// The id of the key.
    pub kid: String,
    /// The certificate inside.
    pub certificate: Certificate,
}

impl Jwk {
    /// Reads one as Salesforce wants it; else says what to write instead.
    pub fn read(text: &str) -> Result<Self, String> {
        const MAKE: &str = "paste the whole jwk.json, as `baton keygen` makes it";
        let jwk: Value = serde_json::from_str(text).map_err(|_| format!("is no JSON; {MAKE}"))?;
        if jwk["keys"].is_array() {
            return Err("is a list of keys; paste the one JWK whose `kid` is `auth_key_id`".into());
        }
        if ["d", "p", "q"].iter().any(|part| jwk[*part].is_string()) {
            return Err(format!(
                "holds the private key; {MAKE}, and make a new pair if others could see this one"
            ));
        }
        let kid = jwk["kid"].as_str().filter(|kid| !kid.is_empty());
        let kid = kid.ok_or_else(|| format!("has no `kid`; {MAKE}"))?;
        let encoded = jwk["x5c"][0].as_str().ok_or_else(|| {
            format!("has no certificate (`x5c`), without which Salesforce takes every contact for a guest; {MAKE}")
        })?;
        let certificate = STANDARD.decode(encoded).ok();
        let certificate = certificate.and_then(|der| Certificate::read(&der));
        Ok(Self {
            kid: kid.to_owned(),
            certificate: certificate
                .ok_or_else(|| format!("has an `x5c` that is no certificate; {MAKE}"))?,
        })
    }
}

/// The JWK of a pair, with a certificate that is good for this long; `None` if the pair is none.
pub fn of(pair: &RsaPair, kid: &str, from: Timestamp, until: Timestamp) -> Option<Value> {
    with_certificate(pair, kid, &pair.certificate(from, until)?)
}

/// The JWK of a pair, with this certificate.
pub fn with_certificate(pair: &RsaPair, kid: &str, certificate: &Certificate) -> Option<Value> {
    let signer = EncodingKey::from_rsa_pem(pair.private_pem.expose_secret().as_bytes()).ok()?;
    let jwk = jwk::Jwk::from_encoding_key(&signer, Algorithm::RS256).ok()?;
    let jwk = serde_json::to_value(jwk).ok()?;
    Some(json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": jwk["n"], "e": jwk["e"],
        "x5c": [STANDARD.encode(&certificate.der)],
    }))
}
