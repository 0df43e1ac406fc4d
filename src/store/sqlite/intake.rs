//! Deliveries in, each once.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

use super::{Shared, contacts, dead, journey, outbox, replies};
use crate::domain::arrival::{Arrival, Inbound};
use crate::domain::clock::{self, Timestamp};
use crate::domain::connection::DeskKind;
use crate::domain::contact::{ContactEvent, Happening};
use crate::domain::dead_letter::{self, Cause, Origin, Tally};
use crate::domain::escalation::Escalation;
use crate::domain::event::Poison;
use crate::domain::handoff::{Handoff, Keys, Phase, Progress, Spent, Status, Step};
use crate::domain::ids::{EventId, HandoffId, IdShape, SessionId};
use crate::domain::lifecycle::Lifecycle;
use crate::domain::trace::TraceContext;
use crate::store::{Receipt, Row, StoreError, row};

/// Takes all of them in, in their order.
pub fn receive(
    sql: &Connection,
    shared: &Shared,
    arrivals: Vec<Arrival>,
    now: Timestamp,
) -> Result<Vec<Receipt>, StoreError> {
    let receipts: Result<Vec<Receipt>, StoreError> = arrivals
        .into_iter()
        .map(|arrival| {
            let taking = Taking {
                sql,
                shared,
                origin: &arrival.origin,
                body: &arrival.body,
                now,
            };
            taking.take(arrival.what)
        })
        .collect();
    // Whoever comes to its end is cleared.
    sql.prepare_cached("DELETE FROM meta WHERE name = 'suspect'")?
        .execute([])?;
    receipts
}

/// One delivery, inside the transaction that takes it in.
struct Taking<'a> {
    sql: &'a Connection,
    shared: &'a Shared,
    origin: &'a Origin,
    body: &'a [u8],
    now: Timestamp,
}

/// What is known of the handoff of an event.
struct Known {
    row: Row,
    body_hash: Vec<u8>,
    duplicates: u64,
    generation: u32,
}

impl Taking<'_> {
    fn take(&self, what: Inbound) -> Result<Receipt, StoreError> {
        if !self.may_come_back(&what)? {
            return Ok(Receipt::Duplicate);
        }
        match what {
            Inbound::Escalation(escalation, deadline) => self.escalation(*escalation, deadline),
            Inbound::Contact(id, event) => self.contact(&id, &event),
            Inbound::Poison(poison) => self.quarantine(&poison),
        }
    }

    /// A dead letter that came back is replayed by that, unless somebody has discarded it.
    fn may_come_back(&self, what: &Inbound) -> Result<bool, StoreError> {
        let failed = self.origin.generation() - 1;
        if failed == 0 {
            return Ok(true);
        }
        let (sql, now) = (self.sql, self.now);
        let poison = dead_letter::poison_key(self.shared.namespace, self.body, failed).to_string();
        if !dead::comes_back(sql, dead::Back::Delivery(&poison), now)? {
            return Ok(false);
        }
        match what {
            Inbound::Contact(id, _) => {
                dead::comes_back(sql, dead::Back::Contact(&self.event_key(id, failed)), now)
            }
            Inbound::Escalation(..) | Inbound::Poison(_) => Ok(true),
        }
    }

    fn escalation(
        &self,
        escalation: Escalation,
        deadline: Timestamp,
    ) -> Result<Receipt, StoreError> {
        let generation = self.origin.generation();
        let known = self
            .sql
            .prepare_cached(
                "SELECT h.k, i.body_hash, h.duplicates, h.generation FROM handoff h JOIN inbox i ON i.seq = h.inbox WHERE h.event_key = ?1",
            )?
            .query_row(params![self.event_key(&escalation.id, 1)], |row| {
                Ok(Known { row: row.get(0)?, body_hash: row.get(1)?, duplicates: row.get(2)?, generation: row.get(3)? })
            })
            .optional()?;
        match known {
            None => self.accept(escalation, deadline),
            Some(known)
                if known.body_hash != self.body_hash()
                    && !self.came_before(&escalation, &known)? =>
            {
                self.quarantine(&Poison::IdConflict(escalation.id.to_string()))
            }
            Some(known) if generation > 1 => self.come_back(&escalation, known.row, deadline),
            Some(known) => self.duplicate(&known),
        }
    }

    /// Whether this is the event as it came before somebody edited it.
    fn came_before(&self, escalation: &Escalation, known: &Known) -> Result<bool, StoreError> {
        let mut same = self
            .sql
            .prepare_cached("SELECT 1 FROM inbox WHERE event_key = ?1 AND body_hash = ?2")?;
        for generation in 1..=known.generation {
            let key = self.event_key(&escalation.id, generation);
            if same.exists(params![key, self.body_hash()])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn accept(&self, escalation: Escalation, deadline: Timestamp) -> Result<Receipt, StoreError> {
        let generation = self.origin.generation();
        let inbox = self.inbox(&escalation.id, self.body)?;
        let desk: Option<String> = self
            .sql
            .prepare_cached("SELECT desk FROM connection WHERE name = ?1")?
            .query_row(params![escalation.connection.as_str()], |row| row.get(0))
            .optional()?;
        let keys = Keys::of(self.shared.namespace, &escalation);
        let trace = TraceContext::read(&self.origin.headers);
        let (parent, state) = (
            trace.as_ref().map(TraceContext::parent),
            trace
                .as_ref()
                .and_then(|trace| trace.state().map(str::to_owned)),
        );
        let handoff = Handoff {
            id: HandoffId::new(),
            desk: desk.as_deref().and_then(DeskKind::parse),
            keys,
            trace: trace.unwrap_or_else(|| TraceContext::own(keys.conversation)),
            progress: Progress::Received,
            status: Status::Due { at: self.now },
            phase: Phase::Ready,
            tried: BTreeSet::new(),
            spent: Spent::default(),
            generation,
            accepted_at: self.now,
            deadline,
            cursor: None,
            sequence: 0,
            last_reply_at: None,
            last_inbound_at: escalation.reply_to.last_inbound_at,
            choices: vec![],
            escalation,
        };
        let (escalation, now_ms) = (&handoff.escalation, self.now.as_millisecond());
        self.sql
            .prepare_cached(
                "INSERT INTO handoff (id, event_key, inbox, connection, desk, session, channel, conversation_key, opening_key,
                    progress, state, status, step, generation, due_ms, deadline_ms, accepted_ms, changed_ms, all_tried,
                    last_inbound_ms, traceparent, tracestate)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'due', ?12, ?13, ?14, ?15, ?14, ?14, ?16, ?17, ?18, ?19)",
            )?
            .execute(params![
                handoff.id.0.as_bytes(),
                self.event_key(&escalation.id, 1),
                inbox,
                escalation.connection.as_str(),
                desk,
                escalation.session.as_str(),
                escalation.channel.as_str(),
                handoff.keys.conversation.0.as_bytes(),
                handoff.keys.opening.0.as_bytes(),
                handoff.progress.as_str(),
                row::write(&handoff.progress, &self.shared.key, &handoff.id.to_string()),
                Step::IdentityToken.as_str(),
                generation,
                now_ms,
                deadline.as_millisecond(),
                // A dead letter whose handoff we have lost: what it did before, nobody here knows.
                generation > 1,
                handoff.last_inbound_at.map(|at| at.as_millisecond()),
                parent,
                state,
            ])?;
        let k = self.sql.last_insert_rowid();
        contacts::remember(self.sql, self.shared, k, escalation)?;
        outbox::tell(self.sql, k, &handoff, &Lifecycle::Accepted, self.now)?;
        Ok(Receipt::Accepted(k))
    }

    /// The broker's own repeats are our slowness to ack, not the producer's doubling: not worth an event.
    fn duplicate(&self, known: &Known) -> Result<Receipt, StoreError> {
        if !self.origin.redelivered {
            let count = known.duplicates + 1;
            self.sql
                .prepare_cached("UPDATE handoff SET duplicates = ?2 WHERE k = ?1")?
                .execute(params![known.row, count])?;
            let held = journey::load(self.sql, self.shared, known.row)?;
            outbox::tell(
                self.sql,
                known.row,
                &held.handoff,
                &Lifecycle::Duplicate { count },
                self.now,
            )?;
        }
        Ok(Receipt::Duplicate)
    }

    /// A dead letter on its way back: goes on if its generation is the one that comes next, and is a repeat otherwise.
    fn come_back(
        &self,
        escalation: &Escalation,
        k: Row,
        deadline: Timestamp,
    ) -> Result<Receipt, StoreError> {
        if !journey::go_on(
            self.sql,
            k,
            self.origin.generation() - 1,
            deadline,
            dead::BROKER,
            self.now,
        )? {
            return Ok(Receipt::Duplicate);
        }
        // The handoff keeps the body of its first delivery, which is the same.
        self.inbox(&escalation.id, b"")?;
        Ok(Receipt::Replayed(k))
    }

    /// Keeps what a contact did until it has reached a rep. A sign of typing is not kept.
    fn contact(&self, id: &EventId, event: &ContactEvent) -> Result<Receipt, StoreError> {
        if matches!(event.what, Happening::Typing { .. }) {
            return Ok(Receipt::Passed);
        }
        let generation = self.origin.generation();
        let key = self.event_key(id, generation);
        let known: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT body_hash FROM inbox WHERE event_key = ?1")?
            .query_row(params![key], |row| row.get(0))
            .optional()?;
        match known {
            Some(hash) if hash == self.body_hash() => return Ok(Receipt::Duplicate),
            Some(_) => return self.quarantine(&Poison::IdConflict(id.to_string())),
            None => {}
        }
        let place = match &event.what {
            Happening::Wrote(message) => message.sequence,
            Happening::Typing { .. } | Happening::Left { .. } | Happening::Delivery(_) => None,
        };
        let now_ms = self.now.as_millisecond();
        self.sql
            .prepare_cached(
                "INSERT INTO inbox (event_key, body_hash, kind, received_ms, exchange, routing_key, headers, body, session,
                                    place, generation, due_ms)
                 VALUES (?1, ?2, 'contact', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,
                         (SELECT ?3 + 30000 FROM handoff WHERE session = ?8 AND ?9 > contact_place + 1
                          ORDER BY k DESC LIMIT 1))",
            )?
            .execute(params![
                key,
                self.body_hash(),
                now_ms,
                self.origin.exchange,
                self.origin.routing_key,
                json!(self.origin.headers).to_string(),
                self.body,
                event.session.as_str(),
                place,
                generation,
            ])?;
        if matches!(event.what, Happening::Wrote(_)) {
            replies::contact_wrote(self.sql, self.shared, &event.session, self.now)?;
        }
        Ok(Receipt::ForRep)
    }

    fn inbox(&self, event: &EventId, body: &[u8]) -> Result<i64, StoreError> {
        self.sql
            .prepare_cached(
                "INSERT INTO inbox (event_key, body_hash, kind, received_ms, exchange, routing_key, headers, body)
                 VALUES (?1, ?2, 'escalation', ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.event_key(event, self.origin.generation()),
                self.body_hash(),
                self.now.as_millisecond(),
                self.origin.exchange,
                self.origin.routing_key,
                json!(self.origin.headers).to_string(),
                body,
            ])?;
        Ok(self.sql.last_insert_rowid())
    }

    /// Keeps the bytes whole, and puts their dead letter into the outbox; once, however often the broker brings them.
    fn quarantine(&self, poison: &Poison) -> Result<Receipt, StoreError> {
        let generation = self.origin.generation();
        let key = dead_letter::poison_key(self.shared.namespace, self.body, generation);
        let cause = Cause {
            code: poison.code(),
            step: Step::Intake,
            reason: poison.to_string(),
            http_status: None,
        };
        let letter = dead::Letter {
            message_id: key.to_string(),
            what: dead::What::Delivery,
            cause: &cause,
            origin: self.origin,
            generation,
            tally: Tally {
                attempts: 0,
                first_failed_at: self.now,
                last_failed_at: self.now,
            },
            body: self.body,
        };
        dead::set_aside(self.sql, self.shared, letter, self.now)?;
        Ok(Receipt::Quarantined)
    }

    fn event_key(&self, event: &EventId, generation: u32) -> [u8; 16] {
        event_key(self.shared, event, generation)
    }

    /// Tells a redelivery from an id that is used twice.
    fn body_hash(&self) -> Vec<u8> {
        digest(&SHA256, self.body).as_ref()[..16].to_vec()
    }
}

/// Puts an edited escalation in the place of the one that a handoff began with, which stays beside it. The handoff
/// begins anew: what it had prepared was made of the old one.
pub fn put_in_place(
    sql: &Connection,
    shared: &Shared,
    k: Row,
    arrival: &Arrival,
    escalation: &Escalation,
    generation: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    let taking = Taking {
        sql,
        shared,
        origin: &arrival.origin,
        body: &arrival.body,
        now,
    };
    debug_assert_eq!(arrival.origin.generation(), generation);
    let inbox = taking.inbox(&escalation.id, &arrival.body)?;
    sql.prepare_cached(
        "UPDATE handoff SET inbox = ?2, connection = ?3, channel = ?4, progress = 'received', state = '{\"v\":1}',
                            step = 'identity-token', last_inbound_ms = ?5,
                            desk = coalesce((SELECT desk FROM connection WHERE name = ?3), desk)
         WHERE k = ?1",
    )?
    .execute(params![
        k,
        inbox,
        escalation.connection.as_str(),
        escalation.channel.as_str(),
        escalation.reply_to.last_inbound_at.map(|at| at.as_millisecond()),
    ])?;
    contacts::remember(sql, shared, k, escalation)
}

/// Sixteen bytes that tell one delivery of one generation from all others.
pub fn event_key(shared: &Shared, event: &EventId, generation: u32) -> [u8; 16] {
    let name = ["event", event.as_str(), &generation.to_string()];
    *shared.namespace.key(&name, IdShape::V5).0.as_bytes()
}

/// How long a sign of typing means anything.
const TYPING_LIFE: Duration = Duration::from_secs(10);

/// A sign of typing that is young enough to be passed on.
pub fn moment(arrival: &Arrival, now: Timestamp) -> Option<(SessionId, bool)> {
    let Inbound::Contact(_, event) = &arrival.what else {
        return None;
    };
    let Happening::Typing { typing } = event.what else {
        return None;
    };
    let fresh = event
        .at
        .is_none_or(|at| clock::after(at, TYPING_LIFE) > now);
    fresh.then(|| (event.session.clone(), typing))
}
