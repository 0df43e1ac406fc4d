//! Somebody who calls the worker by the document, holds every answer against it, and remembers what was called.

use std::collections::BTreeSet;
use std::sync::Mutex;

use reqwest::Method;
use serde_json::{Value, json};

use super::document::{Answer, Document, Operation};

/// With which token somebody comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum As {
    Operator,
    Reader,
    Stranger,
    Nobody,
}

pub struct Caller {
    pub document: Document,
    pub address: String,
    pub operator: String,
    pub reader: String,
    http: reqwest::Client,
    seen: Mutex<BTreeSet<(String, u16)>>,
}

/// A call as it is to be; what nobody says is as in the document's examples.
pub struct Call<'a> {
    caller: &'a Caller,
    operation: Operation,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    who: As,
}

impl Caller {
    pub fn new(address: String, operator: String, reader: &str) -> Self {
        Self {
            document: Document::read(),
            address,
            operator,
            reader: reader.to_owned(),
            http: reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client"),
            seen: Mutex::default(),
        }
    }

    /// A call of an operation.
    #[track_caller]
    pub fn call(&self, id: &str) -> Call<'_> {
        self.call_of(self.document.operation(id))
    }

    pub fn call_of(&self, operation: Operation) -> Call<'_> {
        let body = &operation.about["requestBody"]["content"]["application/json"]["example"];
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        let mut call = Call {
            caller: self,
            path: operation.path.clone(),
            query: vec![],
            headers: vec![],
            body,
            who: As::Operator,
            operation,
        };
        for parameter in self.document.parameters(&call.operation) {
            if let (Some(name), Some(example)) =
                (parameter["name"].as_str(), parameter["example"].as_str())
            {
                call = call.at(name, example);
            }
        }
        call
    }

    /// What anybody gets there, whether the document knows it or not.
    pub async fn get(&self, method: &str, path: &str, who: As) -> Answer {
        let mut request = self.request(method, path, who);
        request = request.header("content-type", "application/json");
        answer(request).await
    }

    fn request(&self, method: &str, path: &str, who: As) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.address));
        match who {
            As::Operator => request.bearer_auth(&self.operator),
            As::Reader => request.bearer_auth(&self.reader),
            As::Stranger => request.bearer_auth("a-token-of-a-stranger"),
            As::Nobody => request,
        }
    }

    /// Operations and statuses of the document that were never answered.
    pub fn never_seen(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("what was seen");
        let mut findings = vec![];
        for operation in self.document.operations() {
            for status in operation.about["responses"]
                .as_object()
                .expect("answers")
                .keys()
            {
                let pair = (operation.id.clone(), status.parse().expect("a status"));
                if !seen.contains(&pair) {
                    findings.push(format!("{} never answered {status}", operation.id));
                }
            }
        }
        findings
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let headers = answer.headers().iter().map(|(name, value)| {
        let value = value.to_str().unwrap_or_default().to_owned();
        (name.to_string(), value)
    });
    Answer {
        status: answer.status().as_u16(),
        headers: headers.collect(),
        body: answer.bytes().await.expect("a body").to_vec(),
    }
}

impl Call<'_> {
    pub fn at(mut self, name: &str, value: &str) -> Self {
        let example = self.caller.document.parameters(&self.operation);
        let example = example.into_iter().find(|it| it["name"] == name);
        assert!(example.is_some(), "{name}");
        // An example that stands there already is replaced.
        let template = self.operation.path.split('/');
        let parts = template.zip(self.path.split('/')).map(|(part, now)| {
            if part == format!("{{{name}}}") {
                value.to_owned()
            } else {
                now.to_owned()
            }
        });
        self.path = parts.collect::<Vec<_>>().join("/");
        self
    }

    pub fn asking(mut self, name: &str, value: impl ToString) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn body(self, body: &Value) -> Self {
        self.bytes(body.to_string().into_bytes())
    }

    pub fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn by(mut self, who: As) -> Self {
        self.who = who;
        self
    }

    /// What the worker answers; it is as the document says.
    pub async fn answered(self) -> Answer {
        let Self {
            caller, operation, ..
        } = &self;
        let mut request = caller.request(&operation.method, &self.path, self.who);
        request = request.query(&self.query);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &self.body {
            request = request
                .header("content-type", "application/json")
                .body(body.clone());
        }
        let answer = answer(request).await;
        let id = &operation.id;
        let wrong = caller.document.wrong_with(operation, &answer);
        let said = String::from_utf8_lossy(&answer.body);
        assert!(
            wrong.is_empty(),
            "{id}: {}: {said}\n{}",
            answer.status,
            wrong.join("\n")
        );
        if let (200, Some(body)) = (answer.status, &self.body) {
            let schema = &operation.about["requestBody"]["content"]["application/json"]["schema"];
            let body = serde_json::from_slice(body).unwrap_or_default();
            let complaints = caller.document.complaints(schema, &body);
            assert!(complaints.is_empty(), "{id} took {body}: {complaints:?}");
        }
        let mut seen = caller.seen.lock().expect("what was seen");
        seen.insert((id.clone(), answer.status));
        answer
    }

    /// The JSON of an answer with this status.
    pub async fn gives(self, status: u16) -> Value {
        let id = self.operation.id.clone();
        let answer = self.answered().await;
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{id}: {said}");
        answer.json()
    }

    /// The problems of an answer that something in the request is wrong.
    pub async fn complains(self) -> Value {
        let said = self.gives(422).await;
        assert_ne!(said["problems"], json!([]), "{said}");
        said["problems"].clone()
    }
}
