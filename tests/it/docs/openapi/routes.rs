//! The routes of the code are the paths of the document.

use std::collections::BTreeSet;

use super::super::{files, root, text};
use super::assert_none;
use super::document::{Document, METHODS};

/// Where the routes are that are no pages of the console.
const SOURCES: [&str; 4] = [
    "src/operator/api",
    "src/operator/server.rs",
    "src/operator/media.rs",
    "src/operator/webhook.rs",
];

/// What stands between a bracket and the one that closes it.
fn inside(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' if depth == 0 => return &text[..at],
            ')' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Methods and paths that a source routes. What answers every method says that there is nothing.
fn routed(source: &str) -> Vec<(String, String)> {
    let mut found = vec![];
    for part in source.split(".route(").skip(1) {
        let route = inside(part);
        let mut quoted = route.split('"');
        let (Some(_), Some(path), Some(handlers)) = (quoted.next(), quoted.next(), quoted.next())
        else {
            continue;
        };
        for method in METHODS {
            let called = format!("{}(", method.to_lowercase());
            let starts =
                |at: usize| !handlers[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_');
            if handlers.match_indices(&called).any(|(at, _)| starts(at)) {
                found.push((method.to_owned(), path.to_owned()));
            }
        }
    }
    found
}

fn routes() -> Vec<(String, String)> {
    let sources = SOURCES.map(|it| root().join(it));
    let is_one = |path: &std::path::Path| {
        sources
            .iter()
            .any(|it| path.starts_with(it) || path.with_extension("") == *it)
    };
    let files = files("rs").into_iter().filter(|path| is_one(path));
    files.flat_map(|path| routed(&text(path))).collect()
}

/// A path of the document may be narrower than the route that answers it.
fn fits(route: &str, path: &str) -> bool {
    let (mut route, mut path) = (route.split('/'), path.split('/'));
    loop {
        match (route.next(), path.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == other || one.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// What is in one of the two and not in the other.
pub fn differences(routes: &[(String, String)], document: &Document) -> Vec<String> {
    let operations = document.operations();
    let mut findings = vec![];
    for (method, route) in routes {
        let described =
            |it: &&super::document::Operation| it.method == *method && fits(route, &it.path);
        if !operations.iter().any(|it| described(&it)) {
            findings.push(format!("{method} {route} is not in the document"));
        }
    }
    for operation in &operations {
        let (method, path) = (&operation.method, &operation.path);
        if !routes
            .iter()
            .any(|(it, route)| it == method && fits(route, path))
        {
            findings.push(format!("{method} {path} is not in the code"));
        }
    }
    findings
}

#[test]
fn every_route_is_in_the_document_and_every_path_in_the_code() {
    let routes = routes();
    let paths: BTreeSet<&str> = routes.iter().map(|(_, path)| path.as_str()).collect();
    assert!(paths.len() > 25, "{paths:?}");
    assert_none(differences(&routes, &Document::read()));
}

#[test]
fn a_route_or_a_path_that_stands_alone_is_found() {
    let source = r#"
        .route("/a", get(one).post(make))
        .route(
            "/b/{id}",
            widget(it).put(save),
        )
        .route("/c/{*rest}", any(nothing))
    "#;
    let routes = routed(source);
    let named = |method: &str, path: &str| (method.to_owned(), path.to_owned());
    assert_eq!(
        routes,
        [
            named("GET", "/a"),
            named("POST", "/a"),
            named("PUT", "/b/{id}")
        ]
    );
    let described = serde_json::json!({ "paths": {
        "/a": { "get": { "operationId": "one" } }, "/b/x": { "put": { "operationId": "save" } },
        "/d": { "get": { "operationId": "nobody" } },
    } });
    assert_eq!(
        differences(&routes, &Document(described)),
        [
            "POST /a is not in the document",
            "GET /d is not in the code"
        ]
    );
}
