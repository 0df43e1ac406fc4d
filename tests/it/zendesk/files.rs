//! Files of reps, which an account may keep private: copied with our keys, which nobody else is shown.

use std::sync::Arc;

use baton::engine::custodian::Custodian;
use baton::engine::files::Files;
use baton::engine::media::Fetcher;
use baton::sim::zendesk::switches::Shown;
use reqwest::Url;
use tokio_util::sync::CancellationToken;

use super::house::House;
use super::{app_with, connection_to, open};
use crate::broker::bench::soon;

const PDF: &[u8] = b"%PDF-1.7 a label";

/// Copies what waits, until nothing does.
async fn take_into_custody(house: &House) {
    let app: Url = house.app.url().parse().expect("a URL");
    let files = Files {
        fetcher: Fetcher::new(&[app]).expect("TLS roots"),
        ..crate::world::files(house.folder.path())
    };
    let custodian = Arc::new(Custodian {
        store: house.store.clone(),
        desks: house.desks.clone(),
        files,
        clock: baton::domain::clock::Clock::System,
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(custodian.run(stop.clone()));
    soon(async {
        while !house.store.with_files(1).await.expect("a store").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stop.cancel();
    running.await.expect("it stops");
}

#[tokio::test]
async fn a_private_file_of_a_rep_is_copied_with_the_key_of_the_app() {
    let house = House::new().await;
    house
        .app
        .switch(|switches| switches.private_attachments = Shown::Yes);
    let conversation = house.live("s1").await;
    let rep = house.app.rep(&conversation);
    rep.sends_file("label.pdf", "application/pdf", PDF);
    house.delivered().await;
    let private = house.app.ledger().attachments[0].url.clone();
    let refused = reqwest::get(&private).await.expect("an answer");
    assert_eq!(refused.status(), 401, "it is private");
    take_into_custody(&house).await;
    let told = house.told().await;
    let reply = told.iter().find(|(key, _)| key == "reply.sms");
    let file = &reply.expect("a reply").1["data"]["attachments"][0];
    assert_eq!(file["name"], "label.pdf");
    assert_eq!(file["size"], PDF.len());
    assert!(file["unavailable"].is_null(), "{file}");
    assert_ne!(file["url"], private.as_str(), "the link is ours");
}

#[tokio::test]
async fn only_the_accounts_own_hosts_are_shown_its_keys() {
    let app = app_with(|_| ()).await;
    let settings = [
        ("support_email", "admin@acme.example"),
        ("support_token", "not-a-real-token"),
    ];
    let keys = |settings: &[(&str, &str)], url: &str| {
        let desk = open(&connection_to(&app, settings));
        desk.file_keys(&url.parse().expect("a URL")).len()
    };
    let own = format!("{}/sc/attachments/v2/1/a.png", app.url());
    assert_eq!(keys(&[], &own), 1);
    assert_eq!(
        keys(&settings, &own),
        2,
        "the key of the app, then that of Support"
    );
    assert_eq!(
        keys(&[], "https://acme.zendesk.com/sc/attachments/v2/1/a.png"),
        1
    );
    for foreign in [
        "https://evil.example/a.png",
        "https://other.zendesk.com/a.png",
        "https://acme.zendesk.com.evil.example/a.png",
        "http://acme.zendesk.com/a.png",
        "https://acme.zendesk.com:8443/a.png",
    ] {
        assert_eq!(keys(&settings, foreign), 0, "{foreign}");
    }
}
