//! The whole journey, from the escalation on a broker to the end, with a worker process that is killed at each point
//! where a call to the desk can be interrupted: the same code, whatever the desk.

use std::time::Duration;

use baton::app::Base;
use baton::sim::faults::{Fault, Nth, What};
use futures_util::stream::{self, StreamExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{Act, CONNECTION, DynamicsStand, SalesforceStand, Stand, ZendeskStand};
use crate::broker::bench::until;
use crate::world::{Setup, World};

/// As many workers as two cores carry.
const AT_ONCE: usize = 4;
const SESSION: &str = "s1";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_leaves_one_of_everything_at_salesforce() {
    killed_at_every_call::<SalesforceStand>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_leaves_one_of_everything_at_zendesk() {
    killed_at_every_call::<ZendeskStand>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_leaves_one_of_everything_at_dynamics() {
    killed_at_every_call::<DynamicsStand>().await;
}

/// Where the worker is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// Nowhere.
    Never,
    /// The intent is recorded, and the desk has not acted.
    BeforeTheEffect(&'static str),
    /// The desk has acted, and the outcome is not recorded.
    AfterTheEffect(&'static str),
}

async fn killed_at_every_call<S: Stand>() {
    let expected = Run::<S>::start().await.play_out(Kill::Never, None).await;
    let count = |line: &str| expected.iter().filter(|it| *it == line).count();
    assert_eq!(count("conversation"), 1, "{expected:#?}");
    assert_eq!(
        count("closed"),
        usize::from(S::KIND.stays_live()),
        "{expected:#?}"
    );
    let calls = [Act::Access, Act::Conversation, Act::Opening];
    let calls = calls
        .into_iter()
        .flat_map(|act| S::calls(act).iter().copied());
    let kills = calls.flat_map(|call| [Kill::BeforeTheEffect(call), Kill::AfterTheEffect(call)]);
    let expected = &expected;
    stream::iter(kills.collect::<Vec<_>>())
        .map(|kill| async move {
            let run = Run::<S>::start().await;
            run.play_out(kill, Some(expected)).await;
        })
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

/// A worker with a connection to a stand.
struct Run<S> {
    world: World,
    stand: S,
}

impl<S: Stand> Run<S> {
    async fn start() -> Self {
        // Webhooks find the worker again after it was killed.
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let setup = Setup::shared()
            .await
            .with("http", &format!("listen = \"{address}\""))
            .with("desk", "timeout = \"10s\"");
        let mut world = setup.build().await;
        let stand = S::start(S::options()).await;
        let base = Base::open(&world.config()).expect("a store");
        let connection = stand.connection();
        let (desk, settings) = (S::KIND.as_str(), connection.settings);
        let saved = base
            .operator
            .save_connection(CONNECTION, desk, settings, "test");
        saved.await.expect("saved");
        let public_url = format!("http://{address}");
        let set_up = base
            .operator
            .set_up_connection(CONNECTION, &public_url, "test");
        assert_eq!(set_up.await.expect("set up")["ok"], true);
        drop(base);
        world.start().await;
        Self { world, stand }
    }

    /// Hands over, is killed, lets the rep answer if the answers come back, and ends; all that the desk has then.
    async fn play_out(mut self, kill: Kill, expected: Option<&Vec<String>>) -> Vec<String> {
        let fault = match kill {
            Kill::Never => None,
            Kill::BeforeTheEffect(call) => Some((call, Fault::before(What::Hang))),
            Kill::AfterTheEffect(call) => Some((call, Fault::after(What::Hang))),
        };
        let kills = fault.is_some();
        if let Some((call, fault)) = fault {
            self.stand.faults().fail(call, Nth::Next(1), fault);
        }
        let mut event = self.world.escalation(SESSION, "sms");
        event["data"]["connection"] = CONNECTION.into();
        self.world.publish(&event).await;
        if kills {
            until(|| self.stand.faults().fired().len() == 1).await;
            self.world.restart().await;
        }
        self.world.heard.until_one(SESSION, "lifecycle.live").await;
        if S::KIND.stays_live() {
            self.talk(kills).await;
            self.stand.rep_ends();
        }
        self.world.heard.until_one(SESSION, "lifecycle.ended").await;
        let is_so = |shown: &[String]| match expected {
            Some(expected) => *expected == shown,
            None => !S::KIND.stays_live() || shown.iter().any(|it| it == "closed"),
        };
        let settled = until(|| is_so(&self.stand.shown()));
        let settled = timeout(Duration::from_secs(30), settled).await;
        let shown = self.stand.shown();
        assert!(settled.is_ok(), "{kill:?}: {shown:#?}, not {expected:#?}");
        self.judge(kill);
        self.world.stop().await;
        shown
    }

    /// The rep writes while the worker is there, and while it is not.
    async fn talk(&mut self, kills: bool) {
        self.stand.rep_says("one");
        self.world
            .heard
            .until(|heard| heard.replies(SESSION).len() == 1)
            .await;
        if kills {
            self.world.kill().await;
        }
        self.stand.rep_says("two");
        if kills {
            self.world.start().await;
        }
        self.world
            .heard
            .until(|heard| heard.replies(SESSION).len() == 2)
            .await;
    }

    /// What the world was told: each thing once, in order.
    fn judge(&self, kill: Kill) {
        let heard = &self.world.heard;
        assert_eq!(heard.dead().len(), 0, "{kill:?}");
        let of = heard.of(SESSION);
        for once in ["lifecycle.accepted", "lifecycle.live", "lifecycle.ended"] {
            let count = of.iter().filter(|it| it.routing_key == once).count();
            assert_eq!(count, 1, "{kill:?}: {once}");
        }
        let said: &[&str] = if S::KIND.stays_live() {
            &["one", "two"]
        } else {
            &[]
        };
        assert_eq!(heard.replies(SESSION), said, "{kill:?}");
    }
}
