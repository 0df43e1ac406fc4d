//! One contact: found by a keyed digest of what they are known as, so that the table itself names nobody; erased in one
//! transaction.

use aws_lc_rs::hmac;
use rusqlite::{Connection, params};
use serde_json::json;
use uuid::Uuid;

use super::{Shared, intake, journey, measures};
use crate::domain::clock::{Timestamp, from_ms};
use crate::domain::escalation::Escalation;
use crate::domain::handoff::Status;
use crate::domain::ids::HandoffId;
use crate::store::contact::{FromContact, KnownAs, Traces};
use crate::store::{EndOfDead, Row, StoreError, row};

/// Remembers whose handoff it is.
pub fn remember(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    escalation: &Escalation,
) -> Result<(), StoreError> {
    let contact = &escalation.contact;
    let known = [
        contact.phone.clone().map(KnownAs::Phone),
        // On the telephone channels the address is a number; elsewhere it is nobody's.
        escalation.reply_to.address.clone().map(KnownAs::Phone),
        contact.email.clone().map(KnownAs::Email),
        contact.id.clone().map(KnownAs::Id),
    ];
    for known in known.into_iter().flatten() {
        sql.prepare_cached(
            "INSERT INTO person (digest, handoff) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![digest(shared, &known), k])?;
    }
    Ok(())
}

fn digest(shared: &Shared, known: &KnownAs) -> Vec<u8> {
    let text = format!("{}\n{}", known.kind(), known.value());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &shared.key.derive("contacts"));
    hmac::sign(&key, text.as_bytes()).as_ref()[..16].to_vec()
}

/// All that there is of a contact.
pub fn traces(sql: &Connection, shared: &Shared, known: &KnownAs) -> Result<Traces, StoreError> {
    let mut found = Traces::default();
    let mut rows: Vec<Row> = match known {
        KnownAs::Session(_) => vec![],
        KnownAs::Phone(_) | KnownAs::Email(_) | KnownAs::Id(_) => column(
            sql,
            "SELECT handoff FROM person WHERE digest = ?1",
            digest(shared, known),
        )?,
    };
    if let KnownAs::Session(session) = known {
        found.sessions.push(session.clone());
    }
    let listed = json!(rows).to_string();
    found.sessions.extend(column::<String>(
        sql,
        "SELECT DISTINCT session FROM handoff WHERE k IN (SELECT value FROM json_each(?1))",
        listed,
    )?);
    let sessions = json!(found.sessions).to_string();
    rows.extend(column::<Row>(
        sql,
        "SELECT k FROM handoff WHERE session IN (SELECT value FROM json_each(?1))",
        sessions.clone(),
    )?);
    rows.sort_unstable();
    rows.dedup();
    for k in &rows {
        let (id, over, unpublished, events): (Vec<u8>, bool, u64, u64) = sql
            .prepare_cached(
                "SELECT id, status IN ('closed', 'dead') AND due_ms IS NULL AND phase = 'ready',
                        (SELECT count(*) FROM outbox WHERE handoff = ?1 AND confirmed_ms IS NULL),
                        (SELECT count(*) FROM outbox WHERE handoff = ?1)
                 FROM handoff WHERE k = ?1",
            )?
            .query_row(params![k], |found| {
                Ok((found.get(0)?, found.get(1)?, found.get(2)?, found.get(3)?))
            })?;
        let id = HandoffId(Uuid::from_slice(&id).map_err(|_| row::corrupt("handoff.id"))?);
        found.handoffs.push((*k, id));
        if !over {
            found.not_over.push(id);
        }
        found.unpublished += unpublished;
        found.events += events;
    }
    found.messages = sql
        .prepare_cached("SELECT count(*) FROM inbox WHERE session IN (SELECT value FROM json_each(?1)) AND kind = 'contact'")?
        .query_row(params![sessions], |found| found.get(0))?;
    found.dead_letters = dead_letters(sql, known, &rows, &found.sessions)?;
    Ok(found)
}

/// Those of the handoffs and sessions, and deliveries whose bytes name the contact or one of the sessions.
fn dead_letters(
    sql: &Connection,
    known: &KnownAs,
    rows: &[Row],
    sessions: &[String],
) -> Result<Vec<i64>, StoreError> {
    let mut names: Vec<String> = sessions.iter().map(|it| json!(it).to_string()).collect();
    names.push(match known {
        KnownAs::Phone(_) | KnownAs::Email(_) => known.value(),
        // Short ids are in many texts; as a JSON text of its own it is no chance.
        KnownAs::Id(value) | KnownAs::Session(value) => json!(value).to_string(),
    });
    let numbers = sql
        .prepare_cached(
            "SELECT k FROM dead WHERE handoff IN (SELECT value FROM json_each(?1))
             UNION SELECT k FROM dead WHERE session IN (SELECT value FROM json_each(?2))
             UNION SELECT d.k FROM dead d, json_each(?3) n
                   WHERE d.about = 'delivery'
                     AND (instr(lower(CAST(d.body AS TEXT)), lower(n.value)) > 0
                          -- A phone number as people write it.
                          OR instr(replace(replace(replace(replace(replace(CAST(d.body AS TEXT), ' ', ''), '-', ''), '.', ''),
                                                   '(', ''), ')', ''), n.value) > 0)",
        )?
        .query_map(
            params![
                json!(rows).to_string(),
                json!(sessions).to_string(),
                json!(names).to_string()
            ],
            |found| found.get(0),
        )?
        .collect::<Result<_, _>>()?;
    Ok(numbers)
}

fn column<T: rusqlite::types::FromSql>(
    sql: &Connection,
    query: &str,
    key: impl rusqlite::ToSql,
) -> Result<Vec<T>, StoreError> {
    let found = sql
        .prepare_cached(query)?
        .query_map(params![key], |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// Erases all that there is of a contact; `None` if something of it is not over, and nothing was erased. What stays of a
/// handoff is that there was one, when, and a digest of its event's id, so that a copy of the event is still known.
pub fn erase(
    sql: &Connection,
    shared: &Shared,
    known: &KnownAs,
    who: &str,
    now: Timestamp,
) -> Result<Option<Traces>, StoreError> {
    let found = traces(sql, shared, known)?;
    if !found.not_over.is_empty() || found.unpublished > 0 {
        return Ok(None);
    }
    for number in &found.dead_letters {
        sql.prepare_cached(
            "DELETE FROM outbox WHERE message_id = (SELECT message_id FROM dead WHERE k = ?1)",
        )?
        .execute(params![number])?;
        sql.prepare_cached("DELETE FROM dead WHERE k = ?1")?
            .execute(params![number])?;
    }
    for (k, id) in &found.handoffs {
        erase_handoff(sql, shared, *k, *id, now)?;
    }
    let sessions = json!(found.sessions).to_string();
    sql.prepare_cached(
        "DELETE FROM outbox WHERE handoff IS NULL AND correlation IN (SELECT value FROM json_each(?1))",
    )?
    .execute(params![sessions])?;
    sql.prepare_cached("DELETE FROM inbox WHERE session IN (SELECT value FROM json_each(?1))")?
        .execute(params![sessions])?;
    // What was asked for may have been asked for by name.
    let mut names = found.sessions.clone();
    names.push(known.value());
    sql.prepare_cached(
        "UPDATE job SET asked = '{}', key = NULL
         WHERE EXISTS (SELECT 1 FROM json_each(?1) n WHERE instr(asked, n.value) > 0)",
    )?
    .execute(params![json!(names).to_string()])?;
    let about = format!(
        "a contact, by {}: {} handoffs, {} messages, {} dead letters",
        known.kind(),
        found.handoffs.len(),
        found.messages,
        found.dead_letters.len()
    );
    journey::audit(sql, who, "erase", &about, now)?;
    Ok(Some(found))
}

fn erase_handoff(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    id: HandoffId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let handoff = journey::load(sql, shared, k)?.handoff;
    if let Status::DeadLettered { .. } = handoff.status {
        measures::enter_end_of_dead(sql, EndOfDead::Erased)?;
    }
    let session = format!("erased-{id}");
    empty_events(sql, shared, &handoff.escalation, handoff.generation)?;
    sql.prepare_cached(
        "UPDATE inbox SET body = ?2, headers = '{}' WHERE seq = (SELECT inbox FROM handoff WHERE k = ?1)",
    )?
    .execute(params![k, handoff.escalation.skeleton("erased", &session)])?;
    for delete in [
        "DELETE FROM attempt WHERE handoff = ?1",
        "DELETE FROM outbox WHERE handoff = ?1",
        "DELETE FROM person WHERE handoff = ?1",
    ] {
        sql.prepare_cached(delete)?.execute(params![k])?;
    }
    sql.prepare_cached(
        "UPDATE handoff SET session = ?2, status = 'closed', why = CASE status WHEN 'closed' THEN why ELSE 'operator' END,
                            progress = 'received', state = '{\"v\":1}', conversation = NULL, cursor = NULL, choices = NULL,
                            traceparent = NULL, tracestate = NULL,
                            conversation_key = zeroblob(16), opening_key = zeroblob(16), last_reply_ms = NULL,
                            last_inbound_ms = NULL, emptied_ms = ?3, files_ms = ?3, version = version + 1
         WHERE k = ?1",
    )?
    .execute(params![k, session, now.as_millisecond()])?;
    Ok(())
}

/// Empties the bodies of all deliveries of an escalation, whatever their generation.
pub fn empty_events(
    sql: &Connection,
    shared: &Shared,
    escalation: &Escalation,
    generation: u32,
) -> Result<(), StoreError> {
    for generation in 1..=generation {
        let key = intake::event_key(shared, &escalation.id, generation);
        sql.prepare_cached("UPDATE inbox SET body = x'', headers = '{}' WHERE event_key = ?1")?
            .execute(params![key])?;
    }
    Ok(())
}

/// What a contact sent in a session, oldest first.
pub fn events(sql: &Connection, session: &str) -> Result<Vec<FromContact>, StoreError> {
    let events = sql
        .prepare_cached(
            "SELECT routing_key, received_ms, applied_ms, tries, body FROM inbox
             WHERE session = ?1 AND kind = 'contact' ORDER BY seq",
        )?
        .query_map(params![session], |found| {
            Ok(FromContact {
                routing_key: found.get(0)?,
                received_at: from_ms(found.get(1)?),
                applied_at: found.get::<_, Option<i64>>(2)?.map(from_ms),
                tries: found.get(3)?,
                body: found.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(events)
}
