//! The HTTP face of the account: which call is where, and what surrounds every call (sunshine reference §1, §2).

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::ledger::Refused;
use super::refusal::Refusal;
use super::{
    Options, Shared, attachments, call, control, conversations, integrations, messages, support,
    switchboard, users,
};
use crate::sim::faults::cut;

/// More than any upload that could be accepted, so that one that is too large is refused in the vendor's words.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a call returns: its answer, or a refusal for [`answer`] to word.
pub(super) type Answer = Result<Response, Refusal>;

/// All routes of the account.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let named = |call: &'static str, route: MethodRouter<Arc<Shared>>| {
        route.route_layer(from_fn_with_state((Arc::clone(&shared), call), answer))
    };
    let conversation = Router::new()
        .route("/", named(call::GET_CONVERSATION, get(conversations::one)))
        .route(
            "/participants",
            named(call::PARTICIPANTS, get(conversations::participants)),
        )
        .route(
            "/messages",
            named(call::MESSAGE, post(messages::post))
                .merge(named(call::LIST_MESSAGES, get(messages::list))),
        )
        .route("/activity", named(call::ACTIVITY, post(messages::activity)))
        .route(
            "/passControl",
            named(call::PASS_CONTROL, post(switchboard::pass)),
        )
        .route(
            "/releaseControl",
            named(call::RELEASE_CONTROL, post(switchboard::release)),
        );
    let integration = Router::new()
        .route(
            "/",
            named(call::LIST_INTEGRATIONS, get(integrations::list))
                .merge(named(call::CREATE_INTEGRATION, post(integrations::create))),
        )
        .route(
            "/{id}/webhooks",
            named(call::LIST_WEBHOOKS, get(integrations::webhooks)).merge(named(
                call::CREATE_WEBHOOK,
                post(integrations::create_webhook),
            )),
        )
        .route(
            "/{id}/webhooks/{webhook}",
            named(call::UPDATE_WEBHOOK, patch(integrations::update_webhook)).merge(named(
                call::DELETE_WEBHOOK,
                delete(integrations::delete_webhook),
            )),
        );
    let app = Router::new()
        .route("/", named(call::APP, get(switchboard::app)))
        .route("/users", named(call::CREATE_USER, post(users::create)))
        .route(
            "/users/{id}",
            named(call::GET_USER, get(users::one))
                .merge(named(call::UPDATE_USER, patch(users::update))),
        )
        .route(
            "/conversations",
            named(call::CREATE_CONVERSATION, post(conversations::create))
                .merge(named(call::LIST_CONVERSATIONS, get(conversations::list))),
        )
        .nest("/conversations/{id}", conversation)
        .route(
            "/attachments",
            named(call::UPLOAD, post(attachments::upload)),
        )
        .route(
            "/switchboards",
            named(call::SWITCHBOARDS, get(switchboard::all)),
        )
        .route(
            "/switchboards/{id}/switchboardIntegrations",
            named(
                call::SWITCHBOARD_INTEGRATIONS,
                get(switchboard::integrations),
            ),
        )
        .nest("/integrations", integration);
    let support = Router::new()
        .route(
            "/search.json",
            named(call::SUPPORT_SEARCH, get(support::search)),
        )
        .route("/me.json", named(call::SUPPORT_ME, get(support::me)))
        .route("/{file}", named(call::SUPPORT_UPDATE, put(support::update)));
    Router::new()
        .nest("/sc/v2/apps/{app}", app)
        .route("/sc/attachments/v2/{id}/{name}", get(attachments::download))
        .nest("/api/v2/users", support)
        .nest("/_sim", control::router())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Counts a call, lets a fault strike it if one is due, and puts a refusal down and into words.
async fn answer(
    State((shared, call)): State<(Arc<Shared>, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let nth = shared.change(|memory| {
        let calls = memory.ledger.calls.entry(call.to_owned()).or_default();
        *calls += 1;
        *calls
    });
    let Some(fault) = shared.faults.draw(call, nth) else {
        return effect(shared, call, request, next).await;
    };
    // Read to the end, so that the account can still act when the caller is gone.
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
    let admitted = shared.change(|memory| {
        let (limit, now) = (memory.options.limits.calls_per_minute, memory.clock.now());
        memory.rate.admits(limit, now)
    });
    let refusal = if admitted {
        let mut answer = next.run(request).await;
        match answer.extensions_mut().remove::<Refusal>() {
            Some(refusal) => refusal,
            None => return answer,
        }
    } else {
        Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too Many Requests",
        )
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

/// Whoever shows the key of the app (§1.2), and means this app.
pub(super) struct Key;

impl FromRequestParts<Arc<Shared>> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let header = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|it| it.to_str().ok());
        if !header.is_some_and(|header| shows_key(header, &shared.options)) {
            return Err(Refusal::unauthorized());
        }
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, shared).await;
        let app = path.ok().and_then(|Path(mut path)| path.remove("app"));
        // A file has no app in its path.
        if app.is_some_and(|app| app != shared.options.app_id) {
            return Err(Refusal::not_found("app_not_found"));
        }
        Ok(Self)
    }
}

/// Key and secret, or a token that was signed with them.
fn shows_key(header: &str, options: &Options) -> bool {
    let Options {
        key_id, key_secret, ..
    } = options;
    if let Some(token) = header.strip_prefix("Bearer ") {
        let names_key = jsonwebtoken::decode_header(token)
            .is_ok_and(|header| header.kid.as_deref() == Some(key_id));
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_secret(key_secret.as_bytes());
        let claims = jsonwebtoken::decode::<Value>(token, &key, &validation);
        return names_key && claims.is_ok_and(|token| token.claims["scope"] == "app");
    }
    header == basic(key_id, key_secret)
}

/// The header of a name and a password.
pub(super) fn basic(name: &str, password: &str) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{name}:{password}"))
    )
}
