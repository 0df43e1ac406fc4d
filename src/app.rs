//! Wiring and shutdown: the only file that knows everything.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::broker::{self, Broker, Declare, Names};
use crate::config::{self, Config, PhonePart};
use crate::desk::http::{self, Http};
use crate::domain::channel::Part;
use crate::domain::clock::Clock;
use crate::domain::event::Bounds;
use crate::domain::ids::Namespace;
use crate::domain::patience::{NoRep, Patience};
use crate::domain::retry::Policy;
use crate::domain::seal::{ExposeSecret, MasterKey};
use crate::engine::attendant::Attendant;
use crate::engine::courier::Courier;
use crate::engine::custodian::Custodian;
use crate::engine::desks::Desks;
use crate::engine::files::Files;
use crate::engine::gaps::Gaps;
use crate::engine::governor::Governor;
use crate::engine::intake::Intake;
use crate::engine::jobs::Jobs;
use crate::engine::listener::{self, Listener};
use crate::engine::media::{Custody, Fetcher, Links, Place, Rules};
use crate::engine::moments::Moments;
use crate::engine::outbox::Outbox;
use crate::engine::retention::{Ages, Retention};
use crate::engine::tokens::Tokens;
use crate::engine::worker::Worker;
use crate::metrics::Metrics;
use crate::operator::console::{self, Console, Queues};
use crate::operator::media::{self, Media};
use crate::operator::metrics::Vitals;
use crate::operator::role;
use crate::operator::server;
use crate::operator::webhook::{self, CaughtUp, Webhooks};
use crate::operator::{api, verbs::Operator};
use crate::store::sqlite::{self, SqliteStore, Synchronous};
use crate::store::{Lane, Pressure, Store};
use crate::traces::{self, Exporter, Traces};

/// Publishers that share the outbox: while one waits for its confirms, the other fills its batch.
const LANES: i64 = 2;
/// So many runs in a row that did not come to their end are taken for a sign that some delivery is to blame.
const LOST_RUNS_MAX: u32 = 2;
/// How long a worker is careful after them; then they are forgotten.
const CAREFUL: Duration = Duration::from_mins(10);
/// How long a stop waits for the collector to take the last spans: with `worker.drain` below the time after which
/// Kubernetes kills.
const FLUSH: Duration = Duration::from_secs(3);
/// At a start, the streams of all live conversations open within this time, so that the desk is not stormed.
const STREAMS_SPREAD: Duration = Duration::from_secs(2);

/// The parts that do not need a broker: what the command line uses when no worker runs.
pub struct Base {
    /// What is durable.
    pub store: Arc<dyn Store>,
    /// What an operator can do.
    pub operator: Operator,
    governor: Arc<Governor>,
    desks: Arc<Desks>,
    links: Links,
    metrics: Arc<Metrics>,
}

impl Base {
    /// Opens the store and everything that hangs on it.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let key = master_key(config, &config.store.database)?;
        let metrics = Arc::<Metrics>::default();
        let links = Links::new(&key.derive("media links"), &config.http.public_url);
        let store: Arc<dyn Store> = Arc::new(open_store(config, key, metrics.clone())?);
        let clock = Clock::System;
        let limits = http::Limits {
            connect_timeout: config.desk.connect_timeout,
            timeout: config.desk.timeout,
            answer_bytes_max: config.desk.answer_max,
            stream_silence: config.streams.silence,
        };
        let http = Http::new(limits).context("cannot set up HTTP for the desks")?;
        let desks = Arc::new(Desks::new(store.clone(), http, clock.clone()));
        let governor = Arc::new(Governor::new(config.desk.calls_in_flight));
        let operator = Operator {
            store: store.clone(),
            desks: desks.clone(),
            governor: governor.clone(),
            clock,
            bounds: Bounds {
                event_bytes_max: config.limits.event,
            },
            deadline: config.retry.deadline,
            public_url: config.http.public_url.clone(),
            files_in: place(config),
            may_edit: config.operator.edit,
        };
        Ok(Self {
            store,
            operator,
            governor,
            desks,
            links,
            metrics,
        })
    }
}

impl Base {
    /// What does jobs over dead letters.
    pub fn jobs(&self) -> Jobs {
        Jobs {
            store: self.store.clone(),
            rules: self.operator.rules(),
            clock: self.operator.clock.clone(),
        }
    }
}

/// What the loops share.
struct Parts {
    store: Arc<dyn Store>,
    desks: Arc<Desks>,
    governor: Arc<Governor>,
    files: Files,
    jobs: Arc<Jobs>,
    clock: Clock,
    names: Names,
    broker: Broker,
    metrics: Arc<Metrics>,
    traces: Traces,
}

impl Parts {
    /// The loops that take handoffs on and carry words both ways.
    fn start_steps(&self, config: &Config, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
        let Self {
            store,
            desks,
            governor,
            files,
            clock,
            metrics,
            traces,
            ..
        } = self;
        let tokens = Arc::new(Tokens {
            metrics: metrics.clone(),
            store: store.clone(),
            governor: governor.clone(),
            clock: clock.clone(),
        });
        let worker = Arc::new(Worker {
            metrics: metrics.clone(),
            traces: traces.clone(),
            store: store.clone(),
            desks: desks.clone(),
            governor: governor.clone(),
            files: files.clone(),
            policy: policy(config),
            clock: clock.clone(),
            in_flight_max: config.worker.handoffs_in_flight,
            grace: config.desk.timeout,
        });
        let gaps = Arc::new(Gaps {
            metrics: metrics.clone(),
            store: store.clone(),
            clock: clock.clone(),
        });
        let listener = Arc::new(Listener {
            metrics: metrics.clone(),
            store: store.clone(),
            desks: desks.clone(),
            tokens: tokens.clone(),
            gaps: gaps.clone(),
            moments: Moments::start(self.broker.clone(), &self.names),
            clock: clock.clone(),
            options: listener::Options {
                reconnect_min: config.streams.reconnect_min,
                reconnect_max: config.streams.reconnect_max,
                sweep: config.streams.sweep,
                spread: STREAMS_SPREAD,
            },
        });
        let attendant = Arc::new(Attendant {
            store: store.clone(),
            desks: desks.clone(),
            tokens: tokens.clone(),
            gaps,
            clock: clock.clone(),
            patience: patience(config),
        });
        let courier = Arc::new(Courier {
            metrics: metrics.clone(),
            traces: traces.clone(),
            store: store.clone(),
            desks: desks.clone(),
            governor: governor.clone(),
            tokens,
            files: files.clone(),
            policy: policy(config),
            clock: clock.clone(),
            early: config.limits.early,
            in_flight_max: config.worker.handoffs_in_flight,
        });
        let custodian = Arc::new(Custodian {
            store: store.clone(),
            desks: desks.clone(),
            files: files.clone(),
            clock: clock.clone(),
        });
        let retention = Arc::new(Retention {
            store: store.clone(),
            custody: files.custody.clone(),
            ages: ages(config),
            clock: clock.clone(),
        });
        vec![
            tokio::spawn(retention.run(stop.clone())),
            tokio::spawn(self.jobs.clone().run(stop.clone())),
            tokio::spawn(worker.run(stop.clone())),
            tokio::spawn(listener.run(stop.clone())),
            tokio::spawn(courier.run(stop.clone())),
            tokio::spawn(custodian.run(stop.clone())),
            tokio::spawn(attendant.run(stop.clone())),
        ]
    }

    fn start_outbox(&self, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
        let lanes = (0..LANES).map(|number| Outbox {
            metrics: self.metrics.clone(),
            traces: self.traces.clone(),
            store: self.store.clone(),
            broker: self.broker.clone(),
            names: self.names.clone(),
            clock: self.clock.clone(),
            lane: Lane { number, of: LANES },
        });
        lanes
            .map(|lane| tokio::spawn(lane.run(stop.clone())))
            .collect()
    }
}

/// The worker, running.
pub struct App {
    /// Where the HTTP port is.
    pub address: SocketAddr,
    store: Arc<dyn Store>,
    broker: Broker,
    intake: JoinHandle<()>,
    steps: Vec<JoinHandle<()>>,
    outbox: Vec<JoinHandle<()>>,
    stop_steps: CancellationToken,
    stop_outbox: CancellationToken,
    stop_server: CancellationToken,
    tracing: Option<Tracing>,
    drain: Duration,
}

/// What takes spans to the collector, running.
struct Tracing {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Tracing {
    fn start(exporter: Exporter) -> Self {
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(exporter.run(stop.clone())),
            stop,
        }
    }

    /// Sends what there is, or gives it up: no stop waits long for a collector.
    async fn stop(mut self) {
        self.stop.cancel();
        match tokio::time::timeout(FLUSH, &mut self.task).await {
            Ok(ended) => report(ended),
            Err(_) => self.task.abort(),
        }
    }
}

impl App {
    /// Starts everything. What only a human can put right is an error; a broker that is away is waited for.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let base = Base::open(config)?;
        let jobs = base.jobs();
        let Base {
            store,
            operator,
            governor,
            desks,
            links,
            metrics,
        } = base;
        let token = config.http.token.read_or_make().context("http.token")?;
        let tokens = role::Tokens::new(token, config.http.read_token.clone())?;
        let listener = TcpListener::bind(config.http.listen)
            .await
            .with_context(|| {
                format!(
                    "cannot listen on {}; change `http.listen`, or stop what listens there",
                    config.http.listen
                )
            })?;
        let address = listener.local_addr()?;
        let lost_runs = store.begin_run().await?;
        let careful = if lost_runs < LOST_RUNS_MAX {
            Duration::ZERO
        } else {
            warn!(
                lost_runs,
                "the last {lost_runs} runs died; for ten minutes deliveries are taken one at a time, to find the one that may be to blame"
            );
            CAREFUL
        };
        let broker_options = broker::Options {
            careful,
            ..broker_options(config)
        };
        let (broker, deliveries) = Broker::start(broker_options).await?;
        let clock = Clock::System;
        let (stop_steps, stop_outbox, stop_server) = (
            CancellationToken::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );

        let vitals = Vitals {
            store: store.clone(),
            database: config.store.database.clone(),
            broker: broker.state(),
            counters: broker.counters(),
            governor: governor.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
        };
        let console = Console::new(
            operator.clone(),
            vitals.clone(),
            tokens.clone(),
            Queues {
                url: config.broker.url.clone(),
                prefix: config.broker.prefix.clone(),
            },
            &config.http.public_url,
        );
        let files = open_files(config, links)?;
        let media = Media {
            custody: files.custody.clone(),
            links: files.links.clone(),
            clock: clock.clone(),
        };
        let webhooks = Webhooks {
            caught_up: CaughtUp::default(),
            store: store.clone(),
            desks: desks.clone(),
            clock: clock.clone(),
        };
        let routes = server::open_routes(vitals)
            .merge(media::routes(media))
            .merge(webhook::routes(webhooks))
            .merge(console::routes(console))
            .merge(api::behind_tokens(api::routes(operator.clone()), tokens));
        serve(listener, routes, stop_server.clone());

        let (traces, exporter) = open_traces(config, metrics.clone())?;
        let tracing = exporter.map(Tracing::start);
        let parts = Parts {
            store: store.clone(),
            desks,
            governor,
            files,
            jobs: Arc::new(jobs),
            clock: clock.clone(),
            names: Names::new(&config.broker.prefix),
            broker: broker.clone(),
            metrics: metrics.clone(),
            traces: traces.clone(),
        };
        let steps = parts.start_steps(config, &stop_steps);
        let outbox = parts.start_outbox(&stop_outbox);
        let intake = Intake {
            metrics,
            traces,
            store: store.clone(),
            broker: broker.clone(),
            clock,
            bounds: operator.bounds,
            deadline: operator.deadline,
            careful,
            full: Pressure {
                due: config.limits.due_max,
                unconfirmed: config.limits.outbox_max,
            },
        };
        let intake = tokio::spawn(intake.run(deliveries));
        forget_lost_runs(store.clone(), &stop_steps);
        info!(%address, worker = config.worker.name, "working; health and API at http://{address}");
        let drain = config.worker.drain;
        Ok(Self {
            address,
            store,
            broker,
            intake,
            steps,
            outbox,
            stop_steps,
            stop_outbox,
            stop_server,
            tracing,
            drain,
        })
    }

    /// Drains within `worker.drain`: nothing more is taken, calls that are out come to their end, what is ready is
    /// published. What does not fit is found again at the next start.
    pub async fn stop(self) {
        let Self {
            store,
            broker,
            intake,
            steps,
            outbox,
            stop_steps,
            stop_outbox,
            stop_server,
            tracing,
            drain,
            ..
        } = self;
        let ordered = async {
            broker.pause().await;
            stop_steps.cancel();
            for task in steps {
                report(task.await);
            }
            stop_outbox.cancel();
            for task in outbox {
                report(task.await);
            }
            broker.stop().await;
            report(intake.await);
            if let Err(error) = store.close().await {
                warn!(%error, "could not mark the exit as clean");
            }
        };
        if tokio::time::timeout(drain, ordered).await.is_err() {
            warn!(
                "stopping took longer than `worker.drain`; the rest is found again at the next start"
            );
        }
        if let Some(tracing) = tracing {
            tracing.stop().await;
        }
        stop_server.cancel();
        info!("stopped");
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(%error, "a loop ended by a panic");
    }
}

/// A worker that has held for a while is in order, and so is what it was given.
fn forget_lost_runs(store: Arc<dyn Store>, stop: &CancellationToken) {
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(CAREFUL) => {
                if let Err(error) = store.forget_runs().await {
                    warn!(%error, "could not forget the runs that died");
                }
            }
        }
    });
}

fn serve(listener: TcpListener, routes: Router, stop: CancellationToken) {
    tokio::spawn(async move {
        // The console has to know who guesses tokens.
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, routes)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await;
        if let Err(error) = served {
            warn!(%error, "the HTTP port failed");
        }
    });
}

fn place(config: &Config) -> Place {
    match &config.media.store {
        config::Objects::Folder(folder) => Place::Folder(folder.clone()),
        config::Objects::Bucket { name, prefix } => Place::Bucket {
            name: name.clone(),
            prefix: prefix.clone(),
        },
    }
}

fn open_files(config: &Config, links: Links) -> anyhow::Result<Files> {
    let place = place(config);
    Ok(Files {
        fetcher: Fetcher::new(&config.media.allow).context("cannot set up HTTP for files")?,
        custody: Custody::open(&place).context("media.store")?,
        links,
        rules: Rules {
            bytes_max: config.media.fetch_max,
            time_max: config.media.fetch_timeout,
        },
        transcript_rules: Rules {
            bytes_max: config.media.transcript_max,
            time_max: config.media.fetch_timeout,
        },
        link_life: config.media.link_life,
    })
}

fn open_traces(
    config: &Config,
    metrics: Arc<Metrics>,
) -> anyhow::Result<(Traces, Option<Exporter>)> {
    let Some(collector) = config.telemetry.traces.clone() else {
        return Ok((Traces::default(), None));
    };
    let options = traces::Options {
        collector,
        worker: config.worker.name.clone(),
    };
    let (traces, exporter) =
        Traces::to(options, metrics).context("cannot set up HTTP for the collector")?;
    Ok((traces, Some(exporter)))
}

fn ages(config: &Config) -> Ages {
    Ages {
        content: config.retention.content,
        metadata: config.retention.metadata,
        dead: config.retention.dead,
        attachments: config.retention.attachments,
    }
}

fn policy(config: &Config) -> Policy {
    Policy {
        waits: config.retry.waits.clone(),
        retry_after_max: config.retry.retry_after_max,
        deadline: config.retry.deadline,
    }
}

fn patience(config: &Config) -> Patience {
    Patience {
        wait: config.reps.wait,
        then: match config.reps.absent {
            config::Absent::Tell => NoRep::Tell,
            config::Absent::End => NoRep::End,
        },
    }
}

fn broker_options(config: &Config) -> broker::Options {
    broker::Options {
        prefix: config.broker.prefix.clone(),
        name: format!("baton {}", config.worker.name),
        declare: if config.broker.declare {
            Declare::Declare
        } else {
            Declare::Check
        },
        prefetch: config.broker.prefetch,
        publish_timeout: config.broker.publish_timeout,
        ..broker::Options::new(config.broker.url.clone())
    }
}

fn open_store(
    config: &Config,
    key: MasterKey,
    metrics: Arc<Metrics>,
) -> anyhow::Result<SqliteStore> {
    let path = &config.store.database;
    let synchronous = match config.store.synchronous {
        config::Synchronous::Full => Synchronous::Full,
        config::Synchronous::Normal => {
            warn!(
                "store.synchronous is \"normal\": a power cut may lose escalations that were acked"
            );
            Synchronous::Normal
        }
    };
    let options = sqlite::Options {
        path: path.clone(),
        synchronous,
        key,
        namespace: Namespace::new(&config.ids.namespace),
        worker: config.worker.name.clone(),
        metrics,
    };
    let phone = config.channels.phone.iter().map(|part| match part {
        PhonePart::Text => Part::Text,
        PhonePart::Choices => Part::Choices,
        PhonePart::Files => Part::Files,
    });
    Ok(SqliteStore::open(options)?.with_phone(phone.collect()))
}

/// A key may be made for a new database, never for one that was sealed under another.
fn master_key(config: &Config, database: &Path) -> anyhow::Result<MasterKey> {
    let key = if database.exists() {
        match config.store.master_key.read() {
            Ok(key) => key,
            Err(error) => bail!(
                "the database {} is there and its master key is not ({error}); \
                 put the key back, or give it as `store.master_key`",
                database.display()
            ),
        }
    } else {
        config
            .store
            .master_key
            .read_or_make()
            .context("store.master_key")?
    };
    Ok(MasterKey::parse(key.expose_secret())?)
}
