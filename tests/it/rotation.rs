//! A key is rotated under a running worker: both keys are live, and the org takes only one of them at any time.

use std::collections::BTreeMap;

use baton::domain::clock::{self, Clock};
use baton::domain::jwk;
use baton::domain::keys::RsaPair;
use baton::domain::seal::ExposeSecret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::desks::PAIR;
use crate::world::{CONNECTION, Setup, World};

/// Saves the connection through the worker, as `baton connection add` does.
async fn save(world: &World, changes: &[(&str, &str)]) -> (u16, Value) {
    let org = world.org.options();
    let mut settings: BTreeMap<&str, &str> = BTreeMap::from([
        ("instance_url", "https://acme.my.salesforce.com"),
        ("scrt_url", world.org.url()),
        ("es_developer_name", &org.deployment),
        ("org_id", &org.org_id),
        ("auth_public_key", &PAIR.public),
        ("auth_key_id", "key-1"),
        ("issuer", &org.issuer),
    ]);
    settings.extend(changes.iter().copied());
    let body = json!({ "desk": "salesforce", "settings": settings });
    let token = std::fs::read_to_string(world.folder.path().join("baton.token")).expect("a token");
    let url = format!("{}/api/v1/connections/{CONNECTION}", world.address());
    let request = reqwest::Client::new().put(url).bearer_auth(token.trim());
    let answer = request.json(&body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn rotate(world: &World) -> (u16, Value) {
    let path = format!("connections/{CONNECTION}/rotate");
    world.api(Method::POST, &path).await
}

/// The org's keyset has this one key.
fn takes_only(world: &World, id: &str, public: &str) {
    let keys = BTreeMap::from([(id.to_owned(), public.to_owned())]);
    world.org.trust(&keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_loses_no_handoff_and_no_conversation_whichever_key_the_org_takes() {
    let mut world = World::new(Setup::shared().await).await;
    world.start().await;
    let first = world.goes_live("s1", "web").await;
    world.org.rep(&first).joins();

    // Nothing to rotate to, then a key that the org does not know yet: nothing changes.
    let (status, said) = rotate(&world).await;
    assert_eq!(status, 409, "{said}");
    assert!(
        said["error"]
            .as_str()
            .is_some_and(|it| it.contains("`auth_next_key_id`")),
        "{said}"
    );
    let next = RsaPair::generate();
    let now = Clock::System.now();
    let until = clock::after(now, std::time::Duration::from_hours(999));
    let next_jwk = jwk::of(&next, "key-2", now, until)
        .expect("a JWK")
        .to_string();
    let with_next = [
        ("auth_next_key_id", "key-2"),
        ("auth_next_public_key", next.public_pem.as_str()),
        ("auth_next_private_key", next.private_pem.expose_secret()),
        ("auth_next_jwk", next_jwk.as_str()),
    ];
    assert_eq!(save(&world, &with_next).await.0, 200);
    let (status, said) = rotate(&world).await;
    assert_eq!(status, 409, "{said}");
    assert!(
        said["error"]
            .as_str()
            .is_some_and(|it| it
                .starts_with("nothing was changed: the org does not take the next key `key-2`")),
        "{said}"
    );
    world.goes_live("s2", "web").await;

    // The admin was too quick and took the old key out: the next one is used, for new handoffs and for live ones.
    takes_only(&world, "key-2", &next.public_pem);
    world.goes_live("s3", "web").await;
    world.org.expire_tokens();
    world.org.end_streams();
    world.org.rep(&first).says("signed with the next key");
    world
        .heard
        .until(|heard| heard.replies("s1").len() == 1)
        .await;

    let (status, said) = rotate(&world).await;
    assert_eq!((status, &said["key"]), (200, &json!("key-2")), "{said}");
    let shown = world
        .api(Method::GET, &format!("connections/{CONNECTION}"))
        .await
        .1;
    let settings = &shown["settings"];
    assert_eq!(settings["auth_key_id"], "key-2");
    assert_eq!(settings["auth_jwk"], next_jwk);
    assert!(
        settings
            .as_object()
            .is_some_and(|all| all.keys().all(|name| !name.contains("next"))),
        "{settings}"
    );
    world.goes_live("s4", "web").await;
    world.org.expire_tokens();
    world.org.end_streams();
    world.org.rep(&first).says("signed with the new key");
    world
        .heard
        .until(|heard| heard.replies("s1").len() == 2)
        .await;

    // And back, for whom the org still has only the old one.
    takes_only(&world, "key-1", &PAIR.public);
    let back = [("auth_private_key", PAIR.private.as_str())];
    assert_eq!(save(&world, &back).await.0, 200);
    world.goes_live("s5", "web").await;
    assert_eq!(world.heard.dead().len(), 0);
    assert_eq!(world.org.conversations().len(), 5);
    world.stop().await;
}
