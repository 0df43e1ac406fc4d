//! What operators see and may do over HTTP: roles, and the pages of `/console` in a real browser.

mod actions;
mod browser;
mod doors;
mod house;
mod pages;
mod roles;
