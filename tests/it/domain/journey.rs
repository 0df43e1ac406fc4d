//! What follows from how a step went, what the desk's entries mean, and which tokens are too old.

use std::time::Duration;

use baton::desk::{Entry, Seen};
use baton::domain::clock::Timestamp;
use baton::domain::error::{Code, DeskError};
use baton::domain::handoff::{Ending, Handoff, Progress, Spent, Status, Step};
use baton::domain::ids::{Cursor, EntryId};
use baton::domain::lifecycle::Lifecycle;
use baton::domain::news::News;
use baton::domain::reply::{Author, Rep, RepFile, Reply};
use baton::domain::retry::Policy;
use baton::domain::turn::{CallResult, Turn};
use baton::journey;

use crate::example;

const TOOK: Duration = Duration::from_millis(120);

fn now() -> Timestamp {
    example::at("14:04:00")
}

/// A handoff at a stage, 0 to 5, with so much of its budget spent.
fn at_stage(stage: usize, failures: u32, renewals: u32) -> Handoff {
    let mut handoff = example::handoff(example::escalation(|_| ()));
    handoff.progress = example::stages(example::at("15:00:00"))[stage].clone();
    handoff.spent = Spent { failures, renewals };
    handoff
}

fn settled(handoff: Handoff, went: Result<Progress, DeskError>) -> Turn {
    let step = handoff.progress.next_step().unwrap_or(Step::Close);
    journey::settle(handoff, step, went, TOOK, &Policy::default(), 0.0, now())
}

/// A turn in one line.
fn line(turn: &Turn) -> String {
    let handoff = &turn.handoff;
    let status = match &handoff.status {
        Status::Due { at } => format!("due {}", &at.to_string()[11..]),
        Status::Live => "live".into(),
        Status::Closed { why, close_at } => match close_at {
            Some(at) => format!("closed {} close {}", why.as_str(), &at.to_string()[11..]),
            None => format!("closed {}", why.as_str()),
        },
        Status::DeadLettered { code } => format!("dead {code}"),
    };
    let told: Vec<&str> = turn.tell.iter().map(Lifecycle::name).collect();
    let Spent { failures, renewals } = handoff.spent;
    let dead = turn.dead.as_ref().map_or("", |_| " letter");
    format!(
        "{} {} {status} spent {failures}/{renewals} tells [{}]{dead}",
        turn.outcome.result.as_str(),
        handoff.progress.as_str(),
        told.join(" "),
    )
}

fn refused() -> DeskError {
    DeskError::Refused {
        status: 400,
        message: "no".into(),
    }
}

fn expired() -> DeskError {
    DeskError::Unauthorized("expired".into())
}

#[test]
fn a_step_that_went_well_is_followed_by_the_next_at_once_until_it_is_live() {
    let stages = example::stages(example::at("15:00:00"));
    let expected = [
        "done identified due 14:04:00Z spent 2/1 tells []",
        "done authorized due 14:04:00Z spent 2/1 tells []",
        "done prepared due 14:04:00Z spent 2/1 tells []",
        "done opened due 14:04:00Z spent 2/1 tells []",
        "done connected live spent 2/1 tells [live]",
    ];
    for (stage, expected) in expected.into_iter().enumerate() {
        let turn = settled(at_stage(stage, 2, 1), Ok(stages[stage + 1].clone()));
        assert_eq!(line(&turn), expected);
        assert_eq!(turn.outcome.took, TOOK);
    }
}

#[test]
fn a_failure_is_followed_by_what_its_kind_asks_for() {
    let table = [
        (
            3,
            0,
            0,
            DeskError::Lost,
            "lost prepared due 14:04:01Z spent 1/0 tells [retrying]",
        ),
        (
            3,
            1,
            0,
            DeskError::Timeout(TOOK),
            "failed prepared due 14:04:04Z spent 2/0 tells [retrying]",
        ),
        (
            3,
            2,
            0,
            DeskError::Timeout(TOOK),
            "failed prepared due 14:04:16Z spent 3/0 tells [retrying]",
        ),
        (
            3,
            3,
            0,
            DeskError::Timeout(TOOK),
            "failed prepared dead desk-timeout spent 3/0 tells [failed] letter",
        ),
        (
            3,
            3,
            0,
            DeskError::Lost,
            "lost prepared dead worker-stopped spent 3/0 tells [failed] letter",
        ),
        // The first refused token costs nothing, the others do; all lead back to the start.
        (
            4,
            0,
            0,
            expired(),
            "failed received due 14:04:00Z spent 0/1 tells []",
        ),
        (
            4,
            3,
            0,
            expired(),
            "failed received due 14:04:00Z spent 3/1 tells []",
        ),
        (
            4,
            0,
            1,
            expired(),
            "failed received due 14:04:01Z spent 1/2 tells [retrying]",
        ),
        (
            4,
            3,
            1,
            expired(),
            "failed opened dead token-refused spent 3/1 tells [failed] letter",
        ),
        (
            1,
            0,
            0,
            refused(),
            "failed identified dead desk-refused spent 0/0 tells [failed] letter",
        ),
        (
            4,
            0,
            0,
            DeskError::InDoubt,
            "failed opened dead in-doubt spent 0/0 tells [failed] letter",
        ),
    ];
    for (stage, failures, renewals, error, expected) in table {
        let turn = settled(at_stage(stage, failures, renewals), Err(error));
        assert_eq!(line(&turn), expected);
    }
}

#[test]
fn a_retry_after_the_deadline_is_none() {
    let with_deadline = |error: DeskError, spent: (u32, u32), deadline: &str| {
        let mut handoff = at_stage(4, spent.0, spent.1);
        handoff.deadline = example::at(deadline);
        line(&settled(handoff, Err(error)))
    };
    let lost = || DeskError::Timeout(TOOK);
    assert_eq!(
        with_deadline(lost(), (0, 0), "14:04:01"),
        "failed opened due 14:04:01Z spent 1/0 tells [retrying]"
    );
    let dead = "failed opened dead desk-timeout spent 0/0 tells [failed] letter";
    assert_eq!(with_deadline(lost(), (0, 0), "14:04:00.999"), dead);
    let dead = "failed opened dead token-refused spent 0/1 tells [failed] letter";
    assert_eq!(with_deadline(expired(), (0, 1), "14:04:00.999"), dead);
    // What is free takes no time either.
    let free = "failed received due 14:04:00Z spent 0/1 tells []";
    assert_eq!(with_deadline(expired(), (0, 0), "14:03:00"), free);
}

#[test]
fn what_was_tried_stays_on_record_whatever_became_of_it() {
    let stages = example::stages(example::at("15:00:00"));
    for went in [
        Ok(stages[4].clone()),
        Err(DeskError::Lost),
        Err(expired()),
        Err(refused()),
    ] {
        let turn = settled(at_stage(3, 0, 0), went);
        assert!(turn.handoff.tried.contains(&Step::CreateConversation));
    }
}

#[test]
fn a_dead_letter_says_the_last_code_the_step_and_the_words() {
    let turn = settled(at_stage(3, 0, 0), Err(refused()));
    let cause = turn.dead.expect("a dead letter");
    assert_eq!(
        (cause.code, cause.step, cause.http_status),
        (Code::DeskRefused, Step::CreateConversation, Some(400))
    );
    assert_eq!(cause.reason, "the desk refused with 400: no");
    let failed = Lifecycle::Failed {
        code: cause.code,
        step: cause.step,
        reason: cause.reason,
    };
    assert_eq!(turn.tell, [failed]);
    let result = CallResult::Failed {
        code: Code::DeskRefused,
        http_status: Some(400),
        error: "the desk refused with 400: no".into(),
    };
    assert_eq!(turn.outcome.result, result);
}

#[test]
fn the_first_cursor_comes_with_the_token_and_a_later_one_does_not_replace_it() {
    let mut access = example::access(example::at("15:00:00"));
    access.cursor = Some(Cursor::from("100"));
    let authorized = Progress::Authorized { access };
    let turn = settled(at_stage(1, 0, 0), Ok(authorized.clone()));
    assert_eq!(turn.handoff.cursor, Some(Cursor::from("100")));
    let mut again = at_stage(1, 0, 0);
    again.cursor = Some(Cursor::from("7"));
    assert_eq!(
        settled(again, Ok(authorized)).handoff.cursor,
        Some(Cursor::from("7"))
    );
}

#[test]
fn a_handoff_that_ran_out_of_time_says_what_it_waited_for() {
    let turn = journey::give_up(
        at_stage(3, 1, 0),
        "; connection `acme-salesforce` was paused by kim",
    );
    assert_eq!(
        line(&turn),
        "done prepared dead deadline-passed spent 1/0 tells [failed] letter"
    );
    let cause = turn.dead.expect("a dead letter");
    assert_eq!(cause.step, Step::CreateConversation);
    assert_eq!(
        cause.reason,
        "the deadline 2026-11-20T14:18:22Z passed before it was live; connection `acme-salesforce` was paused by kim"
    );
}

#[test]
fn closing_the_desks_side_is_tried_again_and_then_left_alone() {
    let closing = |went: Result<(), DeskError>, failures, renewals| {
        let mut handoff = at_stage(5, failures, renewals);
        handoff.status = Status::Closed {
            why: Ending::RepEnded,
            close_at: Some(now()),
        };
        let turn = journey::settle_close(handoff, went, TOOK, &Policy::default(), 0.0, now());
        line(&turn)
    };
    let table = [
        (
            Ok(()),
            0,
            0,
            "done connected closed rep_ended spent 0/0 tells []",
        ),
        (
            Err(DeskError::Timeout(TOOK)),
            0,
            0,
            "failed connected closed rep_ended close 14:04:01Z spent 1/1 tells []",
        ),
        (
            Err(DeskError::Lost),
            1,
            1,
            "lost connected closed rep_ended close 14:04:04Z spent 2/2 tells []",
        ),
        (
            Err(DeskError::Timeout(TOOK)),
            2,
            2,
            "failed connected closed rep_ended close 14:04:16Z spent 3/3 tells []",
        ),
        (
            Err(DeskError::Timeout(TOOK)),
            3,
            3,
            "failed connected closed rep_ended spent 4/4 tells []",
        ),
        (
            Err(expired()),
            0,
            0,
            "failed connected closed rep_ended close 14:04:00Z spent 1/1 tells []",
        ),
        (
            Err(expired()),
            1,
            1,
            "failed connected closed rep_ended close 14:04:04Z spent 2/2 tells []",
        ),
        (
            Err(refused()),
            0,
            0,
            "failed connected closed rep_ended spent 1/1 tells []",
        ),
    ];
    for (went, failures, renewals, expected) in table {
        assert_eq!(closing(went, failures, renewals), expected);
    }
}

#[test]
fn a_token_that_would_not_outlive_the_call_is_not_used() {
    let after = |expires_at: &str| {
        example::stages(example::at(expires_at))
            .map(|progress| journey::without_stale_tokens(progress, now()).as_str())
    };
    let fresh = [
        "received",
        "identified",
        "authorized",
        "prepared",
        "opened",
        "connected",
    ];
    let stale = [
        "received",
        "received",
        "received",
        "received",
        "received",
        "connected",
    ];
    assert_eq!(after("14:04:15.001"), fresh);
    assert_eq!(after("14:04:15"), stale);
    assert_eq!(after("14:03:00"), stale);
}

#[test]
fn what_the_desk_shows_becomes_a_reply_news_an_end_or_nothing() {
    let entry = || EntryId::from("e1");
    let rep = || Rep {
        id: Some("005".into()),
        name: Some("Maria R.".into()),
    };
    let files = || {
        vec![RepFile {
            id: "f".into(),
            name: "a.pdf".into(),
            content_type: None,
            url: "https://x/f".into(),
        }]
    };
    let relayed = |what: Seen| {
        journey::relay(Entry {
            id: entry(),
            at: now(),
            what,
        })
    };
    let reply = Reply {
        entry: entry(),
        sent_at: now(),
        rep: rep(),
        author: Author::Rep,
        text: "Hi".into(),
        files: files(),
        choices: vec!["Yes".into()],
    };
    let table = [
        (
            Seen::Reply {
                rep: rep(),
                author: Author::Rep,
                text: "Hi".into(),
                files: files(),
                choices: vec!["Yes".into()],
            },
            Some(News::Reply(reply)),
        ),
        (
            Seen::RepJoined(rep()),
            Some(News::Tell(Lifecycle::RepJoined {
                entry: entry(),
                rep: rep(),
            })),
        ),
        (
            Seen::RepLeft(rep()),
            Some(News::Tell(Lifecycle::RepLeft {
                entry: entry(),
                rep: rep(),
            })),
        ),
        (
            Seen::Transferred,
            Some(News::Tell(Lifecycle::Transferred { entry: entry() })),
        ),
        (
            Seen::Queue {
                position: Some(2),
                wait_seconds: None,
            },
            Some(News::Tell(Lifecycle::Queue {
                entry: entry(),
                position: Some(2),
                wait_seconds: None,
            })),
        ),
        (
            Seen::RoutingFailed {
                reason: "why".into(),
            },
            Some(News::Tell(Lifecycle::RoutingFailed {
                entry: entry(),
                reason: "why".into(),
            })),
        ),
        (
            Seen::Ended(Ending::RepEnded),
            Some(News::End(Ending::RepEnded)),
        ),
        (Seen::Typing { typing: true }, None),
    ];
    for (what, expected) in table {
        assert_eq!(relayed(what), expected);
    }
}
