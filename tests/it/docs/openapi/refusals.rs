//! Every way to be refused that follows from the document alone: tokens, names, parameters, bodies, paths, methods.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::caller::{As, Caller};
use super::document::{METHODS, Operation};

/// More than any body may have.
const TOO_LARGE: usize = (17 << 20) + 1;

fn verbs(api: &Caller) -> Vec<Operation> {
    let mut all = api.document.operations();
    all.retain(|it| it.path.starts_with("/api/v1/"));
    assert!(all.len() > 20);
    all
}

fn names(parameters: &[Value]) -> BTreeSet<&str> {
    parameters
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect()
}

/// Who has no token is let in nowhere, and who may only look cannot change anything and sees no words.
pub async fn by_token(api: &Caller) {
    for verb in verbs(api) {
        for who in [As::Nobody, As::Stranger] {
            api.call_of(verb.clone()).by(who).gives(401).await;
        }
        let reads = verb.about["security"].as_array().map(Vec::len) == Some(2);
        let call = api.call_of(verb.clone()).by(As::Reader);
        if !reads {
            call.gives(403).await;
            continue;
        }
        assert_ne!(call.answered().await.status, 403, "{}", verb.id);
        if names(&api.document.query(&verb)).contains("content") {
            let call = api.call_of(verb).by(As::Reader);
            call.asking("content", "true").gives(403).await;
        }
    }
}

/// What does not exist is not found, by every verb that is about one thing.
pub async fn by_name(api: &Caller) {
    for verb in verbs(api) {
        let has = |status: &str| !verb.about["responses"][status].is_null();
        let parameters = api.document.parameters(&verb);
        let placed = parameters.iter().find(|it| it["in"] == "path");
        let Some(name) = placed.and_then(|it| it["name"].as_str()) else {
            continue;
        };
        if has("404") {
            api.call_of(verb.clone())
                .at(name, "nobody")
                .gives(404)
                .await;
        }
        let problems = api.call_of(verb.clone()).at(name, "%ff").complains().await;
        assert_eq!(problems[0]["setting"], name, "{}", verb.id);
    }
}

/// The words that a problem tells to write.
fn told(problem: &Value) -> BTreeSet<String> {
    let what = problem["what"].as_str().unwrap_or_default();
    let told = what.split_once("write one of ").map(|(_, words)| words);
    let told = told.into_iter().flat_map(|words| words.split(", "));
    told.map(str::to_owned).collect()
}

/// Parameters are those of the document, and each has the words and the bounds of the document.
pub async fn by_parameter(api: &Caller) {
    for verb in verbs(api) {
        let query = api.document.query(&verb);
        let call = api.call_of(verb.clone()).asking("nonsense", "1");
        let problems = call.complains().await;
        assert_eq!(problems[0]["setting"], "nonsense", "{}", verb.id);
        let known: BTreeSet<String> = names(&query).into_iter().map(str::to_owned).collect();
        assert_eq!(told(&problems[0]), known, "{}", verb.id);
        for parameter in &query {
            one_parameter(api, &verb, parameter).await;
        }
    }
}

async fn one_parameter(api: &Caller, verb: &Operation, parameter: &Value) {
    let name = parameter["name"].as_str().expect("a name");
    let schema = api.document.resolve(&parameter["schema"]);
    let wrong = async |value: &str| {
        let call = api.call_of(verb.clone()).asking(name, value);
        let problems = call.complains().await;
        assert_eq!(problems[0]["setting"], name, "{}: {problems}", verb.id);
        told(&problems[0])
    };
    let twice = api.call_of(verb.clone()).asking(name, "").asking(name, "");
    assert_eq!(twice.complains().await[0]["setting"], name, "{}", verb.id);
    match (schema["type"].as_str(), schema["enum"].as_array()) {
        (_, Some(words)) => {
            let words = words.iter().filter_map(Value::as_str).map(str::to_owned);
            let told = wrong("nonsense").await;
            // There are too many codes to tell.
            if name != "code" {
                assert_eq!(told, words.collect(), "{}: {name}", verb.id);
            }
        }
        (Some("boolean" | "integer"), None) => drop(wrong("nonsense").await),
        _ if schema["pattern"].is_string() => drop(wrong("nonsense").await),
        _ => {}
    }
    for (bound, beyond) in [("minimum", -1), ("maximum", 1)] {
        // What is numbered from 0 has nothing below it that could be asked for.
        if let Some(bound) = schema[bound].as_i64().filter(|bound| *bound > 0) {
            wrong(&(bound + beyond).to_string()).await;
        }
    }
}

/// A body that is none, is too large, or has a field that is missing, unknown or of another kind.
pub async fn by_body(api: &Caller) {
    for verb in verbs(api) {
        let body = &verb.about["requestBody"]["content"]["application/json"];
        if body.is_null() {
            continue;
        }
        let wrong = async |body: Value, setting: &str| {
            let problems = api.call_of(verb.clone()).body(&body).complains().await;
            let named = problems[0]["setting"].as_str().unwrap_or_default();
            assert!(
                named.starts_with(setting),
                "{}: {setting}: {problems}",
                verb.id
            );
        };
        let twice = format!("{0} {0}", body["example"]);
        for bytes in ["", "{", "no JSON", &twice] {
            let call = api.call_of(verb.clone()).bytes(bytes.into());
            assert_eq!(call.complains().await[0]["setting"], "body", "{}", verb.id);
        }
        for odd in [json!([]), json!(5), json!(null)] {
            wrong(odd, "body").await;
        }
        let large = api.call_of(verb.clone()).bytes(vec![b' '; TOO_LARGE]);
        assert_eq!(large.gives(413).await["problems"][0]["setting"], "body");

        let (schema, example) = (api.document.resolve(&body["schema"]), &body["example"]);
        let mut unknown = example.clone();
        unknown["nonsense"] = json!(1);
        wrong(unknown, "nonsense").await;
        for name in schema["properties"].as_object().expect("fields").keys() {
            let mut odd = example.clone();
            odd[name] = json!([[]]);
            wrong(odd, name).await;
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            let mut without = example.clone();
            without.as_object_mut().expect("an object").remove(name);
            wrong(without, name).await;
        }
    }
}

/// A path that is none, and a method that a path does not take, in the shape of every other refusal.
pub async fn by_path(api: &Caller) {
    let refusal = json!({ "$ref": "#/components/schemas/Refusal" });
    let is_one = |body: &Value| assert_eq!(api.document.complaints(&refusal, body), [""; 0]);
    for path in ["", "/", "/nonsense", "/connections/a/b/c", "/handoffs/"] {
        let path = format!("/api/v1{path}");
        for method in METHODS {
            let answer = api.get(method, &path, As::Operator).await;
            assert_eq!(answer.status, 404, "{method} {path}");
            is_one(&answer.json());
            assert_eq!(api.get(method, &path, As::Nobody).await.status, 401);
        }
    }
    let operations = api.document.operations();
    for path in api.document.0["paths"].as_object().expect("paths").keys() {
        let of = operations.iter().filter(|it| it.path == *path);
        let taken: BTreeSet<&str> = of.map(|it| it.method.as_str()).collect();
        let filled = path.replace(['{', '}'], "");
        for method in METHODS {
            let answer = api.get(method, &filled, As::Operator).await;
            assert_eq!(
                answer.status == 405,
                !taken.contains(method),
                "{method} {path}"
            );
            if answer.status == 405 {
                let allowed = answer.headers["allow"].split(',');
                let allowed = allowed.filter(|it| *it != "HEAD").collect();
                assert_eq!(taken, allowed, "{path}");
            }
            if answer.status == 405 && path.starts_with("/api/") {
                is_one(&answer.json());
            }
        }
    }
}

/// A store that does not answer is said by all of them.
pub async fn without_a_store(api: &Caller) {
    for verb in verbs(api) {
        api.call_of(verb).gives(503).await;
    }
}
