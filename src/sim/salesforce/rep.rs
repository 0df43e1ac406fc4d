//! The rep in the org's console: what they do, and exactly the events that follow (miaw reference §4.5, §5).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Shared;
use super::event::{Draft, static_content, uuid};
use super::ledger::{RoutingStatus, Sender, SessionStatus};
use super::memory::{Memory, StoredFile};
use super::switches::{RepEnd, Transfer};
use crate::sim::rep::{Finish, Routine};

/// A rep's hands on one conversation. Whatever they do has happened, and is on its way to the streams, on return.
///
/// Methods that write something return the entry's identifier.
#[derive(Clone)]
pub struct Rep {
    shared: Arc<Shared>,
    position: usize,
    sender: Sender,
}

impl Rep {
    /// The same conversation, in the hands of another rep.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self {
            sender: rep(name),
            ..self.clone()
        }
    }

    /// Takes the conversation: it is assigned and accepted, the rep is added, the session is active.
    pub fn joins(&self) {
        self.act(|memory, position| self.arrive(memory, position));
    }

    /// Begins to type.
    pub fn types(&self) {
        self.act(|memory, position| self.indicate(memory, position, "TypingStartedIndicator"));
    }

    /// Stops typing.
    pub fn stops_typing(&self) {
        self.act(|memory, position| self.indicate(memory, position, "TypingStoppedIndicator"));
    }

    /// Writes to the end user.
    pub fn says(&self, text: &str) -> String {
        self.emit(Draft::text(self.sender.clone(), text))
    }

    /// Writes what only reps may see.
    pub fn whispers(&self, text: &str) -> String {
        self.emit(Draft {
            visibility: "Internal",
            ..Draft::text(self.sender.clone(), text)
        })
    }

    /// Sends a file, with or without words; anybody with the link may fetch it.
    pub fn sends_file(
        &self,
        name: &str,
        mime_type: &str,
        content: impl Into<Bytes>,
        caption: Option<&str>,
    ) -> String {
        let stored = StoredFile {
            name: name.to_owned(),
            mime_type: mime_type.to_owned(),
            content: content.into(),
        };
        self.act(|memory, position| {
            let (file, link) = memory.store_file(stored);
            memory.emit(
                position,
                Draft::file(self.sender.clone(), file, &link, caption),
            )
        })
    }

    /// Sends a link with a preview.
    pub fn sends_link(&self, title: &str, url: &str) -> String {
        let content = json!({
            "formatType": "RichLink",
            "image": {
                "assetType": "ImageAsset", "id": uuid(), "mimeType": "image/png", "assetUrl": url, "description": null,
            },
            "linkItem": { "itemType": "LinkItem", "titleItem": { "itemType": "TitleItem", "title": title }, "url": url },
        });
        self.emit(Draft::message(self.sender.clone(), static_content(content)))
    }

    /// Offers buttons.
    pub fn offers(&self, text: &str, titles: &[&str]) -> String {
        let items: Vec<_> = (titles.iter())
            .map(|title| {
                json!({
                    "itemType": "TitleOptionItem",
                    "titleItem": { "itemType": "TitleItem", "title": title },
                    "optionIdentifier": uuid(),
                })
            })
            .collect();
        let message = json!({
            "messageType": "ChoicesMessage", "inReplyToMessageId": null, "references": null,
            "choices": { "formatType": "Buttons", "text": text, "optionItems": items },
        });
        self.emit(Draft::message(self.sender.clone(), message))
    }

    /// Confirms that a message of the end user was delivered.
    pub fn receives(&self, message: &str) {
        self.confirm("DeliveryAcknowledgement", message);
    }

    /// Confirms that the messages of the end user up to this one were read.
    pub fn reads(&self, message: &str) {
        self.confirm("ReadAcknowledgement", message);
    }

    /// Goes back to the queue: the rep is removed, the session waits, and another may [join](Self::joins).
    pub fn leaves(&self) {
        self.act(|memory, position| {
            memory.at_mut(position).routing = RoutingStatus::Transfer;
            self.depart(memory, position);
            memory.session_becomes(position, SessionStatus::Waiting, None);
        });
    }

    /// Hands over to another rep, in the order that the switches say; returns the other.
    pub fn transfers_to(&self, name: &str) -> Self {
        let other = self.named(name);
        self.act(|memory, position| {
            memory.at_mut(position).routing = RoutingStatus::Transfer;
            let record = memory.at(position).session().id.clone();
            let result = json!({
                "routingType": "Transfer", "failureType": "None", "failureReason": null, "errorMessages": [],
                "recordId": record, "pendingServiceRoutingId": null, "isExternallyRouted": false, "estimatedWaitTime": null,
            });
            memory.emit(position, Draft::new("RoutingResult", Sender::system(), result));
            match memory.switches.transfer {
                Transfer::RemoveFirst => {
                    self.depart(memory, position);
                    memory.session_becomes(position, SessionStatus::Waiting, None);
                    other.arrive(memory, position);
                }
                Transfer::AddFirst => {
                    other.arrive(memory, position);
                    self.depart(memory, position);
                }
            }
        });
        other
    }

    /// Ends the conversation for the end user: the session is ended, the conversation stays open.
    pub fn ends(&self) {
        self.act(|memory, position| {
            memory.dismiss(position);
            memory.at_mut(position).routing = RoutingStatus::NeedsRouting;
            let ended = |memory: &mut Memory| {
                memory.session_becomes(position, SessionStatus::Ended, Some("Agent"))
            };
            match memory.switches.rep_end {
                RepEnd::RemovedThenEnded => {
                    self.depart(memory, position);
                    ended(memory);
                }
                RepEnd::EndedThenRemoved => {
                    ended(memory);
                    self.depart(memory, position);
                }
                RepEnd::EndedOnly => ended(memory),
            }
        });
    }

    /// Does nothing for so long that the session falls asleep, until the next message wakes it.
    pub fn idles(&self) {
        self.act(|memory, position| {
            memory.session_becomes(position, SessionStatus::Inactive, None)
        });
    }

    /// Lets the org write a line of its own.
    pub fn system_line(&self, text: &str) -> String {
        self.emit(Draft::text(Sender::system(), text))
    }

    /// Lets the org answer by itself, as with a greeting.
    pub fn auto_response(&self, text: &str) -> String {
        let mut draft = Draft::text(Sender::system(), text);
        draft.payload["messageReason"] = "AutomatedResponse".into();
        self.emit(draft)
    }

    /// Lets the org emit any entry, as with `"QueuePosition"` or a failed `"RoutingResult"`; the payload is a JSON object.
    pub fn emits(&self, entry_type: &'static str, payload: Value) -> String {
        self.emit(Draft::new(entry_type, Sender::system(), payload))
    }

    fn arrive(&self, memory: &mut Memory, position: usize) {
        for work_type in ["Assigned", "Accepted"] {
            let target = memory.at(position).session().id.clone();
            let work = memory.record_id("0Bz");
            let payload = json!({
                "workType": work_type, "workId": work, "workTargetId": target, "routingType": "Initial",
                "queueId": null, "botId": null, "agentSessionId": null, "agentGroupIds": [], "errorMessages": [],
            });
            memory.emit(
                position,
                Draft::new("RoutingWorkResult", Sender::system(), payload),
            );
        }
        memory.emit(position, Draft::participant("add", &self.sender));
        let conversation = memory.at_mut(position);
        conversation.routing = RoutingStatus::Routed;
        let session = conversation.session_mut();
        session.reps.push(self.sender.name.clone());
        if session.status != SessionStatus::Active {
            memory.session_becomes(position, SessionStatus::Active, None);
        }
    }

    fn depart(&self, memory: &mut Memory, position: usize) {
        memory
            .at_mut(position)
            .session_mut()
            .reps
            .retain(|name| *name != self.sender.name);
        memory.emit(position, Draft::participant("remove", &self.sender));
    }

    fn indicate(&self, memory: &mut Memory, position: usize, entry_type: &'static str) {
        let payload = json!({ "timestamp": memory.now() });
        memory.emit(
            position,
            Draft::new(entry_type, self.sender.clone(), payload),
        );
    }

    fn confirm(&self, entry_type: &'static str, message: &str) {
        self.act(|memory, position| {
            let payload = json!({
                "recipient": self.sender.participant(),
                "acknowledgedConversationEntryIdentifier": message,
                "acknowledgementTimestamp": memory.now(),
            });
            let draft = Draft::new(entry_type, self.sender.clone(), payload);
            memory.emit(
                position,
                Draft {
                    related: vec![message.to_owned()],
                    ..draft
                },
            );
        });
    }

    fn emit(&self, draft: Draft) -> String {
        self.act(|memory, position| memory.emit(position, draft))
    }

    fn act<T>(&self, act: impl FnOnce(&mut Memory, usize) -> T) -> T {
        self.shared.change(|memory| act(memory, self.position))
    }

    /// Does what the routine says for as long as the conversation's messages are to be heard.
    async fn follow(self, routine: Routine, mut heard: mpsc::Receiver<String>) {
        tokio::time::sleep(routine.joins_after).await;
        if heard.is_closed() {
            return;
        }
        self.joins();
        for answered in 1_u32.. {
            let Some(message) = heard.recv().await else {
                return;
            };
            self.types();
            tokio::time::sleep(routine.types_for).await;
            if heard.is_closed() {
                return;
            }
            self.stops_typing();
            self.says(&routine.lines.answer(answered as usize - 1, &message));
            match routine.finish {
                Finish::LeavesAfter(answers) if answered >= answers => return self.leaves(),
                Finish::EndsAfter(answers) if answered >= answers => return self.ends(),
                Finish::Stays | Finish::LeavesAfter(_) | Finish::EndsAfter(_) => {}
            }
        }
    }
}

impl Shared {
    /// The default rep, on this conversation.
    pub(super) fn rep(self: &Arc<Self>, conversation: &str) -> Option<Rep> {
        let position = *self.memory().ledger.positions.get(conversation)?;
        let name = self.options.routine.clone().unwrap_or_default().name;
        Some(Rep {
            shared: Arc::clone(self),
            position,
            sender: rep(&name),
        })
    }

    /// Lets the org's routine take up a session, hearing what its end user says.
    pub(super) fn start_routine(self: &Arc<Self>, position: usize, heard: mpsc::Receiver<String>) {
        if let Some(routine) = self.options.routine.clone() {
            let rep = Rep {
                shared: Arc::clone(self),
                position,
                sender: rep(&routine.name),
            };
            let stop = self.stop.clone();
            self.tasks
                .spawn(async move { stop.run_until_cancelled(rep.follow(routine, heard)).await });
        }
    }
}

/// A rep of this name, who has the same user id everywhere.
fn rep(name: &str) -> Sender {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let subject = format!("005xx{:010}", hasher.finish() % 10_000_000_000);
    Sender {
        role: "Agent",
        app_type: "agent",
        subject,
        name: name.to_owned(),
    }
}
