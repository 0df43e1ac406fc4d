//! What an operator can see and do, and the one HTTP port where they do it.

pub mod api;
pub mod console;
pub mod machine;
pub mod media;
pub mod metrics;
pub mod role;
pub mod server;
pub mod verbs;
pub mod view;
mod wanted;
pub mod webhook;
