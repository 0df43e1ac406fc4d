//! The event stream: one per access token, with everything that happens to its end user (miaw reference §4).

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::api::{Answer, Number};
use super::identity::Access;
use super::refusal::Refusal;
use super::switches::{OlderCursor, StreamAtExpiry};
use super::{Shared, call};
use crate::sim::faults::{Frame, disturbed};

pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    caller: Access,
    Extension(number): Number,
    headers: HeaderMap,
) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    match header("x-org-id") {
        None => return Err(Refusal::bad_request("OrgId is required")),
        Some(org_id) if org_id != caller.org_id => {
            return Err(Refusal::bad_request(
                "OrgId in the header and token must match",
            ));
        }
        Some(_) => {}
    }
    let cursor = header("last-event-id").and_then(|it| it.parse().ok());
    let frames = stream::unfold(
        Listening::begin(shared.clone(), &caller, cursor),
        async |mut listening| {
            let frame = listening.next().await?;
            Some((frame, listening))
        },
    );
    let disturbances = shared.faults.draw_stream(call::EVENT_STREAM, number.0);
    let body = Body::from_stream(disturbed(frames, disturbances));
    Ok((
        [
            (CONTENT_TYPE, "text/event-stream;charset=UTF-8"),
            (CACHE_CONTROL, "no-cache"),
        ],
        body,
    )
        .into_response())
}

/// An open stream.
struct Listening {
    shared: Arc<Shared>,
    subject: String,
    missed: VecDeque<Frame>,
    live: mpsc::Receiver<Frame>,
    pings: Interval,
    /// When the stream is cut because its token expires, if the org does that.
    expires: Option<Instant>,
}

impl Listening {
    fn begin(shared: Arc<Shared>, caller: &Access, cursor: Option<u64>) -> Self {
        let (missed, live, expires) = shared.change(|memory| {
            // A client without a cursor is sent what happened since its token (§4.2).
            let cursor = cursor.unwrap_or(caller.last_event_id);
            let cursor = match memory.switches.older_cursor {
                OlderCursor::Honoured => cursor,
                OlderCursor::Forgotten => cursor.max(caller.last_event_id),
            };
            let (missed, live) = memory.listen(caller, cursor);
            let expires = match memory.switches.stream_at_expiry {
                StreamAtExpiry::Kept => None,
                StreamAtExpiry::Cut => Some(memory.clock.instant(caller.exp * 1_000)),
            };
            (missed, live, expires)
        });
        let mut pings = interval(shared.options.ping_every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            shared,
            subject: caller.sub.clone(),
            missed,
            live,
            pings,
            expires,
        }
    }

    /// The next frame, or nothing when the stream ends.
    async fn next(&mut self) -> Option<Frame> {
        if let Some(frame) = self.missed.pop_front() {
            return Some(frame);
        }
        let expiry = async {
            match self.expires {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            frame = self.live.recv() => frame,
            _ = self.pings.tick() => Some(Frame::ping()),
            () = expiry => None,
            () = self.shared.stop.cancelled() => None,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.live.close();
        self.shared
            .change(|memory| memory.stop_listening(&self.subject));
    }
}
