//! `baton demo` and `baton simulate`, as the programs that they are.

mod account;
mod page;
mod simulate;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use baton::broker::topology::{REPLY_CHANNELS, Topology};
use baton::broker::{Declare, Error};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::broker::bench::{Bench, until};

fn baton(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("the binary"))
        .await
        .expect("it ends")
}

fn lines(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).expect("UTF-8");
    let line = |line| serde_json::from_str(line).expect("a line of JSON");
    text.lines().map(line).collect()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let told = Command::new("kill").args([name, &id]).status();
    assert!(told.expect("kill").success());
}

/// Neither process nor queue nor exchange nor file of a demo is there any more.
async fn nothing_is_left(bench: &Bench, told: &[Value]) {
    let find = |what: &str| told.iter().find(|line| line["what"] == what);
    let prefix = find("broker").expect("a broker")["prefix"].as_str();
    let checked = Topology::new(prefix.expect("a prefix"))
        .apply(&bench.url, Declare::Check)
        .await;
    let Err(Error::Topology(problems)) = checked else {
        panic!("something is there: {checked:?}");
    };
    assert_eq!(problems.0.len(), 3 + 3 + REPLY_CHANNELS.len());
    for line in told.iter().filter(|line| !line["process"].is_null()) {
        let process = format!("/proc/{}", line["process"]);
        until(|| !Path::new(&process).exists()).await;
    }
}

#[tokio::test]
async fn the_demo_loses_and_doubles_nothing_and_leaves_nothing_behind() {
    let bench = Bench::shared().await;
    let url = bench.url.expose_secret();
    let output = output(baton(&["demo", "--json", "--broker", url])).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "");
    let told = lines(&output.stdout);
    let (last, before) = told.split_last().expect("a summary");
    let summary = json!({
        "escalations": 7, "conversations": 7, "opening_messages": 7, "written": 15, "replies": 15,
        "sent": 4, "delivered": 4, "duplicates": 0, "lost": 0, "disordered": 0,
    });
    assert_eq!(*last, json!({ "summary": summary }));
    for line in before {
        for field in ["at", "chapter", "what"] {
            assert!(line[field].is_string(), "{line}");
        }
    }
    let has = |what: &str| before.iter().filter(|line| line["what"] == what).count();
    assert_eq!((has("live"), has("reply"), has("killed")), (4, 15, 1));
    let of = |what: &str| before.iter().find(|line| line["what"] == what);
    let ended = of("ended").expect("the end of the one who left");
    assert_eq!(ended["reason"], "contact_left");
    let delivered = of("contact-message-delivered").expect("what the rep got");
    assert_eq!(delivered["file"], "door.png");
    assert_eq!(delivered["content_type"], "image/png");
    let whispered = before.iter().find(|line| line["what"] == "whispered");
    let whispered = &whispered.expect("a whisper")["text"];
    assert!(
        !before
            .iter()
            .any(|line| line["what"] == "reply" && line["text"] == *whispered)
    );
    nothing_is_left(&bench, before).await;
}

/// The demo with another desk: its summary, and everything before.
async fn demo_with(desk: &str) -> (Value, Vec<Value>) {
    let bench = Bench::shared().await;
    let url = bench.url.expose_secret();
    let output = output(baton(&["demo", "--json", "--desk", desk, "--broker", url])).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut told = lines(&output.stdout);
    let summary = told.pop().expect("a summary");
    nothing_is_left(&bench, &told).await;
    (summary["summary"].clone(), told)
}

#[tokio::test]
async fn the_demo_is_the_same_story_with_zendesk() {
    let (summary, told) = demo_with("zendesk").await;
    assert_eq!(
        summary,
        json!({
            "escalations": 7, "conversations": 7, "opening_messages": 7, "written": 15, "replies": 15,
            "sent": 4, "delivered": 4, "duplicates": 0, "lost": 0, "disordered": 0,
        })
    );
    let find = |what: &str| told.iter().find(|line| line["what"] == what);
    let ready = find("connection").expect("a connection")["says"].as_str();
    assert!(
        ready
            .expect("words")
            .contains("/webhooks/zendesk/acme-zendesk")
    );
    // Internal notes never get into a conversation there, so nobody whispers.
    assert!(find("whispered").is_none());
    assert_eq!(find("once").expect("a lost answer")["asked"], 1);
}

#[tokio::test]
async fn the_demo_says_what_does_not_come_back_from_dynamics() {
    let (summary, told) = demo_with("dynamics").await;
    assert_eq!(
        summary,
        json!({
            "escalations": 7, "conversations": 7, "opening_messages": 7, "written": 0, "replies": 0,
            "sent": 0, "delivered": 0, "duplicates": 0, "lost": 0, "disordered": 0,
        })
    );
    let all =
        |what: &str| -> Vec<&Value> { told.iter().filter(|line| line["what"] == what).collect() };
    let handed_over = all("handed-over");
    assert_eq!(handed_over.len(), 4);
    for line in handed_over {
        assert_eq!(
            (&line["replies"], &line["reason"]),
            (&json!("none"), &json!("handed_over"))
        );
        assert!(
            line["conversation"]
                .as_str()
                .is_some_and(|id| id.len() == 36),
            "{line}"
        );
    }
    assert_eq!(all("failed")[0]["code"], "handoff-ended");
    // Once by a lost answer, once by SIGKILL in the middle of the call.
    let asked: Vec<_> = all("once")
        .iter()
        .map(|line| (line["asked"].clone(), line["conversations"].clone()))
        .collect();
    assert_eq!(asked, [(json!(2), json!(1)), (json!(2), json!(1))]);
}

#[tokio::test]
async fn without_a_terminal_the_demo_is_plain_text() {
    let bench = Bench::shared().await;
    let output = output(baton(&["demo", "--broker", bench.url.expose_secret()])).await;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.contains(['\x1b', '\r']), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    for part in [
        "1 ── Setting up",
        "│ AI summary: ",
        "2 segments",
        "│ ▣ door.png · image/png · ",
        "`ended` (contact_left)",
        "SIGKILL",
        "unknown-connection",
        "Lost: 0. Doubled: 0. Out of order: 0.",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[tokio::test]
async fn a_demo_that_is_stopped_leaves_nothing_behind() {
    let bench = Bench::shared().await;
    for signal_name in ["-INT", "-TERM"] {
        let mut command = baton(&["demo", "--json", "--broker", bench.url.expose_secret()]);
        let mut demo = command.spawn().expect("the binary");
        let (mut stdout, mut stderr) = (demo.stdout.take(), demo.stderr.take());
        let stdout = BufReader::new(stdout.take().expect("its output"));
        let (told, said, status) = tokio::task::spawn_blocking(move || {
            let mut told = vec![];
            for line in stdout.lines() {
                let line: Value =
                    serde_json::from_str(&line.expect("a line")).expect("a line of JSON");
                if line["what"] == "joined" {
                    signal(&demo, signal_name);
                }
                told.push(line);
            }
            let mut said = String::new();
            let stderr = stderr.as_mut().expect("its errors");
            stderr.read_to_string(&mut said).expect("UTF-8");
            (told, said, demo.wait().expect("it ends"))
        })
        .await
        .expect("it ends");
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("stopped before the end"), "{said}");
        assert!(told.iter().all(|line| line["summary"].is_null()));
        nothing_is_left(&bench, &told).await;
    }
}

#[tokio::test]
async fn a_broker_that_cannot_be_used_is_named_without_its_password() {
    let output = output(baton(&[
        "demo",
        "--broker",
        "amqp://guest:geheim@127.0.0.1:1",
    ]))
    .await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot use the broker at 127.0.0.1:1"),
        "{said}"
    );
    assert!(!said.contains("geheim"), "{said}");
}
