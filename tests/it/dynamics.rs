//! Dynamics 365: what the desk does to a simulated org, and what it makes of what the org says.

mod access;
mod conversation;
mod failures;
mod journey;
mod notes;
mod probe;
mod refusals;
mod rest;
mod settings;
mod simulator;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use baton::desk::http::{Http, Limits};
use baton::desk::{self, Desk};
use baton::domain::clock::Clock;
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::error::DeskError;
use baton::domain::escalation::Escalation;
use baton::domain::handoff::{AccessToken, Earlier, Effect};
use baton::domain::ids::{ConnectionName, ConversationId, Key};
use baton::domain::transcript;
use baton::sim::dynamics::{AppCertificate, Options, Org, WORKSTREAM};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::desks::{PAIR, pem};
use crate::example;

/// The name of the connection in all tests.
const CONNECTION: &str = "acme-dynamics";

/// A desk and the org that it speaks to.
struct Fixture {
    org: Org,
    desk: Arc<dyn Desk>,
    clock: Clock,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(Options::default(), &[]).await
    }

    async fn with(options: Options, settings: &[(&str, &str)]) -> Self {
        let org = Org::start(options).await.expect("an org");
        Self::to(org, settings)
    }

    fn to(org: Org, settings: &[(&str, &str)]) -> Self {
        let clock = Clock::set_to(example::at("14:03:22"));
        let desk = open(&connection(&org, settings), &clock);
        Self { org, desk, clock }
    }

    async fn access(&self) -> AccessToken {
        self.try_access().await.expect("a token")
    }

    async fn try_access(&self) -> Result<AccessToken, DeskError> {
        let identity = self
            .desk
            .identity_token(&escalation(json!({})))
            .await
            .expect("an identity");
        self.desk.access_token(&identity).await
    }

    async fn create(&self, about: &Escalation) -> Result<ConversationId, DeskError> {
        self.create_again(about, Earlier::Never).await
    }

    async fn create_again(
        &self,
        about: &Escalation,
        earlier: Earlier,
    ) -> Result<ConversationId, DeskError> {
        let effect = Effect { key: KEY, earlier };
        let access = self.access().await;
        self.desk.create_conversation(&access, effect, about).await
    }

    async fn open_with(&self, about: &Escalation) -> Result<(), DeskError> {
        let opening = transcript::opening(about, self.desk.opening_chars_max());
        let to = ConversationId(KEY.to_string());
        let access = self.access().await;
        self.desk
            .send_opening(&access, &to, effect(OPENING_KEY), &opening, about)
            .await
    }
}

/// The key of a conversation, and of its opening message.
const KEY: Key = Key(Uuid::from_u128(0x55bed77d_f28a_4723_a603_43917aef6355));
const OPENING_KEY: Key = Key(Uuid::from_u128(0xbac7b5f7_8f44_4c71_85c8_58ebb8cbbd40));

fn effect(key: Key) -> Effect {
    Effect {
        key,
        earlier: Earlier::Never,
    }
}

/// A connection to an org, in order; an empty setting is taken out.
fn connection(org: &Org, settings: &[(&str, &str)]) -> Connection {
    let options = org.options();
    let usual = [
        ("tenant_id", options.tenant.as_str()),
        ("client_id", &options.client_id),
        ("client_secret", &options.client_secret),
        ("environment_url", org.url()),
        ("login_url", org.url()),
        ("default_queue_id", WORKSTREAM),
    ];
    connection_of(&usual, settings)
}

/// A connection to the org of nobody, in order.
fn connection_with(settings: &[(&str, &str)]) -> Connection {
    let usual = [
        ("tenant_id", "22222222-2222-2222-2222-222222222222"),
        ("client_id", "11111111-1111-1111-1111-111111111111"),
        ("client_secret", "s3cret"),
        ("environment_url", "https://contoso.crm.dynamics.com"),
        ("default_queue_id", WORKSTREAM),
    ];
    connection_of(&usual, settings)
}

fn connection_of(usual: &[(&str, &str)], settings: &[(&str, &str)]) -> Connection {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in usual.iter().chain(settings) {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    all.retain(|_, value| !value.is_empty());
    Connection {
        name: ConnectionName::from(CONNECTION),
        desk: DeskKind::Dynamics,
        settings: all,
        secrets: BTreeMap::new(),
        version: 1,
    }
}

fn open(connection: &Connection, clock: &Clock) -> Arc<dyn Desk> {
    let limits = Limits {
        timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let http = Http::new(limits).expect("HTTP");
    desk::open(connection, &http, clock).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The example escalation over SMS, to this connection; `change` is laid over its data.
fn escalation(change: Value) -> Escalation {
    example::escalation(|data| {
        data["connection"] = CONNECTION.into();
        for (name, value) in change.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
    })
}

/// A contact with an email address.
fn contact(email: &str, verified: bool) -> Value {
    json!({ "contact": { "name": "Dana", "phone": "+14155550123", "email": email, "verified": verified } })
}

/// What stands for a certificate of [`PAIR`]: nobody here reads more of one than the key inside it.
fn certificate() -> AppCertificate {
    let lines = PAIR.public.lines();
    let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
    let key = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, body).expect("base64");
    let der = [
        &b"\x30\x82\x03\x00 a certificate of "[..],
        &key,
        b" and its signature",
    ]
    .concat();
    AppCertificate {
        pem: pem("CERTIFICATE", &der),
        public_key: PAIR.public.clone(),
    }
}
