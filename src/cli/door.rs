//! The way to the operator's verbs: through the running worker's HTTP port, or straight into the store when none runs.
//!
//! Both ways lead through the same routes, so a verb cannot tell them apart.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use reqwest::Url;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Failure;
use crate::app::Base;
use crate::config::Config;
use crate::domain::seal::{ExposeSecret, SecretString};
use crate::engine::jobs::Jobs;
use crate::operator::api;
use crate::store::sqlite::SqliteStore;

/// The slowest verb, `verify`, makes a few calls to a desk, each with a timeout of its own.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing that is asked for here waits for anybody else; platforms give a probe a few seconds.
const HEALTH: Duration = Duration::from_secs(3);

/// Where the operator's verbs are asked for.
pub enum Door {
    /// At the worker that has the store open.
    Worker(Worker),
    /// At the store itself, which is ours until we end.
    Store(Here),
}

/// A store of our own.
pub struct Here {
    routes: Router,
    jobs: Arc<Jobs>,
}

/// A worker, as one of its operators knows it.
pub struct Worker {
    http: reqwest::Client,
    address: SocketAddr,
    token: SecretString,
}

impl Door {
    /// The way to a store that is there.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let database = &config.store.database;
        if !database.exists() {
            let database = database.display();
            return Err(anyhow!(
                "there is no database {database}; check `store.url` and the working directory, or begin with `baton serve` or `baton connection add`"
            )
            .into());
        }
        Self::open_or_make(config)
    }

    /// The same; a store that is not there is made.
    pub fn open_or_make(config: &Config) -> Result<Self, Failure> {
        let database = &config.store.database;
        if database.exists() && SqliteStore::is_in_use(database) {
            Ok(Self::Worker(Worker::known_from(config)?))
        } else {
            let base = Base::open(config)?;
            Ok(Self::Store(Here {
                jobs: Arc::new(base.jobs()),
                routes: api::routes(base.operator),
            }))
        }
    }

    /// Whether no worker runs here.
    pub fn is_store(&self) -> bool {
        matches!(self, Self::Store(_))
    }

    /// Sees to it that jobs are done until we end: by the worker, or by ourselves where none runs.
    pub fn do_jobs(&self) {
        if let Self::Store(here) = self {
            tokio::spawn(here.jobs.clone().run(CancellationToken::new()));
        }
    }

    /// Asks for a verb of `/api/v1`, and waits for its answer.
    pub async fn ask(
        &self,
        method: Method,
        path: Url,
        body: Option<Value>,
    ) -> Result<Value, Failure> {
        let body = body.map(|body| body.to_string());
        let (status, answer) = match self {
            Self::Worker(worker) => worker.ask(method.clone(), path, body).await?,
            Self::Store(here) => ask_here(here.routes.clone(), method.clone(), path, body).await?,
        };
        read(&method, status, &answer)
    }
}

/// A path below `/api/v1`, with whatever is special in its segments percent-encoded.
pub fn path(segments: &[&str]) -> Url {
    let mut url = Url::parse("http://worker/api/v1").expect("this is a URL");
    url.path_segments_mut()
        .expect("http has paths")
        .extend(segments);
    url
}

/// Takes an id or a name from the command line. A URL cannot carry these three, percent-encoded or not.
pub fn segment(given: &str) -> Result<String, String> {
    match given {
        "" | "." | ".." => Err("is no id or name".to_owned()),
        _ => Ok(given.to_owned()),
    }
}

impl Worker {
    fn known_from(config: &Config) -> Result<Self, Failure> {
        let token = config.http.token.read().with_context(|| {
            format!(
                "a worker has {} open, and we do not know its token; check `http.token`",
                config.store.database.display()
            )
        })?;
        // Our own machine needs no proxy, whatever the environment says.
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        Ok(Self {
            http: http.build()?,
            address: reachable(config.http.listen),
            token,
        })
    }

    async fn ask(
        &self,
        method: Method,
        mut path: Url,
        body: Option<String>,
    ) -> Result<(StatusCode, Vec<u8>), Failure> {
        // Neither fails on an http URL.
        let _ = path.set_ip_host(self.address.ip());
        let _ = path.set_port(Some(self.address.port()));
        let request = self
            .http
            .request(method, path)
            .bearer_auth(self.token.expose_secret())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.unwrap_or_default());
        let answer = async {
            let answer = request.send().await?;
            Ok::<_, reqwest::Error>((answer.status(), answer.bytes().await?.to_vec()))
        };
        match answer.await {
            Ok((StatusCode::UNAUTHORIZED, _)) => Err(anyhow!(
                "whoever listens on {} does not take our token; check that `http.token` and `http.listen` are those of the worker that has the database open",
                self.address
            )
            .into()),
            Ok(answer) => Ok(answer),
            Err(error) => Err(anyhow!(error.without_url())
                .context(format!(
                    "another baton process has the database open, and nobody answers on {}; check that `http.listen` is the worker's, or wait until it has started",
                    self.address
                ))
                .into()),
        }
    }
}

/// Asks whoever listens there for what needs no token; its status and its words.
pub async fn ask_openly(listen: SocketAddr, path: &str) -> anyhow::Result<(StatusCode, String)> {
    let http = reqwest::Client::builder().no_proxy().timeout(HEALTH);
    let url = format!("http://{}{path}", reachable(listen));
    let answer = http.build()?.get(url).send().await;
    let answer = answer.map_err(reqwest::Error::without_url)?;
    Ok((answer.status(), answer.text().await?))
}

/// A worker that listens everywhere also listens here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask_here(
    routes: Router,
    method: Method,
    path: Url,
    body: Option<String>,
) -> Result<(StatusCode, Vec<u8>), Failure> {
    let request = Request::builder()
        .method(method)
        .uri(path.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.unwrap_or_default()))?;
    let answer = routes.oneshot(request).await?;
    let status = answer.status();
    Ok((
        status,
        to_bytes(answer.into_body(), usize::MAX).await?.to_vec(),
    ))
}

/// What an answer comes to: its value, or the failure with the exit code that fits.
fn read(asked: &Method, status: StatusCode, answer: &[u8]) -> Result<Value, Failure> {
    let value = serde_json::from_slice::<Value>(answer);
    if status.is_success() {
        return Ok(value.context("the worker's answer is no JSON; is it of another release?")?);
    }
    let said = value
        .ok()
        .and_then(|value| Some(value.get("error")?.as_str()?.to_owned()));
    let what =
        said.unwrap_or_else(|| format!("the worker answered {status}; is it of another release?"));
    match status {
        StatusCode::UNPROCESSABLE_ENTITY if asked.is_safe() => {
            Err(Failure::Usage(format!("put this right:\n{what}")))
        }
        StatusCode::UNPROCESSABLE_ENTITY => Err(Failure::Usage(format!(
            "nothing was saved; put this right:\n{what}"
        ))),
        _ => Err(anyhow!(what).into()),
    }
}
