//! The identity token: who the contact is, signed with the customer's key.

use std::time::Duration;

use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Serialize};

use crate::domain::clock::{self, Timestamp};
use crate::domain::error::DeskError;
use crate::domain::handoff::IdentityToken;
use crate::domain::seal::ExposeSecret;

use super::settings::{Settings, SigningKey};

/// It only has to be good at the exchange; others use the same (miaw reference §3.1).
const IDENTITY_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// What the official generator puts in; there is no audience (miaw reference §3.1).
#[derive(Serialize)]
struct IdentityClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
}

/// Who a token says the contact is, and the key that it was signed with.
pub fn read(token: &IdentityToken) -> Option<(String, String)> {
    #[derive(Deserialize, Clone)]
    struct Subject {
        sub: String,
    }
    let token = token.token.expose_secret();
    let header = jsonwebtoken::decode_header(token).ok()?;
    let claims: Subject = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
    Some((claims.sub, header.kid?))
}

/// Signs who the contact is.
pub fn sign(
    settings: &Settings,
    key: &SigningKey,
    subject: &str,
    now: Timestamp,
) -> Result<IdentityToken, DeskError> {
    let expires_at = clock::after(now, IDENTITY_LIFETIME);
    let header = Header {
        kid: Some(key.id.clone()),
        ..Header::new(Algorithm::RS256)
    };
    let claims = IdentityClaims {
        iss: &settings.issuer,
        sub: subject,
        iat: now.as_second(),
        exp: expires_at.as_second(),
    };
    let token = jsonwebtoken::encode(&header, &claims, &key.private_key.signer)
        .map_err(|error| DeskError::Broken(format!("signing an identity token failed: {error}")))?;
    Ok(IdentityToken {
        token: token.into(),
        expires_at,
    })
}
