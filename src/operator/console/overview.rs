//! The first page: how it goes, in one look.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::Console;
use super::chart::Chart;
use super::dead_letters;
use super::page::{self, Section, count, span};
use super::visit::{View, Visit};
use crate::broker;
use crate::domain::handoff::Step;
use crate::operator::verbs::Refusal;
use crate::store::{Activity, Counts, Slot};

/// How far a handoff has come that waits for each of the five steps.
const BEFORE: [&str; 5] = ["received", "identified", "authorized", "prepared", "opened"];
/// The newest of them that the first page has.
const DEAD_SHOWN: usize = 5;

/// Which stretch the charts show.
#[derive(Deserialize)]
pub struct Which {
    hours: Option<u32>,
}

/// A stretch of time, in slots.
struct Stretch {
    hours: u32,
    name: &'static str,
    slot_name: &'static str,
    slot: Duration,
    slots: usize,
}

const STRETCHES: [Stretch; 3] = [
    Stretch {
        hours: 1,
        name: "the last hour",
        slot_name: "minute",
        slot: Duration::from_mins(1),
        slots: 60,
    },
    Stretch {
        hours: 6,
        name: "the last 6 hours",
        slot_name: "5 minutes",
        slot: Duration::from_mins(5),
        slots: 72,
    },
    Stretch {
        hours: 24,
        name: "the last 24 hours",
        slot_name: "quarter of an hour",
        slot: Duration::from_mins(15),
        slots: 96,
    },
];

/// `GET /console`.
pub async fn page(
    State(console): State<Console>,
    visit: Visit,
    Query(which): Query<Which>,
) -> Response {
    let stretch = STRETCHES
        .iter()
        .find(|stretch| Some(stretch.hours) == which.hours)
        .unwrap_or(&STRETCHES[0]);
    visit.show(made(&console, stretch).await)
}

async fn made(console: &Console, stretch: &Stretch) -> Result<View, Refusal> {
    let store = &console.operator.store;
    let now = console.clock.now();
    let counts = store.counts(now).await?;
    let activity = store.activity(now, stretch.slot, stretch.slots).await?;
    let dead = dead_letters::newest(console, DEAD_SHOWN).await?;
    let broker = console.vitals.broker.borrow().clone();
    let summary = format!(
        "{} live, {} due, {} dead letters, {} events not confirmed",
        of(&counts, "live"),
        of(&counts, "due"),
        dead_count(&counts),
        counts.unconfirmed
    );
    let body = html! {
        (tiles(&counts, &broker))
        (flow(&counts, &activity, stretch))
        (charts(&activity.slots, stretch))
        (newest_dead(&dead))
    };
    Ok(View {
        title: "Overview".to_owned(),
        section: Section::Overview,
        body: page::live(&summary, &body),
    })
}

fn of(counts: &Counts, status: &str) -> u64 {
    counts.handoffs.get(status).copied().unwrap_or_default()
}

fn dead_count(counts: &Counts) -> u64 {
    of(counts, "dead") + counts.quarantined
}

/// The figures that somebody on call looks at first.
fn tiles(counts: &Counts, broker: &broker::State) -> Markup {
    let (due, dead) = (of(counts, "due"), dead_count(counts));
    let late = counts.due_oldest > Duration::from_mins(1);
    let stuck = counts.unconfirmed_oldest > Duration::from_mins(1);
    let (word, kind, says) = match (broker.up, &broker.blocked, broker.taking) {
        (false, _, _) => (
            "down",
            "bad",
            broker
                .error
                .clone()
                .unwrap_or_else(|| "not connected".into()),
        ),
        (true, Some(why), _) => ("blocked", "bad", format!("takes no messages: {why}")),
        (true, None, false) => ("up", "busy", "nothing is taken just now".into()),
        (true, None, true) => ("up", "good", "escalations are taken in".into()),
    };
    html! {
        section aria-labelledby="now" {
            h2 #now { "Now" }
            ul.tiles {
                (tile("good", "/console/handoffs?status=live", "Live conversations", &count(of(counts, "live")), "a rep and a contact are talking"))
                (tile(if late { "bad" } else { "calm" }, "/console/handoffs?status=due", "Due", &count(due),
                    &if due == 0 { "nobody waits for a step".to_owned() } else { format!("oldest for {}", span(counts.due_oldest)) }))
                (tile(if stuck { "bad" } else { "calm" }, "/console/queues", "Not confirmed", &count(counts.unconfirmed),
                    &if counts.unconfirmed == 0 { "the outbox is empty".to_owned() } else { format!("oldest for {}", span(counts.unconfirmed_oldest)) }))
                (tile(if dead == 0 { "calm" } else { "bad" }, "/console/dead-letters", "Dead letters", &count(dead),
                    if dead == 0 { "nothing was set aside" } else { "set aside until somebody looks" }))
                (tile(kind, "/console/queues", "Broker", word, &says))
            }
        }
    }
}

fn tile(kind: &str, link: &str, name: &str, figure: &str, says: &str) -> Markup {
    html! {
        li class={ "tile " (kind) } {
            a href=(link) { (name) }
            strong { (figure) }
            span { (says) }
        }
    }
}

/// The five steps, with what waits before each and what was done in it.
fn flow(counts: &Counts, activity: &Activity, stretch: &Stretch) -> Markup {
    html! {
        section aria-labelledby="flow" {
            div.heading {
                h2 #flow { "From escalation to rep" }
                p.choice aria-label="Stretch of time" {
                    @for it in &STRETCHES {
                        a href={ "/console?hours=" (it.hours) } aria-current=[(it.hours == stretch.hours).then_some("true")] {
                            (it.hours) " h"
                        }
                    }
                }
            }
            ol.flow {
                @for (step, before) in Step::JOURNEY.iter().zip(BEFORE) {
                    @let tries = activity.steps.get(step.as_str()).copied().unwrap_or_default();
                    @let waiting = activity.waiting.get(before).copied().unwrap_or_default();
                    li {
                        h3 { (step.as_str()) }
                        p.waiting { strong { (count(waiting)) } " due" }
                        p { (count(tries.done)) " done"
                            @if tries.done > 0 && tries.took.as_millis() > 0 {
                                ", " (span(tries.took / u32::try_from(tries.done).unwrap_or(u32::MAX))) " each"
                            }
                        }
                        p.bad[tries.failed > 0] { (count(tries.failed)) " failed" }
                    }
                }
                li.end {
                    h3 { "live" }
                    p.waiting { strong { (count(of(counts, "live"))) } " now" }
                    p { (count(of(counts, "closed"))) " ended" }
                    p.bad[of(counts, "dead") > 0] { (count(of(counts, "dead"))) " dead" }
                }
            }
            p.hint { "Due and live are of now, ended and dead of all time; done and failed are tries in " (stretch.name) "." }
        }
    }
}

fn charts(slots: &[Slot], stretch: &Stretch) -> Markup {
    let chart = |name, kind, value: fn(&Slot) -> u64| Chart {
        name,
        kind,
        stretch: stretch.name,
        slot: stretch.slot_name,
        values: slots.iter().map(value).collect(),
    };
    // As a table in a dozen rows, for those who do not see the bars.
    let rows = slots.chunks(slots.len().div_ceil(12)).rev();
    let minutes = stretch.slot.as_secs() / 60 * slots.len().div_ceil(12) as u64;
    html! {
        section aria-labelledby="pace" {
            h2 #pace { "Pace in " (stretch.name) }
            div.charts {
                (chart("Accepted", "calm", |slot| slot.accepted).draw())
                (chart("Gone live", "good", |slot| slot.live).draw())
                (chart("Failed tries", "bad", |slot| slot.failed).draw())
            }
            details #figures {
                summary { "The same in figures" }
                (page::table("Pace, the newest first", ["Ago", "Accepted", "Gone live", "Failed tries"],
                    rows.enumerate().map(|(place, slots)| {
                        let sum = |value: fn(&Slot) -> u64| html! { (count(slots.iter().map(value).sum())) };
                        let ago = html! { (place as u64 * minutes) " to " ((place as u64 + 1) * minutes) " min" };
                        [ago, sum(|slot| slot.accepted), sum(|slot| slot.live), sum(|slot| slot.failed)]
                    })))
            }
        }
    }
}

fn newest_dead(dead: &[Value]) -> Markup {
    html! {
        @if !dead.is_empty() {
            section aria-labelledby="dead" {
                h2 #dead { "Newest dead letters" }
                (dead_letters::table("The newest dead letters", dead))
            }
        }
    }
}
