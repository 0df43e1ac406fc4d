//! Baton's worker as a process of its own, so that it can be killed.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

/// Lines of its log that are kept to explain a failure.
const LAST_WORDS: usize = 12;

/// What the line begins with that says where its port is.
const PORT_LINE: &str = "health and API at ";

/// What overrides a configuration file; the demo's worker must not hear what a developer's is told.
const OVERRIDES: &str = "BATON__";

/// A running worker. Dropped, it is killed.
pub struct Worker {
    /// Where its HTTP port is, like `http://127.0.0.1:40123`.
    pub url: String,
    /// Its process id.
    pub id: u32,
    process: Child,
    _reading: AbortOnDropHandle<()>,
}

/// The end of a worker's log, which outlives the worker.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<VecDeque<String>>>);

impl Log {
    /// The last lines.
    pub fn last_words(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    fn keep(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_back(line);
        if lines.len() > LAST_WORDS {
            lines.pop_front();
        }
    }
}

impl Worker {
    /// Starts `baton serve` with this configuration file, and waits until it has a port.
    pub async fn start(config: &Path, log: &Log) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find our own program")?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with(OVERRIDES) {
                command.env_remove(name);
            }
        }
        let mut process = command
            .arg("--config")
            .arg(config)
            .arg("serve")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the worker")?;
        let (Some(id), Some(stderr)) = (process.id(), process.stderr.take()) else {
            return Err(anyhow!("the worker ended before it had begun"));
        };
        let mut lines = BufReader::new(stderr).lines();
        let url = loop {
            let Some(line) = lines.next_line().await.context("cannot read its log")? else {
                return Err(anyhow!("the worker ended before it had a port"));
            };
            let url = line
                .split_once(PORT_LINE)
                .and_then(|(_, rest)| rest.split_whitespace().next())
                .map(str::to_owned);
            log.keep(line);
            if let Some(url) = url {
                break url;
            }
        };
        let kept = log.clone();
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                kept.keep(line);
            }
        });
        Ok(Self {
            url,
            id,
            process,
            _reading: AbortOnDropHandle::new(reading),
        })
    }

    /// SIGKILL: it can neither finish nor write anything down.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("cannot kill the worker")
    }

    /// SIGTERM, and waits until it has drained.
    pub async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| anyhow!("the worker's process id {} is none", self.id))?;
        kill_process(id, Signal::TERM).context("cannot signal the worker")?;
        self.process
            .wait()
            .await
            .context("cannot wait for the worker")
    }
}
