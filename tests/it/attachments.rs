//! Files both ways, and transcripts that do not fit into a message.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::world::{Setup, World};

/// The smallest picture there is: a PNG of one pixel.
const PIXEL: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x62, 0, 1, 0, 0, 5, 0, 1, 0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, b'I', b'E', b'N',
    b'D', 0xae, 0x42, 0x60, 0x82,
];

/// Somebody's media server, at an address that only an operator may allow.
struct Site {
    origin: String,
    _server: AbortOnDropHandle<()>,
}

impl Site {
    async fn start() -> Self {
        let large: Vec<u8> = [PIXEL, &vec![0; 6 * 1024 * 1024]].concat();
        let turns: Vec<Value> = (0..500)
            .map(|at| json!({ "author": "contact", "text": format!("turn {at}: {}", "שלום 👩‍👩‍👧 ".repeat(30)) }))
            .collect();
        let turns = json!(turns).to_string();
        let png = [(header::CONTENT_TYPE, "image/png")];
        let routes = Router::new()
            .route("/photo", get(move || async move { (png.clone(), PIXEL) }))
            .route(
                "/large",
                get(move || async move { ([(header::CONTENT_TYPE, "image/png")], large) }),
            )
            .route(
                "/program",
                get(|| async {
                    (
                        [(header::CONTENT_TYPE, "image/png")],
                        &b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff"[..],
                    )
                }),
            )
            .route("/gone", get(|| async { StatusCode::NOT_FOUND }))
            .route("/turns", get(move || async move { turns }));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let server =
            tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
        Self {
            origin,
            _server: AbortOnDropHandle::new(server),
        }
    }

    async fn world(&self) -> World {
        let mut world = Setup::shared()
            .await
            .with("media", &format!("allow = [\"{}\"]", self.origin))
            .build()
            .await;
        world.start().await;
        world
    }

    fn message(&self, session: &str, id: &str, text: &str, files: &[(&str, &str)]) -> Value {
        let files: Vec<Value> = files
            .iter()
            .map(|(name, path)| json!({ "id": name, "name": name, "content_type": "image/png", "url": format!("{}{path}", self.origin) }))
            .collect();
        json!({
            "specversion": "1.0", "type": "handoff.contact.message.v1", "source": "/channels", "id": format!("{session}-{id}"),
            "subject": session,
            "data": { "session_id": session, "message": { "id": id, "text": text, "attachments": files } },
        })
    }
}

async fn send(world: &World, event: &Value) {
    world
        .publish_bytes(
            event.to_string().into_bytes(),
            "contact.message",
            BTreeMap::new(),
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_reaches_the_rep_as_a_file_and_what_cannot_as_a_line() {
    let site = Site::start().await;
    let world = site.world().await;
    let conversation = world.goes_live("files", "whatsapp").await;
    let files = [
        ("photo.png", "/photo"),
        ("large.png", "/large"),
        ("virus.png", "/program"),
        ("gone.png", "/gone"),
    ];
    send(&world, &site.message("files", "m1", "look", &files)).await;
    world
        .heard
        .until_one("files", "lifecycle.contact_message_delivered")
        .await;
    let said = world.org.messages(&conversation);
    let said: Vec<_> = said.iter().skip(1).collect();
    assert_eq!(said.len(), 5, "{said:?}");
    assert_eq!(said[0].text.as_deref(), Some("look"));
    let photo = said[1].file.as_ref().expect("a file");
    assert_eq!(
        (photo.name.as_str(), photo.bytes),
        ("photo.png", PIXEL.len())
    );
    let line = said[2].text.as_deref().expect("a line");
    assert!(
        line.starts_with("[The contact sent a file, large.png (6.0 MB; the desk takes 5 MB): "),
        "{line}"
    );
    assert!(said[3].text.as_deref().is_some_and(|line| {
        line.starts_with("[The contact sent a file, virus.png, that could not be fetched")
    }));
    assert!(
        said[4]
            .text
            .as_deref()
            .is_some_and(|line| line.contains("gone.png, that could not be fetched"))
    );
    // The link works without anybody's credentials.
    let link = line
        .rsplit(": ")
        .next()
        .expect("a link")
        .trim_end_matches(']');
    let path = link.split_once("/media/").expect("a path").1;
    let answer = reqwest::get(format!("{}/media/{path}", world.address()))
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.bytes().await.expect("bytes").len(),
        PIXEL.len() + 6 * 1024 * 1024
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_at_a_private_address_is_not_fetched() {
    let site = Site::start().await;
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let conversation = world.goes_live("private", "web").await;
    send(
        &world,
        &site.message("private", "m1", "", &[("photo.png", "/photo")]),
    )
    .await;
    world
        .heard
        .until_one("private", "lifecycle.contact_message_delivered")
        .await;
    let said = world.org.messages(&conversation);
    let line = said[1].text.as_deref().expect("a line");
    assert!(
        line.contains("photo.png, that could not be fetched"),
        "{line}"
    );
    assert!(!line.contains("127.0.0.1"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rep_sends_is_copied_and_goes_out_in_its_place() {
    let mut setup = Setup::shared().await;
    let site = Site::start().await;
    setup.org.public_url = None;
    let probe = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    setup.org.listen = probe;
    let mut world = setup
        .with(
            "media",
            &format!("allow = [\"http://{probe}\", \"{}\"]", site.origin),
        )
        .build()
        .await;
    world.start().await;
    let conversation = world.goes_live("rep-file", "web").await;
    let rep = world.org.rep(&conversation);
    rep.joins();
    rep.says("before");
    rep.sends_file("label.png", "image/png", PIXEL.to_vec(), Some("your label"));
    rep.says("after");
    world
        .heard
        .until(|heard| heard.replies("rep-file").len() == 3)
        .await;
    assert_eq!(
        world.heard.replies("rep-file"),
        ["before", "your label", "after"]
    );
    let told = world.heard.of("rep-file");
    let reply = told
        .iter()
        .find(|told| told.event["data"]["text"] == "your label")
        .expect("a reply");
    let schema = include_str!("../../docs/events/handoff.reply.v1.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    assert!(schema.is_valid(&reply.event), "{}", reply.event);
    let file = &reply.event["data"]["attachments"][0];
    assert_eq!(file["name"], "label.png");
    assert_eq!(file["content_type"], "image/png");
    assert_eq!(file["size"], PIXEL.len());
    assert_eq!(file["sha256"].as_str().map(str::len), Some(64));
    let path = file["url"]
        .as_str()
        .expect("a link")
        .split_once("/media/")
        .expect("ours")
        .1
        .to_owned();
    let answer = reqwest::get(format!("{}/media/{path}", world.address()))
        .await
        .expect("an answer");
    assert_eq!(answer.bytes().await.expect("bytes"), PIXEL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_by_address_is_told_in_part_and_attached_whole() {
    let site = Site::start().await;
    let world = site.world().await;
    let mut event = world.escalation("long", "web");
    event["data"]["transcript"] = Value::Null;
    event["data"]["transcript_url"] =
        json!(format!("{}/turns", site.origin).replace("http://", "https://"));
    // The address in an event is https; the exception for this server is for http.
    world.publish(&event).await;
    let live = world.heard.until_one("long", "lifecycle.live").await;
    let conversation = live["data"]["conversation_id"].as_str().expect("an id");
    let opening = world.org.messages(conversation)[0]
        .text
        .clone()
        .expect("text");
    assert!(
        opening.contains("Transcript: https://"),
        "what cannot be fetched stays a link: {opening}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_turns_arrive_whole() {
    let mut world = Setup::shared().await.build().await;
    world.start().await;
    let mut event = world.escalation("whole", "web");
    let turns: Vec<Value> = (0..500)
        .map(|at| json!({ "author": "contact", "text": format!("turn {at}: {}", "שלום 👩‍👩‍👧 ".repeat(12)) }))
        .collect();
    event["data"]["transcript"] = json!(turns);
    world.publish(&event).await;
    let live = world.heard.until_one("whole", "lifecycle.live").await;
    let messages = world
        .org
        .messages(live["data"]["conversation_id"].as_str().expect("an id"));
    assert_eq!(messages.len(), 2, "one message and one file");
    let text = messages[0].text.as_deref().expect("text");
    assert!(text.chars().count() <= 4000);
    assert!(text.contains("of 500 turns, times in UTC; "), "{text}");
    assert!(
        text.contains("All of it is in the attached file transcript.txt."),
        "{text}"
    );
    let file = messages[1].file.as_ref().expect("a file");
    assert_eq!(file.name, "transcript.txt");
    // Every turn is in it, to the byte: heading and stamps come on top.
    let bytes: usize = turns
        .iter()
        .map(|turn| turn["text"].as_str().expect("text").trim_end().len())
        .sum();
    assert!(file.bytes > bytes, "{} of {bytes} bytes", file.bytes);
}
