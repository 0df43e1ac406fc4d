//! The words of the field as types: what an escalation, a handoff, a reply and a dead letter are.
//!
//! Nothing in here does I/O, and time enters as a parameter.

pub mod arrival;
pub mod certificate;
pub mod channel;
pub mod clock;
pub mod connection;
pub mod contact;
pub mod dead_letter;
pub mod error;
pub mod escalation;
pub mod event;
pub mod finding;
pub mod handoff;
pub mod ids;
pub mod jwk;
pub mod keys;
pub mod lifecycle;
pub mod news;
pub mod patience;
pub mod reply;
pub mod retry;
pub mod seal;
pub mod trace;
pub mod transcript;
pub mod turn;
