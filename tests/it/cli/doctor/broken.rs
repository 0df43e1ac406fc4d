//! Broken set-ups, one after the other: each begins in order and is spoilt in one thing.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use baton::broker::topology::Topology;
use baton::domain::keys::RsaPair;
use baton::domain::seal::{ExposeSecret, MasterKey};
use baton::sim::dynamics::switches::{App, ApplicationUser};
use baton::sim::faults::{Fault, Nth, What};
use baton::sim::salesforce::switches::BadIdentity;
use baton::sim::zendesk::call;
use baton::sim::zendesk::switches::MultiConversations;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;

use super::desks::{Desks, Settings, jwk_until};
use super::{Diagnosis, connect, place};
use crate::broker::bench::Bench;
use crate::cli::place::Place;

/// Puts something wrong into a JWK.
type Spoil = fn(&mut serde_json::Value);

/// What was said about one thing that is wrong, for one of many.
struct Said {
    all: BTreeMap<String, String>,
}

impl Said {
    /// The doctor finds this first, says all of it, and fails.
    #[track_caller]
    fn expect(&mut self, name: &str, diagnosis: &Diagnosis, parts: &[&str]) {
        let wrong = diagnosis.with("wrong");
        let first = wrong
            .first()
            .unwrap_or_else(|| panic!("{name}: nothing is wrong"));
        for part in parts {
            assert!(first.contains(part), "{name}: {part} in {wrong:#?}");
        }
        assert_ne!(diagnosis.code, 0, "{name}");
        let known = self.all.insert(first.clone(), name.to_owned());
        assert_eq!(known, None, "{name} is told as another: {first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_store_and_broker_has_a_message_of_its_own() {
    let mut said = Said {
        all: BTreeMap::new(),
    };
    of_the_store(&mut said).await;
    of_the_broker(&mut said).await;
    of_the_machine(&mut said).await;
    assert!(said.all.len() >= 15, "{:#?}", said.all);
}

async fn of_the_store(said: &mut Said) {
    let (mut place, _bench) = place().await;
    place.write("baton.toml", "[store]\nurrl = \"sqlite:baton.db\"\n");
    let diagnosis = Diagnosis::of(&place, "");
    assert_eq!(diagnosis.code, 2);
    said.expect(
        "an option with a slip",
        &diagnosis,
        &["store.urrl", "did you mean store.url?"],
    );
    std::fs::remove_file(place.path("baton.toml")).expect("removed");

    let key = MasterKey::generate();
    place.write("baton.key", &key);
    place.write("secret.txt", "s3cret");
    place
        .run(
            "connection add acme --desk dynamics --tenant-id 22222222-2222-2222-2222-222222222222 \
        --client-id 11111111-1111-1111-1111-111111111111 --environment-url http://127.0.0.1:1 \
        --login-url http://127.0.0.1:1 \
        --default-queue-id 33333333-3333-3333-3333-333333333333 --client-secret @secret.txt",
        )
        .done();

    place.run("doctor").failed();
    said.expect(
        "a key that others may read",
        &Diagnosis::of(&place, ""),
        &["chmod 600 baton.key"],
    );
    std::process::Command::new("chmod")
        .args(["600", "baton.key"])
        .current_dir(place.folder.path())
        .status()
        .expect("chmod");
    said.expect(
        "a desk that nobody reaches",
        &Diagnosis::of(&place, ""),
        &["connection acme, host", "`environment_url`"],
    );

    std::fs::remove_file(place.path("baton.key")).expect("removed");
    said.expect(
        "a lost key",
        &Diagnosis::of(&place, ""),
        &["baton.key", "put the key back", "`store.master_key_file`"],
    );
    let other = MasterKey::generate();
    place.set("BATON__STORE__MASTER_KEY", &other);
    said.expect(
        "another key",
        &Diagnosis::of(&place, ""),
        &["another key sealed baton.db"],
    );
    place.set("BATON__STORE__MASTER_KEY", &key);

    let sql = rusqlite::Connection::open(place.path("baton.db")).expect("a database");
    sql.pragma_update(None, "user_version", 99).expect("set");
    said.expect(
        "a newer schema",
        &Diagnosis::of(&place, ""),
        &["schema version 99", "run the release that wrote it"],
    );
    drop(sql);
    for file in ["baton.db", "baton.db-wal", "baton.db-shm"] {
        let _ = std::fs::remove_file(place.path(file));
    }
    place.write(
        "baton.db",
        "not a database at all, whatever its name says, and long enough to be read as one"
            .repeat(99),
    );
    said.expect(
        "no database",
        &Diagnosis::of(&place, ""),
        &["cannot be read as a database", "restore a backup"],
    );

    place.set("BATON__STORE__URL", "sqlite:nowhere/baton.db");
    said.expect(
        "no folder",
        &Diagnosis::of(&place, ""),
        &["`store.url`", "mkdir -p nowhere"],
    );
}

async fn of_the_broker(said: &mut Said) {
    let (mut place, bench) = place().await;
    let url = bench.url.expose_secret().to_owned();
    place.set("BATON__BROKER__URL", "amqp://guest:guest@127.0.0.1:1");
    said.expect(
        "no broker",
        &Diagnosis::of(&place, ""),
        &["cannot reach the broker at 127.0.0.1:1", "broker.url"],
    );
    place.set("BATON__BROKER__URL", url.replace(":guest@", ":geheim@"));
    let diagnosis = Diagnosis::of(&place, "");
    said.expect(
        "a wrong password",
        &diagnosis,
        &["user guest", "rabbitmqctl change_password guest"],
    );
    assert!(!format!("{:?}", diagnosis.findings).contains("geheim"));
    place.set("BATON__BROKER__URL", format!("{url}/nowhere"));
    said.expect(
        "no virtual host",
        &Diagnosis::of(&place, ""),
        &["`broker.url`", "rabbitmqctl add_vhost nowhere"],
    );
    Bench::ctl(&["add_vhost", "closed"]).await;
    Bench::ctl(&["add_user", "visitor", "visitor"]).await;
    place.set(
        "BATON__BROKER__URL",
        format!("{}/closed", url.replace("guest:guest", "visitor:visitor")),
    );
    said.expect(
        "a virtual host of others",
        &Diagnosis::of(&place, ""),
        &[
            "`broker.url`",
            "rabbitmqctl set_permissions -p closed visitor",
        ],
    );
    place.set("BATON__BROKER__URL", &url);

    let raw = bench.raw().await;
    let channel = raw.create_channel().await.expect("a channel");
    let queue = bench.names.replies("sms");
    let delete = async || {
        let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
        deleted.await.expect("deleted");
    };
    delete().await;
    said.expect(
        "no queue",
        &Diagnosis::of(&place, ""),
        &[
            &format!("queue {queue} does not exist"),
            "run: baton topology declare",
        ],
    );
    let options = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let declared = channel.queue_declare(queue.as_str().into(), options, FieldTable::default());
    declared.await.expect("declared");
    said.expect(
        "another queue",
        &Diagnosis::of(&place, ""),
        &[
            &format!("queue {queue} differs in x-"),
            &format!(
                "rabbitmqctl delete_queue --vhost / --if-empty {queue} && baton topology declare"
            ),
        ],
    );
    // What the doctor looks at stays as it was, and what it tells to do helps.
    delete().await;
    assert_eq!(Diagnosis::of(&place, "").with("wrong").len(), 1);
    place.run("topology declare").done();
    assert_eq!(
        Diagnosis::of(&place, "").with("wrong"),
        Vec::<String>::new()
    );
    Topology::new(&bench.prefix)
        .remove(&bench.url)
        .await
        .expect("removed");
}

async fn of_the_machine(said: &mut Said) {
    let (place, _bench) = place().await;
    let baton = env!("CARGO_BIN_EXE_baton");
    let narrow = place
        .command_of("sh")
        .args([
            "-c",
            &format!("ulimit -n 300; exec {baton} doctor --json --conversations 500"),
        ])
        .output()
        .expect("a shell");
    let diagnosis = Diagnosis {
        code: narrow.status.code().expect("a code"),
        findings: serde_json::from_slice(&narrow.stdout).expect("JSON"),
        err: String::new(),
    };
    said.expect(
        "few open files",
        &diagnosis,
        &["LimitNOFILE", "and 300 are allowed"],
    );

    place.write("baton.token", "a token of somebody");
    place.run("connection list").failed();
    let desks = Desks::start(&place).await;
    connect(&place, "dynamics", "dynamics", &desks.dynamics_settings());
    let lock = File::create(place.path("baton.db.lock")).expect("a file");
    lock.lock().expect("nobody else has it");
    said.expect(
        "a worker that does not answer",
        &Diagnosis::of(&place, ""),
        &["worker", "check that `http.listen` is the worker's"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_broken_connection_has_a_message_of_its_own() {
    let mut said = Said {
        all: BTreeMap::new(),
    };
    let (mut place, _bench) = place().await;
    let desks = Desks::start(&place).await;
    of_salesforce(&mut said, &place, &desks).await;
    of_dynamics(&mut said, &place, &desks);
    of_zendesk(&mut said, &mut place, &desks);
    assert!(said.all.len() >= 15, "{:#?}", said.all);
}

/// The doctor on a connection with one setting put otherwise.
fn with(place: &Place, desk: &str, mut settings: Settings, changes: &[(&str, &str)]) -> Diagnosis {
    for (name, value) in changes {
        settings.insert((*name).to_owned(), (*value).to_owned());
    }
    connect(place, desk, desk, &settings);
    Diagnosis::of(place, desk)
}

async fn of_salesforce(said: &mut Said, place: &Place, desks: &Desks) {
    let usual = || {
        let mut settings = desks.salesforce_settings();
        settings.remove("auth_jwk");
        settings
    };
    let try_with = |changes: &[(&str, &str)]| with(place, "salesforce", usual(), changes);
    said.expect(
        "no host",
        &try_with(&[("scrt_url", "http://127.0.0.1:1")]),
        &["http://127.0.0.1:1", "`scrt_url`"],
    );
    said.expect(
        "another deployment",
        &try_with(&[("es_developer_name", "Web")]),
        &["deployment", "`es_developer_name`"],
    );
    said.expect(
        "another org",
        &try_with(&[("org_id", "00D5e000000HEcQ")]),
        &["deployment", "`org_id`"],
    );
    said.expect(
        "another key id",
        &try_with(&[("auth_key_id", "k2")]),
        &["keyset", "`auth_key_id`", "k2"],
    );
    said.expect(
        "another issuer",
        &try_with(&[("issuer", "baton/")]),
        &["keyset", "`issuer`", "baton/"],
    );
    let pair = RsaPair::generate();
    let keys = [
        ("auth_public_key", pair.public_pem.as_str()),
        ("auth_private_key", pair.private_pem.expose_secret()),
    ];
    said.expect("another key", &try_with(&keys), &["keyset", "signature"]);
    desks
        .salesforce
        .switch(|it| it.bad_identity = BadIdentity::Anonymous);
    said.expect(
        "guests",
        &try_with(&keys),
        &["keyset", "anonymous guest", "`x5c`"],
    );
    desks
        .salesforce
        .switch(|it| it.bad_identity = BadIdentity::Unauthorized);

    let late = front(7200).await;
    said.expect(
        "a clock that is late",
        &try_with(&[("scrt_url", &late)]),
        &["clock", "behind", "timedatectl set-ntp true"],
    );
    let jwk = jwk_until(Duration::ZERO).to_string();
    said.expect(
        "an expired certificate",
        &try_with(&[("auth_jwk", &jwk)]),
        &["certificate", "`auth_jwk` expired on", "baton keygen"],
    );
    let jwk = jwk_until(Duration::from_hours(48)).to_string();
    said.expect(
        "a certificate that expires",
        &try_with(&[("auth_jwk", &jwk)]),
        &["certificate", "in less than ten days"],
    );

    // What is wrong without asking anybody is not even saved.
    let jwk = |change: Spoil| {
        let mut jwk = jwk_until(Duration::from_hours(999));
        change(&mut jwk);
        jwk.to_string()
    };
    let cases: [(Spoil, &str); 3] = [
        (
            |jwk| jwk["kid"] = "k9".into(),
            "auth_jwk: has the kid `k9`, and `auth_key_id` is `k1`",
        ),
        (
            |jwk| drop(jwk.as_object_mut().and_then(|it| it.remove("x5c"))),
            "auth_jwk: has no certificate (`x5c`)",
        ),
        (
            |jwk| jwk["x5c"][0] = "MIIB".into(),
            "auth_jwk: has an `x5c` that is no certificate",
        ),
    ];
    for (change, expected) in cases {
        place.write("jwk.json", jwk(change));
        let refused = place.run("connection add salesforce --desk salesforce --instance-url https://acme.my.salesforce.com \
            --es-developer-name Baton --org-id 00D5e000000HEcP --auth-key-id k1 --issuer baton --auth-jwk @jwk.json \
            --auth-public-key @public.pem --auth-private-key @private.pem").refused();
        assert!(refused.contains(expected), "{expected} in {refused}");
    }
}

fn of_dynamics(said: &mut Said, place: &Place, desks: &Desks) {
    let try_with =
        |changes: &[(&str, &str)]| with(place, "dynamics", desks.dynamics_settings(), changes);
    let other = "99999999-9999-9999-9999-999999999999";
    said.expect(
        "no login host",
        &try_with(&[("login_url", "http://127.0.0.1:1")]),
        &["token", "`login_url`"],
    );
    said.expect(
        "another secret",
        &try_with(&[("client_secret", "guessed")]),
        &["token", "`client_secret`"],
    );
    desks.dynamics.switch(|it| it.app = App::SecretExpired);
    said.expect(
        "an expired secret",
        &try_with(&[]),
        &["token", "AADSTS7000222"],
    );
    desks.dynamics.switch(|it| it.app = App::Unknown);
    said.expect("another tenant", &try_with(&[]), &["token", "AADSTS700016"]);
    desks.dynamics.switch(|it| it.app = App::Registered);
    desks
        .dynamics
        .switch(|it| it.application_user = ApplicationUser::MissingForbidden);
    said.expect(
        "no application user",
        &try_with(&[]),
        &["application user", "is no application user of"],
    );
    desks
        .dynamics
        .switch(|it| it.application_user = ApplicationUser::Present);
    desks
        .dynamics
        .switch(|it| it.missing_privileges.extend(["prvReadActivity".into()]));
    said.expect(
        "no right",
        &try_with(&[]),
        &["work items", "`prvReadActivity`"],
    );
    desks.dynamics.switch(|it| it.missing_privileges.clear());
    said.expect(
        "no workstream",
        &try_with(&[("default_queue_id", other)]),
        &["workstream", "`default_queue_id`"],
    );
}

fn of_zendesk(said: &mut Said, place: &mut Place, desks: &Desks) {
    let try_with = |place: &Place, changes: &[(&str, &str)]| {
        with(place, "zendesk", desks.zendesk_settings(), changes)
    };
    said.expect(
        "no account",
        &try_with(place, &[("base_url", "http://127.0.0.1:1/sc")]),
        &["host", "`subdomain` or `base_url`"],
    );
    said.expect(
        "another key",
        &try_with(place, &[("key_secret", "guessed")]),
        &["key_secret", "`key_id`"],
    );
    said.expect(
        "another app",
        &try_with(place, &[("app_id", "5ebee0975ac5304b664a12fb")]),
        &["key", "app_id"],
    );
    desks
        .zendesk
        .switch(|it| it.multi_conversations = MultiConversations::Off);
    said.expect(
        "one conversation a user",
        &try_with(place, &[]),
        &["multi-conversations are off"],
    );
    desks
        .zendesk
        .switch(|it| it.multi_conversations = MultiConversations::On);
    said.expect(
        "no workspace",
        &try_with(place, &[("switchboard_integration", "zd-nobody")]),
        &["workspace", "switchboard_integration"],
    );
    // Saving a connection puts its webhook right, unless Zendesk has a bad moment.
    let faults = desks.zendesk.faults();
    faults.fail(
        call::LIST_INTEGRATIONS,
        Nth::Every,
        Fault::before(What::status(500)),
    );
    let mut settings = desks.zendesk_settings();
    settings.insert("webhook_secret".into(), "guessed".into());
    connect(place, "zendesk", "zendesk", &settings);
    faults.heal();
    said.expect(
        "another webhook secret",
        &Diagnosis::of(place, "zendesk"),
        &["webhook", "has another secret"],
    );
    connect(place, "zendesk", "zendesk", &desks.zendesk_settings());
    place.set("BATON__HTTP__PUBLIC_URL", "https://elsewhere.example");
    said.expect(
        "another address",
        &Diagnosis::of(place, "zendesk"),
        &["way back", "`http.public_url` is https://elsewhere.example"],
    );

    // Secrets stay when they are not given, so this one is last.
    let support = [
        ("support_email", "a@acme.example"),
        ("support_token", "guessed"),
    ];
    said.expect(
        "no admin",
        &try_with(place, &support),
        &["support", "`support_token`"],
    );
}

/// Somebody whose clock is so many seconds ahead of ours.
async fn front(ahead: i64) -> String {
    let answer = move || async move {
        let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        (StatusCode::NOT_FOUND, [(header::DATE, date)])
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    url
}
