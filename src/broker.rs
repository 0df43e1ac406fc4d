//! The broker: takes deliveries and acks them once they are stored, publishes with confirms, and heals by itself.
//!
//! Two AMQP connections, one to consume and ack, one to publish, because RabbitMQ stops reading from a connection
//! that publishes when its memory runs out, acks included. When anything goes wrong with either, both are closed and
//! made anew, topology and subscriptions included: see `supervisor`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::warn;

use self::session::Session;
use self::supervisor::{Flow, Outlet, Supervisor};

pub use self::counters::{Counter, Counters};
pub use self::delivery::{Delivery, Receipt};
pub use self::error::{Error, PublishError, Refused};
pub use self::message::{Header, Mandatory, Message, Properties};
pub use self::topology::{Declare, Names};

mod counters;
mod delivery;
pub mod depth;
mod error;
mod inlet;
mod lane;
mod ledger;
mod link;
pub mod management;
mod message;
pub mod node;
mod outage;
mod session;
mod supervisor;
pub mod tap;
pub mod topology;

/// How long a stop waits for confirms. What is unconfirmed then stays in the outbox.
const CONFIRM_GRACE: Duration = Duration::from_secs(5);

/// How to use a broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://…` in a build with the feature `amqps`.
    pub url: SecretString,
    /// Before the dot in the name of every exchange and queue.
    pub prefix: String,
    /// How operators see us in the broker's list of connections.
    pub name: String,
    /// Whether to create the topology or only to look.
    pub declare: Declare,
    /// Which queues to take from.
    pub consume: Vec<Inbound>,
    /// Unacked deliveries per queue. Quorum queues allow 2,000; 100 to 300 is the useful range.
    pub prefetch: u16,
    /// For how long deliveries come one at a time, because something among them may end the process.
    pub careful: Duration,
    /// Batches that may be in flight at once.
    pub lanes: usize,
    /// How long a publish waits for its turn, and then again for its confirms.
    pub publish_timeout: Duration,
}

impl Options {
    /// The defaults: takes from both inbound queues under the prefix `handoff`, and declares the topology.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            prefix: "handoff".to_owned(),
            name: "baton".to_owned(),
            declare: Declare::Declare,
            consume: vec![Inbound::Escalations, Inbound::ContactEvents],
            prefetch: 200,
            careful: Duration::ZERO,
            lanes: 2,
            publish_timeout: Duration::from_secs(30),
        }
    }
}

/// A queue that we take from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// One delivery, one escalation.
    Escalations,
    /// What contacts do after their escalation; one consumer at a time, in order.
    ContactEvents,
}

impl Inbound {
    /// Its name.
    pub fn queue(self, names: &Names) -> String {
        match self {
            Inbound::Escalations => names.escalations(),
            Inbound::ContactEvents => names.contact_events(),
        }
    }
}

/// How it stands with the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Both connections are there.
    pub up: bool,
    /// Deliveries arrive: up, and neither paused nor stopping.
    pub taking: bool,
    /// The broker takes no messages (memory or disk alarm), and why. Deliveries and acks go on.
    pub blocked: Option<String>,
    /// Why it is not up.
    pub error: Option<String>,
    /// How many times both connections were made.
    pub epoch: u64,
}

/// The broker, connected for as long as this or a clone of it lives, whatever happens in between.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

struct Shared {
    publish_timeout: Duration,
    counters: Arc<Counters>,
    flow: watch::Sender<Flow>,
    outlet: watch::Receiver<Outlet>,
    state: watch::Receiver<State>,
    batches: TaskTracker,
    stop: CancellationToken,
    supervisor: Mutex<Option<JoinHandle<()>>>,
    _stop_when_dropped: DropGuard,
}

impl Broker {
    /// Connects, and hands out deliveries until [`stop`](Self::stop).
    ///
    /// Fails only where trying again cannot help: a wrong URL, a refused login, a wrong topology. A broker that is
    /// not there yet is waited for in the background; see [`state`](Self::state).
    ///
    /// The receiver holds up to the prefetch of each queue, and ends only after a stop. Deliveries of one queue arrive
    /// in the order of the queue. After a lost connection those that were under way may still be in it, although the
    /// broker hands them out again: see [`Delivery::usable`].
    pub async fn start(options: Options) -> Result<(Self, mpsc::Receiver<Delivery>), Error> {
        match Session::open(&options).await {
            Err(error) if error.is_mistake() => Err(error),
            first => Ok(Self::supervised(options, first)),
        }
    }

    fn supervised(
        options: Options,
        first: Result<Session, Error>,
    ) -> (Self, mpsc::Receiver<Delivery>) {
        let places = options.consume.len() * usize::from(options.prefetch);
        let (deliveries, taken) = mpsc::channel(places.max(1));
        let (flow, wanted) = watch::channel(Flow::Taking);
        let (outlet, found) = watch::channel(Outlet::Closed);
        let (state, seen) = watch::channel(State::default());
        let counters = Arc::new(Counters::default());
        let stop = CancellationToken::new();
        let publish_timeout = options.publish_timeout;
        let supervisor = Supervisor {
            options,
            counters: Arc::clone(&counters),
            deliveries,
            flow: wanted,
            outlet,
            state,
            stop: stop.clone(),
        };
        let broker = Self {
            shared: Arc::new(Shared {
                publish_timeout,
                counters,
                flow,
                outlet: found,
                state: seen,
                batches: TaskTracker::new(),
                _stop_when_dropped: stop.clone().drop_guard(),
                stop,
                supervisor: Mutex::new(Some(tokio::spawn(supervisor.run(first)))),
            }),
        };
        (broker, taken)
    }

    /// Publishes a batch and says for each message, in the same order, whether it is safely in all its queues.
    ///
    /// Waits until the whole batch has resolved. While the broker is away or blocked, or all lanes are busy, it waits
    /// up to the publish timeout for its turn, and then says `Disconnected` or `Blocked` for all, with nothing sent.
    /// Once it is sent, the same time again may pass before it is `TimedOut`. A caller may stop waiting at any time;
    /// what is then in flight may still be published.
    ///
    /// A batch is sent in order, but a nack or a return makes a hole in it: put no two messages into one batch that
    /// must not overtake each other. Up to 200 messages per batch are the useful range.
    pub async fn publish(&self, batch: Vec<Message>) -> Vec<Result<(), PublishError>> {
        let shared = &self.shared;
        let count = batch.len();
        let all = |error: PublishError| vec![Err(error); count];
        if batch.is_empty() {
            return vec![];
        }
        let turn = async {
            tokio::select! {
                () = shared.stop.cancelled() => None,
                turn = timeout(shared.publish_timeout, self.turn()) => turn.ok().flatten(),
            }
        };
        let Some((lanes, channel)) = turn.await else {
            return all(self.obstacle(PublishError::Disconnected));
        };
        let given_up = CancellationToken::new();
        let _when_dropped = given_up.clone().drop_guard();
        let counters = Arc::clone(&shared.counters);
        let sent = shared
            .batches
            .spawn(Arc::clone(&lanes).send(channel, batch, given_up, counters));
        match timeout(shared.publish_timeout, sent).await {
            Ok(outcomes) => outcomes.unwrap_or_else(|_| all(PublishError::Disconnected)),
            Err(_) => {
                shared.counters.timed_out.add(1);
                // Under an alarm no confirm is the expected, and a new connection would not get one either.
                if self.obstacle(PublishError::TimedOut) == PublishError::TimedOut {
                    lanes.report_broken();
                }
                all(PublishError::TimedOut)
            }
        }
    }

    /// Waits for a connection and a free lane of it. `None` when the broker has stopped.
    async fn turn(&self) -> Option<(Arc<lane::Lanes>, lapin::Channel)> {
        let mut outlet = self.shared.outlet.clone();
        loop {
            let found = outlet
                .wait_for(|outlet| matches!(outlet, Outlet::Open(_)))
                .await
                .ok()?
                .clone();
            if let Outlet::Open(lanes) = found {
                match lanes.take().await {
                    Some(channel) => return Some((lanes, channel)),
                    // That connection is being given up; the next one is announced.
                    None => outlet.changed().await.ok()?,
                }
            }
        }
    }

    /// Blocked if we are, else the given error.
    fn obstacle(&self, otherwise: PublishError) -> PublishError {
        match *self.shared.outlet.borrow() {
            Outlet::Blocked => PublishError::Blocked,
            Outlet::Open(_) | Outlet::Closed => otherwise,
        }
    }

    /// Stops taking: waits up to 5 s until what was handed over is settled or dropped, and then closes the channels.
    ///
    /// Go on reading the receiver meanwhile, or drop it. What is unsettled then, and the backlog, wait in the queues, in
    /// order. Publishing goes on. For a full store, and as the first step of a shutdown.
    pub async fn pause(&self) {
        self.shared.flow.send_replace(Flow::Paused);
        // An error means that the supervisor is gone, and nothing is taken.
        let _ = self
            .shared
            .state
            .clone()
            .wait_for(|state| !state.taking)
            .await;
    }

    /// Takes again.
    pub fn resume(&self) {
        self.shared.flow.send_replace(Flow::Taking);
    }

    /// How it stands, and a signal when that changes.
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.clone()
    }

    /// For telemetry.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Ends: pauses, waits up to 5 s for the confirms of what is in flight, and closes both connections.
    ///
    /// Afterwards the receiver of deliveries ends, and all clones publish nothing more.
    pub async fn stop(self) {
        self.pause().await;
        self.shared.batches.close();
        if timeout(CONFIRM_GRACE, self.shared.batches.wait())
            .await
            .is_err()
        {
            warn!(
                "stopping without the confirms of some messages; they are published again at the next start"
            );
        }
        self.shared.stop.cancel();
        let supervisor = self
            .shared
            .supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(supervisor) = supervisor {
            let _ = supervisor.await;
        }
    }
}

/// Ends the process when lapin's own thread panics, because every confirm and ack would then wait for ever.
///
/// Call it once, early in `main`; the hook that was there before still runs first.
pub fn install_panic_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if std::thread::current().name() == Some("lapin-io-loop") {
            std::process::abort();
        }
    }));
}
