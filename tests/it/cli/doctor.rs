//! `baton doctor` against broken set-ups, each made of real parts: every one has a message of its own that says what to do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::TcpListener;

use baton::broker::Declare;
use baton::broker::topology::Topology;
use baton::store::sqlite::examine::{self, Ground};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::place::Place;
use crate::broker::bench::Bench;

mod bindings;
mod broken;
mod desks;

/// What a run of the doctor came to.
pub struct Diagnosis {
    code: i32,
    findings: Vec<Value>,
    err: String,
}

impl Diagnosis {
    pub fn of(place: &Place, line: &str) -> Self {
        let ran = place.run(&format!("doctor --json {line}"));
        let findings: Vec<Value> = serde_json::from_str(&ran.out)
            .unwrap_or_else(|error| panic!("{error}: {} {}", ran.out, ran.err));
        Self {
            code: ran.code,
            findings,
            err: ran.err,
        }
    }

    /// The findings with this verdict, in a line each.
    pub fn with(&self, verdict: &str) -> Vec<String> {
        let is_so = |it: &&Value| it["verdict"] == verdict;
        self.findings.iter().filter(is_so).map(text).collect()
    }
}

/// A finding as people read it.
pub fn text(finding: &Value) -> String {
    let part = |name: &str| finding[name].as_str().unwrap_or_default();
    let mut text = format!("{}, {}: {}", part("about"), part("check"), part("says"));
    if let Some(fix) = finding["fix"].as_str() {
        write!(text, "; run: {fix}").expect("a string");
    }
    text
}

/// A place with a corner of the broker, complete; nobody listens on its port.
pub async fn place() -> (Place, Bench) {
    let bench = Bench::shared().await;
    let mut place = Place::new();
    let listen = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr();
    place.set("BATON__BROKER__URL", bench.url.expose_secret());
    place.set("BATON__BROKER__PREFIX", &bench.prefix);
    place.set("BATON__HTTP__LISTEN", listen.expect("an address"));
    let topology = Topology::new(&bench.prefix);
    topology
        .apply(&bench.url, Declare::Declare)
        .await
        .expect("declared");
    (place, bench)
}

/// Saves a connection of these settings, PEM and all.
pub fn connect(place: &Place, name: &str, desk: &str, settings: &BTreeMap<String, String>) {
    let mut file = format!("[connection.{name}]\ndesk = \"{desk}\"\n");
    for (setting, value) in settings {
        let value = format!("'''{value}'''");
        writeln!(file, "{setting} = {value}").expect("a string");
    }
    place.write("connections.toml", file);
    let ran = place.run("connection apply connections.toml");
    // A desk that calls us is told where at once; one that is spoilt cannot be told.
    let is_untold = ran.err.contains("saved, but its desk is not told");
    assert!(ran.code == 0 || is_untold, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_in_order_has_nothing_wrong_with_it_and_ends_with_0() {
    let (place, _bench) = place().await;
    let desks = desks::Desks::start(&place).await;
    desks.connect(&place);
    let diagnosis = Diagnosis::of(&place, "");
    assert_eq!(diagnosis.with("wrong"), Vec::<String>::new());
    assert_eq!(diagnosis.code, 0, "{}", diagnosis.err);
    for line in [
        "store, schema: version 1",
        "store, master key: opens what is sealed in the database",
        "topology, exchanges and queues: all there, as Baton needs them",
        "connection salesforce, certificate: the certificate in `auth_jwk` is good until ",
        "connection salesforce, keyset: contacts are verified with the key `k1` and the issuer `baton`",
        "connection zendesk, multi-conversations: not off",
        "connection zendesk, webhook: goes to ",
        "connection dynamics, workstream: `SMS support`",
        "connection dynamics, contacts: may be read",
    ] {
        let good = diagnosis.with("ok");
        assert!(
            good.iter().any(|it| it.starts_with(line)),
            "{line} in {good:#?}"
        );
    }

    // One connection alone, for people.
    let shown = place.run("doctor dynamics").done();
    assert!(
        shown.contains("ok     connection dynamics, token: "),
        "{shown}"
    );
    assert!(!shown.contains("connection zendesk"), "{shown}");
    assert_eq!(
        place.run("doctor nobody").failed(),
        "baton: there is no connection `nobody`; `baton connection list` shows all\n"
    );

    // The same beside a worker, which has the store open and whose webhooks can be tried.
    let worker = place.serve();
    let diagnosis = Diagnosis::of(&place, "");
    assert_eq!(diagnosis.with("wrong"), Vec::<String>::new());
    let good = diagnosis.with("ok");
    for line in [
        "worker, answer: runs, and takes our token at ",
        "connection zendesk, way back: ",
    ] {
        assert!(
            good.iter().any(|it| it.starts_with(line)),
            "{line} in {good:#?}"
        );
    }
    assert_eq!(place.run("health").done(), "ok\n");
    let ready = place.run("health --ready").json();
    assert_eq!(ready["ready"], true);
    drop(worker);
    let said = place.run("health").failed();
    assert!(
        said.starts_with("baton: no worker answers on 127.0.0.1:"),
        "{said}"
    );
    assert!(said.contains("check `http.listen`"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_do_not_come_back_are_found_while_the_worker_runs() {
    let (mut place, _bench) = place().await;
    let desks = desks::Desks::calling("http://127.0.0.1:1").await;
    place.set("BATON__HTTP__PUBLIC_URL", "http://127.0.0.1:1");
    connect(&place, "zendesk", "zendesk", &desks.zendesk_settings());
    let before = Diagnosis::of(&place, "");
    assert_eq!(before.with("wrong"), Vec::<String>::new());
    let _worker = place.serve();
    let wrong = Diagnosis::of(&place, "").with("wrong");
    assert!(
        matches!(&wrong[..], [one] if one.contains("way back") && one.contains("cannot be reached") && one.contains("`http.public_url`")),
        "{wrong:#?}"
    );
}

/// No test can mount one; the numbers are those of statfs(2).
#[test]
fn a_network_file_system_is_known_by_its_number() {
    for (number, ground) in [
        (0x6969, Ground::Network("NFS")),
        (0xFF53_4D42, Ground::Network("SMB")),
        (0x0102_1994, Ground::Memory),
        (0xEF53, Ground::Disk),
    ] {
        assert_eq!(examine::ground(number), ground);
    }
}
