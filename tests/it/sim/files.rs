//! Files in both directions.

use baton::sim::salesforce::switches::FileLinks;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::{Client, org, outcome, uuid};

async fn upload(
    client: &Client,
    conversation: &str,
    id: &str,
    name: &str,
    content: &[u8],
) -> Response {
    let entry = json!({
        "esDeveloperName": "OpenCX_Custom_Client", "message": { "id": id, "fileId": uuid(), "text": "my receipt" },
    });
    upload_entry(client, conversation, &entry, name, content).await
}

async fn upload_entry(
    client: &Client,
    conversation: &str,
    entry: &Value,
    name: &str,
    content: &[u8],
) -> Response {
    let head = format!(
        "--frontier\r\nContent-Disposition: form-data; name=\"messageEntry\"\r\nContent-Type: application/json\r\n\r\n{entry}\r\n\
         --frontier\r\nContent-Disposition: form-data; name=\"fileData\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let body = [head.as_bytes(), content, b"\r\n--frontier--\r\n"].concat();
    let request = client.request(
        reqwest::Method::POST,
        &format!("conversation/{conversation}/file"),
    );
    request
        .header("content-type", "multipart/form-data; boundary=frontier")
        .body(body)
        .send()
        .await
        .expect("an answer")
}

#[tokio::test]
async fn an_end_user_s_file_arrives_whole() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let content = b"%PDF-1.7 \r\n--frontie \x00\xff\r\n";
    let id = uuid();
    assert_eq!(
        upload(&client, &conversation, &id, "receipt.pdf", content)
            .await
            .status(),
        StatusCode::ACCEPTED
    );
    assert_eq!(
        upload(&client, &conversation, &id, "receipt.pdf", content)
            .await
            .status(),
        StatusCode::ACCEPTED
    );
    let [message] = &org.messages(&conversation)[..] else {
        panic!("one message")
    };
    assert_eq!(
        (&message.identifier, message.text.as_deref()),
        (&id, Some("my receipt"))
    );
    let file = message.file.as_ref().expect("a file");
    assert_eq!(
        (file.name.as_str(), file.bytes),
        ("receipt.pdf", content.len())
    );
    let fetched = client
        .http
        .get(&file.url)
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("bytes");
    assert_eq!(&fetched[..], content);
}

#[tokio::test]
async fn a_file_may_be_too_large_or_of_the_wrong_type() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    for bytes in [5_242_881, 6_000_000, 17_000_000] {
        let (status, body) = outcome(
            upload(
                &client,
                &conversation,
                &uuid(),
                "receipt.pdf",
                &vec![b'x'; bytes],
            )
            .await,
        )
        .await;
        assert_eq!((status, body.contains("<5242880>")), (413, true), "{bytes}");
    }
    let wrong = upload(&client, &conversation, &uuid(), "virus.exe", b"MZ").await;
    assert_eq!(wrong.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let entry = json!({ "esDeveloperName": "OpenCX_Custom_Client", "message": { "id": uuid() } });
    let without_file_id =
        upload_entry(&client, &conversation, &entry, "receipt.pdf", b"%PDF").await;
    assert_eq!(without_file_id.status(), StatusCode::BAD_REQUEST);
    let form = client
        .post(&format!("conversation/{conversation}/file"), entry)
        .send()
        .await
        .expect("an answer");
    assert_eq!(form.status(), StatusCode::BAD_REQUEST);
    assert!(org.messages(&conversation).is_empty());
}

#[tokio::test]
async fn a_rep_s_file_is_a_link_that_needs_no_token_but_unescaping() {
    let org = org().await;
    let client = Client::verified(&org, "contact-42").await;
    let conversation = client.conversation().await;
    let mut events = client.listen().await;
    org.rep(&conversation).sends_file(
        "label.png",
        "image/png",
        &b"\x89PNG"[..],
        Some("your label"),
    );
    let payload = events
        .until("your label")
        .await
        .pop()
        .expect("an event")
        .payload();
    let attachment = &payload["abstractMessage"]["staticContent"]["attachments"][0];
    assert_eq!(
        (&attachment["name"], &attachment["mimeType"]),
        (&json!("label.png"), &json!("image/png"))
    );
    let link = attachment["url"].as_str().expect("a link");
    assert!(link.contains("&amp;ids="), "{link}");
    assert_eq!(
        client
            .http
            .get(link)
            .send()
            .await
            .expect("an answer")
            .status(),
        StatusCode::NOT_FOUND
    );
    let fetched = client
        .http
        .get(link.replace("&amp;", "&"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(fetched.headers()["content-type"], "image/png");
    assert_eq!(&fetched.bytes().await.expect("bytes")[..], b"\x89PNG");

    org.switch(|switches| switches.file_links = FileLinks::Plain);
    org.rep(&conversation)
        .sends_file("label.png", "image/png", &b"\x89PNG"[..], None);
    let payload = events.next().await.payload();
    let content = &payload["abstractMessage"]["staticContent"];
    assert_eq!(
        (&content["text"], &content["formatType"]),
        (&json!(null), &json!("Attachments"))
    );
    assert!(
        content["attachments"][0]["url"]
            .as_str()
            .is_some_and(|link| !link.contains("&amp;"))
    );
}
