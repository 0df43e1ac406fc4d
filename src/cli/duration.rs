//! Durations on the command line.

use std::time::Duration;

/// Reads `10s`, `2m`, `500ms`.
pub fn duration(given: &str) -> Result<Duration, String> {
    let span = given.parse::<jiff::SignedDuration>().ok();
    span.and_then(|span| span.try_into().ok())
        .ok_or_else(|| "is no time; write one such as 10s or 2m".to_owned())
}
