//! The door of the console: signing in and out, and the guard before every page.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;
use tracing::{info, warn};
use url::form_urlencoded::Serializer;

use super::Console;
use super::form::{self, CSRF, Fields};
use super::page;
use super::session::{LIFE, same, secret};
use super::visit::Visit;

/// The cookie of who has signed in.
const SESSION: &str = "baton_session";
/// The cookie that goes with the form for signing in, before there is a session.
const SIGN_IN: &str = "baton_sign_in";
/// Two keys in PEM and a certificate fit four times.
const BODY_BYTES_MAX: usize = 64 << 10;
/// What our script sends when it asks for what has changed.
const LIVE: &str = "baton-live";

/// Lets pages be seen by who has signed in, and forms through that are ours and sent by who may act.
pub async fn guard(State(console): State<Console>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let id = cookie(request.headers(), SESSION).unwrap_or_default();
    let Some(session) = console.sessions.get(&id, console.clock.now()) else {
        return to_sign_in(&request);
    };
    let visit = Visit {
        session,
        id,
        live: request.headers().contains_key(LIVE),
        path,
        sessions: console.sessions.clone(),
    };
    let mut request = if request.method().is_safe() {
        request
    } else {
        match checked(request, &visit).await {
            Ok(request) => request,
            Err(refused) => return *refused,
        }
    };
    request.extensions_mut().insert(visit);
    next.run(request).await
}

/// A form that may be acted upon, with its fields read.
async fn checked(request: Request, visit: &Visit) -> Result<Request, Box<Response>> {
    let (mut parts, body) = request.into_parts();
    let sorry = |status, title, what| Box::new(visit.sorry(status, title, what));
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let what = "This form is larger than 64 KiB, more than any connection needs.";
        return Err(sorry(StatusCode::PAYLOAD_TOO_LARGE, "Too large", what));
    };
    let fields = Fields::parse(&body);
    if !same(fields.get(CSRF), &visit.session.csrf) {
        let what = "This form is not of your session: nothing was done. Go back, load the page again, and send it again.";
        return Err(sorry(StatusCode::FORBIDDEN, "Not done", what));
    }
    if !visit.may_act() && parts.uri.path() != "/console/sign-out" {
        let what =
            "You signed in to look only: nothing was done. Sign in with the token of http.token.";
        return Err(sorry(StatusCode::FORBIDDEN, "Not done", what));
    }
    parts.extensions.insert(fields);
    Ok(Request::from_parts(parts, Body::empty()))
}

fn to_sign_in(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map(ToString::to_string);
    match (request.method(), wanted) {
        (&Method::GET, Some(path)) if path != "/console" => {
            let query: String = Serializer::new(String::new())
                .append_pair("next", &path)
                .finish();
            Redirect::to(&format!("/console/sign-in?{query}")).into_response()
        }
        _ => Redirect::to("/console/sign-in").into_response(),
    }
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub struct Onward {
    next: Option<String>,
}

/// The form for signing in.
pub async fn sign_in_page(
    State(console): State<Console>,
    Query(onward): Query<Onward>,
) -> Response {
    let next = onward.next.unwrap_or_default();
    console.ask_for_token(StatusCode::OK, &next, None)
}

/// Signs in.
pub async fn sign_in(State(console): State<Console>, request: Request) -> Response {
    let address = address_of(&request);
    let given = cookie(request.headers(), SIGN_IN).unwrap_or_default();
    let Ok(body) = to_bytes(request.into_body(), BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (fields, now) = (Fields::parse(&body), console.clock.now());
    let next = fields.get("next");
    if given.is_empty() || !same(fields.get(CSRF), &given) {
        let what =
            "That form was out of date. Here is a new one; your browser has to take its cookie.";
        return console.ask_for_token(StatusCode::FORBIDDEN, next, Some(what));
    }
    if let Some(wait) = console.lockout.wait(address, now) {
        let wait_words = page::span(wait);
        let what =
            format!("Too many wrong tokens came from your address. Try again in {wait_words}.");
        let mut answer = console.ask_for_token(StatusCode::TOO_MANY_REQUESTS, next, Some(&what));
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
        return answer;
    }
    let Some(role) = console.tokens.role_of(fields.get("token").trim()) else {
        console.lockout.wrong(address, now);
        warn!(%address, "a wrong token at the console, from {address}");
        let what = "That is no token of this worker. Look at http.token, or into the file baton.token beside the database.";
        return console.ask_for_token(StatusCode::UNAUTHORIZED, next, Some(what));
    };
    console.lockout.right(address);
    let id = console.sessions.begin(role, now);
    info!(%address, %role, "signed in at the console as {role}, from {address}");
    let mut answer = Redirect::to(own(next)).into_response();
    console.set_cookie(&mut answer, SESSION, &id, LIFE.as_secs());
    console.set_cookie(&mut answer, SIGN_IN, "", 0);
    answer
}

/// Signs out.
pub async fn sign_out(State(console): State<Console>, visit: Visit) -> Response {
    console.sessions.end(&visit.id);
    let mut answer = Redirect::to("/console/sign-in").into_response();
    console.set_cookie(&mut answer, SESSION, "", 0);
    answer
}

/// For addresses below `/console` that lead nowhere.
pub async fn nothing_here(visit: Visit) -> Response {
    let what = format!("There is no page {}.", visit.path);
    visit.sorry(StatusCode::NOT_FOUND, "Not found", &what)
}

impl Console {
    fn ask_for_token(&self, status: StatusCode, next: &str, problem: Option<&str>) -> Response {
        let csrf = secret();
        let about = if problem.is_some() {
            "problem hint"
        } else {
            "hint"
        };
        let inner = html! {
            @if let Some(problem) = problem {
                p #problem .notice.failed role="alert" { (problem) }
            }
            input type="hidden" name="next" value=(next);
            div.field {
                label for="token" { "Token" }
                input #token name="token" type="password" autocomplete="current-password" required autofocus
                    aria-describedby=(about) aria-invalid=[problem.map(|_| "true")];
                p #hint .hint {
                    "The value of " code { "http.token" } ", or the content of " code { "baton.token" }
                    " beside the database. With " code { "http.read_token" } " you can look, and change nothing."
                }
            }
            button.primary type="submit" { "Sign in" }
        };
        let form = form::acting(&csrf, "/console/sign-in", inner);
        let page = page::outside("Sign in", &form);
        let mut answer = (status, Html(page.into_string())).into_response();
        self.set_cookie(&mut answer, SIGN_IN, &csrf, 3600);
        answer
    }

    fn set_cookie(&self, answer: &mut Response, name: &str, value: &str, seconds: u64) {
        let secure = if self.secure { "; Secure" } else { "" };
        let cookie = format!(
            "{name}={value}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        );
        let cookie = HeaderValue::try_from(cookie).expect("letters, digits and signs");
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// A path of ours, whatever was asked for.
fn own(path: &str) -> &str {
    let rest = path.strip_prefix("/console");
    let ours = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
    if ours && plain { path } else { "/console" }
}

fn address_of(request: &Request) -> IpAddr {
    let known = request.extensions().get::<ConnectInfo<SocketAddr>>();
    known.map_or(Ipv4Addr::UNSPECIFIED.into(), |known| known.0.ip())
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}
