//! What the desk said in a live handoff: replies, lifecycle and cursor, in one transaction.

use rusqlite::{Connection, params};
use serde_json::json;

use super::outbox::Release;
use super::{Shared, connections, courier, journey, outbox, waiting};
use crate::domain::channel::{Channel, WhatsappWindow};
use crate::domain::clock::Timestamp;
use crate::domain::handoff::{AccessToken, Ending, Handoff, Phase, Progress, Status, Step};
use crate::domain::ids::{Cursor, EntryId, SessionId};
use crate::domain::lifecycle::Lifecycle;
use crate::domain::news::News;
use crate::domain::reply::{self, Author, Reply, Timing, Withheld};
use crate::store::{Kept, Row, StoreError, row};

/// Keeps the news that are new. Nothing is kept once the handoff has ended.
pub fn keep(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    news: Vec<News>,
    cursor: Option<Cursor>,
    now: Timestamp,
) -> Result<Kept, StoreError> {
    if news.is_empty() {
        return only_cursor(sql, k, cursor);
    }
    let mut handoff = journey::load(sql, shared, k)?.handoff;
    let mut kept = Kept::default();
    for piece in news {
        if handoff.status != Status::Live {
            break;
        }
        match piece {
            News::Reply(reply) => {
                let is_of_a_rep = reply.author == Author::Rep;
                let (reply, withheld) = match handoff.escalation.channel {
                    Channel::Phone => reply.only(&shared.phone),
                    Channel::Web | Channel::Sms | Channel::Whatsapp => (Some(reply), None),
                };
                if let Some(reply) = reply {
                    let new = keep_reply(sql, shared, k, &mut handoff, &reply, now)?;
                    kept.replies += new.replies;
                    kept.notices += new.notices;
                }
                if let Some(withheld) = withheld {
                    kept.notices += withhold(sql, shared, k, &handoff, &withheld, now)?;
                }
                if is_of_a_rep {
                    waiting::rep_came(sql, k)?;
                }
            }
            News::Tell(what) => {
                outbox::tell(sql, k, &handoff, &what, now)?;
                if let Lifecycle::RepJoined { .. } = what {
                    waiting::rep_came(sql, k)?;
                }
                if let Lifecycle::RoutingFailed { .. } = what {
                    kept.unroutable |= waiting::nobody_can_come(sql, k)?;
                }
            }
            News::End(why) => end(sql, k, &mut handoff, why, now)?,
        }
    }
    kept.ended = handoff.status != Status::Live;
    sql.prepare_cached(
        "UPDATE handoff SET cursor = coalesce(?2, cursor), sequence = ?3, last_reply_ms = ?4, changed_ms = ?5, choices = ?6 WHERE k = ?1",
    )?
    .execute(params![
        k,
        cursor.as_ref().map(Cursor::as_str),
        handoff.sequence,
        handoff.last_reply_at.map(|at| at.as_millisecond()),
        now.as_millisecond(),
        json!(handoff.choices).to_string(),
    ])?;
    Ok(kept)
}

fn only_cursor(sql: &Connection, k: Row, cursor: Option<Cursor>) -> Result<Kept, StoreError> {
    let changed = sql
        .prepare_cached(
            "UPDATE handoff SET cursor = coalesce(?2, cursor) WHERE k = ?1 AND status = 'live'",
        )?
        .execute(params![k, cursor.as_ref().map(Cursor::as_str)])?;
    Ok(Kept {
        ended: changed == 0,
        ..Kept::default()
    })
}

/// Only a reply that is really new takes a sequence number. Outside WhatsApp's window it is held.
fn keep_reply(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    handoff: &mut Handoff,
    reply: &Reply,
    now: Timestamp,
) -> Result<Kept, StoreError> {
    if outbox::contains(sql, &handoff.reply_key(&reply.entry).to_string())? {
        return Ok(Kept::default());
    }
    let timing = match handoff.last_reply_at {
        Some(last) if reply.sent_at < last => Timing::Late,
        _ => Timing::InOrder,
    };
    let sequence = handoff.sequence + 1;
    let event = reply.event(handoff, sequence, timing, now);
    let release = match handoff.escalation.channel {
        Channel::Whatsapp if !window_is_open(handoff, now) || outbox::holds(sql, k)? => {
            Release::Held
        }
        Channel::Web | Channel::Sms | Channel::Whatsapp | Channel::Phone
            if reply.files.is_empty() =>
        {
            Release::Now
        }
        Channel::Web | Channel::Sms | Channel::Whatsapp | Channel::Phone => Release::WithFiles,
    };
    let channel = handoff.escalation.channel.as_str();
    let row = outbox::ReplyRow {
        event: &event,
        channel,
        sequence,
        entry: &reply.entry,
        release,
    };
    outbox::reply(sql, k, &row, now)?;
    let mut kept = Kept {
        replies: 1,
        ..Kept::default()
    };
    if release == Release::Held {
        tell_held(sql, shared, k, handoff, reply.entry.clone(), event.id, now)?;
        kept.notices = 1;
    }
    handoff.sequence = sequence;
    handoff.last_reply_at = handoff.last_reply_at.max(Some(reply.sent_at));
    handoff.choices.clone_from(&reply.choices);
    Ok(kept)
}

/// Holds replies that were to be published, now that WhatsApp's window has closed over them; how many.
pub fn hold_late(
    sql: &Connection,
    shared: &Shared,
    late: &[i64],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut held = 0;
    for seq in late {
        let Some(k) = outbox::handoff_of(sql, *seq)? else {
            continue;
        };
        let handoff = journey::load(sql, shared, k)?.handoff;
        if handoff.status == Status::Live && !window_is_open(&handoff, now) {
            let (reply, entry) = outbox::hold(sql, *seq)?;
            tell_held(sql, shared, k, &handoff, entry, reply, now)?;
            held += 1;
        }
    }
    Ok(held)
}

/// Says that a reply is held: to the world, and to the rep.
fn tell_held(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    handoff: &Handoff,
    entry: EntryId,
    reply: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let about = format!("held {entry}");
    outbox::tell(sql, k, handoff, &Lifecycle::Held { entry, reply }, now)?;
    courier::notice(sql, shared, k, &about, HELD_NOTICE, now)
}

/// Says, once, what does not go to the contact's channel: to the world, and to the rep.
fn withhold(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    handoff: &Handoff,
    withheld: &Withheld,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let what = Lifecycle::Withheld {
        entry: withheld.entry.clone(),
        reply: handoff.reply_key(&withheld.entry).to_string(),
        parts: withheld.parts.clone(),
    };
    if outbox::contains(sql, &what.event(handoff, now).id)? {
        return Ok(0);
    }
    outbox::tell(sql, k, handoff, &what, now)?;
    let about = format!("withheld {}", withheld.entry);
    courier::notice(sql, shared, k, &about, &withheld.notice(), now)?;
    Ok(1)
}

/// What the rep reads when WhatsApp takes no free-form replies any more.
const HELD_NOTICE: &str = "[Not sent yet: the contact last wrote more than 24 hours ago, and WhatsApp then takes only \
                           approved templates. Your reply goes out as soon as the contact writes again.]";

fn window_is_open(handoff: &Handoff, now: Timestamp) -> bool {
    // Without a last message nothing says that the window is closed: the sender sees `closed` in the reply, and decides.
    handoff
        .last_inbound_at
        .is_none_or(|at| WhatsappWindow::opened_by(at).is_open(now))
}

/// The contact wrote: WhatsApp's window is open again, and what was held goes out.
pub fn contact_wrote(
    sql: &Connection,
    shared: &Shared,
    session: &SessionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let newest: Option<Row> = sql
        .prepare_cached("SELECT max(k) FROM handoff WHERE session = ?1")?
        .query_row(params![session.as_str()], |found| found.get(0))?;
    let Some(k) = newest else { return Ok(()) };
    sql.prepare_cached(
        "UPDATE handoff SET last_inbound_ms = max(coalesce(last_inbound_ms, 0), ?2) WHERE k = ?1",
    )?
    .execute(params![k, now.as_millisecond()])?;
    if outbox::holds(sql, k)? {
        let handoff = journey::load(sql, shared, k)?.handoff;
        outbox::let_go(sql, k, &reply::whatsapp(&handoff, now), now)?;
    }
    Ok(())
}

/// live → closed, once; `ended` goes out after every reply stored before it, and the desk's side is to be closed.
/// What is still held goes out too: the sender can choose a template.
pub fn end(
    sql: &Connection,
    k: Row,
    handoff: &mut Handoff,
    why: Ending,
    now: Timestamp,
) -> Result<(), StoreError> {
    outbox::let_go(sql, k, &reply::whatsapp(handoff, now), now)?;
    let ended = Lifecycle::Ended {
        why,
        last_sequence: handoff.sequence,
    };
    outbox::tell(sql, k, handoff, &ended, now)?;
    handoff.status = Status::Closed {
        why,
        close_at: Some(now),
    };
    sql.prepare_cached(
        "UPDATE handoff SET status = 'closed', why = ?2, failures = 0, renewals = 0, due_ms = ?3, changed_ms = ?3, waits_ms = NULL, version = version + 1
         WHERE k = ?1 AND status = 'live'",
    )?
    .execute(params![k, why.as_str(), now.as_millisecond()])?;
    Ok(())
}

/// Ends a handoff that is live. One that is on its way, and of which the desk cannot know yet, ends without a word to it.
pub fn end_now(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    why: Ending,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut handoff = journey::load(sql, shared, k)?.handoff;
    match handoff.status {
        Status::Live => end(sql, k, &mut handoff, why, now)?,
        Status::Due { .. }
            if handoff.phase == Phase::Ready
                && !handoff.tried.contains(&Step::CreateConversation) =>
        {
            let ended = Lifecycle::Ended {
                why,
                last_sequence: 0,
            };
            outbox::tell(sql, k, &handoff, &ended, now)?;
            sql.prepare_cached(
                "UPDATE handoff SET status = 'closed', why = ?2, due_ms = NULL, changed_ms = ?3, version = version + 1
                 WHERE k = ?1 AND status = 'due' AND phase = 'ready'",
            )?
            .execute(params![k, why.as_str(), now.as_millisecond()])?;
            connections::finish(sql)?;
        }
        Status::Due { .. } | Status::Closed { .. } | Status::DeadLettered { .. } => {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts a new access token in the place of the old one.
pub fn renewed(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    access: AccessToken,
) -> Result<(), StoreError> {
    let handoff = journey::load(sql, shared, k)?.handoff;
    let Progress::Connected { conversation, .. } = handoff.progress else {
        return Err(StoreError::Fenced);
    };
    let progress = Progress::Connected {
        access,
        conversation,
    };
    sql.prepare_cached("UPDATE handoff SET state = ?2 WHERE k = ?1")?
        .execute(params![
            k,
            row::write(&progress, &shared.key, &handoff.id.to_string())
        ])?;
    Ok(())
}
