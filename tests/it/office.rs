//! What operators do with what is stored: a store and the verbs over it, without a broker and without a desk.

mod edits;
mod jobs;
mod letters;
mod privacy;
mod requests;
mod timelines;

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use baton::app::Base;
use baton::config::Config;
use baton::domain::clock::{Clock, Timestamp, after};
use baton::domain::dead_letter::{GENERATION, Origin};
use baton::domain::error::DeskError;
use baton::domain::event::Bounds;
use baton::domain::handoff::Step;
use baton::domain::retry::Policy;
use baton::journey;
use baton::operator::api;
use baton::store::{Receipt, Row, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::world::escalation;

/// A store, the verbs over it, and a clock that stands still until it is moved.
struct Office {
    folder: TempDir,
    base: Option<Base>,
    clock: Clock,
    variables: Vec<(String, String)>,
}

impl Office {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(options: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("baton.db").display());
        let mut variables = vec![("BATON__STORE__URL".to_owned(), url)];
        variables.extend(
            options
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let start: Timestamp = "2026-11-20T15:00:00Z".parse().expect("a time");
        let mut office = Self {
            folder,
            base: None,
            clock: Clock::set_to(start),
            variables,
        };
        office.open();
        office
    }

    fn config(&self) -> Config {
        Config::load(None, self.variables.clone().into_iter()).expect("a configuration")
    }

    fn open(&mut self) {
        let mut base = Base::open(&self.config()).expect("a store");
        base.operator.clock = self.clock.clone();
        self.base = Some(base);
    }

    /// Ends the process, as far as the store can tell, and starts another.
    fn reopen(&mut self) {
        self.base = None;
        self.open();
    }

    fn store(&self) -> &dyn Store {
        &*self.base.as_ref().expect("an open store").store
    }

    fn api(&self) -> Router {
        api::routes(self.base.as_ref().expect("an open store").operator.clone())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .expect("a request");
        let answer = self.api().oneshot(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX)
            .await
            .expect("a body");
        let text = String::from_utf8_lossy(&body).into_owned();
        (status, serde_json::from_str(&text).unwrap_or(json!(text)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, found) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {found}");
        found
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, found) = self.ask(Method::POST, path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {found}");
        found
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Takes a delivery in, as intake does.
    async fn takes(&self, body: &[u8], routing_key: &str, generation: u32) -> Receipt {
        let mut origin = Origin {
            exchange: "handoff.inbound".into(),
            routing_key: routing_key.into(),
            ..Origin::default()
        };
        if generation > 1 {
            origin
                .headers
                .insert(GENERATION.to_owned(), json!(generation));
        }
        let now = self.clock.now();
        let bounds = Bounds {
            event_bytes_max: 256 * 1024,
        };
        let deadline = after(now, Duration::from_secs(900));
        let arrival = journey::receive(origin, body.to_vec(), bounds, deadline);
        let receipts = self.store().receive(vec![arrival], now).await;
        receipts.expect("kept")[0]
    }

    async fn escalates(&self, event: &Value) -> Row {
        let body = event.to_string().into_bytes();
        match self.takes(&body, "escalation.requested", 1).await {
            Receipt::Accepted(row) => row,
            other => panic!("{other:?}"),
        }
    }

    /// Its next step fails in a way that only a human can mend.
    async fn dies(&self, row: Row, error: DeskError) {
        let held = self.store().load(row).await.expect("a handoff");
        let step = held.handoff.progress.next_step().unwrap_or(Step::Close);
        let now = self.clock.now();
        let claim = self
            .store()
            .intend(&held, &[], step, now)
            .await
            .expect("an intent");
        let took = Duration::from_millis(120);
        let turn = journey::settle(
            held.handoff,
            step,
            Err(error),
            took,
            &Policy::default(),
            0.0,
            now,
        );
        assert!(turn.dead.is_some(), "a human is needed");
        self.store()
            .record(claim, turn, now)
            .await
            .expect("recorded");
    }

    /// A handoff of this session and connection that was set aside.
    async fn set_aside(&self, session: &str, connection: &str, error: DeskError) -> Row {
        let mut event = escalation(session, "web");
        event["data"]["connection"] = json!(connection);
        let row = self.escalates(&event).await;
        self.dies(row, error).await;
        row
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("baton.db")).expect("a database")
    }
}

fn refused(message: &str) -> DeskError {
    DeskError::Refused {
        status: 400,
        message: message.into(),
    }
}

/// What the contact of a session writes.
fn contact_writes(session: &str, id: &str, text: &str) -> Vec<u8> {
    json!({
        "specversion": "1.0", "type": "handoff.contact.message.v1", "source": "/channels/web", "id": format!("event-{id}"),
        "time": "2026-11-20T14:10:00Z", "subject": session,
        "data": { "session_id": session, "message": { "id": id, "at": "2026-11-20T14:10:00Z", "text": text, "attachments": [] } }
    })
    .to_string()
    .into_bytes()
}
