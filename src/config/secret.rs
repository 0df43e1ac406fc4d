//! Reads secrets, which stand in the configuration or alone in a file, and knows how much of each may be shown.

use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::Value as Json;

use super::own_secret::SHORTEST;
use super::reader::Reader;
use super::source::{Found, Value};
use super::{Origin, OwnSecret};

/// What a secret must look like, and what of it may be shown.
pub(super) struct Shape {
    /// What may be printed in its place, or what is wrong with it. Neither tells the secret.
    pub show: fn(&str) -> Result<String, &'static str>,
    /// What to write instead of one that does not fit.
    pub remedy: &'static str,
}

const HIDDEN: &str = "***";

/// An address with a password in it.
pub(super) const BROKER_URL: Shape = Shape {
    show: |url| {
        let mut url = Url::parse(url).map_err(|_| "not an address")?;
        match url.scheme() {
            "amqp" => {}
            "amqps" if cfg!(feature = "amqps") => {}
            "amqps" => return Err("this build has no TLS to the broker"),
            _ => return Err("not an AMQP address"),
        }
        if !url.has_host() {
            return Err("an address without a host");
        }
        if url.password().is_some() {
            url.set_password(Some(HIDDEN))
                .map_err(|()| "not an address")?;
        }
        Ok(url.into())
    },
    remedy: "write \"amqp://user:password@host:5672/vhost\" (amqps:// in a build with the feature `amqps`)",
};

/// 32 bytes in base64.
pub(super) const MASTER_KEY: Shape = Shape {
    show: |key| match BASE64_STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 32 => Ok(HIDDEN.to_owned()),
        _ => Err("not base64 of 32 bytes"),
    },
    remedy: "write what `baton keygen` makes",
};

/// Something that fits into a header and is not guessed.
pub(super) const TOKEN: Shape = Shape {
    show: |token| match token.len() {
        SHORTEST.. if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(HIDDEN.to_owned()),
        _ => Err("too short, or not plain letters, digits and signs"),
    },
    remedy: "write at least 16 of them, as `openssl rand -hex 32` prints them",
};

impl Reader {
    /// Reads a secret that stands at `key`, or alone in the file that `<key>_file` names; the higher layer wins.
    pub fn secret(&mut self, key: &str, shape: &Shape) -> Option<SecretString> {
        let file_key = format!("{key}_file");
        let (stated, filed) = (self.take(key), self.take(&file_key));
        if let (Some(stated), Some(filed)) = (&stated, &filed)
            && stated.origin.same_layer(&filed.origin)
        {
            let problem = format!("stands beside {key}");
            self.blame(
                &file_key,
                filed.origin.clone(),
                problem,
                "keep one of the two",
            );
            return None;
        }
        let origin = |found: &Option<Found>| found.as_ref().map(|found| found.origin.clone());
        let (text, origin) = if origin(&stated) > origin(&filed) {
            let Found { value, origin } = stated?;
            self.list(&file_key, Json::Null, Origin::Default);
            (self.plain_text(key, value, &origin)?, origin)
        } else {
            let Some(Found { value, origin }) = filed else {
                self.list(key, Json::Null, Origin::Default);
                self.list(&file_key, Json::Null, Origin::Default);
                return None;
            };
            self.list(&file_key, Json::from(&value), origin.clone());
            if origin == Origin::Default {
                self.list(key, Json::Null, Origin::Default);
                return None;
            }
            let path = self.plain_text(&file_key, value, &origin)?;
            (self.content(&file_key, &path, &origin)?, origin)
        };
        match (shape.show)(&text) {
            Ok(shown) => {
                self.list(key, Json::from(shown), origin);
                Some(SecretString::from(text))
            }
            Err(problem) => {
                self.blame(key, origin, problem, shape.remedy);
                None
            }
        }
    }

    /// A secret that Baton keeps in the file `kept` if nobody gives one.
    pub fn own_secret(&mut self, key: &str, kept: PathBuf, shape: &Shape) -> OwnSecret {
        self.supply(&format!("{key}_file"), kept.display().to_string());
        self.secret(key, shape)
            .map_or(OwnSecret::Kept(kept), OwnSecret::Given)
    }

    fn plain_text(&mut self, key: &str, value: Value, origin: &Origin) -> Option<String> {
        if let Value::Text(text) = value {
            return Some(text);
        }
        self.blame(key, origin.clone(), "not text", "write it in double quotes");
        None
    }

    fn content(&mut self, key: &str, path: &str, origin: &Origin) -> Option<String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Some(text.trim_end().to_owned()),
            Err(error) => {
                let problem = format!("{path:?} cannot be read ({error})");
                self.blame(
                    key,
                    origin.clone(),
                    problem,
                    "name a file that holds the secret alone",
                );
                None
            }
        }
    }
}
