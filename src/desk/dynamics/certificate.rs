//! A certificate instead of a secret: what proves to Entra that we are the app (dynamics reference §1.2).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header};
use serde::Serialize;
use uuid::Uuid;

use crate::desk::key::PrivateKey;
use crate::domain::clock::{self, Timestamp};
use crate::domain::error::DeskError;
use crate::domain::{certificate, keys};

/// Between the 5 and 10 minutes that Microsoft asks for (dynamics reference §1.2).
const ASSERTION_LIFETIME: Duration = Duration::from_secs(8 * 60);

/// A certificate and the key it is for.
#[derive(Debug)]
pub struct Certificate {
    /// SHA-256 of the certificate, by which Entra finds it.
    thumbprint: String,
    until: Option<Timestamp>,
    private_key: PrivateKey,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl Certificate {
    /// The two together, from a PEM that was tidied; `None` if they do not belong together.
    pub fn new(certificate_pem: &str, private_key: PrivateKey) -> Option<Self> {
        let certificate = keys::der(certificate_pem)?;
        private_key.is_certified_by(&certificate).then(|| Self {
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)),
            until: certificate::Certificate::read(&certificate).map(|it| it.until),
            private_key,
        })
    }

    /// When it expires, as far as it can be read.
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// A signed statement, good once, that `client_id` asks the token endpoint `audience` for a token.
    pub fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<String, DeskError> {
        let header = Header {
            x5t_s256: Some(self.thumbprint.clone()),
            ..Header::new(Algorithm::PS256)
        };
        let claims = Claims {
            aud: audience,
            iss: client_id,
            sub: client_id,
            jti: Uuid::new_v4().to_string(),
            nbf: now.as_second(),
            iat: now.as_second(),
            exp: clock::after(now, ASSERTION_LIFETIME).as_second(),
        };
        jsonwebtoken::encode(&header, &claims, &self.private_key.signer).map_err(|error| {
            DeskError::Broken(format!("signing a client assertion failed: {error}"))
        })
    }
}
