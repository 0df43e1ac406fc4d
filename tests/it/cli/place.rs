//! A folder in which the real binary is run, and which sees to it that no secret of the folder is ever printed.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::desks::PAIR;

/// A working directory, and the environment in it.
pub struct Place {
    pub folder: TempDir,
    environment: Vec<(String, String)>,
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    /// With the files `private.pem` and `public.pem`.
    pub fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
            environment: vec![],
        };
        place.write("private.pem", &PAIR.private);
        place.write("public.pem", &PAIR.public);
        place
    }

    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_string()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a file");
    }

    /// Where its worker listens.
    pub fn listen(&self) -> &str {
        let mut all = self.environment.iter();
        let listen = all.find(|(name, _)| name == "BATON__HTTP__LISTEN");
        &listen.expect("a port").1
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_of(env!("CARGO_BIN_EXE_baton"));
        command.args(arguments);
        command
    }

    /// Another program, in the same environment.
    pub fn command_of(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs it in a line of words.
    pub fn run(&self, line: &str) -> Ran {
        self.run_with(&line.split_whitespace().collect::<Vec<_>>(), "")
    }

    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut input = child.stdin.take().expect("a pipe");
        // A verb that does not read its stdin may be gone by now.
        let _ = input.write_all(stdin.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("an end");
        let ran = Ran {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        };
        self.assert_no_secret(&ran.out);
        self.assert_no_secret(&ran.err);
        ran
    }

    /// Of a private key, no line; of keys and tokens, nothing.
    pub fn assert_no_secret(&self, printed: &str) {
        let files = ["private.pem", "baton.key", "baton.token", "master.key"];
        let texts = files.map(|name| std::fs::read_to_string(self.path(name)).unwrap_or_default());
        let lines = texts.iter().flat_map(|text| text.lines());
        for secret in lines.filter(|line| !line.starts_with("-----")) {
            assert!(!printed.contains(secret), "a secret in: {printed}");
        }
    }

    /// Starts the worker, and returns when it works.
    pub fn serve(&self) -> Worker {
        let mut child = self
            .command(&["serve"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("working; health and API at") {
            let read = lines.read_line(&mut said).expect("text");
            assert!(read > 0, "the worker ended: {said}");
        }
        let log = Arc::new(Mutex::new(said));
        let rest = log.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                rest.lock().expect("a log").push_str(&line);
                line.clear();
            }
        });
        Worker { child, log }
    }
}

impl Ran {
    /// What it printed; it did what it should.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// What it said; it failed.
    #[track_caller]
    pub fn failed(self) -> String {
        assert_eq!(self.code, 1, "{self:?}");
        self.err
    }

    /// What it said; it was used wrongly, and did nothing.
    #[track_caller]
    pub fn refused(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{self:?}");
        self.err
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.done()).expect("JSON")
    }
}

/// A running worker; killed when it is dropped.
pub struct Worker {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Worker {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
