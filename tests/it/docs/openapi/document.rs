//! The document as tests read it: its operations, and what it says about an answer.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::super::text;

pub const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "PATCH"];

/// The document, or one with something planted in it.
#[derive(Clone)]
pub struct Document(pub Value);

/// A method of a path.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    pub method: String,
    pub path: String,
    pub about: Value,
}

/// What somebody got.
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Visits all objects with the way to each.
pub fn walk(value: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            visit(path, value);
            for (name, member) in members {
                walk(member, &format!("{path}/{name}"), visit);
            }
        }
        Value::Array(elements) => {
            for (place, element) in elements.iter().enumerate() {
                walk(element, &format!("{path}/{place}"), visit);
            }
        }
        _ => {}
    }
}

impl Document {
    pub fn read() -> Self {
        Self(serde_json::from_str(&text("docs/openapi.json")).expect("JSON"))
    }

    pub fn operations(&self) -> Vec<Operation> {
        let mut found = vec![];
        for (path, methods) in self.0["paths"].as_object().expect("paths") {
            for (method, about) in methods.as_object().expect("methods") {
                found.push(Operation {
                    id: about["operationId"].as_str().expect("an id").to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    about: about.clone(),
                });
            }
        }
        found
    }

    #[track_caller]
    pub fn operation(&self, id: &str) -> Operation {
        let mut all = self.operations().into_iter();
        let found = all.find(|operation| operation.id == id);
        found.unwrap_or_else(|| panic!("no operation {id}"))
    }

    /// What a reference leads to; anything else is what it is.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(to) => self
                .0
                .pointer(to.trim_start_matches('#'))
                .unwrap_or(&Value::Null),
            None => value,
        }
    }

    pub fn parameters(&self, operation: &Operation) -> Vec<Value> {
        let parameters = operation.about["parameters"].as_array();
        let parameters = parameters.into_iter().flatten();
        parameters.map(|it| self.resolve(it).clone()).collect()
    }

    /// The names of an operation's query parameters.
    pub fn query(&self, operation: &Operation) -> Vec<Value> {
        let mut parameters = self.parameters(operation);
        parameters.retain(|it| it["in"] == "query");
        parameters
    }

    fn validator(&self, schema: &Value) -> Validator {
        let whole = json!({ "components": self.0["components"], "allOf": [schema] });
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        options.build(&whole).expect("a schema")
    }

    /// What a schema of the document says about a value.
    pub fn complaints(&self, schema: &Value, value: &Value) -> Vec<String> {
        let complaint =
            |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
        let errors = self.validator(schema);
        errors.iter_errors(value).map(complaint).collect()
    }

    /// What the document says about an answer to an operation.
    pub fn wrong_with(&self, operation: &Operation, answer: &Answer) -> Vec<String> {
        let status = answer.status.to_string();
        let described = self.resolve(&operation.about["responses"][&status]);
        if described.is_null() {
            return vec![format!("{status} is not in the document")];
        }
        let mut wrong = vec![];
        for (name, header) in described["headers"].as_object().into_iter().flatten() {
            match answer.headers.get(&name.to_lowercase()) {
                Some(value) => {
                    wrong.extend(self.complaints(&header["schema"], &json!(value)));
                }
                None => wrong.push(format!("no header {name}")),
            }
        }
        let kind = answer.headers.get("content-type").map(String::as_str);
        let kind = kind.unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let Some(content) = described["content"].as_object() else {
            if !answer.body.is_empty() {
                wrong.push("a body, where there is none in the document".to_owned());
            }
            return wrong;
        };
        match (content.get(kind), content.get("*/*")) {
            (Some(body), _) if kind == "application/json" => {
                wrong.extend(self.complaints(&body["schema"], &answer.json()));
            }
            (Some(_), _) | (None, Some(_)) => {}
            (None, None) => wrong.push(format!("`{kind}` is not in the document")),
        }
        wrong
    }
}
