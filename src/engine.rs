//! The loops. They do not know each other: they meet in the store.

pub mod attendant;
pub mod courier;
pub mod custodian;
pub mod desks;
pub mod files;
pub mod gaps;
pub mod governor;
pub mod intake;
pub mod jobs;
pub mod listener;
pub mod media;
pub mod moments;
pub mod outbox;
pub mod replay;
pub mod retention;
pub mod tokens;
pub mod worker;
