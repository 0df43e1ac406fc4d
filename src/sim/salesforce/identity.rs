//! Who is who: identity JWTs that a customer signs, access tokens that the org issues (miaw reference §2.5, §3).

use std::collections::{BTreeMap, HashMap};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// The public keys an org knows, and whose signatures it takes them for.
pub(super) struct Keyset {
    issuer: String,
    keys: HashMap<String, DecodingKey>,
}

/// Why an identity JWT is not believed.
#[derive(Debug, Error)]
pub(super) enum NotVerified {
    #[error("the identity token is no JWT")]
    Malformed,
    #[error("the identity token is signed with {0:?}, not RS256 or RS512")]
    Algorithm(Algorithm),
    #[error("the identity token's key id {0:?} is not registered")]
    UnknownKey(Option<String>),
    #[error("the identity token's signature does not fit its key")]
    Signature,
    #[error("the identity token's issuer is not the keyset's")]
    Issuer,
    #[error("the identity token has no expiry or has expired")]
    Expired,
    #[error("the identity token has no subject")]
    Subject,
}

impl Keyset {
    /// Keys by id, each as a PEM-encoded public RSA key; of two bad ones, says which came first.
    pub fn new(
        issuer: &str,
        keys: &BTreeMap<String, String>,
    ) -> Result<Self, (String, jsonwebtoken::errors::Error)> {
        let read = |(id, pem): (&String, &String)| match DecodingKey::from_rsa_pem(pem.as_bytes()) {
            Ok(key) => Ok((id.clone(), key)),
            Err(error) => Err((id.clone(), error)),
        };
        Ok(Self {
            issuer: issuer.to_owned(),
            keys: keys.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// The subject of an identity JWT, once everything about it is right.
    pub fn verify(&self, token: &str, now: u64) -> Result<String, NotVerified> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| NotVerified::Malformed)?;
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::RS512) {
            return Err(NotVerified::Algorithm(header.alg));
        }
        let Some(key) = header.kid.as_ref().and_then(|id| self.keys.get(id)) else {
            return Err(NotVerified::UnknownKey(header.kid));
        };
        let claims: Value = decode(token, key, header.alg).ok_or(NotVerified::Signature)?;
        if claims["iss"] != self.issuer.as_str() {
            return Err(NotVerified::Issuer);
        }
        if claims["exp"]
            .as_u64()
            .is_none_or(|exp| now >= exp.saturating_mul(1_000))
        {
            return Err(NotVerified::Expired);
        }
        match claims["sub"].as_str() {
            Some(subject) if !subject.is_empty() => Ok(subject.to_owned()),
            Some(_) | None => Err(NotVerified::Subject),
        }
    }
}

/// What an access token says; also what the org knows of whoever shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Access {
    pub iss: String,
    pub api_version: String,
    /// The end user, as in `v2/iamessage/AUTH/<keyset>/uid:<sub>`.
    pub sub: String,
    pub org_id: String,
    pub client_id: String,
    pub iat: u64,
    pub exp: u64,
    /// The token's number: the first is 1.
    pub jti: u64,
    /// The last event before the token was issued.
    pub last_event_id: u64,
}

impl Access {
    pub fn is_verified(&self) -> bool {
        self.sub.starts_with("v2/iamessage/AUTH/")
    }
}

/// The org's own signature on access tokens.
pub(super) struct Seal {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Seal {
    pub fn new() -> Self {
        let secret = uuid::Uuid::new_v4();
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }
    }

    pub fn sign(&self, access: &Access) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), access, &self.encoding)
            .expect("plain strings and numbers can be encoded")
    }

    /// What a token says, if this org signed it; it may have expired.
    pub fn open(&self, token: &str) -> Option<Access> {
        decode(token, &self.decoding, Algorithm::HS256)
    }
}

/// The claims, if the signature is right. Times are for the caller to check, by the org's clock.
fn decode<T: serde::de::DeserializeOwned + Clone>(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Option<T> {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode(token, key, &validation)
        .ok()
        .map(|TokenData { claims, .. }| claims)
}
