//! Style, script and icon: ours, compiled in, and under names that change with their content.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file that pages load.
pub struct Asset {
    /// Its path, with a mark of its content.
    pub path: String,
    content_type: &'static str,
    content: &'static str,
}

/// How pages look.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("assets/console.css");
    Asset::new("css", "text/css; charset=utf-8", content)
});
/// What keeps pages up to date.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("assets/console.js");
    Asset::new("js", "text/javascript; charset=utf-8", content)
});
/// The mark on the browser's tab.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("assets/console.svg")));

impl Asset {
    fn new(ending: &str, content_type: &'static str, content: &'static str) -> Self {
        let digest = digest(&SHA256, content.as_bytes());
        let mark: String = digest.as_ref()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            path: format!("/console/assets/console-{mark}.{ending}"),
            content_type,
            content,
        }
    }
}

/// Serves a file; it never changes under its name.
pub async fn serve(Path(name): Path<String>) -> Response {
    let wanted = format!("/console/assets/{name}");
    let known: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    match known.into_iter().find(|asset| asset.path == wanted) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            asset.content,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
