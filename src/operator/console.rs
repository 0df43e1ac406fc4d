//! `/console`: the operator's verbs as pages.
//!
//! Every page is made here and works without a script; the script only asks for the same page again and exchanges what
//! has changed. Nothing is fetched from anywhere else. One guard stands before all pages: it knows who has signed in,
//! and lets a form through only from our own page and only from who may act.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use secrecy::SecretString;

use self::lockout::Lockout;
use self::session::Sessions;
use super::metrics::Vitals;
use super::role::Tokens;
use super::verbs::Operator;
use crate::domain::clock::Clock;

mod advice;
mod asset;
mod chart;
mod connection;
mod connections;
mod dead_letter;
mod dead_letters;
mod door;
mod form;
mod handoff;
mod handoffs;
mod jobs;
mod lockout;
mod overview;
mod page;
mod queues;
mod session;
mod visit;

/// Who an audit row names when the console was used.
const WHO: &str = "console";

/// What no page may be used for: to load anything from elsewhere, to be framed, to be kept by a cache.
const HARMLESS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// Where the broker is, for whoever looks into the queues.
#[derive(Clone)]
pub struct Queues {
    /// `broker.url`.
    pub url: SecretString,
    /// `broker.prefix`.
    pub prefix: String,
}

/// Everything it takes to make a page.
#[derive(Clone)]
pub struct Console {
    operator: Operator,
    vitals: Vitals,
    clock: Clock,
    tokens: Tokens,
    sessions: Arc<Sessions>,
    lockout: Arc<Lockout>,
    looked: Arc<queues::Looked>,
    /// Whether cookies may only travel over https.
    secure: bool,
}

impl Console {
    /// A console that nobody has signed in to. `public_url` is how others reach it.
    pub fn new(
        operator: Operator,
        vitals: Vitals,
        tokens: Tokens,
        queues: Queues,
        public_url: &str,
    ) -> Self {
        Self {
            clock: operator.clock.clone(),
            operator,
            vitals,
            tokens,
            sessions: Arc::default(),
            lockout: Arc::default(),
            looked: Arc::new(queues::Looked::at(queues)),
            secure: public_url.starts_with("https://"),
        }
    }
}

/// The routes.
pub fn routes(console: Console) -> Router {
    let pages = Router::new()
        .route("/console", get(overview::page))
        .route("/console/handoffs", get(handoffs::page))
        .route("/console/handoffs/{id}", get(handoff::page))
        .route(
            "/console/handoffs/{id}/end",
            get(handoff::confirm_end).post(handoff::end),
        )
        .route(
            "/console/handoffs/{id}/retry",
            get(handoff::confirm_retry).post(handoff::retry),
        )
        .route("/console/dead-letters", get(dead_letters::page))
        .route("/console/dead-letters/{id}", get(dead_letter::page))
        .route(
            "/console/dead-letters/{id}/replay",
            post(dead_letter::replay),
        )
        .route(
            "/console/dead-letters/{id}/discard",
            post(dead_letter::discard),
        )
        .route(
            "/console/dead-letters/{id}/restore",
            post(dead_letter::restore),
        )
        .route("/console/jobs", get(jobs::page).post(jobs::make))
        .route("/console/jobs/new", get(jobs::confirm))
        .route("/console/jobs/{id}", get(jobs::one))
        .route("/console/jobs/{id}/cancel", post(jobs::cancel))
        .route("/console/connections", get(connections::page))
        .route(
            "/console/connections/new",
            get(connection::choose).post(connection::save),
        )
        .route("/console/connections/{name}", get(connections::one))
        .route("/console/connections/{name}/edit", get(connection::edit))
        .route(
            "/console/connections/{name}/verify",
            post(connections::verify),
        )
        .route(
            "/console/connections/{name}/pause",
            post(connections::pause),
        )
        .route(
            "/console/connections/{name}/resume",
            post(connections::resume),
        )
        .route(
            "/console/connections/{name}/remove",
            get(connections::confirm_remove).post(connections::remove),
        )
        .route("/console/queues", get(queues::page))
        .route("/console/help", get(advice::page))
        .route("/console/sign-out", post(door::sign_out))
        .route("/console/{*rest}", get(door::nothing_here))
        .layer(middleware::from_fn_with_state(console.clone(), door::guard));
    let open = Router::new()
        .route(
            "/console/sign-in",
            get(door::sign_in_page).post(door::sign_in),
        )
        .route("/console/assets/{name}", get(asset::serve));
    open.merge(pages)
        .layer(middleware::map_response(harmless))
        .with_state(console)
}

async fn harmless(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HARMLESS {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}
