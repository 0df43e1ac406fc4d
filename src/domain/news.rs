//! What a desk's entry means for a live handoff.

use super::handoff::Ending;
use super::lifecycle::Lifecycle;
use super::reply::Reply;

/// What a desk's entry means for a live handoff.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// To the contact's channel.
    Reply(Reply),
    /// To the world.
    Tell(Lifecycle),
    /// It is over.
    End(Ending),
}
