//! Links to our copies: each says what it opens and until when, signed, so that whoever holds one needs nothing else
//! and we need no list of them.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::{Attachment, name};
use crate::domain::clock::{Timestamp, from_ms};
use crate::domain::ids::{HandoffId, Key};

/// Marks the format of a token, so that a later one can be told apart.
const FORMAT: u8 = 1;
/// Of a signature by HMAC-SHA256.
const SIGNATURE_BYTES: usize = 32;

/// What a link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The file.
    pub attachment: Attachment,
    /// What to call it.
    pub name: String,
    /// MIME type.
    pub content_type: String,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// We did not sign it.
    #[error("not a link of ours")]
    Forged,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

/// Makes links and reads them.
#[derive(Debug, Clone)]
pub struct Links {
    key: hmac::Key,
    base_url: String,
}

impl Links {
    /// Links under `base_url`, signed with a key that is used for nothing else
    /// ([`MasterKey::derive`](crate::domain::seal::MasterKey::derive) gives one).
    pub fn new(key: &[u8], base_url: &str) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }

    /// The link that grants this. The same grant has the same link.
    pub fn link(&self, grant: &Grant) -> String {
        let mut token = written(grant);
        let signature = hmac::sign(&self.key, &token);
        token.extend_from_slice(signature.as_ref());
        format!("{}/media/{}", self.base_url, URL_SAFE_NO_PAD.encode(token))
    }

    /// What a token, the last part of a link, opens now.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Grant, LinkError> {
        let token = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| LinkError::Forged)?;
        let (said, signature) = token
            .split_last_chunk::<SIGNATURE_BYTES>()
            .ok_or(LinkError::Forged)?;
        // Compares in a time that tells nothing.
        hmac::verify(&self.key, said, signature).map_err(|_| LinkError::Forged)?;
        let grant = read(said).ok_or(LinkError::Forged)?;
        if now < grant.expires_at {
            Ok(grant)
        } else {
            Err(LinkError::Expired)
        }
    }
}

/// Format, handoff, attachment, expiry in milliseconds, the length of the type, the type, and the rest is the name.
fn written(grant: &Grant) -> Vec<u8> {
    let Grant {
        attachment,
        name,
        content_type,
        expires_at,
    } = grant;
    // Longer ones do not exist (RFC 6838), and one that is left out is read as "unknown".
    let content_type = Some(content_type.as_bytes()).filter(|it| it.len() <= usize::from(u8::MAX));
    let content_type = content_type.unwrap_or_default();
    let name = name::tidy(name).unwrap_or_default();
    [
        &[FORMAT],
        attachment.handoff.0.as_bytes().as_slice(),
        attachment.id.0.as_bytes(),
        &expires_at.as_millisecond().to_be_bytes(),
        &[content_type.len() as u8],
        content_type,
        name.as_bytes(),
    ]
    .concat()
}

fn read(said: &[u8]) -> Option<Grant> {
    let (&[format], rest) = said.split_first_chunk()?;
    let (&handoff, rest) = rest.split_first_chunk()?;
    let (&id, rest) = rest.split_first_chunk()?;
    let (&expires_ms, rest) = rest.split_first_chunk()?;
    let (&[length], rest) = rest.split_first_chunk()?;
    let (content_type, name) = rest.split_at_checked(usize::from(length))?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    (format == FORMAT).then_some(Grant {
        attachment: Attachment {
            handoff: HandoffId(Uuid::from_bytes(handoff)),
            id: Key(Uuid::from_bytes(id)),
        },
        name: text(name)?,
        content_type: text(content_type)?,
        expires_at: from_ms(i64::from_be_bytes(expires_ms)),
    })
}
