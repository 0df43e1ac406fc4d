//! The plan of what a simulated desk does wrong on purpose: which call, which time, and what happens instead.
//!
//! It knows no desk.
//! A desk names its calls, asks [`Faults::draw`] before each, and lets the fault [strike](Fault::strike).

mod stream;
mod strike;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

pub use stream::Disturbance;
pub(in crate::sim) use stream::{Frame, disturbed};
pub(in crate::sim) use strike::cut;

/// Stands for every call of a desk, as in `faults.fail(ANY, Nth::Every, Fault::before(What::Cut))` for an outage.
pub const ANY: &str = "*";

/// Which of the calls of one name a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nth {
    /// The nth of that name since the desk started; the first is 1.
    Only(u32),
    /// So many from now on.
    Next(u32),
    /// All of them, until [`Faults::heal`].
    Every,
}

/// Something that goes wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Whether the desk has acted by then.
    pub when: When,
    /// What the caller sees.
    #[serde(flatten)]
    pub what: What,
}

/// Whether the desk does what it was asked before the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// The desk has done nothing.
    BeforeEffect,
    /// The desk has done it, and the caller cannot know.
    AfterEffect,
}

/// What the caller sees of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// This status with this body.
    Status {
        /// Any status from 100 to 599; others become 500.
        status: u16,
        /// Sent as it is.
        #[serde(default)]
        body: String,
    },
    /// 429, with or without a `Retry-After` of any shape.
    RateLimited {
        /// The header's value, which may be absurd.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// 401 with the gateway's plain text.
    Unauthorized,
    /// No answer for as long as the caller waits.
    Hang,
    /// The connection is closed without an answer.
    Cut,
    /// 200 with a body that is not the desk's.
    Garbage,
    /// The right answer, late. Before the effect it also acts late, even if the caller has given up by then.
    Slow {
        /// How late.
        millis: u64,
    },
}

impl What {
    /// A bare status.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            body: String::new(),
        }
    }
}

impl Fault {
    /// Strikes before the desk has acted.
    pub fn before(what: What) -> Self {
        Self {
            when: When::BeforeEffect,
            what,
        }
    }

    /// Strikes after the desk has acted.
    pub fn after(what: What) -> Self {
        Self {
            when: When::AfterEffect,
            what,
        }
    }
}

/// A fault that struck.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fired {
    /// The desk's name for the call.
    pub call: String,
    /// Which call of that name it was; the first is 1.
    pub nth: u32,
    /// What struck.
    pub what: Struck,
}

/// What struck: a fault of one call, or a disturbance of one stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Struck {
    /// The answer was at fault.
    Answer(Fault),
    /// The stream was opened, and disturbed.
    Stream(Disturbance),
}

/// The plan, shared by handle: clones are the same plan.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    answers: Vec<Rule<Fault>>,
    streams: Vec<Rule<Disturbance>>,
    chance: Option<Chance>,
    fired: Vec<Fired>,
}

#[derive(Debug)]
struct Rule<T> {
    call: String,
    nth: Nth,
    then: T,
}

#[derive(Clone, Copy, Debug)]
struct Chance {
    seed: u64,
    rate: f64,
}

impl Faults {
    /// Lets the nth call of this name (or of [`ANY`] name) fail.
    ///
    /// Of several faults due for one call the one planned first strikes, and only that one is used up.
    pub fn fail(&self, call: &str, nth: Nth, fault: Fault) {
        self.plan().answers.push(Rule {
            call: call.to_owned(),
            nth,
            then: fault,
        });
    }

    /// Disturbs the nth event stream that is opened.
    ///
    /// All disturbances due for one stream apply together, in the order of planning.
    pub fn disturb(&self, nth: Nth, disturbance: Disturbance) {
        self.plan().streams.push(Rule {
            call: ANY.to_owned(),
            nth,
            then: disturbance,
        });
    }

    /// Lets calls of every name fail by chance: `rate` is the share that does, from 0 to 1.
    ///
    /// What the nth call of a name gets depends on the seed, the name and n alone, not on how calls interleave.
    /// [`What::Hang`] is never drawn, because a run would then last as long as its callers' patience.
    pub fn random(&self, seed: u64, rate: f64) {
        self.plan().chance = Some(Chance { seed, rate });
    }

    /// Ends all faults; what has [fired](Faults::fired) stays known.
    pub fn heal(&self) {
        let mut plan = self.plan();
        plan.answers.clear();
        plan.streams.clear();
        plan.chance = None;
    }

    /// The faults that struck, oldest first.
    pub fn fired(&self) -> Vec<Fired> {
        self.plan().fired.clone()
    }

    /// The fault for the nth call of this name, if one is due; it counts as fired.
    pub(in crate::sim) fn draw(&self, call: &str, nth: u32) -> Option<Fault> {
        let mut plan = self.plan();
        let planned = plan
            .answers
            .iter_mut()
            .find_map(|rule| rule.strike(call, nth));
        let fault = planned.or_else(|| plan.chance?.fault(call, nth))?;
        plan.fired.push(Fired {
            call: call.to_owned(),
            nth,
            what: Struck::Answer(fault.clone()),
        });
        Some(fault)
    }

    /// The disturbances for the nth stream, in the order they were planned; they count as fired.
    pub(in crate::sim) fn draw_stream(&self, call: &str, nth: u32) -> Vec<Disturbance> {
        let mut plan = self.plan();
        let mut due: Vec<_> = plan
            .streams
            .iter_mut()
            .filter_map(|rule| rule.strike(call, nth))
            .collect();
        due.extend(plan.chance.and_then(|chance| chance.disturbance(call, nth)));
        let fired = due.iter().map(|&it| Fired {
            call: call.to_owned(),
            nth,
            what: Struck::Stream(it),
        });
        plan.fired.extend(fired);
        due
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Rule<T> {
    /// What the rule says for this call, which uses up one of a [`Nth::Next`].
    fn strike(&mut self, call: &str, nth: u32) -> Option<T> {
        if self.call != ANY && self.call != call {
            return None;
        }
        let due = match &mut self.nth {
            Nth::Only(wanted) => *wanted == nth,
            Nth::Every => true,
            Nth::Next(0) => false,
            Nth::Next(left) => {
                *left -= 1;
                true
            }
        };
        due.then(|| self.then.clone())
    }
}

impl Chance {
    fn fault(self, call: &str, nth: u32) -> Option<Fault> {
        let mut dice = self.dice(call, nth, "answer")?;
        let retry_after = dice.bool().then(|| "1".to_owned());
        Some(match dice.u8(0..10) {
            0 | 1 => Fault::before(What::status(500)),
            2 => Fault::before(What::RateLimited { retry_after }),
            3 => Fault::before(What::Unauthorized),
            4 => Fault::before(What::Cut),
            5 => Fault::before(What::Slow {
                millis: dice.u64(1..200),
            }),
            6 => Fault::after(What::status(503)),
            7 | 8 => Fault::after(What::Cut),
            _ => Fault::after(What::Garbage),
        })
    }

    fn disturbance(self, call: &str, nth: u32) -> Option<Disturbance> {
        let mut dice = self.dice(call, nth, "stream")?;
        let event = dice.u32(1..8);
        Some(match dice.u8(0..6) {
            0 => Disturbance::CutAfter { events: event },
            1 => Disturbance::CutInFrame { event },
            2 => Disturbance::CutInCharacter,
            3 => Disturbance::Repeat {
                times: dice.u32(2..4),
            },
            4 => Disturbance::WithoutIds,
            _ => Disturbance::Strangers,
        })
    }

    /// Dice for what happens to this call, or nothing if nothing does.
    fn dice(self, call: &str, nth: u32, to: &str) -> Option<fastrand::Rng> {
        let mut hasher = DefaultHasher::new();
        (self.seed, call, nth, to).hash(&mut hasher);
        let mut dice = fastrand::Rng::with_seed(hasher.finish());
        (dice.f64() < self.rate).then_some(dice)
    }
}
