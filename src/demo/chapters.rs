//! The chapters of the demo, in order.

pub mod answers;
pub mod dead_letter;
pub mod ending;
pub mod handed_over;
pub mod handoffs;
pub mod killed;
pub mod killed_in_call;
pub mod lost_answer;
pub mod set_up;
pub mod writes_back;
