//! `/media/{token}`, as a channel sender or a browser sees it.

use std::net::SocketAddr;
use std::time::Duration;

use baton::domain::clock::{Clock, after, from_ms};
use baton::domain::ids::HandoffId;
use baton::engine::media::{Attachment, Custody, Grant, Links, Place};
use baton::operator::media::{Media, routes};
use bytes::Bytes;
use reqwest::{Client, Method, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;

struct Port {
    address: SocketAddr,
    media: Media,
    _folder: TempDir,
}

impl Port {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let media = Media {
            custody: Custody::open(&Place::Folder(folder.path().into())).expect("a folder"),
            links: Links::new(&[7; 32], &format!("http://{address}")),
            clock: Clock::set_to(from_ms(1_795_183_402_123)),
        };
        let served = routes(media.clone());
        tokio::spawn(async move { axum::serve(listener, served).await.expect("a server") });
        Self {
            address,
            media,
            _folder: folder,
        }
    }

    /// A link to a file that is kept, for a minute.
    async fn link(&self, name: &str, content_type: &str) -> (Attachment, String) {
        let attachment = Attachment::of(HandoffId::new(), "m1", name);
        let bytes = Bytes::from_static(super::PNG);
        self.media
            .custody
            .keep(attachment, bytes)
            .await
            .expect("kept");
        let grant = Grant {
            attachment,
            name: name.into(),
            content_type: content_type.into(),
            expires_at: after(self.media.clock.now(), Duration::from_mins(1)),
        };
        (attachment, self.media.links.link(&grant))
    }
}

async fn ask(method: Method, link: &str) -> Response {
    let client = Client::builder().no_proxy().build().expect("TLS roots");
    client
        .request(method, link)
        .send()
        .await
        .expect("an answer")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_file_is_served_as_a_thing_to_save_that_runs_nothing() {
    let port = Port::open().await;
    let (_, link) = port
        .link("Rückzahlung \"5512\".pdf", "application/pdf")
        .await;
    for method in [Method::GET, Method::HEAD] {
        let response = ask(method.clone(), &link).await;
        assert_eq!(response.status(), 200);
        let headers = [
            ("content-type", "application/pdf"),
            ("content-length", "16"),
            (
                "content-disposition",
                "attachment; filename*=UTF-8''R%C3%BCckzahlung%205512.pdf",
            ),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("cache-control", "private"),
            ("referrer-policy", "no-referrer"),
        ];
        for (name, value) in headers {
            assert_eq!(header(&response, name), value, "{method} {name}");
        }
        let body = response.bytes().await.expect("a body");
        let expected = if method == Method::HEAD {
            &b""[..]
        } else {
            super::PNG
        };
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn only_plain_pictures_are_shown_in_place() {
    let port = Port::open().await;
    let kinds = [
        ("image/png", "inline"),
        ("image/jpeg", "inline"),
        ("image/svg+xml", "attachment"),
        ("text/html", "attachment"),
        ("text/plain", "attachment"),
        ("application/pdf", "attachment"),
        ("", "attachment"),
    ];
    for (content_type, shown) in kinds {
        let (_, link) = port.link("f", content_type).await;
        let response = ask(Method::GET, &link).await;
        let disposition = format!("{shown}; filename*=UTF-8''f");
        assert_eq!(
            header(&response, "content-disposition"),
            disposition,
            "{content_type}"
        );
        if content_type.is_empty() {
            assert_eq!(
                header(&response, "content-type"),
                "application/octet-stream"
            );
        }
    }
}

#[tokio::test]
async fn who_guesses_is_told_nothing_and_who_comes_late_is_told_why() {
    let port = Port::open().await;
    let (attachment, link) = port.link("a.png", "image/png").await;
    let guess = format!("http://{}/media/AAAA", port.address);
    let response = ask(Method::GET, &guess).await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.bytes().await.expect("a body"), "");
    assert_eq!(ask(Method::POST, &link).await.status(), 405);

    port.media
        .custody
        .erase(attachment.handoff)
        .await
        .expect("erased");
    let response = ask(Method::GET, &link).await;
    assert_eq!(response.status(), 410);
    assert_eq!(
        response.text().await.expect("a body"),
        "This file has been erased.\n"
    );

    port.media.clock.advance(Duration::from_mins(1));
    let response = ask(Method::GET, &link).await;
    assert_eq!(response.status(), 410);
    assert_eq!(
        response.text().await.expect("a body"),
        "This link has expired.\n"
    );
}
