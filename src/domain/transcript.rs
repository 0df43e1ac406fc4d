//! From summary and turns to the opening message: the first thing the rep reads.
//!
//! Nothing is cut silently: what does not fit is counted in a line of its own.

use jiff::tz::TimeZone;
use unicode_segmentation::UnicodeSegmentation;

use super::escalation::{Author, Escalation, Transcript, Turn};

/// The first thing the rep reads, within the limits of the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningMessage {
    /// What fits into one message.
    pub text: String,
    /// All of it as the text of a file, where something did not fit.
    pub whole: Option<String>,
}

/// What the file with the whole transcript is called.
pub const WHOLE: &str = "transcript.txt";

/// Builds the opening message: summary, reason, contact, channel, language; then who said what, and when.
///
/// At most `chars_max` characters (Unicode scalar values). What fits is whole. Otherwise the summary gets at most half
/// of the room, so that contact and session stay in sight; a single turn longer than a quarter of what is left is cut,
/// and says by how much; the oldest turns go first, and a line says how many. All of it is then in a file besides.
pub fn opening(escalation: &Escalation, chars_max: usize) -> OpeningMessage {
    let whole = format!(
        "{}\n\n{}",
        head(escalation, usize::MAX),
        story(escalation, usize::MAX)
    );
    if length(&whole) <= chars_max {
        return OpeningMessage {
            text: whole,
            whole: None,
        };
    }
    let has_turns = matches!(escalation.transcript, Transcript::Turns(_));
    OpeningMessage {
        text: within(escalation, chars_max),
        whole: has_turns.then_some(whole),
    }
}

/// Room kept for headings and for the line that says what is not shown.
const NOTICE_CHARS_MAX: usize = 180;

fn within(escalation: &Escalation, chars_max: usize) -> String {
    // Half an address is of no use to anybody.
    let kept = match &escalation.transcript {
        Transcript::Turns(_) => 0,
        Transcript::Link(url) => length(url),
    };
    let head_max = chars_max.saturating_sub(NOTICE_CHARS_MAX + kept);
    let head = shorten(&head(escalation, head_max / 2), head_max);
    let room = chars_max.saturating_sub(length(&head) + NOTICE_CHARS_MAX);
    let story = story(escalation, room);
    let notice = match &escalation.transcript {
        Transcript::Turns(_) => format!("All of it is in the attached file {WHOLE}.\n"),
        Transcript::Link(_) => String::new(),
    };
    shorten(&format!("{head}\n\n{notice}{story}"), chars_max)
}

fn story(escalation: &Escalation, room: usize) -> String {
    match &escalation.transcript {
        Transcript::Turns(turns) if turns.is_empty() => "There is no transcript.".to_owned(),
        Transcript::Turns(turns) => conversation(turns, room),
        Transcript::Link(url) => format!("Transcript: {url}"),
    }
}

fn head(escalation: &Escalation, summary_max: usize) -> String {
    let contact = &escalation.contact;
    let said = |name: &str, text: &Option<String>| {
        text.as_deref()
            .map(|text| format!("{name}: {}", one_line(text)))
    };
    let name = contact
        .name
        .as_deref()
        .or(contact.id.as_deref())
        .unwrap_or("anonymous");
    let phone = contact
        .phone
        .as_deref()
        .map(|phone| format!(", {phone}"))
        .unwrap_or_default();
    let email = match &contact.email {
        Some(email) if contact.verified => format!(", {email}"),
        Some(email) => format!(", {email} (not verified)"),
        None => String::new(),
    };
    let summary = escalation
        .summary
        .as_deref()
        .map(|summary| format!("AI summary: {}", indented(&shorten(summary, summary_max))));
    let reason = escalation
        .reason
        .as_deref()
        .map(|reason| reason.replace('_', " "));
    let lines = [
        summary,
        said("Reason", &reason),
        said("Sentiment", &escalation.sentiment),
        Some(one_line(&format!("Contact: {name}{phone}{email}"))),
        Some(format!("Channel: {}", escalation.channel)),
        said("Language", &escalation.language),
        Some(one_line(&format!("Session: {}", escalation.session))),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The newest turns that fit into `room`, oldest first, under a heading that says what is missing.
fn conversation(turns: &[Turn], room: usize) -> String {
    let mut lines = Vec::new();
    let mut left = room;
    for turn in turns.iter().rev() {
        let line = shorten(&spoken(turn), (room / 4).max(80).min(room));
        let Some(rest) = left.checked_sub(length(&line) + 1) else {
            break;
        };
        left = rest;
        lines.push(line);
    }
    lines.reverse();
    let heading = match turns.len() - lines.len() {
        0 => format!("Transcript ({} turns, times in UTC)", turns.len()),
        missing => format!(
            "Transcript (the last {} of {} turns, times in UTC; {missing} earlier turns are not shown)",
            lines.len(),
            turns.len()
        ),
    };
    [vec![heading], lines].concat().join("\n")
}

fn spoken(turn: &Turn) -> String {
    let role = match &turn.author {
        Author::Contact => "Contact",
        Author::Ai => "AI",
        Author::Rep => "Rep",
        Author::Other(word) => word.as_str(),
    };
    let who = match &turn.name {
        Some(name) => one_line(&format!("{role} ({name})")),
        None => one_line(role),
    };
    let at = match turn.at {
        Some(at) => format!(
            "[{}] ",
            at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S")
        ),
        None => String::new(),
    };
    let files: String = turn
        .files
        .iter()
        .map(|name| format!(" [file: {}]", one_line(name)))
        .collect();
    format!("{at}{who}: {}{files}", indented(&turn.text))
}

/// The text without line breaks: a name must not look like a line of ours.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with its further lines set in: a contact must not be able to write what looks like somebody else's turn.
fn indented(text: &str) -> String {
    const BREAKS: [char; 7] = [
        '\n', '\r', '\u{85}', '\u{b}', '\u{c}', '\u{2028}', '\u{2029}',
    ];
    let text = text.replace("\r\n", "\n");
    text.split(BREAKS).collect::<Vec<_>>().join("\n    ")
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The text in at most `chars_max` characters, cut between graphemes, with the number of those left out.
pub fn shorten(text: &str, chars_max: usize) -> String {
    let chars = length(text);
    if chars <= chars_max {
        return text.to_owned();
    }
    let notice = |kept: usize| format!("… [{} more characters]", chars - kept);
    let room = chars_max.saturating_sub(length(&notice(0)));
    let (mut kept, mut cut) = (0, String::new());
    for grapheme in text.graphemes(true) {
        let width = length(grapheme);
        if kept + width > room {
            break;
        }
        kept += width;
        cut.push_str(grapheme);
    }
    cut + &notice(kept)
}

/// The text in pieces of at most `chars_max` characters, cut between graphemes; one empty piece for no text.
pub fn pieces_of(text: &str, chars_max: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let width = length(grapheme);
        if used + width > chars_max && used > 0 {
            pieces.push(String::new());
            used = 0;
        }
        used += width;
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(grapheme);
        }
    }
    pieces
}

/// The text in at most `units_max` UTF-16 units, as Microsoft counts: cut between graphemes, with an ellipsis to show it.
pub fn cut(text: &str, units_max: usize) -> String {
    let width = |text: &str| text.chars().map(char::len_utf16).sum::<usize>();
    if width(text) <= units_max {
        return text.to_owned();
    }
    let mut room = units_max.saturating_sub(width("…"));
    let kept = text.graphemes(true).take_while(|grapheme| {
        let rest = room.checked_sub(width(grapheme));
        room = rest.unwrap_or_default();
        rest.is_some()
    });
    let kept: String = kept.collect();
    kept.trim_end().to_owned() + "…"
}
