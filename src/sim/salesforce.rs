//! A Salesforce MIAW org that remembers: the REST v2 calls and the event stream, as Baton uses them.
//!
//! It checks what a real org checks, and where no public source says what a real org does, a [switch](Switches) decides.
//! Section numbers here and below are those of the miaw reference (`desks/salesforce-miaw.md`).

mod api;
mod calls;
mod control;
mod conversations;
mod event;
mod files;
mod identity;
pub mod ledger;
mod memory;
mod refusal;
mod rep;
mod request;
mod stream;
pub mod switches;
mod tokens;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, mem};

use axum::serve::ListenerExt;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::identity::{Keyset, Seal};
use self::ledger::{Conversation, ConversationState, Entry, Ledger};
use self::memory::Memory;
use self::switches::Switches;
use super::faults::Faults;
use super::rep::Routine;

pub use self::rep::Rep;

/// The names of the calls, for [`Faults`] and the ledger.
pub mod call {
    /// §2.1.
    pub const UNAUTHENTICATED_TOKEN: &str = "unauthenticated-token";
    /// §2.2.
    pub const ACCESS_TOKEN: &str = "access-token";
    /// §2.3.
    pub const CONTINUATION_TOKEN: &str = "continuation-token";
    /// §2.4.
    pub const REVOKE_TOKEN: &str = "revoke-token";
    /// §2.6.
    pub const CREATE_CONVERSATION: &str = "create-conversation";
    /// §2.7.
    pub const MESSAGE: &str = "message";
    /// §2.8.
    pub const FILE: &str = "file";
    /// §2.9.
    pub const LIST_CONVERSATIONS: &str = "list-conversations";
    /// §2.10.
    pub const ROUTING_STATUS: &str = "routing-status";
    /// §2.11.
    pub const ENTRIES: &str = "entries";
    /// §2.12.
    pub const ACKNOWLEDGE: &str = "acknowledge";
    /// §2.13.
    pub const TYPING: &str = "typing";
    /// §2.14.
    pub const END_SESSION: &str = "end-session";
    /// §2.14.
    pub const CLOSE: &str = "close";
    /// §4.
    pub const EVENT_STREAM: &str = "event-stream";
}

/// How an org is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Its URL in links to files, if not the one it listens on.
    pub public_url: Option<String>,
    /// The 15 characters.
    pub org_id: String,
    /// The API name of its Custom Client deployment.
    pub deployment: String,
    /// The API names of its other deployments, which the API must not use (§1).
    pub web_deployments: Vec<String>,
    /// The issuer of its keyset; identity JWTs must name it byte for byte (§3.2).
    pub issuer: String,
    /// The name of its keyset.
    pub keyset: String,
    /// The public RSA keys of its keyset, PEM by key id.
    pub keys: BTreeMap<String, String>,
    /// How long a verified user's access token lasts (§2.5).
    pub token_lifetime: Duration,
    /// Time between two pings on a stream.
    pub ping_every: Duration,
    /// The routing attributes that its channel knows.
    pub channel_variables: Variables,
    /// The published limits, and those that are guesses.
    pub limits: Limits,
    /// What the rep does without being told; with none, reps only do what [`Org::rep`] says.
    pub routine: Option<Routine>,
    /// The switches to begin with.
    pub switches: Switches,
}

/// The routing attributes that a channel knows; it drops others without a word (§2.6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variables {
    /// Whatever comes.
    Any,
    /// These, case-sensitively.
    Only(Vec<String>),
}

/// The limits of an org (§6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Access tokens per minute and org.
    pub tokens_per_minute: usize,
    /// Messages per minute and conversation.
    pub messages_per_minute: usize,
    /// Characters of a message's text; undocumented, and a guess.
    pub text_characters: usize,
    /// Characters of a routing attribute; an admin sets it per attribute, so this is a guess.
    pub attribute_characters: usize,
}

impl Default for Options {
    fn default() -> Self {
        let variables = [
            "OpencxSessionId",
            "Chat_Consumer_Type",
            "Origin",
            "Priority",
            "Chat_language",
        ];
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            org_id: "00Dxx0000000xxx".to_owned(),
            deployment: "OpenCX_Custom_Client".to_owned(),
            web_deployments: vec!["Web_Widget".to_owned()],
            issuer: "opencx".to_owned(),
            keyset: "OpenCX_Keyset".to_owned(),
            keys: BTreeMap::new(),
            token_lifetime: Duration::from_secs(60 * 60),
            ping_every: Duration::from_secs(20),
            channel_variables: Variables::Only(variables.map(str::to_owned).into()),
            limits: Limits::default(),
            routine: None,
            switches: Switches::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens_per_minute: 200,
            messages_per_minute: 22,
            text_characters: 10_000,
            attribute_characters: 255,
        }
    }
}

/// Why an org does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The org id has the wrong form.
    #[error("the org id `{0}` is not the 15-character form")]
    OrgId(String),
    /// A key cannot be read.
    #[error("the key `{id}` is no PEM-encoded public RSA key")]
    Key {
        /// The key's id.
        id: String,
        /// What is wrong with it.
        source: jsonwebtoken::errors::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// A running org, shared by handle. It stops when the last handle is dropped.
#[derive(Clone)]
pub struct Org {
    shared: Arc<Shared>,
    url: String,
    _stop: Arc<DropGuard>,
}

/// What calls, streams and reps have in common.
struct Shared {
    options: Arc<Options>,
    memory: Mutex<Memory>,
    changed: watch::Sender<()>,
    keyset: Mutex<Keyset>,
    seal: Seal,
    faults: Faults,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Shared {
    fn keyset(&self) -> MutexGuard<'_, Keyset> {
        self.keyset.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Org {
    /// Starts an org, which serves as soon as this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        if options.org_id.len() != 15
            || !options
                .org_id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(StartError::OrgId(options.org_id));
        }
        let keyset = Keyset::new(&options.issuer, &options.keys)
            .map_err(|(id, source)| StartError::Key { id, source })?;
        let address = options.listen;
        let unable = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(unable)?;
        let url = format!("http://{}", listener.local_addr().map_err(unable)?);
        let options = Arc::new(options);
        let public_url = options.public_url.clone().unwrap_or_else(|| url.clone());
        let shared = Arc::new(Shared {
            memory: Mutex::new(Memory::new(Arc::clone(&options), public_url)),
            options,
            changed: watch::Sender::default(),
            keyset: Mutex::new(keyset),
            seal: Seal::new(),
            faults: Faults::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        // Small frames must not wait for each other. A socket that refuses the option is only slower.
        let listener = listener.tap_io(|connection| _ = connection.set_nodelay(true));
        let server = axum::serve(listener, api::router(Arc::clone(&shared)));
        shared.tasks.spawn(
            server
                .with_graceful_shutdown(shared.stop.clone().cancelled_owned())
                .into_future(),
        );
        let stop = Arc::new(shared.stop.clone().drop_guard());
        Ok(Self {
            shared,
            url,
            _stop: stop,
        })
    }

    /// An admin puts other keys into the keyset, PEM by key id.
    pub fn trust(&self, keys: &BTreeMap<String, String>) {
        let keyset = Keyset::new(&self.shared.options.issuer, keys);
        let keyset = keyset.unwrap_or_else(|(id, error)| panic!("the key {id}: {error}"));
        *self.shared.keyset() = keyset;
    }

    /// Where it serves, like `http://127.0.0.1:40123`; it plays the part of the `…my.salesforce-scrt.com` host (§1).
    pub fn url(&self) -> &str {
        &self.url
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

    /// Lets every access token issued so far expire.
    pub fn expire_tokens(&self) {
        self.shared.change(|memory| {
            memory.expired_through = memory.ledger.tokens.len() as u64;
            memory.end_expired_streams();
        });
    }

    /// Moves the org's clock on: tokens expire, minutes pass.
    pub fn advance(&self, by: Duration) {
        let now = self.shared.memory().now();
        self.set_time(Duration::from_millis(now) + by);
    }

    /// Sets the org's clock to this time since the epoch, from where it goes on; a new org has the system's time.
    pub fn set_time(&self, since_epoch: Duration) {
        self.shared.change(|memory| {
            memory
                .clock
                .set(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX));
            memory.end_expired_streams();
        });
    }

    /// Ends all streams, as a restart of the event router would.
    pub fn end_streams(&self) {
        self.shared.change(Memory::end_streams);
    }

    /// Lets an admin close a conversation or delete it, of which no stream says a word.
    ///
    /// # Panics
    ///
    /// If the org has no such conversation.
    pub fn settle(&self, conversation: &str, state: ConversationState) {
        self.shared.change(|memory| {
            let position = memory.ledger.positions.get(conversation).copied();
            let position =
                position.unwrap_or_else(|| panic!("the org has no conversation {conversation}"));
            memory.dismiss(position);
            memory.at_mut(position).state = state;
        });
    }

    /// Stops serving: streams end, calls under way are finished, those that hang are cut. Returns when all is quiet.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// A rep who works on this conversation.
    ///
    /// # Panics
    ///
    /// If the org has no such conversation.
    pub fn rep(&self, conversation: &str) -> Rep {
        self.shared
            .rep(conversation)
            .unwrap_or_else(|| panic!("the org has no conversation {conversation}"))
    }

    /// Everything the org remembers, as of now.
    pub fn ledger(&self) -> Ledger {
        self.look(Ledger::clone)
    }

    /// What a look at the org's memory shows; nothing else happens meanwhile, so it should be short.
    pub fn look<T>(&self, at: impl FnOnce(&Ledger) -> T) -> T {
        at(&self.shared.memory().ledger)
    }

    /// Returns as soon as the org's memory is as described, which may be at once.
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
                    .expect("the org holds the sender while it is looked at");
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

    /// The conversation whose routing attribute `OpencxSessionId` is this.
    pub fn conversation_of_session(&self, session: &str) -> Option<Conversation> {
        self.look(|ledger| ledger.conversation_of_session(session).cloned())
    }

    /// What the end user's side sent into a conversation, in the order in which it was accepted.
    pub fn messages(&self, conversation: &str) -> Vec<Entry> {
        self.look(|ledger| {
            ledger
                .conversation(conversation)
                .map(|it| it.messages().cloned().collect())
                .unwrap_or_default()
        })
    }

    /// What reps said to the end user of a conversation, in their order.
    pub fn rep_entries(&self, conversation: &str) -> Vec<Entry> {
        self.look(|ledger| {
            ledger
                .conversation(conversation)
                .map(|it| it.rep_entries().cloned().collect())
                .unwrap_or_default()
        })
    }

    /// How often a call was made.
    pub fn calls(&self, call: &str) -> u32 {
        self.look(|ledger| ledger.calls(call))
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the org's memory, tells those who wait for it, and starts the routines that are due.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut memory = self.memory();
        let result = change(&mut memory);
        let unattended = mem::take(&mut memory.unattended);
        drop(memory);
        self.changed.send_replace(());
        for (position, heard) in unattended {
            self.start_routine(position, heard);
        }
        result
    }
}
