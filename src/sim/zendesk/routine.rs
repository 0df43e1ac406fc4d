//! A rep whom nobody has to tell what to do.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Shared;
use super::rep::Rep;
use crate::sim::rep::{Finish, Routine};

impl Shared {
    /// Lets the account's routine take up a ticket, hearing the end of what is on it and then what its user says.
    pub(super) fn start_routine(
        self: &Arc<Self>,
        conversation: &str,
        heard: mpsc::Receiver<String>,
    ) {
        let (Some(routine), Some(rep)) = (self.options.routine.clone(), self.rep(conversation))
        else {
            return;
        };
        let stop = self.stop.clone();
        let following = follow(rep, routine, heard);
        self.tasks
            .spawn(async move { stop.run_until_cancelled(following).await });
    }
}

/// Does what the routine says for as long as the conversation is the reps'.
async fn follow(rep: Rep, routine: Routine, mut heard: mpsc::Receiver<String>) {
    tokio::time::sleep(routine.joins_after).await;
    for answered in 1_u32.. {
        let Some(message) = heard.recv().await else {
            return;
        };
        rep.types();
        tokio::time::sleep(routine.types_for).await;
        if heard.is_closed() {
            return;
        }
        rep.stops_typing();
        rep.says(&routine.lines.answer(answered as usize - 1, &message));
        match routine.finish {
            // Nobody sees a rep leave.
            Finish::LeavesAfter(answers) if answered >= answers => return,
            Finish::EndsAfter(answers) if answered >= answers => return rep.ends_session(),
            Finish::Stays | Finish::LeavesAfter(_) | Finish::EndsAfter(_) => {}
        }
    }
}
