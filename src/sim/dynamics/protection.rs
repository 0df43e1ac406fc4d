//! The service-protection limits: requests and execution time in a window, calls at once (§2.5).

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// The limits of an application user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a window.
    pub requests: usize,
    /// Execution time in a window.
    pub execution: Duration,
    /// Calls at once.
    pub concurrent: usize,
    /// The window.
    pub window: Duration,
    /// What every call counts for as execution time.
    pub call_takes: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 6000,
            execution: Duration::from_secs(1200),
            concurrent: 52,
            window: Duration::from_secs(300),
            call_takes: Duration::from_millis(50),
        }
    }
}

/// One of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Too many requests.
    Requests,
    /// Too much execution time.
    Execution,
    /// Too many calls at once.
    Concurrent,
}

impl Limit {
    fn refusal(self, limits: &Limits, seconds: u64) -> Refusal {
        let window = limits.window.as_secs();
        let (code, message) = match self {
            Self::Requests => (
                "0x80072322",
                format!(
                    "Number of requests exceeded the limit of {} over time window of {window} seconds.",
                    limits.requests
                ),
            ),
            Self::Execution => (
                "0x80072321",
                format!(
                    "Combined execution time of incoming requests exceeded limit of {}  milliseconds over time window of {window} seconds. Decrease number of concurrent requests or reduce the duration of requests and try again later.",
                    limits.execution.as_millis()
                ),
            ),
            Self::Concurrent => (
                "0x80072326",
                format!(
                    "Number of concurrent requests exceeded the limit of {}.",
                    limits.concurrent
                ),
            ),
        };
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, code, message).after(seconds)
    }
}

/// What was used of the limits.
#[derive(Debug, Default)]
pub(super) struct Protection {
    /// When the calls of the window were made, in epoch milliseconds.
    made: VecDeque<u64>,
    in_flight: usize,
    exceeded: Option<Exceeded>,
}

/// A limit that is exceeded.
#[derive(Clone, Copy, Debug)]
struct Exceeded {
    limit: Limit,
    /// In epoch milliseconds.
    until: u64,
    /// Whether somebody was told to wait, so that who comes again is pushing.
    is_told: bool,
}

impl Protection {
    pub fn exceed(&mut self, limit: Limit, now: u64, rest: Duration) {
        self.exceeded = Some(Exceeded {
            limit,
            until: now + millis(rest),
            is_told: false,
        });
    }

    /// Lets a call begin, or refuses it. To go on pushing lengthens the wait by a second each time.
    pub fn begin(&mut self, limits: &Limits, now: u64) -> Result<(), Refusal> {
        if let Some(exceeded) = self.exceeded.as_mut().filter(|it| it.until > now) {
            if exceeded.is_told {
                exceeded.until += 1000;
            }
            exceeded.is_told = true;
            let wait = exceeded.until - now;
            return Err(exceeded.limit.refusal(limits, wait.div_ceil(1000)));
        }
        let window = millis(limits.window);
        while self.made.front().is_some_and(|at| at + window <= now) {
            self.made.pop_front();
        }
        let calls = u32::try_from(self.made.len()).unwrap_or(u32::MAX);
        let limit = if self.made.len() >= limits.requests {
            Limit::Requests
        } else if limits.call_takes * calls >= limits.execution {
            Limit::Execution
        } else if self.in_flight >= limits.concurrent {
            Limit::Concurrent
        } else {
            self.made.push_back(now);
            self.in_flight += 1;
            return Ok(());
        };
        let oldest = self.made.front().copied().unwrap_or(now);
        let wait = match limit {
            Limit::Requests | Limit::Execution => (oldest + window).saturating_sub(now),
            Limit::Concurrent => 1000,
        };
        Err(limit.refusal(limits, wait.div_ceil(1000)))
    }

    pub fn end(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
