//! Simulators: stand-ins for the desks that speak their HTTP, remember everything, and do wrong on purpose.
//!
//! They run in the tests, in the demo and as `baton simulate`.
//! A simulator shares no type with Baton: it is written from the vendor's reference alone, so that a misread reference
//! cannot cancel itself out.

mod clock;
pub mod dynamics;
pub mod faults;
mod multipart;
pub mod rep;
pub mod salesforce;
pub mod zendesk;
