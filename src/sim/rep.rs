//! What a simulated rep does when nobody tells them: join, type, answer, leave.
//!
//! It is policy only; each desk plays it with its own events.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A rep's habits. The default joins at once, answers each message at once in their own words, and stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Routine {
    /// The name the contact sees.
    pub name: String,
    /// Time from the conversation's start until the rep joins.
    pub joins_after: Duration,
    /// How long the rep types before each answer.
    pub types_for: Duration,
    /// What the rep answers.
    pub lines: Lines,
    /// How it ends.
    pub finish: Finish,
}

/// What a rep answers to each message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lines {
    /// A sentence that quotes the beginning of what it answers.
    Generated,
    /// These in turn, and from the first again.
    Scripted(Vec<String>),
}

/// How a rep's part in a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finish {
    /// It does not.
    Stays,
    /// The rep goes back to the queue after so many answers; the conversation stays.
    LeavesAfter(u32),
    /// The rep ends the conversation after so many answers.
    EndsAfter(u32),
}

impl Default for Routine {
    fn default() -> Self {
        Self {
            name: "Maria R.".to_owned(),
            joins_after: Duration::ZERO,
            types_for: Duration::ZERO,
            lines: Lines::Generated,
            finish: Finish::Stays,
        }
    }
}

impl Lines {
    /// The answer to the nth message (from 0) of the conversation.
    pub fn answer(&self, nth: usize, heard: &str) -> String {
        match self {
            Self::Scripted(lines) if !lines.is_empty() => lines[nth % lines.len()].clone(),
            Self::Scripted(_) | Self::Generated => {
                /// Enough to recognise a message by.
                const QUOTED_CHARACTERS: usize = 40;
                let quote: String = heard.chars().take(QUOTED_CHARACTERS).collect();
                format!("Let me look into “{}” ({}).", quote.trim(), nth + 1)
            }
        }
    }
}
