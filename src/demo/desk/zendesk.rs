//! A Zendesk account, whose reps' words come back by webhook.

use std::collections::BTreeMap;

use super::{Conversation, Desk, File, Hands, Joining, Said, Standing, Words, mark};
use crate::domain::connection::DeskKind;
use crate::sim::faults::Faults;
use crate::sim::zendesk::ledger::{self, Ledger, Message};
use crate::sim::zendesk::{App, Options, Rep, StartError, call};

/// The account's address for humans; Baton uses only the simulator's.
const SUBDOMAIN: &str = "simulated";

/// Fifteen minutes of tries to deliver a webhook, in as many seconds: nobody waits for an hour of a demo.
const TIME_SCALE: f64 = 1.0 / 60.0;

/// An account with reps who have less time than real ones.
pub(super) fn impatient() -> Options {
    Options {
        time_scale: TIME_SCALE,
        ..Options::default()
    }
}

/// An account with one app.
pub struct Zendesk {
    /// The account.
    pub app: App,
}

impl Zendesk {
    /// Starts an account.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let app = App::start(options).await?;
        Ok(Self { app })
    }
}

impl Desk for Zendesk {
    fn kind(&self) -> DeskKind {
        DeskKind::Zendesk
    }

    fn words(&self) -> Words {
        Words {
            desk: "A Zendesk account",
            trusts: "Its app has a key for us.",
            conversation: "conversation",
            opening: "opening message",
            again: "after a look for the mark of the first",
            once: "because it takes no ids of ours, and Baton looks for its own mark before it asks again",
        }
    }

    fn url(&self) -> &str {
        self.app.url()
    }

    fn marks(&self) -> Vec<(&'static str, String)> {
        let app = self.app.options();
        vec![
            ("app_id", app.app_id.clone()),
            ("key_id", app.key_id.clone()),
        ]
    }

    fn settings(&self) -> BTreeMap<String, String> {
        let (app, base_url) = (self.app.options(), self.app.base_url());
        let settings = [
            ("subdomain", SUBDOMAIN),
            ("base_url", &base_url),
            ("app_id", &app.app_id),
            ("key_id", &app.key_id),
            ("key_secret", &app.key_secret),
            ("support_email", &app.support_email),
            ("support_token", &app.support_token),
        ];
        settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn faults(&self) -> &Faults {
        self.app.faults()
    }

    fn creating(&self) -> &'static str {
        call::CREATE_CONVERSATION
    }

    fn creations(&self) -> u32 {
        self.app.calls(call::CREATE_CONVERSATION)
    }

    fn conversations(&self, session: &str) -> Vec<Conversation> {
        self.app.look(|ledger| {
            let all = ledger.conversations.iter();
            all.filter(|it| it.metadata.get("opencx_session_id") == Some(&session.into()))
                .map(|it| seen(session, it, ledger))
                .collect()
        })
    }

    fn hands(&self, conversation: &str, rep: &str) -> Option<Box<dyn Hands>> {
        Some(Box::new(self.app.rep(conversation).named(rep)))
    }
}

fn seen(session: &str, conversation: &ledger::Conversation, ledger: &Ledger) -> Conversation {
    let mark = mark(session);
    let posted: Vec<&Message> = conversation.of_business().collect();
    let opening = posted.iter().map(|message| message.text()).collect();
    let tickets = ledger.tickets_of(&conversation.id);
    let tickets = tickets.map(|ticket| {
        format!(
            "Ticket #{}, of {}\nTags: {}\n\n",
            ticket.id,
            ticket.requester_name.as_deref().unwrap_or("somebody"),
            ticket.tags.join(", "),
        )
    });
    Conversation {
        id: conversation.id.clone(),
        sight: format!("{}{opening}", tickets.collect::<String>()),
        opening,
        opening_messages: (posted.iter())
            .filter(|message| message.text().contains(&mark))
            .count(),
        heard: (conversation.of_user())
            .map(|message| said(message, ledger))
            .collect(),
        written: (conversation.of_workspace())
            .map(|message| message.text().to_owned())
            .filter(|text| !text.is_empty())
            .collect(),
        standing: match conversation.active {
            Some(_) => Standing::Open,
            None => Standing::Over,
        },
    }
}

fn said(message: &Message, ledger: &Ledger) -> Said {
    let mut files = ledger.attachments.iter();
    match files.find(|file| message.content["mediaUrl"] == file.url.as_str()) {
        Some(file) => Said::File(File {
            name: file.name.clone(),
            content_type: file.media_type.clone(),
            bytes: file.bytes,
            url: file.url.clone(),
        }),
        None => Said::Words(message.text().to_owned()),
    }
}

impl Hands for Rep {
    fn join(&self) -> Joining {
        Joining::ShowsInWords
    }

    fn types(&self) {
        Rep::types(self);
    }

    fn says(&self, text: &str) {
        Rep::says(self, text);
    }

    /// Internal notes are on the ticket and never in the conversation.
    fn whispers(&self, _text: &str) -> Option<()> {
        None
    }

    fn ends(&self) {
        self.ends_session();
    }
}
