//! The settings of a Dynamics connection: what they are called, what may be in them, and what is put right.

use std::collections::BTreeMap;

use crate::desk::address::service;
use crate::desk::attributes::{PREFIX, Source};
use crate::desk::key;
use crate::desk::reader::Reader;
use crate::desk::tidy::{Tidied, number};
use crate::desk::{Need, Privacy, Setting};
use crate::domain::connection::{Connection, Problem};
use crate::domain::ids::ConnectionName;

use super::certificate::Certificate;
use super::context::{self, ContextTable};
use super::entra::Proof;
use super::schema::{self, Schema};
use super::tidy;

/// In the order in which a form asks for them; the first three and the environment are those of the public page.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "tenant_id",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The Directory (tenant) ID, a GUID (Azure portal → App registrations → your app → Overview).",
    },
    Setting {
        name: "client_id",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The Application (client) ID, a GUID (Azure portal → App registrations → your app → Overview).",
    },
    Setting {
        name: "client_secret",
        need: Need::Optional,
        privacy: Privacy::Sealed,
        help: "The client secret: the Value, not the Secret ID (your app → Certificates & secrets). Or else a certificate.",
    },
    Setting {
        name: "client_certificate",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "Instead of a secret: the certificate in PEM that you uploaded to the app registration.",
    },
    Setting {
        name: "client_private_key",
        need: Need::Optional,
        privacy: Privacy::Sealed,
        help: "The RSA private key in PEM, of 2048 bits or more, that the certificate is for.",
    },
    Setting {
        name: "environment_url",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The Environment URL, such as https://contoso.crm.dynamics.com (Power Platform admin center → Environments).",
    },
    Setting {
        name: "default_queue_id",
        need: Need::Required,
        privacy: Privacy::Shown,
        help: "The GUID of the workstream, not of a queue (Customer Service admin center → Workstreams).",
    },
    Setting {
        name: "schema_profile",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The table of live work items: msdyn_ocliveworkitem unless you say oc_liveworkitem.",
    },
    Setting {
        name: "context_table",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "Where context variables are written: standard unless you say elastic, as on newer orgs, or both.",
    },
    Setting {
        name: "login_url",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "Where tokens come from, if not https://login.microsoftonline.com; http:// only for a simulator on this machine.",
    },
    Setting {
        name: "opening_chars_max",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "The longest note in characters; 30000 unless you say otherwise.",
    },
    Setting {
        name: "attribute.<Name>",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "A further context variable: a field of the escalation such as session.custom.Brand, or text in double quotes.",
    },
    Setting {
        name: "schema.<Name>",
        need: Need::Optional,
        privacy: Privacy::Shown,
        help: "One name of the schema, where your tables differ from the profile.",
    },
];

/// The public cloud; others have hosts of their own (dynamics reference §1.1).
const LOGIN_URL: &str = "https://login.microsoftonline.com";
/// A third of what a note is said to hold, and no source is sure (dynamics reference §3.5).
const OPENING_CHARS_DEFAULT: usize = 30_000;
/// Less cannot hold a summary.
const OPENING_CHARS: std::ops::RangeInclusive<usize> = 500..=100_000;

/// A connection that is in order.
#[derive(Debug)]
pub struct Settings {
    /// What to call it in messages.
    pub connection: ConnectionName,
    /// Tenant of the app registration.
    pub tenant_id: String,
    /// The app registration.
    pub client_id: String,
    /// How we prove to be the app.
    pub proof: Proof,
    /// Scheme and host of the environment, without a slash at the end.
    pub environment_url: String,
    /// Scheme and host that tokens come from.
    pub login_url: String,
    /// The workstream that routes.
    pub workstream: String,
    /// What the tables are called.
    pub schema: Schema,
    /// Where context variables go.
    pub context_table: ContextTable,
    /// The longest note.
    pub opening_chars_max: usize,
    /// Configured context variables, and where their values come from.
    pub attributes: BTreeMap<String, Source>,
}

/// Reads a connection, tidies it in place, and reports all problems at once.
pub fn read(connection: &mut Connection) -> Result<(Settings, Vec<String>), Vec<Problem>> {
    let name = connection.name.clone();
    let mut reader = Reader::new(connection, SETTINGS, "Dynamics");
    let tenant_id = reader.required("tenant_id", tidy::tenant);
    let client_id = reader.required("client_id", |given| {
        tidy::guid(
            given,
            "copy the Application (client) ID from the app registration",
        )
    });
    let proof = proof(&mut reader);
    let environment_url = reader.required("environment_url", tidy::environment_url);
    let workstream = reader.required("default_queue_id", |given| {
        tidy::guid(
            given,
            "copy the workstream's GUID from the Customer Service admin center → Workstreams",
        )
    });
    let profile = reader.optional("schema_profile", |given| {
        schema::profile(given).map(|()| Tidied::untouched(given))
    });
    let context_table = reader.optional("context_table", |given| {
        context::table(given).map(|_| Tidied::untouched(given))
    });
    let login_url = reader.optional("login_url", |given| {
        service(given, "login.microsoftonline.com")
    });
    let opening_chars_max = reader.optional("opening_chars_max", |given| {
        number(given, OPENING_CHARS, OPENING_CHARS_DEFAULT)
    });
    let attributes = reader.each(PREFIX, context::configured);
    let changes = reader.each(schema::PREFIX, schema::changed);
    let settings = || {
        Some(Settings {
            connection: name,
            tenant_id: tenant_id?,
            client_id: client_id?,
            proof: proof?,
            environment_url: environment_url?,
            login_url: login_url.unwrap_or_else(|| LOGIN_URL.to_owned()),
            workstream: workstream?,
            schema: Schema::new(
                profile.as_deref().unwrap_or(schema::PROFILE_DEFAULT),
                &changes,
            ),
            context_table: context_table
                .and_then(|given| context::table(&given).ok())
                .unwrap_or_default(),
            opening_chars_max: opening_chars_max
                .and_then(|chars| chars.parse().ok())
                .unwrap_or(OPENING_CHARS_DEFAULT),
            attributes,
        })
    };
    reader.finish(settings())
}

/// A secret or a certificate with its key; not both, or nobody knows which one is in use.
fn proof(reader: &mut Reader<'_>) -> Option<Proof> {
    let secret = reader.secret("client_secret");
    let certificate = reader.optional("client_certificate", key::certificate_pem);
    let private_key = reader.private_key("client_private_key");
    let of_certificate = [
        ("client_certificate", reader.is_given("client_certificate")),
        ("client_private_key", reader.is_given("client_private_key")),
    ];
    if secret.is_some() && of_certificate.iter().any(|(_, is_given)| *is_given) {
        reader.problem("client_secret", "is set and so is a certificate, and only one of them can be in use; take out `client_secret`, or `client_certificate` and `client_private_key`");
        return None;
    }
    if let Some(secret) = secret {
        if tidy::is_guid(&secret) {
            reader.problem("client_secret", "looks like the Secret ID, which is a GUID; paste the Value, which is shown only once (your app → Certificates & secrets), or make a new secret");
            return None;
        }
        return Some(Proof::Secret(secret));
    }
    if of_certificate.iter().all(|(_, is_given)| !is_given) {
        reader.missing("client_secret");
        return None;
    }
    for (name, _) in of_certificate.iter().filter(|(_, is_given)| !is_given) {
        reader.missing(name);
    }
    let certificate = Certificate::new(&certificate?, private_key?);
    if certificate.is_none() {
        reader.problem("client_certificate", "is not for the private key; paste the certificate that was made with it, or make a new pair and upload its certificate");
    }
    certificate.map(Proof::Certificate)
}
