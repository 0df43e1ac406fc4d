//! One list of cases, three desks: what every desk must do is written once, and run against each of them.
//!
//! A case knows no desk. It plays against a [`Stand`]: a simulator, a connection to it that is in order, and the few
//! things about them that differ. Where a case does not apply to a desk, the stand says why.

mod answers;
mod dynamics;
mod effects;
mod journey;
mod recorded;
mod salesforce;
mod wrongs;
mod zendesk;

use std::time::Duration;

use baton::desk::http::{Http, Limits};
use baton::desk::{self, Desk, File};
use baton::domain::clock::Clock;
use baton::domain::connection::{Connection, DeskKind};
use baton::domain::error::{DeskError, Remedy};
use baton::domain::escalation::Escalation;
use baton::domain::handoff::{AccessToken, Earlier, Effect};
use baton::domain::ids::{ConversationId, IdShape, Namespace};
use baton::domain::transcript;
use baton::sim::faults::Faults;
use std::sync::Arc;

use crate::world;
use dynamics::DynamicsStand;
use salesforce::SalesforceStand;
use wrongs::Wrong;
use zendesk::ZendeskStand;

/// Writes each case down once per desk.
macro_rules! on_every_desk {
    ($($file:ident::$case:ident as $name:ident,)*) => {
        mod on_salesforce {
            $(#[tokio::test] async fn $name() { super::$file::$case::<super::SalesforceStand>().await; })*
        }
        mod on_zendesk {
            $(#[tokio::test] async fn $name() { super::$file::$case::<super::ZendeskStand>().await; })*
        }
        mod on_dynamics {
            $(#[tokio::test] async fn $name() { super::$file::$case::<super::DynamicsStand>().await; })*
        }
    };
}

on_every_desk! {
    effects::undisturbed as there_is_one_of_each_thing,
    effects::twice as the_same_key_twice_has_one_effect,
    effects::lost_responses as a_response_that_is_lost_doubles_and_loses_nothing,
    effects::not_done as a_call_that_came_to_nothing_is_made_up_for,
    answers::of_each_kind as every_answer_is_the_fact_it_states,
    wrongs::each_is_named as every_wrong_setting_and_missing_set_up_has_its_own_message,
}

/// What is done at a desk, in the order of a handoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Get access: the first call that shows who we are.
    Access,
    Conversation,
    Opening,
    Message,
    File,
    Close,
}

impl Act {
    pub const ALL: [Self; 6] = [
        Self::Access,
        Self::Conversation,
        Self::Opening,
        Self::Message,
        Self::File,
        Self::Close,
    ];
}

/// A simulated desk and a connection to it.
pub trait Stand: Sized + Send + Sync {
    const KIND: DeskKind;
    /// How the simulator is set up.
    type Options: Send;

    fn options() -> Self::Options;
    async fn start(options: Self::Options) -> Self;
    /// In order, but for what [`Desk::set_up`] adds.
    fn connection(&self) -> Connection;
    fn faults(&self) -> &Faults;
    /// The simulator's names of the calls that an act consists of; the first is made whatever the escalation says.
    fn calls(act: Act) -> &'static [&'static str];
    /// All that the desk has, in its order, a line each: `conversation`, `message: …`, `file: …`, `closed`, and what
    /// else this kind of desk keeps.
    fn shown(&self) -> Vec<String>;
    /// What an admin can get wrong.
    fn wrongs() -> Vec<Wrong<Self>>;
    /// Why a case does not apply to an act; `None` where it does.
    fn exempt(case: Case, act: Act) -> Option<&'static str>;

    /// Lets a rep answer, where the words come back.
    fn rep_says(&self, text: &str);
    /// Lets the rep end it.
    fn rep_ends(&self);
}

/// The cases that do not apply to every act of every desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// The same effect once more, without a word that it was tried before.
    TwiceUntold,
    /// 403 is a refusal.
    Forbidden,
    /// 401 asks for new access.
    Renewed,
}

/// The name of the connection in all tests.
pub const CONNECTION: &str = "acme";
/// Where Baton would be reached.
pub const PUBLIC_URL: &str = "https://baton.acme.example";

/// Words that only one message has.
const WORDS: &str = "It was the order of last Tuesday.";
const FILE_NAME: &str = "receipt.png";
/// Words of the opening message.
const STORY: &str = "charged twice for order 5512";

/// A stand, and a connection that went through the whole of `baton connection add`.
pub async fn stand_with<S: Stand>(options: S::Options, http: &Http) -> (S, Connection) {
    let stand = S::start(options).await;
    let mut connection = stand.connection();
    desk::check(&mut connection).unwrap_or_else(|problems| panic!("{problems:?}"));
    let desk = open(&connection, http);
    let mut set_up = desk.set_up(PUBLIC_URL).await;
    // It is no part of a case that the machine is busy.
    while matches!(set_up, Err(DeskError::Timeout(_))) {
        set_up = desk.set_up(PUBLIC_URL).await;
    }
    let secrets = set_up.expect("it is set up").secrets;
    connection.secrets.extend(secrets);
    (stand, connection)
}

/// A stand that is in order, and a handoff to it.
async fn walk_to<S: Stand>(http: &Http) -> (S, Walk) {
    let (stand, connection) = stand_with::<S>(S::options(), http).await;
    let walk = Walk::new(open(&connection, http));
    (stand, walk)
}

fn open(connection: &Connection, http: &Http) -> Arc<dyn Desk> {
    desk::open(connection, http, &Clock::System).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// One for each test: its pool belongs to the test's runtime.
fn http() -> Http {
    Http::new(LIMITS).expect("TLS roots")
}

/// Short enough to wait for in a test, long enough for a busy machine.
const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(2),
    timeout: Duration::from_secs(2),
    answer_bytes_max: 1 << 20,
    stream_silence: Duration::from_secs(1),
};

/// The acts of one handoff, one after the other.
pub struct Walk {
    pub desk: Arc<dyn Desk>,
    about: Escalation,
    access: Option<AccessToken>,
    conversation: Option<ConversationId>,
}

impl Walk {
    pub fn new(desk: Arc<dyn Desk>) -> Self {
        Self::of(desk, "s1")
    }

    /// Of this session; the contact is the same in all.
    pub fn of(desk: Arc<dyn Desk>, session: &str) -> Self {
        Self {
            desk,
            about: escalation(session),
            access: None,
            conversation: None,
        }
    }

    /// Makes one attempt.
    pub async fn take(&mut self, act: Act, earlier: Earlier) -> Result<(), DeskError> {
        let desk = self.desk.clone();
        let name = format!("{act:?} of {}", self.about.session);
        let key = Namespace::new("conformance").key(&[&name], IdShape::V4);
        let effect = Effect { key, earlier };
        if act == Act::Access {
            let identity = desk.identity_token(&self.about).await?;
            self.access = Some(desk.access_token(&identity).await?);
            return Ok(());
        }
        let access = self.access.clone().expect("access comes first");
        if act == Act::Conversation {
            let made = desk
                .create_conversation(&access, effect, &self.about)
                .await?;
            let before = self.conversation.get_or_insert_with(|| made.clone());
            assert_eq!(*before, made, "another attempt found another conversation");
            return Ok(());
        }
        let to = self
            .conversation
            .clone()
            .expect("a conversation comes first");
        match act {
            Act::Access | Act::Conversation => Ok(()),
            Act::Opening => {
                let opening = transcript::opening(&self.about, desk.opening_chars_max());
                desk.send_opening(&access, &to, effect, &opening, &self.about)
                    .await
            }
            Act::Message => desk.send_message(&access, &to, effect, WORDS).await,
            Act::File => desk.send_file(&access, &to, effect, &file()).await,
            Act::Close => desk.close(&access, &to).await,
        }
    }

    /// Makes attempts as the journey does: again after trouble, and with new access where that is what helps.
    pub async fn settle(&mut self, act: Act) -> Result<(), DeskError> {
        self.settle_from(act, Earlier::Never).await
    }

    /// The same, where something may have been tried before.
    pub async fn settle_from(&mut self, act: Act, earlier: Earlier) -> Result<(), DeskError> {
        let mut went = self.take(act, earlier).await;
        for _ in 0..3 {
            match went.as_ref().map_err(DeskError::remedy) {
                Ok(()) | Err(Remedy::Human) => break,
                Err(Remedy::Wait) => {}
                Err(Remedy::Renew) => self.take(Act::Access, Earlier::Perhaps).await?,
            }
            went = self.take(act, Earlier::Perhaps).await;
        }
        went
    }

    /// Access and the conversation, once both are there.
    pub fn reached(&self) -> (&AccessToken, &ConversationId) {
        let access = self.access.as_ref().expect("access comes first");
        let conversation = self.conversation.as_ref();
        (access, conversation.expect("a conversation comes first"))
    }

    /// All acts up to this one, without it.
    pub async fn up_to(&mut self, act: Act) {
        for earlier in Act::ALL.into_iter().take_while(|it| *it != act) {
            self.settle(earlier).await.expect("nothing is wrong yet");
        }
    }

    /// All acts after this one.
    pub async fn on_from(&mut self, act: Act) {
        for later in Act::ALL.into_iter().skip_while(|it| *it != act).skip(1) {
            self.settle(later).await.expect("nothing is wrong any more");
        }
    }
}

/// What an undisturbed handoff leaves at the desk.
async fn undisturbed<S: Stand>(http: &Http) -> Vec<String> {
    let (stand, mut walk) = walk_to::<S>(http).await;
    walk.up_to(Act::Close).await;
    walk.settle(Act::Close).await.expect("closed");
    stand.shown()
}

fn escalation(session: &str) -> Escalation {
    let mut event = world::escalation(session, "sms");
    event["data"]["contact"] = world::escalation("s1", "sms")["data"]["contact"].take();
    event["data"]["connection"] = CONNECTION.into();
    crate::example::read(&event).expect("an escalation")
}

fn file() -> File {
    File {
        name: FILE_NAME.into(),
        content_type: "image/png".into(),
        bytes: b"\x89PNG\r\n\x1a\n and some more".to_vec().into(),
    }
}
