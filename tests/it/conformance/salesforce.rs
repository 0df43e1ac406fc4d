//! Salesforce on the stand.

use std::collections::BTreeMap;

use baton::domain::connection::{Connection, DeskKind};
use baton::domain::ids::ConnectionName;
use baton::sim::faults::Faults;
use baton::sim::salesforce::ledger::{ConversationState, Entry};
use baton::sim::salesforce::switches::{BadIdentity, UserVerification};
use baton::sim::salesforce::{Options, Org, Rep, call};

use super::wrongs::{Found, Way, Wrong};
use super::{Act, CONNECTION, Case, Stand};
use crate::desks::{PAIR, Pair};

pub struct SalesforceStand(Org);

const KEY_ID: &str = "key-1";

impl Stand for SalesforceStand {
    const KIND: DeskKind = DeskKind::Salesforce;
    type Options = Options;

    fn options() -> Options {
        let mut options = Options {
            keys: BTreeMap::from([(KEY_ID.to_owned(), PAIR.public.clone())]),
            ..Options::default()
        };
        options.limits.tokens_per_minute = 100_000;
        options
    }

    async fn start(options: Options) -> Self {
        Self(Org::start(options).await.expect("an org"))
    }

    fn connection(&self) -> Connection {
        let settings = [
            ("instance_url", "https://acme.my.salesforce.com"),
            ("scrt_url", self.0.url()),
            ("es_developer_name", "OpenCX_Custom_Client"),
            ("org_id", "00Dxx0000000xxx"),
            ("auth_public_key", &PAIR.public),
            ("auth_private_key", &PAIR.private),
            ("auth_key_id", KEY_ID),
            ("issuer", "opencx"),
        ];
        Connection {
            name: ConnectionName::from(CONNECTION),
            desk: DeskKind::Salesforce,
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
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
            Act::Access => &[call::ACCESS_TOKEN],
            Act::Conversation => &[call::CREATE_CONVERSATION],
            Act::Opening | Act::Message => &[call::MESSAGE],
            Act::File => &[call::FILE],
            Act::Close => &[call::CLOSE],
        }
    }

    fn shown(&self) -> Vec<String> {
        let mut shown = vec![];
        for conversation in self.0.conversations() {
            shown.push("conversation".to_owned());
            // Each of them pages a rep.
            shown.extend(conversation.sessions.iter().map(|_| "session".to_owned()));
            shown.extend(conversation.messages().map(line));
            if conversation.state == ConversationState::Closed {
                shown.push("closed".to_owned());
            }
        }
        shown
    }

    fn wrongs() -> Vec<Wrong<Self>> {
        [wrong_settings(), wrong_keys(), wrong_deployments()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn exempt(case: Case, act: Act) -> Option<&'static str> {
        match (case, act) {
            (Case::Forbidden, Act::Close) => {
                Some("403 is one way to say that it is closed already")
            }
            _ => None,
        }
    }

    fn rep_says(&self, text: &str) {
        let rep = self.rep();
        if self.0.conversations()[0].session().reps.is_empty() {
            rep.joins();
        }
        rep.says(text);
    }

    fn rep_ends(&self) {
        self.rep().ends();
    }
}

impl SalesforceStand {
    fn rep(&self) -> Rep {
        self.0.rep(&self.0.conversations()[0].id)
    }
}

fn line(entry: &Entry) -> String {
    match &entry.file {
        Some(file) => format!("file: {}", file.name),
        None => format!("message: {}", entry.text.as_deref().unwrap_or_default()),
    }
}

fn wrong_settings() -> Vec<Wrong<SalesforceStand>> {
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
            "an address without a scheme",
            "instance_url",
            "acme.my.salesforce.com",
            "write https://acme.my.salesforce.com",
        ),
        saving(
            "an org id of another length",
            "org_id",
            "00Dxx",
            "which has 15 or 18 letters and digits",
        ),
        saving(
            "a public key in place of the private one",
            "auth_private_key",
            &PAIR.public,
            "paste the private one",
        ),
        saving(
            "a private key in place of the public one",
            "auth_public_key",
            &PAIR.private,
            "paste the public one",
        ),
        saving(
            "a public key of another pair",
            "auth_public_key",
            &Pair::new().public,
            "does not belong to the private key",
        ),
        saving("no issuer", "issuer", "", "issuer: is missing"),
    ]
}

fn wrong_keys() -> Vec<Wrong<SalesforceStand>> {
    let verifying =
        |name, way, setting, advice| Wrong::new(name, Found::Verifying, way, setting, advice);
    vec![
        verifying(
            "a key id that the org does not know",
            Way::setting("auth_key_id", "key-2"),
            "`auth_key_id`",
            "write the kid of the uploaded JWK",
        ),
        verifying(
            "a key of another pair than the uploaded one",
            Way::desk(|org: &mut Options| {
                _ = org.keys.insert(KEY_ID.to_owned(), Pair::new().public)
            }),
            "`auth_private_key`",
            "upload the JWK of this key pair",
        ),
        verifying(
            "an issuer that is not the keyset's",
            Way::setting("issuer", "opencx/"),
            "`issuer`",
            "copy the Issuer of the keyset to the letter",
        ),
        verifying(
            "no user verification on the channel, or no keyset assigned to it",
            Way::desk(|org: &mut Options| org.switches.user_verification = UserVerification::Off),
            "`issuer`",
            "turn on user verification",
        )
        .or(Way::desk(|org: &mut Options| {
            org.switches.bad_identity = BadIdentity::Anonymous
        })
        .and("auth_key_id", "key-2")),
    ]
}

fn wrong_deployments() -> Vec<Wrong<SalesforceStand>> {
    let verifying =
        |name, way, setting, advice| Wrong::new(name, Found::Verifying, way, setting, advice);
    vec![
        verifying(
            "a deployment that the org does not have",
            Way::setting("es_developer_name", "Suport"),
            "`es_developer_name`",
            "copy its API Name from Setup → Embedded Service Deployments",
        ),
        verifying(
            "a deployment of another type",
            Way::setting("es_developer_name", "Web_Widget"),
            "`es_developer_name`",
            "make one of type Custom Client",
        ),
        verifying(
            "the id of another org",
            Way::setting("org_id", "00Dyy0000000yyy"),
            "`org_id`",
            "copy the Organization ID from Setup → Company Information",
        ),
        verifying(
            "an address where nobody is",
            Way::setting("scrt_url", "http://127.0.0.1:9"),
            "`scrt_url`",
            "cannot reach the desk",
        ),
    ]
}
