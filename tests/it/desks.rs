//! Desks: what they are told, and what is made of what they say.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use baton::desk::http::{Http, Limits};
use baton::desk::{self, Desk};
use baton::domain::clock::{Clock, Timestamp};
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::escalation::Escalation;
use baton::domain::event::{Bounds, Received};
use baton::domain::ids::ConnectionName;
use serde_json::{Value, json};

mod calls;
mod entries;
mod listening;
mod org;
mod settings;
mod stub;
mod tokens;

/// An RSA key pair in PEM.
pub struct Pair {
    pub private: String,
    pub public: String,
}

impl Pair {
    pub fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let private = pair.as_der().expect("a key");
        let public = pair.public_key().as_der().expect("a key");
        Self {
            private: pem("PRIVATE KEY", private.as_ref()),
            public: pem("PUBLIC KEY", public.as_ref()),
        }
    }
}

pub static PAIR: LazyLock<Pair> = LazyLock::new(Pair::new);

pub fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// A connection that is in order.
fn connection() -> Connection {
    let settings = [
        ("instance_url", "https://acme.my.salesforce.com"),
        ("es_developer_name", "Support_Client"),
        ("org_id", "00Dxx0000000xxx"),
        ("auth_public_key", &PAIR.public),
        ("auth_key_id", "acme-2026"),
        ("issuer", "https://baton.acme.example"),
    ];
    Connection {
        name: ConnectionName::from("acme"),
        desk: DeskKind::Salesforce,
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        secrets: BTreeMap::from([("auth_private_key".to_owned(), PAIR.private.clone().into())]),
        version: 1,
    }
}

/// The same, with other settings.
fn connection_with(settings: &[(&str, &str)]) -> Connection {
    let mut connection = connection();
    for (name, value) in settings {
        connection
            .settings
            .insert((*name).to_owned(), (*value).to_owned());
    }
    connection
}

fn now() -> Timestamp {
    "2026-11-20T14:03:22Z".parse().expect("a timestamp")
}

/// Short enough to wait for in a test, long enough for a busy machine.
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(2),
    timeout: Duration::from_millis(500),
    answer_bytes_max: 1 << 20,
    stream_silence: Duration::from_millis(500),
};

thread_local! {
    /// Making clients takes a while, for the TLS roots are read; a test has a thread to itself.
    static HTTP: Http = Http::new(LIMITS).expect("TLS roots");
}

fn open(connection: &Connection) -> Arc<dyn Desk> {
    let opened = HTTP.with(|http| desk::open(connection, http, &Clock::set_to(now())));
    opened.unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The escalation of the interface document; `change` is laid over its data.
fn escalation_with(change: Value) -> Escalation {
    let mut data = json!({
        "connection": "acme",
        "session": { "id": "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51", "channel": "sms", "language": "en",
                     "custom": { "Brand": "Acme" } },
        "contact": { "id": "c-81734", "name": "Dana Reyes", "phone": "+1 (415) 555-0123", "verified": true,
                     "custom": { "Plan": "Gold", "Seats": 3 } },
        "transcript": [],
        "attributes": { "Department": "Billing" },
    });
    for (name, value) in change.as_object().into_iter().flatten() {
        data[name] = value.clone();
    }
    let event = json!({
        "specversion": "1.0", "type": "handoff.escalation.requested.v1", "source": "/ai", "id": "e1",
        "data": data,
    });
    let bounds = Bounds {
        event_bytes_max: 1 << 20,
    };
    let received = Received::decode(event.to_string().as_bytes(), bounds).expect("an event");
    Escalation::read(&received).expect("an escalation")
}

fn escalation() -> Escalation {
    escalation_with(json!({}))
}
