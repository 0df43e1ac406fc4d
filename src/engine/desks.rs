//! The desks of the configured connections, opened once and again whenever a connection changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::desk::http::Http;
use crate::desk::{self, Desk};
use crate::domain::clock::Clock;
use crate::domain::connection::{DeskKind, Gate};
use crate::domain::error::{Code, DeskError};
use crate::domain::ids::ConnectionName;
use crate::store::{Store, StoreError};

/// Opens desks and remembers them until a connection changes.
pub struct Desks {
    store: Arc<dyn Store>,
    http: Http,
    clock: Clock,
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    version: u64,
    desks: HashMap<ConnectionName, Open>,
}

/// A desk that may or may not be called now.
#[derive(Clone)]
pub struct Open {
    /// The desk.
    pub desk: Arc<dyn Desk>,
    /// Its kind.
    pub kind: DeskKind,
    /// Whether it may be called.
    pub gate: Gate,
}

/// Why there is no desk.
#[derive(Debug, thiserror::Error)]
pub enum NoDesk {
    /// The connection does not exist, or its settings are wrong.
    #[error(transparent)]
    Unusable(DeskError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Desks {
    /// Knows no desk yet.
    pub fn new(store: Arc<dyn Store>, http: Http, clock: Clock) -> Self {
        Self {
            store,
            http,
            clock,
            opened: Mutex::default(),
        }
    }

    /// The desk of a connection.
    pub async fn get(&self, name: &ConnectionName) -> Result<Open, NoDesk> {
        let version = self.store.signals().connections_version();
        if let Some(open) = self.remembered(name, version) {
            return Ok(open);
        }
        let (connection, gate) = self.store.connection(name).await?.ok_or_else(|| {
            NoDesk::Unusable(DeskError::Misconfigured {
                code: Code::UnknownConnection,
                message: format!("there is no connection `{name}`; add it with `baton connection add`, then replay"),
            })
        })?;
        let desk = desk::open(&connection, &self.http, &self.clock).map_err(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            NoDesk::Unusable(DeskError::Misconfigured {
                code: Code::BadCredentials,
                message: format!(
                    "the settings of connection `{name}` are wrong: {}",
                    all.join("; ")
                ),
            })
        })?;
        let open = Open {
            desk,
            kind: connection.desk,
            gate,
        };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.version == version {
            opened.desks.insert(name.clone(), open.clone());
        }
        Ok(open)
    }

    fn remembered(&self, name: &ConnectionName, version: u64) -> Option<Open> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.version != version {
            *opened = Opened {
                version,
                desks: HashMap::new(),
            };
        }
        opened.desks.get(name).cloned()
    }
}
