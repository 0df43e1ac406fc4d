//! The names of things, and how ids are derived so that they come out the same again.

use std::fmt;

use uuid::Uuid;

/// A text id of its own type, so that a session cannot be passed for a connection.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub String);

        impl $name {
            /// The id as it is written on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// The CloudEvents `id` of an event from upstream: the deduplication key.
    EventId
}
text_id! {
    /// The AI conversation at the producer; the trace key on every side.
    SessionId
}
text_id! {
    /// The name of a configured desk.
    ConnectionName
}
text_id! {
    /// The desk's id of the thread in which the rep reads and writes.
    ConversationId
}
text_id! {
    /// The desk's id of one thing it shows in a conversation.
    EntryId
}
text_id! {
    /// Where to resume a desk's stream.
    Cursor
}

/// Baton's id of a handoff: a UUIDv7, chosen at intake and stored before anything is said to a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandoffId(pub Uuid);

impl HandoffId {
    /// A new id whose order is the order of creation.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for HandoffId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for HandoffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Our id for one effect on a desk, or for one event we publish: the same name always gives the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub Uuid);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Which UUID version a key claims to be. Salesforce takes nothing but v4 (miaw reference, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdShape {
    /// What a derived key is.
    V5,
    /// The same bytes with the version nibble of v4.
    V4,
}

/// The root of all derived ids: one configured word, so that a lost database comes back to the same keys.
#[derive(Debug, Clone, Copy)]
pub struct Namespace(Uuid);

impl Namespace {
    /// The namespace of the word in `ids.namespace`.
    pub fn new(word: &str) -> Self {
        Self(Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("baton:{word}").as_bytes(),
        ))
    }

    /// The namespace of all that hangs on one key.
    pub fn of(key: Key) -> Self {
        Self(key.0)
    }

    /// The key of a name. Each part carries its length, so that no two lists of parts read the same.
    pub fn key(&self, name: &[&str], shape: IdShape) -> Key {
        let mut joined = String::new();
        for part in name {
            joined.push_str(&format!("{}:{part}|", part.len()));
        }
        let derived = Uuid::new_v5(&self.0, joined.as_bytes());
        match shape {
            IdShape::V5 => Key(derived),
            IdShape::V4 => {
                let mut bytes = *derived.as_bytes();
                bytes[6] = (bytes[6] & 0x0f) | 0x40;
                Key(Uuid::from_bytes(bytes))
            }
        }
    }
}
