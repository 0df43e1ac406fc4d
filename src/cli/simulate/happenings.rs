//! What happens at a simulated desk, as it happens: who writes what, what was refused, which fault struck.

mod dynamics;
mod salesforce;
mod zendesk;

use serde_json::{Value, json};

use crate::cli::page::tame;
use crate::domain::clock::Clock;
use crate::domain::connection::DeskKind;
use crate::sim::faults::{Faults, Fired};
use crate::sim::{dynamics as dynamics_sim, salesforce as salesforce_sim, zendesk as zendesk_sim};

/// One thing that happened.
pub struct Happening {
    what: &'static str,
    facts: Value,
    words: String,
}

impl Happening {
    /// For programs.
    pub fn event(&self, desk: DeskKind) -> Value {
        let mut event = json!({
            "at": Clock::System.now().to_string(), "desk": desk.as_str(), "what": self.what,
        });
        if let (Value::Object(event), Value::Object(facts)) = (&mut event, &self.facts) {
            event.extend(facts.clone());
        }
        event
    }

    /// For people, in a line.
    pub fn text(&self) -> String {
        let now = Clock::System.now().strftime("%H:%M:%S").to_string();
        format!("{now}  {}", tame(&self.words))
    }
}

/// Follows a desk, and remembers how much of it was seen.
pub enum Follower {
    /// A Salesforce org.
    Salesforce(salesforce_sim::Org, Box<salesforce::Seen>),
    /// A Zendesk account.
    Zendesk(zendesk_sim::App, Box<zendesk::Seen>),
    /// A Dynamics environment.
    Dynamics(dynamics_sim::Org, Box<dynamics::Seen>),
}

impl Follower {
    /// What is new since the last look.
    pub fn look(&mut self) -> Vec<Happening> {
        match self {
            Self::Salesforce(org, seen) => seen.look(org),
            Self::Zendesk(app, seen) => seen.look(app),
            Self::Dynamics(org, seen) => seen.look(org),
        }
    }
}

impl From<salesforce_sim::Org> for Follower {
    fn from(org: salesforce_sim::Org) -> Self {
        Self::Salesforce(org, Box::default())
    }
}

impl From<zendesk_sim::App> for Follower {
    fn from(app: zendesk_sim::App) -> Self {
        Self::Zendesk(app, Box::default())
    }
}

impl From<dynamics_sim::Org> for Follower {
    fn from(org: dynamics_sim::Org) -> Self {
        Self::Dynamics(org, Box::default())
    }
}

/// The faults that struck since so many were seen.
fn struck_since(faults: &Faults, seen: &mut usize) -> Vec<Happening> {
    let fired = faults.fired();
    let new = fired.iter().skip(*seen).map(struck).collect();
    *seen = fired.len();
    new
}

/// Enough of an id to tell it from others.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn refused(call: &str, status: u16, reason: &str, facts: Value) -> Happening {
    Happening {
        what: "refused",
        words: format!("refused {call} with {status}: {reason}"),
        facts,
    }
}

fn struck(fired: &Fired) -> Happening {
    Happening {
        what: "fault",
        words: format!(
            "fault in {} number {}: {}",
            fired.call,
            fired.nth,
            json!(fired.what)
        ),
        facts: json!({ "fault": fired }),
    }
}
