//! One simulated desk of each kind, and connections to them that are in order.

use std::collections::BTreeMap;
use std::time::Duration;

use baton::domain::clock::{self, Clock};
use baton::domain::jwk;
use baton::domain::keys::RsaPair;
use baton::sim::{dynamics, salesforce, zendesk};
use serde_json::{Value, json};

use super::connect;
use crate::cli::place::Place;
use crate::desks::PAIR;

const YEAR: Duration = Duration::from_hours(365 * 24);

pub type Settings = BTreeMap<String, String>;

pub struct Desks {
    pub salesforce: salesforce::Org,
    pub zendesk: zendesk::App,
    pub dynamics: dynamics::Org,
    webhook_secret: String,
}

impl Desks {
    /// All three, each knowing us; the webhook goes to the port of the place.
    pub async fn start(place: &Place) -> Self {
        Self::calling(&format!("http://{}", place.listen())).await
    }

    /// The same, with a webhook that goes elsewhere.
    pub async fn calling(url: &str) -> Self {
        let salesforce = salesforce::Org::start(salesforce::Options {
            deployment: "Baton".into(),
            issuer: "baton".into(),
            keys: BTreeMap::from([("k1".to_owned(), PAIR.public.clone())]),
            ..salesforce::Options::default()
        });
        let zendesk = zendesk::App::start(zendesk::Options::default());
        let dynamics = dynamics::Org::start(dynamics::Options::default());
        let zendesk = zendesk.await.expect("an account");
        let target = format!("{url}/webhooks/zendesk/zendesk");
        let webhook_secret = register(&zendesk, &target).await;
        Self {
            salesforce: salesforce.await.expect("an org"),
            zendesk,
            dynamics: dynamics.await.expect("an org"),
            webhook_secret,
        }
    }

    /// Connections under the names of their kinds.
    pub fn connect(&self, place: &Place) {
        connect(
            place,
            "salesforce",
            "salesforce",
            &self.salesforce_settings(),
        );
        connect(place, "zendesk", "zendesk", &self.zendesk_settings());
        connect(place, "dynamics", "dynamics", &self.dynamics_settings());
    }

    pub fn salesforce_settings(&self) -> Settings {
        named(&[
            ("instance_url", "https://acme.my.salesforce.com"),
            ("scrt_url", self.salesforce.url()),
            ("es_developer_name", "Baton"),
            ("org_id", &self.salesforce.options().org_id),
            ("issuer", "baton"),
            ("auth_key_id", "k1"),
            ("auth_public_key", &PAIR.public),
            ("auth_private_key", &PAIR.private),
            ("auth_jwk", &jwk_until(YEAR).to_string()),
        ])
    }

    pub fn zendesk_settings(&self) -> Settings {
        let options = self.zendesk.options();
        named(&[
            ("subdomain", "acme"),
            ("base_url", &self.zendesk.base_url()),
            ("app_id", &options.app_id),
            ("key_id", &options.key_id),
            ("key_secret", &options.key_secret),
            ("webhook_secret", &self.webhook_secret),
        ])
    }

    pub fn dynamics_settings(&self) -> Settings {
        let options = self.dynamics.options();
        named(&[
            ("tenant_id", &options.tenant),
            ("client_id", &options.client_id),
            ("client_secret", &options.client_secret),
            ("environment_url", self.dynamics.url()),
            ("login_url", self.dynamics.url()),
            ("default_queue_id", dynamics::WORKSTREAM),
        ])
    }
}

/// The JWK of our pair, with a certificate that ends so far from now.
pub fn jwk_until(end: Duration) -> Value {
    let pair = RsaPair {
        private_pem: PAIR.private.clone().into(),
        public_pem: PAIR.public.clone(),
    };
    let now = Clock::System.now();
    let from = now - YEAR;
    jwk::of(&pair, "k1", from, clock::after(now, end)).expect("a JWK")
}

/// What an admin would do by hand: a custom integration with the webhook; its secret.
async fn register(app: &zendesk::App, target: &str) -> String {
    let options = app.options();
    let http = reqwest::Client::builder().no_proxy().build().expect("HTTP");
    let integrations = format!("{}/v2/apps/{}/integrations", app.base_url(), options.app_id);
    let triggers = [
        "conversation:message",
        "conversation:remove",
        "conversation:typing",
        "switchboard:passControl",
        "switchboard:passControl:failure",
        "switchboard:releaseControl",
    ];
    let body = json!({
        "type": "custom", "status": "active", "displayName": "by hand",
        "webhooks": [{ "target": target, "triggers": triggers }],
    });
    let asked = |request: reqwest::RequestBuilder| async {
        let request = request.basic_auth(&options.key_id, Some(&options.key_secret));
        let answer = request.send().await.expect("an answer");
        answer.json::<Value>().await.expect("JSON")
    };
    let made = asked(http.post(&integrations).json(&body)).await;
    let id = made["integration"]["id"].as_str().expect("an id");
    let webhooks = asked(http.get(format!("{integrations}/{id}/webhooks"))).await;
    let secret = webhooks["webhooks"][0]["secret"].as_str();
    secret.expect("a secret").to_owned()
}

fn named(settings: &[(&str, &str)]) -> Settings {
    let owned = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    owned.collect()
}
