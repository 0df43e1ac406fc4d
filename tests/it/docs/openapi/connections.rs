//! Connections of every kind: saved, tried, paused, rotated and removed.

use baton::domain::keys::RsaPair;
use baton::domain::seal::ExposeSecret;
use serde_json::{Value, json};

use super::story::{NOWHERE, Story, ZENDESK, until};
use crate::desks::PAIR;
use crate::world::CONNECTION;

/// Five of them, and all that can be done with one but to remove it.
pub async fn connections(story: &Story) {
    let api = &story.api;
    assert_eq!(api.call("showConnection").gives(200).await["gate"], "open");
    let (good, zendesk) = (story.salesforce(&[]), story.zendesk(&[]));
    let bad = story.salesforce(&[("issuer", "")]);
    let check = |body: &Value| api.call("checkConnection").at("name", "beta").body(body);
    assert_eq!(check(&good).gives(200).await["change"], "added");
    assert_eq!(
        check(&bad).gives(200).await["problems"][0]["setting"],
        "issuer"
    );

    let save = |name: &str, body: &Value| api.call("saveConnection").at("name", name).body(body);
    for change in ["added", "none"] {
        assert_eq!(save("beta", &good).gives(200).await["change"], change);
    }
    assert_eq!(
        save("gamma", &bad).complains().await[0]["setting"],
        "issuer"
    );
    save("gamma", &story.salesforce(&[("scrt_url", NOWHERE)]))
        .gives(200)
        .await;
    let again = || save(ZENDESK, &zendesk);
    until(again, |it| it.json()["set_up"]["ok"] == true).await;
    let unreachable = story.zendesk(&[("base_url", NOWHERE)]);
    let saved = save("far-zendesk", &unreachable).gives(200).await;
    assert_eq!(saved["set_up"]["ok"], false, "{saved}");
    assert_eq!(
        api.call("listConnections")
            .gives(200)
            .await
            .as_array()
            .map(Vec::len),
        Some(5)
    );

    let verify = || api.call("verifyConnection");
    until(verify, |it| it.json()["ok"] == true).await;
    let failed = api
        .call("verifyConnection")
        .at("name", "gamma")
        .gives(200)
        .await;
    assert_eq!(failed["code"], "desk-unreachable");
    let paused = api.call("pauseConnection").at("name", "beta");
    assert_eq!(paused.gives(200).await["gate_why"], "api");
    api.call("pauseConnection")
        .at("name", "beta")
        .gives(409)
        .await;
    api.call("resumeConnection")
        .at("name", "beta")
        .gives(200)
        .await;
    api.call("resumeConnection")
        .at("name", "beta")
        .gives(409)
        .await;
    let ours = json!({ "public_url": api.address, "serving": true });
    for name in [CONNECTION, ZENDESK, "gamma"] {
        api.call("examineConnection")
            .at("name", name)
            .body(&ours)
            .gives(200)
            .await;
    }
    api.call("examineMachine").gives(200).await;
    api.call("examineMachine")
        .asking("conversations", 500)
        .gives(200)
        .await;

    api.call("rotateConnection")
        .at("name", "beta")
        .gives(409)
        .await;
    let next = RsaPair::generate();
    let keys = [("key-1", &PAIR.public), ("key-2", &next.public_pem)];
    story
        .world
        .org
        .trust(&keys.map(|(id, key)| (id.to_owned(), key.clone())).into());
    let with_next = story.salesforce(&[
        ("auth_next_key_id", "key-2"),
        ("auth_next_public_key", &next.public_pem),
        ("auth_next_private_key", next.private_pem.expose_secret()),
    ]);
    save("beta", &with_next).gives(200).await;
    let rotate = || api.call("rotateConnection").at("name", "beta");
    until(rotate, |it| it.status == 200).await;
}

/// One that nobody needs, and one that a rep was reached by.
pub async fn removals(story: &Story) {
    let api = &story.api;
    let remove = |name: &str, mode: &str| {
        api.call("removeConnection")
            .at("name", name)
            .asking("mode", mode)
    };
    assert_eq!(
        remove("gamma", "force").gives(200).await["removed"],
        "gamma"
    );
    let drains = remove("beta", "drain").gives(200).await;
    assert_eq!(drains["handoffs"], 1);
    let shown = api
        .call("showConnection")
        .at("name", "beta")
        .gives(200)
        .await;
    assert_eq!(shown["gate"], "draining");
}
