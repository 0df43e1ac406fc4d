//! Lists in pages, and the cursors that lead from one to the next (sunshine reference §1.5).

use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::switches::Shown;

/// A page where nobody says, and at most.
const SIZE: usize = 25;
const SIZE_MAX: usize = 100;

/// What a caller wants to see.
#[derive(Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(rename = "page[size]")]
    size: Option<usize>,
    #[serde(rename = "page[after]")]
    after: Option<String>,
    #[serde(rename = "page[before]")]
    before: Option<String>,
}

fn invalid() -> Refusal {
    Refusal::bad_request("Invalid page query parameters")
}

impl Wanted {
    fn checked(self) -> Result<Self, Refusal> {
        let cursors = [&self.after, &self.before];
        let malformed = cursors
            .iter()
            .any(|it| it.as_ref().is_some_and(|id| id.len() != 24));
        let both = cursors.iter().all(|it| it.is_some());
        let size = self.size.is_none_or(|size| (1..=SIZE_MAX).contains(&size));
        if malformed || both || !size {
            return Err(invalid());
        }
        Ok(self)
    }

    /// The page after the cursor, under a name. Each item has an `id`.
    pub fn forwards(self, name: &str, items: Vec<Value>, meta: Shown) -> Result<Value, Refusal> {
        let wanted = self.checked()?;
        let begin = match &wanted.after {
            None => 0,
            Some(cursor) => {
                1 + items
                    .iter()
                    .position(|item| item["id"] == cursor.as_str())
                    .ok_or_else(invalid)?
            }
        };
        let rest = &items[begin..];
        let page = &rest[..rest.len().min(wanted.size.unwrap_or(SIZE))];
        let more = page.len() < rest.len();
        let last = page.last().map(|item| item["id"].clone());
        let mut body = json!({ name: page });
        if more || meta == Shown::Yes {
            body["meta"] = json!({ "hasMore": more });
            if let (true, Some(last)) = (more, last) {
                body["meta"]["afterCursor"] = last;
            }
        }
        Ok(body)
    }

    /// The newest hundred before the cursor, whatever size is asked for: messages go backwards.
    pub fn backwards(self, name: &str, items: Vec<Value>, meta: Shown) -> Result<Value, Refusal> {
        let wanted = self.checked()?;
        let end = match &wanted.before {
            None => items.len(),
            Some(cursor) => items
                .iter()
                .position(|item| item["id"] == cursor.as_str())
                .ok_or_else(invalid)?,
        };
        let begin = end.saturating_sub(SIZE_MAX);
        let page = &items[begin..end];
        let mut body = json!({ name: page });
        if begin > 0 || meta == Shown::Yes {
            body["meta"] = json!({ "hasMore": begin > 0 });
            if begin > 0 {
                body["meta"]["beforeCursor"] = page[0]["id"].clone();
            }
        }
        Ok(body)
    }
}
