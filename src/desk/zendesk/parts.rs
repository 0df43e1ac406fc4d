//! Long texts in parts that Zendesk takes, nothing lost between them.

use unicode_segmentation::UnicodeSegmentation;

/// The most that Zendesk takes. Whether it counts characters or UTF-16 units is not known; those who send them count
/// units, of which there are never fewer (sunshine reference §1.7).
const UNITS_MAX: usize = 4096;

/// The text in parts, cut at the end of a line where there is one, else between graphemes. A text that is only space
/// has no parts.
pub fn parts_of(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(end_of_part(rest));
        parts.push(part);
        rest = after;
    }
    // Zendesk refuses what is empty.
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn end_of_part(text: &str) -> usize {
    let room = fitting(text, text.graphemes(true));
    if room == text.len() {
        return room;
    }
    // A cut at a line end must not make parts much smaller than they could be.
    match text[..room].rfind('\n') {
        Some(line_end) if line_end >= room / 2 => line_end + 1,
        _ if room > 0 => room,
        // One grapheme that fills a part is no text that anybody reads.
        _ => fitting(text, text.split_inclusive(|_| true)),
    }
}

/// How many bytes of a text fit, taken piece by piece.
fn fitting<'a>(text: &'a str, pieces: impl Iterator<Item = &'a str>) -> usize {
    let (mut units, mut bytes) = (0, 0);
    for piece in pieces {
        units += piece.encode_utf16().count();
        if units > UNITS_MAX {
            return bytes;
        }
        bytes += piece.len();
    }
    text.len()
}
