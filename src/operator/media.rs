//! `/media/{token}`: our copies of files, for whoever holds a link. The link is the permission; there is no other door.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tracing::warn;

use crate::domain::clock::Clock;
use crate::engine::media::{Custody, CustodyError, Grant, LinkError, Links, Stored, name};

/// Pictures that browsers draw and nothing more; everything else is only saved.
const SHOWN: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// What every file is served with: it runs nothing, is taken for nothing that it does not say it is, stays in no
/// shared cache, and does not tell others where it came from.
const HARMLESS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "sandbox; default-src 'none'",
    ),
    (header::CACHE_CONTROL, "private"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// What files are served from.
#[derive(Clone)]
pub struct Media {
    /// Our copies.
    pub custody: Custody,
    /// Who may have them.
    pub links: Links,
    /// What time it is.
    pub clock: Clock,
}

/// `GET` and `HEAD`.
pub fn routes(media: Media) -> Router {
    Router::new()
        .route("/media/{token}", get(file))
        .with_state(media)
}

async fn file(State(media): State<Media>, Path(token): Path<String>) -> Response {
    let grant = match media.links.read(&token, media.clock.now()) {
        Ok(grant) => grant,
        Err(LinkError::Forged) => return StatusCode::NOT_FOUND.into_response(),
        Err(LinkError::Expired) => return gone("This link has expired.\n"),
    };
    match media.custody.read(grant.attachment).await {
        Ok(Some(stored)) => served(&grant, stored),
        Ok(None) => gone("This file has been erased.\n"),
        Err(error) => unavailable(&grant, &error),
    }
}

fn served(grant: &Grant, stored: Stored) -> Response {
    let content_type = match grant.content_type.as_str() {
        "" => "application/octet-stream",
        known => known,
    };
    let disposition = if SHOWN.contains(&content_type) {
        "inline"
    } else {
        "attachment"
    };
    let disposition = format!("{disposition}; {}", name::parameter(&grant.name));
    let described = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_LENGTH, stored.size.to_string()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (HARMLESS, described, Body::from_stream(stored.bytes)).into_response()
}

fn gone(what: &'static str) -> Response {
    (StatusCode::GONE, what).into_response()
}

fn unavailable(grant: &Grant, error: &CustodyError) -> Response {
    let handoff = grant.attachment.handoff;
    warn!(handoff.id = %handoff, %error, "cannot serve a file of handoff {handoff}");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
