//! What an operator can set, read from three layers: the file compiled in, the operator's file, the environment.
//!
//! Each option is read in `options.rs`; one that nobody reads does not exist, so there is no second list to keep. Mistakes are gathered and reported together.

mod kind;
mod mistake;
mod nearest;
mod options;
mod origin;
mod own_secret;
mod reader;
mod secret;
mod source;
mod unit;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

pub use mistake::{Mistake, Mistakes};
pub use origin::{Origin, Origins, Setting};
pub use own_secret::OwnSecret;
use reader::Reader;

/// Every option with its default and its meaning: the lowest layer, and the reference for operators.
pub const REFERENCE: &str = include_str!("../deploy/baton.toml");

/// The file that is read when none is named.
const USUAL_FILE: &str = "baton.toml";

/// A duration as the configuration takes it: `10s`, `15m`, `7d`.
pub fn duration(text: &str) -> Option<Duration> {
    unit::parse_duration(text)
}

/// Everything an operator can set. `deploy/baton.toml` says what each option means.
#[derive(Clone, Debug)]
pub struct Config {
    /// RabbitMQ and what we call our things there.
    pub broker: Broker,
    /// Where handoffs are kept.
    pub store: Store,
    /// The one HTTP port.
    pub http: Http,
    /// How often and how long a handoff is tried.
    pub retry: Retry,
    /// One call to a desk.
    pub desk: Desk,
    /// The streams of live conversations.
    pub streams: Streams,
    /// What contacts who wait for a rep are promised.
    pub reps: Reps,
    /// Bounds that turn pressure back to where it came from.
    pub limits: Limits,
    /// Files between contact and rep.
    pub media: Media,
    /// What goes to which channel.
    pub channels: Channels,
    /// How long what is kept.
    pub retention: Retention,
    /// What operators may do.
    pub operator: Operator,
    /// This process.
    pub worker: Worker,
    /// How ids are derived.
    pub ids: Ids,
    /// What is logged.
    pub log: Log,
    /// Where traces go.
    pub telemetry: Telemetry,
    origins: Origins,
}

/// What goes to which channel.
#[derive(Clone, Debug)]
pub struct Channels {
    /// What of a rep's replies goes to the phone queue.
    pub phone: Vec<PhonePart>,
}

/// What a reply can consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhonePart {
    /// Words.
    Text,
    /// Words that offer something to choose from.
    Choices,
    /// Files, as links.
    Files,
}

/// RabbitMQ and what we call our things there.
#[derive(Clone, Debug)]
pub struct Broker {
    /// An `amqp://` or `amqps://` address; secret because it holds a password.
    pub url: SecretString,
    /// The first word of every exchange and queue.
    pub prefix: String,
    /// The management interface, for what AMQP cannot show.
    pub management_url: Option<String>,
    /// Whether the topology is declared, or only checked.
    pub declare: bool,
    /// Deliveries taken in before they are stored.
    pub prefetch: u16,
    /// How long a confirm may take.
    pub publish_timeout: Duration,
    /// Whole seconds between signs of life.
    pub heartbeat: Duration,
}

/// Where handoffs are kept.
#[derive(Clone, Debug)]
pub struct Store {
    /// The SQLite file that `store.url` names.
    pub database: PathBuf,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// Base64 of the 32 bytes that seal secrets in the database.
    pub master_key: OwnSecret,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// For the disk: what was committed survives a power cut.
    #[default]
    Full,
    /// For the operating system: a power cut may lose acknowledged work, so whoever opens the store logs it loudly.
    Normal,
}

/// The one HTTP port.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How others reach it, without a slash at the end.
    pub public_url: String,
    /// The token that may do everything at `/api` and `/console`.
    pub token: OwnSecret,
    /// The token that may only look, if there is one.
    pub read_token: Option<SecretString>,
}

/// How often and how long a handoff is tried.
#[derive(Clone, Debug)]
pub struct Retry {
    /// The wait before each retry: as many retries as waits.
    pub waits: Vec<Duration>,
    /// The longest `Retry-After` that is obeyed.
    pub retry_after_max: Duration,
    /// From receipt to live, or dead-lettered.
    pub deadline: Duration,
}

/// One call to a desk.
#[derive(Clone, Debug)]
pub struct Desk {
    /// To open a connection.
    pub connect_timeout: Duration,
    /// From connecting to the last byte.
    pub timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub answer_max: usize,
    /// Calls at once per connection.
    pub calls_in_flight: usize,
}

/// The streams of live conversations.
#[derive(Clone, Debug)]
pub struct Streams {
    /// How long a stream may say nothing.
    pub silence: Duration,
    /// The first wait before reconnecting.
    pub reconnect_min: Duration,
    /// The longest wait before reconnecting.
    pub reconnect_max: Duration,
    /// Between two listings of all live conversations.
    pub sweep: Duration,
}

/// What contacts who wait for a rep are promised.
#[derive(Clone, Debug)]
pub struct Reps {
    /// From live until the first rep joins or writes.
    pub wait: Duration,
    /// What follows when nobody has.
    pub absent: Absent,
}

/// What follows when no rep comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    /// An event.
    #[default]
    Tell,
    /// An event, and the handoff ends.
    End,
}

/// Bounds that turn pressure back to where it came from.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest inbound event, in bytes.
    pub event: usize,
    /// Handoffs waiting for a step before intake pauses.
    pub due_max: usize,
    /// Messages waiting to be published before no new conversation is opened.
    pub outbox_max: usize,
    /// How long a contact's message waits for its escalation.
    pub early: Duration,
}

/// Files between contact and rep.
#[derive(Clone, Debug)]
pub struct Media {
    /// Where our copies are kept.
    pub store: Objects,
    /// How long a link works.
    pub link_life: Duration,
    /// The largest file that is fetched, in bytes.
    pub fetch_max: usize,
    /// From the first lookup to the last byte.
    pub fetch_timeout: Duration,
    /// The longest history that is fetched, in bytes.
    pub transcript_max: usize,
    /// Origins that need neither https nor a public address.
    pub allow: Vec<Url>,
}

/// How long what is kept.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Words and identities of what is over, and what was published.
    pub content: Duration,
    /// Handoffs that are over, their attempts and their events' ids.
    pub metadata: Duration,
    /// Dead letters.
    pub dead: Duration,
    /// Our copies of files.
    pub attachments: Duration,
}

/// What operators may do.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Change a dead letter's event before it is replayed.
    pub edit: bool,
}

/// Where copies of files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objects {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket of S3, or of what speaks like it.
    Bucket {
        /// Its name.
        name: String,
        /// What stands before the name of each object.
        prefix: String,
    },
}

/// This process.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its name in dead letters and logs.
    pub name: String,
    /// Handoffs being worked on at once.
    pub handoffs_in_flight: usize,
    /// How long a stop may take.
    pub drain: Duration,
}

/// How ids are derived.
#[derive(Clone, Debug)]
pub struct Ids {
    /// Goes into every derived id.
    pub namespace: String,
}

/// What is logged.
#[derive(Clone, Debug)]
pub struct Log {
    /// A level, and levels for parts: `info,baton::engine=debug`.
    pub level: String,
    /// For whom lines are written.
    pub format: LogFormat,
}

/// What is told to an OpenTelemetry collector.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Where spans are sent over OTLP/HTTP; nowhere if it is empty.
    pub traces: Option<String>,
}

/// For whom log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// People.
    #[default]
    Text,
    /// Collectors: one JSON object a line.
    Json,
}

impl Config {
    /// Reads the layers: the reference, then the file at `path` (or `./baton.toml` if there is one), then the
    /// variables `BATON__SECTION__KEY` among `env`. Nothing is written, not even a missing key or token.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, Mistakes> {
        let usual = Path::new(USUAL_FILE);
        let mut reader = Reader::over(REFERENCE);
        if let Some(path) = path.or_else(|| usual.exists().then_some(usual)) {
            reader.lay_file(path);
        }
        reader.lay_environment(env);
        Config::from_layers(reader)
    }

    /// Where each value came from, in the order of the reference, with secrets as `***`.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    fn from_layers(mut reader: Reader) -> Result<Config, Mistakes> {
        let mut config = Config::read(&mut reader);
        config.check(&mut reader);
        config.origins = reader.finish()?;
        Ok(config)
    }
}

impl Default for Config {
    /// The reference alone, without any file or variable.
    fn default() -> Config {
        Config::from_layers(Reader::over(REFERENCE))
            .expect("deploy/baton.toml has no mistake; a test reads it")
    }
}

/// The process's variables for [`Config::load`]. `std::env::vars` panics on one that is not Unicode; here it is left out.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
