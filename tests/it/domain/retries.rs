//! When to try again.

use std::time::Duration;

use baton::domain::error::{Code, DeskError};
use baton::domain::handoff::Spent;
use baton::domain::retry::{Policy, Verdict};

fn spent(failures: u32, renewals: u32) -> Spent {
    Spent { failures, renewals }
}

/// One of each kind of failure.
fn failures() -> [DeskError; 10] {
    [
        DeskError::Unreachable("refused".into()),
        DeskError::Timeout(Duration::from_secs(10)),
        unavailable(None),
        rate_limited(None),
        DeskError::Broken("half".into()),
        DeskError::Lost,
        DeskError::Unauthorized("expired".into()),
        DeskError::Refused {
            status: 400,
            message: "no".into(),
        },
        DeskError::Misconfigured {
            code: Code::BadCredentials,
            message: "no".into(),
        },
        DeskError::InDoubt,
    ]
}

fn unavailable(retry_after: Option<u64>) -> DeskError {
    let retry_after = retry_after.map(Duration::from_secs);
    DeskError::Unavailable {
        status: 503,
        retry_after,
        message: "later".into(),
    }
}

fn rate_limited(retry_after: Option<u64>) -> DeskError {
    let retry_after = retry_after.map(Duration::from_secs);
    DeskError::RateLimited {
        retry_after,
        message: "slower".into(),
    }
}

fn verdict(error: &DeskError, spent: Spent, roll: f64) -> String {
    match Policy::default().judge(error, spent, roll) {
        Verdict::Retry(wait) => format!("retry {wait:?}"),
        Verdict::Renew(wait) => format!("renew {wait:?}"),
        Verdict::DeadLetter => "dead letter".into(),
    }
}

#[test]
fn three_retries_wait_longer_each_time_and_then_it_is_over() {
    for error in &failures()[..6] {
        let verdicts = [0, 1, 2, 3, 4].map(|failures| verdict(error, spent(failures, 0), 0.0));
        assert_eq!(
            verdicts,
            [
                "retry 1s",
                "retry 4s",
                "retry 16s",
                "dead letter",
                "dead letter"
            ],
            "{error}"
        );
    }
}

#[test]
fn chance_takes_at_most_half_of_a_wait() {
    let error = DeskError::Lost;
    let table = [(0, 0.0, 1.0), (0, 0.5, 1.5), (1, 0.5, 6.0), (2, 0.25, 20.0)];
    for (failures, roll, seconds) in table {
        let wait = Verdict::Retry(Duration::from_secs_f64(seconds));
        assert_eq!(
            Policy::default().judge(&error, spent(failures, 0), roll),
            wait
        );
    }
    let Verdict::Retry(longest) = Policy::default().judge(&error, spent(2, 0), 0.999_999) else {
        panic!("a retry")
    };
    assert!(longest > Duration::from_secs_f64(31.99) && longest < Duration::from_secs(32));
}

#[test]
fn a_refused_token_is_free_once_and_counts_afterwards() {
    let error = DeskError::Unauthorized("expired".into());
    let table = [
        (spent(0, 0), "renew 0ns"),
        (spent(3, 0), "renew 0ns"),
        (spent(0, 1), "renew 1s"),
        (spent(1, 1), "renew 4s"),
        (spent(2, 5), "renew 16s"),
        (spent(3, 1), "dead letter"),
    ];
    for (spent, expected) in table {
        assert_eq!(verdict(&error, spent, 0.0), expected, "{spent:?}");
    }
}

#[test]
fn what_waiting_cannot_cure_is_not_retried() {
    for error in &failures()[7..] {
        assert_eq!(verdict(error, spent(0, 0), 0.0), "dead letter", "{error}");
    }
}

#[test]
fn a_desk_that_says_when_is_obeyed_within_bounds() {
    let table = [
        (None, "retry 1s"),
        (Some(0), "retry 1s"),
        (Some(1), "retry 1s"),
        (Some(30), "retry 30s"),
        (Some(120), "retry 120s"),
        (Some(121), "retry 120s"),
        (Some(86_400), "retry 120s"),
    ];
    for (asked, expected) in table {
        assert_eq!(verdict(&unavailable(asked), spent(0, 0), 0.0), expected);
        assert_eq!(verdict(&rate_limited(asked), spent(0, 0), 0.0), expected);
    }
    // Asking does not lengthen the budget.
    assert_eq!(
        verdict(&rate_limited(Some(1)), spent(3, 0), 0.0),
        "dead letter"
    );
}

#[test]
fn a_policy_without_waits_has_no_retries() {
    let policy = Policy {
        waits: vec![],
        ..Policy::default()
    };
    assert_eq!(
        policy.judge(&DeskError::Lost, spent(0, 0), 0.0),
        Verdict::DeadLetter
    );
}

#[test]
fn every_failure_has_a_code_and_a_status_where_the_desk_gave_one() {
    let said = failures().map(|error| format!("{} {:?}", error.code(), error.status()));
    assert_eq!(
        said,
        [
            "desk-unreachable None",
            "desk-timeout None",
            "desk-unavailable Some(503)",
            "desk-rate-limited Some(429)",
            "desk-broken-answer None",
            "worker-stopped None",
            "token-refused Some(401)",
            "desk-refused Some(400)",
            "bad-credentials None",
            "in-doubt None",
        ]
    );
    for code in Code::ALL {
        assert_eq!(Code::parse(code.as_str()), Some(*code));
    }
    assert_eq!(Code::parse("unrouted"), None);
}
