//! Both connections of one epoch, with all that hangs on them.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt};
use lapin::{Connection, Event};

use super::Options;
use super::error::Error;
use super::lane::Lanes;
use super::link::{dial, hang_up};
use super::topology::Topology;

/// One connection to consume and ack, one to publish.
pub(super) struct Session {
    pub consume: Connection,
    pub lanes: Arc<Lanes>,
    /// What happens to either connection.
    pub events: BoxStream<'static, Event>,
    publish: Connection,
}

impl Session {
    /// Connects twice, sees to the topology and opens the channels for publishing.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        let consume = dial(&options.url, &format!("{}: consume", options.name)).await?;
        let opened = async {
            // On the consume connection: the broker blocks the other one under a memory alarm.
            Topology::new(&options.prefix)
                .apply_on(&consume, options.declare)
                .await?;
            let publish = dial(&options.url, &format!("{}: publish", options.name)).await?;
            // Before anything is published: lapin tells nobody of what happens while nobody listens.
            let events = stream::select(consume.events_listener(), publish.events_listener());
            let lanes = Lanes::open(&publish, options.lanes).await?;
            Ok((publish, lanes, events.boxed()))
        };
        match opened.await {
            Ok((publish, lanes, events)) => Ok(Self {
                consume,
                lanes,
                events,
                publish,
            }),
            Err(error) => {
                hang_up(&consume).await;
                Err(error)
            }
        }
    }

    /// Closes everything as far as it still can be.
    pub async fn close(self) {
        self.lanes.close().await;
        tokio::join!(hang_up(&self.publish), hang_up(&self.consume));
    }
}
