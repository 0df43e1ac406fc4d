//! The Zendesk desk, against an account that remembers, and with a store and a worker behind its webhooks.

mod calls;
mod endings;
mod files;
mod house;
mod labels;
mod linking;
mod messages;
mod opening;
mod settings;
mod sim;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use baton::desk::http::{Http, Limits};
use baton::desk::{self, Desk};
use baton::domain::clock::Clock;
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::escalation::Escalation;
use baton::domain::event::{Bounds, Received};
use baton::domain::handoff::{AccessToken, Earlier, Effect};
use baton::domain::ids::{ConnectionName, ConversationId, IdShape, Key, Namespace};
use baton::domain::transcript;
use baton::sim::zendesk::{App, Options};
use serde_json::{Value, json};

/// Short enough to wait for in a test, long enough for a busy machine.
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(2),
    timeout: Duration::from_millis(1500),
    answer_bytes_max: 1 << 20,
    stream_silence: Duration::from_secs(1),
};

const CONNECTION: &str = "acme-zendesk";

/// A connection to the app that is in order.
fn connection(options: &Options, base_url: &str) -> Connection {
    let settings = [
        ("subdomain", "acme"),
        ("app_id", &options.app_id),
        ("key_id", &options.key_id),
        ("base_url", base_url),
    ];
    Connection {
        name: ConnectionName::from(CONNECTION),
        desk: DeskKind::Zendesk,
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        secrets: [("key_secret".to_owned(), options.key_secret.clone().into())].into(),
        version: 1,
    }
}

/// The same, with other settings.
fn connection_to(app: &App, settings: &[(&str, &str)]) -> Connection {
    let mut connection = connection(app.options(), &app.base_url());
    for (name, value) in settings {
        connection
            .settings
            .insert((*name).to_owned(), (*value).to_owned());
    }
    connection
}

fn open(connection: &Connection) -> Arc<dyn Desk> {
    let http = Http::new(LIMITS).expect("TLS roots");
    desk::open(connection, &http, &Clock::System).unwrap_or_else(|problems| panic!("{problems:?}"))
}

async fn app_with(change: impl FnOnce(&mut Options)) -> App {
    let mut options = Options {
        time_scale: 0.002,
        ..Options::default()
    };
    change(&mut options);
    App::start(options).await.expect("an account")
}

/// An account, and a desk that knows it.
async fn app_and_desk() -> (App, Arc<dyn Desk>) {
    let app = app_with(|_| ()).await;
    let desk = open(&connection_to(&app, &[]));
    (app, desk)
}

/// The escalation of the interface document for this session; `change` is laid over its data.
fn escalation_of(session: &str, change: Value) -> Escalation {
    let mut event = crate::world::escalation(session, "sms");
    event["data"]["connection"] = CONNECTION.into();
    for (name, value) in change.as_object().into_iter().flatten() {
        event["data"][name] = value.clone();
    }
    let bounds = Bounds {
        event_bytes_max: 1 << 20,
    };
    let received = Received::decode(event.to_string().as_bytes(), bounds).expect("an event");
    Escalation::read(&received).expect("an escalation")
}

fn escalation() -> Escalation {
    escalation_of("s1", json!({}))
}

fn effect(name: &str, earlier: Earlier) -> Effect {
    let key = Namespace::new("test").key(&[name], IdShape::V4);
    Effect { key, earlier }
}

fn key(name: &str) -> Key {
    effect(name, Earlier::Never).key
}

/// The steps of a handoff up to its conversation.
async fn converse(desk: &dyn Desk, about: &Escalation) -> (AccessToken, ConversationId) {
    let identity = desk.identity_token(about).await.expect("a user");
    let access = desk.access_token(&identity).await.expect("access");
    let name = format!("conversation of {}", about.session);
    let conversation = desk
        .create_conversation(&access, effect(&name, Earlier::Never), about)
        .await
        .expect("a conversation");
    (access, conversation)
}

/// All steps of a handoff.
async fn hand_over(desk: &dyn Desk, about: &Escalation) -> (AccessToken, ConversationId) {
    let (access, conversation) = converse(desk, about).await;
    let opening = transcript::opening(about, desk.opening_chars_max());
    let name = format!("opening of {}", about.session);
    desk.send_opening(
        &access,
        &conversation,
        effect(&name, Earlier::Never),
        &opening,
        about,
    )
    .await
    .expect("an opening");
    (access, conversation)
}
