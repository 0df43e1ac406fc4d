//! How a fault turns one HTTP answer into something else.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio_util::task::TaskTracker;

use super::{Fault, What, When};

/// A page as a captive portal would serve it.
const GARBAGE: &str = "<html><body>Welcome to the hotel's wireless network</body></html>";

impl Fault {
    /// The answer the caller gets, where `effect` is the desk acting and answering.
    ///
    /// `late` owns effects that outlive their callers.
    pub(in crate::sim) async fn strike<E>(self, effect: E, late: &TaskTracker) -> Response
    where
        E: Future<Output = Response> + Send + 'static,
    {
        let Self { when, what } = self;
        if let What::Slow { millis } = what {
            let delay = Duration::from_millis(millis);
            return slow(when, delay, effect, late).await;
        }
        if when == When::AfterEffect {
            drop(effect.await);
        }
        what.answer().await
    }
}

async fn slow<E>(when: When, delay: Duration, effect: E, late: &TaskTracker) -> Response
where
    E: Future<Output = Response> + Send + 'static,
{
    match when {
        When::BeforeEffect => {
            let acting = late.spawn(async move {
                tokio::time::sleep(delay).await;
                effect.await
            });
            acting
                .await
                .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
        When::AfterEffect => {
            let answer = effect.await;
            tokio::time::sleep(delay).await;
            answer
        }
    }
}

impl What {
    async fn answer(self) -> Response {
        match self {
            Self::Status { status, body } => {
                let status =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, body).into_response()
            }
            Self::RateLimited { retry_after } => {
                let mut answer = StatusCode::TOO_MANY_REQUESTS.into_response();
                if let Some(value) = retry_after.and_then(|it| HeaderValue::try_from(it).ok()) {
                    answer.headers_mut().insert(RETRY_AFTER, value);
                }
                answer
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Jwt is expired").into_response(),
            // A slow desk gives its own answer, so it is not asked for one here.
            Self::Hang | Self::Slow { .. } => std::future::pending().await,
            Self::Cut => cut(),
            Self::Garbage => ([(CONTENT_TYPE, "text/html")], GARBAGE).into_response(),
        }
    }
}

/// An answer whose body fails at once: the server then closes the connection before it has written a byte of it.
pub(in crate::sim) fn cut() -> Response {
    Response::new(Body::from_stream(stream::once(async {
        Err::<&str, _>(io::Error::other("cut on purpose"))
    })))
}
