//! What is in a column: versioned, and sealed where it is secret.
//!
//! Domain types are not serialisable by themselves; what a row of an earlier release looked like is decided here.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::StoreError;
use crate::domain::clock::from_ms;
use crate::domain::handoff::{AccessToken, IdentityToken, Progress};
use crate::domain::ids::{ConversationId, Cursor};
use crate::domain::seal::{ExposeSecret, MasterKey, SecretString};
use crate::domain::transcript::OpeningMessage;

/// The format that [`write`] writes.
const VERSION: u64 = 1;

/// The error for a row that cannot be read.
pub fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

/// Progress as a column; tokens are sealed for the handoff with this id.
pub fn write(progress: &Progress, key: &MasterKey, id: &str) -> String {
    let mut state = json!({ "v": VERSION });
    if let Progress::Identified { identity } = progress {
        state["identity"] = json!({
            "token": seal(key, &identity.token, id), "expires_ms": identity.expires_at.as_millisecond(),
        });
    }
    if let Some(access) = progress.access() {
        state["access"] = json!({
            "token": seal(key, &access.token, id),
            "expires_ms": access.expires_at.as_millisecond(),
            "cursor": access.cursor.as_ref().map(Cursor::as_str),
        });
    }
    if let Progress::Prepared { opening, .. } | Progress::Opened { opening, .. } = progress {
        state["opening"] = json!(opening.text);
        state["whole"] = json!(opening.whole);
    }
    if let Some(conversation) = progress.conversation() {
        state["conversation"] = json!(conversation.as_str());
    }
    state.to_string()
}

/// Progress from its two columns: the word, and what [`write`] wrote.
pub fn read(word: &str, state: &str, key: &MasterKey, id: &str) -> Result<Progress, StoreError> {
    let state: Value = serde_json::from_str(state).map_err(|_| corrupt("progress is not JSON"))?;
    if state["v"] != json!(VERSION) {
        return Err(corrupt("progress was written by a newer release"));
    }
    let access = || -> Result<AccessToken, StoreError> {
        let access = &state["access"];
        Ok(AccessToken {
            token: open(key, &access["token"], id)?,
            expires_at: from_ms(access["expires_ms"].as_i64().unwrap_or_default()),
            cursor: access["cursor"].as_str().map(Cursor::from),
        })
    };
    let opening = || match state["opening"].as_str() {
        Some(text) => Ok(OpeningMessage {
            text: text.to_owned(),
            whole: state["whole"].as_str().map(str::to_owned),
        }),
        None => Err(corrupt("progress has no opening message")),
    };
    let conversation = || {
        state["conversation"]
            .as_str()
            .map(ConversationId::from)
            .ok_or_else(|| corrupt("progress has no conversation"))
    };
    Ok(match word {
        "received" => Progress::Received,
        "identified" => Progress::Identified {
            identity: IdentityToken {
                token: open(key, &state["identity"]["token"], id)?,
                expires_at: from_ms(state["identity"]["expires_ms"].as_i64().unwrap_or_default()),
            },
        },
        "authorized" => Progress::Authorized { access: access()? },
        "prepared" => Progress::Prepared {
            access: access()?,
            opening: opening()?,
        },
        "opened" => Progress::Opened {
            access: access()?,
            opening: opening()?,
            conversation: conversation()?,
        },
        "connected" => Progress::Connected {
            access: access()?,
            conversation: conversation()?,
        },
        _ => return Err(corrupt("progress is a word of a newer release")),
    })
}

fn seal(key: &MasterKey, secret: &SecretString, id: &str) -> String {
    STANDARD.encode(key.seal(secret.expose_secret(), id))
}

fn open(key: &MasterKey, sealed: &Value, id: &str) -> Result<SecretString, StoreError> {
    let sealed = STANDARD
        .decode(sealed.as_str().unwrap_or_default())
        .map_err(|_| corrupt("a sealed token is not base64"))?;
    key.open(&sealed, id)
        .map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The secrets of a connection as one sealed column.
pub fn write_secrets(
    secrets: &BTreeMap<String, SecretString>,
    key: &MasterKey,
    name: &str,
) -> Vec<u8> {
    let plain: BTreeMap<&str, &str> = secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.expose_secret()))
        .collect();
    key.seal(&json!(plain).to_string(), &about_connection(name))
}

/// The secrets of a connection from their column.
pub fn read_secrets(
    sealed: &[u8],
    key: &MasterKey,
    name: &str,
) -> Result<BTreeMap<String, SecretString>, StoreError> {
    let plain = key
        .open(sealed, &about_connection(name))
        .map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let secrets: BTreeMap<String, String> = serde_json::from_str(plain.expose_secret())
        .map_err(|_| corrupt("the secrets of a connection"))?;
    Ok(secrets
        .into_iter()
        .map(|(name, secret)| (name, SecretString::from(secret)))
        .collect())
}

fn about_connection(name: &str) -> String {
    format!("connection/{name}")
}
