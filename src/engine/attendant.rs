//! Stands by contacts who wait for a first rep: when nobody comes it tells the world, or ends the handoff.
//!
//! A rep may have come unheard, while a stream was broken. So the desk is asked before anything follows.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::desks::Desks;
use super::gaps::{Depth, Gaps, Place, Trouble};
use super::tokens::Tokens;
use crate::domain::clock::{self, Clock, Timestamp};
use crate::domain::error::Class;
use crate::domain::handoff::{Progress, Status};
use crate::domain::patience::{NoRep, Patience};
use crate::store::{Row, Store, StoreError};

/// Contacts who are looked after in one go.
const ROUND_MAX: usize = 10_000;
/// Desks that are asked at once.
const ASKED_MAX: usize = 16;
/// How long the loop leaves alone what could not be asked about.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Everything an attendant needs.
pub struct Attendant {
    /// Who waits.
    pub store: Arc<dyn Store>,
    /// Whom to ask.
    pub desks: Arc<Desks>,
    /// Access that is good.
    pub tokens: Arc<Tokens>,
    /// What no event told.
    pub gaps: Arc<Gaps>,
    /// What time it is.
    pub clock: Clock,
    /// What is promised.
    pub patience: Patience,
}

impl Attendant {
    /// Works until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.round().await {
                Ok(Some(at)) => clock::until(self.clock.now(), at),
                Ok(None) => Duration::from_secs(3600),
                Err(error) => {
                    warn!(%error, "the store does not answer; trying again");
                    AGAIN_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.signals().waiting.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Goes once through those to whom nobody came in time; when to look again.
    pub async fn round(&self) -> Result<Option<Timestamp>, StoreError> {
        let Patience { wait, then } = self.patience;
        let since = self.clock.now().checked_sub(wait).ok();
        let since = since.unwrap_or(Timestamp::MIN);
        let (rows, next) = self.store.waiting(since, then, ROUND_MAX).await?;
        let dealt_with = stream::iter(rows)
            .map(|row| self.nobody_came(row))
            .buffer_unordered(ASKED_MAX)
            .fold(true, |all, one| std::future::ready(all && one))
            .await;
        let next = next.map(|since| clock::after(since, wait));
        Ok(if dealt_with {
            next
        } else {
            Some(clock::after(self.clock.now(), AGAIN_AFTER))
        })
    }

    /// Whether it is dealt with; if not, it is looked at again.
    async fn nobody_came(&self, row: Row) -> bool {
        let then = self.patience.then;
        match self.ask(row).await {
            Ok(()) => {}
            Err(Trouble::Desk(error))
                if then == NoRep::End && error.code().class() == Class::Transient =>
            {
                debug!(row, %error, "a contact waits for a rep, and the desk cannot say whether one has come");
                return false;
            }
            // Upstream is told in time, whatever the desk has to say; and a desk that is set up wrongly brings no rep.
            Err(Trouble::Desk(error)) => debug!(row, %error, "could not ask the desk for a rep"),
            Err(Trouble::Store(error)) => {
                warn!(row, %error, "the store does not answer; trying again");
                return false;
            }
        }
        match self.store.nobody_came(row, then, self.clock.now()).await {
            Ok(true) => {
                info!(row, ?then, "no rep came to a contact in time");
                true
            }
            // A rep came, or it has ended.
            Ok(false) => true,
            Err(error) => {
                warn!(row, %error, "could not record that no rep came; trying again");
                false
            }
        }
    }

    /// Keeps what the desk's list has, so that the store knows of a rep if there is one.
    async fn ask(&self, row: Row) -> Result<(), Trouble> {
        let handoff = self.store.load(row).await?.handoff;
        let (Status::Live, Progress::Connected { conversation, .. }) =
            (&handoff.status, &handoff.progress)
        else {
            return Ok(());
        };
        let connection = &handoff.escalation.connection;
        let open = self.desks.get(connection).await?;
        let access = self.tokens.fresh(row, &handoff, &*open.desk).await?;
        let among_the_calls = self.tokens.governor.place(connection).await;
        let place = Place {
            row,
            handoff: &handoff,
            desk: &*open.desk,
            access: &access,
            conversation,
        };
        self.gaps.compare(place, Depth::List).await?;
        drop(among_the_calls);
        Ok(())
    }
}
