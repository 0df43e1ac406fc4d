//! Fetching from a server that is slow, greedy, lost, or wrong about what it sends.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::Response;
use baton::engine::media::fetch::redirected;
use baton::engine::media::kind::{Family, Unfit};
use baton::engine::media::{FetchError, Fetched, Fetcher, Rules};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use reqwest::header::HeaderValue;

use super::site::{Site, file, redirect, with};
use super::{PNG, RULES};

fn fetcher(site: &Site) -> Fetcher {
    Fetcher::new(std::slice::from_ref(&site.origin)).expect("TLS roots")
}

async fn fetch_from(site: &Site, path: &str) -> Result<Fetched, FetchError> {
    fetcher(site).fetch(&site.at(path), None, RULES).await
}

async fn fetch(
    answer: impl Fn(&str) -> Response + Send + Sync + 'static,
) -> Result<Fetched, FetchError> {
    fetch_from(&Site::serving(answer).await, "/f").await
}

fn pieces(count: usize, piece: &'static [u8]) -> impl futures_util::Stream<Item = Piece> {
    stream::iter(std::iter::repeat_n(piece, count)).map(|piece| Ok(Bytes::from_static(piece)))
}

type Piece = Result<Bytes, std::io::Error>;

#[tokio::test]
async fn a_file_comes_with_its_type_and_name() {
    let fetched = fetch(|_| {
        let named = [(
            "content-disposition",
            "attachment; filename=\"receipt.png\"",
        )];
        with(200, &named, PNG)
    });
    let expected = Fetched {
        bytes: Bytes::from_static(PNG),
        content_type: "image/png".into(),
        name: Some("receipt.png".into()),
    };
    assert_eq!(fetched.await, Ok(expected));
}

#[tokio::test]
async fn a_name_is_taken_from_the_header_or_the_address_and_made_harmless() {
    let names = [
        (Some("attachment; filename=a.png"), "/f", Some("a.png")),
        (
            Some("attachment; filename=\"../../etc/a.png\""),
            "/f",
            Some("a.png"),
        ),
        (
            Some("attachment; filename=\"C:\\\\x\\\\a.png\""),
            "/f",
            Some("a.png"),
        ),
        (
            Some("inline; FileName=\"a.png\"; size=3"),
            "/f",
            Some("a.png"),
        ),
        (
            Some("attachment; filename=\"x.png\"; filename*=UTF-8''%E2%82%AC%20rates.png"),
            "/f",
            Some("€ rates.png"),
        ),
        (
            Some("attachment; filename*=UTF-8''%2e%2e%2fa.png"),
            "/f",
            Some("a.png"),
        ),
        (
            Some("attachment; filename*=UTF-8''a%0d%0a.png"),
            "/f",
            Some("a.png"),
        ),
        (
            Some("attachment; filename*=UTF-8''a%E2%80%AEgnp.exe"),
            "/f",
            Some("agnp.exe"),
        ),
        (
            Some("attachment"),
            "/x/receipt%20one.png",
            Some("receipt one.png"),
        ),
        (None, "/receipt.png?sig=s3cret", Some("receipt.png")),
        (None, "/a%2Fb%2F..%2F..%2Fc.png", Some("c.png")),
        (Some("attachment; filename=\"..\""), "/", None),
        (None, "/", None),
    ];
    for (header, path, name) in names {
        let headers: Vec<_> = header
            .map(|it| ("content-disposition", it))
            .into_iter()
            .collect();
        let site = Site::serving(move |_| with(200, &headers, PNG)).await;
        let fetched = fetch_from(&site, path).await.expect("a file");
        assert_eq!(fetched.name.as_deref(), name, "{header:?} {path}");
    }
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_no_further() {
    let site = Site::serving(|path| match path {
        "/end" => file("image/png", PNG),
        "/2" => redirect("end"),
        "/3" => redirect("/2?again"),
        "/4" => redirect("./3"),
        "/5" => redirect("/4"),
        _ => redirect("/loop"),
    })
    .await;
    assert!(fetch_from(&site, "/4").await.is_ok());
    assert_eq!(site.asked(), 4);
    assert_eq!(
        fetch_from(&site, "/5").await,
        Err(FetchError::TooManyRedirects)
    );
    assert_eq!(
        fetch_from(&site, "/loop").await,
        Err(FetchError::TooManyRedirects)
    );
    assert_eq!(site.asked(), 12);
}

#[tokio::test]
async fn a_key_is_shown_where_the_file_is_and_to_nobody_to_whom_that_redirects() {
    let elsewhere = Site::serving(|_| file("image/png", PNG)).await;
    let away = elsewhere.at("/signed");
    let site = Site::serving(move |path| match path {
        "/here" => redirect("/there"),
        "/there" => redirect(&away),
        _ => with(401, &[], ""),
    })
    .await;
    let fetcher = Fetcher::new(&[site.origin.clone(), elsewhere.origin.clone()]);
    let fetcher = fetcher.expect("TLS roots");
    let keys = ["Basic one", "Basic two"].map(HeaderValue::from_static);
    let fetch = async |path| {
        fetcher
            .fetch_locked(&site.at(path), None, RULES, &keys)
            .await
    };
    assert_eq!(fetch("/here").await.expect("a file").bytes, PNG);
    let first = Some("Basic one".to_owned());
    assert_eq!(site.shown(), [first.clone(), first.clone()]);
    assert_eq!(elsewhere.shown(), [None]);
    // Where it is refused, the next is tried, and at last none.
    assert_eq!(fetch("/locked").await, Err(FetchError::Status(401)));
    assert_eq!(
        site.shown()[2..],
        [first, Some("Basic two".to_owned()), None]
    );
}

#[tokio::test]
async fn a_redirect_leads_nowhere_that_the_first_address_could_not() {
    let other = Site::serving(|_| file("image/png", PNG)).await;
    let redirects = [
        (other.at("/f"), FetchError::NotHttps),
        ("http://example.com/f".into(), FetchError::NotHttps),
        ("file:///etc/passwd".into(), FetchError::NotHttps),
        (
            "https://169.254.169.254/".into(),
            FetchError::PrivateAddress("metadata"),
        ),
        ("//[::1]/f".into(), FetchError::NotHttps),
        (
            "https://localhost/f".into(),
            FetchError::PrivateAddress("loopback"),
        ),
        ("https://u:p@example.com/f".into(), FetchError::Credentials),
        ("https://".into(), FetchError::NotAnAddress),
    ];
    for (to, why) in redirects {
        let location = to.clone();
        assert_eq!(fetch(move |_| redirect(&location)).await, Err(why), "{to}");
    }
    let nowhere = fetch(|_| with(302, &[], Body::empty())).await;
    assert_eq!(nowhere, Err(FetchError::NotAnAddress));
    assert_eq!(other.asked(), 0);
}

#[test]
fn a_redirect_never_leads_from_https_to_less() {
    let to = |to| redirected(&"https://files.example/a/b".parse().expect("a URL"), to);
    assert_eq!(to("http://files.example/"), Err(FetchError::NotHttps));
    assert_eq!(to("http://an.exception:8080/"), Err(FetchError::NotHttps));
    assert_eq!(
        to("//other.example/c").map(String::from),
        Ok("https://other.example/c".into())
    );
    assert_eq!(
        to("../c?d").map(String::from),
        Ok("https://files.example/c?d".into())
    );
}

#[tokio::test]
async fn a_file_that_says_it_is_too_large_is_not_read() {
    let endless = |_: &str| {
        let body = Body::from_stream(stream::pending::<Piece>());
        with(200, &[("content-length", "1001")], body)
    };
    assert_eq!(
        fetch(endless).await,
        Err(FetchError::TooLarge { max: 1000 })
    );
}

#[tokio::test]
async fn a_file_that_does_not_say_how_large_it_is_is_read_up_to_the_limit() {
    let chunked =
        |count| fetch(move |_| with(200, &[], Body::from_stream(pieces(count, &[7; 100]))));
    assert_eq!(chunked(11).await, Err(FetchError::TooLarge { max: 1000 }));
    assert_eq!(
        chunked(10).await,
        Err(FetchError::TypeRefused(Unfit::Unknown))
    );
}

#[tokio::test]
async fn slowness_of_every_kind_has_an_end() {
    let silent = |_: &str| with(200, &[], Body::from_stream(stream::pending::<Piece>()));
    let stuck = |_: &str| {
        let body = pieces(1, PNG).chain(stream::pending());
        with(200, &[("content-length", "100")], Body::from_stream(body))
    };
    let trickling = |_: &str| {
        let ticks = tokio::time::interval(Duration::from_millis(20));
        let drops = stream::unfold(ticks, |mut ticks| async move {
            ticks.tick().await;
            Some((Piece::Ok(Bytes::from_static(b".")), ticks))
        });
        with(200, &[], Body::from_stream(drops))
    };
    let rules = Rules {
        time_max: Duration::from_millis(200),
        ..RULES
    };
    let started = Instant::now();
    let slow = [
        Site::serving(silent).await,
        Site::serving(stuck).await,
        Site::serving(trickling).await,
    ];
    let fetches = slow.iter().map(|site| async {
        let fetched = fetcher(site).fetch(&site.at("/f"), None, rules).await;
        assert_eq!(fetched, Err(FetchError::TooSlow(rules.time_max)));
    });
    join_all(fetches).await;
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn a_status_other_than_200_is_no_file_and_says_whether_to_come_back() {
    let statuses = [
        (204, false),
        (206, false),
        (304, false),
        (401, false),
        (403, false),
        (404, false),
        (410, false),
        (408, true),
        (429, true),
        (500, true),
        (503, true),
    ];
    for (status, transient) in statuses {
        let error = fetch(move |_| with(status, &[], Body::empty()))
            .await
            .expect_err("no file");
        assert_eq!(error, FetchError::Status(status));
        assert_eq!(error.is_transient(), transient, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_or_hangs_up_is_worth_another_try() {
    let site = Site::serving(|_| {
        let broken = stream::iter([Ok(Bytes::from_static(PNG)), Err(std::io::Error::other("…"))]);
        with(200, &[], Body::from_stream(broken))
    })
    .await;
    let broken = fetch_from(&site, "/f?sig=s3cret")
        .await
        .expect_err("no file");
    assert!(matches!(broken, FetchError::BrokenOff(_)), "{broken:?}");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let fetcher = Fetcher::new(&[origin.parse().expect("a URL")]).expect("TLS roots");
    let away = fetcher
        .fetch(&format!("{origin}/f?sig=s3cret"), None, RULES)
        .await;
    let away = away.expect_err("no file");
    assert!(matches!(away, FetchError::Unreachable(_)), "{away:?}");

    for error in [broken, away] {
        assert!(error.is_transient());
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn the_label_does_not_make_the_file() {
    let exe: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0";
    let refused = [
        ("image/png", exe, Unfit::Program),
        ("text/plain", b"#!/bin/sh\nrm -rf /\n", Unfit::Program),
        (
            "image/svg+xml",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            Unfit::Markup,
        ),
        ("image/png", b" \n<!DOCTYPE html><p>hello", Unfit::Markup),
        ("image/png", b"\x01\x02\x03\x04", Unfit::Unknown),
        (
            "image/png",
            b"%PDF-1.7\n\xe2\xe3\xcf\xd3\n\x01",
            Unfit::Mislabeled {
                declared: Family::Picture,
                found: Family::Document,
            },
        ),
    ];
    for (label, body, why) in refused {
        let fetched = fetch(move |_| file(label, body)).await;
        assert_eq!(fetched, Err(FetchError::TypeRefused(why)), "{label}");
    }
    assert_eq!(
        fetch(|_| file("image/png", "")).await,
        Err(FetchError::Empty)
    );
}

#[tokio::test]
async fn what_the_sender_says_counts_for_more_than_what_the_server_says() {
    let site = Site::serving(|_| file("application/octet-stream", "name;city\nDana;Köln\n")).await;
    let fetcher = fetcher(&site);
    let url = site.at("/f");
    let by_server = fetcher.fetch(&url, None, RULES).await.expect("a file");
    assert_eq!(by_server.content_type, "text/plain");
    let by_sender = fetcher.fetch(&url, Some("text/csv"), RULES).await;
    assert_eq!(by_sender.expect("a file").content_type, "text/csv");
}

#[tokio::test]
async fn a_transcript_is_json_whatever_it_is_called_and_has_its_own_limit() {
    let site = Site::serving(|path| match path {
        "/good" => file("binary/octet-stream", "[{\"author\":\"ai\"}]"),
        "/long" => file("application/json", format!("[{}]", " ".repeat(2000))),
        _ => file("application/json", "<html>sign in</html>"),
    })
    .await;
    let fetcher = fetcher(&site);
    let fetch = |path, rules| {
        let (fetcher, url) = (fetcher.clone(), site.at(path));
        async move { fetcher.fetch_transcript(&url, rules).await }
    };
    let good = fetch("/good", RULES).await.expect("JSON");
    assert_eq!(good, "[{\"author\":\"ai\"}]");
    assert_eq!(
        fetch("/bad", RULES).await,
        Err(FetchError::TypeRefused(Unfit::NotJson))
    );
    assert_eq!(
        fetch("/long", RULES).await,
        Err(FetchError::TooLarge { max: 1000 })
    );
    let larger = Rules {
        bytes_max: 10_000,
        ..RULES
    };
    assert!(fetch("/long", larger).await.is_ok());
}
