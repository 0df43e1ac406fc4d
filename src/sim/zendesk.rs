//! A Zendesk account that remembers: Sunshine Conversations v2, the Agent Workspace behind it, and as much of Support as
//! linking contacts takes.
//!
//! It checks what a real account checks, and where no public source says what a real one does, a [switch](Switches)
//! decides. Section numbers here and below are those of the sunshine reference (`desks/zendesk-sunshine.md`).

mod api;
mod attachments;
mod bodies;
mod control;
mod conversations;
mod deliveries;
mod integrations;
pub mod ledger;
mod memory;
mod messages;
mod pages;
mod refusal;
mod rep;
mod routine;
mod support;
mod switchboard;
pub mod switches;
mod tickets;
mod users;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, mem};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::deliveries::Parcel;
use self::ledger::{Conversation, Ledger, Message, SupportUser, Ticket};
use self::memory::Memory;
use self::switches::Switches;
use super::faults::Faults;
use super::rep::Routine;

pub use self::rep::Rep;

/// The names of the calls, for [`Faults`] and the ledger.
pub mod call {
    /// `GET /apps/{id}`.
    pub const APP: &str = "app";
    /// §2.1.
    pub const CREATE_USER: &str = "create-user";
    /// §2.1.
    pub const GET_USER: &str = "get-user";
    /// §2.1.
    pub const UPDATE_USER: &str = "update-user";
    /// §2.2.
    pub const CREATE_CONVERSATION: &str = "create-conversation";
    /// §2.2.
    pub const LIST_CONVERSATIONS: &str = "list-conversations";
    /// §2.2.
    pub const GET_CONVERSATION: &str = "get-conversation";
    /// §2.2.
    pub const PARTICIPANTS: &str = "participants";
    /// §2.3.
    pub const MESSAGE: &str = "message";
    /// §2.3.
    pub const LIST_MESSAGES: &str = "list-messages";
    /// §2.4.
    pub const ACTIVITY: &str = "activity";
    /// §2.5.
    pub const UPLOAD: &str = "upload";
    /// §2.6.
    pub const PASS_CONTROL: &str = "pass-control";
    /// §2.6.
    pub const RELEASE_CONTROL: &str = "release-control";
    /// §2.7.
    pub const SWITCHBOARDS: &str = "switchboards";
    /// §2.7.
    pub const SWITCHBOARD_INTEGRATIONS: &str = "switchboard-integrations";
    /// §3.1.
    pub const LIST_INTEGRATIONS: &str = "list-integrations";
    /// §3.1.
    pub const CREATE_INTEGRATION: &str = "create-integration";
    /// §3.1.
    pub const LIST_WEBHOOKS: &str = "list-webhooks";
    /// §3.1.
    pub const CREATE_WEBHOOK: &str = "create-webhook";
    /// §3.1.
    pub const UPDATE_WEBHOOK: &str = "update-webhook";
    /// §3.1.
    pub const DELETE_WEBHOOK: &str = "delete-webhook";
    /// §2.1.
    pub const SUPPORT_SEARCH: &str = "support-search";
    /// §2.1.
    pub const SUPPORT_UPDATE: &str = "support-update";
    /// Who the token belongs to.
    pub const SUPPORT_ME: &str = "support-me";
}

/// How an account is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Its URL in links to files, if not the one it listens on.
    pub public_url: Option<String>,
    /// The app's id.
    pub app_id: String,
    /// The id of the app's key.
    pub key_id: String,
    /// The secret of the app's key.
    pub key_secret: String,
    /// The admin whose API token Support takes.
    pub support_email: String,
    /// The API token that Support takes.
    pub support_token: String,
    /// The support users there are before any conversation.
    pub support_users: Vec<SupportUser>,
    /// The name of the Agent Workspace in the switchboard.
    pub workspace: String,
    /// What a webhook's schedule of five attempts in 15 minutes is multiplied by (§3.3).
    pub time_scale: f64,
    /// How long a webhook may take to answer.
    pub webhook_timeout: Duration,
    /// The limits, published or not.
    pub limits: Limits,
    /// What the rep does without being told; with none, reps only do what [`App::rep`] says.
    pub routine: Option<Routine>,
    /// The switches to begin with.
    pub switches: Switches,
}

/// The limits of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls per minute; none is published (§1.6).
    pub calls_per_minute: usize,
    /// Messages per conversation (§1.7).
    pub messages_per_conversation: usize,
    /// UTF-16 units of a text (§1.7).
    pub text_units: usize,
    /// Bytes of a JSON body (§1.7).
    pub body_bytes: usize,
    /// Bytes of a file (§1.7).
    pub file_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            app_id: "5ebee0975ac5304b664a12fa".to_owned(),
            key_id: "app_5ebee0975ac5304b664a12fb".to_owned(),
            key_secret: "not-a-real-secret".to_owned(),
            support_email: "admin@acme.example".to_owned(),
            support_token: "not-a-real-token".to_owned(),
            support_users: Vec::new(),
            workspace: "zd-agentWorkspace".to_owned(),
            time_scale: 1.0,
            webhook_timeout: Duration::from_secs(20),
            limits: Limits::default(),
            routine: None,
            switches: Switches::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_minute: usize::MAX,
            messages_per_conversation: 30_000,
            text_units: 4096,
            body_bytes: 100 * 1000,
            file_bytes: 50_000_000,
        }
    }
}

/// Why an account does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// There is no client for webhooks.
    #[error("cannot call webhooks")]
    Client(#[source] reqwest::Error),
}

/// A running account, shared by handle. It stops when the last handle is dropped.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
    url: String,
    _stop: Arc<DropGuard>,
}

/// What calls, webhooks and reps have in common.
struct Shared {
    options: Arc<Options>,
    memory: Mutex<Memory>,
    changed: watch::Sender<()>,
    parcels: mpsc::UnboundedSender<Parcel>,
    client: reqwest::Client,
    faults: Faults,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Starts an account, which serves as soon as this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let address = options.listen;
        let unable = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(unable)?;
        let url = format!("http://{}", listener.local_addr().map_err(unable)?);
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(options.webhook_timeout)
            .build()
            .map_err(StartError::Client)?;
        let options = Arc::new(options);
        let public_url = options.public_url.clone().unwrap_or_else(|| url.clone());
        let (parcels, to_deliver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            memory: Mutex::new(Memory::new(Arc::clone(&options), public_url)),
            options,
            changed: watch::Sender::default(),
            parcels,
            client,
            faults: Faults::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let server = axum::serve(listener, api::router(Arc::clone(&shared)));
        shared.tasks.spawn(
            server
                .with_graceful_shutdown(shared.stop.clone().cancelled_owned())
                .into_future(),
        );
        let postman = Arc::clone(&shared).deliver(to_deliver);
        let stop = shared.stop.clone();
        shared
            .tasks
            .spawn(async move { stop.run_until_cancelled(postman).await });
        let stop = Arc::new(shared.stop.clone().drop_guard());
        Ok(Self {
            shared,
            url,
            _stop: stop,
        })
    }

    /// Where it serves, like `http://127.0.0.1:40123`; it plays the part of `https://acme.zendesk.com` (§1.1).
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its Conversations API is: [`App::url`] with `/sc` (§1.1).
    pub fn base_url(&self) -> String {
        format!("{}/sc", self.url)
    }

    /// How it was set up.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// What it does wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Changes switches from now on.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.shared.change(|memory| change(&mut memory.switches));
    }

    /// Sets the account's clock to this time since the epoch, from where it goes on; a new one has the system's time.
    pub fn set_time(&self, since_epoch: Duration) {
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        self.shared.change(|memory| memory.set_time(millis));
    }

    /// Keeps webhooks back, until [`App::deliver_held`].
    pub fn hold_webhooks(&self) {
        self.shared.change(|memory| memory.holds = true);
    }

    /// Delivers what was kept back, in the order that `arrange` makes of it.
    pub fn deliver_held(&self, arrange: impl FnOnce(&mut Vec<serde_json::Value>)) {
        self.shared.change(|memory| {
            memory.holds = false;
            arrange(&mut memory.outgoing);
        });
    }

    /// Delivers an event once more, as after an answer that got lost.
    pub fn deliver_again(&self, event: &str) {
        self.shared.change(|memory| memory.repeat(event));
    }

    /// Merges the user of a conversation into another, who has the conversation from then on (§3.7, `user:merge`).
    pub fn merge_user_of(&self, conversation: &str) {
        self.shared
            .change(|memory| memory.merge_user_of(conversation));
    }

    /// Gives a conversation to the workspace, as a bot that hands over does.
    pub fn passes_to_workspace(&self, conversation: &str) {
        self.shared.change(|memory| {
            let workspace = memory.options.workspace.clone();
            if let Ok(position) = memory.conversation(conversation) {
                memory.pass_control(position, &workspace, serde_json::Map::new());
            }
        });
    }

    /// A rep who works on this conversation. They join without a word (§3.2).
    ///
    /// # Panics
    ///
    /// If the account has no such conversation.
    pub fn rep(&self, conversation: &str) -> Rep {
        self.shared
            .rep(conversation)
            .unwrap_or_else(|| panic!("the account has no conversation {conversation}"))
    }

    /// Everything the account remembers, as of now.
    pub fn ledger(&self) -> Ledger {
        self.look(Ledger::clone)
    }

    /// What a look at the account's memory shows; nothing else happens meanwhile, so it should be short.
    pub fn look<T>(&self, at: impl FnOnce(&Ledger) -> T) -> T {
        at(&self.shared.memory().ledger)
    }

    /// Returns as soon as the account's memory is as described, which may be at once.
    ///
    /// # Panics
    ///
    /// If that takes longer than 30 seconds.
    pub async fn wait_for(&self, is_so: impl Fn(&Ledger) -> bool) {
        const PATIENCE: Duration = Duration::from_secs(30);
        let mut changed = self.shared.changed.subscribe();
        let is_so = || self.look(&is_so);
        let waiting = async {
            while !is_so() {
                changed
                    .changed()
                    .await
                    .expect("the account holds the sender while it is looked at");
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("what was waited for did not happen");
    }

    /// All conversations, oldest first.
    pub fn conversations(&self) -> Vec<Conversation> {
        self.look(|ledger| ledger.conversations.clone())
    }

    /// The conversation whose metadata has this `opencx_session_id`.
    pub fn conversation_of_session(&self, session: &str) -> Option<Conversation> {
        self.look(|ledger| ledger.conversation_of_session(session).cloned())
    }

    /// Everything said in a conversation, in the order in which it was accepted.
    pub fn messages(&self, conversation: &str) -> Vec<Message> {
        self.look(|ledger| {
            let found = ledger.conversation(conversation);
            found.map(|it| it.messages.clone()).unwrap_or_default()
        })
    }

    /// The tickets of a conversation, oldest first.
    pub fn tickets(&self, conversation: &str) -> Vec<Ticket> {
        self.look(|ledger| ledger.tickets_of(conversation).cloned().collect())
    }

    /// How often a call was made.
    pub fn calls(&self, call: &str) -> u32 {
        self.look(|ledger| ledger.calls.get(call).copied().unwrap_or_default())
    }

    /// How often each call was made.
    pub fn all_calls(&self) -> BTreeMap<String, u32> {
        self.look(|ledger| ledger.calls.clone())
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the account's memory, tells those who wait for it, sends out the events that came of it, and starts the
    /// routines that are due.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory();
        let result = change(&mut memory);
        for parcel in memory.parcels() {
            // Nobody receives once the account stops.
            let _ = self.parcels.send(parcel);
        }
        let unattended = mem::take(&mut memory.unattended);
        drop(memory);
        self.changed.send_replace(());
        for (conversation, heard) in unattended {
            self.start_routine(&conversation, heard);
        }
        result
    }
}
