//! Files: fetched only from where they may be, kept once, handed out to whoever holds a link and to nobody else.

mod addresses;
mod custody;
mod fetching;
mod kinds;
mod links;
mod serving;
mod site;

use std::time::Duration;

use baton::engine::media::Rules;

/// The beginning of a picture, which is all that anybody looks at.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";

/// A small file, and more time than a busy machine needs.
const RULES: Rules = Rules {
    bytes_max: 1000,
    time_max: Duration::from_secs(10),
};
