//! Files between contact and rep: fetched with suspicion, kept as our own copies, handed out by signed links.
//!
//! Addresses of files come from outside, so [`fetch`] goes only where the public internet goes, and believes the bytes
//! rather than their label. Names of files, their contents and the queries of their addresses are never logged.

use std::fmt;

use crate::domain::ids::{HandoffId, IdShape, Key, Namespace};

pub mod address;
pub mod custody;
pub mod fetch;
pub mod kind;
pub mod link;
pub mod name;
pub mod resolve;

pub use custody::{Custody, CustodyError, Kept, Place, Stored};
pub use fetch::{FetchError, Fetched, Fetcher, Rules};
pub use link::{Grant, LinkError, Links};

/// One file of a handoff. Its name in the object store is `handoff/attachment`: the same file is the same object,
/// however often it is fetched, and all that a contact sent or got is erased by prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// Whose.
    pub handoff: HandoffId,
    /// Which. A key rather than somebody's id, which may be anything: `../..`, or `0` in every message.
    pub id: Key,
}

impl Attachment {
    /// The file that came with a message or an entry, both under the ids that others gave them.
    pub fn of(handoff: HandoffId, message: &str, file: &str) -> Self {
        let id = Namespace::of(Key(handoff.0)).key(&["attachment", message, file], IdShape::V5);
        Self { handoff, id }
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.handoff, self.id)
    }
}
