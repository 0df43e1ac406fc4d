//! What each kind of answer means, at every desk the same.

use std::time::Duration;

use baton::domain::error::{Code, DeskError, Remedy};
use baton::domain::handoff::Earlier;
use baton::sim::faults::{Fault, Nth, What};

use super::{Act, Case, LIMITS, Stand, http, walk_to};

type IsMeant = fn(&DeskError) -> bool;

/// The facts that hold for every act of every desk.
fn facts() -> Vec<(What, &'static str, IsMeant)> {
    let limited = |wait: Option<&str>| What::RateLimited {
        retry_after: wait.map(str::to_owned),
    };
    let unavailable: IsMeant = |it| {
        let wait = it.remedy() == Remedy::Wait && it.code() == Code::DeskUnavailable;
        wait && it.status().is_some_and(|status| status >= 500)
    };
    vec![
        (What::status(500), "desk-unavailable", unavailable),
        (What::status(502), "desk-unavailable", unavailable),
        (What::status(503), "desk-unavailable", unavailable),
        (What::status(504), "desk-unavailable", unavailable),
        (
            limited(None),
            "desk-rate-limited, at our discretion",
            |it| it.code() == Code::DeskRateLimited && it.retry_after().is_none(),
        ),
        (
            limited(Some("7")),
            "desk-rate-limited, for seven seconds",
            |it| {
                let wait = it.retry_after();
                it.code() == Code::DeskRateLimited && wait == Some(Duration::from_secs(7))
            },
        ),
        (What::Hang, "desk-timeout", |it| {
            *it == DeskError::Timeout(LIMITS.timeout)
        }),
        (What::Cut, "desk-broken-answer", |it| {
            it.code() == Code::DeskBrokenAnswer
        }),
        (What::Garbage, "desk-broken-answer", |it| {
            it.code() == Code::DeskBrokenAnswer
        }),
    ]
}

/// Those about who we are: the first call has only the credentials to blame, a later one first of all its access.
fn refusals(act: Act) -> Vec<(Case, What, &'static str, IsMeant)> {
    let first = act == Act::Access;
    let renewed: IsMeant = match first {
        true => |it| it.code() == Code::BadCredentials && it.remedy() == Remedy::Human,
        false => |it| it.code() == Code::TokenRefused && it.remedy() == Remedy::Renew,
    };
    vec![
        (
            Case::Renewed,
            What::Unauthorized,
            "token-refused, or bad-credentials",
            renewed,
        ),
        (
            Case::Forbidden,
            What::status(403),
            "what only a human can put right",
            |it| it.remedy() == Remedy::Human,
        ),
    ]
}

pub async fn of_each_kind<S: Stand>() {
    let http = http();
    for act in Act::ALL {
        let refusals = refusals(act).into_iter();
        let refusals = refusals.filter(|(case, ..)| S::exempt(*case, act).is_none());
        let all = refusals.map(|(_, what, name, is_meant)| (what, name, is_meant));
        for (what, name, is_meant) in facts().into_iter().chain(all) {
            let (stand, mut walk) = walk_to::<S>(&http).await;
            walk.up_to(act).await;
            let call = S::calls(act)[0];
            stand
                .faults()
                .fail(call, Nth::Next(1), Fault::before(what.clone()));
            let error = walk.take(act, Earlier::Never).await.expect_err(call);
            assert!(
                is_meant(&error),
                "{act:?}, {what:?}: {error:?} is not {name}"
            );
            let text = error.to_string();
            assert!(
                !text.contains(super::STORY) && !text.contains(super::WORDS),
                "{text}"
            );
        }
        slow::<S>(&http, act).await;
    }
}

/// Slow is not wrong.
async fn slow<S: Stand>(http: &baton::desk::http::Http, act: Act) {
    let (stand, mut walk) = walk_to::<S>(http).await;
    walk.up_to(act).await;
    let late = Fault::before(What::Slow { millis: 300 });
    stand.faults().fail(S::calls(act)[0], Nth::Next(1), late);
    assert_eq!(walk.take(act, Earlier::Never).await, Ok(()), "{act:?}");
}
