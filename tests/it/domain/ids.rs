//! Derived ids: the same name, the same key, in every release.

use std::collections::HashSet;

use baton::domain::handoff::{Keys, Progress};
use baton::domain::ids::{EntryId, IdShape, Namespace};
use serde_json::json;

use crate::example;

#[test]
fn the_same_name_has_the_same_key_and_another_name_another() {
    let namespace = Namespace::new("baton");
    let key = |name: &[&str]| namespace.key(name, IdShape::V5);
    assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    let names: [&[&str]; 9] = [
        &["a", "b"],
        &["ab"],
        &["a", "", "b"],
        &["", "ab"],
        &["ab", ""],
        &["a|b"],
        &["a", "b|"],
        &["1:a|1:b|"],
        &[],
    ];
    let keys: HashSet<String> = names.iter().map(|name| key(name).to_string()).collect();
    assert_eq!(keys.len(), names.len());
    assert_ne!(
        key(&["a"]),
        Namespace::new("other").key(&["a"], IdShape::V5)
    );
    assert_ne!(
        key(&["a"]),
        Namespace::of(key(&["b"])).key(&["a"], IdShape::V5)
    );
}

#[test]
fn the_shape_of_v4_changes_the_version_and_nothing_else() {
    let namespace = Namespace::new("baton");
    for number in 0..50 {
        let name = number.to_string();
        let v5 = namespace.key(&[&name], IdShape::V5).to_string();
        let v4 = namespace.key(&[&name], IdShape::V4).to_string();
        assert_eq!(v4, v4.to_lowercase());
        assert_eq!(
            (v5.len(), v5.as_bytes()[14], v4.as_bytes()[14]),
            (36, b'5', b'4')
        );
        assert!(
            matches!(v4.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
            "{v4}"
        );
        assert_eq!([&v5[..14], &v5[15..]], [&v4[..14], &v4[15..]]);
    }
}

/// A release that derived other ids would open second conversations for handoffs that are under way.
#[test]
fn keys_are_what_they_were_in_the_first_release() {
    let handoff = example::handoff(example::escalation(|_| ()));
    let Keys {
        conversation,
        opening,
    } = Keys::of(Namespace::new("baton"), &handoff.escalation);
    let handoff = baton::domain::handoff::Handoff {
        keys: Keys {
            conversation,
            opening,
        },
        ..handoff
    };
    let derived = [
        conversation.to_string(),
        opening.to_string(),
        handoff.reply_key(&EntryId::from("e1")).to_string(),
        handoff.event_key("live", "").to_string(),
        handoff.dead_letter_key().to_string(),
    ];
    assert_eq!(
        derived,
        [
            "21d02663-d217-4ccb-bbdb-5c5754cac486",
            "42ebec3f-63d0-4ed2-b6d9-5ee1cd736bc2",
            "86da2f03-c93a-5e6a-bab2-7f84610d5e8d",
            "d95f1e41-673e-515f-9c94-fd59e4aa68f0",
            "ddf15758-a119-536a-b252-9e243ee4bc20"
        ]
    );
}

#[test]
fn keys_hang_on_connection_session_and_event() {
    let namespace = Namespace::new("baton");
    let keys = |path: &str| {
        let event = example::event(|event| {
            if !path.is_empty() {
                event["subject"] = json!(null);
                *event.pointer_mut(path).expect("a field") = json!("another");
            }
        });
        Keys::of(namespace, &example::read(&event).expect("an escalation"))
    };
    let all = ["", "/data/connection", "/data/session/id", "/id"].map(keys);
    let distinct: HashSet<String> = all
        .iter()
        .flat_map(|keys| [keys.conversation.to_string(), keys.opening.to_string()])
        .collect();
    assert_eq!(distinct.len(), 2 * all.len());
    assert_eq!(keys("").conversation, keys("/data/summary").conversation);
}

#[test]
fn no_progress_and_no_way_back_changes_a_key_but_a_replay_has_events_of_its_own() {
    let mut handoff = example::handoff(example::escalation(|_| ()));
    let entry = EntryId::from("e1");
    let ids = |handoff: &baton::domain::handoff::Handoff| {
        [
            handoff.reply_key(&entry),
            handoff.event_key("live", ""),
            handoff.dead_letter_key(),
        ]
    };
    let before = ids(&handoff);
    handoff.progress = Progress::Connected {
        access: example::access(example::at("15:00:00")),
        conversation: example::conversation(),
    };
    assert_eq!(ids(&handoff), before);
    handoff.generation = 2;
    let after = ids(&handoff);
    assert_eq!(
        after[0], before[0],
        "a reply is the same in every generation"
    );
    assert_ne!(after[1], before[1]);
    assert_ne!(after[2], before[2]);
}
