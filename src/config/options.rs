//! The list of options: each with its key and what it may be, and what they ask of each other.

use std::net::SocketAddr;
use std::time::Duration;

use super::kind::{
    address, choice, count, duration, list, log_level, name, objects, optional_web_address, server,
    size, sqlite, switch, web_address,
};
use super::reader::Reader;
use super::{
    Absent, Broker, Channels, Config, Desk, Http, Ids, Limits, Log, LogFormat, Media, Objects,
    Operator, Origins, PhonePart, Reps, Retention, Retry, Store, Streams, Synchronous, Telemetry,
    Worker, secret,
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const WEEK: Duration = Duration::from_hours(7 * 24);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Beyond what one process can hold: only a slip of the hand is above.
const MANY: u64 = 10_000_000;

impl Config {
    /// Reads every option once, in the order of the reference.
    pub(super) fn read(read: &mut Reader) -> Config {
        let broker = Broker::read(read);
        let store = Store::read(read);
        Config {
            http: Http::read(read, &store),
            retry: Retry::read(read),
            desk: Desk::read(read),
            streams: Streams::read(read),
            reps: Reps::read(read),
            limits: Limits::read(read),
            media: Media::read(read, &store),
            channels: Channels::read(read),
            retention: Retention::read(read),
            operator: Operator {
                edit: read.option("operator.edit", switch),
            },
            worker: Worker::read(read),
            ids: Ids {
                namespace: read.option("ids.namespace", name),
            },
            log: Log::read(read),
            telemetry: Telemetry {
                traces: read.option("telemetry.traces", optional_web_address),
            },
            origins: Origins::default(),
            broker,
            store,
        }
    }

    /// Values that are right alone and wrong together.
    pub(super) fn check(&self, read: &mut Reader) {
        let Config {
            retry,
            desk,
            streams,
            media,
            retention,
            worker,
            ..
        } = self;

        // The last retry has to be over by the deadline, or it is a retry on paper.
        let last_retry = retry
            .waits
            .iter()
            .fold(desk.timeout, |sum, wait| sum.saturating_add(*wait));
        read.require_room(
            "retry.deadline",
            retry.deadline,
            &["retry.waits", "desk.timeout"],
            last_retry,
        );
        read.require_room(
            "retry.deadline",
            retry.deadline,
            &["retry.retry_after_max"],
            retry.retry_after_max,
        );
        read.require_room(
            "desk.timeout",
            desk.timeout,
            &["desk.connect_timeout"],
            desk.connect_timeout,
        );
        read.require_room(
            "streams.reconnect_max",
            streams.reconnect_max,
            &["streams.reconnect_min"],
            streams.reconnect_min,
        );
        // A row outlives its words.
        read.require_room(
            "retention.metadata",
            retention.metadata,
            &["retention.content"],
            retention.content,
        );
        // A link to a file that is gone would be a lie.
        read.require_room(
            "retention.attachments",
            retention.attachments,
            &["media.link_life"],
            media.link_life,
        );
        // A call that is out when the stop comes gets to its end.
        read.require_room(
            "worker.drain",
            worker.drain,
            &["desk.timeout"],
            desk.timeout,
        );
    }
}

impl Broker {
    fn read(read: &mut Reader) -> Broker {
        Broker {
            url: read
                .secret("broker.url", &secret::BROKER_URL)
                .unwrap_or_default(),
            management_url: read.option("broker.management_url", optional_web_address),
            prefix: read.option("broker.prefix", name),
            declare: read.option("broker.declare", switch),
            // Quorum queues allow no more.
            prefetch: read.option("broker.prefetch", count(1..=2000)),
            publish_timeout: read.option("broker.publish_timeout", duration(MS..=HOUR)),
            heartbeat: read.option("broker.heartbeat", duration(SECOND..=HOUR)),
        }
    }
}

impl Store {
    fn read(read: &mut Reader) -> Store {
        const WORDS: [(&str, Synchronous); 2] =
            [("full", Synchronous::Full), ("normal", Synchronous::Normal)];
        let database = read.option("store.url", sqlite);
        let synchronous = read.option(
            "store.synchronous",
            choice("\"full\" or \"normal\"", &WORDS),
        );
        let key_file = database.with_file_name("baton.key");
        let master_key = read.own_secret("store.master_key", key_file, &secret::MASTER_KEY);
        Store {
            database,
            synchronous,
            master_key,
        }
    }
}

impl Http {
    fn read(read: &mut Reader, store: &Store) -> Http {
        let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let token_file = store.database.with_file_name("baton.token");
        let listen = read.option_or("http.listen", anywhere, address);
        read.supply("http.public_url", format!("http://{listen}"));
        Http {
            listen,
            public_url: read.option("http.public_url", web_address),
            token: read.own_secret("http.token", token_file, &secret::TOKEN),
            read_token: read.secret("http.read_token", &secret::TOKEN),
        }
    }
}

impl Retry {
    fn read(read: &mut Reader) -> Retry {
        Retry {
            waits: read.option("retry.waits", list(duration(MS..=WEEK))),
            retry_after_max: read.option("retry.retry_after_max", duration(MS..=WEEK)),
            deadline: read.option("retry.deadline", duration(MS..=WEEK)),
        }
    }
}

impl Desk {
    fn read(read: &mut Reader) -> Desk {
        Desk {
            connect_timeout: read.option("desk.connect_timeout", duration(MS..=MINUTE)),
            timeout: read.option("desk.timeout", duration(MS..=HOUR)),
            answer_max: read.option("desk.answer_max", size(KIB..=64 * MIB)),
            calls_in_flight: read.option("desk.calls_in_flight", count(1..=10_000)),
        }
    }
}

impl Streams {
    fn read(read: &mut Reader) -> Streams {
        Streams {
            silence: read.option("streams.silence", duration(MS..=HOUR)),
            reconnect_min: read.option("streams.reconnect_min", duration(MS..=HOUR)),
            reconnect_max: read.option("streams.reconnect_max", duration(MS..=HOUR)),
            sweep: read.option("streams.sweep", duration(MS..=WEEK)),
        }
    }
}

impl Reps {
    fn read(read: &mut Reader) -> Reps {
        const WORDS: [(&str, Absent); 2] = [("tell", Absent::Tell), ("end", Absent::End)];
        Reps {
            wait: read.option("reps.wait", duration(MS..=WEEK)),
            absent: read.option("reps.absent", choice("\"tell\" or \"end\"", &WORDS)),
        }
    }
}

impl Limits {
    fn read(read: &mut Reader) -> Limits {
        Limits {
            // RabbitMQ 4 takes no larger message unless it is told to.
            event: read.option("limits.event", size(KIB..=16 * MIB)),
            due_max: read.option("limits.due_max", count(1..=MANY)),
            outbox_max: read.option("limits.outbox_max", count(1..=MANY)),
            early: read.option("limits.early", duration(MS..=WEEK)),
        }
    }
}

impl Media {
    fn read(read: &mut Reader, store: &Store) -> Media {
        let folder = store.database.with_file_name("baton-media");
        read.supply("media.store", format!("file:{}", folder.display()));
        Media {
            store: read.option_or("media.store", Objects::Folder(folder), objects),
            link_life: read.option(
                "media.link_life",
                duration(SECOND..=WEEK.saturating_mul(52)),
            ),
            fetch_max: read.option("media.fetch_max", size(KIB..=GIB)),
            fetch_timeout: read.option("media.fetch_timeout", duration(MS..=HOUR)),
            transcript_max: read.option("media.transcript_max", size(KIB..=GIB)),
            allow: read.option("media.allow", list(server)),
        }
    }
}

impl Retention {
    fn read(read: &mut Reader) -> Retention {
        const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
        Retention {
            content: read.option("retention.content", duration(MINUTE..=CENTURY)),
            metadata: read.option("retention.metadata", duration(MINUTE..=CENTURY)),
            dead: read.option("retention.dead", duration(MINUTE..=CENTURY)),
            attachments: read.option("retention.attachments", duration(MINUTE..=CENTURY)),
        }
    }
}

impl Channels {
    fn read(read: &mut Reader) -> Channels {
        const WORDS: [(&str, PhonePart); 3] = [
            ("text", PhonePart::Text),
            ("choices", PhonePart::Choices),
            ("files", PhonePart::Files),
        ];
        let part = choice("\"text\", \"choices\" or \"files\"", &WORDS);
        Channels {
            phone: read.option("channels.phone", list(part)),
        }
    }
}

impl Worker {
    fn read(read: &mut Reader) -> Worker {
        read.supply("worker.name", format!("{}-{}", host(), std::process::id()));
        Worker {
            name: read.option("worker.name", name),
            handoffs_in_flight: read.option("worker.handoffs_in_flight", count(1..=MANY)),
            drain: read.option("worker.drain", duration(MS..=HOUR)),
        }
    }
}

impl Log {
    fn read(read: &mut Reader) -> Log {
        const WORDS: [(&str, LogFormat); 2] =
            [("text", LogFormat::Text), ("json", LogFormat::Json)];
        Log {
            level: read.option("log.level", log_level),
            format: read.option("log.format", choice("\"text\" or \"json\"", &WORDS)),
        }
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .or_else(|_| std::env::var("HOSTNAME"))
        .unwrap_or_else(|_| "baton".to_owned())
}
