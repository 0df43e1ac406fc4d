//! How long a contact waits for a first rep, and what becomes of one to whom nobody comes.

use std::time::Duration;

/// What is promised to contacts who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From live until a rep joins or writes.
    pub wait: Duration,
    /// What follows when nobody has.
    pub then: NoRep,
}

/// What follows when no rep comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoRep {
    /// The world is told, and may act; the conversation stays as it is, and a rep can still come.
    #[default]
    Tell,
    /// The world is told, and the handoff ends. So does one that the desk says it can route to nobody.
    End,
}
