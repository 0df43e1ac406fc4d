//! Service protection: what the org asks of one call, all calls of the connection do.

use std::time::Duration;

use baton::domain::clock;
use baton::domain::error::DeskError;
use baton::sim::dynamics::{Limit, Limits, Options, call};
use baton::sim::faults::{Fault, Nth, What};
use serde_json::json;

use super::{Fixture, escalation};

#[tokio::test]
async fn each_of_the_three_limits_is_named_and_rests_the_connection() {
    for (limit, begins) in [
        (
            Limit::Requests,
            "too many requests: Number of requests exceeded the limit of 6000",
        ),
        (
            Limit::Execution,
            "too much execution time: Combined execution time",
        ),
        (
            Limit::Concurrent,
            "too many calls at once: Number of concurrent requests exceeded the limit of 52.",
        ),
    ] {
        let fixture = Fixture::new().await;
        fixture.org.exceed(limit, Duration::from_secs(30));
        let about = escalation(json!({}));
        let Err(DeskError::RateLimited {
            retry_after,
            message,
        }) = fixture.create(&about).await
        else {
            panic!("{limit:?}")
        };
        assert_eq!(retry_after, Some(Duration::from_secs(30)));
        assert!(message.starts_with(begins), "{message}");
        let until = fixture.desk.rests_until().expect("a rest");
        assert_eq!(
            clock::until(fixture.clock.now(), until),
            Duration::from_secs(30)
        );

        // Whoever calls all the same is told so here, and the org does not hear of it.
        fixture.clock.advance(Duration::from_secs(10));
        let Err(DeskError::RateLimited { retry_after, .. }) = fixture.create(&about).await else {
            panic!("{limit:?}")
        };
        assert_eq!(retry_after, Some(Duration::from_secs(20)));
        assert_eq!(fixture.org.calls(call::CREATE_WORK_ITEM), 1);

        fixture.clock.advance(Duration::from_secs(20));
        fixture.org.advance(Duration::from_secs(30));
        fixture.create(&about).await.expect("a work item");
    }
}

#[tokio::test]
async fn a_wait_that_nobody_can_mean_rests_the_connection_for_five_minutes_at_most() {
    for (asked, rests) in [
        (Some("3600"), Some(300)),
        (Some("soon"), None),
        (None, None),
    ] {
        let fixture = Fixture::new().await;
        let what = What::RateLimited {
            retry_after: asked.map(str::to_owned),
        };
        fixture
            .org
            .faults()
            .fail(call::CREATE_WORK_ITEM, Nth::Only(1), Fault::before(what));
        let refused = fixture.create(&escalation(json!({}))).await;
        assert!(
            matches!(refused, Err(DeskError::RateLimited { .. })),
            "{refused:?}"
        );
        let until = fixture.desk.rests_until();
        let rest = until.map(|until| clock::until(fixture.clock.now(), until).as_secs());
        assert_eq!(rest, rests, "{asked:?}");
    }
}

#[tokio::test]
async fn the_org_counts_requests_in_a_window() {
    let limits = Limits {
        requests: 4,
        ..Limits::default()
    };
    let fixture = Fixture::with(
        Options {
            limits,
            ..Options::default()
        },
        &[],
    )
    .await;
    let about = escalation(json!({ "attributes": {} }));
    fixture.create(&about).await.expect("four calls");
    let refused = fixture.open_with(&about).await;
    let Err(DeskError::RateLimited {
        retry_after: Some(wait),
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert!((290..=300).contains(&wait.as_secs()), "{wait:?}");
    fixture.org.advance(wait);
    fixture.clock.advance(wait);
    fixture.open_with(&about).await.expect("an opening");
}
