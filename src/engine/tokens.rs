//! Access to live conversations: the token at hand while it is good, a new one before it is not.

use std::sync::Arc;

use tokio::time::sleep;

use super::governor::Governor;
use crate::desk::Desk;
use crate::domain::clock::{self, Clock};
use crate::domain::error::DeskError;
use crate::domain::handoff::{AccessToken, Handoff};
use crate::journey;
use crate::metrics::Metrics;
use crate::store::{Row, Store};

/// Renews access tokens within the budget of their connection.
pub struct Tokens {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// How many there may be in a minute.
    pub governor: Arc<Governor>,
    /// What time it is.
    pub clock: Clock,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

impl Tokens {
    /// The token at hand if it will live for a while, else a new one.
    pub async fn fresh(
        &self,
        row: Row,
        handoff: &Handoff,
        desk: &dyn Desk,
    ) -> Result<AccessToken, DeskError> {
        match handoff.progress.access() {
            Some(access)
                if access.expires_at > clock::after(self.clock.now(), journey::TOKEN_MARGIN) =>
            {
                Ok(access.clone())
            }
            _ => self.renew(row, handoff, desk).await,
        }
    }

    /// A token that outlives this one: the one at hand if somebody has renewed it meanwhile, else a new one.
    pub async fn after(
        &self,
        old: &AccessToken,
        row: Row,
        handoff: &Handoff,
        desk: &dyn Desk,
    ) -> Result<AccessToken, DeskError> {
        match handoff.progress.access() {
            Some(access) if access.expires_at > old.expires_at => {
                self.fresh(row, handoff, desk).await
            }
            _ => self.renew(row, handoff, desk).await,
        }
    }

    /// A new token for the same contact. That it could not be stored costs another one later, and nothing else.
    pub async fn renew(
        &self,
        row: Row,
        handoff: &Handoff,
        desk: &dyn Desk,
    ) -> Result<AccessToken, DeskError> {
        let connection = &handoff.escalation.connection;
        if let Some(budget) = desk.access_tokens_per_minute() {
            while let Err(until) = self.governor.token(connection, budget, self.clock.now()) {
                self.metrics.waits(connection.as_str(), "tokens");
                sleep(clock::until(self.clock.now(), until)).await;
            }
        }
        let place = self.governor.place(connection).await;
        let access = journey::renew_access(handoff, desk).await?;
        drop(place);
        if let Err(error) = self.store.renewed(row, access.clone()).await {
            tracing::debug!(%error, "a new access token could not be stored");
        }
        Ok(access)
    }
}
