//! One effect, however often it is tried and whatever becomes of the answers.

use baton::domain::handoff::Earlier;
use baton::sim::faults::{Fault, Nth, What};
use futures_util::stream::{self, StreamExt};

use super::{Act, Case, FILE_NAME, STORY, Stand, WORDS, http, walk_to};

/// How many stands are played at once: most of the time of a case is spent on waiting for a desk that hangs.
const AT_ONCE: usize = 6;

/// What all others are compared with is itself what it should be.
pub async fn undisturbed<S: Stand>() {
    let shown = super::undisturbed::<S>(&http()).await;
    let count = |is_meant: &dyn Fn(&str) -> bool| shown.iter().filter(|it| is_meant(it)).count();
    assert_eq!(count(&|it| it == "conversation"), 1, "{shown:#?}");
    let says =
        |words: &'static str| move |it: &str| it.starts_with("message: ") && it.contains(words);
    assert_eq!(count(&says(STORY)), 1, "{shown:#?}");
    assert_eq!(count(&says(WORDS)), 1, "{shown:#?}");
    let file = format!("file: {FILE_NAME}");
    assert_eq!(count(&|it| it == file), 1, "{shown:#?}");
    assert_eq!(count(&|it| it == "closed"), 1, "{shown:#?}");
    let at = |words: &str| shown.iter().position(|it| it.contains(words));
    assert!(
        at(STORY) < at(WORDS) && at(WORDS) < at(FILE_NAME),
        "{shown:#?}"
    );
}

/// The same effect is asked for three times: by an attempt whose answer is known, and by two that do not know.
pub async fn twice<S: Stand>() {
    let http = http();
    let expected = super::undisturbed::<S>(&http).await;
    for act in Act::ALL {
        for told in [Earlier::Perhaps, Earlier::Never] {
            if told == Earlier::Never && S::exempt(Case::TwiceUntold, act).is_some() {
                continue;
            }
            let (stand, mut walk) = walk_to::<S>(&http).await;
            walk.up_to(act).await;
            walk.take(act, Earlier::Never).await.expect("done");
            for _ in 0..2 {
                let again = walk.settle_from(act, told).await;
                assert_eq!(again, Ok(()), "{act:?}, {told:?}");
            }
            walk.on_from(act).await;
            assert_eq!(stand.shown(), expected, "{act:?}, {told:?}");
        }
    }
}

/// The desk has acted, and nobody hears of it.
pub async fn lost_responses<S: Stand>() {
    disturbed::<S>(Fault::after).await;
}

/// The desk has not acted.
pub async fn not_done<S: Stand>() {
    disturbed::<S>(Fault::before).await;
}

async fn disturbed<S: Stand>(when: fn(What) -> Fault) {
    let http = http();
    let expected = super::undisturbed::<S>(&http).await;
    let mut cases = vec![];
    for act in Act::ALL {
        for &call in S::calls(act) {
            for what in troubles(act) {
                cases.push((act, call, when(what)));
            }
        }
    }
    let (http, expected) = (&http, &expected);
    stream::iter(cases)
        .map(|(act, call, fault)| async move {
            let case = format!("{act:?}: {call} fails with {fault:?}");
            let (stand, mut walk) = walk_to::<S>(http).await;
            walk.up_to(act).await;
            stand.faults().fail(call, Nth::Next(1), fault);
            let went = walk.settle(act).await;
            assert_eq!(went, Ok(()), "{case}");
            assert_eq!(stand.faults().fired().len(), 1, "{case}: it did not strike");
            walk.on_from(act).await;
            assert_eq!(stand.shown(), *expected, "{case}");
        })
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

/// What passes by itself. A 401 to the first call says that the credentials are wrong, and passes for nobody.
fn troubles(act: Act) -> Vec<What> {
    let limited = |wait: Option<&str>| What::RateLimited {
        retry_after: wait.map(str::to_owned),
    };
    let mut all = vec![
        What::status(500),
        What::status(503),
        limited(None),
        limited(Some("0")),
        What::Cut,
        What::Garbage,
        What::Hang,
        What::Slow { millis: 50 },
    ];
    if act != Act::Access {
        all.push(What::Unauthorized);
    }
    all
}
