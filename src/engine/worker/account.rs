//! What is told of a turn to those who look on: a line in the log, metrics, a span.

use std::time::Duration;

use tracing::{error, info, warn};

use super::Worker;
use crate::domain::clock::{self, Timestamp};
use crate::domain::connection::DeskKind;
use crate::domain::dead_letter::Cause;
use crate::domain::error::Code;
use crate::domain::handoff::Step;
use crate::domain::lifecycle::Lifecycle;
use crate::domain::turn::{CallResult, Turn};
use crate::metrics::Attempt;
use crate::store::Held;
use crate::traces::{self, Calls, Span};

impl Worker {
    /// Spans of the steps that needed no call. Their attempts stand before the one that is out.
    pub(super) fn trace_local(&self, held: &Held, taken: &[(Step, Duration, Timestamp)]) {
        for ((step, took, ended_at), before) in taken.iter().rev().zip(1..) {
            self.traces.record(&held.handoff.trace, || {
                let attempt = traces::Attempt {
                    step: *step,
                    calls: Calls::Nobody,
                    number: held.claim.attempt.saturating_sub(before),
                    outcome: CallResult::Done.as_str(),
                    code: None,
                    http_status: None,
                    request_id: None,
                    took: *took,
                    ended_at: *ended_at,
                };
                Span::attempt(&held.handoff, attempt)
            });
        }
    }

    fn trace(&self, turn: &Turn, step: Step, number: u32) {
        let Turn {
            handoff, outcome, ..
        } = turn;
        let http_status = match &outcome.result {
            CallResult::Failed { http_status, .. } => *http_status,
            CallResult::Done | CallResult::Lost | CallResult::Interrupted => None,
        };
        self.traces.record(&handoff.trace, || {
            let attempt = traces::Attempt {
                step,
                calls: Calls::Desk,
                number,
                outcome: outcome.result.as_str(),
                code: outcome.result.code().map(Code::as_str),
                http_status,
                request_id: outcome.request_id.as_deref(),
                took: outcome.took,
                ended_at: self.clock.now(),
            };
            Span::attempt(handoff, attempt)
        });
    }

    pub(super) fn measure(&self, turn: &Turn, step: Step, number: u32) {
        let Turn {
            handoff,
            outcome,
            tell,
            dead,
        } = turn;
        if step != Step::Intake {
            self.trace(turn, step, number);
            self.metrics.attempt(Attempt {
                connection: handoff.escalation.connection.as_str(),
                desk: handoff.desk.map_or("", DeskKind::as_str),
                step: step.as_str(),
                outcome: outcome.result.as_str(),
                code: outcome.result.code().map_or("", Code::as_str),
                took: outcome.took,
            });
        }
        if let Some(Cause { code, step, .. }) = dead {
            let class = code.class().as_str();
            self.metrics
                .dead_letter(class, code.as_str(), step.as_str());
        }
        if tell.contains(&Lifecycle::Live) {
            let took = clock::until(handoff.accepted_at, self.clock.now());
            self.metrics.to_live.observe(took.as_secs_f64());
        }
    }

    /// Says what became of a step, once, here.
    pub(super) fn log(&self, turn: &Turn, step: Step, number: u32) {
        let Turn {
            handoff,
            outcome,
            dead,
            ..
        } = turn;
        let (id, connection, took) = (handoff.id, &handoff.escalation.connection, outcome.took);
        self.measure(turn, step, number);
        match (&outcome.result, dead) {
            (_, Some(cause)) => error!(
                handoff.id = %id, %connection, %step, code = %cause.code,
                "set handoff {id} aside at {}: {}", cause.step, cause.reason
            ),
            (CallResult::Done, None) => {
                info!(handoff.id = %id, %connection, %step, ?took, "took step {step} of handoff {id}");
            }
            (CallResult::Failed { code, error, .. }, None) => {
                warn!(handoff.id = %id, %connection, %step, %code, ?took, "step {step} of handoff {id} failed: {error}");
            }
            (CallResult::Lost | CallResult::Interrupted, None) => {
                warn!(handoff.id = %id, %connection, %step, "step {step} of handoff {id} was cut off");
            }
        }
    }
}
