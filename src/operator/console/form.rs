//! Forms: what comes in with one, and the mark of ours that each has to carry.

use std::collections::BTreeMap;

use maud::{Markup, html};
use url::form_urlencoded;

/// The name of the field that proves that a form is ours.
pub const CSRF: &str = "csrf";

/// What was filled in.
#[derive(Debug, Clone, Default)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads a form's body, or a query.
    pub fn parse(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// A field; empty when it was not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A field that says something, without the blanks around it.
    pub fn filled(&self, name: &str) -> Option<String> {
        let value = self.get(name).trim();
        (!value.is_empty()).then(|| value.to_owned())
    }
}

/// A form of ours that does something.
pub fn acting(csrf: &str, action: &str, inner: Markup) -> Markup {
    html! {
        form method="post" action=(action) {
            input type="hidden" name=(CSRF) value=(csrf);
            (inner)
        }
    }
}

/// A choice of one word, or of none, which means all.
pub fn choice<T: AsRef<str>>(name: &str, label: &str, options: &[T], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { "all" }
                @for option in options.iter().map(AsRef::as_ref) {
                    option value=(option) selected[option == chosen] { (option) }
                }
            }
        }
    }
}
