//! The reckoning: what was published and written, against what the desk and the channels got.
//!
//! It compares two ledgers that do not know each other, the desk's and the channels', both ways, and trusts nothing that Baton
//! says of itself.

use serde::Serialize;

/// One session as all sides have it.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// Conversations at the desk; one is right.
    pub conversations: usize,
    /// Opening messages at the desk; one is right.
    pub opening_messages: usize,
    /// What reps wrote to the contact, in the desk's order. In the demo no two lines are alike.
    pub written: Vec<String>,
    /// What the contact's channel got, each message id once, in order of arrival.
    pub arrived: Vec<Arrived>,
    /// What the contact sent after the escalation, words and files, in order. No two are alike.
    pub sent: Vec<String>,
    /// What of it is at the desk, in the desk's order.
    pub delivered: Vec<String>,
}

/// A reply as a channel got it.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its place in the handoff.
    pub sequence: u64,
    /// Its words.
    pub text: String,
}

/// The sums over all sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Escalations that were published.
    pub escalations: usize,
    /// Conversations at the desk.
    pub conversations: usize,
    /// Opening messages at the desk.
    pub opening_messages: usize,
    /// What reps wrote.
    pub written: usize,
    /// What the channels got.
    pub replies: usize,
    /// What contacts sent to their reps, words and files.
    pub sent: usize,
    /// What of it is at the desk.
    pub delivered: usize,
    /// Anything of these beyond the first.
    pub duplicates: usize,
    /// Anything of these that is not there.
    pub lost: usize,
    /// Sessions in which words came in another order, either way, or replies not numbered 1, 2, 3, ….
    pub disordered: usize,
}

impl Summary {
    /// Adds up.
    pub fn of(stories: &[Story]) -> Self {
        let mut sum = Self {
            escalations: stories.len(),
            ..Self::default()
        };
        for story in stories {
            sum.conversations += story.conversations;
            sum.opening_messages += story.opening_messages;
            sum.written += story.written.len();
            sum.replies += story.arrived.len();
            sum.sent += story.sent.len();
            sum.delivered += story.delivered.len();
            for count in [story.conversations, story.opening_messages] {
                sum.lost += usize::from(count == 0);
                sum.duplicates += count.saturating_sub(1);
            }
            for (expected, there) in [
                (&story.written, &story.replies()),
                (&story.sent, &story.delivered),
            ] {
                let mut missing = expected.clone();
                for text in there {
                    match missing.iter().position(|it| it == text) {
                        Some(at) => drop(missing.remove(at)),
                        None => sum.duplicates += 1,
                    }
                }
                sum.lost += missing.len();
            }
            sum.disordered += usize::from(!story.in_order());
        }
        sum
    }

    /// What must not be, in words; nothing if all is well.
    pub fn problems(&self) -> Vec<String> {
        let problems = [
            (self.lost, "lost"),
            (self.duplicates, "doubled"),
            (self.disordered, "sessions out of order"),
        ];
        let found = problems.into_iter().filter(|(count, _)| *count > 0);
        found
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}

impl Story {
    /// The words that arrived.
    fn replies(&self) -> Vec<String> {
        self.arrived.iter().map(|it| it.text.clone()).collect()
    }

    /// Whether all that arrived is in the order in which it was written, and replies are numbered without gaps.
    fn in_order(&self) -> bool {
        let numbered = (1..).zip(&self.arrived).all(|(n, it)| it.sequence == n);
        let follows = |there: &[String], expected: &[String]| {
            let mut expected = expected.iter();
            there.iter().all(|text| expected.any(|it| it == text))
        };
        let replies = follows(&self.replies(), &self.written);
        numbered && replies && follows(&self.delivered, &self.sent)
    }
}
