//! A Salesforce org, and the keys that it trusts.

use std::collections::BTreeMap;

use super::{Conversation, Desk, File, Hands, Joining, Said, Standing, Words, mark};
use crate::domain::connection::DeskKind;
use crate::domain::keys::RsaPair;
use crate::domain::seal::ExposeSecret;
use crate::sim::faults::Faults;
use crate::sim::salesforce::ledger::{self, ConversationState, Entry};
use crate::sim::salesforce::{Options, Org, Rep, StartError, call};

/// What the org calls the public key that it is given.
const KEY_ID: &str = "demo-key";

/// The org's address for humans; Baton uses only the messaging host, which the simulator plays.
const INSTANCE_URL: &str = "https://simulated.my.salesforce.com";

/// An org, and our keys to sign identities with.
pub struct Salesforce {
    /// The org.
    pub org: Org,
    keys: RsaPair,
}

impl Salesforce {
    /// The setting that holds the public key.
    pub const PUBLIC_KEY: &str = "auth_public_key";

    /// The setting that holds the private key.
    pub const PRIVATE_KEY: &str = "auth_private_key";

    /// Starts an org that trusts these keys.
    pub async fn start(options: Options, keys: RsaPair) -> Result<Self, StartError> {
        let trusted = BTreeMap::from([(KEY_ID.to_owned(), keys.public_pem.clone())]);
        let options = Options {
            keys: trusted,
            ..options
        };
        let org = Org::start(options).await?;
        Ok(Self { org, keys })
    }
}

impl Desk for Salesforce {
    fn kind(&self) -> DeskKind {
        DeskKind::Salesforce
    }

    fn words(&self) -> Words {
        Words {
            desk: "A Salesforce org",
            trusts: "It has the public half of a fresh RSA key pair.",
            conversation: "conversation",
            opening: "opening message",
            again: "with the same id",
            once: "each time with the id that Baton had chosen before the first",
        }
    }

    fn url(&self) -> &str {
        self.org.url()
    }

    fn marks(&self) -> Vec<(&'static str, String)> {
        let org = self.org.options();
        vec![
            ("org_id", org.org_id.clone()),
            ("deployment", org.deployment.clone()),
        ]
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let org = self.org.options();
        let settings = [
            ("instance_url", INSTANCE_URL),
            ("scrt_url", self.org.url()),
            ("es_developer_name", &org.deployment),
            ("org_id", &org.org_id),
            ("issuer", &org.issuer),
            ("auth_key_id", KEY_ID),
            (Self::PUBLIC_KEY, &self.keys.public_pem),
            (Self::PRIVATE_KEY, self.keys.private_pem.expose_secret()),
        ];
        settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn faults(&self) -> &Faults {
        self.org.faults()
    }

    fn creating(&self) -> &'static str {
        call::CREATE_CONVERSATION
    }

    fn creations(&self) -> u32 {
        self.org.calls(call::CREATE_CONVERSATION)
    }

    fn conversations(&self, session: &str) -> Vec<Conversation> {
        self.org.look(|ledger| {
            let is_its = |conversation: &&ledger::Conversation| {
                let first = conversation.sessions.first();
                first.is_some_and(|it| it.sent.get("OpencxSessionId") == Some(&session.into()))
            };
            let its = ledger.conversations.iter().filter(is_its);
            its.map(|it| seen(session, it)).collect()
        })
    }

    fn hands(&self, conversation: &str, rep: &str) -> Option<Box<dyn Hands>> {
        Some(Box::new(self.org.rep(conversation).named(rep)))
    }
}

fn seen(session: &str, conversation: &ledger::Conversation) -> Conversation {
    let mark = mark(session);
    let is_opening = |entry: &&Entry| entry.text.as_ref().is_some_and(|it| it.contains(&mark));
    let openings: Vec<&Entry> = conversation.messages().filter(is_opening).collect();
    let opening = openings.first().and_then(|entry| entry.text.clone());
    let opening = opening.unwrap_or_default();
    let said = |entry: &Entry| match &entry.file {
        Some(file) => Some(Said::File(File {
            name: file.name.clone(),
            content_type: file.mime_type.clone(),
            bytes: file.bytes,
            url: file.url.clone(),
        })),
        None => entry.text.clone().map(Said::Words),
    };
    Conversation {
        id: conversation.id.clone(),
        opening_messages: openings.len(),
        sight: opening.clone(),
        opening,
        heard: (conversation.messages())
            .filter(|entry| !is_opening(entry))
            .filter_map(said)
            .collect(),
        written: (conversation.rep_entries())
            .filter_map(|entry| entry.text.clone())
            .collect(),
        standing: match conversation.state {
            ConversationState::Open => Standing::Open,
            ConversationState::Closed | ConversationState::Deleted => Standing::Over,
        },
    }
}

impl Hands for Rep {
    fn join(&self) -> Joining {
        self.joins();
        Joining::IsTold
    }

    fn types(&self) {
        Rep::types(self);
    }

    fn says(&self, text: &str) {
        Rep::says(self, text);
    }

    fn whispers(&self, text: &str) -> Option<()> {
        Rep::whispers(self, text);
        Some(())
    }

    fn ends(&self) {
        Rep::ends(self);
    }
}
