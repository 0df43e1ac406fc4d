//! Keeps the broker connected: the same path at start and after every failure, so that every start tests it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt};
use lapin::{Connection, Event};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::counters::Counters;
use super::delivery::Delivery;
use super::error::Error;
use super::inlet::{Inlet, Leave};
use super::lane::Lanes;
use super::link::PATIENCE;
use super::outage::{Outage, STEADY};
use super::session::Session;
use super::topology::Names;
use super::{Options, State};

/// How long a pause or a stop waits until what was handed over is settled.
const SETTLE_GRACE: Duration = Duration::from_secs(5);

/// Whether deliveries are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Taking,
    Paused,
}

/// What publishers find.
#[derive(Clone)]
pub(super) enum Outlet {
    Closed,
    Blocked,
    Open(Arc<Lanes>),
}

/// The task that owns both connections.
pub(super) struct Supervisor {
    pub options: Options,
    pub counters: Arc<Counters>,
    pub deliveries: mpsc::Sender<Delivery>,
    pub flow: watch::Receiver<Flow>,
    pub outlet: watch::Sender<Outlet>,
    pub state: watch::Sender<State>,
    pub stop: CancellationToken,
}

impl Supervisor {
    /// Runs until it is told to stop; `first` is the outcome of the first try.
    pub async fn run(self, first: Result<Session, Error>) {
        let mut outage = Outage::default();
        let careful_until = Instant::now() + self.options.careful;
        let mut opened = first;
        loop {
            let failed = match opened {
                Ok(session) => {
                    outage.connected();
                    let since = Instant::now();
                    let (prefetch, until) = if since < careful_until {
                        (1, careful_until)
                    } else {
                        (outage.prefetch(self.options.prefetch), since)
                    };
                    let served = self
                        .serve(session, prefetch, until.max(since + STEADY))
                        .await;
                    outage.disconnected(since.elapsed());
                    served
                }
                Err(error) => Err(error),
            };
            let Err(error) = failed else {
                return;
            };
            outage.failed(&error);
            self.down(Some(error.to_string()));
            let again = async {
                sleep(outage.backoff()).await;
                Session::open(&self.options).await
            };
            opened = tokio::select! {
                () = self.stop.cancelled() => return,
                opened = again => opened,
            };
        }
    }

    /// Uses a session until it fails, or until we are told to stop (`Ok`). From `steady` on it takes as much as usual.
    async fn serve(
        &self,
        mut session: Session,
        prefetch: u16,
        steady: Instant,
    ) -> Result<(), Error> {
        let epoch = self.state.borrow().epoch + 1;
        self.state.send_replace(State {
            up: true,
            epoch,
            ..State::default()
        });
        self.counters.reconnects.add((epoch > 1).into());
        self.outlet
            .send_replace(Outlet::Open(Arc::clone(&session.lanes)));

        let mut inlets = Inlets::default();
        let served = self.tend(&mut session, &mut inlets, prefetch, steady).await;

        self.outlet.send_replace(Outlet::Closed);
        inlets
            .leave(if served.is_ok() {
                SETTLE_GRACE
            } else {
                Duration::ZERO
            })
            .await;
        session.close().await;
        self.down(None);
        served
    }

    /// Subscribes and unsubscribes as wanted, until something ends the session.
    async fn tend(
        &self,
        session: &mut Session,
        inlets: &mut Inlets,
        mut prefetch: u16,
        steady: Instant,
    ) -> Result<(), Error> {
        let mut flow = self.flow.clone();
        loop {
            if self.deliveries.is_closed() || *flow.borrow_and_update() == Flow::Paused {
                inlets.tell(SETTLE_GRACE);
            } else if inlets.tasks.is_empty() {
                // Announced first and then looked at again, so that a pause in between either is seen here or sees it.
                self.announce_taking(true);
                if *flow.borrow_and_update() == Flow::Taking {
                    tokio::select! {
                        subscribed = self.subscribe(&session.consume, inlets, prefetch) => subscribed?,
                        error = self.failure(&mut session.events, &session.lanes) => return Err(error),
                    }
                }
            }
            self.announce_taking(!inlets.tasks.is_empty());
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                // The error means that all handles of the broker are gone.
                changed = flow.changed() => if changed.is_err() { return Ok(()) },
                () = session.lanes.broken() => return Err(Error::Lane),
                Some(ended) = inlets.tasks.join_next() => ended.unwrap_or(Err(Error::Panicked))?,
                error = self.failure(&mut session.events, &session.lanes) => return Err(error),
                () = sleep_until(steady), if prefetch < self.options.prefetch => {
                    // They leave, and come back with more.
                    prefetch = self.options.prefetch;
                    inlets.tell(SETTLE_GRACE);
                }
            }
        }
    }

    async fn subscribe(
        &self,
        consume: &Connection,
        inlets: &mut Inlets,
        prefetch: u16,
    ) -> Result<(), Error> {
        let names = Names::new(&self.options.prefix);
        inlets.leave.send_replace(None);
        for source in &self.options.consume {
            let (deliveries, counters) = (self.deliveries.clone(), Arc::clone(&self.counters));
            let inlet = Inlet::open(
                consume,
                source.queue(&names),
                prefetch,
                deliveries,
                counters,
            )
            .await?;
            inlets.tasks.spawn(inlet.run(inlets.leave.subscribe()));
        }
        Ok(())
    }

    /// Listens to both connections until one of them fails.
    async fn failure(&self, events: &mut BoxStream<'static, Event>, lanes: &Arc<Lanes>) -> Error {
        while let Some(event) = events.next().await {
            match event {
                Event::ConnectionBlocked(reason) => {
                    warn!(
                        reason,
                        "the broker takes no messages now; what we publish waits until its alarm is over"
                    );
                    self.outlet.send_replace(Outlet::Blocked);
                    self.state.send_modify(|state| state.blocked = Some(reason));
                }
                Event::ConnectionUnblocked => {
                    info!("the broker takes messages again");
                    self.outlet.send_replace(Outlet::Open(Arc::clone(lanes)));
                    self.state.send_modify(|state| state.blocked = None);
                }
                Event::Error(source) => return Error::call("keep the connection", source),
                _ => {}
            }
        }
        Error::Lane
    }

    fn announce_taking(&self, taking: bool) {
        self.state
            .send_if_modified(|state| std::mem::replace(&mut state.taking, taking) != taking);
    }

    fn down(&self, error: Option<String>) {
        let epoch = self.state.borrow().epoch;
        self.state.send_replace(State {
            epoch,
            error,
            ..State::default()
        });
    }
}

/// The subscriptions of a session.
struct Inlets {
    tasks: JoinSet<Result<(), Error>>,
    leave: watch::Sender<Leave>,
}

impl Default for Inlets {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            leave: watch::Sender::new(None),
        }
    }
}

impl Inlets {
    /// Asks all to leave, once.
    fn tell(&self, grace: Duration) {
        self.leave
            .send_if_modified(|leave| leave.replace(grace).is_none());
    }

    /// Asks all to leave, and waits until they have.
    async fn leave(&mut self, grace: Duration) {
        self.tell(grace);
        let left = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(grace + PATIENCE, left).await.is_err() {
            warn!("a subscription did not end in time; its channel ends with the connection");
            self.tasks.shutdown().await;
        }
    }
}
