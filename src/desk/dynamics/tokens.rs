//! The one access token of a connection: all its handoffs share it, and only one call at a time asks for the next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::entra;
use super::settings::Settings;
use crate::desk::http::Http;
use crate::domain::clock::{self, Clock};
use crate::domain::error::DeskError;
use crate::domain::handoff::AccessToken;
use crate::domain::seal::ExposeSecret;

/// Tokens in a row that Dataverse refuses, at which it is not the token's fault.
const REFUSED_MAX: u32 = 2;

/// More than the margin at which a handoff asks for a new token, or it would be given the old one again.
const LIFE_MIN: Duration = Duration::from_secs(20);

/// A call for a token that whoever wants it waits for; also the token that came of it.
type Flight = Shared<BoxFuture<'static, Result<AccessToken, DeskError>>>;

/// Gives out tokens.
pub struct Tokens {
    settings: Arc<Settings>,
    http: Http,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    flight: Option<Flight>,
    /// Tokens that were refused since a call last went through.
    refused: u32,
}

/// What a refused token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It was an old one: a new one may do better.
    Stale,
    /// New ones are refused as well.
    Persistent,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// Has no token yet.
    pub fn new(settings: Arc<Settings>, http: Http, clock: Clock) -> Self {
        Self {
            settings,
            http,
            clock,
            state: Mutex::default(),
        }
    }

    /// The token, or a new one if it is nearly used up; those who ask meanwhile wait for the same one.
    pub async fn get(&self) -> Result<AccessToken, DeskError> {
        let flight = self.flight();
        flight.await
    }

    fn flight(&self) -> Flight {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if let Some(flight) = &state.flight {
            let is_good = match flight.peek() {
                None => true,
                Some(Ok(access)) => access.expires_at > clock::after(now, LIFE_MIN),
                Some(Err(_)) => false,
            };
            if is_good {
                return flight.clone();
            }
        }
        let (settings, http, clock) =
            (self.settings.clone(), self.http.clone(), self.clock.clone());
        let flight = async move { entra::grant(&settings, &http, &clock).await }
            .boxed()
            .shared();
        state.flight = Some(flight.clone());
        flight
    }

    /// Dataverse refused a token: it is not given out again.
    pub fn refused(&self, access: &AccessToken) -> Refusal {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = match state.flight.as_ref().and_then(Shared::peek) {
            Some(Ok(ours)) => ours.token.expose_secret() == access.token.expose_secret(),
            Some(Err(_)) | None => false,
        };
        if is_ours {
            state.flight = None;
            state.refused += 1;
        }
        if state.refused < REFUSED_MAX {
            Refusal::Stale
        } else {
            Refusal::Persistent
        }
    }

    /// Dataverse accepted a token.
    pub fn accepted(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refused = 0;
    }
}
