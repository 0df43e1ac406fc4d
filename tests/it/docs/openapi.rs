//! `docs/openapi.json`: whole in itself, and what the worker really answers.
//!
//! Every check takes the document and gives back its findings, so that a test can plant one.

mod answers;
mod caller;
mod connections;
mod dead_letters;
mod document;
mod handoffs;
mod planted;
mod refusals;
mod routes;
mod story;
mod words;

use std::collections::BTreeSet;

use serde_json::Value;

use self::document::{Document, walk};

/// References that lead nowhere, and components that nothing refers to.
fn loose_ends(document: &Document) -> Vec<String> {
    let (mut findings, mut used) = (vec![], BTreeSet::new());
    walk(&document.0, "", &mut |path, value| {
        if let Some(to) = value["$ref"].as_str() {
            let target = to.strip_prefix('#').unwrap_or_default();
            if document.0.pointer(target).is_none() {
                findings.push(format!("{path}: {to} leads nowhere"));
            }
            used.insert(target.to_owned());
        }
    });
    for kind in ["schemas", "parameters", "responses"] {
        let components = document.0["components"][kind].as_object();
        for name in components.into_iter().flatten().map(|(name, _)| name) {
            if !used.contains(&format!("/components/{kind}/{name}")) {
                findings.push(format!("nothing refers to {kind}/{name}"));
            }
        }
    }
    findings
}

/// Operations that lack something.
fn unfinished(document: &Document) -> Vec<String> {
    let (mut findings, mut ids) = (vec![], BTreeSet::new());
    let tags = document.0["tags"].as_array().into_iter().flatten();
    let tags: BTreeSet<&str> = tags.filter_map(|tag| tag["name"].as_str()).collect();
    for operation in document.operations() {
        let (id, about) = (&operation.id, &operation.about);
        let mut finding = |what: &str| findings.push(format!("{id}: {what}"));
        if !ids.insert(id.clone()) {
            finding("another operation has this id");
        }
        if about["summary"].as_str().is_none_or(str::is_empty) {
            finding("no summary");
        }
        if !about["tags"][0]
            .as_str()
            .is_some_and(|it| tags.contains(it))
        {
            finding("no tag that is described");
        }
        let parameters = document.parameters(&operation);
        let placed = parameters.iter().filter(|it| it["in"] == "path");
        let placed: BTreeSet<&str> = placed.filter_map(|it| it["name"].as_str()).collect();
        let parts = operation.path.split('/');
        let named = parts.filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
        if placed != named.collect() {
            finding("its path and its parameters differ");
        }
        if operation.path.starts_with("/api/v1/") {
            let writes = operation.method != "GET";
            let shows_words = parameters.iter().any(|it| it["name"] == "content");
            let must = [
                ("401", true),
                ("403", writes || shows_words),
                ("404", parameters.iter().any(|it| it["name"] == "id")),
                ("413", !about["requestBody"].is_null()),
                ("422", true),
                ("503", true),
            ];
            for (status, _) in must.iter().filter(|(_, must)| *must) {
                if about["responses"][status].is_null() {
                    finding(&format!("no {status}"));
                }
            }
            if about["security"].as_array().map(Vec::len) != Some(if writes { 1 } else { 2 }) {
                finding(
                    "a token that may do more than look is for operators, and every other for both",
                );
            }
        }
    }
    findings
}

/// Schemas that are none, and objects that leave open what they hold.
fn loose_schemas(document: &Document) -> Vec<String> {
    let mut findings = vec![];
    walk(
        &document.0["components"]["schemas"],
        "",
        &mut |path, value| {
            let is_closed = !value["additionalProperties"].is_null();
            if value["properties"].is_object() && !is_closed {
                findings.push(format!("{path}: leaves open what else it holds"));
            }
        },
    );
    for (name, schema) in document.0["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        if let Err(error) = jsonschema::draft202012::meta::validate(schema) {
            findings.push(format!("{name}: {error}"));
        }
    }
    findings
}

/// Examples that are not what they are examples of.
fn wrong_examples(document: &Document) -> Vec<String> {
    let mut findings = vec![];
    for operation in document.operations() {
        let answers = operation.about["responses"]
            .as_object()
            .into_iter()
            .flatten();
        let answers = answers.map(|(_, answer)| document.resolve(answer).clone());
        let bodies = answers.chain([operation.about["requestBody"].clone()]);
        for content in bodies.filter_map(|body| body["content"].as_object().cloned()) {
            for (kind, body) in content
                .iter()
                .filter(|(_, body)| body.get("example").is_some())
            {
                for complaint in document.complaints(&body["schema"], &body["example"]) {
                    findings.push(format!("{}: {kind}: {complaint}", operation.id));
                }
            }
        }
        for parameter in document.parameters(&operation) {
            let schema = &parameter["schema"];
            let default = document.resolve(schema)["default"].clone();
            for value in [parameter["example"].clone(), default] {
                if !value.is_null() {
                    findings.extend(document.complaints(schema, &value));
                }
            }
        }
    }
    findings
}

#[track_caller]
fn assert_none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    assert_none(loose_ends(&Document::read()));
}

#[test]
fn every_operation_is_whole() {
    let document = Document::read();
    assert_none(unfinished(&document));
    assert!(
        document.0["openapi"]
            .as_str()
            .is_some_and(|it| it.starts_with("3.1."))
    );
    assert!(document.0["info"]["title"].is_string() && document.0["info"]["version"].is_string());
}

#[test]
fn every_schema_is_one_and_says_all_that_an_object_holds() {
    assert_none(loose_schemas(&Document::read()));
}

#[test]
fn every_example_is_an_example() {
    let document = Document::read();
    assert_none(wrong_examples(&document));
    let without = |operation: &document::Operation| {
        let body = &operation.about["responses"]["200"]["content"]["application/json"];
        body.is_object() && body.get("example").is_none_or(Value::is_null)
    };
    let without = document.operations().into_iter().filter(without);
    assert_none(without.map(|it| format!("{}: no example", it.id)).collect());
}
