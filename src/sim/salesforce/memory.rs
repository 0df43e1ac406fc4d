//! The state of an org: what it remembers, who listens, and how an entry gets from a conversation to the listeners.
//!
//! The rules of the calls are in `conversations`, those of the rep in `rep`. Nothing here waits.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Options;
use super::event::{Draft, name_on_stream, uuid};
use super::identity::Access;
use super::ledger::{Conversation, Entry, File, Ledger, SessionStatus};
use super::switches::{FileLinks, StreamAtExpiry, Switches};
use crate::sim::clock::{Clock, Rate};
use crate::sim::faults::Frame;

/// Frames that a listener may be behind; one that is further behind is cut off.
const LISTENER_FRAMES_MAX: usize = 1_024;

/// Messages that a routine may be behind; it does not answer those beyond.
const CUES_MAX: usize = 64;

/// Everything an org knows, under one lock that is never held across an await.
pub(super) struct Memory {
    pub ledger: Ledger,
    pub switches: Switches,
    pub options: Arc<Options>,
    pub clock: Clock,
    pub token_rate: Rate,
    pub message_rates: HashMap<String, Rate>,
    pub revoked: HashSet<u64>,
    /// Tokens up to this one count as expired whatever their `exp`.
    pub expired_through: u64,
    pub last_event_id: u64,
    pub files: HashMap<String, StoredFile>,
    /// New sessions that a routine is to take up, each with what it will hear.
    pub unattended: Vec<(usize, mpsc::Receiver<String>)>,
    records: u64,
    url: String,
    pub channel: String,
    platform_key: String,
    end_users: HashMap<String, EndUser>,
    cues: HashMap<usize, mpsc::Sender<String>>,
}

/// A file that anybody may fetch.
#[derive(Clone)]
pub(super) struct StoredFile {
    pub name: String,
    pub mime_type: String,
    pub content: Bytes,
}

#[derive(Default)]
struct EndUser {
    conversations: Vec<usize>,
    /// The events that are kept for replay.
    kept: VecDeque<Frame>,
    listeners: Vec<Listener>,
}

struct Listener {
    token: u64,
    expires_at: u64,
    frames: mpsc::Sender<Frame>,
}

impl Memory {
    pub fn new(options: Arc<Options>, url: String) -> Self {
        Self {
            ledger: Ledger::default(),
            switches: options.switches.clone(),
            options,
            token_rate: Rate::default(),
            clock: Clock::default(),
            message_rates: HashMap::new(),
            revoked: HashSet::new(),
            expired_through: 0,
            // As in the reference's example, so that ids look as they do there.
            last_event_id: 2_147_867_834,
            files: HashMap::new(),
            unattended: Vec::new(),
            records: 0,
            url,
            channel: uuid(),
            platform_key: uuid(),
            end_users: HashMap::new(),
            cues: HashMap::new(),
        }
    }

    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// The next record id with this prefix, like `0MwV90000000001`.
    pub fn record_id(&mut self, prefix: &str) -> String {
        self.records += 1;
        format!(
            "{prefix}V9{:0width$}",
            self.records,
            width = 13 - prefix.len()
        )
    }

    pub fn at(&self, position: usize) -> &Conversation {
        &self.ledger.conversations[position]
    }

    pub fn at_mut(&mut self, position: usize) -> &mut Conversation {
        &mut self.ledger.conversations[position]
    }

    /// Keeps a new conversation, and says where.
    pub fn add(&mut self, conversation: Conversation) -> usize {
        let position = self.ledger.conversations.len();
        self.ledger
            .positions
            .insert(conversation.id.clone(), position);
        self.end_users
            .entry(conversation.subject.clone())
            .or_default()
            .conversations
            .push(position);
        self.ledger.conversations.push(conversation);
        position
    }

    /// The conversations of an end user, oldest first.
    pub fn of_end_user(&self, subject: &str) -> impl DoubleEndedIterator<Item = &Conversation> {
        let positions = self
            .end_users
            .get(subject)
            .map_or(&[][..], |end_user| &end_user.conversations);
        positions.iter().map(|&position| self.at(position))
    }

    /// Writes an entry down, sends it to everybody who listens to its end user, and returns its identifier.
    pub fn emit(&mut self, position: usize, draft: Draft) -> String {
        let Draft {
            entry_type,
            sender,
            identifier,
            visibility,
            file,
            mut related,
            mut payload,
        } = draft;
        let identifier = identifier.unwrap_or_else(uuid);
        let session = self.at(position).session().id.clone();
        payload["entryType"] = entry_type.into();
        payload["id"] = identifier.as_str().into();
        let mut text = None;
        if entry_type == "Message" {
            payload["abstractMessage"]["id"] = identifier.as_str().into();
            text = payload["abstractMessage"]["staticContent"]["text"]
                .as_str()
                .map(str::to_owned);
            related.push(session.clone());
        }
        let now = self.now();
        self.last_event_id += 1;
        let event_id = self.last_event_id;
        let entry = Entry {
            identifier: identifier.clone(),
            event_id,
            entry_type,
            sender,
            visibility,
            text,
            file,
            session,
            sent_at: now,
            transcripted_at: now,
            payload,
            related,
        };
        let conversation = &self.ledger.conversations[position];
        let envelope = json!({
            "channelPlatformKey": self.platform_key,
            "channelType": "embedded_messaging",
            "channelAddressIdentifier": self.channel,
            "conversationId": conversation.id,
            "conversationEntry": entry.on_the_wire(Value::String(entry.payload.to_string())),
        });
        let frame = Frame::event(event_id, name_on_stream(entry_type), envelope.to_string());
        let end_user = self
            .end_users
            .entry(conversation.subject.clone())
            .or_default();
        end_user.keep(frame.clone(), self.switches.replay_events);
        end_user
            .listeners
            .retain(|listener| listener.frames.try_send(frame.clone()).is_ok());
        self.at_mut(position).entries.push(entry);
        identifier
    }

    /// Moves a conversation's session on, and says so on the stream.
    pub fn session_becomes(
        &mut self,
        position: usize,
        status: SessionStatus,
        ended_by: Option<&str>,
    ) {
        let now = self.now();
        let channel = self.channel.clone();
        let conversation = self.at_mut(position);
        let id = conversation.id.clone();
        let session = conversation.session_mut();
        let payload = json!({
            "sessionId": session.id,
            "channelAddressIdentifier": channel,
            "conversationIdentifier": id,
            "sessionStatus": status,
            "sessionStatusPrev": session.status,
            "sessionEndedByRole": ended_by,
            "sessionStartTime": session.started_at,
            "sessionEndTime": ended_by.map(|_| now),
        });
        session.status = status;
        if status == SessionStatus::Ended {
            session.reps.clear();
        }
        self.emit(
            position,
            Draft::new(
                "SessionStatusChanged",
                super::ledger::Sender::system(),
                payload,
            ),
        );
    }

    /// The kept events after the cursor, and all that come from now on; nothing is missed or doubled in between.
    pub fn listen(
        &mut self,
        access: &Access,
        cursor: u64,
    ) -> (VecDeque<Frame>, mpsc::Receiver<Frame>) {
        let (frames, live) = mpsc::channel(LISTENER_FRAMES_MAX);
        let end_user = self.end_users.entry(access.sub.clone()).or_default();
        end_user.listeners.push(Listener {
            token: access.jti,
            expires_at: access.exp * 1_000,
            frames,
        });
        let missed = end_user
            .kept
            .iter()
            .filter(|frame| frame.id() > Some(cursor))
            .cloned()
            .collect();
        *self.ledger.streams.entry(access.sub.clone()).or_default() += 1;
        (missed, live)
    }

    /// Forgets a stream that has ended.
    pub fn stop_listening(&mut self, subject: &str) {
        if let Some(end_user) = self.end_users.get_mut(subject) {
            end_user
                .listeners
                .retain(|listener| !listener.frames.is_closed());
        }
        if let Some(open) = self.ledger.streams.get_mut(subject) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                *self.ledger.unheard.entry(subject.to_owned()).or_default() += 1;
            }
        }
    }

    /// Ends all streams, as a restart of the event router would.
    pub fn end_streams(&mut self) {
        for end_user in self.end_users.values_mut() {
            end_user.listeners.clear();
        }
    }

    /// Ends the streams whose token has expired, if the org does that.
    pub fn end_expired_streams(&mut self) {
        if self.switches.stream_at_expiry == StreamAtExpiry::Kept {
            return;
        }
        let (now, through) = (self.now(), self.expired_through);
        for end_user in self.end_users.values_mut() {
            end_user
                .listeners
                .retain(|it| it.expires_at > now && it.token > through);
        }
    }

    /// Keeps a file, and returns how the ledger names it and how the org writes its link.
    pub fn store_file(&mut self, stored: StoredFile) -> (File, String) {
        let record = self.record_id("068");
        let url = format!(
            "{}/sfc/dist/version/download/?oid=00D&ids={record}&d=%2Fa%2F{record}&asPdf=false",
            self.url
        );
        let link = match self.switches.file_links {
            FileLinks::Escaped => url.replace('&', "&amp;"),
            FileLinks::Plain => url.clone(),
        };
        let StoredFile {
            name,
            mime_type,
            content,
        } = &stored;
        let file = File {
            name: name.clone(),
            mime_type: mime_type.clone(),
            bytes: content.len(),
            url,
        };
        self.files.insert(record, stored);
        (file, link)
    }

    /// Calls for a routine, if the org has one; it hears what the end user says from now on.
    pub fn call_routine(&mut self, position: usize) {
        if self.options.routine.is_some() {
            let (cues, heard) = mpsc::channel(CUES_MAX);
            self.cues.insert(position, cues);
            self.unattended.push((position, heard));
        }
    }

    /// Lets the conversation's routine hear a message, if it has one.
    pub fn cue(&mut self, position: usize, text: &str) {
        if let Some(cues) = self.cues.get(&position) {
            // A routine that is gone or too far behind says nothing, as a busy rep would.
            let _ = cues.try_send(text.to_owned());
        }
    }

    /// Dismisses the conversation's routine.
    pub fn dismiss(&mut self, position: usize) {
        self.cues.remove(&position);
    }
}

impl EndUser {
    fn keep(&mut self, frame: Frame, at_most: usize) {
        self.kept.push_back(frame);
        while self.kept.len() > at_most {
            self.kept.pop_front();
        }
    }
}

impl Entry {
    /// The entry as the vendor writes it, with its payload in either form.
    pub(super) fn on_the_wire(&self, payload: Value) -> Value {
        json!({
            "senderDisplayName": self.sender.name,
            "identifier": self.identifier,
            "entryType": self.entry_type,
            "entryPayload": payload,
            "sender": self.sender.participant(),
            "contextParamMap": {},
            "visibilityStrategy": self.visibility,
            "relatedRecords": self.related,
            "transcriptedTimestamp": self.transcripted_at,
            "clientTimestamp": self.sent_at,
            "clientDuration": 0,
        })
    }
}
