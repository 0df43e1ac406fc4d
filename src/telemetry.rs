//! Sets up logging: one line per event on stderr, for people or for collectors, from a writer that cannot fail.

use std::io::{self, IsTerminal, Write};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::{Log, LogFormat};

/// lapin logs the body of a returned message, a contact's words, as a warning. This comes after the operator's filter,
/// which therefore cannot bring it back.
const NEVER_BODIES: &str = "lapin::returned_messages=error";

/// Of each outage of the broker lapin tells several times over, as an error, what the supervisor says once. This comes
/// before the operator's filter, where `lapin=info` brings it back; that a thread of lapin's panicked is always told.
const QUIET: &str = "lapin=off,lapin::thread=error";

/// Whether lines are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal.
    On,
    /// Into files and pipes, and where `NO_COLOR` is set.
    Off,
}

impl Colours {
    fn of_stderr() -> Colours {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stderr().is_terminal() && !unwanted {
            Colours::On
        } else {
            Colours::Off
        }
    }
}

/// Logs to stderr from now on. Fails if the process logs already.
pub fn start(log: &Log) -> Result<(), TryInitError> {
    subscriber(log, Colours::of_stderr(), || Lossy(io::stderr())).try_init()
}

/// What [`start`] installs, for another writer.
pub fn subscriber<W>(log: &Log, colours: Colours, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!(
            "{QUIET},{},{NEVER_BODIES}",
            log.level
        )))
        .with_ansi(colours == Colours::On)
        // The subscriber would report its own troubles with `eprintln!`, which panics on a closed stderr.
        .log_internal_errors(false)
        .with_writer(writer);
    match log.format {
        LogFormat::Text => Box::new(lines.finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).finish()),
    }
}

/// Writes what it can and drops the rest without a word. A panic or an error in a log line must not reach the thread
/// that logs: in lapin's it would leave every publisher waiting for ever.
pub struct Lossy<W>(pub W);

impl<W: Write> Write for Lossy<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}
