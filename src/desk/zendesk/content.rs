//! What a rep sent, in whatever form, as text and files that every channel can carry.

use serde_json::Value;

use crate::domain::reply::RepFile;

/// What a message says.
pub struct Said {
    /// The words; empty when it is only a file.
    pub text: String,
    /// The file that came.
    pub files: Vec<RepFile>,
    /// What it offers to choose from, numbered from 1 in the text.
    pub choices: Vec<String>,
}

/// The words, files and choices of a message (sunshine reference §2.3, §3.5).
pub fn of(message: &Value) -> Said {
    let content = &message["content"];
    let kind = content["type"].as_str().unwrap_or("message");
    let files: Vec<RepFile> = match kind {
        "image" | "file" => file(message).into_iter().collect(),
        _ => Vec::new(),
    };
    let choices = choices(content);
    let mut text = words(content, &choices).join("\n");
    if text.is_empty() && files.is_empty() {
        // A rep's word must not vanish, even in a form that nobody here has seen.
        text = format!("[{kind}]");
    }
    Said {
        text,
        files,
        choices,
    }
}

/// The lines of text in a message, in the order in which a reader wants them.
fn words(content: &Value, choices: &[String]) -> Vec<String> {
    let said = text(&content["text"]);
    let said = said.or_else(|| text(&content["htmlText"]).map(|html| plain(&html)));
    let place = &content["coordinates"];
    let place = match (place["lat"].as_f64(), place["long"].as_f64()) {
        (Some(lat), Some(long)) => Some(format!("{lat}, {long}")),
        _ => None,
    };
    let items = parts(content).skip(1).flat_map(|item| {
        let said = [&item["title"], &item["description"]];
        said.into_iter().filter_map(text)
    });
    let fields = content["fields"].as_array().into_iter().flatten();
    let fields = fields.filter_map(|field| text(&field["label"]));
    let links = actions(content).filter_map(|action| {
        let uri = text(&action["uri"])?;
        Some(text(&action["text"]).map_or_else(|| uri.clone(), |label| format!("{label}: {uri}")))
    });
    let numbered = choices.iter().zip(1..);
    said.into_iter()
        .chain(place)
        .chain(items)
        .chain(fields)
        .chain(links)
        .chain(numbered.map(|(choice, number)| format!("{number}. {choice}")))
        .collect()
}

/// The content itself, then the items of a carousel or list.
fn parts(content: &Value) -> impl Iterator<Item = &Value> {
    let items = content["items"].as_array().into_iter().flatten();
    std::iter::once(content).chain(items)
}

fn actions(content: &Value) -> impl Iterator<Item = &Value> {
    parts(content).flat_map(|part| part["actions"].as_array().into_iter().flatten())
}

/// What stands on buttons that answer, and lead nowhere.
fn choices(content: &Value) -> Vec<String> {
    let answers = actions(content).filter(|action| action["uri"].is_null());
    answers.filter_map(|action| text(&action["text"])).collect()
}

/// A file that can be fetched.
fn file(message: &Value) -> Option<RepFile> {
    let content = &message["content"];
    let url = text(&content["mediaUrl"])?;
    let last_step = url
        .split(['?', '#'])
        .next()
        .and_then(|path| path.rsplit('/').next());
    let name = text(&content["altText"])
        .or_else(|| last_step.filter(|name| !name.is_empty()).map(str::to_owned));
    Some(RepFile {
        id: text(&content["attachmentId"]).or_else(|| text(&message["id"]))?,
        name: name.unwrap_or_else(|| "file".into()),
        content_type: text(&content["mediaType"]),
        url,
    })
}

/// HTML as a text message shows it: without tags, a line for each break.
fn plain(html: &str) -> String {
    let mut plain = String::new();
    for piece in html.split('<') {
        let (tag, words) = piece.split_once('>').unwrap_or(("", piece));
        let tag = tag.trim_end_matches(['/', ' ']);
        if matches!(tag, "br" | "/p" | "/div" | "/li") && !plain.is_empty() {
            plain.push('\n');
        }
        plain.push_str(words);
    }
    const ENTITIES: [(&str, &str); 6] = [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let plain = ENTITIES
        .iter()
        .fold(plain, |text, (entity, shown)| text.replace(entity, shown));
    plain.trim().to_owned()
}

fn text(field: &Value) -> Option<String> {
    field
        .as_str()
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
}
