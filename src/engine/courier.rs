//! Carries to the rep what the contact does, in order and one at a time per conversation; and what we have to tell them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::desks::{Desks, NoDesk};
use super::files::{FileError, Files};
use super::governor::Governor;
use super::media::Fetched;
use super::tokens::Tokens;
use crate::desk::{Desk, File, Receipt, Typing};
use crate::domain::clock::{self, Clock};
use crate::domain::connection::DeskKind;
use crate::domain::contact::{
    ContactEvent, ContactFile, ContactMessage, Delivery, DeliveryStatus, Happening,
};
use crate::domain::dead_letter::Cause;
use crate::domain::error::{Code, DeskError};
use crate::domain::event::{Bounds, Received};
use crate::domain::handoff::{Earlier, Handoff, Progress, Spent, Status, Step};
use crate::domain::ids::{ConversationId, SessionId};
use crate::domain::lifecycle::Lifecycle;
use crate::domain::retry::{Policy, Verdict};
use crate::metrics::{Attempt, Metrics};
use crate::store::{Carried, ForRep, ForRepKind, Row, Store, StoreError};
use crate::traces::{self, Calls, Span, Traces};

/// How long a store that does not answer is left alone.
const STORE_AWAY_WAIT: Duration = Duration::from_millis(500);

/// Everything a courier needs.
pub struct Courier {
    /// What is to be carried.
    pub store: Arc<dyn Store>,
    /// To whom.
    pub desks: Arc<Desks>,
    /// How fast.
    pub governor: Arc<Governor>,
    /// Access that is good.
    pub tokens: Arc<Tokens>,
    /// What the contact sends besides words.
    pub files: Files,
    /// When to try again.
    pub policy: Policy,
    /// What time it is.
    pub clock: Clock,
    /// How long something waits for an escalation that has not come yet.
    pub early: Duration,
    /// Sessions in hand at once.
    pub in_flight_max: usize,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What is traced.
    pub traces: Traces,
}

/// What went wrong while carrying.
enum Trouble {
    Desk(DeskError),
    /// A file could not be had now.
    File(FileError),
    Store(StoreError),
}

impl From<DeskError> for Trouble {
    fn from(error: DeskError) -> Self {
        Self::Desk(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Courier {
    /// Carries until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut in_hand: HashSet<SessionId> = HashSet::new();
        let mut tasks = JoinSet::new();
        while !stop.is_cancelled() {
            for (session, typing) in self.store.signals().take_typing() {
                tasks.spawn(self.clone().show_typing(session, typing));
            }
            let room = self.in_flight_max.saturating_sub(in_hand.len());
            let looked = self
                .store
                .for_rep(self.clock.now(), self.early, room + in_hand.len())
                .await;
            let next = match looked {
                Ok((items, next)) => {
                    let free = items
                        .into_iter()
                        .filter(|item| !in_hand.contains(&item.session));
                    for item in free.take(room).collect::<Vec<_>>() {
                        in_hand.insert(item.session.clone());
                        tasks.spawn(self.clone().carry(item));
                    }
                    next
                }
                Err(error) => {
                    warn!(%error, "the store does not answer; trying again");
                    Some(clock::after(self.clock.now(), STORE_AWAY_WAIT))
                }
            };
            let wait = next.map_or(Duration::from_secs(3600), |at| {
                clock::until(self.clock.now(), at)
            });
            tokio::select! {
                () = stop.cancelled() => {}
                Some(done) = tasks.join_next() => self.put_down(done, &mut in_hand),
                () = self.store.signals().for_rep.notified() => {}
                () = sleep(wait) => {}
            }
            while let Some(done) = tasks.try_join_next() {
                self.put_down(done, &mut in_hand);
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    fn put_down(
        &self,
        done: Result<Option<SessionId>, tokio::task::JoinError>,
        in_hand: &mut HashSet<SessionId>,
    ) {
        match done {
            Ok(Some(session)) => drop(in_hand.remove(&session)),
            Ok(None) => {}
            Err(error) => {
                error!(%error, "carrying a message panicked; its session waits for the next start")
            }
        }
    }

    /// One thing, to its end or to its next try.
    async fn carry(self: Arc<Self>, item: ForRep) -> Option<SessionId> {
        let carried = match self.bring(&item).await {
            Ok(carried) => carried,
            Err(error) => {
                warn!(%error, "could not carry what a contact did; trying again");
                sleep(STORE_AWAY_WAIT).await;
                return Some(item.session);
            }
        };
        if let Carried::SetAside(cause, _) = &carried {
            let class = cause.code.class().as_str();
            self.metrics
                .dead_letter(class, cause.code.as_str(), cause.step.as_str());
            error!(code = %cause.code, "set what a contact did aside: {}", cause.reason);
        }
        match self.store.carried(&item, carried, self.clock.now()).await {
            Ok(()) | Err(StoreError::Fenced) => {}
            Err(error) => {
                warn!(%error, "could not record what became of a message; it is looked at again");
                sleep(STORE_AWAY_WAIT).await;
            }
        }
        Some(item.session)
    }

    async fn bring(&self, item: &ForRep) -> Result<Carried, StoreError> {
        let Some(row) = item.row else {
            return Ok(Carried::SetAside(nobody(item), None));
        };
        let held = self.store.load(row).await?;
        let event = match item.kind {
            ForRepKind::Notice => None,
            ForRepKind::Contact => Some(read(&item.body)?),
        };
        let what = event.map(|event| event.what);
        match (&held.handoff.status, &what) {
            (Status::Live, _) => {}
            (_, Some(Happening::Left { .. })) => return Ok(Carried::Left),
            (
                Status::Closed { .. } | Status::DeadLettered { .. },
                Some(Happening::Wrote(message)),
            ) => {
                return Ok(Carried::Done(Some(too_late(&held.handoff.status, message))));
            }
            (Status::Closed { .. } | Status::DeadLettered { .. }, _) => {
                return Ok(Carried::Done(None));
            }
            // It is taken up again when it is live.
            (Status::Due { .. }, _) => {
                return Ok(Carried::Again {
                    at: clock::after(self.clock.now(), STORE_AWAY_WAIT),
                });
            }
        }
        if let Some(Happening::Left { .. }) = what {
            return Ok(Carried::Left);
        }
        self.store.carrying(item.seq).await?;
        let began = Instant::now();
        let went = self.deliver(item, row, &held.handoff, what.as_ref()).await;
        let took = began.elapsed();
        self.measure(&held.handoff, &went, took);
        if let Some(Happening::Wrote(_)) = what {
            self.trace(&held.handoff, &went, item.tries + 1, took);
        }
        match went {
            Ok(()) => Ok(Carried::Done(what.as_ref().and_then(delivered))),
            Err(Trouble::Store(error)) => Err(error),
            Err(Trouble::File(error)) => {
                let waits = &self.policy.waits;
                let wait = waits.get(item.tries as usize).or(waits.last()).copied();
                info!("a contact's file could not be had yet: {error}");
                Ok(Carried::Again {
                    at: clock::after(self.clock.now(), wait.unwrap_or(STORE_AWAY_WAIT)),
                })
            }
            Err(Trouble::Desk(error)) => Ok(self.judge(item, &held.handoff, what.as_ref(), &error)),
        }
    }

    fn measure(&self, handoff: &Handoff, went: &Result<(), Trouble>, took: Duration) {
        let (outcome, code) = match went {
            Ok(()) => ("done", ""),
            Err(Trouble::Desk(error)) => ("failed", error.code().as_str()),
            // No call of the desk's.
            Err(Trouble::File(_) | Trouble::Store(_)) => return,
        };
        self.metrics.attempt(Attempt {
            connection: handoff.escalation.connection.as_str(),
            desk: handoff.desk.map_or("", DeskKind::as_str),
            step: Step::ContactMessage.as_str(),
            outcome,
            code,
            took,
        });
    }

    /// The producer's id of the message is in no span: at WhatsApp it has the contact's number in it.
    fn trace(&self, handoff: &Handoff, went: &Result<(), Trouble>, number: u32, took: Duration) {
        let failed = match went {
            Ok(()) => None,
            Err(Trouble::Desk(error)) => Some(error),
            // No call of the desk's.
            Err(Trouble::File(_) | Trouble::Store(_)) => return,
        };
        self.traces.record(&handoff.trace, || {
            let attempt = traces::Attempt {
                step: Step::ContactMessage,
                calls: Calls::Desk,
                number,
                outcome: if failed.is_some() { "failed" } else { "done" },
                code: failed.map(|error| error.code().as_str()),
                http_status: failed.and_then(DeskError::status),
                request_id: None,
                took,
                ended_at: self.clock.now(),
            };
            Span::attempt(handoff, attempt)
        });
    }

    /// What follows from a failure: its own three retries, then it is set aside and the next one goes on.
    fn judge(
        &self,
        item: &ForRep,
        handoff: &Handoff,
        what: Option<&Happening>,
        error: &DeskError,
    ) -> Carried {
        let spent = Spent {
            failures: item.tries,
            renewals: 1,
        };
        match self.policy.judge(error, spent, fastrand::f64()) {
            Verdict::Retry(wait) | Verdict::Renew(wait) => Carried::Again {
                at: clock::after(self.clock.now(), wait),
            },
            Verdict::DeadLetter => {
                let (code, reason) = (error.code(), error.to_string());
                let cause = Cause {
                    code,
                    step: Step::ContactMessage,
                    reason: reason.clone(),
                    http_status: error.status(),
                };
                match what {
                    Some(Happening::Wrote(message)) => {
                        let message = message.id.clone();
                        Carried::SetAside(
                            cause,
                            Some(Lifecycle::ContactMessageFailed {
                                message,
                                code,
                                reason,
                            }),
                        )
                    }
                    Some(
                        Happening::Left { .. } | Happening::Typing { .. } | Happening::Delivery(_),
                    )
                    | None => {
                        warn!(handoff.id = %handoff.id, %code, "a rep was not told something: {reason}");
                        Carried::Done(None)
                    }
                }
            }
        }
    }

    async fn deliver(
        &self,
        item: &ForRep,
        row: Row,
        handoff: &Handoff,
        what: Option<&Happening>,
    ) -> Result<(), Trouble> {
        let Progress::Connected { conversation, .. } = &handoff.progress else {
            return Ok(());
        };
        let open = match self.desks.get(&handoff.escalation.connection).await {
            Ok(open) => open,
            Err(NoDesk::Unusable(error)) => return Err(error.into()),
            Err(NoDesk::Store(error)) => return Err(error.into()),
        };
        let at = At {
            row,
            handoff,
            desk: &*open.desk,
            conversation,
        };
        let earlier = if item.tries > 0 {
            Earlier::Perhaps
        } else {
            Earlier::Never
        };
        match what {
            Some(Happening::Wrote(message)) => self.write(&at, message, earlier, item.tries).await,
            Some(Happening::Delivery(delivery)) => self.tell_fate(&at, delivery, earlier).await,
            Some(Happening::Left { .. } | Happening::Typing { .. }) => Ok(()),
            None => {
                let notice: Value = serde_json::from_slice(&item.body).unwrap_or_default();
                let about = notice["about"].as_str().unwrap_or_default();
                self.say(
                    &at,
                    "notice",
                    about,
                    0,
                    notice["text"].as_str().unwrap_or_default(),
                    earlier,
                )
                .await
            }
        }
    }

    /// The words first, then each file: as a file where the desk takes it, as a line with a link where it does not.
    async fn write(
        &self,
        at: &At<'_>,
        message: &ContactMessage,
        earlier: Earlier,
        tries: u32,
    ) -> Result<(), Trouble> {
        let text = chosen(&at.handoff.choices, &message.text);
        if !text.trim().is_empty() {
            self.say(at, "message", &message.id, 0, text, earlier)
                .await?;
        }
        for (number, file) in message.files.iter().enumerate() {
            let part = number + 1;
            let fetched = self
                .files
                .fetch(&file.url, file.content_type.as_deref())
                .await;
            let line = match fetched {
                Ok(fetched) => match self
                    .send_file(at, &message.id, part, file, fetched, earlier)
                    .await?
                {
                    None => continue,
                    Some(line) => line,
                },
                // A file that may still come is worth the tries that its message has.
                Err(error)
                    if error.is_transient() && (tries as usize) < self.policy.waits.len() =>
                {
                    return Err(Trouble::File(error));
                }
                Err(error) => format!(
                    "[The contact sent a file, {}, that could not be fetched: {error}]",
                    file.name
                ),
            };
            self.say(at, "message", &message.id, part, &line, earlier)
                .await?;
        }
        Ok(())
    }

    /// `None` when the desk has the file; else the line that stands for it.
    async fn send_file(
        &self,
        at: &At<'_>,
        message: &str,
        part: usize,
        file: &ContactFile,
        fetched: Fetched,
        earlier: Earlier,
    ) -> Result<Option<String>, Trouble> {
        let rules = at.desk.file_rules();
        let why = match rules.refusal(&fetched.content_type, fetched.bytes.len() as u64) {
            Some(why) => why,
            None => {
                let sent = File {
                    name: file.name.clone(),
                    content_type: fetched.content_type.clone(),
                    bytes: fetched.bytes.clone(),
                };
                self.wait_for_room(at).await;
                let effect = at.handoff.message_effect("message", message, part, earlier);
                let access = self.tokens.fresh(at.row, at.handoff, at.desk).await?;
                let mut went = at
                    .desk
                    .send_file(&access, at.conversation, effect, &sent)
                    .await;
                if let Err(DeskError::Unauthorized(_)) = went {
                    let access = self.tokens.renew(at.row, at.handoff, at.desk).await?;
                    went = at
                        .desk
                        .send_file(&access, at.conversation, effect, &sent)
                        .await;
                }
                match went {
                    Ok(()) => return Ok(None),
                    Err(DeskError::Refused {
                        status: 413 | 415, ..
                    }) => "the desk does not take it".to_owned(),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let kept = self
            .files
            .keep(
                at.handoff,
                message,
                &file.id,
                &file.name,
                fetched,
                self.clock.now(),
            )
            .await;
        let kept = kept.map_err(Trouble::File)?;
        let url = kept["url"].as_str().unwrap_or_default();
        Ok(Some(format!(
            "[The contact sent a file, {} ({why}): {url}]",
            file.name
        )))
    }

    /// A reply that did not reach the contact is shown in the thread; one that did is acknowledged.
    async fn tell_fate(
        &self,
        at: &At<'_>,
        delivery: &Delivery,
        earlier: Earlier,
    ) -> Result<(), Trouble> {
        let receipt = match delivery.status {
            DeliveryStatus::Delivered => Receipt::Delivered,
            DeliveryStatus::Read => Receipt::Read,
            DeliveryStatus::Failed => {
                let reason = delivery
                    .reason
                    .as_deref()
                    .unwrap_or("the channel gave no reason");
                let text = format!("[Not delivered to the contact: {reason}]");
                return self
                    .say(at, "delivery", &delivery.reply, 0, &text, earlier)
                    .await;
            }
        };
        let Some(entry) = self.store.entry_of(&delivery.reply).await? else {
            return Ok(());
        };
        let access = self.tokens.fresh(at.row, at.handoff, at.desk).await?;
        Ok(at
            .desk
            .acknowledge(&access, at.conversation, &entry, receipt)
            .await?)
    }

    async fn say(
        &self,
        at: &At<'_>,
        kind: &str,
        id: &str,
        part: usize,
        text: &str,
        earlier: Earlier,
    ) -> Result<(), Trouble> {
        self.wait_for_room(at).await;
        let effect = at.handoff.message_effect(kind, id, part, earlier);
        let access = self.tokens.fresh(at.row, at.handoff, at.desk).await?;
        let sent = at
            .desk
            .send_message(&access, at.conversation, effect, text)
            .await;
        let Err(DeskError::Unauthorized(_)) = sent else {
            return Ok(sent?);
        };
        let access = self.tokens.renew(at.row, at.handoff, at.desk).await?;
        Ok(at
            .desk
            .send_message(&access, at.conversation, effect, text)
            .await?)
    }

    async fn wait_for_room(&self, at: &At<'_>) {
        let Some(per_minute) = at.desk.messages_per_minute() else {
            return;
        };
        while let Err(until) = self.governor.message(at.row, per_minute, self.clock.now()) {
            let connection = &at.handoff.escalation.connection;
            self.metrics.waits(connection.as_str(), "messages");
            sleep(clock::until(self.clock.now(), until)).await;
        }
    }

    /// Best effort: whatever goes wrong, the moment has passed.
    async fn show_typing(self: Arc<Self>, session: SessionId, typing: bool) -> Option<SessionId> {
        let rows = self.store.find(session.as_str()).await.ok()?;
        let held = self.store.load(*rows.first()?).await.ok()?;
        let (
            Status::Live,
            Progress::Connected {
                access,
                conversation,
            },
        ) = (&held.handoff.status, &held.handoff.progress)
        else {
            return None;
        };
        let open = self
            .desks
            .get(&held.handoff.escalation.connection)
            .await
            .ok()?;
        let typing = if typing {
            Typing::Started
        } else {
            Typing::Stopped
        };
        drop(open.desk.show_typing(access, conversation, typing).await);
        None
    }
}

/// Where something is carried to.
struct At<'a> {
    row: Row,
    handoff: &'a Handoff,
    desk: &'a dyn Desk,
    conversation: &'a ConversationId,
}

fn read(body: &[u8]) -> Result<ContactEvent, StoreError> {
    Received::decode(
        body,
        Bounds {
            event_bytes_max: usize::MAX,
        },
    )
    .and_then(|event| ContactEvent::read(&event))
    .map_err(|poison| StoreError::Corrupt(poison.to_string()))
}

/// A number that answers the rep's last question becomes the choice it stands for.
fn chosen<'a>(choices: &'a [String], text: &'a str) -> &'a str {
    let number = text.trim().trim_end_matches('.').parse::<usize>().ok();
    number
        .and_then(|number| choices.get(number.checked_sub(1)?))
        .map_or(text, String::as_str)
}

fn delivered(what: &Happening) -> Option<Lifecycle> {
    match what {
        Happening::Wrote(message) => {
            info!("carried a contact's message to the rep");
            Some(Lifecycle::ContactMessageDelivered {
                message: message.id.clone(),
            })
        }
        Happening::Typing { .. } | Happening::Left { .. } | Happening::Delivery(_) => None,
    }
}

/// What upstream hears about a message that no rep will read.
fn too_late(status: &Status, message: &ContactMessage) -> Lifecycle {
    let code = match status {
        Status::DeadLettered { code } => *code,
        Status::Due { .. } | Status::Live | Status::Closed { .. } => Code::HandoffEnded,
    };
    let reason = match status {
        Status::DeadLettered { .. } => "the handoff was set aside before a rep could read it",
        Status::Due { .. } | Status::Live | Status::Closed { .. } => "the handoff has ended",
    };
    Lifecycle::ContactMessageFailed {
        message: message.id.clone(),
        code,
        reason: reason.to_owned(),
    }
}

fn nobody(item: &ForRep) -> Cause {
    Cause {
        code: Code::NoHandoff,
        step: Step::ContactMessage,
        reason: format!(
            "no escalation of session `{}` has come; publish it, then move this back",
            item.session
        ),
        http_status: None,
    }
}
