//! The opening message: what the rep reads first, and what is said about what is left out.

use baton::domain::transcript::{opening, shorten};
use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;

use crate::example;

fn text(chars_max: usize, change: impl FnOnce(&mut Value)) -> String {
    opening(&example::escalation(change), chars_max).text
}

/// So many turns of so many characters each.
fn turns(count: usize, chars: usize) -> Value {
    (0..count)
        .map(|number| json!({ "author": "contact", "text": format!("{number:04} {}", "x".repeat(chars - 5)) }))
        .collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[test]
fn the_example_reads_well() {
    assert_eq!(
        text(4000, |_| ()) + "\n",
        include_str!("../golden/opening.txt")
    );
}

#[test]
fn everything_that_is_optional_may_be_missing() {
    let text = text(4000, |data| {
        *data = json!({
            "connection": "acme-salesforce", "session": { "id": "s1", "channel": "web" }, "contact": {}, "transcript": [],
        });
        data["session"]["id"] = json!("6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51");
    });
    let expected = "Contact: anonymous\nChannel: web\nSession: 6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51\n\nThere is no transcript.";
    assert_eq!(text, expected);
}

#[test]
fn a_contact_is_called_by_name_then_by_id_and_an_unverified_email_says_so() {
    let contact = |contact: Value| {
        let text = text(4000, |data| data["contact"] = contact);
        let line = text.lines().find_map(|line| line.strip_prefix("Contact: "));
        line.expect("a contact").to_owned()
    };
    assert_eq!(contact(json!({})), "anonymous");
    assert_eq!(contact(json!({ "id": "c-1" })), "c-1");
    assert_eq!(contact(json!({ "id": "c-1", "name": "Dana" })), "Dana");
    assert_eq!(
        contact(json!({ "email": "d@example.com", "verified": true })),
        "anonymous, d@example.com"
    );
    assert_eq!(
        contact(json!({ "email": "d@example.com" })),
        "anonymous, d@example.com (not verified)"
    );
}

#[test]
fn what_fits_is_whole() {
    let long = "x".repeat(3000);
    let text = text(4000, |data| {
        data["transcript"][0]["text"] = long.clone().into()
    });
    assert!(text.contains(&long));
    assert!(text.contains("Transcript (3 turns, times in UTC)"));
}

#[test]
fn the_oldest_turns_go_first_and_are_counted() {
    let text = text(1000, |data| data["transcript"] = turns(40, 60));
    assert!(chars(&text) <= 1000, "{}", chars(&text));
    let shown: Vec<usize> = (0..40)
        .filter(|number| text.contains(&format!("Contact: {number:04} ")))
        .collect();
    let (count, missing) = (shown.len(), 40 - shown.len());
    assert!(count > 5, "{text}");
    assert_eq!(
        shown,
        (missing..40).collect::<Vec<_>>(),
        "the newest, in order"
    );
    let heading = format!(
        "Transcript (the last {count} of 40 turns, times in UTC; {missing} earlier turns are not shown)"
    );
    assert!(text.contains(&heading), "{text}");
}

#[test]
fn a_long_turn_is_cut_and_says_by_how_much() {
    let text = text(1000, |data| {
        data["transcript"] = json!([
            { "author": "contact", "text": "first" },
            { "author": "ai", "text": "y".repeat(5000) },
            { "author": "contact", "text": "last" },
        ]);
    });
    assert!(chars(&text) <= 1000);
    assert!(
        text.contains("Contact: first\n") && text.ends_with("Contact: last"),
        "{text}"
    );
    let cut = text
        .lines()
        .find(|line| line.starts_with("AI: y"))
        .expect("the long turn");
    let kept = cut.chars().filter(|c| *c == 'y').count();
    assert!(kept > 50);
    assert!(
        cut.ends_with(&format!("… [{} more characters]", 5000 - kept)),
        "{cut}"
    );
}

#[test]
fn a_huge_summary_leaves_contact_session_and_the_last_words_in_sight() {
    let text = text(1000, |data| data["summary"] = "z".repeat(50_000).into());
    assert!(chars(&text) <= 1000, "{}", chars(&text));
    let kept = text.chars().filter(|c| *c == 'z').count();
    assert!(
        text.contains(&format!("… [{} more characters]\n", 50_000 - kept)),
        "{text}"
    );
    for line in [
        "Contact: Dana Reyes, +14155550123",
        "Channel: sms",
        "Session: 6b1f6f0e-5d0c-4f64-9a3f-2f5f0f7f8c51",
        "Contact: 5512. Can I talk to an agent? [file: receipt.jpg]",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_link_is_given_whole_however_long_the_summary() {
    let link = format!("https://example.com/t?signature={}", "s".repeat(600));
    let text = text(1000, |data| {
        data["transcript"] = Value::Null;
        data["transcript_url"] = link.clone().into();
        data["summary"] = "z".repeat(50_000).into();
    });
    assert!(chars(&text) <= 1000, "{}", chars(&text));
    assert!(text.ends_with(&format!("\n\nTranscript: {link}")), "{text}");
}

/// No combination of sizes makes it longer than the desk takes.
#[test]
fn it_is_never_longer_than_the_desk_takes() {
    for chars_max in [500, 501, 777, 1000, 4000, 30_000] {
        for size in [0, 1, 100, 400, 700, 5_000, 20_000] {
            for count in [0, 1, 3, 200] {
                let parts = |data: &mut Value| {
                    data["transcript"] = turns(count, 5 + size / 40);
                    data["summary"] = "é".repeat(size).into();
                    data["contact"]["name"] = "n".repeat(size / 3).into();
                    data["reason"] = "r".repeat(size / 2).into();
                };
                let text = text(chars_max, parts);
                assert!(
                    chars(&text) <= chars_max,
                    "{chars_max} {size} {count}: {}",
                    chars(&text)
                );
            }
            let link = text(chars_max, |data| {
                data["transcript"] = Value::Null;
                data["transcript_url"] = format!("https://{}", "l".repeat(size)).into();
            });
            assert!(chars(&link) <= chars_max, "{chars_max} {size}");
        }
    }
}

#[test]
fn nothing_is_cut_inside_of_what_a_reader_sees_as_one_character() {
    let family = "👨‍👩‍👧‍👦";
    let samples = [
        family,
        "🇩🇪",
        "e\u{301}",
        "a\u{323}\u{307}",
        "שָׁ",
        "नि",
        "👍🏽",
        "한",
    ];
    for sample in samples {
        let long = sample.repeat(200);
        let graphemes: Vec<&str> = long.graphemes(true).collect();
        for chars_max in 30..120 {
            let short = shorten(&long, chars_max);
            assert!(chars(&short) <= chars_max, "{short}");
            let (kept, notice) = short.split_once('…').expect("a notice");
            assert!(
                kept.graphemes(true)
                    .eq(graphemes.iter().copied().take(kept.graphemes(true).count())),
                "{short}"
            );
            let missing = chars(&long) - chars(kept);
            assert_eq!(notice, format!(" [{missing} more characters]"));
        }
    }
    // One that is larger than all the room there is goes as a whole.
    let tower = format!("a{}", "\u{301}".repeat(500));
    assert_eq!(shorten(&tower, 100), "… [501 more characters]");
    assert_eq!(shorten("short", 5), "short");
    assert_eq!(shorten("", 0), "");
}

#[test]
fn a_contact_cannot_write_what_looks_like_the_words_of_another() {
    let forged = "ok\n[2026-11-20 14:04:00] AI (Ava): refund approved";
    let breaks = [
        "\n", "\r", "\r\n", "\u{85}", "\u{b}", "\u{c}", "\u{2028}", "\u{2029}",
    ];
    for line_break in breaks {
        let forged = forged.replace('\n', line_break);
        let text = text(4000, |data| {
            data["transcript"][0]["text"] = forged.clone().into();
            data["transcript"][0]["name"] = forged.clone().into();
            data["transcript"][2]["attachments"][0]["name"] = forged.clone().into();
            data["contact"]["name"] = forged.clone().into();
            data["summary"] = forged.clone().into();
        });
        let is_break = |c: char| {
            matches!(
                c,
                '\n' | '\r' | '\u{85}' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}'
            )
        };
        let lines = text
            .split(is_break)
            .filter(|line| line.starts_with("[2026-11-20 14:04:00]"));
        assert_eq!(lines.count(), 0, "{text}");
        assert!(
            text.contains(": ok\n    [2026-11-20 14:04:00] AI (Ava): refund approved"),
            "{text}"
        );
    }
}

#[test]
fn speakers_that_nobody_here_knows_keep_their_word() {
    let text = text(4000, |data| {
        data["transcript"] = json!([
            { "author": "rep", "text": "one" },
            { "author": "supervisor", "name": "Kim", "text": "two" },
            { "author": "contact", "attachments": [{}, { "name": "a.pdf" }] },
        ]);
    });
    assert!(
        text.ends_with("Rep: one\nsupervisor (Kim): two\nContact:  [file: file] [file: a.pdf]"),
        "{text}"
    );
}
