//! Fetches a file from an address that a stranger wrote: https only, to public addresses only, bounded in size and time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::Resolve;
use reqwest::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use reqwest::{Client, Response, StatusCode, redirect};
use serde::de::IgnoredAny;
use url::{Host, Origin, Url};

use super::resolve::{Guarded, Inside, System};
use super::{address, kind, name};

/// More is a loop, or somebody who hides where it goes.
const REDIRECTS_MAX: usize = 3;
/// A server that is there answers sooner; the rest of the time is for the bytes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What bounds a fetch.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The largest that is taken.
    pub bytes_max: usize,
    /// From the first lookup to the last byte, redirects included.
    pub time_max: Duration,
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// All of it.
    pub bytes: Bytes,
    /// MIME type, as the bytes say.
    pub content_type: String,
    /// What the server calls it, fit to be a file name.
    pub name: Option<String>,
}

/// Why something was not fetched. None of them quotes the address, which may be a key to the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address is none.
    #[error("its address is not a URL")]
    NotAnAddress,
    /// It would be readable on the way.
    #[error("its address does not begin with https://")]
    NotHttps,
    /// The address carries a name or a password.
    #[error("its address carries credentials")]
    Credentials,
    /// It leads to where only we can go, of this kind.
    #[error("its address leads to a {0} address, where nothing is fetched from")]
    PrivateAddress(&'static str),
    /// One redirect after the other.
    #[error("it was redirected more than {REDIRECTS_MAX} times")]
    TooManyRedirects,
    /// No connection: what the network says.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke, or what came was not HTTP.
    #[error("the transfer broke off: {0}")]
    BrokenOff(String),
    /// It took longer than it may.
    #[error("it was not here after {0:?}")]
    TooSlow(Duration),
    /// The server's answer was another than 200.
    #[error("the server answered {0}")]
    Status(u16),
    /// It is larger than it may be.
    #[error("it is larger than {max} bytes")]
    TooLarge {
        /// The largest that is taken.
        max: usize,
    },
    /// Zero bytes.
    #[error("it is empty")]
    Empty,
    /// Its kind is none that is passed on.
    #[error("{0}")]
    TypeRefused(#[from] kind::Unfit),
}

impl FetchError {
    /// Whether the same fetch may go well later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::BrokenOff(_) | Self::TooSlow(_) => true,
            Self::Status(status) => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::NotAnAddress
            | Self::NotHttps
            | Self::Credentials
            | Self::PrivateAddress(_)
            | Self::TooManyRedirects
            | Self::TooLarge { .. }
            | Self::Empty
            | Self::TypeRefused(_) => false,
        }
    }
}

/// Fetches files.
#[derive(Debug, Clone)]
pub struct Fetcher {
    /// For the public internet.
    guarded: Client,
    /// For the origins that an operator vouches for.
    trusting: Client,
    allow: Vec<Origin>,
}

impl Fetcher {
    /// A fetcher for the public internet, and for the origins in `allow` also without https and at private addresses.
    /// Fails only where the system has no usable TLS roots.
    pub fn new(allow: &[Url]) -> Result<Self, reqwest::Error> {
        Self::with_resolver(allow, Arc::new(System))
    }

    /// The same, with another lookup than the system's.
    pub fn with_resolver(
        allow: &[Url],
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            guarded: client(Arc::new(Guarded(resolver.clone())))?,
            trusting: client(resolver)?,
            allow: allow.iter().map(Url::origin).collect(),
        })
    }

    /// The file at `url`. `declared` is what its sender says it is; without it, what its server says.
    pub async fn fetch(
        &self,
        url: &str,
        declared: Option<&str>,
        rules: Rules,
    ) -> Result<Fetched, FetchError> {
        self.fetch_with(url, declared, rules, None).await
    }

    /// The same, from a place that wants to know who asks: each key is shown to it in turn, and to nobody to whom it
    /// redirects, until one opens the file; at last none.
    pub async fn fetch_locked(
        &self,
        url: &str,
        declared: Option<&str>,
        rules: Rules,
        keys: &[HeaderValue],
    ) -> Result<Fetched, FetchError> {
        let mut refused = None;
        for key in keys.iter().map(Some).chain([None]) {
            match self.fetch_with(url, declared, rules, key).await {
                Err(error @ FetchError::Status(401 | 403 | 404)) => {
                    refused.get_or_insert(error);
                }
                fetched => return fetched,
            }
        }
        Err(refused.unwrap_or(FetchError::NotAnAddress))
    }

    async fn fetch_with(
        &self,
        url: &str,
        declared: Option<&str>,
        rules: Rules,
        key: Option<&HeaderValue>,
    ) -> Result<Fetched, FetchError> {
        let Answer {
            from,
            headers,
            bytes,
        } = self.get(url, rules, key).await?;
        if bytes.is_empty() {
            return Err(FetchError::Empty);
        }
        let declared = declared.map(str::to_owned);
        let declared = declared.or_else(|| text_of(&headers, &CONTENT_TYPE));
        Ok(Fetched {
            content_type: kind::of(&bytes, declared.as_deref())?.to_owned(),
            name: name::hint(text_of(&headers, &CONTENT_DISPOSITION).as_deref(), &from),
            bytes,
        })
    }

    /// The JSON at `url`, whatever its server calls it.
    pub async fn fetch_transcript(&self, url: &str, rules: Rules) -> Result<Bytes, FetchError> {
        let bytes = self.get(url, rules, None).await?.bytes;
        match serde_json::from_slice(&bytes) {
            Ok(IgnoredAny) => Ok(bytes),
            Err(_) => Err(kind::Unfit::NotJson.into()),
        }
    }

    async fn get(
        &self,
        url: &str,
        rules: Rules,
        key: Option<&HeaderValue>,
    ) -> Result<Answer, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::NotAnAddress)?;
        let whole = async { read(self.follow(url, key).await?, rules.bytes_max).await };
        tokio::time::timeout(rules.time_max, whole)
            .await
            .unwrap_or(Err(FetchError::TooSlow(rules.time_max)))
    }

    /// Goes where redirects lead, each checked like the first address. The key is for where it began.
    async fn follow(
        &self,
        mut url: Url,
        key: Option<&HeaderValue>,
    ) -> Result<Response, FetchError> {
        let home = url.origin();
        for _ in 0..=REDIRECTS_MAX {
            let mut request = self.client_for(&url)?.get(url.clone());
            if let Some(key) = key.filter(|_| url.origin() == home) {
                request = request.header(AUTHORIZATION, key);
            }
            let response = request.send().await.map_err(failure)?;
            match response.status() {
                StatusCode::OK => return Ok(response),
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    let to = text_of(response.headers(), &LOCATION);
                    url = redirected(&url, &to.ok_or(FetchError::NotAnAddress)?)?;
                }
                status => return Err(FetchError::Status(status.as_u16())),
            }
        }
        Err(FetchError::TooManyRedirects)
    }

    /// Who may fetch it. The address of a name is checked when it is looked up.
    fn client_for(&self, url: &Url) -> Result<&Client, FetchError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Credentials);
        }
        if self.allow.contains(&url.origin()) {
            return Ok(&self.trusting);
        }
        if url.scheme() != "https" {
            return Err(FetchError::NotHttps);
        }
        let inside = match url.host() {
            Some(Host::Ipv4(literal)) => address::inside(literal.into()),
            Some(Host::Ipv6(literal)) => address::inside(literal.into()),
            Some(Host::Domain(_)) => None,
            None => return Err(FetchError::NotAnAddress),
        };
        match inside {
            Some(what) => Err(FetchError::PrivateAddress(what)),
            None => Ok(&self.guarded),
        }
    }
}

/// Where a redirect leads. What began as https stays it, even where an operator allows less.
pub fn redirected(from: &Url, to: &str) -> Result<Url, FetchError> {
    let to = from.join(to).map_err(|_| FetchError::NotAnAddress)?;
    match (from.scheme(), to.scheme()) {
        ("https", "https") => Ok(to),
        ("https", _) => Err(FetchError::NotHttps),
        _ => Ok(to),
    }
}

fn client(resolver: Arc<dyn Resolve>) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(resolver)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
        // A proxy would do its own lookup, and connect for us to where we would not.
        .no_proxy()
        // The bytes that are counted are the bytes that are kept.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .build()
}

/// An answer of 200.
struct Answer {
    from: Url,
    headers: HeaderMap,
    bytes: Bytes,
}

async fn read(mut response: Response, max: usize) -> Result<Answer, FetchError> {
    let announced = response.content_length().unwrap_or_default();
    if announced > max as u64 {
        return Err(FetchError::TooLarge { max });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if bytes.len() + chunk.len() > max {
            return Err(FetchError::TooLarge { max });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Answer {
        from: response.url().clone(),
        headers: response.headers().clone(),
        bytes: bytes.into(),
    })
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The cause at the bottom says what happened, and does not know the address.
fn failure(error: reqwest::Error) -> FetchError {
    let mut cause: &dyn Error = &error;
    loop {
        if let Some(Inside(what)) = cause.downcast_ref() {
            return FetchError::PrivateAddress(what);
        }
        match cause.source() {
            Some(source) => cause = source,
            None if error.is_connect() => return FetchError::Unreachable(cause.to_string()),
            None => return FetchError::BrokenOff(cause.to_string()),
        }
    }
}
