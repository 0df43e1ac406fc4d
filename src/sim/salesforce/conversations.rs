//! The rules of conversations: who may do what, and what follows (miaw reference §2.6 to §2.14, §5).

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::event::Draft;
use super::identity::Access;
use super::ledger::{
    Conversation, ConversationState, Receipt, Repeat, RoutingStatus, Sender, Session, SessionStatus,
};
use super::memory::Memory;
use super::refusal::Refusal;
use super::request::{AcknowledgeRequest, CreateRequest, check_attributes, check_uuid};
use super::switches::{
    RepeatedClose, RepeatedConversation, RepeatedMessage, SecondConversation, SessionlessMessage,
    Storage,
};
use super::{Variables, call};

/// A message or file on its way in.
pub(super) struct Post<'a> {
    pub call: &'static str,
    pub id: &'a str,
    pub text: Option<&'a str>,
    pub opens_session: bool,
    pub attributes: Map<String, Value>,
}

impl Memory {
    /// Creates a conversation, which starts routing at once.
    pub fn create(&mut self, caller: &Access, request: CreateRequest) -> Result<(), Refusal> {
        let CreateRequest {
            conversation_id: id,
            es_developer_name,
            routing_attributes,
            language,
        } = request;
        self.check_deployment(&es_developer_name)?;
        check_uuid("conversationId", &id)?;
        check_attributes(
            &routing_attributes,
            self.options.limits.attribute_characters,
        )?;
        if let Some(earlier) = self.ledger.conversation(&id) {
            let same =
                earlier.subject == caller.sub && earlier.sessions[0].sent == routing_attributes;
            let is_theirs = earlier.subject == caller.sub;
            self.ledger.repeats.push(Repeat {
                call: call::CREATE_CONVERSATION,
                id,
                same,
            });
            return match self.switches.repeated_conversation {
                RepeatedConversation::Accepted if is_theirs => Ok(()),
                RepeatedConversation::Accepted | RepeatedConversation::Conflict => Err(
                    Refusal::new(StatusCode::CONFLICT, "The conversation already exists."),
                ),
            };
        }
        let precondition = || {
            Refusal::coded(
                StatusCode::PRECONDITION_FAILED,
                10_055,
                "Conversation Precondition failed",
            )
        };
        if self.switches.storage == Storage::Full {
            return Err(precondition());
        }
        let has_open = self
            .of_end_user(&caller.sub)
            .any(|it| it.state == ConversationState::Open);
        if caller.is_verified() && has_open {
            match self.switches.second_conversation {
                SecondConversation::Created => {}
                SecondConversation::Conflict => {
                    return Err(Refusal::new(
                        StatusCode::CONFLICT,
                        "The end user has an open conversation.",
                    ));
                }
                SecondConversation::PreconditionFailed => return Err(precondition()),
            }
        }
        let session = self.new_session(routing_attributes);
        let position = self.add(Conversation {
            id,
            subject: caller.sub.clone(),
            language,
            state: ConversationState::Open,
            routing: RoutingStatus::Initial,
            sessions: vec![session],
            entries: Vec::new(),
            receipts: Vec::new(),
            typing: 0,
        });
        self.route(position);
        Ok(())
    }

    /// Takes a message, unless the conversation has it; returns when it was sent.
    pub fn post(
        &mut self,
        position: usize,
        post: Post<'_>,
        draft: impl FnOnce(&mut Self) -> Draft,
    ) -> Result<u64, Refusal> {
        let Post {
            call,
            id,
            text,
            opens_session,
            attributes,
        } = post;
        check_attributes(&attributes, self.options.limits.attribute_characters)?;
        let now = self.now();
        let conversation = self.at(position);
        if conversation.state == ConversationState::Closed {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "The conversation is closed.",
            ));
        }
        let per_minute = self.options.limits.messages_per_minute;
        if !self
            .message_rates
            .entry(conversation.id.clone())
            .or_default()
            .admits(per_minute, now)
        {
            let reason =
                format!("More than {per_minute} messages in a minute for this conversation.");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, reason));
        }
        if let Some(earlier) = self
            .at(position)
            .entries
            .iter()
            .find(|entry| entry.identifier == id)
        {
            let (sent_at, same) = (earlier.sent_at, earlier.text.as_deref() == text);
            self.ledger.repeats.push(Repeat {
                call,
                id: id.to_owned(),
                same,
            });
            let reason = "Invalid message ID. Provide a unique ID for each message entry.";
            return match self.switches.repeated_message {
                RepeatedMessage::Ignored => Ok(sent_at),
                RepeatedMessage::BadRequest => {
                    Err(Refusal::coded(StatusCode::BAD_REQUEST, 10_073, reason))
                }
                RepeatedMessage::Conflict => {
                    Err(Refusal::coded(StatusCode::CONFLICT, 10_073, reason))
                }
            };
        }
        match self.at(position).session().status {
            SessionStatus::Ended => {
                if self.switches.sessionless_message == SessionlessMessage::ExpectationFailed
                    && !opens_session
                {
                    let reason =
                        "No messaging session exists, and pre-chat is required per session.";
                    return Err(Refusal::new(StatusCode::EXPECTATION_FAILED, reason));
                }
                let session = self.new_session(attributes);
                self.at_mut(position).sessions.push(session);
                self.route(position);
            }
            SessionStatus::Inactive => self.session_becomes(position, SessionStatus::Active, None),
            SessionStatus::New | SessionStatus::Waiting | SessionStatus::Active => {}
        }
        let draft = draft(self);
        self.emit(
            position,
            Draft {
                identifier: Some(id.to_owned()),
                ..draft
            },
        );
        self.cue(position, text.unwrap_or_default());
        Ok(now)
    }

    /// Ends the session; the conversation stays open.
    pub fn end_session(&mut self, position: usize) {
        self.dismiss(position);
        if self.at(position).session().status != SessionStatus::Ended {
            self.session_becomes(position, SessionStatus::Ended, Some("EndUser"));
        }
    }

    /// Closes the conversation for good.
    pub fn close(&mut self, position: usize) -> Result<(), Refusal> {
        if self.at(position).state == ConversationState::Closed {
            return match self.switches.repeated_close {
                RepeatedClose::Accepted => Ok(()),
                RepeatedClose::Forbidden => Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    "The conversation is closed.",
                )),
                RepeatedClose::NotFound => Err(no_such_conversation()),
            };
        }
        self.end_session(position);
        let conversation = self.at_mut(position);
        conversation.state = ConversationState::Closed;
        let payload = json!({ "conversationIdentifier": conversation.id });
        let sender = Sender::end_user(&conversation.subject);
        self.emit(position, Draft::new("CloseConversation", sender, payload));
        Ok(())
    }

    /// Keeps receipts.
    pub fn acknowledge(
        &mut self,
        position: usize,
        request: AcknowledgeRequest,
    ) -> Result<(), Refusal> {
        for it in &request.acks {
            check_uuid("acks.id", &it.id)?;
            if !matches!(it.entry_type.as_str(), "Delivery" | "Read") {
                return Err(Refusal::bad_request(
                    "Specify the acks.entryType as Delivery or Read.",
                ));
            }
            if !self
                .at(position)
                .entries
                .iter()
                .any(|entry| entry.identifier == it.conversation_entry_id)
            {
                return Err(Refusal::bad_request(
                    "The acks.conversationEntryId is not in the conversation.",
                ));
            }
        }
        let receipts = request.acks.into_iter().map(|it| Receipt {
            kind: it.entry_type,
            entry: it.conversation_entry_id,
        });
        self.at_mut(position).receipts.extend(receipts);
        Ok(())
    }

    /// Where the caller's conversation with this id is; somebody else's looks as if it did not exist.
    pub fn find(&self, caller: &Access, id: &str) -> Result<usize, Refusal> {
        check_uuid("conversationId", id)?;
        let position = self.ledger.positions.get(id).copied();
        position
            .filter(|&position| {
                let it = self.at(position);
                it.subject == caller.sub && it.state != ConversationState::Deleted
            })
            .ok_or_else(no_such_conversation)
    }

    /// Refuses deployments that are not this org's, or not made for the API (§1).
    pub fn check_deployment(&self, name: &str) -> Result<(), Refusal> {
        if name == self.options.deployment {
            return Ok(());
        }
        if self.options.web_deployments.iter().any(|web| web == name) {
            return Err(Refusal::bad_request(
                "Set the esDeveloperName to a deploymentType that's set to api",
            ));
        }
        Err(Refusal::bad_request(format!(
            "The esDeveloperName {name} doesn't exist."
        )))
    }

    fn new_session(&mut self, sent: Map<String, Value>) -> Session {
        let known = |name: &str| match &self.options.channel_variables {
            Variables::Any => true,
            Variables::Only(names) => names.iter().any(|it| it == name),
        };
        let accepted = sent
            .iter()
            .filter(|(name, _)| known(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Session {
            id: self.record_id("0Mw"),
            status: SessionStatus::New,
            sent,
            accepted,
            started_at: self.now(),
            reps: Vec::new(),
        }
    }

    /// Lets the newest session of a conversation wait for a rep.
    fn route(&mut self, position: usize) {
        self.at_mut(position).routing = RoutingStatus::Initial;
        self.session_becomes(position, SessionStatus::Waiting, None);
        let session = self.at(position).session().id.clone();
        let pending = self.record_id("0JR");
        let result = json!({
            "routingType": "Initial",
            "failureType": "None",
            "failureReason": null,
            "errorMessages": [],
            "recordId": session,
            "pendingServiceRoutingId": pending,
            "isExternallyRouted": false,
            "estimatedWaitTime": { "isEWTRequested": true, "estimatedWaitTimeInSeconds": 45 },
        });
        self.emit(
            position,
            Draft::new("RoutingResult", Sender::system(), result),
        );
        self.call_routine(position);
    }
}

fn no_such_conversation() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "The conversation doesn't exist.")
}
