//! What can go wrong with a store.

/// What can go wrong with a store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has moved it on; our work on it is void.
    #[error("the handoff was moved on by somebody else")]
    Fenced,
    /// There is nothing of that name.
    #[error("there is no such row")]
    NotFound,
    /// A row that cannot be read.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(String),
    /// The disk is full.
    #[error("the disk with the database is full; free some space, it goes on by itself")]
    Full,
    /// The database is away.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// It cannot be opened, and the message says what to do.
    #[error("{0}")]
    CannotOpen(String),
}

impl StoreError {
    /// Whether the same write may come about later, without anybody doing anything to the row.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Full | Self::Unavailable(_) => true,
            Self::Fenced | Self::NotFound | Self::Corrupt(_) | Self::CannotOpen(_) => false,
        }
    }
}
