//! The org is fast enough to be no bottleneck in anybody's tests.

use std::time::Duration;

use baton::sim::rep::{Finish, Routine};
use futures_util::future::join_all;

use super::{Client, no_limits, org_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_handoffs_at_once_all_come_to_their_end() {
    let routine = Routine {
        finish: Finish::EndsAfter(1),
        ..Routine::default()
    };
    let org = org_with(|options| {
        no_limits(options);
        options.routine = Some(routine);
    })
    .await;
    let anybody = Client::of(&org);
    let handoff = async |number: usize| {
        let mut client = anybody.clone();
        client.verify(&format!("contact-{number}")).await;
        let mut events = client.listen().await;
        let conversation = client.conversation().await;
        client.say(&conversation, "my order is late").await;
        events
            .until("Let me look into “my order is late” (1).")
            .await;
        events
    };
    let all = join_all((0..100).map(handoff));
    let streams = tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("no bottleneck");
    assert_eq!(org.look(|ledger| ledger.open_streams()), streams.len());
}
