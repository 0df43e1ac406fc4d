//! Looking a desk over, one thing after the other, for `baton doctor`.

use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;

use super::http::Http;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::error::DeskError;
use crate::domain::finding::Finding;

/// A tenth of the life of an identity token (miaw reference §3.1): from here on a slow call may be enough to make one
/// too old. Clocks that are set over the network differ by less than a second, and `Date` counts seconds.
const SKEW_MAX: SignedDuration = SignedDuration::from_secs(30);

/// Salesforce takes a certificate only if it is good for ten more days (miaw reference §3.2).
const CERTIFICATE_LEFT_MIN: Duration = Duration::from_secs(10 * 24 * 60 * 60);

/// What a desk may have to call back, for checking that it can.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    /// Our address, as others see it.
    pub public_url: &'a str,
    /// Whether somebody listens there now.
    pub serving: bool,
}

/// Findings, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Examination {
    /// All of them.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// Something is as it must be.
    pub fn good(&mut self, check: &'static str, says: impl Into<String>) {
        self.findings.push(Finding::good(check, says));
    }

    /// Something is not.
    pub fn wrong(&mut self, check: &'static str, error: &DeskError) {
        self.findings.push(Finding::wrong(check, error.to_string()));
    }

    /// Something cannot be told from here.
    pub fn unsure(&mut self, check: &'static str, says: impl Into<String>) {
        self.findings.push(Finding::unsure(check, says));
    }

    /// Something was tried; whether it went well.
    pub fn tried(&mut self, check: &'static str, outcome: Result<String, DeskError>) -> bool {
        match outcome {
            Ok(says) => self.good(check, says),
            Err(error) => {
                self.wrong(check, &error);
                return false;
            }
        }
        true
    }

    /// Whether somebody answers there at all, and what time they have; without that, nothing else is worth a try.
    pub async fn reach(&mut self, http: &Http, clock: &Clock, url: &str, setting: &str) -> bool {
        let answered = http.time_at(url).await;
        match &answered {
            Ok(_) => self.good("host", format!("{url} answers")),
            Err(error) => self.findings.push(Finding::wrong(
                "host",
                format!("{url}: {error}; check {setting}, the name server, and whether a firewall lets us out"),
            )),
        }
        if let Ok(Some(theirs)) = &answered {
            self.findings.push(skew(clock.now(), *theirs, url));
        }
        answered.is_ok()
    }

    /// How long a certificate is good for.
    pub fn certificate(&mut self, setting: &str, until: Timestamp, now: Timestamp) {
        const CHECK: &str = "certificate";
        let day = until.strftime("%Y-%m-%d");
        let left = until.duration_since(now);
        let rotate =
            "make a new key with `baton keygen` and rotate to it, as `docs/deployment.md` says";
        self.findings.push(if left <= SignedDuration::ZERO {
            Finding::wrong(CHECK, format!("the certificate in `{setting}` expired on {day}; {rotate}"))
        } else if left.unsigned_abs() < CERTIFICATE_LEFT_MIN {
            Finding::wrong(CHECK, format!("the certificate in `{setting}` expires on {day}, in less than ten days; {rotate}"))
        } else {
            Finding::good(CHECK, format!("the certificate in `{setting}` is good until {day}"))
        });
    }
}

/// How far apart two clocks are.
pub fn skew(ours: Timestamp, theirs: Timestamp, of: &str) -> Finding {
    let apart = ours.duration_since(theirs);
    let (seconds, where_to) = match apart.is_negative() {
        true => (apart.unsigned_abs().as_secs(), "behind"),
        false => (apart.as_secs().unsigned_abs(), "ahead of"),
    };
    if apart.abs() <= SKEW_MAX {
        return Finding::good("clock", format!("within {seconds} s of the clock of {of}"));
    }
    Finding::wrong(
        "clock",
        format!("our clock is {seconds} s {where_to} that of {of}, so tokens that we sign are refused or die early; set this machine's clock over the network"),
    )
    .fixed_by("timedatectl set-ntp true")
}

/// Scheme and host of an address.
pub fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}
