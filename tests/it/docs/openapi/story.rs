//! What is brought about for the answers: two desks, connections of every kind, and a place to reach all of it.

use std::collections::BTreeMap;

use baton::app::Base;
use baton::domain::seal::ExposeSecret;
use baton::sim::zendesk::{App, Options};
use serde_json::{Value, json};

use super::caller::{Call, Caller};
use super::document::Answer;
use crate::broker::bench::soon;
use crate::desks::PAIR;
use crate::world::{Setup, World};

const READ_TOKEN: &str = "for-those-who-only-look";
pub const ZENDESK: &str = "acme-zendesk";
/// Nobody listens there.
pub const NOWHERE: &str = "http://127.0.0.1:1";

/// A worker with two desks, and somebody who calls it.
pub struct Story {
    pub world: World,
    pub api: Caller,
    pub zendesk: App,
    /// What Zendesk's webhook comes with.
    pub secret: String,
}

fn free_port() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

impl Story {
    pub async fn begin() -> Self {
        let (ours, theirs) = (free_port(), free_port());
        let mut setup = Setup::shared().await;
        setup.org.public_url = None;
        setup.org.listen = theirs;
        let mut world = setup
            .with("http", &format!("listen = \"{ours}\""))
            .with("http", &format!("public_url = \"http://{ours}\""))
            .with("http", &format!("read_token = \"{READ_TOKEN}\""))
            .with("media", &format!("allow = [\"http://{theirs}\"]"))
            .with("operator", "edit = true")
            .build()
            .await;
        let options = Options {
            time_scale: 0.002,
            ..Options::default()
        };
        let zendesk = App::start(options).await.expect("an account");
        let secret = registered(&world, &zendesk).await;
        world.start().await;
        let token = std::fs::read_to_string(world.folder.path().join("baton.token"));
        let token = token.expect("a token").trim().to_owned();
        let api = Caller::new(world.address(), token, READ_TOKEN);
        Self {
            world,
            api,
            zendesk,
            secret,
        }
    }

    /// The connection to the org as the API takes it, with settings changed.
    pub fn salesforce(&self, changes: &[(&str, &str)]) -> Value {
        let org = self.world.org.options();
        let mut settings = json!({
            "instance_url": "https://acme.my.salesforce.com", "scrt_url": self.world.org.url(),
            "es_developer_name": org.deployment, "org_id": org.org_id, "issuer": org.issuer,
            "auth_key_id": "key-1", "auth_public_key": PAIR.public, "auth_private_key": PAIR.private,
        });
        for (name, value) in changes {
            settings[name] = json!(value);
        }
        json!({ "desk": "salesforce", "settings": settings })
    }

    /// The same for the account.
    pub fn zendesk(&self, changes: &[(&str, &str)]) -> Value {
        let mut settings = json!(account(&self.zendesk));
        for (name, value) in changes {
            settings[name] = json!(value);
        }
        json!({ "desk": "zendesk", "settings": settings })
    }

    pub async fn escalates(&self, session: &str, connection: &str) {
        let mut event = self.world.escalation(session, "web");
        event["data"]["connection"] = json!(connection);
        self.world.publish(&event).await;
    }
}

/// Calls until it is so, for what gives no signal, or may fail because the machine is busy.
pub async fn until<'a>(call: impl Fn() -> Call<'a>, so: impl Fn(&Answer) -> bool) -> Value {
    soon(async {
        loop {
            let answer = call().answered().await;
            if so(&answer) {
                return answer.json();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

fn account(zendesk: &App) -> BTreeMap<String, String> {
    let options = zendesk.options();
    let settings = [
        ("subdomain", "acme".to_owned()),
        ("app_id", options.app_id.clone()),
        ("key_id", options.key_id.clone()),
        ("key_secret", options.key_secret.clone()),
        ("base_url", zendesk.base_url()),
    ];
    settings
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

/// Saves a connection to the account before there is a worker; the secret that its webhook comes with.
async fn registered(world: &World, zendesk: &App) -> String {
    let base = Base::open(&world.config()).expect("a store");
    let save = async || {
        let operator = &base.operator;
        let saved = operator.save_connection(ZENDESK, "zendesk", account(zendesk), "test");
        saved.await.expect("saved")
    };
    // It is no part of the test that the machine is busy.
    let told = async {
        while save().await["set_up"]["ok"] != true {
            tokio::task::yield_now().await;
        }
    };
    soon(told).await;
    let found = base.store.connection(&ZENDESK.into()).await;
    let (connection, _) = found.expect("a store").expect("a connection");
    connection.secrets["webhook_secret"]
        .expose_secret()
        .to_owned()
}
