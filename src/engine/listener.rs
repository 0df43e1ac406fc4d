//! Holds live conversations: one stream each, resumed where the last one ended, its gaps filled from the desk's list.
//! Where the desk calls us there is no stream, and the list alone is read every now and then.
//!
//! A stream hangs on an access token. Before that expires, the next stream is opened under a new one and the list is
//! read, while the old stream is still being read: at no time does nobody listen. Entries are kept by their id, so what
//! comes twice is kept once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, Fuse, FusedFuture, FutureExt};
use futures_util::stream::BoxStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::desks::Desks;
use super::gaps::{Depth, Gaps, Place, Trouble};
use super::moments::Moments;
use super::tokens::Tokens;
use crate::desk::{Desk, Heard, ReplySource, Seen};
use crate::domain::clock::{self, Clock};
use crate::domain::error::DeskError;
use crate::domain::handoff::{AccessToken, Handoff, Progress, Status};
use crate::domain::ids::{ConversationId, Cursor};
use crate::domain::lifecycle::Lifecycle;
use crate::domain::news::News;
use crate::journey;
use crate::metrics::Metrics;
use crate::store::{Kept, Row, Store};

/// Frames that are kept in one transaction at most.
const FRAMES_MAX: usize = 64;
/// How long a cursor may wait for news to travel with; a re-read from an older cursor changes nothing.
const CURSOR_WAIT: Duration = Duration::from_secs(5);
/// How long before a token expires the next stream is opened; of a token that lives shorter, the last quarter of its
/// life. Enough for some tries.
const RENEW_AHEAD: Duration = Duration::from_secs(60);

/// How streams are held.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The first wait after a stream broke.
    pub reconnect_min: Duration,
    /// The longest.
    pub reconnect_max: Duration,
    /// How often a conversation is compared with the desk's list though nothing seems wrong.
    pub sweep: Duration,
    /// At a start, the streams of all live conversations open within this time.
    pub spread: Duration,
}

impl Options {
    /// How long to wait after so many failures in a row; half of it is chance.
    fn wait_after(&self, failures: i32) -> Duration {
        let wait = self.reconnect_min.mul_f64(1.5_f64.powi(failures.min(20)));
        wait.min(self.reconnect_max)
            .mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// When to compare next.
    fn next_sweep(&self) -> Instant {
        Instant::now() + self.sweep.mul_f64(0.75 + fastrand::f64() / 2.0)
    }
}

/// Everything a listener needs.
pub struct Listener {
    /// Where replies are kept.
    pub store: Arc<dyn Store>,
    /// Whom to listen to.
    pub desks: Arc<Desks>,
    /// Access that is good.
    pub tokens: Arc<Tokens>,
    /// For what no stream tells.
    pub gaps: Arc<Gaps>,
    /// For what is worth telling only now.
    pub moments: Moments,
    /// What time it is.
    pub clock: Clock,
    /// How streams are held.
    pub options: Options,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// Why a conversation was left.
enum Left {
    /// The handoff has ended.
    Ended,
    /// It is time to compare with the list.
    Sweep,
}

/// Counts a stream as open for as long as it lives.
struct StreamOpen<'a>(&'a Metrics);

impl<'a> StreamOpen<'a> {
    fn counted(metrics: &'a Metrics) -> Self {
        metrics.streams_open.inc();
        Self(metrics)
    }
}

impl Drop for StreamOpen<'_> {
    fn drop(&mut self) {
        self.0.streams_open.dec();
    }
}

/// What a conversation that is taken up has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resume {
    /// The conversation has just begun: its first cursor is older than itself.
    FromTheBeginning,
    /// Something may have been missed.
    AfterStart,
    /// Nothing seems wrong, and it is time to ask whether that is so.
    Sweep,
}

/// An open stream, and the token it hangs on.
struct Line {
    frames: BoxStream<'static, Vec<Result<Heard, DeskError>>>,
    access: AccessToken,
    /// When the next one is to be opened.
    renew_at: Instant,
}

/// What is done beside the reading of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errand {
    /// To open the next stream, under a new token.
    Renew,
    /// To compare the conversation with the desk's list.
    Sweep,
}

/// What came of an errand.
enum Done {
    /// The handoff has ended.
    Ended,
    /// The next stream is open, and the list has been read since.
    Renewed(Line),
    /// The list had nothing that the stream had not told.
    Swept,
    /// It had: the stream is open and does not tell everything.
    StreamIsDeaf,
}

/// An errand on its way, or none.
type Out<'a> = Fuse<BoxFuture<'a, (Errand, Result<Done, Trouble>)>>;

impl Listener {
    /// Listens until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        // Who holds a conversation is told when somebody else has ended it.
        let mut held = HashMap::new();
        for row in self.live_at_start(&stop).await {
            let over = stop.child_token();
            held.insert(row, over.clone());
            let delay = self.options.spread.mul_f64(fastrand::f64());
            tasks.spawn(self.clone().hold(row, delay, Resume::AfterStart, over));
        }
        let signals = self.store.signals().clone();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                rows = signals.next_live() => {
                    for row in rows {
                        if let Entry::Vacant(free) = held.entry(row) {
                            let over = free.insert(stop.child_token()).clone();
                            tasks.spawn(self.clone().hold(row, Duration::ZERO, Resume::FromTheBeginning, over));
                        }
                    }
                }
                rows = signals.next_ended() => {
                    for row in rows {
                        if let Some(over) = held.get(&row) {
                            over.cancel();
                        }
                    }
                }
                Some(done) = tasks.join_next() => match done {
                    Ok(row) => drop(held.remove(&row)),
                    Err(error) => error!(%error, "the listener of a conversation panicked; it is held again at the next start"),
                },
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn live_at_start(&self, stop: &CancellationToken) -> Vec<Row> {
        while !stop.is_cancelled() {
            match self.store.live().await {
                Ok(rows) if rows.is_empty() => return rows,
                Ok(rows) => {
                    let count = rows.len();
                    info!(count, "resuming {count} live conversations");
                    return rows;
                }
                Err(error) => {
                    warn!(%error, "the store does not answer; trying again");
                    sleep(self.options.reconnect_min).await;
                }
            }
        }
        vec![]
    }

    /// Holds one conversation until it ends, here or elsewhere, or the worker stops.
    async fn hold(
        self: Arc<Self>,
        row: Row,
        delay: Duration,
        mut resume: Resume,
        stop: CancellationToken,
    ) -> Row {
        let (mut wait, mut failures) = (delay, 0);
        // Over all its streams: one whose streams break all the time is compared too.
        let mut sweep_at = self.options.next_sweep();
        loop {
            tokio::select! {
                () = stop.cancelled() => return row,
                () = sleep(wait) => {}
            }
            let began = Instant::now();
            let left = tokio::select! {
                () = stop.cancelled() => return row,
                left = self.listen(row, resume, &mut sweep_at) => left,
            };
            // A stream that held for a while was a good one: the next trouble starts from a short wait again.
            if began.elapsed() > self.options.reconnect_max {
                failures = 0;
            }
            wait = match left {
                Ok(Left::Ended) => return row,
                Ok(Left::Sweep) => {
                    resume = Resume::Sweep;
                    Duration::ZERO
                }
                Err(trouble) => {
                    self.metrics.stream_reconnects.inc();
                    // A sweep that came to nothing is still to be made.
                    if resume == Resume::FromTheBeginning {
                        resume = Resume::AfterStart;
                    }
                    debug!(row, error = %trouble, "a conversation's stream broke; opening it again");
                    failures += 1;
                    self.options.wait_after(failures - 1)
                }
            };
        }
    }

    /// Opens the stream, fills the gap, and keeps what comes.
    async fn listen(
        &self,
        row: Row,
        resume: Resume,
        sweep_at: &mut Instant,
    ) -> Result<Left, Trouble> {
        let handoff = self.store.load(row).await?.handoff;
        let (Status::Live, Progress::Connected { conversation, .. }) =
            (&handoff.status, &handoff.progress)
        else {
            return Ok(Left::Ended);
        };
        let open = self.desks.get(&handoff.escalation.connection).await?;
        let desk = &*open.desk;
        match desk.reply_source() {
            ReplySource::Stream => {}
            ReplySource::Webhook => {
                return self.look(row, resume, &handoff, desk, conversation).await;
            }
            ReplySource::None => return Ok(Left::Ended),
        }
        let access = self.tokens.fresh(row, &handoff, desk).await?;
        let line = self.open(row, &handoff, desk, conversation, access).await?;
        let _open = StreamOpen::counted(&self.metrics);
        if resume != Resume::FromTheBeginning {
            // The stream is open before the list is read, so nothing can fall between the two.
            let place = Place {
                row,
                handoff: &handoff,
                desk,
                access: &line.access,
                conversation,
            };
            if self.gaps.compare(place, Depth::List).await?.ended {
                return Ok(Left::Ended);
            }
        }
        self.keep_all(row, &handoff, line, sweep_at).await
    }

    /// Compares a conversation with the desk's list, then leaves it alone for a while. One that has just gone live has
    /// missed nothing, unless it did so before it was set aside.
    async fn look(
        &self,
        row: Row,
        resume: Resume,
        handoff: &Handoff,
        desk: &dyn Desk,
        conversation: &ConversationId,
    ) -> Result<Left, Trouble> {
        if resume != Resume::FromTheBeginning || handoff.generation > 1 {
            let access = self.tokens.fresh(row, handoff, desk).await?;
            let connection = &handoff.escalation.connection;
            let among_the_calls = self.tokens.governor.place(connection).await;
            let place = Place {
                row,
                handoff,
                desk,
                access: &access,
                conversation,
            };
            let depth = match resume {
                Resume::Sweep => Depth::Standing,
                Resume::FromTheBeginning | Resume::AfterStart => Depth::List,
            };
            let ended = self.gaps.compare(place, depth).await?.ended;
            drop(among_the_calls);
            if ended {
                return Ok(Left::Ended);
            }
        }
        sleep_until(self.options.next_sweep()).await;
        Ok(Left::Sweep)
    }

    /// Opens a stream where the last one was left.
    async fn open(
        &self,
        row: Row,
        handoff: &Handoff,
        desk: &dyn Desk,
        conversation: &ConversationId,
        mut access: AccessToken,
    ) -> Result<Line, Trouble> {
        let cursor = handoff.cursor.as_ref();
        let stream = match desk.listen(&access, conversation, cursor).await {
            Err(DeskError::Unauthorized(_)) => {
                access = self.tokens.renew(row, handoff, desk).await?;
                desk.listen(&access, conversation, cursor).await?
            }
            // A cursor that the desk no longer knows: listen from now on, the list has the rest.
            Err(DeskError::Refused { .. }) if cursor.is_some() => {
                desk.listen(&access, conversation, None).await?
            }
            opened => opened?,
        };
        let left = clock::until(self.clock.now(), access.expires_at);
        let ahead = (left / 4).clamp(journey::TOKEN_MARGIN, RENEW_AHEAD);
        // A token that dies sooner than it could be renewed in time is no reason to ask for new ones without a pause.
        let renew_in = left.saturating_sub(ahead).max(self.options.reconnect_min);
        Ok(Line {
            frames: stream.ready_chunks(FRAMES_MAX).boxed(),
            access,
            renew_at: Instant::now() + renew_in,
        })
    }

    /// Keeps what is told, on one stream after the other, until the handoff ends or there is no stream to read.
    async fn keep_all(
        &self,
        row: Row,
        handoff: &Handoff,
        mut line: Line,
        sweep_at: &mut Instant,
    ) -> Result<Left, Trouble> {
        let mut cursor: Option<Cursor> = None;
        let mut flush_at = Instant::now();
        let mut out = Out::terminated();
        let (mut broken, mut failures) = (None, 0);
        loop {
            if out.is_terminated()
                && let Some(trouble) = broken
            {
                if cursor.is_some() {
                    let kept = self.store.keep(row, vec![], cursor, self.clock.now());
                    kept.await?;
                }
                return Err(trouble);
            }
            tokio::select! {
                chunk = line.frames.next(), if broken.is_none() => {
                    let (news, at);
                    (news, at, broken) = self.hear(handoff, chunk);
                    if cursor.is_none() {
                        flush_at = Instant::now() + CURSOR_WAIT;
                    }
                    cursor = at.or(cursor);
                    if !news.is_empty() {
                        let kept = self.store.keep(row, news, cursor.take(), self.clock.now());
                        if kept.await?.ended {
                            return Ok(Left::Ended);
                        }
                    }
                }
                () = sleep_until(flush_at), if cursor.is_some() => {
                    let kept = self.store.keep(row, vec![], cursor.take(), self.clock.now());
                    if kept.await?.ended {
                        return Ok(Left::Ended);
                    }
                }
                () = sleep_until(line.renew_at), if out.is_terminated() => {
                    out = self.go(Errand::Renew, row, line.access.clone());
                }
                () = sleep_until(*sweep_at), if out.is_terminated() => {
                    out = self.go(Errand::Sweep, row, line.access.clone());
                }
                (errand, done) = &mut out => {
                    match done {
                        Ok(Done::Ended) => return Ok(Left::Ended),
                        // What the old stream still had to say, the list has said.
                        Ok(Done::Renewed(next)) => (line, broken) = (next, None),
                        Ok(Done::Swept) => *sweep_at = self.options.next_sweep(),
                        Ok(Done::StreamIsDeaf) => {
                            *sweep_at = self.options.next_sweep();
                            line.renew_at = Instant::now();
                        }
                        Err(trouble) => {
                            debug!(row, ?errand, error = %trouble, "the old stream is read on, for there is trouble with the desk");
                            failures += 1;
                            let again_at = Instant::now() + self.options.wait_after(failures - 1);
                            match (errand, trouble) {
                                (Errand::Renew, _) => line.renew_at = again_at,
                                (Errand::Sweep, trouble) => {
                                    *sweep_at = again_at;
                                    if let Trouble::Desk(DeskError::Unauthorized(_)) = trouble {
                                        line.renew_at = Instant::now();
                                    }
                                }
                            }
                            continue;
                        }
                    }
                    failures = 0;
                }
            }
        }
    }

    /// What was heard at once: the news, the cursor behind them, and why nothing more will come.
    fn hear(
        &self,
        handoff: &Handoff,
        chunk: Option<Vec<Result<Heard, DeskError>>>,
    ) -> (Vec<News>, Option<Cursor>, Option<Trouble>) {
        let Some(chunk) = chunk else {
            let ended = DeskError::Broken("the stream ended".into());
            return (vec![], None, Some(ended.into()));
        };
        let (mut news, mut cursor, mut broken) = (vec![], None, None);
        for heard in chunk {
            match heard {
                Ok(Heard { cursor: at, entry }) => {
                    cursor = at.or(cursor);
                    if let Some(Seen::Typing { typing }) = entry.as_ref().map(|it| &it.what) {
                        let typing = Lifecycle::Typing { typing: *typing };
                        let event = typing.event(handoff, self.clock.now());
                        self.moments.tell("lifecycle.typing", event);
                    }
                    news.extend(entry.and_then(journey::relay));
                }
                Err(error) => broken = Some(error.into()),
            }
        }
        (news, cursor, broken)
    }

    /// Sends somebody on an errand for a conversation whose stream hangs on this token.
    fn go(&self, errand: Errand, row: Row, access: AccessToken) -> Out<'_> {
        async move { (errand, self.run_errand(errand, row, &access).await) }
            .boxed()
            .fuse()
    }

    async fn run_errand(
        &self,
        errand: Errand,
        row: Row,
        access: &AccessToken,
    ) -> Result<Done, Trouble> {
        let handoff = self.store.load(row).await?.handoff;
        let (Status::Live, Progress::Connected { conversation, .. }) =
            (&handoff.status, &handoff.progress)
        else {
            return Ok(Done::Ended);
        };
        let open = self.desks.get(&handoff.escalation.connection).await?;
        let desk = &*open.desk;
        let place = |access| Place {
            row,
            handoff: &handoff,
            desk,
            access,
            conversation,
        };
        match errand {
            Errand::Renew => {
                let next = self.tokens.after(access, row, &handoff, desk).await?;
                let line = self.open(row, &handoff, desk, conversation, next).await?;
                let compared = self.gaps.compare(place(&line.access), Depth::List).await?;
                Ok(if compared.ended {
                    Done::Ended
                } else {
                    Done::Renewed(line)
                })
            }
            Errand::Sweep => {
                let access = self.tokens.fresh(row, &handoff, desk).await?;
                let compared = self.gaps.compare(place(&access), Depth::Standing).await?;
                Ok(match compared {
                    Kept { ended: true, .. } => Done::Ended,
                    Kept { replies: 0, .. } => Done::Swept,
                    Kept { .. } => Done::StreamIsDeaf,
                })
            }
        }
    }
}
