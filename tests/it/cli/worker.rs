//! The command line beside a running worker, and what it does with the broker.

use std::fs::File;
use std::net::TcpListener;

use baton::broker::tap::{Tap, publish_once};
use baton::broker::{Mandatory, Message, Properties};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::place::{Place, Ran};
use crate::broker::bench::{Bench, soon};
use crate::example;

/// A place whose configuration has a corner of the broker, and a port that nobody listens on yet.
async fn place() -> (Place, Bench) {
    let bench = Bench::shared().await;
    let mut place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = listener.local_addr().expect("an address");
    place.set("BATON__BROKER__URL", bench.url.expose_secret());
    place.set("BATON__BROKER__PREFIX", &bench.prefix);
    place.set("BATON__HTTP__LISTEN", listen);
    // No proxy is asked for the way to our own machine.
    place.set("HTTP_PROXY", "http://127.0.0.1:1");
    (place, bench)
}

/// The next dead letter of a prefix, taken from its queue.
async fn dead_letter(tap: &mut Tap) -> (Value, Vec<u8>) {
    let letter = soon(tap.next()).await.expect("a dead letter");
    let headers = letter.properties.headers;
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|it| it.as_text())
            .map(str::to_owned)
    };
    let found = json!({ "code": text("x-handoff-code"), "generation": headers.get("x-handoff-generation").and_then(|it| it.as_number()) });
    letter.receipt.ack().await.expect("acked");
    (found, letter.body)
}

const SESSION: &str = "6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51";

/// Publishes what becomes two dead letters, an escalation to a connection that nobody has made and something that is
/// no event, and returns their ids.
async fn set_aside(place: &Place, tap: &mut Tap) -> (String, String) {
    let event = example::event(|event| event["data"]["connection"] = json!("nowhere"));
    let published = place.run_with(&["publish", "-"], &event.to_string()).done();
    assert!(
        published.starts_with(&format!(
            "published 0197a8f0-5c1e-7a52-9b60-1f0e6f5d2c11 of session {SESSION} to "
        )),
        "{published}"
    );
    let (first, body) = dead_letter(tap).await;
    assert_eq!(
        first,
        json!({ "code": "unknown-connection", "generation": 2 })
    );
    assert_eq!(body, event.to_string().into_bytes());

    let forced = place.run_with(&["publish", "-", "--force"], "a word of Dana's");
    assert_eq!(
        forced.err,
        "baton: this becomes a dead letter: the body is not JSON: expected value at line 1 column 1\n"
    );
    forced.done();
    assert_eq!(dead_letter(tap).await.0["code"], "undecodable");

    let listed = place.run("dead list --json").json();
    let field = |at: usize, name: &str| listed[at][name].as_str().expect("text").to_owned();
    assert_eq!(
        [field(0, "code"), field(1, "code")],
        ["undecodable", "unknown-connection"]
    );
    (field(1, "id"), field(0, "id"))
}

#[tokio::test]
async fn dead_letters_are_listed_and_shown_with_words_only_on_request() {
    let (place, bench) = place().await;
    let worker = place.serve();
    let mut tap = Tap::open(&bench.url, &bench.names.dead_letters())
        .await
        .expect("connects");
    let (handoff, poison) = set_aside(&place, &mut tap).await;

    let one = place.run("dead list --code unknown-connection").done();
    let rows: Vec<&str> = one.lines().skip(1).collect();
    assert!(
        matches!(rows[..], [row] if row.starts_with(&handoff)),
        "{one}"
    );
    let none = place.run("dead list --connection acme");
    assert_eq!(none.err, "there are no such dead letters\n");
    assert_eq!(none.done(), "");

    let shown = place.run(&format!("dead show {poison}")).done();
    let size = "16 bytes; ask for the content to see them";
    assert!(shown.contains(size), "{shown}");
    let content = place.run(&format!("dead show {poison} --content")).done();
    assert!(content.ends_with("\na word of Dana's\n"), "{content}");
    let shown = place.run(&format!("dead show {SESSION}")).done();
    let code = "code          unknown-connection\n";
    assert!(shown.contains(code), "{shown}");
    assert!(!shown.contains("charged twice"), "{shown}");

    let listed = place.run("handoff list --status dead --json").json();
    assert_eq!(listed[0]["id"], *handoff);
    let shown = place.run(&format!("handoff show {SESSION}")).done();
    for line in [
        "status        dead: unknown-connection\n",
        "generation    1, ",
        "lifecycle.accepted",
        "lifecycle.failed",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    tap.close().await;
    place.assert_no_secret(&worker.log());
    drop(worker);
    // Without the worker, the same from the store.
    let again = place.run("handoff list --status dead --json").json();
    assert_eq!(again, listed);
}

#[tokio::test]
async fn dead_letters_are_replayed_with_a_worker_and_without_one() {
    let (place, bench) = place().await;
    let worker = place.serve();
    let mut tap = Tap::open(&bench.url, &bench.names.dead_letters())
        .await
        .expect("connects");
    let (handoff, poison) = set_aside(&place, &mut tap).await;
    let goes_on = |generation: u32| {
        format!("ok     {handoff}: goes on at identity-token as generation {generation}\n")
    };

    // Still nobody has made the connection: it goes on, and stops again.
    let replayed = place.run(&format!("dead replay {handoff}")).done();
    assert_eq!(replayed, goes_on(2));
    assert_eq!(dead_letter(&mut tap).await.0["generation"], 3);

    let dry = place.run("dead replay --all --dry-run").done();
    assert_eq!(dry.lines().count(), 3, "{dry}");
    assert_eq!(
        place.run("dead replay --all").refused(),
        "baton: this sends 2 dead letters on; there is no terminal to ask at; add --yes if that is what you want\n"
    );
    let Ran { code, out, err } = place.run("dead replay --all --yes");
    assert_eq!(
        (code, err.as_str()),
        (1, "baton: 1 of 2 were not sent on\n")
    );
    assert!(out.contains(&goes_on(3)), "{out}");
    let still =
        "still cannot be processed: the body is not JSON: expected value at line 1 column 1";
    assert!(
        out.contains(&format!("failed {poison}: `{poison}` {still}\n")),
        "{out}"
    );
    let jobs = place.run("dead jobs --json").json();
    assert_eq!([&jobs[0]["done"], &jobs[0]["refused"]], [1, 1], "{jobs}");
    let job = jobs[0]["id"].as_str().expect("an id");
    let shown = place.run(&format!("dead job show {job}")).done();
    assert!(shown.contains(still), "{shown}");
    let ended = place.run(&format!("dead job cancel {job}")).failed();
    assert!(
        ended.ends_with("has come to its end: it is done\n"),
        "{ended}"
    );
    assert_eq!(
        place.run("dead replay nobody").failed(),
        "baton: there is no dead letter `nobody`; `baton dead list` shows all\n"
    );
    assert_eq!(dead_letter(&mut tap).await.0["generation"], 4);
    tap.close().await;
    drop(worker);

    let replayed = place.run(&format!("dead replay {handoff}"));
    assert_eq!(
        replayed.err,
        "no worker runs here; they go on when one starts\n"
    );
    assert_eq!(replayed.done(), goes_on(4));
}

#[tokio::test]
async fn dead_letters_are_discarded_and_restored_with_consent_only() {
    let (place, bench) = place().await;
    let worker = place.serve();
    let mut tap = Tap::open(&bench.url, &bench.names.dead_letters())
        .await
        .expect("connects");
    let (handoff, poison) = set_aside(&place, &mut tap).await;
    tap.close().await;
    let groups = place.run("dead list --group").done();
    assert_eq!(groups.lines().count(), 3, "{groups}");
    let one = format!("dead discard {handoff}");
    assert_eq!(
        place.run(&one).refused(),
        "baton: this discards 1 dead letter; there is no terminal to ask at; add --yes if that is what you want\n"
    );
    let discarded = place.run(&format!("{one} --yes")).done();
    assert_eq!(discarded, format!("ok     {handoff}: discarded\n"));
    let again = place.run(&format!("{one} --yes"));
    assert_eq!(
        (again.code, again.out.as_str()),
        (
            1,
            format!("passed {handoff}: it was discarded before\n").as_str()
        )
    );
    drop(worker);
    // The same without a worker: the job is done by the command itself.
    let rest = place.run("dead discard --class poison --yes").done();
    assert_eq!(rest, format!("ok     {poison}: discarded\n"));
    assert_eq!(
        place.run("dead list").err,
        "there are no such dead letters\n"
    );
    let restored = place.run("dead restore --all --yes").done();
    assert_eq!(restored.lines().count(), 2, "{restored}");
    let listed = place.run("dead list --json").json();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(
        place
            .run(&format!("dead replay {handoff} --code in-doubt"))
            .refused(),
        "baton: ids stand alone; leave out the filter\n"
    );
    assert!(place.run("dead replay").refused().contains("which ones?"));
}

#[tokio::test]
async fn a_contact_is_erased_with_consent_and_only_when_all_is_over() {
    let (place, bench) = place().await;
    let worker = place.serve();
    let mut tap = Tap::open(&bench.url, &bench.names.dead_letters())
        .await
        .expect("connects");
    let (handoff, _) = set_aside(&place, &mut tap).await;
    tap.close().await;
    let session = format!("--session {SESSION}");
    let exported = place.run(&format!("contact export {session}")).json();
    assert!(exported.to_string().contains("charged twice"), "{exported}");
    let erase = format!("contact erase {session}");
    let refused = place.run(&erase).refused();
    assert!(
        refused.starts_with("baton: this erases 1 handoffs, 0 messages, "),
        "{refused}"
    );
    let counted = place.run(&format!("{erase} --dry-run")).done();
    assert!(
        counted.starts_with("found 1 handoffs, 0 messages, "),
        "{counted}"
    );
    // The broker may still have to confirm one of the events; then it says so, and is asked again.
    let erased = loop {
        let ran = place.run(&format!("{erase} --yes"));
        if !ran.err.contains("are not published yet") {
            break ran.done();
        }
    };
    assert!(erased.starts_with("erased 1 handoffs, "), "{erased}");
    place.run(&format!("handoff show {SESSION}")).failed();
    let shown = place.run(&format!("handoff show {handoff}")).done();
    assert!(shown.contains("erased-"), "{shown}");
    assert_eq!(
        place.run(&format!("{erase} --yes")).err,
        "there is nothing of that contact\n"
    );
    assert_eq!(place.run("contact erase").code, 2);
    drop(worker);
}

#[tokio::test]
async fn connections_are_managed_through_the_worker_while_one_runs() {
    let (place, _bench) = place().await;
    let worker = place.serve();
    let keys = "--auth-public-key @public.pem --auth-private-key @private.pem";
    let line = format!(
        "connection add acme {} {keys}",
        super::connections::WITHOUT_KEYS
    );
    assert_eq!(place.run(&line).done(), "acme: added\n");
    assert_eq!(place.run(&line).done(), "acme: unchanged\n");
    let wrong = place.run(&line.replace("https://", "")).refused();
    assert_eq!(
        wrong,
        "baton: nothing was saved; put this right:\ninstance_url: lacks https://; write https://acme.my.salesforce.com\n"
    );
    // Nobody listens there, which `verify` finds out.
    let there = line.replace("--issuer", "--scrt-url http://127.0.0.1:1 --issuer");
    assert_eq!(place.run(&there).done(), "acme: changed\n");
    let Ran { code, out, err } = place.run("connection verify");
    assert_eq!(
        (code, err.as_str()),
        (1, "baton: 1 of 1 connections failed\n")
    );
    assert!(out.starts_with("failed acme: desk-unreachable: "), "{out}");
    let odd = place
        .run_with(&["connection", "show", "a/b c%?"], "")
        .failed();
    assert_eq!(
        odd,
        "baton: there is no connection `a/b c%?`; `baton connection list` shows all\n"
    );
    place.run("connection remove acme --yes").done();
    place.assert_no_secret(&worker.log());
}

#[test]
fn a_worker_that_cannot_be_asked_is_told_from_one_that_does_not_run() {
    let mut place = Place::new();
    place.set("BATON__HTTP__LISTEN", "127.0.0.1:1");
    let keys = "--auth-public-key @public.pem --auth-private-key @private.pem";
    place
        .run(&format!(
            "connection add acme {} {keys}",
            super::connections::WITHOUT_KEYS
        ))
        .done();
    let lock = File::create(place.path("baton.db.lock")).expect("a file");
    lock.lock().expect("nobody else has it");
    assert_eq!(
        place.run("connection list").failed(),
        "baton: a worker has baton.db open, and we do not know its token; check `http.token`: baton.token: No such file or directory (os error 2)\n"
    );
    place.write("baton.token", "a token of somebody");
    let said = place.run("connection list").failed();
    assert!(
        said.starts_with("baton: another baton process has the database open, and nobody answers on 127.0.0.1:1; check that `http.listen` is the worker's, or wait until it has started: "),
        "{said}"
    );
    drop(lock);
    place.run("connection list").done();
}

#[tokio::test]
async fn replies_are_looked_at_and_taken() {
    let (place, bench) = place().await;
    let missing =
        "baton: the topology is not complete; `baton topology declare` makes what is missing:\n";
    let example = place
        .run("events example handoff.escalation.requested.v1")
        .done();
    for ran in [
        place.run("topology check"),
        place.run("replies sms --peek"),
        place.run("replies sms --wait 10s"),
        place.run_with(&["publish", "-"], &example),
    ] {
        let said = ran.failed();
        assert!(said.starts_with(missing), "{said}");
        assert!(
            said.contains(&format!(
                "\nexchange {}.inbound does not exist;",
                bench.prefix
            )),
            "{said}"
        );
    }
    place.run("topology declare").done();
    place.run("topology check").done();

    let none = place.run("replies sms --peek");
    assert_eq!((none.err.as_str(), none.code), ("no reply was there\n", 0));
    let mut event: Value = serde_json::from_str(include_str!(
        "../../../docs/events/handoff.reply.v1.example.json"
    ))
    .expect("JSON");
    event["data"]["text"] = json!("Hi Dana,\n\u{1b}[2Jall is well.");
    event["data"]["attachments"] = json!([{ "name": "receipt.pdf", "content_type": "application/pdf", "url": "https://media.example.com/a1" }]);
    for channel in ["sms", "web"] {
        let reply = Message {
            exchange: bench.names.outbound(),
            routing_key: format!("reply.{channel}"),
            message_id: format!("reply on {channel}"),
            mandatory: Mandatory::Yes,
            properties: Properties::default(),
            body: event.to_string().into_bytes(),
        };
        publish_once(&bench.url, reply).await.expect("published");
    }

    // A look leaves it there, and what a rep writes cannot speak to the terminal.
    for _ in 0..2 {
        let shown = place.run("replies sms --peek").done();
        let data = |name: &str| event["data"][name].as_str().expect("text");
        assert_eq!(
            shown,
            format!(
                "{}  {}  {}  #1  {}: Hi Dana,\n    \\u{{1b}}[2Jall is well.\n    file receipt.pdf (application/pdf) https://media.example.com/a1\n",
                data("sent_at"),
                data("channel"),
                data("session_id"),
                event["data"]["rep"]["name"].as_str().expect("a name"),
            )
        );
    }
    assert_eq!(place.run("replies sms --peek --json").json(), event);
    let both = place.run("replies all --count 2 --wait 20s --json").done();
    assert_eq!(both.lines().count(), 2, "{both}");
    assert_eq!(
        place.run("replies all --peek --count 1").failed(),
        "baton: 0 of 1 replies were there\n"
    );
}
