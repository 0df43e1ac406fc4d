//! The settings of a Salesforce connection: what they are called, what may be in them, and what is put right.

use std::collections::BTreeMap;

use crate::desk::address::service;
use crate::desk::attributes::{PREFIX, Source};
use crate::desk::http::Place;
use crate::desk::key::{self, PrivateKey};
use crate::desk::reader::Reader;
use crate::desk::tidy::{as_it_is, number, one_of};
use crate::desk::{Need, Privacy, Setting};
use crate::domain::connection::{Connection, Problem};
use crate::domain::ids::ConnectionName;
use crate::domain::jwk::Jwk;

use super::{address, attributes, tidy};

/// In the order in which a form asks for them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "instance_url",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "Your Salesforce domain, such as https://yourcompany.my.salesforce.com (Setup → My Domain).",
    },
    Setting {
        name: "es_developer_name",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The API Name of the deployment, which must be of type Custom Client (Setup → Embedded Service Deployments).",
    },
    Setting {
        name: "org_id",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The Organization ID, which starts with 00D (Setup → Company Information).",
    },
    Setting {
        name: "auth_public_key",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The RSA public key in PEM, the same as in the JWK that you uploaded (Setup → User Verification).",
    },
    Setting {
        name: "auth_private_key",
        need: Need::Required,
        privacy: Privacy::Sealed,
        help: "The RSA private key in PEM, of 2048 bits or more, that signs identity tokens.",
    },
    Setting {
        name: "auth_key_id",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The key's id: the `kid` of the uploaded JWK.",
    },
    Setting {
        name: "issuer",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The Issuer of the JSON Web Keyset that the messaging channel uses, exactly as it stands there.",
    },
    Setting {
        name: "auth_jwk",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The JWK that you uploaded, so that Baton compares it with the keys and `baton doctor` says when its certificate expires.",
    },
    Setting {
        name: "auth_next_key_id",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "While keys are rotated: the id of the next key, which Baton uses where the org takes it and not the present one.",
    },
    Setting {
        name: "auth_next_public_key",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "While keys are rotated: the next public key in PEM.",
    },
    Setting {
        name: "auth_next_private_key",
        need: Need::Optional,
        privacy: Privacy::Sealed,
        help: "While keys are rotated: the next private key in PEM.",
    },
    Setting {
        name: "auth_next_jwk",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "While keys are rotated: the JWK of the next key.",
    },
    Setting {
        name: "scrt_url",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The messaging host, if it is not the one that follows from instance_url; http:// only for a simulator on this machine.",
    },
    Setting {
        name: "opening_chars_max",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The longest opening message in characters; 4000 unless you say otherwise.",
    },
    Setting {
        name: "access_tokens_per_minute",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "How many access tokens a minute Baton may ask of the org; 180 of Salesforce's 200 unless you say otherwise.",
    },
    Setting {
        name: "language_default",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The language of conversations whose language was not detected; en_US unless you say otherwise.",
    },
    Setting {
        name: "automated_responses",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "What becomes of messages that Salesforce writes by itself, such as a greeting: forward, or ignore; ignore unless you say otherwise.",
    },
    Setting {
        name: "attribute.<Name>",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "A further routing attribute: a field of the escalation such as session.custom.Brand, or text in double quotes.",
    },
];

/// Salesforce gives an org 200 a minute (miaw reference §6); the rest is for others who use it.
const ACCESS_TOKENS_DEFAULT: usize = 180;
/// A simulator may have more than an org.
const ACCESS_TOKENS: std::ops::RangeInclusive<usize> = 1..=1_000_000;
/// What the official examples send (miaw reference §2.6).
const LANGUAGE_DEFAULT: &str = "en_US";

/// A connection that is in order.
#[derive(Debug)]
pub struct Settings {
    /// What to call it in messages.
    pub connection: ConnectionName,
    /// Scheme and host of the messaging API, without a slash at the end.
    pub scrt: Place,
    /// API name of the deployment.
    pub es_developer_name: String,
    /// The org id in 15 characters.
    pub org_id: String,
    /// What signs identity tokens.
    pub key: SigningKey,
    /// What will sign them after the rotation that is under way.
    pub next_key: Option<SigningKey>,
    /// `iss` of identity tokens.
    pub issuer: String,
    /// The longest opening message.
    pub opening_chars_max: usize,
    /// How many access tokens a minute may be asked for.
    pub access_tokens_per_minute: u32,
    /// In Salesforce's form, such as `en_US`.
    pub language_default: String,
    /// What becomes of what Salesforce writes by itself.
    pub automated_responses: AutomatedResponses,
    /// Configured routing attributes, and where their values come from.
    pub attributes: BTreeMap<String, Source>,
}

/// What becomes of messages that Salesforce writes in a rep's stead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutomatedResponses {
    /// The contact gets them, marked as automatic.
    Forward,
    /// The contact does not: the AI agent has greeted them already.
    Ignore,
}

/// A key that signs identity tokens.
#[derive(Debug)]
pub struct SigningKey {
    /// `kid` of identity tokens.
    pub id: String,
    /// The key itself.
    pub private_key: PrivateKey,
    /// What Salesforce was told about it, as far as we were told too.
    pub jwk: Option<Jwk>,
}

/// What the settings of a key are called.
struct KeyNames {
    id: &'static str,
    public: &'static str,
    private: &'static str,
    jwk: &'static str,
}

const KEY: KeyNames = KeyNames {
    id: "auth_key_id",
    public: "auth_public_key",
    private: "auth_private_key",
    jwk: "auth_jwk",
};

const NEXT_KEY: KeyNames = KeyNames {
    id: "auth_next_key_id",
    public: "auth_next_public_key",
    private: "auth_next_private_key",
    jwk: "auth_next_jwk",
};

/// Puts the next key in the place of the present one; `None` if there is no next one.
pub fn rotate(connection: &Connection) -> Option<Connection> {
    let mut rotated = connection.clone();
    rotated.settings.get(NEXT_KEY.id)?;
    for (next, present) in [
        (NEXT_KEY.id, KEY.id),
        (NEXT_KEY.public, KEY.public),
        (NEXT_KEY.jwk, KEY.jwk),
    ] {
        match rotated.settings.remove(next) {
            Some(value) => drop(rotated.settings.insert(present.to_owned(), value)),
            None => drop(rotated.settings.remove(present)),
        }
    }
    let private = rotated.secrets.remove(NEXT_KEY.private)?;
    rotated.secrets.insert(KEY.private.to_owned(), private);
    Some(rotated)
}

/// Reads a key: its halves, its id and its JWK have to fit together.
fn signing_key(reader: &mut Reader<'_>, names: &KeyNames) -> Option<SigningKey> {
    let public = reader.required(names.public, key::public_pem);
    let private = reader.private_key(names.private);
    if private.is_none() {
        reader.missing(names.private);
    }
    let id = reader.required(names.id, as_it_is);
    let jwk = reader.optional(names.jwk, tidy::jwk);
    let jwk = jwk.and_then(|jwk| Jwk::read(&jwk).ok());
    if let (Some(public), Some(private)) = (&public, &private)
        && !private.belongs_to(public)
    {
        reader.problem(names.public, "does not belong to the private key; make it anew with `openssl pkey -in private.pem -pubout`, and upload a JWK of that pair");
    }
    if let (Some(jwk), Some(id)) = (&jwk, &id)
        && jwk.kid != *id
    {
        let what = format!(
            "has the kid `{}`, and `{}` is `{id}`; write the same in both, as it stands in Setup → User Verification",
            jwk.kid, names.id
        );
        reader.problem(names.jwk, what);
    }
    if let (Some(jwk), Some(private)) = (&jwk, &private)
        && !private.is_certified_by(&jwk.certificate.der)
    {
        reader.problem(names.jwk, "is not for the private key; paste the JWK that was made with it, and upload that one (Setup → User Verification)");
    }
    Some(SigningKey {
        id: id?,
        private_key: private?,
        jwk,
    })
}

/// Reads a connection, tidies it in place, and reports all problems at once.
pub fn read(connection: &mut Connection) -> Result<(Settings, Vec<String>), Vec<Problem>> {
    let name = connection.name.clone();
    let mut reader = Reader::new(connection, SETTINGS, "Salesforce");
    let instance_url = reader.required("instance_url", address::instance_url);
    let es_developer_name = reader.required("es_developer_name", tidy::developer_name);
    let org_id = reader.required("org_id", tidy::org_id);
    let signing = signing_key(&mut reader, &KEY);
    let issuer = reader.required("issuer", as_it_is);
    // A private key may be left of a rotation that was given up; alone it is nothing.
    let is_rotated = reader.is_given(NEXT_KEY.id) || reader.is_given(NEXT_KEY.public);
    let next = is_rotated
        .then(|| signing_key(&mut reader, &NEXT_KEY))
        .flatten();
    let scrt_url = reader.optional("scrt_url", |given| {
        service(given, "yourcompany.my.salesforce-scrt.com")
    });
    let opening_chars_max = reader.optional("opening_chars_max", tidy::opening_chars_max);
    let access_tokens = reader.optional("access_tokens_per_minute", |given| {
        number(given, ACCESS_TOKENS, ACCESS_TOKENS_DEFAULT)
    });
    let language_default = reader.optional("language_default", tidy::language);
    let automated_responses = reader.optional("automated_responses", |given| {
        one_of(given, ["forward", "ignore"])
    });
    let attributes = reader.each(PREFIX, attributes::configured);

    let scrt = match (scrt_url, &instance_url) {
        (Some(url), _) => Some(Place {
            url,
            setting: "scrt_url",
        }),
        (None, Some(instance)) => {
            let derived = address::scrt_of(instance);
            if derived.is_none() {
                reader.problem("instance_url", "is no My Domain address, so the messaging host does not follow from it; write https://yourcompany.my.salesforce.com (Setup → My Domain), or set `scrt_url`");
            }
            derived.map(|url| Place {
                url,
                setting: "instance_url",
            })
        }
        (None, None) => None,
    };
    let settings = || {
        Some(Settings {
            connection: name,
            scrt: scrt?,
            es_developer_name: es_developer_name?,
            org_id: org_id?,
            key: signing?,
            next_key: next,
            issuer: issuer?,
            opening_chars_max: opening_chars_max
                .and_then(|chars| chars.parse().ok())
                .unwrap_or(tidy::OPENING_CHARS_DEFAULT),
            access_tokens_per_minute: access_tokens
                .and_then(|tokens| tokens.parse().ok())
                .unwrap_or(ACCESS_TOKENS_DEFAULT as u32),
            language_default: language_default.unwrap_or_else(|| LANGUAGE_DEFAULT.to_owned()),
            automated_responses: match automated_responses.as_deref() {
                Some("forward") => AutomatedResponses::Forward,
                Some(_) | None => AutomatedResponses::Ignore,
            },
            attributes,
        })
    };
    reader.finish(settings())
}
