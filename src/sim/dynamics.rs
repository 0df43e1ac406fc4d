//! A Dynamics 365 org that remembers: Microsoft Entra's token endpoint and the Dataverse Web API, as Baton uses them.
//!
//! It checks what a real org checks, and where no public source says what a real org does, a [switch](Switches) decides.
//! It proves nothing about routing: no public source shows that a work item made by a write is offered to a rep (§0).
//! Section numbers here and below are those of the dynamics reference (`desks/dynamics-365.md`).

mod api;
mod control;
mod dataverse;
mod entra;
pub mod ledger;
mod memory;
mod protection;
mod query;
mod refusal;
pub mod switches;
mod tables;
mod write;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::serve::ListenerExt;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::ledger::{Ledger, Row};
use self::memory::Memory;
use self::switches::Switches;
use self::tables::Tables;
use super::faults::Faults;

pub use self::entra::AppCertificate;
pub use self::protection::{Limit, Limits};
pub use self::tables::Profile;

/// The names of the calls, for [`Faults`] and the ledger.
pub mod call {
    /// §1.1.
    pub const TOKEN: &str = "token";
    /// §2.1.
    pub const WHO_AM_I: &str = "who-am-i";
    /// §3.4.
    pub const FIND_CONTACTS: &str = "find-contacts";
    /// Any other GET.
    pub const READ: &str = "read";
    /// §3.1.
    pub const CREATE_WORK_ITEM: &str = "create-work-item";
    /// §3.3.
    pub const CREATE_CONTEXT_ITEM: &str = "create-context-item";
    /// §3.5.
    pub const CREATE_TRANSCRIPT: &str = "create-transcript";
    /// §3.5.
    pub const CREATE_NOTE: &str = "create-note";
    /// A PATCH with `If-Match`, of any table.
    pub const UPDATE: &str = "update";
    /// Anything else.
    pub const OTHER: &str = "other";
}

/// How an org is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The tenant of the app registration.
    pub tenant: String,
    /// The app registration.
    pub client_id: String,
    /// The value of its client secret.
    pub client_secret: String,
    /// The certificate that was uploaded to it.
    pub certificate: Option<AppCertificate>,
    /// What its tables are called.
    pub profile: Profile,
    /// Its workstreams, each a GUID and a name.
    pub workstreams: Vec<(String, String)>,
    /// The GUIDs of its queues.
    pub queues: Vec<String>,
    /// Its contacts.
    pub contacts: Vec<Contact>,
    /// How long a token lasts (§1.1).
    pub token_lifetime: Duration,
    /// The service-protection limits (§2.5).
    pub limits: Limits,
    /// Bytes of a note's file (§3.5).
    pub file_bytes_max: usize,
    /// The switches to begin with.
    pub switches: Switches,
}

/// A contact that the org has.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Its GUID.
    pub id: String,
    /// `emailaddress1`.
    pub email: String,
    /// `statecode`: 0 is active.
    pub state: u8,
}

/// The workstream of an org that was set up by [`Options::default`].
pub const WORKSTREAM: &str = "33333333-3333-3333-3333-333333333333";

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tenant: "22222222-2222-2222-2222-222222222222".to_owned(),
            client_id: "11111111-1111-1111-1111-111111111111".to_owned(),
            client_secret: "s3cret&+".to_owned(),
            certificate: None,
            profile: Profile::Product,
            workstreams: vec![(WORKSTREAM.to_owned(), "SMS support".to_owned())],
            queues: Vec::new(),
            contacts: Vec::new(),
            token_lifetime: Duration::from_secs(3599),
            limits: Limits::default(),
            file_bytes_max: 5 * 1024 * 1024,
            switches: Switches::default(),
        }
    }
}

/// Why an org does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An id has the wrong form.
    #[error("`{0}` is no GUID")]
    Guid(String),
    /// The certificate's key cannot be read.
    #[error("the public key of the certificate is no PEM-encoded RSA key")]
    Key(#[source] jsonwebtoken::errors::Error),
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
    faults: Faults,
    url: String,
    _stop: Arc<DropGuard>,
}

/// What calls have in common.
struct Shared {
    options: Arc<Options>,
    url: String,
    tables: Tables,
    app_key: Option<entra::AppKey>,
    memory: Mutex<Memory>,
    changed: watch::Sender<()>,
    faults: Faults,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Org {
    /// Starts an org, which serves as soon as this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let workstreams = options.workstreams.iter().map(|(id, _)| id);
        let contacts = options.contacts.iter().map(|contact| &contact.id);
        let mut ids = workstreams.chain(contacts).chain(&options.queues);
        if let Some(bad) = ids.find(|id| Uuid::try_parse(id).is_err()) {
            return Err(StartError::Guid(bad.clone()));
        }
        let app_key = options
            .certificate
            .as_ref()
            .map(entra::AppKey::new)
            .transpose()
            .map_err(StartError::Key)?;
        let address = options.listen;
        let unable = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(unable)?;
        let url = format!("http://{}", listener.local_addr().map_err(unable)?);
        let options = Arc::new(options);
        let shared = Arc::new(Shared {
            memory: Mutex::new(Memory::new(&options)),
            tables: Tables::new(options.profile),
            app_key,
            url: url.clone(),
            options,
            changed: watch::Sender::default(),
            faults: Faults::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        // Small answers must not wait for each other. A socket that refuses the option is only slower.
        let listener = listener.tap_io(|connection| _ = connection.set_nodelay(true));
        let server = axum::serve(listener, api::router(Arc::clone(&shared)));
        shared.tasks.spawn(
            server
                .with_graceful_shutdown(shared.stop.clone().cancelled_owned())
                .into_future(),
        );
        let stop = Arc::new(shared.stop.clone().drop_guard());
        Ok(Self {
            faults: shared.faults.clone(),
            shared,
            url,
            _stop: stop,
        })
    }

    /// Where it serves, like `http://127.0.0.1:40123`: as the environment, and as the place that tokens come from.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How it was set up.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// What it does wrong on purpose.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Changes switches from now on.
    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.shared.change(|memory| change(&mut memory.switches));
    }

    /// Lets every access token issued so far expire.
    pub fn expire_tokens(&self) {
        self.shared.change(Memory::expire_tokens);
    }

    /// Moves the org's clock on: tokens expire, limits are forgotten.
    pub fn advance(&self, by: Duration) {
        self.shared.change(|memory| memory.advance(by));
    }

    /// Exceeds a service-protection limit: for so long, every call gets a 429 of that kind (§2.5).
    pub fn exceed(&self, limit: Limit, rest: Duration) {
        self.shared
            .change(|memory| memory.protection.exceed(limit, memory.clock.now(), rest));
    }

    /// Deletes a contact, as somebody in the org might.
    pub fn delete_contact(&self, id: &str) {
        self.shared
            .change(|memory| memory.ledger.delete(tables::Kind::Contact, id));
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

    /// All work items, oldest first.
    pub fn work_items(&self) -> Vec<Row> {
        self.look(|ledger| ledger.work_items().cloned().collect())
    }

    /// The context variables of a work item, by name, as they stand in the standard and the elastic table.
    pub fn context(&self, work_item: &str) -> Vec<(String, String)> {
        self.look(|ledger| ledger.context(work_item))
    }

    /// All notes, oldest first.
    pub fn notes(&self) -> Vec<Row> {
        self.look(|ledger| ledger.notes().cloned().collect())
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

    /// Changes the org's memory, and tells those who wait for it.
    fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        let result = change(&mut self.memory());
        self.changed.send_replace(());
        result
    }
}
