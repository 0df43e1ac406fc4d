//! The state of an org: what it remembers, its tokens, its clock. Nothing here waits.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, json};
use uuid::Uuid;

use super::Options;
use super::ledger::{Issued, Ledger, Row};
use super::protection::Protection;
use super::switches::Switches;
use super::tables::Kind;

/// Everything an org knows, under one lock that is never held across an await.
pub(super) struct Memory {
    pub ledger: Ledger,
    pub switches: Switches,
    pub clock: Clock,
    pub protection: Protection,
    /// When each token expires, in epoch milliseconds.
    tokens: HashMap<String, u64>,
}

impl Memory {
    pub fn new(options: &Options) -> Self {
        let mut memory = Self {
            ledger: Ledger::default(),
            switches: options.switches.clone(),
            clock: Clock::default(),
            protection: Protection::default(),
            tokens: HashMap::new(),
        };
        for (id, name) in &options.workstreams {
            let columns = json!({ "msdyn_name": name });
            memory.furnish(Kind::Workstream, id, columns);
        }
        for id in &options.queues {
            memory.furnish(Kind::Queue, id, json!({ "name": "Support" }));
        }
        for (age, contact) in options.contacts.iter().enumerate() {
            let columns = json!({
                "emailaddress1": contact.email, "statecode": contact.state,
                "createdon": format!("2026-01-01T00:00:{age:02}Z"),
            });
            memory.furnish(Kind::Contact, &contact.id, columns);
        }
        memory
    }

    /// A row that was there before anybody came.
    fn furnish(&mut self, kind: Kind, id: &str, columns: serde_json::Value) {
        self.ledger.rows.push(Row {
            kind,
            id: id.to_ascii_lowercase(),
            columns: columns.as_object().cloned().unwrap_or_else(Map::new),
            links: Default::default(),
            created_at: 0,
            changes: 0,
        });
    }

    /// A new token.
    pub fn issue(&mut self, proof: &'static str, lifetime: Duration) -> String {
        let at = self.clock.now();
        self.ledger.tokens.push(Issued { proof, at });
        // Looks like a JWT, and nobody but us may look inside.
        let token = format!("eyJ0eXAiOiJKV1QifQ.{}.c2ln", Uuid::new_v4().simple());
        let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        self.tokens
            .insert(token.clone(), at.saturating_add(lifetime));
        token
    }

    pub fn is_good(&self, token: &str) -> bool {
        self.tokens
            .get(token)
            .is_some_and(|expires_at| *expires_at > self.clock.now())
    }

    pub fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    pub fn advance(&mut self, by: Duration) {
        self.clock.ahead += by;
    }
}

/// The system's clock, or ahead of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    ahead: Duration,
}

impl Clock {
    /// Epoch milliseconds.
    pub fn now(self) -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from((now + self.ahead).as_millis()).unwrap_or(u64::MAX)
    }
}
