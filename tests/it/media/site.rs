//! A server of files, and a name service, that do what a test tells them.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

pub struct Site {
    pub origin: Url,
    asked: Arc<AtomicUsize>,
    shown: Arc<Mutex<Vec<Option<String>>>>,
    server: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Site {
    /// Answers by the path.
    pub async fn serving(answer: impl Fn(&str) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (Arc::new(answer), asked.clone());
        let shown: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let keys = shown.clone();
        let routes = Router::new().fallback(move |request: Request| {
            count.fetch_add(1, Ordering::SeqCst);
            let key = request.headers().get("authorization");
            let key = key.map(|key| key.to_str().expect("text").to_owned());
            keys.lock().expect("nobody panics").push(key);
            std::future::ready(answer(request.uri().path()))
        });
        Self {
            origin: format!("http://{address}").parse().expect("a URL"),
            asked,
            shown,
            server: tokio::spawn(async move {
                axum::serve(listener, routes).await.expect("a server");
            }),
        }
    }

    /// How many requests came.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The `Authorization` of every request.
    pub fn shown(&self) -> Vec<Option<String>> {
        self.shown.lock().expect("nobody panics").clone()
    }

    pub fn at(&self, path: &str) -> String {
        self.origin.join(path).expect("a URL").into()
    }
}

/// 200 with a type and a body.
pub fn file(content_type: &str, body: impl Into<Body>) -> Response {
    with(200, &[("content-type", content_type)], body)
}

pub fn with(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let builder = Response::builder().status(status);
    let builder = headers.iter().fold(builder, |builder, (name, value)| {
        builder.header(*name, *value)
    });
    builder.body(body.into()).expect("a response")
}

pub fn redirect(to: &str) -> Response {
    with(302, &[("location", to)], Body::empty())
}

/// Names with the answers that they give one after the other; the last one stays.
#[derive(Clone, Default)]
pub struct Names {
    answers: Arc<Mutex<BTreeMap<String, VecDeque<Vec<IpAddr>>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Names {
    pub fn knowing(name: &str, answers: &[&[&str]]) -> Self {
        let parse = |address: &&str| address.parse().expect("an address");
        let answers = answers
            .iter()
            .map(|answer| answer.iter().map(parse).collect())
            .collect();
        let names = Self::default();
        names.lock().insert(name.to_owned(), answers);
        names
    }

    /// The names that were looked up.
    pub fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, VecDeque<Vec<IpAddr>>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.clone());
        let mut answers = self.lock();
        let answer = match answers.get_mut(&name) {
            Some(left) if left.len() > 1 => left.pop_front(),
            Some(last) => last.front().cloned(),
            None => None,
        };
        Box::pin(std::future::ready(match answer {
            Some(found) => {
                Ok(Box::new(found.into_iter().map(|found| SocketAddr::new(found, 0))) as Addrs)
            }
            None => Err("no such name".into()),
        }))
    }
}
