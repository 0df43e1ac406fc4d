//! The reckoning of the demo finds what is missing, twice, or out of order.

use baton::demo::account::{Arrived, Story, Summary};

fn story(written: &[&str], arrived: &[(u64, &str)]) -> Story {
    Story {
        conversations: 1,
        opening_messages: 1,
        written: written.iter().map(|text| (*text).to_owned()).collect(),
        arrived: arrived
            .iter()
            .map(|(sequence, text)| Arrived {
                sequence: *sequence,
                text: (*text).to_owned(),
            })
            .collect(),
        ..Story::default()
    }
}

/// Lost, doubled, out of order.
fn faults(story: Story) -> [usize; 3] {
    let summary = Summary::of(&[story]);
    let faults = [summary.lost, summary.duplicates, summary.disordered];
    let problems = faults.iter().filter(|count| **count > 0).count();
    assert_eq!(summary.problems().len(), problems);
    faults
}

#[test]
fn what_is_as_it_should_be_is_added_up() {
    let stories = [
        story(&["a", "b"], &[(1, "a"), (2, "b")]),
        Story {
            sent: vec!["d".to_owned(), "e".to_owned()],
            delivered: vec!["d".to_owned(), "e".to_owned()],
            ..story(&["c"], &[(1, "c")])
        },
        story(&[], &[]),
    ];
    let expected = Summary {
        escalations: 3,
        conversations: 3,
        opening_messages: 3,
        written: 3,
        replies: 3,
        sent: 2,
        delivered: 2,
        ..Summary::default()
    };
    assert_eq!(Summary::of(&stories), expected);
    assert!(expected.problems().is_empty());
}

#[test]
fn what_is_not_is_found() {
    let arrived = |arrived: &[(u64, &str)]| story(&["a", "b"], arrived);
    assert_eq!(faults(arrived(&[(1, "a")])), [1, 0, 0]);
    assert_eq!(faults(arrived(&[(1, "a"), (2, "b"), (3, "b")])), [0, 1, 1]);
    assert_eq!(faults(arrived(&[(1, "b"), (2, "a")])), [0, 0, 1]);
    assert_eq!(faults(arrived(&[(1, "a"), (3, "b")])), [0, 0, 1]);
    // What nobody wrote to the contact, such as a whisper among reps.
    assert_eq!(faults(arrived(&[(1, "a"), (2, "x"), (3, "b")])), [0, 1, 1]);
    let carried = |delivered: &[&str]| Story {
        sent: vec!["a".to_owned(), "b".to_owned()],
        delivered: delivered.iter().map(|text| (*text).to_owned()).collect(),
        ..story(&[], &[])
    };
    assert_eq!(faults(carried(&["b"])), [1, 0, 0]);
    assert_eq!(faults(carried(&["a", "b", "b"])), [0, 1, 1]);
    assert_eq!(faults(carried(&["b", "a"])), [0, 0, 1]);
    let at_the_desk = |conversations, opening_messages| Story {
        conversations,
        opening_messages,
        ..Story::default()
    };
    assert_eq!(faults(at_the_desk(0, 0)), [2, 0, 0]);
    assert_eq!(faults(at_the_desk(1, 0)), [1, 0, 0]);
    assert_eq!(faults(at_the_desk(2, 1)), [0, 1, 0]);
    assert_eq!(faults(at_the_desk(1, 3)), [0, 2, 0]);
}
