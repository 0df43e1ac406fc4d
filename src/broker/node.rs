//! A RabbitMQ of our own for demos and tests: started as the current user from the installed package, in a temporary
//! folder, on free ports of the loopback interface.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// Longer than any boot that was measured: 12 s after a kill with much data, on a busy machine.
const BOOT: Duration = Duration::from_secs(90);

/// Between two looks whether it is ready.
const LOOK: Duration = Duration::from_millis(100);

/// What a client says first; a broker that is ready answers.
const AMQP_HEADER: &[u8; 8] = b"AMQP\0\0\x09\x01";

/// Where the keeper notes that RabbitMQ ended by itself.
const ENDED: &str = "log/ended";

/// Where packages put RabbitMQ's scripts: Debian's and RabbitMQ's own, the latter with the version in between.
const PLACES: [&str; 2] = ["/usr/lib/rabbitmq/lib", "/opt/rabbitmq"];

/// Owns the node for as long as its input is open. Whoever holds the other end may die in any way: the system closes
/// it, and node, `epmd` and folder go. A line "keep" ends the node and keeps the folder.
///
/// `epmd`, Erlang's name server, is started here because Erlang would start it as a daemon that outlives everything.
/// Both run in sessions of their own: one signal then reaches all their children, and Ctrl-C in a terminal none. A file
/// "ended" tells that RabbitMQ ended by itself.
const KEEPER: &str = r#"
folder=$1; server=$2; exec 2>>"$folder/log/keeper"
setsid epmd >/dev/null 2>&1 &
epmd=$!
until epmd -names >/dev/null 2>&1; do kill -0 $epmd || break; sleep 0.05; done
setsid sh -c '"$1" >"$2/stdout" 2>&1; : >"$2/ended"' sh "$server" "$folder/log" &
server=$!
read -r order
kill -KILL -$server -$epmd
wait
[ "$order" = keep ] || rm -rf "$folder"
"#;

/// A running RabbitMQ. Dropped, or when our process ends in whatever way, it is killed and its folder removed.
#[derive(Debug)]
pub struct PrivateNode {
    ports: Ports,
    sbin: PathBuf,
    keeper: Option<Child>,
    // Last, because the folder can only go when nobody writes to it.
    folder: TempDir,
}

/// Free ports, which may be taken by somebody else before RabbitMQ gets there; then the start fails.
#[derive(Clone, Copy, Debug)]
struct Ports {
    amqp: u16,
    distribution: u16,
    epmd: u16,
    tools: u16,
}

/// Why there is no RabbitMQ.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Not on this machine.
    #[error("RabbitMQ is not installed; run: apt-get install rabbitmq-server")]
    NotInstalled,
    /// A folder, port or process cannot be had.
    #[error(
        "cannot start RabbitMQ ({0}); check that /tmp is writable, and that setsid and epmd are installed"
    )]
    System(#[from] io::Error),
    /// It did not come up.
    #[error("RabbitMQ was not ready after {} s; it said last: {last_words}", waited.as_secs())]
    NotReady {
        /// How long we waited.
        waited: Duration,
        /// The end of its output.
        last_words: String,
    },
}

impl PrivateNode {
    /// Starts a node and waits until it takes connections, usually about 5 s. `progress` hears now and then how long
    /// it has been.
    pub async fn start(progress: impl FnMut(Duration)) -> Result<Self, NodeError> {
        let sbin = installed(&PLACES.map(PathBuf::from)).ok_or(NodeError::NotInstalled)?;
        let folder = tempfile::Builder::new()
            .prefix("baton-rabbitmq-")
            .tempdir()?;
        let mut node = Self {
            ports: Ports::free()?,
            sbin,
            keeper: None,
            folder,
        };
        node.furnish()?;
        node.restart(progress).await?;
        Ok(node)
    }

    /// Where clients connect, as RabbitMQ's default user.
    pub fn url(&self) -> SecretString {
        format!("amqp://guest:guest@127.0.0.1:{}", self.ports.amqp).into()
    }

    /// Where its data and its log are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it as a power cut would. The data stays.
    pub async fn kill(&mut self) -> Result<(), NodeError> {
        self.end("keep\n").await
    }

    /// Starts it again after [`kill`](Self::kill), with the same data, under the same URL.
    pub async fn restart(&mut self, mut progress: impl FnMut(Duration)) -> Result<(), NodeError> {
        self.kill().await?;
        let _ = fs::remove_file(self.path(ENDED));
        let server = self.sbin.join("rabbitmq-server");
        let keeper = self
            .command("sh")
            .args(["-c", KEEPER, "baton-rabbitmq-keeper"])
            .args([self.folder.path(), &server])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        self.keeper = Some(keeper);
        let start = Instant::now();
        while !self.answers().await {
            progress(start.elapsed());
            if start.elapsed() > BOOT || self.path(ENDED).exists() {
                let (waited, last_words) = (start.elapsed(), self.last_words());
                self.kill().await?;
                return Err(NodeError::NotReady { waited, last_words });
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Ends it and removes its folder.
    pub async fn stop(mut self) -> Result<(), NodeError> {
        self.end("").await
    }

    /// Runs `rabbitmqctl` against it, which takes a second or two.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<Output, NodeError> {
        let mut command =
            tokio::process::Command::from(self.command(self.sbin.join("rabbitmqctl")));
        Ok(command
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?)
    }

    async fn end(&mut self, order: &'static str) -> Result<(), NodeError> {
        if let Some(keeper) = self.keeper.take() {
            tokio::task::spawn_blocking(move || end(keeper, order))
                .await
                .map_err(io::Error::other)??;
        }
        Ok(())
    }

    fn furnish(&self) -> io::Result<()> {
        for name in ["home", "data", "log"] {
            fs::create_dir(self.folder.path().join(name))?;
        }
        // No plugins: the management interface costs a second of the start and a hundred megabytes.
        fs::write(self.path("enabled_plugins"), "[].")?;
        fs::write(self.path("none"), "")?;
        fs::write(
            self.path("rabbitmq.conf"),
            format!(
                "listeners.tcp.1 = 127.0.0.1:{}\nlog.file.level = warning\n\
                 vm_memory_high_watermark.absolute = 2GB\ndisk_free_limit.absolute = 200MB\n",
                self.ports.amqp
            ),
        )
    }

    /// A command in the environment of the node; without it, it would meet another RabbitMQ of this machine.
    fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command
            .env("HOME", self.path("home"))
            .env("ERL_EPMD_PORT", self.ports.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", "baton@localhost")
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env("RABBITMQ_CTL_DIST_PORT_MIN", self.ports.tools.to_string())
            .env("RABBITMQ_CTL_DIST_PORT_MAX", self.ports.tools.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.path("data"))
            .env("RABBITMQ_LOG_BASE", self.path("log"))
            .env("RABBITMQ_PID_FILE", self.path("pid"))
            .env("RABBITMQ_CONFIG_FILE", self.path("rabbitmq"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", self.path("advanced"))
            .env("RABBITMQ_CONF_ENV_FILE", self.path("none"))
            .env(
                "RABBITMQ_ENABLED_PLUGINS_FILE",
                self.path("enabled_plugins"),
            )
            // Erlang's distribution would listen on every interface, and its schedulers would spin.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-start_epmd false +S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env(
                "RABBITMQ_CTL_ERL_ARGS",
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            );
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn answers(&self) -> bool {
        let asked = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.ports.amqp)).await?;
            stream.write_all(AMQP_HEADER).await?;
            stream.read_u8().await
        };
        matches!(timeout(Duration::from_secs(1), asked).await, Ok(Ok(_)))
    }

    fn last_words(&self) -> String {
        let output = fs::read_to_string(self.path("log/stdout")).unwrap_or_default();
        let lines: Vec<&str> = output
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        lines[lines.len().saturating_sub(5)..].join(" / ")
    }
}

impl Drop for PrivateNode {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            // Nobody is left to hear of a failure, and the keeper ends with our process at the latest.
            let _ = end(keeper, "");
        }
    }
}

impl Ports {
    fn free() -> io::Result<Self> {
        // All are held until the last is found, so that they differ.
        let listeners = [(); 4].map(|()| TcpListener::bind(("127.0.0.1", 0)));
        let mut ports = [0; 4];
        for (port, listener) in ports.iter_mut().zip(&listeners) {
            *port = listener
                .as_ref()
                .map_err(|error| io::Error::from(error.kind()))?
                .local_addr()?
                .port();
        }
        let [amqp, distribution, epmd, tools] = ports;
        Ok(Self {
            amqp,
            distribution,
            epmd,
            tools,
        })
    }
}

/// The newest RabbitMQ's folder of scripts. The wrappers in `/usr/sbin` would switch to the user `rabbitmq`.
fn installed(places: &[PathBuf]) -> Option<PathBuf> {
    let versions = places
        .iter()
        .filter_map(|place| fs::read_dir(place).ok())
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions
        .map(|version| version.path().join("sbin"))
        .collect();
    folders.extend(places.iter().map(|place| place.join("sbin")));
    folders.retain(|folder| folder.join("rabbitmq-server").is_file());
    folders.sort();
    folders.pop()
}

/// Tells a keeper to end the node, and waits until it has.
fn end(mut keeper: Child, order: &str) -> io::Result<()> {
    if let Some(mut input) = keeper.stdin.take() {
        // Fails when the keeper is gone already.
        let _ = input.write_all(order.as_bytes());
    }
    keeper.wait().map(drop)
}
