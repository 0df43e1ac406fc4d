//! Baton hands a conversation from an AI agent to a human rep, and never loses, doubles or reorders a word of it.
//!
//! Read [`journey`] next: it is the story. Around it, from the bottom up:
//!
//! - [`domain`]: the words of the field as types. No I/O, no clock.
//! - [`desk`]: the help desks behind one trait, and the HTTP and event streams they need.
//! - [`store`]: what is durable, and the promises it makes.
//! - [`broker`]: RabbitMQ: topology, deliveries, publishing with confirms.
//! - [`engine`]: the loops. They do not know each other; they meet in the store.
//! - [`operator`]: what an operator can see and do, and the one HTTP port.
//! - [`config`], [`telemetry`], [`metrics`] and [`traces`]: what can be set, what is logged, what is measured, what is traced.
//! - [`app`]: the wiring; the only file that knows everything.
//! - [`demo`]: the whole job on a real broker, told as it happens.
//! - [`sim`]: desks that remember, for the tests, the demo and other people's tests. It knows nothing of the rest.
//!
//! In one line: **in**, persist, ack, intent, call, outcome; **out**, one transaction for reply and cursor, then
//! publish, confirm, mark.

pub mod journey;

pub mod app;
pub mod broker;
pub mod cli;
pub mod config;
pub mod demo;
pub mod desk;
pub mod domain;
pub mod engine;
pub mod metrics;
pub mod operator;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod traces;
