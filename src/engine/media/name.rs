//! Names of files: made fit for other people's disks, read from headers, written into them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// What file systems and headers take everywhere, with room for what is put around it.
const CHARS_MAX: usize = 120;

/// What RFC 8187 lets stand for itself.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name without folders, without characters that do not show or turn the writing around, and not too long; its
/// ending stays. `None` if nothing is left of it.
pub fn tidy(name: &str) -> Option<String> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = |c: &char| !c.is_control() && !is_invisible(*c) && !"<>:\"|?*".contains(*c);
    let name: String = name.chars().filter(shown).collect();
    let name = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let ending = name.rfind('.').map_or("", |dot| &name[dot..]);
    let ending = if ending.len() > 10 { "" } else { ending };
    let stem = &name[..name.len() - ending.len()];
    let room = CHARS_MAX - ending.chars().count();
    let name: String = stem.chars().take(room).chain(ending.chars()).collect();
    (!name.is_empty()).then_some(name)
}

/// Joiners, marks of direction, and the like: with them `gpj.exe` can be shown as `exe.jpg`.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What a server calls a file: in its `Content-Disposition`, or by the end of its address.
pub fn hint(disposition: Option<&str>, url: &Url) -> Option<String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let parameter = |name: &str| {
        disposition?.split(';').find_map(|parameter| {
            let (found, value) = parameter.split_once('=')?;
            let value = value.trim().trim_matches('"');
            (found.trim().eq_ignore_ascii_case(name)).then_some(value)
        })
    };
    let extended = parameter("filename*").and_then(|value| value.splitn(3, '\'').nth(2));
    extended
        .map(decoded)
        .or_else(|| parameter("filename").map(str::to_owned))
        .or_else(|| url.path_segments()?.next_back().map(decoded))
        .and_then(|name| tidy(&name))
}

/// The parameter of a `Content-Disposition` that carries the name in any script.
pub fn parameter(name: &str) -> String {
    format!("filename*=UTF-8''{}", utf8_percent_encode(name, ESCAPED))
}
