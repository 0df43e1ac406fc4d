//! What the tests of the broker share: a RabbitMQ for all of them, a prefix for each, and a wire that can be cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use baton::broker::node::PrivateNode;
use baton::broker::tap::Tap;
use baton::broker::{Broker, Delivery, Mandatory, Message, Names, Options, Properties, State};
use secrecy::SecretString;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, mpsc, watch};
use tokio::time::{sleep, timeout};

/// Nothing here takes this long, unless it never ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// Awaits a signal that must come.
pub async fn soon<T>(signal: impl Future<Output = T>) -> T {
    timeout(PATIENCE, signal)
        .await
        .expect("it should have happened by now")
}

/// Looks until something is so that gives no signal.
pub async fn until(mut so: impl FnMut() -> bool) {
    soon(async {
        while !so() {
            sleep(Duration::from_millis(5)).await; // waits for: `so`
        }
    })
    .await;
}

async fn shared() -> &'static PrivateNode {
    static NODE: OnceCell<PrivateNode> = OnceCell::const_new();
    let start = async || {
        PrivateNode::start(|_| ())
            .await
            .expect("a RabbitMQ for all tests")
    };
    NODE.get_or_init(start).await
}

/// A corner of a broker where a test is alone.
pub struct Bench {
    pub url: SecretString,
    pub prefix: String,
    pub names: Names,
}

impl Bench {
    /// On the RabbitMQ that all tests share, which no test may harm.
    pub async fn shared() -> Self {
        Self::on(shared().await.url())
    }

    /// `rabbitmqctl` on the RabbitMQ that all tests share.
    pub async fn ctl(arguments: &[&str]) -> std::process::Output {
        shared().await.ctl(arguments).await.expect("rabbitmqctl")
    }

    pub fn on(url: SecretString) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let names = Names::new(&prefix);
        Self { url, prefix, names }
    }

    pub fn options(&self) -> Options {
        Options {
            prefix: self.prefix.clone(),
            ..Options::new(self.url.clone())
        }
    }

    pub async fn broker(&self) -> (Broker, Deliveries) {
        start(self.options()).await
    }

    pub async fn tap(&self, queue: &str) -> Tap {
        soon(Tap::open(&self.url, queue)).await.expect("a tap")
    }

    /// An escalation from upstream.
    pub fn escalation(&self, id: &str) -> Message {
        self.message(self.names.inbound(), "escalation.requested", id)
    }

    /// Something that a contact did.
    pub fn contact_event(&self, id: &str) -> Message {
        self.message(self.names.inbound(), "contact.message", id)
    }

    /// A reply for a channel.
    pub fn reply(&self, channel: &str, id: &str) -> Message {
        self.message(self.names.outbound(), &format!("reply.{channel}"), id)
    }

    pub fn message(&self, exchange: String, routing_key: &str, id: &str) -> Message {
        Message {
            exchange,
            routing_key: routing_key.to_owned(),
            message_id: id.to_owned(),
            mandatory: Mandatory::Yes,
            properties: Properties {
                headers: BTreeMap::new(),
                ..Properties::default()
            },
            body: format!("body of {id}").into_bytes(),
        }
    }

    /// A connection without any of our code in between.
    pub async fn raw(&self) -> lapin::Connection {
        use secrecy::ExposeSecret;
        lapin::Connection::connect(self.url.expose_secret(), Default::default())
            .await
            .expect("a connection")
    }
}

pub type Deliveries = mpsc::Receiver<Delivery>;

/// Starts a broker and waits until it takes.
pub async fn start(options: Options) -> (Broker, Deliveries) {
    let wants = !options.consume.is_empty();
    let (broker, deliveries) = soon(Broker::start(options)).await.expect("starts");
    becomes(&broker, |state| state.up && state.taking == wants).await;
    (broker, deliveries)
}

/// Waits until the state is as wanted.
pub async fn becomes(broker: &Broker, wanted: impl FnMut(&State) -> bool) -> State {
    let mut state: watch::Receiver<State> = broker.state();
    let found = soon(state.wait_for(wanted)).await.expect("the broker runs");
    found.clone()
}

/// Publishes and demands that all of it arrives.
pub async fn publish(broker: &Broker, batch: Vec<Message>) {
    let outcomes = soon(broker.publish(batch)).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

/// The next deliveries.
pub async fn take(deliveries: &mut Deliveries, count: usize) -> Vec<Delivery> {
    let mut taken = vec![];
    for _ in 0..count {
        taken.push(soon(deliveries.recv()).await.expect("a delivery"));
    }
    taken
}

/// The message ids of what a queue holds now. Everything goes back.
pub async fn peek(bench: &Bench, queue: &str) -> Vec<String> {
    let mut tap = bench.tap(queue).await;
    let mut ids = vec![];
    while let Some(delivery) = tap.get().await.expect("a look") {
        ids.push(delivery.message_id.expect("an id"));
    }
    tap.close().await;
    ids
}

pub fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.message_id.as_deref().expect("an id"))
        .collect()
}

/// `m1` to `m<count>`.
pub fn numbered(numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
    numbers.map(|number| format!("m{number}")).collect()
}

/// A way to a broker that can be held up and cut.
pub struct Wire {
    pub url: SecretString,
    flow: Arc<watch::Sender<Current>>,
}

/// What a wire does with what is sent over it.
#[derive(Clone, Copy, PartialEq)]
enum Current {
    /// Passes it on; the number is that of the cut that ends it.
    Flows(u32),
    /// Swallows it without a word.
    Stalls(u32),
}

impl Wire {
    pub async fn to(url: &SecretString) -> Self {
        use secrecy::ExposeSecret;
        let target = url
            .expose_secret()
            .rsplit('@')
            .next()
            .expect("a host")
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let flow = Arc::new(watch::Sender::new(Current::Flows(0)));
        let lever = Arc::clone(&flow);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, target.clone(), lever.subscribe()));
            }
        });
        Self {
            url: format!("amqp://guest:guest@127.0.0.1:{port}").into(),
            flow,
        }
    }

    /// Resets all connections; new ones are carried.
    pub fn cut(&self) {
        self.flow.send_modify(|current| {
            let (Current::Flows(cuts) | Current::Stalls(cuts)) = *current;
            *current = Current::Flows(cuts + 1);
        });
    }

    /// Swallows everything on the connections there are, and carries new ones.
    pub fn stall(&self) {
        self.flow.send_modify(|current| {
            let (Current::Flows(cuts) | Current::Stalls(cuts)) = *current;
            *current = Current::Stalls(cuts);
        });
    }
}

async fn carry(mut near: TcpStream, target: String, mut flow: watch::Receiver<Current>) {
    let (Current::Flows(born) | Current::Stalls(born)) = *flow.borrow_and_update();
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    {
        let mut copying = std::pin::pin!(copy_bidirectional(&mut near, &mut far));
        tokio::select! {
            _ = &mut copying => return,
            _ = flow.changed() => {}
        }
    }
    // Held open without a word, until a cut.
    let _ = flow
        .wait_for(|current| matches!(current, Current::Flows(cuts) if *cuts > born))
        .await;
}
