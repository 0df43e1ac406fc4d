//! A small chart of bars, as SVG in the page: no script, no colours of its own.

use maud::{Markup, html};

use super::page::count;

/// A bar and the gap after it.
const STEP: usize = 4;
const BAR: usize = 3;
const HEIGHT: u64 = 48;

/// One series over time, the newest last.
pub struct Chart<'a> {
    /// What is counted.
    pub name: &'a str,
    /// How it looks: `good`, `busy`, `bad` or `calm`.
    pub kind: &'a str,
    /// The stretch, as in "the last hour".
    pub stretch: &'a str,
    /// One bar's share of it, as in "minute".
    pub slot: &'a str,
    /// How many in each slot.
    pub values: Vec<u64>,
}

impl Chart<'_> {
    /// The chart with its sum above it.
    pub fn draw(&self) -> Markup {
        let sum: u64 = self.values.iter().sum();
        let most = self.values.iter().copied().max().unwrap_or_default();
        let width = self.values.len() * STEP;
        let says = format!(
            "{}: {sum} in {}, at most {most} in one {}",
            self.name, self.stretch, self.slot
        );
        html! {
            figure class={ "chart " (self.kind) } {
                figcaption {
                    span.name { (self.name) }
                    strong { (count(sum)) }
                    span.most { "at most " (count(most)) " per " (self.slot) }
                }
                svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(says) {
                    line x1="0" x2=(width) y1=(HEIGHT) y2=(HEIGHT) {}
                    @for (place, value) in self.values.iter().enumerate().filter(|(_, value)| **value > 0) {
                        // What is there at all is seen.
                        @let height = (value * HEIGHT / most.max(1)).max(2);
                        rect x=(place * STEP) y=(HEIGHT - height) width=(BAR) height=(height) {}
                    }
                }
            }
        }
    }
}
