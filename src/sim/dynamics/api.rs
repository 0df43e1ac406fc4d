//! The HTTP face of the org: which call is where, and what surrounds every call (§1, §2).

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, post};

use super::dataverse;
use super::ledger::Refused;
use super::memory::Memory;
use super::refusal::Refusal;
use super::{Shared, call, control, entra};

/// More than any file that could be accepted, so that one that is too large is refused in the org's words.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Where the Web API begins.
const API: &str = "/api/data/v9.2/";

/// What a call returns: its answer, or a refusal.
pub(super) type Answer = Result<Response, Refusal>;

/// All routes of the org.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let token = post(entra::token).route_layer(from_fn_with_state(Arc::clone(&shared), token));
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", token)
        .route("/api/data/v9.2/{*rest}", any(data))
        .nest("/_sim", control::router())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Lets a fault strike a token call if one is due.
async fn token(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let nth = shared.change(|memory| memory.count(call::TOKEN));
    let Some(fault) = shared.faults.draw(call::TOKEN, nth) else {
        return next.run(request).await;
    };
    // Read to the end, so that Entra can still act when the caller is gone.
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let request = Request::from_parts(parts, Body::from(body));
    fault
        .strike(async move { next.run(request).await }, &shared.tasks)
        .await
}

/// A call of the Web API: counted, struck by a fault if one is due, kept within the limits.
async fn data(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let path = parts.uri.path();
    let request = dataverse::Request {
        path: path.strip_prefix(API).unwrap_or(path).to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body: body.into(),
    };
    let call = request.call(&shared);
    let nth = shared.change(|memory| memory.count(call));
    let begun = shared.change(|memory| {
        let now = memory.clock.now();
        memory.protection.begin(&shared.options.limits, now)
    });
    if let Err(refusal) = begun {
        return shared.change(|memory| memory.refuse(call, &refusal));
    }
    let in_flight = InFlight(Arc::clone(&shared));
    let acting = Arc::clone(&shared);
    let effect = async move {
        acting.change(|memory| {
            let answer = memory.serve(&acting, &request);
            answer.unwrap_or_else(|refusal| memory.refuse(call, &refusal))
        })
    };
    let answer = match shared.faults.draw(call, nth) {
        None => effect.await,
        Some(fault) => fault.strike(effect, &shared.tasks).await,
    };
    drop(in_flight);
    answer
}

/// A call that has begun; it has ended when this is dropped, whoever gave up on it.
struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.change(|memory| memory.protection.end());
    }
}

impl Memory {
    /// Which call of this name it is.
    fn count(&mut self, call: &str) -> u32 {
        let calls = self.ledger.calls.entry(call.to_owned()).or_default();
        *calls += 1;
        *calls
    }

    /// Puts a refusal down and into words.
    pub(super) fn refuse(&mut self, call: &'static str, refusal: &Refusal) -> Response {
        self.ledger.refusals.push(Refused {
            call,
            status: refusal.status.as_u16(),
            code: refusal.code.clone(),
            message: refusal.message.clone(),
        });
        refusal.answer()
    }
}
