//! The HTTP face of the org: which call is where, and what surrounds every call (miaw reference §2).

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Extension, Router};

use super::identity::Access;
use super::ledger::Refused;
use super::refusal::Refusal;
use super::{Shared, call, calls, control, files, stream, tokens};
use crate::sim::faults::cut;

/// More than any upload that could be accepted, so that one that is too large is refused in the org's words.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a call returns: its answer, or a refusal for [`answer`] to word.
pub(super) type Answer = Result<Response, Refusal>;

/// The how-manieth call of its name a request is.
#[derive(Clone, Copy)]
pub(super) struct CallNumber(pub u32);

/// All routes of the org.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let named = |call: &'static str, route: MethodRouter<Arc<Shared>>| {
        route.route_layer(from_fn_with_state((Arc::clone(&shared), call), answer))
    };
    let authorization = Router::new()
        .route(
            "/unauthenticated/access-token",
            named(call::UNAUTHENTICATED_TOKEN, post(tokens::unauthenticated)),
        )
        .route(
            "/authenticated/access-token",
            named(call::ACCESS_TOKEN, post(tokens::authenticated))
                .merge(named(call::REVOKE_TOKEN, delete(tokens::revoke))),
        )
        .route(
            "/continuation-access-token",
            named(call::CONTINUATION_TOKEN, get(tokens::continuation)),
        );
    let conversation = Router::new()
        .route(
            "/",
            named(call::ROUTING_STATUS, get(calls::routing_status))
                .merge(named(call::CLOSE, delete(calls::close))),
        )
        .route("/message", named(call::MESSAGE, post(calls::message)))
        .route("/file", named(call::FILE, post(files::upload)))
        .route("/entries", named(call::ENTRIES, get(calls::entries)))
        .route(
            "/acknowledge-entries",
            named(call::ACKNOWLEDGE, post(calls::acknowledge)),
        )
        .route("/entry", named(call::TYPING, post(calls::typing)))
        .route(
            "/session",
            named(call::END_SESSION, delete(calls::end_session)),
        );
    let api = Router::new()
        .nest("/authorization", authorization)
        .route(
            "/conversation",
            named(call::CREATE_CONVERSATION, post(calls::create)),
        )
        .route(
            "/conversation/list",
            named(call::LIST_CONVERSATIONS, get(calls::list)),
        )
        .nest("/conversation/{id}", conversation);
    Router::new()
        .nest("/iamessage/api/v2", api)
        .route(
            "/eventrouter/v1/sse",
            named(call::EVENT_STREAM, get(stream::open)),
        )
        .route("/sfc/dist/version/download/", get(files::download))
        .nest("/_sim", control::router())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Counts a call, lets a fault strike it if one is due, and puts a refusal down and into words.
async fn answer(
    State((shared, call)): State<(Arc<Shared>, &'static str)>,
    mut request: Request,
    next: Next,
) -> Response {
    let nth = shared.change(|memory| {
        let calls = memory.ledger.calls.entry(call.to_owned()).or_default();
        *calls += 1;
        *calls
    });
    request.extensions_mut().insert(CallNumber(nth));
    let Some(fault) = shared.faults.draw(call, nth) else {
        return effect(shared, call, request, next).await;
    };
    // Read to the end, so that the desk can still act when the caller is gone.
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let request = Request::from_parts(parts, Body::from(body));
    let effect = effect(Arc::clone(&shared), call, request, next);
    let struck = fault.strike(effect, &shared.tasks);
    shared
        .stop
        .run_until_cancelled(struck)
        .await
        .unwrap_or_else(cut)
}

async fn effect(shared: Arc<Shared>, call: &'static str, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut answer = next.run(request).await;
    let Some(refusal) = answer.extensions_mut().remove::<Refusal>() else {
        return answer;
    };
    shared.change(|memory| {
        let (status, reason) = (refusal.status.as_u16(), refusal.reason.clone());
        memory.ledger.refusals.push(Refused {
            call,
            path,
            status,
            reason,
        });
        refusal.worded(&memory.switches)
    })
}

/// Whoever shows a valid access token (miaw reference §2.0).
impl FromRequestParts<Arc<Shared>> for Access {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let header = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|it| it.to_str().ok());
        let token = header
            .and_then(|it| it.strip_prefix("Bearer "))
            .ok_or_else(|| Refusal::unauthorized("Jwt is missing"))?;
        let access = shared
            .seal
            .open(token)
            .ok_or_else(|| Refusal::unauthorized("Jwt verification fails"))?;
        let memory = shared.memory();
        if memory.revoked.contains(&access.jti) {
            return Err(Refusal::unauthorized("Jwt verification fails"));
        }
        if memory.now() >= access.exp * 1_000 || access.jti <= memory.expired_through {
            return Err(Refusal::unauthorized("Jwt is expired"));
        }
        Ok(access)
    }
}

/// Used by calls to hand on the stream's number.
pub(super) type Number = Extension<CallNumber>;

/// An answer without a body.
pub(super) fn bare(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}
