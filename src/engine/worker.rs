//! Takes due handoffs on: intent, call, outcome, until each is live, waits, or is set aside.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::desks::{Desks, NoDesk, Open};
use super::files::Files;
use super::governor::Governor;
use crate::desk::http;
use crate::domain::clock::{self, Clock, Timestamp};
use crate::domain::connection::{Gate, Removal};
use crate::domain::error::{Code, DeskError};
use crate::domain::escalation::Transcript;
use crate::domain::handoff::{Handoff, Phase, Progress, Status, Step};
use crate::domain::retry::Policy;
use crate::domain::turn::{CallResult, Outcome, Turn};
use crate::journey;
use crate::metrics::Metrics;
use crate::store::{Claim, Held, Row, Signals, Store, StoreError};
use crate::traces::Traces;

mod account;

/// How long a handoff whose connection cannot be called waits before it looks again, unless it is woken.
const CLOSED_GATE_WAIT: Duration = Duration::from_secs(30);
/// How long the loop leaves a store that does not answer alone.
const STORE_AWAY_WAIT: Duration = Duration::from_millis(500);

/// Everything a worker needs.
pub struct Worker {
    /// The work list.
    pub store: Arc<dyn Store>,
    /// Whom to call.
    pub desks: Arc<Desks>,
    /// How fast.
    pub governor: Arc<Governor>,
    /// Where transcripts that came by address are fetched.
    pub files: Files,
    /// When to try again.
    pub policy: Policy,
    /// What time it is.
    pub clock: Clock,
    /// Handoffs in hand at once.
    pub in_flight_max: usize,
    /// How long a call that is out may take after a stop.
    pub grace: Duration,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// What is traced.
    pub traces: Traces,
}

/// Whether there is more to do for a handoff right now.
enum After {
    Again(Box<Held>),
    Enough,
}

impl Worker {
    /// Works until it is stopped: calls that are out then get [`Worker::grace`], and no new ones are made.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.recover().await;
        let mut in_hand = HashSet::new();
        let mut tasks = JoinSet::new();
        while !stop.is_cancelled() {
            let next = match self.pick(&in_hand).await {
                Ok((rows, next)) => {
                    for row in rows {
                        in_hand.insert(row);
                        let (worker, stop) = (self.clone(), stop.clone());
                        tasks.spawn(async move {
                            let carried = AssertUnwindSafe(worker.carry(row, &stop));
                            if carried.catch_unwind().await.is_err() {
                                worker.panicked(row).await;
                            }
                            row
                        });
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
            let signals: &Arc<Signals> = self.store.signals();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = tasks.join_next() => self.put_down(done, &mut in_hand),
                () = signals.due.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
            while let Some(done) = tasks.try_join_next() {
                self.put_down(done, &mut in_hand);
            }
        }
        while let Some(done) = tasks.join_next().await {
            self.put_down(done, &mut in_hand);
        }
    }

    fn put_down(&self, done: Result<Row, tokio::task::JoinError>, in_hand: &mut HashSet<Row>) {
        match done {
            Ok(row) => drop(in_hand.remove(&row)),
            Err(error) => {
                error!(%error, "a handoff's task ended; it is taken up again at the next start")
            }
        }
    }

    /// What is due and not in hand, as far as there is room.
    async fn pick(
        &self,
        in_hand: &HashSet<Row>,
    ) -> Result<(Vec<Row>, Option<Timestamp>), StoreError> {
        let room = self.in_flight_max.saturating_sub(in_hand.len());
        if room == 0 {
            return Ok((vec![], None));
        }
        let (due, next) = self
            .store
            .due(self.clock.now(), room + in_hand.len())
            .await?;
        Ok((
            due.into_iter()
                .filter(|row| !in_hand.contains(row))
                .take(room)
                .collect(),
            next,
        ))
    }

    /// Takes every due handoff as far as it goes now; for those who set the clock themselves.
    pub async fn tick(&self) -> Result<Option<Timestamp>, StoreError> {
        let stop = CancellationToken::new();
        loop {
            let (rows, next) = self.store.due(self.clock.now(), self.in_flight_max).await?;
            if rows.is_empty() {
                return Ok(next);
            }
            for row in rows {
                self.carry(row, &stop).await;
            }
        }
    }

    /// Gives the calls that a crash left open their outcome: lost, which costs an attempt.
    pub async fn recover(&self) {
        loop {
            match self.settle_interrupted().await {
                Ok(0) => return,
                Ok(count) => {
                    return info!(
                        count,
                        "took up {count} handoffs whose calls a crash had cut off"
                    );
                }
                Err(error) => {
                    warn!(%error, "the store does not answer; trying again");
                    tokio::time::sleep(STORE_AWAY_WAIT).await;
                }
            }
        }
    }

    /// A bug of ours in one handoff costs it an attempt and nobody else anything.
    async fn panicked(&self, row: Row) {
        error!(
            row,
            "a step of a handoff panicked; please report this with the log around it"
        );
        if let Err(error) = self.settle_lost(row).await {
            warn!(%error, row, "could not record a panic; the handoff is taken up at the next start");
        }
    }

    async fn settle_interrupted(&self) -> Result<usize, StoreError> {
        let mut settled = 0;
        for row in self.store.interrupted().await? {
            match self.settle_lost(row).await {
                Ok(()) => settled += 1,
                Err(error) if error.is_passing() => return Err(error),
                // One that cannot be read, as after an upgrade gone wrong, keeps no other waiting.
                Err(error) => {
                    error!(%error, row, "cannot take up a handoff whose call a crash had cut off; the others go on")
                }
            }
        }
        Ok(settled)
    }

    /// A call without an outcome is an attempt that was lost.
    async fn settle_lost(&self, row: Row) -> Result<(), StoreError> {
        let Held { claim, mut handoff } = self.store.load(row).await?;
        let now = self.clock.now();
        handoff.phase = Phase::Ready;
        let step = match handoff.status {
            Status::Closed { .. } => Step::Close,
            Status::Due { .. } | Status::Live | Status::DeadLettered { .. } => {
                handoff.progress.next_step().unwrap_or(Step::Close)
            }
        };
        let turn = match handoff.status {
            Status::Closed { .. } => journey::settle_close(
                handoff,
                Err(DeskError::Lost),
                Duration::ZERO,
                &self.policy,
                fastrand::f64(),
                now,
            ),
            Status::Due { .. } | Status::Live | Status::DeadLettered { .. } => {
                let lost = Err(DeskError::Lost);
                journey::settle(
                    handoff,
                    step,
                    lost,
                    Duration::ZERO,
                    &self.policy,
                    fastrand::f64(),
                    now,
                )
            }
        };
        self.measure(&turn, step, claim.attempt);
        self.store.record(claim, turn, now).await.map(drop)
    }

    /// Takes one handoff as far as it goes now.
    async fn carry(&self, row: Row, stop: &CancellationToken) {
        let mut held = match self.store.load(row).await {
            Ok(held) => Box::new(held),
            Err(error) => {
                error!(%error, row, "cannot read a handoff");
                return pause(stop).await;
            }
        };
        while !stop.is_cancelled() {
            let id = held.handoff.id;
            match self.turn(*held, stop).await {
                Ok(After::Again(next)) => held = next,
                Ok(After::Enough) => return,
                Err(StoreError::Fenced) => {
                    return debug!(handoff.id = %id, "somebody else has moved this handoff on");
                }
                // What was intended is found again at the next start; what was not is still due.
                Err(error) => {
                    warn!(handoff.id = %id, %error, "could not record a step");
                    return pause(stop).await;
                }
            }
        }
    }

    async fn turn(&self, held: Held, stop: &CancellationToken) -> Result<After, StoreError> {
        let now = self.clock.now();
        match held.handoff.status {
            Status::Due { at } if at > now => Ok(After::Enough),
            Status::Due { .. } => self.advance(held, stop).await,
            Status::Closed {
                close_at: Some(at), ..
            } if at <= now => self.close(held, stop).await,
            Status::Closed { .. } | Status::Live | Status::DeadLettered { .. } => Ok(After::Enough),
        }
    }

    /// One step: local ones in memory, then intent, call, outcome.
    async fn advance(&self, mut held: Held, stop: &CancellationToken) -> Result<After, StoreError> {
        let connection = held.handoff.escalation.connection.clone();
        let open = match self.desks.get(&connection).await {
            Ok(open) => open,
            Err(NoDesk::Store(error)) => return Err(error),
            Err(NoDesk::Unusable(error)) => return self.refuse(held, error, stop).await,
        };
        if let Some(error) = removed(&open, &held.handoff) {
            return self.refuse(held, error, stop).await;
        }
        let now = self.clock.now();
        let obstacle = self.obstacle(&open, &held, now);
        if now > held.handoff.deadline {
            let why = obstacle.map_or(String::new(), |(_, why)| format!("; {why}"));
            let turn = journey::give_up(held.handoff, &why);
            self.log(&turn, Step::Intake, 0);
            self.store.record(held.claim, turn, now).await?;
            return Ok(After::Enough);
        }
        if let Some((until, _)) = obstacle {
            let until = until.min(clock::after(
                held.handoff.deadline,
                Duration::from_millis(1),
            ));
            self.store.postpone(held.claim, until).await?;
            return Ok(After::Enough);
        }
        held.handoff.desk = Some(open.kind);
        held.handoff.progress = journey::without_stale_tokens(held.handoff.progress, now);
        let (mut taken, mut went) = (vec![], None);
        let step = loop {
            let Some(step) = held.handoff.progress.next_step() else {
                return Ok(After::Enough);
            };
            if !open.desk.is_local(step) {
                break step;
            }
            let began = Instant::now();
            if let Err(error) = self.fetch_transcript(&mut held.handoff, step).await {
                went = Some(Err(error));
                break step;
            }
            match journey::advance(&held.handoff, &*open.desk).await {
                Ok(progress) => held.handoff.progress = progress,
                Err(error) => {
                    went = Some(Err(error));
                    break step;
                }
            }
            taken.push((step, began.elapsed(), self.clock.now()));
        };
        let place = self.governor.place(&connection).await;
        let steps: Vec<Step> = taken.iter().map(|(step, ..)| *step).collect();
        held.claim = self
            .store
            .intend(&held, &steps, step, self.clock.now())
            .await?;
        self.trace_local(&held, &taken);
        let began = Instant::now();
        let (went, request_id) = match went {
            Some(went) => (Some(went), None),
            None => http::noting(self.call(&held.handoff, &open, stop)).await,
        };
        drop(place);
        let now = self.clock.now();
        let mut turn = match went {
            Some(went) => {
                if let Some(why) = self.governor.observe(&connection, &went) {
                    error!(%connection, why, "suspended connection {connection}: {why}");
                    let gate = Gate::Suspended { why };
                    let set = || self.store.set_gate(&connection, gate.clone());
                    patiently(stop, set).await?;
                }
                journey::settle(
                    held.handoff,
                    step,
                    went,
                    began.elapsed(),
                    &self.policy,
                    fastrand::f64(),
                    now,
                )
            }
            None => interrupted(held.handoff, began.elapsed(), now),
        };
        turn.outcome.request_id = request_id;
        self.log(&turn, step, held.claim.attempt);
        let handoff = turn.handoff.clone();
        let claim = self.record(held.claim, turn, stop).await?;
        Ok(After::Again(Box::new(Held { claim, handoff })))
    }

    /// Records what a call came to.
    async fn record(
        &self,
        claim: Claim,
        turn: Turn,
        stop: &CancellationToken,
    ) -> Result<Claim, StoreError> {
        let now = self.clock.now();
        patiently(stop, || self.store.record(claim, turn.clone(), now)).await
    }

    /// A transcript that came by address is fetched when it is needed. One that will never come leaves its link to the
    /// rep: a contact who waits for a human is not kept waiting for a history.
    async fn fetch_transcript(&self, handoff: &mut Handoff, step: Step) -> Result<(), DeskError> {
        let (Step::Transcript, Transcript::Link(url)) = (step, &handoff.escalation.transcript)
        else {
            return Ok(());
        };
        match self.files.transcript(url).await {
            Ok(turns) => handoff.escalation.transcript = Transcript::Turns(turns),
            // One more try, and the rest of the budget is for the desk.
            Err(error) if error.is_transient() && handoff.spent.failures == 0 => {
                return Err(DeskError::Media(error.to_string()));
            }
            Err(error) => warn!(handoff.id = %handoff.id, "the transcript stays a link: {error}"),
        }
        Ok(())
    }

    /// The call itself; `None` when the worker stopped and the desk took longer than the grace.
    async fn call(
        &self,
        handoff: &Handoff,
        open: &Open,
        stop: &CancellationToken,
    ) -> Option<Result<Progress, DeskError>> {
        let grace_over = async {
            stop.cancelled().await;
            tokio::time::sleep(self.grace).await;
        };
        tokio::select! {
            went = journey::advance(handoff, &*open.desk) => Some(went),
            () = grace_over => None,
        }
    }

    /// Why the connection cannot be called now, and until when.
    fn obstacle(&self, open: &Open, held: &Held, now: Timestamp) -> Option<(Timestamp, String)> {
        let connection = &held.handoff.escalation.connection;
        match &open.gate {
            Gate::Open | Gate::Draining(_) => {}
            Gate::Suspended { why } => {
                return Some((
                    clock::after(now, CLOSED_GATE_WAIT),
                    format!("connection `{connection}` is suspended: {why}"),
                ));
            }
            Gate::Paused { by } => {
                return Some((
                    clock::after(now, CLOSED_GATE_WAIT),
                    format!("connection `{connection}` was paused by {by}"),
                ));
            }
        }
        if let Some(until) = open.desk.rests_until().filter(|until| *until > now) {
            // Those who wait are spread, or all of them would come back at once.
            let spread = Duration::from_millis(fastrand::u64(50..1000));
            self.metrics.waits(connection.as_str(), "desk");
            return Some((
                clock::after(until, spread),
                format!("the desk asked connection `{connection}` to slow down"),
            ));
        }
        let wants_token = matches!(
            held.handoff.progress,
            Progress::Received | Progress::Identified { .. }
        );
        let budget = open
            .desk
            .access_tokens_per_minute()
            .filter(|_| wants_token)?;
        let until = self.governor.token(connection, budget, now).err()?;
        self.metrics.waits(connection.as_str(), "tokens");
        Some((
            until,
            format!("connection `{connection}` has used up its access tokens of the minute"),
        ))
    }

    /// Sets a handoff aside whose desk does not exist: nothing was called.
    async fn refuse(
        &self,
        mut held: Held,
        error: DeskError,
        stop: &CancellationToken,
    ) -> Result<After, StoreError> {
        let now = self.clock.now();
        let step = held.handoff.progress.next_step().unwrap_or(Step::Close);
        held.claim = self.store.intend(&held, &[], step, now).await?;
        let turn = journey::settle(
            held.handoff,
            step,
            Err(error),
            Duration::ZERO,
            &self.policy,
            fastrand::f64(),
            now,
        );
        self.log(&turn, step, held.claim.attempt);
        self.record(held.claim, turn, stop).await?;
        Ok(After::Enough)
    }

    /// Closes the desk's side of a handoff that has ended.
    async fn close(&self, mut held: Held, stop: &CancellationToken) -> Result<After, StoreError> {
        let connection = held.handoff.escalation.connection.clone();
        let open = match self.desks.get(&connection).await {
            Ok(open) => Ok(open),
            Err(NoDesk::Store(error)) => return Err(error),
            Err(NoDesk::Unusable(error)) => Err(error),
        };
        let _place = self.governor.place(&connection).await;
        held.claim = self
            .store
            .intend(&held, &[], Step::Close, self.clock.now())
            .await?;
        let began = Instant::now();
        let went = match open {
            Ok(open) => journey::close(&held.handoff, &*open.desk, self.clock.now()).await,
            Err(error) => Err(error),
        };
        let now = self.clock.now();
        let turn = journey::settle_close(
            held.handoff,
            went,
            began.elapsed(),
            &self.policy,
            fastrand::f64(),
            now,
        );
        self.log(&turn, Step::Close, held.claim.attempt);
        self.record(held.claim, turn, stop).await?;
        Ok(After::Enough)
    }
}

/// Writes what nobody else knows: a store that is away is waited for, or the handoff would stand still until the next
/// start. A stop ends the waiting; the call then counts as lost.
async fn patiently<T, W>(stop: &CancellationToken, write: impl Fn() -> W) -> Result<T, StoreError>
where
    W: Future<Output = Result<T, StoreError>>,
{
    loop {
        match write().await {
            Err(error) if error.is_passing() && !stop.is_cancelled() => {
                warn!(%error, "could not record a step; trying again");
                pause(stop).await;
            }
            settled => return settled,
        }
    }
}

/// Leaves a store that is away alone for a moment.
async fn pause(stop: &CancellationToken) {
    let _stopped = stop
        .run_until_cancelled(tokio::time::sleep(STORE_AWAY_WAIT))
        .await;
}

/// Why nothing more is begun at a connection on its way out. What the desk may know of already goes on, so that no rep
/// waits for a contact who never comes; not if everything is to end.
fn removed(open: &Open, handoff: &Handoff) -> Option<DeskError> {
    match open.gate {
        Gate::Open | Gate::Suspended { .. } | Gate::Paused { .. } => None,
        Gate::Draining(Removal::Drain) if handoff.tried.contains(&Step::CreateConversation) => None,
        Gate::Draining(_) => {
            let connection = &handoff.escalation.connection;
            Some(DeskError::Misconfigured {
                code: Code::UnknownConnection,
                message: format!(
                    "connection `{connection}` is being removed; add it again with `baton connection add`, then replay"
                ),
            })
        }
    }
}

/// A call that a stop cut off: it costs nothing, but what was tried may have happened.
fn interrupted(mut handoff: Handoff, took: Duration, now: Timestamp) -> Turn {
    handoff.status = Status::Due { at: now };
    Turn {
        handoff,
        outcome: Outcome {
            result: CallResult::Interrupted,
            took,
            request_id: None,
        },
        tell: vec![],
        dead: None,
    }
}
