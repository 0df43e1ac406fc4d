//! The Salesforce simulator does what the miaw reference says, and what its switches and faults say.

mod checks;
mod control;
mod faults;
mod files;
mod load;
mod reps;
mod stream;
mod switches;
mod tokens;

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use baton::sim::salesforce::{Limits, Options, Org};
use bytes::{Bytes, BytesMut};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

struct Keys {
    private: String,
    public: String,
}

static REGISTERED: LazyLock<Keys> = LazyLock::new(Keys::generate);
static FOREIGN: LazyLock<Keys> = LazyLock::new(Keys::generate);

impl Keys {
    fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let private: Pkcs8V1Der = pair.as_der().expect("a private key");
        let public: PublicKeyX509Der = pair.public_key().as_der().expect("a public key");
        Self {
            private: pem("PRIVATE KEY", private.as_ref()),
            public: pem("PUBLIC KEY", public.as_ref()),
        }
    }

    fn sign(&self, algorithm: Algorithm, kid: &str, claims: &Value) -> String {
        let key = EncodingKey::from_rsa_pem(self.private.as_bytes()).expect("a key");
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(algorithm)
        };
        jsonwebtoken::encode(&header, claims, &key).expect("a token")
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).expect("ascii"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn tomorrow() -> u64 {
    jsonwebtoken::get_current_timestamp() + 24 * 3_600
}

fn claims(sub: &str) -> Value {
    json!({ "iss": "opencx", "sub": sub, "exp": tomorrow() })
}

fn identity(sub: &str) -> String {
    REGISTERED.sign(Algorithm::RS256, "key-1", &claims(sub))
}

fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn options() -> Options {
    let keys = [("key-1".to_owned(), REGISTERED.public.clone())].into();
    Options {
        keys,
        ..Options::default()
    }
}

async fn org() -> Org {
    Org::start(options()).await.expect("the org starts")
}

async fn org_with(change: impl FnOnce(&mut Options)) -> Org {
    let mut options = options();
    change(&mut options);
    Org::start(options).await.expect("the org starts")
}

fn no_limits(options: &mut Options) {
    options.limits = Limits {
        tokens_per_minute: usize::MAX,
        messages_per_minute: usize::MAX,
        ..Limits::default()
    };
}

/// An end user's client, as thin as can be.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    last_event_id: String,
    subject: String,
}

impl Client {
    fn of(org: &Org) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        let none = String::new;
        Self {
            http,
            url: org.url().to_owned(),
            token: none(),
            last_event_id: none(),
            subject: none(),
        }
    }

    /// A client of a verified end user.
    async fn verified(org: &Org, sub: &str) -> Self {
        let mut client = Self::of(org);
        client.verify(sub).await;
        client
    }

    async fn anonymous(org: &Org) -> Self {
        let mut client = Self::of(org);
        let response = client
            .post(
                "authorization/unauthenticated/access-token",
                token_request(),
            )
            .send()
            .await;
        client.remember(&json_of(response.expect("an answer")).await);
        client
    }

    async fn verify(&mut self, sub: &str) {
        let response = self.ask_for_token(&identity(sub)).await;
        assert_eq!(response.status(), StatusCode::OK);
        self.remember(&json_of(response).await);
    }

    fn remember(&mut self, answer: &Value) {
        self.token = text(&answer["accessToken"]);
        self.last_event_id = answer["lastEventId"]
            .as_str()
            .map_or_else(|| answer["lastEventId"].to_string(), str::to_owned);
        self.subject = text(&answer["context"]["endUser"]["subject"]);
    }

    async fn ask_for_token(&self, identity: &str) -> Response {
        let mut body = token_request();
        body["authorizationType"] = "JWT".into();
        body["customerIdentityToken"] = identity.into();
        self.post("authorization/authenticated/access-token", body)
            .send()
            .await
            .expect("an answer")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/iamessage/api/v2/{path}", self.url))
            .bearer_auth(&self.token)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
            .query(&[("esDeveloperName", "OpenCX_Custom_Client")])
    }

    fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.request(Method::POST, path).json(&body)
    }

    async fn create(&self, id: &str) -> Response {
        self.create_with(id, json!({})).await
    }

    async fn create_with(&self, id: &str, attributes: Value) -> Response {
        let body = json!({
            "conversationId": id, "esDeveloperName": "OpenCX_Custom_Client", "language": "en_US",
            "routingAttributes": attributes,
        });
        self.post("conversation", body)
            .send()
            .await
            .expect("an answer")
    }

    /// A new conversation's id.
    async fn conversation(&self) -> String {
        let id = uuid();
        assert_eq!(self.create(&id).await.status(), StatusCode::CREATED);
        id
    }

    fn message(&self, conversation: &str, id: &str, text: &str) -> RequestBuilder {
        self.post(
            &format!("conversation/{conversation}/message"),
            message(id, text),
        )
    }

    async fn say(&self, conversation: &str, text: &str) -> Response {
        self.message(conversation, &uuid(), text)
            .send()
            .await
            .expect("an answer")
    }

    fn stream(&self) -> RequestBuilder {
        self.http
            .get(format!("{}/eventrouter/v1/sse", self.url))
            .bearer_auth(&self.token)
            .header("x-org-id", "00Dxx0000000xxx")
            .header("last-event-id", &self.last_event_id)
    }

    async fn listen(&self) -> Events {
        let response = self.stream().send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        Events {
            response,
            bytes: BytesMut::new(),
        }
    }
}

fn token_request() -> Value {
    json!({
        "orgId": "00Dxx0000000xxx", "esDeveloperName": "OpenCX_Custom_Client", "capabilitiesVersion": "1", "platform": "Web",
    })
}

fn message(id: &str, text: &str) -> Value {
    json!({
        "message": {
            "id": id, "messageType": "StaticContentMessage", "staticContent": { "formatType": "Text", "text": text },
        },
        "esDeveloperName": "OpenCX_Custom_Client",
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

async fn json_of(response: Response) -> Value {
    response.json().await.expect("json")
}

/// Status and body.
async fn outcome(response: Response) -> (u16, String) {
    (
        response.status().as_u16(),
        response.text().await.expect("text"),
    )
}

/// One frame of the stream.
#[derive(Clone, Debug, Default)]
struct Event {
    name: String,
    id: Option<u64>,
    data: String,
}

impl Event {
    fn envelope(&self) -> Value {
        serde_json::from_str(&self.data).expect("json")
    }

    fn entry(&self) -> Value {
        self.envelope()["conversationEntry"].clone()
    }

    /// The payload, which is JSON in a JSON string.
    fn payload(&self) -> Value {
        serde_json::from_str(self.entry()["entryPayload"].as_str().expect("a string"))
            .expect("json")
    }

    fn said(&self) -> String {
        text(&self.payload()["abstractMessage"]["staticContent"]["text"])
    }
}

/// An open stream, read frame by frame.
struct Events {
    response: Response,
    bytes: BytesMut,
}

impl Events {
    /// The next frame, nothing at the end, or what broke the stream.
    async fn frame(&mut self) -> Result<Option<Event>, reqwest::Error> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|it| it == b"\n\n") {
                let frame = self.bytes.split_to(end + 2);
                return Ok(Some(parse(&frame.freeze())));
            }
            match self.response.chunk().await? {
                Some(chunk) => self.bytes.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The next event that is no ping.
    async fn next(&mut self) -> Event {
        loop {
            let event = self
                .frame()
                .await
                .expect("an unbroken stream")
                .expect("an open stream");
            if event.name != "ping" {
                return event;
            }
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await);
        }
        events
    }

    async fn names(&mut self, count: usize) -> Vec<String> {
        self.take(count)
            .await
            .into_iter()
            .map(|event| event.name)
            .collect()
    }

    /// What reps said, up to and with this.
    async fn until(&mut self, said: &str) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await;
            let is_last = event.name == "CONVERSATION_MESSAGE" && event.said() == said;
            events.push(event);
            if is_last {
                return events;
            }
        }
    }

    /// Everything until the stream ends or breaks, and how it did.
    async fn rest(&mut self) -> (Vec<Event>, Result<(), reqwest::Error>) {
        let mut events = Vec::new();
        loop {
            match self.frame().await {
                Ok(Some(event)) if event.name == "ping" => {}
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, Ok(())),
                Err(error) => return (events, Err(error)),
            }
        }
    }
}

fn parse(frame: &Bytes) -> Event {
    let mut event = Event::default();
    for line in str::from_utf8(frame)
        .expect("utf-8")
        .lines()
        .filter(|line| !line.is_empty())
    {
        match line.split_once(": ").expect("a field") {
            ("event", name) => event.name = name.to_owned(),
            ("id", id) => event.id = Some(id.parse().expect("a number")),
            ("data", data) => event.data = data.to_owned(),
            (other, _) => panic!("an unknown field {other}"),
        }
    }
    event
}
