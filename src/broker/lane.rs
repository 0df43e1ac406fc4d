//! Publishing: batches over confirm channels, each batch resolved as a whole before anything is called published.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::counters::Counters;
use super::error::{Error, PublishError};
use super::link::{close, within};
use super::message::{Mandatory, Message};

/// What became of each message of a batch, in the batch's order.
pub(super) type Outcomes = Vec<Result<(), PublishError>>;

/// The confirm channels of one publish connection. A channel carries one batch at a time.
pub(super) struct Lanes {
    free: Mutex<Vec<Channel>>,
    places: Semaphore,
    broken: Notify,
}

impl Lanes {
    /// Opens `count` confirm channels.
    pub async fn open(connection: &Connection, count: usize) -> Result<Arc<Self>, Error> {
        let mut free = Vec::with_capacity(count);
        for _ in 0..count {
            free.push(confirm_channel(connection).await?);
        }
        Ok(Arc::new(Self {
            free: Mutex::new(free),
            places: Semaphore::new(count),
            broken: Notify::new(),
        }))
    }

    /// Waits for a free channel. `None` when the connection is being given up.
    pub async fn take(&self) -> Option<Channel> {
        self.places.acquire().await.ok()?.forget();
        self.free().pop()
    }

    /// Publishes a batch, and gives the channel back unless it broke.
    ///
    /// To be run to the end, because a dropped confirm would stay in lapin's memory. A caller that no longer waits
    /// cancels `given_up`; then nothing more is written, and only the confirms of what was written are awaited.
    pub async fn send(
        self: Arc<Self>,
        channel: Channel,
        batch: Vec<Message>,
        given_up: CancellationToken,
        counters: Arc<Counters>,
    ) -> Outcomes {
        let outcomes = send(&channel, &batch, &given_up, &counters).await;
        if outcomes.contains(&Err(PublishError::Disconnected)) {
            self.report_broken();
        } else {
            self.free().push(channel);
            self.places.add_permits(1);
        }
        outcomes
    }

    /// Says that the connection must be made anew.
    pub fn report_broken(&self) {
        self.broken.notify_one();
    }

    /// Resolves when somebody found the connection broken.
    pub async fn broken(&self) {
        self.broken.notified().await;
    }

    /// Gives up: nobody gets a channel any more.
    pub async fn close(&self) {
        self.places.close();
        let free = std::mem::take(&mut *self.free());
        for channel in free {
            close(&channel).await;
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a channel whose publishes are confirmed.
pub(super) async fn confirm_channel(connection: &Connection) -> Result<Channel, Error> {
    let channel = within("open a channel", connection.create_channel()).await?;
    within(
        "switch on confirms",
        channel.confirm_select(ConfirmSelectOptions::default()),
    )
    .await?;
    Ok(channel)
}

/// Publishes a batch on a confirm channel that carries nothing else, and waits until all of it has resolved.
pub(super) async fn send(
    channel: &Channel,
    batch: &[Message],
    given_up: &CancellationToken,
    counters: &Counters,
) -> Outcomes {
    let mut confirms = Vec::with_capacity(batch.len());
    for message in batch {
        let confirm = if given_up.is_cancelled() {
            Err(PublishError::TimedOut)
        } else {
            write(channel, message).await
        };
        confirms.push(confirm);
    }

    let mut returned = HashSet::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for confirm in confirms {
        let confirmation = match confirm {
            Ok(confirm) => confirm.await.map_err(|_| PublishError::Disconnected),
            Err(error) => Err(error),
        };
        outcomes.push(match confirmation {
            Ok(Confirmation::Ack(None)) => Ok(()),
            Ok(Confirmation::Nack(None)) => Err(PublishError::Nacked),
            // lapin hands a returned message to whichever confirm resolves next, so its own id must tell whose it
            // is; and when the batch has resolved, every return of it has arrived.
            Ok(Confirmation::Ack(Some(message))) => {
                returned.extend(message.properties.message_id().clone());
                Ok(())
            }
            Ok(Confirmation::Nack(Some(message))) => {
                returned.extend(message.properties.message_id().clone());
                Err(PublishError::Nacked)
            }
            Ok(Confirmation::NotRequested) => Err(PublishError::Disconnected),
            Err(error) => Err(error),
        });
    }
    for (message, outcome) in batch.iter().zip(&mut outcomes) {
        if returned.contains(message.message_id.as_str()) {
            *outcome = Err(PublishError::Unroutable);
        }
    }
    count(&outcomes, counters);
    outcomes
}

async fn write(
    channel: &Channel,
    message: &Message,
) -> Result<lapin::PublisherConfirm, PublishError> {
    let wire = message.to_wire()?;
    let mandatory = message.mandatory == Mandatory::Yes;
    let options = BasicPublishOptions {
        mandatory,
        ..Default::default()
    };
    let written = channel.basic_publish(
        wire.exchange,
        wire.routing_key,
        options,
        &message.body,
        wire.properties,
    );
    written.await.map_err(|_| PublishError::Disconnected)
}

fn count(outcomes: &Outcomes, counters: &Counters) {
    let with = |wanted: Result<(), PublishError>| {
        outcomes
            .iter()
            .filter(|outcome| **outcome == wanted)
            .count() as u64
    };
    counters.confirmed.add(with(Ok(())));
    counters.returned.add(with(Err(PublishError::Unroutable)));
    counters.nacked.add(with(Err(PublishError::Nacked)));
}
