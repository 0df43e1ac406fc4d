//! Calls to desks: one pool of connections, bounded in time and size, and statuses turned into facts.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use jiff::fmt::rfc2822;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, redirect};
use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::error::DeskError;
use crate::domain::ids::ConnectionName;

/// What bounds a call to a desk.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To make a connection.
    pub connect_timeout: Duration,
    /// For a whole call.
    pub timeout: Duration,
    /// Bytes of an answer.
    pub answer_bytes_max: usize,
    /// Without a sign of life on a stream.
    pub stream_silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(10),
            answer_bytes_max: 1 << 20,
            stream_silence: Duration::from_secs(75),
        }
    }
}

/// The clients: one for calls, one for streams, which must have no deadline.
#[derive(Debug, Clone)]
pub struct Http {
    /// For calls.
    pub calls: Client,
    /// For streams.
    pub streams: Client,
    /// The bounds they keep.
    pub limits: Limits,
}

/// The bytes of a stream as they arrive; an item that is an error is its last.
pub type ByteStream = BoxStream<'static, Result<Bytes, DeskError>>;

impl Http {
    /// Both clients. Fails only where the system has no usable TLS roots.
    pub fn new(limits: Limits) -> Result<Self, reqwest::Error> {
        let client = || -> ClientBuilder {
            Client::builder()
                .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(limits.connect_timeout)
                .redirect(redirect::Policy::none())
                // Nothing is put into its requests that tells of us, no `traceparent` either: desks are other people's.
                // A desk is called where its connection says, whatever the environment says about proxies.
                .no_proxy()
                .tcp_nodelay(true)
        };
        Ok(Self {
            calls: client().timeout(limits.timeout).build()?,
            // Over HTTP/2 a client shares one connection per host, and the stream that exceeds what the host allows
            // on it waits without a word.
            streams: client()
                .read_timeout(limits.stream_silence)
                .http1_only()
                .build()?,
            limits,
        })
    }

    /// Makes a call and reads its whole answer, whatever its status; only what cannot be a desk's answer is an error.
    pub async fn call(&self, request: RequestBuilder) -> Result<Answer, DeskError> {
        let during = self.limits.timeout;
        let mut response = request
            .send()
            .await
            .map_err(|error| failure(error, during))?;
        let (status, headers) = (response.status(), response.headers().clone());
        note_request(&headers);
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| failure(error, during))?
        {
            if body.len() + chunk.len() > self.limits.answer_bytes_max {
                let max = self.limits.answer_bytes_max;
                return Err(DeskError::Broken(format!(
                    "it is longer than {max} bytes, the most that is read"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Answer {
            status,
            headers,
            body,
        }
        .unless_intercepted()
    }

    /// What time they have at an address, as their `Date` says; an error if nobody answers there.
    pub async fn time_at(&self, url: &str) -> Result<Option<Timestamp>, DeskError> {
        let asked = self.calls.head(url).send().await;
        let answer = asked.map_err(|error| failure(error, self.limits.timeout))?;
        let date =
            text_of(answer.headers(), &DATE).and_then(|date| rfc2822::parse(date.trim()).ok());
        Ok(date.map(|date| date.timestamp()))
    }

    /// Opens a stream and hands out its bytes. An answer that is no event stream is an error, as with a call.
    pub async fn stream(&self, request: RequestBuilder) -> Result<ByteStream, DeskError> {
        let (opening, silence) = (self.limits.timeout, self.limits.stream_silence);
        let response = tokio::time::timeout(opening, request.send())
            .await
            .map_err(|_| DeskError::Timeout(opening))?
            .map_err(|error| failure(error, opening))?;
        if !is_event_stream(&response) {
            return Err(self.no_stream(response).await);
        }
        let bytes = response
            .bytes_stream()
            .map(move |chunk| chunk.map_err(|error| failure(error, silence)));
        Ok(bytes.boxed())
    }

    /// What an answer means that should have been an event stream.
    async fn no_stream(&self, mut response: Response) -> DeskError {
        let (status, headers) = (response.status(), response.headers().clone());
        // The status says enough; the body is read only as far as it helps, and not for long.
        let body = tokio::time::timeout(self.limits.connect_timeout, response.chunk()).await;
        let answer = Answer {
            status,
            headers,
            body: body
                .ok()
                .and_then(Result::ok)
                .flatten()
                .unwrap_or_default()
                .to_vec(),
        };
        match answer.unless_intercepted() {
            Ok(answer) if answer.status.is_success() => {
                DeskError::Broken(format!("{status} without an event stream"))
            }
            Ok(answer) => answer.meaning(),
            Err(error) => error,
        }
    }
}

tokio::task_local! {
    static REQUEST: RefCell<Option<String>>;
}

/// The headers in which desks say what they call a request.
const REQUEST_IDS: [&str; 3] = ["x-ms-service-request-id", "req_id", "x-request-id"];
/// The longest that is kept of such an id.
const REQUEST_ID_CHARS_MAX: usize = 100;

/// Runs calls to a desk, and says what the desk called the last of them.
pub async fn noting<T>(calls: impl Future<Output = T>) -> (T, Option<String>) {
    let noting = async {
        let came = calls.await;
        (came, REQUEST.with(RefCell::take))
    };
    REQUEST.scope(RefCell::default(), noting).await
}

fn note_request(headers: &HeaderMap) {
    let id = REQUEST_IDS
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(|id| id.chars().take(REQUEST_ID_CHARS_MAX).collect());
    // Nobody may ask: a probe, or a call of a live conversation.
    let _ = REQUEST.try_with(|noted| noted.replace(id));
}

fn is_event_stream(response: &Response) -> bool {
    response.status() == StatusCode::OK
        && text_of(response.headers(), &CONTENT_TYPE).is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/event-stream")
        })
}

/// A desk's whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A redirect or a page for people comes from something between us and the desk.
    fn unless_intercepted(self) -> Result<Self, DeskError> {
        let what = if self.status.is_redirection() {
            "a redirect"
        } else if self.status.is_success() && self.is_html() {
            "an HTML page"
        } else {
            return Ok(self);
        };
        Err(DeskError::Broken(format!(
            "{what} ({}), as from a proxy or a wrong host; check {ADDRESS}",
            self.status
        )))
    }

    /// The answer, if its status is a good one; else what the status means at any desk.
    pub fn accepted(self) -> Result<Self, DeskError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.meaning())
        }
    }

    /// What a status that is not a good one means at any desk. A desk with meanings of its own looks for them first.
    pub fn meaning(&self) -> DeskError {
        let (status, message) = (self.status.as_u16(), self.explanation());
        match status {
            408 | 425 | 500..=599 => DeskError::Unavailable {
                status,
                retry_after: self.retry_after(),
                message,
            },
            429 => DeskError::RateLimited {
                retry_after: self.retry_after(),
                message,
            },
            401 => DeskError::Unauthorized(message),
            400..=499 => DeskError::Refused { status, message },
            _ => DeskError::Broken(format!("{status}: {message}")),
        }
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, DeskError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| DeskError::Broken(format!("{} with a body that is not JSON", self.status)))
    }

    /// What the desk wrote about it, in one line that is fit for logs.
    pub fn explanation(&self) -> String {
        if self.is_html() {
            return "an HTML page".into();
        }
        let text = match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => EXPLANATIONS
                .iter()
                .find_map(|path| value.pointer(path)?.as_str())
                .map_or_else(|| value.to_string(), str::to_owned),
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        };
        match fit_for_logs(&text) {
            text if text.is_empty() => "no explanation".into(),
            text => text,
        }
    }

    fn is_html(&self) -> bool {
        text_of(&self.headers, &CONTENT_TYPE)
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
    }

    /// How long the desk asks us to wait: seconds, or a date against the desk's own clock.
    /// What nobody can mean is as good as nothing.
    pub fn retry_after(&self) -> Option<Duration> {
        const ABSURD: Duration = Duration::from_secs(24 * 60 * 60);
        let asked = text_of(&self.headers, &RETRY_AFTER)?.trim();
        let wait = match asked.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => {
                let until = rfc2822::parse(asked).ok()?.timestamp();
                let now = rfc2822::parse(text_of(&self.headers, &DATE)?.trim()).ok()?;
                Duration::try_from(until.duration_since(now.timestamp())).ok()?
            }
        };
        (wait <= ABSURD).then_some(wait)
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What is to be checked, as long as nobody says which setting it is.
const ADDRESS: &str = "the address in the connection";

/// An address that a connection says, and the setting that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Scheme and host.
    pub url: String,
    /// The setting's name.
    pub setting: &'static str,
}

impl Place {
    /// The same error; one that can be the address's fault names the setting.
    pub fn blamed_for(&self, error: DeskError, connection: &ConnectionName) -> DeskError {
        let Self { url, setting } = self;
        match error {
            DeskError::Unreachable(why) => DeskError::Unreachable(format!(
                "{why}, at {url}; check `{setting}` of connection `{connection}`"
            )),
            DeskError::Broken(what) => DeskError::Broken(match what.strip_suffix(ADDRESS) {
                Some(what) => format!("{what}`{setting}` of connection `{connection}`"),
                None => what,
            }),
            error => error,
        }
    }
}

/// Where desks write what is wrong.
const EXPLANATIONS: [&str; 6] = [
    "/message",
    "/error/message",
    "/error_description",
    "/error",
    "/0/message",
    "/errors/0/title",
];

/// How much of a desk's words goes into an error.
const EXPLANATION_CHARS_MAX: usize = 300;

/// A foreign text as one short line without tokens, phone numbers and email addresses.
pub fn fit_for_logs(text: &str) -> String {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '+' | '-' | '_' | '.' | '@' | '=');
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = line
        .split_inclusive(|c| !joins(c))
        .map(|word| {
            let bare = word.trim_end_matches(|c| !joins(c));
            let rest = &word[bare.len()..];
            let digits = bare.bytes().filter(u8::is_ascii_digit).count();
            let hidden = bare.starts_with("eyJ")
                || bare.contains('@')
                || (bare.starts_with('+') && digits >= 7);
            format!("{}{rest}", if hidden { "…" } else { bare })
        })
        .collect();
    shown.chars().take(EXPLANATION_CHARS_MAX).collect()
}

/// Whether an answer quotes what we said: a contact's words must not get into errors that way.
pub fn repeats(answer: &str, said: &str) -> bool {
    let words: Vec<&str> = said.split_whitespace().collect();
    words
        .windows(4)
        .any(|four| answer.contains(&four.join(" ")))
}

/// What it means that a request got no answer, or an answer broke off. Its address is left out: it can hold ids.
fn failure(error: reqwest::Error, waited: Duration) -> DeskError {
    let error = error.without_url();
    if error.is_connect() {
        DeskError::Unreachable(innermost(&error))
    } else if error.is_timeout() {
        DeskError::Timeout(waited)
    } else {
        DeskError::Broken(innermost(&error))
    }
}

/// The cause at the bottom says what happened; those above it say where.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    fit_for_logs(&cause.to_string())
}
