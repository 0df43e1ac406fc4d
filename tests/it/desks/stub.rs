//! A desk that answers what a test tells it to, and remembers what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One request, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and path, without the API's prefix.
    pub what: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// What to answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status and a body: JSON if it looks like it.
    Status(u16, String),
    /// The same, with a header.
    With(u16, String, (&'static str, String)),
    /// Nothing, ever.
    Silence,
    /// An event stream: its pieces, then what comes after them.
    Stream(Vec<String>, Then),
}

/// How a stream goes on after its pieces.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    Ends,
    FallsSilent,
}

/// A status without a body.
pub fn status(status: u16) -> Reply {
    Reply::Status(status, String::new())
}

/// A body of 200.
pub fn ok(body: Value) -> Reply {
    Reply::Status(200, body.to_string())
}

pub struct Stub {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stub {
    /// Answers by what was asked, and how often that was asked before.
    pub async fn answering(
        answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::<Asked>::new()));
        let (answer, record) = (Arc::new(answer), asked.clone());
        let app = Router::new().fallback(move |request: Request| {
            let (answer, record) = (answer.clone(), record.clone());
            async move {
                let request = asked_of(request).await;
                let earlier = {
                    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                    let earlier = record
                        .iter()
                        .filter(|earlier| earlier.what == request.what)
                        .count();
                    record.push(request.clone());
                    earlier
                };
                respond(answer(&request, earlier)).await
            }
        });
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("a server");
        });
        Self { url, asked, server }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn what_was_asked(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.what).collect()
    }
}

async fn asked_of(request: Request) -> Asked {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let path = parts.uri.path();
    let path = path.strip_prefix("/iamessage/api/v2/").unwrap_or(path);
    Asked {
        what: format!("{} {path}", parts.method),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

async fn respond(reply: Reply) -> Response {
    let builder = Response::builder();
    let response = match reply {
        Reply::Status(status, body) => builder.status(status).body(body.into()),
        Reply::With(status, body, (name, value)) => {
            builder.status(status).header(name, value).body(body.into())
        }
        Reply::Silence => std::future::pending().await,
        Reply::Stream(pieces, then) => {
            let pieces =
                stream::iter(pieces).map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
            let body = match then {
                Then::Ends => Body::from_stream(pieces),
                Then::FallsSilent => Body::from_stream(pieces.chain(stream::pending())),
            };
            builder
                .header("content-type", "text/event-stream;charset=utf-8")
                .body(body)
        }
    };
    response.expect("a response")
}

/// A server that answers one request with these bytes and hangs up.
pub async fn bytes(answer: &'static str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let _ = socket.read(&mut [0; 4096]).await;
        let _ = socket.write_all(answer.as_bytes()).await;
    });
    (url, server)
}
