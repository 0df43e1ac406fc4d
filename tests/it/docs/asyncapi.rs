//! `docs/events/asyncapi.json`: every event with its schema, example, exchange and routing key, and no other.

use std::collections::BTreeSet;

use baton::domain::event::Kind;
use serde_json::Value;

use super::{files, text};

fn document() -> Value {
    serde_json::from_str(&text("docs/events/asyncapi.json")).expect("JSON")
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).expect("JSON")
}

#[test]
fn every_event_is_a_message_with_the_example_that_is_tested() {
    let document = document();
    let messages = document["components"]["messages"].as_object();
    let mut described = BTreeSet::new();
    for message in messages.expect("messages").values() {
        let kind = message["name"].as_str().expect("a name");
        assert_eq!(
            message["payload"]["schema"]["$ref"],
            format!("./{kind}.schema.json")
        );
        let example = json(&format!("docs/events/{kind}.example.json"));
        assert_eq!(message["examples"][0]["payload"], example, "{kind}");
        described.insert(kind.to_owned());
    }
    let there: BTreeSet<String> = files("json")
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.strip_suffix(".schema.json"))
        .filter(|kind| kind.starts_with("handoff."))
        .map(str::to_owned)
        .collect();
    assert_eq!(described, there);
}

#[test]
fn every_message_has_the_exchange_and_the_routing_key_that_its_schema_names() {
    let document = document();
    let channels = document["channels"].as_object().expect("channels");
    let operations = document["operations"].as_object().expect("operations");
    assert_eq!(channels.len(), operations.len());
    for operation in operations.values() {
        let name = operation["channel"]["$ref"].as_str().expect("a channel");
        let channel = &channels[name.trim_start_matches("#/channels/")];
        let message = channel["messages"].as_object().expect("messages");
        let [id] = message.keys().collect::<Vec<_>>()[..] else {
            panic!("not one message in {name}")
        };
        let kind = document["components"]["messages"][id]["name"]
            .as_str()
            .expect("a type");
        let schema = json(&format!("docs/events/{kind}.schema.json"));
        let said = schema["description"].as_str().expect("a description");
        let exchange = channel["bindings"]["amqp"]["exchange"]["name"]
            .as_str()
            .expect("an exchange");
        let key = channel["address"].as_str().expect("a routing key");
        let key = key.replace('{', "<").replace('}', ">");
        assert!(
            said.contains(&format!("`{exchange}`")),
            "{kind}: {exchange}"
        );
        assert!(said.contains(&format!("`{key}`")), "{kind}: {key}");
        let inbound = exchange == "handoff.inbound";
        assert_eq!(operation["action"] == "receive", inbound, "{kind}");
    }
    for kind in [
        Kind::Escalation,
        Kind::ContactMessage,
        Kind::ContactTyping,
        Kind::ContactLeft,
        Kind::ReplyDelivery,
    ] {
        let address = |channel: &&Value| channel["address"] == kind.routing_key();
        assert_eq!(channels.values().filter(address).count(), 1, "{kind:?}");
    }
}
