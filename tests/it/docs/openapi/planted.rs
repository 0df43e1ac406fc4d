//! What is wrong with a document, or with an answer, is found.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::document::{Answer, Document};
use super::{loose_ends, loose_schemas, unfinished, wrong_examples};

const SCHEMAS: &str = "/components/schemas";

fn planted(at: &str, plant: impl FnOnce(&mut Value)) -> Document {
    let mut document = Document::read();
    plant(
        document
            .0
            .pointer_mut(at)
            .unwrap_or_else(|| panic!("no {at}")),
    );
    document
}

fn without(at: &str, name: &str) -> Document {
    planted(at, |it| {
        drop(it.as_object_mut().expect("an object").remove(name))
    })
}

#[track_caller]
fn finds(findings: Vec<String>, what: &str) {
    assert!(
        findings.iter().any(|it| it.contains(what)),
        "{what} in {findings:#?}"
    );
}

#[test]
fn a_document_with_a_mistake_is_found() {
    let end = "/paths/~1api~1v1~1handoffs~1{id}~1end/post";
    finds(loose_ends(&without(SCHEMAS, "Ended")), "leads nowhere");
    finds(
        loose_ends(&planted(SCHEMAS, |it| it["Left"] = json!({}))),
        "nothing refers to schemas/Left",
    );
    finds(
        unfinished(&planted(end, |it| it["operationId"] = json!("showHandoff"))),
        "another operation",
    );
    for (name, what) in [
        ("summary", "no summary"),
        ("tags", "no tag"),
        ("parameters", "its path and its parameters"),
        ("security", "for operators"),
    ] {
        finds(unfinished(&without(end, name)), what);
    }
    let responses = format!("{end}/responses");
    for status in ["401", "403", "404", "422", "503"] {
        finds(unfinished(&without(&responses, status)), status);
    }
    let problem = format!("{SCHEMAS}/Problem");
    finds(
        loose_schemas(&without(&problem, "additionalProperties")),
        "leaves open",
    );
    let odd = planted(&problem, |it| it["required"] = json!("setting"));
    finds(loose_schemas(&odd), "Problem");
    let gate = format!("{SCHEMAS}/Connection/properties/gate/enum");
    finds(
        wrong_examples(&planted(&gate, |it| *it = json!(["ajar"]))),
        "open",
    );
}

/// The example of an operation, as if it was answered.
fn answer(document: &Document, id: &str) -> Answer {
    let about = document.operation(id).about;
    let body = &about["responses"]["200"]["content"]["application/json"]["example"];
    Answer {
        status: 200,
        headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
        body: body.to_string().into_bytes(),
    }
}

#[track_caller]
fn differs(document: &Document, id: &str, answer: &Answer, what: &str) {
    finds(document.wrong_with(&document.operation(id), answer), what);
}

#[test]
fn an_answer_that_is_not_as_the_document_says_is_found() {
    let document = Document::read();
    let listed = answer(&document, "listHandoffs");
    let operation = document.operation("listHandoffs");
    assert_eq!(document.wrong_with(&operation, &listed), [""; 0]);

    let summary = format!("{SCHEMAS}/HandoffSummary/properties");
    differs(
        &without(&summary, "replies"),
        "listHandoffs",
        &listed,
        "'replies'",
    );
    let texts = planted(&summary, |it| it["replies"] = json!({ "type": "string" }));
    differs(&texts, "listHandoffs", &listed, "/0/replies");
    let more = planted(&format!("{SCHEMAS}/HandoffSummary/required"), |it| {
        it.as_array_mut().expect("a list").push(json!("priority"));
    });
    differs(&more, "listHandoffs", &listed, "\"priority\"");

    let status = Answer {
        status: 418,
        ..answer(&document, "listHandoffs")
    };
    differs(&document, "listHandoffs", &status, "418");
    let mut kind = answer(&document, "listHandoffs");
    kind.headers
        .insert("content-type".into(), "text/plain".into());
    differs(&document, "listHandoffs", &kind, "text/plain");
    let bare = Answer {
        status: 401,
        ..answer(&document, "listHandoffs")
    };
    differs(&document, "listHandoffs", &bare, "WWW-Authenticate");
    let wordy = Answer {
        status: 404,
        ..answer(&document, "listHandoffs")
    };
    differs(&document, "fetchFile", &wordy, "a body");
}
