//! A simulated desk, as the demo sees it: how to connect to it, what it has got, and the hands of its reps.
//!
//! The chapters know no kind of desk. Where desks differ, they ask here.

mod dynamics;
mod salesforce;
mod zendesk;

use std::collections::BTreeMap;

use anyhow::anyhow;

use crate::domain::connection::DeskKind;
use crate::domain::keys::RsaPair;
use crate::sim::faults::Faults;

pub use dynamics::Dynamics;
pub use salesforce::Salesforce;
pub use zendesk::Zendesk;

/// A desk that runs in this process, and stops with this value.
pub trait Desk: Send + Sync {
    /// Which it is.
    fn kind(&self) -> DeskKind;

    /// How people speak of it.
    fn words(&self) -> Words;

    /// Where it is.
    fn url(&self) -> &str;

    /// What tells it from others of its kind, by name.
    fn marks(&self) -> Vec<(&'static str, String)>;

    /// The settings of a connection to it, secrets included.
    fn settings(&self) -> BTreeMap<String, String>;

    /// What it does wrong on purpose.
    fn faults(&self) -> &Faults;

    /// Its call that makes a conversation.
    fn creating(&self) -> &'static str;

    /// How often it was asked to make one.
    fn creations(&self) -> u32;

    /// All its conversations that are of this session, oldest first; one is right.
    fn conversations(&self, session: &str) -> Vec<Conversation>;

    /// A rep of this name on one of its conversations; nobody, where what reps write does not come back.
    fn hands(&self, conversation: &str, rep: &str) -> Option<Box<dyn Hands>>;
}

/// How people speak of a desk.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What it is, at the beginning of a sentence.
    pub desk: &'static str,
    /// Why it lets us in.
    pub trusts: &'static str,
    /// What an escalation becomes there.
    pub conversation: &'static str,
    /// What the rep reads first.
    pub opening: &'static str,
    /// How a call that made something is repeated.
    pub again: &'static str,
    /// Why a repeated call makes nothing twice.
    pub once: &'static str,
}

impl Words {
    /// What came of an escalation that the desk was asked so often to take.
    pub fn outcome(&self, asked: u32, there: &[Conversation], of: &str) -> String {
        let openings = there.iter().map(|it| it.opening_messages).sum();
        let times = match asked {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            more => format!("{more} times"),
        };
        format!(
            "Was asked {times}, {}. It has {} of {of}, with {}.",
            self.once,
            counted(there.len(), self.conversation),
            counted(openings, self.opening),
        )
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// What a desk has of an escalation.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// The desk's id.
    pub id: String,
    /// The words that a rep reads first.
    pub opening: String,
    /// How often they are there; once is right.
    pub opening_messages: usize,
    /// All that a rep sees before anybody writes.
    pub sight: String,
    /// What the contact has sent since, in order.
    pub heard: Vec<Said>,
    /// What reps wrote to the contact, in order.
    pub written: Vec<String>,
    /// Whether it is over.
    pub standing: Standing,
}

/// Whether a conversation is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is with the reps.
    #[default]
    Open,
    /// It is not any more.
    Over,
}

/// One thing that a contact sent.
#[derive(Clone, Debug)]
pub enum Said {
    /// Words.
    Words(String),
    /// A file.
    File(File),
}

/// A file as a rep has it.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What the desk takes it for.
    pub content_type: String,
    /// Its size.
    pub bytes: usize,
    /// Where the rep opens it.
    pub url: String,
}

/// A rep's hands on a conversation. Whatever they do has happened on return.
pub trait Hands: Send + Sync {
    /// Takes the conversation. Whether the desk tells anybody before the first word.
    fn join(&self) -> Joining;

    /// Begins to type.
    fn types(&self);

    /// Writes to the contact.
    fn says(&self, text: &str);

    /// Writes to other reps only; nothing, if the desk keeps that out of conversations.
    fn whispers(&self, text: &str) -> Option<()>;

    /// Ends the conversation.
    fn ends(&self);
}

/// When the world hears that a rep has a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// At once.
    IsTold,
    /// With their first words.
    ShowsInWords,
}

/// What every opening message says, and nothing else that a contact sends does.
fn mark(session: &str) -> String {
    format!("Session: {session}")
}

/// Starts a desk of this kind, as it is out of the box, with nobody who answers unless they are told.
pub async fn start(kind: DeskKind) -> anyhow::Result<Box<dyn Desk>> {
    Ok(match kind {
        DeskKind::Salesforce => {
            let making = tokio::task::spawn_blocking(RsaPair::generate);
            let keys = making
                .await
                .map_err(|error| anyhow!("cannot make an RSA key pair: {error}"))?;
            Box::new(Salesforce::start(Default::default(), keys).await?)
        }
        DeskKind::Zendesk => Box::new(Zendesk::start(zendesk::impatient()).await?),
        DeskKind::Dynamics => Box::new(Dynamics::start(Default::default()).await?),
    })
}
