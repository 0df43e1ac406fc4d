//! The journey of a handoff.
//!
//! 1. [`receive`]: a delivery is an escalation, or poison. The store makes a handoff of it, or finds the one it has.
//! 2. [`advance`]: one step towards a rep, and [`settle`]: what follows from how it went.
//!    The worker repeats both until the handoff is live or set aside. At a desk whose reps' words do not come back, it
//!    is handed over then, and ends.
//! 3. [`relay`]: what the desk says becomes a reply on the contact's channel, or news for the world.
//! 4. [`close`]: it is over, and the desk's side is closed.
//!
//! ```text
//! received ─▶ identified ─▶ authorized ─▶ prepared ─▶ opened ─▶ connected
//!    ▲  identity   access token   transcript   create   opening message
//!    └───────────── a refused or expired token leads back here
//! ```
//!
//! The way back is safe because keys belong to the handoff and not to its progress, and because what was tried stays
//! on record.

use std::time::Duration;

use crate::desk::{Desk, Entry, File, Seen};
use crate::domain::arrival::{Arrival, Inbound};
use crate::domain::clock::{self, Timestamp};
use crate::domain::connection::DeskKind;
use crate::domain::contact::ContactEvent;
use crate::domain::dead_letter::{Cause, Origin};
use crate::domain::error::{Code, DeskError};
use crate::domain::escalation::Escalation;
use crate::domain::event::{Bounds, Kind, Received};
use crate::domain::handoff::{AccessToken, Ending, Handoff, Progress, Spent, Status, Step};
use crate::domain::ids::ConversationId;
use crate::domain::lifecycle::Lifecycle;
use crate::domain::news::News;
use crate::domain::reply::Reply;
use crate::domain::retry::{Policy, Verdict};
use crate::domain::transcript;
use crate::domain::turn::{CallResult, Outcome, Turn};

/// A token with less life than this is not used: the call would outlive it.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(15);

/// Reads a delivery. What cannot be read is poison, and says which field is to blame.
pub fn receive(origin: Origin, body: Vec<u8>, bounds: Bounds, deadline: Timestamp) -> Arrival {
    let what = Received::decode(&body, bounds).and_then(|event| {
        Ok(match event.kind {
            Kind::Escalation => Inbound::Escalation(Box::new(Escalation::read(&event)?), deadline),
            Kind::ContactMessage
            | Kind::ContactTyping
            | Kind::ContactLeft
            | Kind::ReplyDelivery => {
                Inbound::Contact(event.id.clone(), Box::new(ContactEvent::read(&event)?))
            }
        })
    });
    let what = what.unwrap_or_else(Inbound::Poison);
    Arrival { origin, body, what }
}

/// Takes the next step. On error nothing has moved, and the step may be tried again.
pub async fn advance(handoff: &Handoff, desk: &dyn Desk) -> Result<Progress, DeskError> {
    let Handoff {
        escalation, keys, ..
    } = handoff;
    Ok(match handoff.progress.clone() {
        Progress::Received => Progress::Identified {
            identity: desk.identity_token(escalation).await?,
        },
        Progress::Identified { identity } => Progress::Authorized {
            access: desk.access_token(&identity).await?,
        },
        Progress::Authorized { access } => Progress::Prepared {
            access,
            opening: transcript::opening(escalation, desk.opening_chars_max()),
        },
        Progress::Prepared { access, opening } => {
            let effect = handoff.effect(Step::CreateConversation, keys.conversation);
            let conversation = desk
                .create_conversation(&access, effect, escalation)
                .await?;
            Progress::Opened {
                access,
                opening,
                conversation,
            }
        }
        Progress::Opened {
            access,
            opening,
            conversation,
        } => {
            let effect = handoff.effect(Step::OpeningMessage, keys.opening);
            desk.send_opening(&access, &conversation, effect, &opening, escalation)
                .await?;
            if let Some(whole) = opening.whole {
                attach(handoff, desk, &access, &conversation, whole).await?;
            }
            Progress::Connected {
                access,
                conversation,
            }
        }
        connected @ Progress::Connected { .. } => connected,
    })
}

/// Attaches the whole transcript to an opening message that could not hold it. A desk that does not take the file is no
/// reason to keep the contact waiting: the rep is told that it is missing.
async fn attach(
    handoff: &Handoff,
    desk: &dyn Desk,
    access: &AccessToken,
    conversation: &ConversationId,
    whole: String,
) -> Result<(), DeskError> {
    let earlier = handoff
        .effect(Step::OpeningMessage, handoff.keys.opening)
        .earlier;
    let effect = handoff.message_effect("transcript", "whole", 0, earlier);
    let file = File {
        name: transcript::WHOLE.to_owned(),
        content_type: "text/plain".to_owned(),
        bytes: whole.into_bytes().into(),
    };
    match desk.send_file(access, conversation, effect, &file).await {
        Err(DeskError::Refused { .. }) => {
            let effect = handoff.message_effect("transcript", "missing", 0, earlier);
            let notice = format!("[{} could not be attached.]", transcript::WHOLE);
            desk.send_message(access, conversation, effect, &notice)
                .await
        }
        // The right to attach files is missing. The desk has taken the opening message all the same, and warned of it.
        Err(DeskError::Misconfigured { .. }) => Ok(()),
        sent => sent,
    }
}

/// Progress without tokens that are past their time: getting new ones costs nothing of the budget.
pub fn without_stale_tokens(progress: Progress, now: Timestamp) -> Progress {
    let expires_at = match &progress {
        Progress::Identified { identity } => Some(identity.expires_at),
        Progress::Received | Progress::Connected { .. } => None,
        Progress::Authorized { access }
        | Progress::Prepared { access, .. }
        | Progress::Opened { access, .. } => Some(access.expires_at),
    };
    match expires_at {
        Some(at) if at <= clock::after(now, TOKEN_MARGIN) => Progress::Received,
        _ => progress,
    }
}

/// What follows from how a step went. `roll` is a random number in [0, 1).
pub fn settle(
    mut handoff: Handoff,
    step: Step,
    went: Result<Progress, DeskError>,
    took: Duration,
    policy: &Policy,
    roll: f64,
    now: Timestamp,
) -> Turn {
    handoff.tried.insert(step);
    let error = match went {
        Ok(progress) => return moved_on(handoff, progress, took, now),
        Err(error) => error,
    };
    let outcome = Outcome {
        result: failed(&error),
        took,
        request_id: None,
    };
    let (tell, dead) = match policy.judge(&error, handoff.spent, roll) {
        Verdict::Renew(Duration::ZERO) => {
            handoff.spent.renewals += 1;
            handoff.progress = Progress::Received;
            handoff.status = Status::Due { at: now };
            (vec![], None)
        }
        Verdict::Retry(wait) if clock::after(now, wait) <= handoff.deadline => (
            vec![try_again(
                &mut handoff,
                step,
                &error,
                clock::after(now, wait),
            )],
            None,
        ),
        Verdict::Renew(wait) if clock::after(now, wait) <= handoff.deadline => {
            handoff.spent.renewals += 1;
            handoff.progress = Progress::Received;
            (
                vec![try_again(
                    &mut handoff,
                    step,
                    &error,
                    clock::after(now, wait),
                )],
                None,
            )
        }
        Verdict::Retry(_) | Verdict::Renew(_) | Verdict::DeadLetter => {
            let cause = Cause {
                code: error.code(),
                step,
                reason: error.to_string(),
                http_status: error.status(),
            };
            (vec![set_aside(&mut handoff, &cause)], Some(cause))
        }
    };
    Turn {
        handoff,
        outcome,
        tell,
        dead,
    }
}

fn moved_on(mut handoff: Handoff, progress: Progress, took: Duration, now: Timestamp) -> Turn {
    // Where the stream begins is known with the token, before the conversation exists: nothing can fall between.
    if let (None, Some(access)) = (&handoff.cursor, progress.access()) {
        handoff.cursor = access.cursor.clone();
    }
    let mut tell = vec![];
    handoff.status = match progress.next_step() {
        Some(_) => Status::Due { at: now },
        None => {
            tell.push(Lifecycle::Live);
            if handoff.desk.is_none_or(DeskKind::stays_live) {
                Status::Live
            } else {
                tell.push(Lifecycle::Ended {
                    why: Ending::HandedOver,
                    last_sequence: handoff.sequence,
                });
                // The rep has only begun: nothing is closed at the desk.
                Status::Closed {
                    why: Ending::HandedOver,
                    close_at: None,
                }
            }
        }
    };
    handoff.progress = progress;
    Turn {
        handoff,
        outcome: Outcome {
            result: CallResult::Done,
            took,
            request_id: None,
        },
        tell,
        dead: None,
    }
}

fn try_again(handoff: &mut Handoff, step: Step, error: &DeskError, at: Timestamp) -> Lifecycle {
    handoff.spent.failures += 1;
    handoff.status = Status::Due { at };
    Lifecycle::Retrying {
        step,
        failures: handoff.spent.failures,
        code: error.code(),
        at,
    }
}

fn set_aside(handoff: &mut Handoff, cause: &Cause) -> Lifecycle {
    handoff.status = Status::DeadLettered { code: cause.code };
    Lifecycle::Failed {
        code: cause.code,
        step: cause.step,
        reason: cause.reason.clone(),
    }
}

fn failed(error: &DeskError) -> CallResult {
    match error {
        DeskError::Lost => CallResult::Lost,
        _ => CallResult::Failed {
            code: error.code(),
            http_status: error.status(),
            error: error.to_string(),
        },
    }
}

/// Sets a handoff aside that ran out of time; `why` says what it waited for.
pub fn give_up(mut handoff: Handoff, why: &str) -> Turn {
    let step = handoff.progress.next_step().unwrap_or(Step::Close);
    let reason = format!(
        "the deadline {} passed before it was live{why}",
        handoff.deadline
    );
    let cause = Cause {
        code: Code::DeadlinePassed,
        step,
        reason,
        http_status: None,
    };
    let tell = vec![set_aside(&mut handoff, &cause)];
    Turn {
        handoff,
        outcome: Outcome {
            result: CallResult::Done,
            took: Duration::ZERO,
            request_id: None,
        },
        tell,
        dead: Some(cause),
    }
}

/// What an entry of the desk means; typing and the like mean nothing that is kept.
pub fn relay(entry: Entry) -> Option<News> {
    let Entry {
        id: entry,
        at,
        what,
    } = entry;
    Some(match what {
        Seen::Reply {
            rep,
            author,
            text,
            files,
            choices,
        } => News::Reply(Reply {
            entry,
            sent_at: at,
            rep,
            author,
            text,
            files,
            choices,
        }),
        Seen::RepJoined(rep) => News::Tell(Lifecycle::RepJoined { entry, rep }),
        Seen::RepLeft(rep) => News::Tell(Lifecycle::RepLeft { entry, rep }),
        Seen::Transferred => News::Tell(Lifecycle::Transferred { entry }),
        Seen::Queue {
            position,
            wait_seconds,
        } => News::Tell(Lifecycle::Queue {
            entry,
            position,
            wait_seconds,
        }),
        Seen::RoutingFailed { reason } => News::Tell(Lifecycle::RoutingFailed { entry, reason }),
        Seen::Ended(why) => News::End(why),
        Seen::Typing { .. } => return None,
    })
}

/// A token that is good for a while: the one at hand, or a new one for the same contact.
pub async fn fresh_access(
    handoff: &Handoff,
    access: &AccessToken,
    desk: &dyn Desk,
    now: Timestamp,
) -> Result<AccessToken, DeskError> {
    if access.expires_at > clock::after(now, TOKEN_MARGIN) {
        return Ok(access.clone());
    }
    renew_access(handoff, desk).await
}

/// A new token for the same contact.
pub async fn renew_access(handoff: &Handoff, desk: &dyn Desk) -> Result<AccessToken, DeskError> {
    let identity = desk.identity_token(&handoff.escalation).await?;
    desk.access_token(&identity).await
}

/// Closes the desk's side of a handoff that has ended.
pub async fn close(handoff: &Handoff, desk: &dyn Desk, now: Timestamp) -> Result<(), DeskError> {
    let Progress::Connected {
        access,
        conversation,
    } = &handoff.progress
    else {
        return Ok(());
    };
    let access = fresh_access(handoff, access, desk, now).await?;
    match desk.close(&access, conversation).await {
        Err(DeskError::Unauthorized(_)) => {
            desk.close(&renew_access(handoff, desk).await?, conversation)
                .await
        }
        closed => closed,
    }
}

/// What follows from trying to close the desk's side: done, tried again, or left as it is.
pub fn settle_close(
    mut handoff: Handoff,
    went: Result<(), DeskError>,
    took: Duration,
    policy: &Policy,
    roll: f64,
    now: Timestamp,
) -> Turn {
    let Status::Closed { why, .. } = handoff.status else {
        unreachable!("only a handoff that has ended is closed at the desk")
    };
    let (result, close_at) = match went {
        Ok(()) => (CallResult::Done, None),
        Err(error) => {
            let again = match policy.judge(&error, handoff.spent, roll) {
                Verdict::Retry(wait) | Verdict::Renew(wait) => Some(clock::after(now, wait)),
                // The desk ends what nobody closes by its own timeout; no contact waits for it.
                Verdict::DeadLetter => None,
            };
            handoff.spent = Spent {
                failures: handoff.spent.failures + 1,
                renewals: handoff.spent.renewals + 1,
            };
            (failed(&error), again)
        }
    };
    handoff.status = Status::Closed { why, close_at };
    Turn {
        handoff,
        outcome: Outcome {
            result,
            took,
            request_id: None,
        },
        tell: vec![],
        dead: None,
    }
}
