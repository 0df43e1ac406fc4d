//! Logging: what is said, to whom, and that a closed pipe harms nobody.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use baton::config::{Config, Log, LogFormat};
use baton::telemetry::{Colours, Lossy, subscriber};
use tracing::{debug, info, warn};

/// What was logged, shared with the subscriber.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a page").write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines that `events` leave under `log`.
fn logged(log: &Log, colours: Colours, events: impl FnOnce()) -> String {
    let page = Page::default();
    let writer = page.clone();
    tracing::subscriber::with_default(subscriber(log, colours, move || writer.clone()), events);
    String::from_utf8(page.0.lock().expect("a page").clone()).expect("text")
}

fn log(level: &str, format: LogFormat) -> Log {
    Log {
        level: level.to_owned(),
        format,
    }
}

#[test]
fn the_level_holds_and_parts_may_differ() {
    let events = || {
        debug!("quiet");
        debug!(target: "baton::engine", "asked for");
        info!("plain");
    };
    let page = logged(
        &log("info,baton::engine=debug", LogFormat::Text),
        Colours::Off,
        events,
    );
    assert!(
        page.contains("asked for") && page.contains("plain") && !page.contains("quiet"),
        "{page}"
    );
    assert!(!page.contains('\x1b'), "colours in {page}");
    assert!(logged(&Config::default().log, Colours::On, events).contains('\x1b'));
}

#[test]
fn lapin_is_quiet_unless_it_is_asked_or_has_panicked() {
    let events = || {
        tracing::error!(target: "lapin::channels", "Connection error");
        tracing::error!(target: "lapin::thread", "Thread panicked");
        info!("ours");
    };
    let default = logged(&Config::default().log, Colours::Off, events);
    assert!(!default.contains("Connection error"), "{default}");
    assert!(default.contains("Thread panicked"), "{default}");
    assert!(default.contains("ours"), "{default}");
    let asked = log("info,lapin=info", LogFormat::Text);
    let asked = logged(&asked, Colours::Off, events);
    assert!(asked.contains("Connection error"), "{asked}");
}

#[test]
fn a_returned_message_is_never_logged() {
    let events = || warn!(target: "lapin::returned_messages", "Dana was charged twice");
    for level in [
        "info",
        "trace",
        "info,lapin=trace",
        "lapin::returned_messages=trace",
    ] {
        assert_eq!(
            logged(&log(level, LogFormat::Text), Colours::Off, events),
            "",
            "{level}"
        );
    }
}

#[test]
fn collectors_get_one_object_a_line() {
    let page = logged(&log("info", LogFormat::Json), Colours::Off, || {
        info!(handoff.id = "h1", "took step {}", "transcript");
        info!("and\nanother");
    });
    let lines: Vec<serde_json::Value> = page
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["message"], "took step transcript");
    assert_eq!(lines[0]["handoff.id"], "h1");
}

#[test]
fn a_closed_pipe_harms_nobody() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let mut writer = Lossy(Closed);
    writer.write_all(b"a line").expect("no error");
    writer.flush().expect("no error");
    tracing::subscriber::with_default(
        subscriber(&Config::default().log, Colours::Off, || Lossy(Closed)),
        || info!("lost"),
    );
}
