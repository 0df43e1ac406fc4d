//! The little of `multipart/form-data` that a file upload needs (RFC 7578).

use bytes::Bytes;

/// One part of a form.
#[derive(Debug, Default)]
pub(in crate::sim) struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub mime_type: Option<String>,
    pub content: Bytes,
}

/// The parts of a form, or nothing if it is malformed.
pub(in crate::sim) fn parts(content_type: &str, body: &Bytes) -> Option<Vec<Part>> {
    let boundary = content_type
        .strip_prefix("multipart/form-data")?
        .split(';')
        .find_map(|it| it.trim().strip_prefix("boundary="))?;
    let delimiter = format!("--{}", boundary.trim_matches('"')).into_bytes();
    let mut parts = Vec::new();
    let mut rest = body.slice(find(body, &delimiter)? + delimiter.len()..);
    while !rest.starts_with(b"--") {
        let end = find(&rest, &[b"\r\n", delimiter.as_slice()].concat())?;
        parts.push(part(&rest.slice(..end))?);
        rest = rest.slice(end + 2 + delimiter.len()..);
    }
    Some(parts)
}

fn part(bytes: &Bytes) -> Option<Part> {
    const BLANK_LINE: &[u8] = b"\r\n\r\n";
    let split = find(bytes, BLANK_LINE)?;
    let mut part = Part {
        content: bytes.slice(split + BLANK_LINE.len()..),
        ..Part::default()
    };
    for line in std::str::from_utf8(&bytes[..split]).ok()?.lines() {
        let Some((header, value)) = line.split_once(':') else {
            continue;
        };
        match header.to_ascii_lowercase().as_str() {
            "content-disposition" => {
                part.name = parameter(value, "name")?;
                part.file_name = parameter(value, "filename");
            }
            "content-type" => part.mime_type = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    Some(part)
}

fn parameter(value: &str, name: &str) -> Option<String> {
    let quoted = value
        .split(';')
        .find_map(|it| it.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(quoted.trim_matches('"').to_owned())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
