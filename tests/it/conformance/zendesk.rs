//! Zendesk on the stand.

use std::collections::BTreeMap;

use baton::domain::connection::{Connection, DeskKind};
use baton::domain::ids::ConnectionName;
use baton::sim::faults::Faults;
use baton::sim::zendesk::ledger::Message;
use baton::sim::zendesk::switches::{MultiConversations, Switchboard};
use baton::sim::zendesk::{App, Options, Rep, call};
use futures_util::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::wrongs::{Found, Way, Wrong};
use super::{Act, CONNECTION, Case, Stand};

pub struct ZendeskStand(App);

impl Stand for ZendeskStand {
    const KIND: DeskKind = DeskKind::Zendesk;
    type Options = Options;

    fn options() -> Options {
        Options {
            time_scale: 0.002,
            ..Options::default()
        }
    }

    async fn start(options: Options) -> Self {
        Self(App::start(options).await.expect("an account"))
    }

    fn connection(&self) -> Connection {
        let usual = Options::default();
        let settings = [
            ("subdomain", "acme".to_owned()),
            ("app_id", usual.app_id),
            ("key_id", usual.key_id),
            ("key_secret", usual.key_secret),
            ("base_url", self.0.base_url()),
        ];
        Connection {
            name: ConnectionName::from(CONNECTION),
            desk: DeskKind::Zendesk,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            secrets: BTreeMap::new(),
            version: 1,
        }
    }

    fn faults(&self) -> &Faults {
        self.0.faults()
    }

    fn calls(act: Act) -> &'static [&'static str] {
        match act {
            Act::Access => &[call::CREATE_USER],
            Act::Conversation => &[call::CREATE_CONVERSATION],
            Act::Opening => &[call::MESSAGE, call::PASS_CONTROL],
            Act::Message => &[call::MESSAGE],
            Act::File => &[call::UPLOAD, call::MESSAGE],
            Act::Close => &[call::GET_CONVERSATION, call::RELEASE_CONTROL],
        }
    }

    fn shown(&self) -> Vec<String> {
        let ledger = self.0.ledger();
        let mut shown: Vec<String> = ledger.users.iter().map(|_| "user".to_owned()).collect();
        for conversation in &ledger.conversations {
            shown.push("conversation".to_owned());
            shown.extend(conversation.messages.iter().map(line));
            let tickets = ledger.tickets_of(&conversation.id);
            shown.extend(tickets.map(|it| format!("ticket with {} messages", it.messages.len())));
            let was_with_reps = conversation.controls.iter().any(|it| it.to.is_some());
            if was_with_reps && conversation.active.is_none() {
                shown.push("closed".to_owned());
            }
        }
        shown
    }

    fn wrongs() -> Vec<Wrong<Self>> {
        [
            wrong_settings(),
            wrong_keys(),
            missing_set_up(),
            wrong_webhooks(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn exempt(case: Case, act: Act) -> Option<&'static str> {
        match (case, act) {
            (Case::TwiceUntold, Act::Conversation | Act::Opening | Act::Message | Act::File) => {
                Some(
                    "Zendesk takes no ids of ours: the adapter looks first if it is told that something was tried",
                )
            }
            _ => None,
        }
    }

    fn rep_says(&self, text: &str) {
        self.rep().says(text);
    }

    fn rep_ends(&self) {
        self.rep().ends_session();
    }
}

impl ZendeskStand {
    fn rep(&self) -> Rep {
        self.0.rep(&self.0.conversations()[0].id)
    }
}

fn line(message: &Message) -> String {
    let content = &message.content;
    match content["type"].as_str() {
        Some("text") => format!("message: {}", content["text"].as_str().unwrap_or_default()),
        _ => format!("file: {}", content["altText"].as_str().unwrap_or_default()),
    }
}

fn wrong_settings() -> Vec<Wrong<ZendeskStand>> {
    let saving = |name, setting: &'static str, value: &str, advice| {
        Wrong::new(
            name,
            Found::Saving,
            Way::setting(setting, value),
            setting,
            advice,
        )
    };
    vec![
        saving(
            "a subdomain that is none",
            "subdomain",
            "my company",
            "write acme if your address is",
        ),
        saving(
            "an app id that is none",
            "app_id",
            "12345",
            "copy it from Admin Center",
        ),
        saving(
            "a key of an integration (int_)",
            "key_id",
            "int_5ebee0975ac5304b664a12fb",
            "is the key of an integration",
        ),
        saving(
            "a key of an account (act_)",
            "key_id",
            "act_5ebee0975ac5304b664a12fb",
            "is the key of an account",
        ),
        saving(
            "a key of a service account (svc_)",
            "key_id",
            "svc_5ebee0975ac5304b664a12fb",
            "is the key of a service account",
        ),
        saving(
            "a secret in place of the key id",
            "key_id",
            "a-secret",
            "is no key of an app",
        ),
        saving("no secret", "key_secret", "", "key_secret: is missing"),
        saving(
            "a target that moves on",
            "switchboard_integration",
            "next",
            "must not be `next`",
        ),
        Wrong::new(
            "half of the Support credentials",
            Found::Saving,
            Way::setting("support_email", "admin@acme.example"),
            "support_token",
            "support_token: is missing",
        ),
    ]
}

fn wrong_keys() -> Vec<Wrong<ZendeskStand>> {
    let verifying =
        |name, way, setting, advice| Wrong::new(name, Found::Verifying, way, setting, advice);
    let unlinked = Found::VerifyingOnly(
        "a link to a support user is a comfort, and no reason to keep a contact waiting",
    );
    vec![
        // Zendesk says the same to both: "Authorization is required".
        verifying(
            "a key that does not exist, or another secret",
            Way::setting("key_id", "app_5ebee0975ac5304b664a12ff"),
            "`key_id` and `key_secret`",
            "of a key that exists",
        )
        .or(Way::setting("key_secret", "another-secret"))
        .or(Way::setting("key_secret", "another-secret").and("auth", "jwt")),
        verifying(
            "the id of another app",
            Way::setting("app_id", "5ebee0975ac5304b664a12ff"),
            "app_id",
            "copy the App ID again",
        ),
        verifying(
            "a key without the rights",
            Way::afterwards(|stand, _| {
                async {
                    use baton::sim::faults::{ANY, Fault, Nth, What};
                    let body = r#"{"errors":[{"code":"forbidden","title":"Forbidden"}]}"#.into();
                    let forbidden = What::Status { status: 403, body };
                    stand
                        .0
                        .faults()
                        .fail(ANY, Nth::Every, Fault::before(forbidden));
                }
                .boxed()
            }),
            "key_id",
            "write a key of the app with full rights",
        ),
        verifying(
            "an address where nobody is",
            Way::setting("base_url", "http://127.0.0.1:9/sc"),
            "`base_url`",
            "cannot reach the desk",
        ),
        Wrong::new(
            "an API token of Support that is refused",
            unlinked,
            Way::setting("support_email", "admin@acme.example")
                .and("support_token", "another-token"),
            "support_token",
            "an API token as `support_token`",
        )
        .or(Way::setting("support_email", "nobody@acme.example")
            .and("support_token", "not-a-real-token")),
    ]
}

fn missing_set_up() -> Vec<Wrong<ZendeskStand>> {
    let verifying =
        |name, way, setting, advice| Wrong::new(name, Found::Verifying, way, setting, advice);
    vec![
        verifying(
            "multi-conversations are off",
            Way::desk(|app: &mut Options| {
                app.switches.multi_conversations = MultiConversations::Off
            }),
            "multi-conversations",
            "turn on multi-conversations",
        ),
        verifying(
            "no switchboard, because messaging is off",
            Way::desk(|app: &mut Options| app.switches.switchboard = Switchboard::Absent),
            "switchboard_integration",
            "turn on messaging",
        )
        .or(Way::desk(|app: &mut Options| {
            app.switches.switchboard = Switchboard::Disabled
        })),
        verifying(
            "no such integration in the switchboard",
            Way::setting("switchboard_integration", "zd-agents"),
            "switchboard_integration",
            "the switchboard has no `zd-agents`; write one of",
        ),
        verifying(
            "no workspace in the switchboard",
            Way::desk(|app: &mut Options| app.switches.switchboard = Switchboard::WithoutWorkspace),
            "switchboard_integration",
            "add the Agent Workspace",
        ),
        Wrong::new(
            "a bot in place of the workspace",
            Found::VerifyingOnly("Zendesk passes control to whom it is told to"),
            Way::setting("switchboard_integration", "zd-answerBot"),
            "switchboard_integration",
            "is not the Agent Workspace",
        ),
    ]
}

/// A rep would have the whole story, and their answers would not come.
fn wrong_webhooks() -> Vec<Wrong<ZendeskStand>> {
    let found =
        Found::VerifyingOnly("the rep gets the story; a sweep reads what no webhook brings");
    let wrong = |name, way, advice| Wrong::new(name, found, way, "webhook_secret", advice);
    vec![
        wrong(
            "no webhook",
            Way::afterwards(|stand, connection| {
                async {
                    stand.webhook(Method::DELETE, &Value::Null).await;
                    connection.secrets.remove("webhook_secret");
                }
                .boxed()
            }),
            "no webhook of the app leads to",
        ),
        wrong(
            "a webhook with another secret",
            Way::setting("webhook_secret", "another-secret"),
            "has another secret",
        ),
        wrong(
            "a webhook of another connection",
            Way::afterwards(|_, connection| {
                async { connection.name = ConnectionName::from("renamed") }.boxed()
            }),
            "and not to /webhooks/zendesk/renamed",
        ),
        wrong(
            "a webhook that is not called for all that matters",
            Way::afterwards(|stand, _| {
                async {
                    let fewer = json!({ "triggers": ["conversation:message"] });
                    stand.webhook(Method::PATCH, &fewer).await;
                }
                .boxed()
            }),
            "is not called for all of",
        ),
    ]
}

impl ZendeskStand {
    /// What an admin does to our webhook.
    async fn webhook(&self, method: Method, body: &Value) {
        let options = self.0.options();
        let webhook = self.0.ledger().webhooks[0].clone();
        let url = format!(
            "{}/v2/apps/{}/integrations/{}/webhooks/{}",
            self.0.base_url(),
            options.app_id,
            webhook.integration,
            webhook.id
        );
        let request = reqwest::Client::new().request(method, url);
        let request = request.basic_auth(&options.key_id, Some(&options.key_secret));
        let answer = request.json(body).send().await;
        assert!(answer.expect("an answer").status().is_success());
    }
}
