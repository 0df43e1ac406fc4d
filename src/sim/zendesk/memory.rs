//! The state of an account: what it remembers, and how something that happens becomes an event.
//!
//! The rules of the calls are in the files named for them. Nothing here waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Options;
use super::deliveries::Parcel;
use super::ledger::{Conversation, Delivery, Ledger, SupportUser, User};
use super::refusal::Refusal;
use super::switches::Switches;
use crate::sim::clock::{Clock, Rate};

/// Messages that a routine may be behind; it does not answer those beyond.
const CUES_MAX: usize = 64;

/// Everything an account knows, under one lock that is never held across an await.
pub(super) struct Memory {
    pub ledger: Ledger,
    pub switches: Switches,
    pub options: Arc<Options>,
    pub clock: Clock,
    pub rate: Rate,
    pub url: String,
    pub files: HashMap<String, Bytes>,
    /// Custom integrations by id, with their names, in the order in which they were made.
    pub integrations: Vec<(String, String)>,
    /// Events that are not on their way yet.
    pub outgoing: Vec<Value>,
    /// Whether they are kept back.
    pub holds: bool,
    /// Conversations that a routine is to take up, each with what it will hear.
    pub unattended: Vec<(String, mpsc::Receiver<String>)>,
    pub users_by_external_id: HashMap<String, usize>,
    events: HashMap<String, Value>,
    cues: HashMap<String, mpsc::Sender<String>>,
    last_millis: u64,
    ids: u64,
}

impl Memory {
    pub fn new(options: Arc<Options>, url: String) -> Self {
        let mut memory = Self {
            ledger: Ledger::default(),
            switches: options.switches.clone(),
            clock: Clock::default(),
            rate: Rate::default(),
            url,
            files: HashMap::new(),
            integrations: Vec::new(),
            outgoing: Vec::new(),
            holds: false,
            unattended: Vec::new(),
            users_by_external_id: HashMap::new(),
            events: HashMap::new(),
            cues: HashMap::new(),
            last_millis: 0,
            ids: 0,
            options: Arc::clone(&options),
        };
        for user in &options.support_users {
            memory.add_support_user(user.clone());
        }
        memory
    }

    pub fn set_time(&mut self, millis: u64) {
        self.clock.set(millis);
        self.last_millis = 0;
    }

    /// A time that nothing has had before.
    pub fn moment(&mut self) -> u64 {
        self.last_millis = self.clock.now().max(self.last_millis + 1);
        self.last_millis
    }

    /// 24 hexadecimal digits that count on (§1.4).
    pub fn id(&mut self) -> String {
        self.ids += 1;
        format!("{:08x}{:016x}", self.clock.now() / 1_000, self.ids)
    }

    pub fn add_support_user(&mut self, mut user: SupportUser) -> u64 {
        if user.id == 0 {
            user.id = 382_411_000_000 + self.ledger.support_users.len() as u64;
        }
        let id = user.id;
        self.ledger.support_users.push(user);
        id
    }

    /// Where a user is who is there; by the vendor's id or by the external one.
    pub fn user(&self, id: &str) -> Result<usize, Refusal> {
        let by_id = self.ledger.positions.get(id).copied();
        let by_id = by_id.filter(|&at| self.ledger.users.get(at).is_some_and(|it| it.id == id));
        by_id
            .or_else(|| self.users_by_external_id.get(id).copied())
            .filter(|&at| !self.ledger.users[at].merged)
            .ok_or_else(|| Refusal::not_found("user_not_found"))
    }

    /// Where a conversation is that is there.
    pub fn conversation(&self, id: &str) -> Result<usize, Refusal> {
        let at = self.ledger.positions.get(id).copied();
        at.filter(|&at| {
            let found = self.ledger.conversations.get(at);
            found.is_some_and(|it| it.id == id && !it.removed)
        })
        .ok_or_else(|| Refusal::not_found("conversation_not_found"))
    }

    pub fn at(&self, position: usize) -> &Conversation {
        &self.ledger.conversations[position]
    }

    pub fn at_mut(&mut self, position: usize) -> &mut Conversation {
        &mut self.ledger.conversations[position]
    }

    /// Whether a list shows what happened then.
    pub fn shows(&self, at: u64) -> bool {
        at + self.switches.list_lag_millis <= self.clock.now().max(self.last_millis)
    }

    /// Lets something happen in a conversation: an event, for every webhook that is called for it.
    pub fn emit(&mut self, kind: &str, position: usize, payload: Value) {
        let conversation = self.at(position);
        let mut about = json!({
            "id": conversation.id, "type": "personal", "brandId": "360004166971", "metadata": conversation.metadata,
        });
        if let Some(active) = self.active(position) {
            about["activeSwitchboardIntegration"] = active;
        }
        let mut payload = payload;
        payload["conversation"] = about;
        let (id, at) = (self.id(), self.moment());
        let event = json!({ "id": id, "createdAt": written(at), "type": kind, "payload": payload });
        self.events.insert(id, event.clone());
        self.outgoing.push(event);
    }

    /// Sends an event once more.
    pub fn repeat(&mut self, event: &str) {
        self.outgoing.extend(self.events.get(event).cloned());
    }

    /// What is to be delivered now, to each webhook what it is called for.
    pub fn parcels(&mut self) -> Vec<Parcel> {
        if self.holds || self.outgoing.is_empty() {
            return Vec::new();
        }
        let events = std::mem::take(&mut self.outgoing);
        let size = self.switches.events_per_delivery.max(1);
        let mut parcels = Vec::new();
        for webhook in &self.ledger.webhooks {
            let is_for = |event: &&Value| {
                let mut triggers = webhook.triggers.iter();
                triggers.any(|trigger| event["type"] == trigger.as_str())
            };
            let wanted: Vec<Value> = events.iter().filter(is_for).cloned().collect();
            for events in wanted.chunks(size) {
                for _ in 0..self.switches.deliveries {
                    parcels.push((webhook.id.clone(), events.to_vec()));
                }
            }
        }
        let list = |events: &[Value], part: &str| {
            let parts = events
                .iter()
                .map(|event| event[part].as_str().unwrap_or_default());
            parts.map(str::to_owned).collect()
        };
        let numbered = parcels.into_iter().map(|(webhook, events)| {
            self.ledger.deliveries.push(Delivery {
                webhook: webhook.clone(),
                events: list(&events, "id"),
                types: list(&events, "type"),
                attempts: Vec::new(),
                done: false,
            });
            Parcel {
                number: self.ledger.deliveries.len() - 1,
                webhook,
                events,
            }
        });
        numbered.collect()
    }

    /// Calls for a routine, if the account has one; it hears what the user says from now on.
    pub fn call_routine(&mut self, conversation: &str) {
        if self.options.routine.is_some() && !self.cues.contains_key(conversation) {
            let (cues, heard) = mpsc::channel(CUES_MAX);
            self.cues.insert(conversation.to_owned(), cues);
            self.unattended.push((conversation.to_owned(), heard));
        }
    }

    /// Lets the conversation's routine hear a message, if it has one.
    pub fn cue(&mut self, conversation: &str, text: &str) {
        if let Some(cues) = self.cues.get(conversation) {
            // A routine that is gone or too far behind says nothing, as a busy rep would.
            let _ = cues.try_send(text.to_owned());
        }
    }

    /// Dismisses the conversation's routine.
    pub fn dismiss(&mut self, conversation: &str) {
        self.cues.remove(conversation);
    }

    /// Keeps a new user, and says where.
    pub fn add_user(&mut self, user: User) -> usize {
        let at = self.ledger.users.len();
        self.ledger.positions.insert(user.id.clone(), at);
        if let Some(external_id) = &user.external_id {
            self.users_by_external_id.insert(external_id.clone(), at);
        }
        self.ledger.users.push(user);
        at
    }
}

/// A time as the vendor writes it, like `2026-11-21T09:03:20.440Z` (§1.4).
pub(super) fn written(millis: u64) -> String {
    let at = Timestamp::from_millisecond(millis.cast_signed()).unwrap_or_default();
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

/// A moment of the vendor's schedule, as this account keeps it.
pub(super) fn scaled(duration: Duration, scale: f64) -> Duration {
    duration.mul_f64(scale.max(0.0))
}
