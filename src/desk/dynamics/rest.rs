//! Leaving Dataverse alone when it asks for that: its service-protection limits are of the application user, so one
//! answer holds for all handoffs of the connection (dynamics reference §2.5).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::desk::http::Answer;
use crate::domain::clock::{self, Timestamp};
use crate::domain::error::DeskError;

/// The window of the limits: after it, whatever was counted is forgotten.
const REST_MAX: Duration = Duration::from_secs(300);

/// Until when no call is made.
#[derive(Debug, Default)]
pub struct Rest {
    until: Mutex<Option<Timestamp>>,
}

impl Rest {
    /// Until when no call is made, if that was asked for.
    pub fn until(&self) -> Option<Timestamp> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a call that comes too early: one that is made all the same lengthens the rest.
    pub fn is_over(&self, now: Timestamp) -> Result<(), DeskError> {
        match self.until() {
            Some(until) if until > now => Err(DeskError::RateLimited {
                retry_after: Some(clock::until(now, until)),
                message: "it asked for a rest, which is not over".into(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a 429 to heart. One that does not say how long is for its own call only.
    pub fn begin(&self, answer: &Answer, now: Timestamp) -> DeskError {
        if let Some(asked) = answer.retry_after() {
            let until = clock::after(now, asked.min(REST_MAX));
            let mut rest = self.until.lock().unwrap_or_else(PoisonError::into_inner);
            *rest = Some(rest.map_or(until, |earlier| earlier.max(until)));
        }
        DeskError::RateLimited {
            retry_after: answer.retry_after(),
            message: format!("{} {}", kind(answer), answer.explanation()),
        }
    }
}

/// Which of the three limits (dynamics reference §2.4).
fn kind(answer: &Answer) -> &'static str {
    match super::refusals::code(answer).as_deref() {
        Some("0x80072322") => "too many requests:",
        Some("0x80072321") => "too much execution time:",
        Some("0x80072326") => "too many calls at once:",
        _ => "too much:",
    }
}
