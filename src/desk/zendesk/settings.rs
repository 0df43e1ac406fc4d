//! The settings of a Zendesk connection: what they are called, what may be in them, and what is put right.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde_json::json;

use super::{labels, tidy};
use crate::desk::attributes::{PREFIX, Source};
use crate::desk::http::Place;
use crate::desk::reader::Reader;
use crate::desk::tidy::number;
use crate::desk::{Need, Privacy, Setting};
use crate::domain::connection::{Connection, Problem};
use crate::domain::ids::ConnectionName;
use crate::domain::seal::{ExposeSecret, SecretString};

/// In the order in which a form asks for them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "subdomain",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The part of your Zendesk address before .zendesk.com.",
    },
    Setting {
        name: "app_id",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The App ID, of 24 letters and digits (Admin Center → Apps and integrations → Conversations API).",
    },
    Setting {
        name: "key_id",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The Key ID, which starts with app_ (Admin Center → Apps and integrations → Conversations API).",
    },
    Setting {
        name: "key_secret",
        need: Need::Required,
        privacy: Privacy::Sealed,
        help: "The secret key that Zendesk showed once when the key was made.",
    },
    Setting {
        name: "auth",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "How the key is shown to Zendesk: basic, or jwt for a token signed with it; basic unless you say otherwise.",
    },
    Setting {
        name: "support_email",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The email address of an admin, for linking contacts to the support users they are already.",
    },
    Setting {
        name: "support_token",
        need: Need::Optional,
        privacy: Privacy::Sealed,
        help: "An API token of Zendesk Support, for the same (Admin Center → Apps and integrations → Zendesk API).",
    },
    Setting {
        name: "switchboard_integration",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The name of the switchboard integration of the Agent Workspace; zd-agentWorkspace unless you say otherwise.",
    },
    Setting {
        name: "triggers",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "What becomes of messages that triggers of Zendesk write: forward, or ignore; forward unless you say otherwise.",
    },
    Setting {
        name: "opening_chars_max",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The longest opening message in characters, in as many parts as it needs; 60000 unless you say otherwise.",
    },
    Setting {
        name: "messages_per_minute",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "How many messages of a contact a minute Baton may post in one conversation; as many as come unless you say otherwise.",
    },
    Setting {
        name: "base_url",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The address of the Conversations API, if it is not https://<subdomain>.zendesk.com/sc; http:// only for a simulator on this machine.",
    },
    Setting {
        name: "webhook_secret",
        need: Need::Optional,
        privacy: Privacy::Sealed,
        help: "The secret of the webhook; Baton fills it in when it registers the webhook.",
    },
    Setting {
        name: "attribute.<Name>",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "Further metadata, or a ticket field where <Name> is its number: a field of the escalation such as session.custom.Brand, or text in double quotes.",
    },
];

/// As the reference names Zendesk's own integration (sunshine reference §2.6).
const WORKSPACE_DEFAULT: &str = "zd-agentWorkspace";
/// Less cannot hold a summary, more nobody reads.
const OPENING_CHARS: std::ops::RangeInclusive<usize> = 500..=200_000;
/// Five hundred turns of a hundred characters, in some fifteen parts.
const OPENING_CHARS_DEFAULT: usize = 60_000;

/// A connection that is in order.
#[derive(Debug)]
pub struct Settings {
    /// What to call it in messages.
    pub connection: ConnectionName,
    /// The address of the app.
    pub app: Url,
    /// The account, as people open it.
    pub home: Url,
    /// Where that is.
    pub place: Place,
    /// The id of the app.
    pub app_id: String,
    /// What every call shows.
    pub authorization: HeaderValue,
    /// What every webhook shows, once there is one.
    pub webhook_secret: Option<SecretString>,
    /// How contacts are linked to support users, if they are.
    pub support: Option<Support>,
    /// To whom control is passed.
    pub workspace: String,
    /// What becomes of what triggers write.
    pub triggers: Triggers,
    /// The longest opening message.
    pub opening_chars_max: usize,
    /// How many messages of a contact may be posted in a minute.
    pub messages_per_minute: Option<u32>,
    /// Configured metadata, and where the values come from.
    pub attributes: BTreeMap<String, Source>,
}

/// The Support API of the account.
#[derive(Debug)]
pub struct Support {
    /// Scheme and host.
    pub url: String,
    /// Who we are there.
    pub email: String,
    /// Their API token.
    pub token: SecretString,
}

/// What becomes of messages that triggers write in a rep's stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triggers {
    /// The contact gets them.
    Forward,
    /// The contact does not.
    Ignore,
}

/// Reads a connection, tidies it in place, and reports all problems at once.
pub fn read(connection: &mut Connection) -> Result<(Settings, Vec<String>), Vec<Problem>> {
    let name = connection.name.clone();
    let mut reader = Reader::new(connection, SETTINGS, "Zendesk");
    let subdomain = reader.required("subdomain", tidy::subdomain);
    let app_id = reader.required("app_id", tidy::app_id);
    let key_id = reader.required("key_id", tidy::key_id);
    let key_secret = reader.secret("key_secret");
    if key_secret.is_none() {
        reader.missing("key_secret");
    }
    let auth = reader.optional("auth", tidy::auth);
    let support_email = reader.optional("support_email", tidy::email);
    let support_token = reader.secret("support_token");
    match (&support_email, &support_token) {
        (Some(_), None) => reader.missing("support_token"),
        (None, Some(_)) => reader.missing("support_email"),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let workspace = reader.optional("switchboard_integration", tidy::integration);
    let triggers = reader.optional("triggers", tidy::triggers);
    let opening_chars_max = reader.optional("opening_chars_max", |given| {
        number(given, OPENING_CHARS, OPENING_CHARS_DEFAULT)
    });
    let messages_per_minute = reader.optional("messages_per_minute", tidy::messages_per_minute);
    let base_url = reader.optional("base_url", tidy::base_url);
    let webhook_secret = reader.secret("webhook_secret");
    let attributes = reader.each(PREFIX, labels::configured);

    let settings = || {
        let (subdomain, app_id, key_id) = (subdomain?, app_id?, key_id?);
        let host = format!("https://{subdomain}.zendesk.com");
        let setting = match base_url {
            Some(_) => "base_url",
            None => "subdomain",
        };
        let base = base_url.unwrap_or_else(|| format!("{host}/sc"));
        let support = support_email
            .zip(support_token)
            .map(|(email, token)| Support {
                url: base.strip_suffix("/sc").unwrap_or(&host).to_owned(),
                email,
                token,
            });
        Some(Settings {
            connection: name,
            app: Url::parse(&format!("{base}/v2/apps/{app_id}")).ok()?,
            home: Url::parse(&host).ok()?,
            place: Place { url: base, setting },
            app_id,
            authorization: authorization(auth.as_deref(), &key_id, &key_secret?)?,
            webhook_secret,
            support,
            workspace: workspace.unwrap_or_else(|| WORKSPACE_DEFAULT.to_owned()),
            triggers: match triggers.as_deref() {
                Some("ignore") => Triggers::Ignore,
                Some(_) | None => Triggers::Forward,
            },
            opening_chars_max: opening_chars_max
                .and_then(|chars| chars.parse().ok())
                .unwrap_or(OPENING_CHARS_DEFAULT),
            messages_per_minute: messages_per_minute.and_then(|messages| messages.parse().ok()),
            attributes,
        })
    };
    reader.finish(settings())
}

/// The key in the form that calls show it in (sunshine reference §1.2).
fn authorization(auth: Option<&str>, key_id: &str, secret: &SecretString) -> Option<HeaderValue> {
    let secret = secret.expose_secret();
    let shown = if auth == Some("jwt") {
        let header = Header {
            kid: Some(key_id.to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&header, &json!({ "scope": "app" }), &key).ok()?;
        format!("Bearer {token}")
    } else {
        format!("Basic {}", STANDARD.encode(format!("{key_id}:{secret}")))
    };
    let mut shown = HeaderValue::try_from(shown).ok()?;
    shown.set_sensitive(true);
    Some(shown)
}
