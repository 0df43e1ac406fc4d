//! Dead letters: put in with the change they tell of, found by what they have in common.

use std::collections::BTreeMap;

use rusqlite::types::Value as Column;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params, params_from_iter};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Shared, intake, journey, listing};
use crate::domain::arrival::{Arrival, Inbound};
use crate::domain::clock::{Timestamp, from_ms};
use crate::domain::dead_letter::{self, Cause, Origin, Tally};
use crate::domain::handoff::{Handoff, Step};
use crate::store::dead::{
    About, DeadFilter, DeadGroup, DeadLetter, GroupBy, Onward, Replayed, State,
};
use crate::store::{Receipt, Row, StoreError, row};

/// A dead letter as it goes in.
pub struct Letter<'a> {
    /// Derived from what it is about and its generation: the same one goes in once.
    pub message_id: String,
    /// What it is about.
    pub what: What<'a>,
    /// Why it is set aside.
    pub cause: &'a Cause,
    /// How it came.
    pub origin: &'a Origin,
    /// The generation that failed.
    pub generation: u32,
    /// When it failed, and how often.
    pub tally: Tally,
    /// The original bytes.
    pub body: &'a [u8],
}

/// What a dead letter is about.
pub enum What<'a> {
    /// A handoff.
    Handoff(Row, &'a Handoff),
    /// Something for a rep: its place in the inbox, its session, and the handoff of that if there is one.
    Contact(i64, &'a str, Option<(Row, &'a Handoff)>),
    /// A delivery that cannot be processed. Nobody else has its bytes.
    Delivery,
}

/// Puts a dead letter in, and its copy for the broker into the outbox. `false` if it was in already.
pub fn set_aside(
    sql: &Connection,
    shared: &Shared,
    letter: Letter<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Letter {
        message_id,
        what,
        cause,
        origin,
        generation,
        tally,
        body,
    } = letter;
    let (about, inbox, session, of) = match &what {
        What::Handoff(k, handoff) => (
            About::Handoff,
            None,
            handoff.escalation.session.as_str(),
            Some((*k, *handoff)),
        ),
        What::Contact(seq, session, of) => (About::Contact, Some(*seq), *session, *of),
        What::Delivery => (About::Delivery, None, "", None),
    };
    let desk = of.and_then(|(_, handoff)| handoff.desk);
    // A session in the reason would make a group of its own of each.
    let told = Cause {
        reason: match session {
            "" => cause.reason.clone(),
            session => cause.reason.replace(session, ""),
        },
        ..cause.clone()
    };
    let group = dead_letter::group(desk.map_or("unknown", |desk| desk.as_str()), &told);
    let mut headers = dead_letter::headers(cause, origin, generation, tally, &shared.worker);
    match of {
        Some((_, handoff)) => dead_letter::handoff_headers(&mut headers, handoff, cause),
        None if !session.is_empty() => {
            headers.insert("x-session-id".into(), json!(session));
        }
        None => {}
    }
    headers.insert("x-handoff-group".into(), json!(group));
    let kept = matches!(what, What::Delivery);
    let inserted = sql
        .prepare_cached(
            "INSERT INTO dead (message_id, about, handoff, inbox, generation, class, code, step, reason, cause, http_status,
                               connection, desk, session, attempts, first_ms, at_ms, exchange, routing_key, headers, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
             ON CONFLICT (message_id) DO NOTHING",
        )?
        .execute(params![
            message_id,
            about.as_str(),
            of.map(|(k, _)| k),
            inbox,
            generation,
            cause.code.class().as_str(),
            cause.code.as_str(),
            cause.step.as_str(),
            cause.reason,
            group,
            cause.http_status,
            of.map(|(_, handoff)| handoff.escalation.connection.as_str()),
            desk.map(|desk| desk.as_str()),
            Some(session).filter(|session| !session.is_empty()),
            i64::try_from(tally.attempts).unwrap_or(i64::MAX),
            tally.first_failed_at.as_millisecond(),
            now.as_millisecond(),
            kept.then_some(&origin.exchange),
            kept.then_some(&origin.routing_key),
            kept.then(|| json!(origin.headers).to_string()),
            kept.then_some(body),
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    sql.prepare_cached(
        "INSERT INTO outbox (handoff, message_id, destination, routing_key, kind, correlation, headers, body, stored_ms, ready_ms)
         VALUES (?1, ?2, 'dead', ?3, '', ?4, ?5, ?6, ?7, ?7) ON CONFLICT (message_id) DO NOTHING",
    )?
    .execute(params![
        of.map(|(k, _)| k),
        message_id,
        format!("{}.{}", cause.code.class().as_str(), cause.code),
        session,
        json!(headers).to_string(),
        body,
        now.as_millisecond(),
    ])?;
    Ok(true)
}

/// Conditions and what they compare with; only what is asked for is in it, so that an index can be used for it.
struct Where {
    conditions: Vec<String>,
    columns: Vec<Column>,
}

impl Where {
    fn of(filter: &DeadFilter) -> Self {
        let mut all = Self {
            conditions: vec![],
            columns: vec![],
        };
        all.and("d.state =", filter.state.as_str().to_owned());
        let texts = [
            ("d.connection =", &filter.connection),
            ("d.desk =", &filter.desk),
            ("d.step =", &filter.step),
            ("d.class =", &filter.class),
            ("d.code =", &filter.code),
            ("d.cause =", &filter.cause),
            ("d.session =", &filter.session),
        ];
        for (condition, text) in texts {
            if let Some(text) = text {
                all.and(condition, text.clone());
            }
        }
        if let Some(until) = filter.until {
            all.and("d.at_ms <=", until.as_millisecond());
        }
        if let Some(since) = filter.since {
            all.and("d.at_ms >=", since.as_millisecond());
        }
        if let Some(up_to) = filter.up_to {
            all.and("d.k <=", up_to);
        }
        if let Some(text) = &filter.text {
            all.and(
                "coalesce(d.reason, '') || ' ' || coalesce(d.session, '') || ' ' || coalesce(d.connection, '') LIKE",
                format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")),
            );
            if let Some(last) = all.conditions.last_mut() {
                last.push_str(" ESCAPE '\\'");
            }
        }
        all
    }

    fn and(&mut self, condition: &str, column: impl Into<Column>) {
        self.columns.push(column.into());
        self.conditions
            .push(format!("{condition} ?{}", self.columns.len()));
    }

    fn text(&self) -> String {
        self.conditions.join(" AND ")
    }
}

const COLUMNS: &str = "d.k, d.about, d.handoff, d.generation, d.class, d.code, d.step, d.reason, d.cause, d.http_status, \
     d.connection, d.desk, d.session, d.attempts, d.first_ms, d.at_ms, d.state, d.state_ms, d.state_by, h.id AS handoff_id";

/// Those that match, the newest first; only those numbered below `before`.
pub fn list(
    sql: &Connection,
    filter: &DeadFilter,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut wanted = Where::of(filter);
    if let Some(before) = before {
        wanted.and("d.k <", before);
    }
    let query = format!(
        "SELECT {COLUMNS} FROM dead d LEFT JOIN handoff h ON h.k = d.handoff WHERE {} ORDER BY d.k DESC LIMIT {limit}",
        wanted.text()
    );
    sql.prepare(&query)?
        .query_and_then(params_from_iter(wanted.columns), letter)?
        .collect()
}

/// How many match, and the highest number among them.
pub fn count(sql: &Connection, filter: &DeadFilter) -> Result<(u64, Option<i64>), StoreError> {
    let wanted = Where::of(filter);
    let query = format!(
        "SELECT count(*), max(d.k) FROM dead d WHERE {}",
        wanted.text()
    );
    Ok(sql
        .prepare(&query)?
        .query_row(params_from_iter(wanted.columns), |found| {
            Ok((found.get(0)?, found.get(1)?))
        })?)
}

/// The numbers of those that match, the oldest first.
pub fn numbers(sql: &Connection, filter: &DeadFilter) -> Result<Vec<i64>, StoreError> {
    let wanted = Where::of(filter);
    let query = format!(
        "SELECT d.k FROM dead d WHERE {} ORDER BY d.k",
        wanted.text()
    );
    let numbers = sql
        .prepare(&query)?
        .query_map(params_from_iter(wanted.columns), |found| found.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(numbers)
}

/// Those that match by what they have in common, the largest group first.
pub fn groups(
    sql: &Connection,
    filter: &DeadFilter,
    by: GroupBy,
    limit: usize,
) -> Result<Vec<DeadGroup>, StoreError> {
    let (wanted, column) = (Where::of(filter), by.as_str());
    let query = format!(
        "SELECT g.common, g.size, g.first_ms, l.code, l.class, l.step, l.connection, l.reason, l.at_ms
         FROM (SELECT d.{column} AS common, max(d.k) AS newest, count(*) AS size, min(d.first_ms) AS first_ms
               FROM dead d WHERE {} GROUP BY d.{column} ORDER BY size DESC, newest DESC LIMIT {limit}) g
         JOIN dead l ON l.k = g.newest ORDER BY g.size DESC, g.newest DESC",
        wanted.text()
    );
    sql.prepare(&query)?
        .query_and_then(params_from_iter(wanted.columns), |found| {
            Ok(DeadGroup {
                of: found.get("common")?,
                code: found.get("code")?,
                class: found.get("class")?,
                step: found.get("step")?,
                connection: found.get("connection")?,
                reason: found.get("reason")?,
                count: found.get("size")?,
                first_seen: from_ms(found.get("first_ms")?),
                last_seen: from_ms(found.get("at_ms")?),
            })
        })?
        .collect()
}

/// By its id, the id of its message, or anything that finds its handoff or its session; one that is open goes before
/// one that is not, then the newest.
pub fn one(sql: &Connection, id: &str) -> Result<Option<DeadLetter>, StoreError> {
    let number = id.strip_prefix("d-").and_then(|k| k.parse::<i64>().ok());
    if let Some(number) = number
        && let Some(found) = by_number(sql, number)?
    {
        return Ok(Some(found));
    }
    let rows: Vec<i64> = listing::find(sql, id)?;
    let query = format!(
        "SELECT {COLUMNS} FROM dead d LEFT JOIN handoff h ON h.k = d.handoff
         WHERE d.k IN (SELECT k FROM dead WHERE message_id = ?1
                       UNION SELECT k FROM dead WHERE session = ?1
                       UNION SELECT d.k FROM json_each(?2) r JOIN dead d ON d.handoff = r.value)
         ORDER BY d.state = 'open' DESC, d.about = 'handoff' DESC, d.k DESC LIMIT 1"
    );
    let mut found = sql.prepare_cached(&query)?;
    let mut found = found.query_and_then(params![id, json!(rows).to_string()], letter)?;
    found.next().transpose()
}

/// The one with this number.
pub fn by_number(sql: &Connection, number: i64) -> Result<Option<DeadLetter>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM dead d LEFT JOIN handoff h ON h.k = d.handoff WHERE d.k = ?1"
    );
    let mut found = sql.prepare_cached(&query)?;
    let mut found = found.query_and_then(params![number], letter)?;
    found.next().transpose()
}

fn letter(found: &SqlRow<'_>) -> Result<DeadLetter, StoreError> {
    let number: i64 = found.get("k")?;
    let about = About::parse(&found.get::<_, String>("about")?)
        .ok_or_else(|| row::corrupt("dead.about"))?;
    let id = match (about, found.get::<_, Option<Vec<u8>>>("handoff_id")?) {
        (About::Handoff, Some(id)) => Uuid::from_slice(&id)
            .map_err(|_| row::corrupt("handoff.id"))?
            .to_string(),
        _ => format!("d-{number}"),
    };
    Ok(DeadLetter {
        number,
        id,
        about,
        row: found.get("handoff")?,
        code: found.get("code")?,
        class: found.get("class")?,
        step: found.get("step")?,
        reason: found.get("reason")?,
        cause: found.get("cause")?,
        http_status: found.get("http_status")?,
        session: found.get("session")?,
        connection: found.get("connection")?,
        desk: found.get("desk")?,
        generation: found.get("generation")?,
        attempts: found.get("attempts")?,
        first_failed_at: from_ms(found.get("first_ms")?),
        at: from_ms(found.get("at_ms")?),
        state: State::parse(&found.get::<_, String>("state")?)
            .ok_or_else(|| row::corrupt("dead.state"))?,
        state_at: found.get::<_, Option<i64>>("state_ms")?.map(from_ms),
        state_by: found.get("state_by")?,
    })
}

/// How a dead letter came, and its bytes; `None` when they are gone.
pub fn original(sql: &Connection, number: i64) -> Result<Option<(Origin, Vec<u8>)>, StoreError> {
    let place: Option<(String, Option<Row>, Option<i64>)> = sql
        .prepare_cached("SELECT about, handoff, inbox FROM dead WHERE k = ?1")?
        .query_row(params![number], |found| {
            Ok((found.get(0)?, found.get(1)?, found.get(2)?))
        })
        .optional()?;
    let Some((about, handoff, inbox)) = place else {
        return Ok(None);
    };
    if about == About::Handoff.as_str() {
        return match handoff {
            Some(k) => journey::origin(sql, k).map(Some),
            None => Ok(None),
        };
    }
    let query = match inbox {
        Some(_) => {
            "SELECT exchange, routing_key, headers, body FROM inbox WHERE seq = ?1 AND length(body) > 0"
        }
        None => {
            "SELECT exchange, routing_key, headers, body FROM dead WHERE k = ?1 AND body IS NOT NULL"
        }
    };
    let found = sql
        .prepare_cached(query)?
        .query_row(params![inbox.unwrap_or(number)], |found| {
            let headers: String = found.get(2)?;
            let headers: BTreeMap<String, Value> =
                serde_json::from_str(&headers).unwrap_or_default();
            let origin = Origin {
                exchange: found.get(0)?,
                routing_key: found.get(1)?,
                headers,
                redelivered: false,
            };
            Ok((origin, found.get(3)?))
        })
        .optional()?;
    Ok(found)
}

/// Moves a letter from one state to another. `false` if it was not in the first.
pub fn mark(
    sql: &Connection,
    number: i64,
    from: State,
    to: State,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = sql
        .prepare_cached(
            "UPDATE dead SET state = ?3, state_ms = ?4, state_by = ?5 WHERE k = ?1 AND state = ?2",
        )?
        .execute(params![
            number,
            from.as_str(),
            to.as_str(),
            now.as_millisecond(),
            who
        ])?;
    Ok(changed == 1)
}

/// Who marks a letter that came back by the broker's own tools.
pub const BROKER: &str = "broker";

/// A letter has come back by a tool of the broker: it is replayed. `false` if somebody has discarded it, and it stays so.
pub fn comes_back(sql: &Connection, which: Back<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let found =
        |query: &str, key: &dyn rusqlite::ToSql| -> Result<Option<(i64, String)>, StoreError> {
            Ok(sql
                .prepare_cached(query)?
                .query_row(params![key], |found| Ok((found.get(0)?, found.get(1)?)))
                .optional()?)
        };
    let letter = match which {
        Back::Contact(event_key) => found(
            "SELECT d.k, d.state FROM dead d JOIN inbox i ON i.seq = d.inbox WHERE i.event_key = ?1",
            &event_key,
        )?,
        Back::Delivery(message_id) => found(
            "SELECT k, state FROM dead WHERE message_id = ?1",
            &message_id,
        )?,
    };
    match letter {
        Some((_, state)) if state == State::Discarded.as_str() => Ok(false),
        Some((number, _)) => {
            mark(sql, number, State::Open, State::Replayed, BROKER, now)?;
            Ok(true)
        }
        None => Ok(true),
    }
}

/// Which letter has come back.
pub enum Back<'a> {
    /// That of the event with this key.
    Contact(&'a [u8]),
    /// That with this message id.
    Delivery(&'a str),
}

/// Sends a letter on: a handoff from where it stopped; everything else through intake again, as `arrival`.
pub fn replay(
    sql: &Connection,
    shared: &Shared,
    number: i64,
    arrival: Option<Arrival>,
    deadline: Timestamp,
    who: &str,
    now: Timestamp,
) -> Result<Replayed, StoreError> {
    let Some(letter) = by_number(sql, number)? else {
        return Ok(Replayed::NotOpen);
    };
    if letter.state != State::Open {
        return Ok(Replayed::NotOpen);
    }
    let mut onward = Onward {
        generation: letter.generation + 1,
        ..Onward::default()
    };
    match (letter.about, letter.row) {
        (About::Handoff, Some(k)) => {
            if !journey::go_on(sql, k, letter.generation, deadline, who, now)? {
                return Ok(Replayed::NotOpen);
            }
            onward.handoff = Some(k);
        }
        (About::Handoff, None) => return Ok(Replayed::NotOpen),
        (About::Contact | About::Delivery, _) => {
            let Some(arrival) = arrival else {
                return Ok(Replayed::Cannot(
                    "cannot go on: its content is gone".to_owned(),
                ));
            };
            if let Inbound::Poison(poison) = &arrival.what {
                return Ok(Replayed::Cannot(format!(
                    "still cannot be processed: {poison}"
                )));
            }
            sql.execute_batch("SAVEPOINT replay")?;
            mark(sql, number, State::Open, State::Replayed, who, now)?;
            let receipt = intake::receive(sql, shared, vec![arrival], now)?.pop();
            if receipt == Some(Receipt::Quarantined) {
                sql.execute_batch("ROLLBACK TO replay; RELEASE replay")?;
                let why = "still cannot be processed: its id is known with another body";
                return Ok(Replayed::Cannot(why.to_owned()));
            }
            sql.execute_batch("RELEASE replay")?;
            match receipt {
                Some(Receipt::Accepted(k) | Receipt::Replayed(k)) => onward.handoff = Some(k),
                Some(Receipt::ForRep) => {
                    onward.inbox =
                        sql.query_row("SELECT max(seq) FROM inbox", [], |found| found.get(0))?;
                }
                Some(Receipt::Duplicate | Receipt::Passed | Receipt::Quarantined) | None => {}
            }
        }
    }
    let about = format!(
        "dead letter {}, generation {}",
        letter.id, onward.generation
    );
    journey::audit_of(sql, letter.row, who, "replay", &about, now)?;
    Ok(Replayed::On(onward))
}

/// Sends a letter on with another event in its place. A handoff begins anew with it, under the same keys, so that what
/// the desk has already is found there and not made again.
#[expect(
    clippy::too_many_arguments,
    reason = "who, when and what of one change"
)]
pub fn replay_edited(
    sql: &Connection,
    shared: &Shared,
    number: i64,
    arrival: Arrival,
    changed: &str,
    deadline: Timestamp,
    who: &str,
    now: Timestamp,
) -> Result<Replayed, StoreError> {
    let Some(letter) = by_number(sql, number)?.filter(|letter| letter.state == State::Open) else {
        return Ok(Replayed::NotOpen);
    };
    let replayed = match (letter.about, letter.row, &arrival.what) {
        (About::Handoff, Some(k), Inbound::Escalation(escalation, _)) => {
            let held = journey::load(sql, shared, k)?.handoff;
            let elsewhere = held.escalation.connection != escalation.connection;
            if elsewhere && held.tried.contains(&Step::CreateConversation) {
                return Ok(Replayed::Cannot(format!(
                    "cannot go to another connection: the desk of `{}` may have its conversation",
                    held.escalation.connection
                )));
            }
            if !journey::go_on(sql, k, letter.generation, deadline, who, now)? {
                return Ok(Replayed::NotOpen);
            }
            intake::put_in_place(
                sql,
                shared,
                k,
                &arrival,
                escalation,
                letter.generation + 1,
                now,
            )?;
            Replayed::On(Onward {
                handoff: Some(k),
                inbox: None,
                generation: letter.generation + 1,
            })
        }
        (About::Delivery, _, _) => replay(sql, shared, number, Some(arrival), deadline, who, now)?,
        (About::Handoff | About::Contact, _, _) => return Ok(Replayed::NotOpen),
    };
    if let Replayed::On(onward) = &replayed {
        let about = format!(
            "dead letter {}, generation {}: {changed}",
            letter.id, onward.generation
        );
        journey::audit_of(sql, onward.handoff, who, "edit", &about, now)?;
    }
    Ok(replayed)
}

/// Decides against a letter that is open. It stays, and can be restored.
pub fn discard(
    sql: &Connection,
    number: i64,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    change(
        sql,
        number,
        State::Open,
        State::Discarded,
        "discard",
        who,
        now,
    )
}

/// Takes back that a letter was discarded.
pub fn restore(
    sql: &Connection,
    number: i64,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    change(
        sql,
        number,
        State::Discarded,
        State::Open,
        "restore",
        who,
        now,
    )
}

fn change(
    sql: &Connection,
    number: i64,
    from: State,
    to: State,
    action: &str,
    who: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = mark(sql, number, from, to, who, now)?;
    if changed && let Some(letter) = by_number(sql, number)? {
        let about = format!(
            "dead letter {}, generation {}",
            letter.id, letter.generation
        );
        journey::audit_of(sql, letter.row, who, action, &about, now)?;
    }
    Ok(changed)
}
