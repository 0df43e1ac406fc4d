//! The domain, by tables: what goes in, and what comes out.

mod channels;
mod dead_letters;
mod decoding;
mod ids;
mod journey;
mod opening;
mod people;
mod retries;
mod sealing;
mod trace;
