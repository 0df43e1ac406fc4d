//! The rules of the contact's channels.

use baton::domain::channel::{Channel, Part, SmsShape, WhatsappWindow};
use baton::domain::ids::EntryId;
use baton::domain::reply::{Author, Rep, RepFile, Reply};

use crate::example;

#[test]
fn a_channel_is_its_word() {
    for channel in Channel::ALL {
        assert_eq!(Channel::parse(channel.as_str()), Some(channel));
    }
    for other in ["", "SMS", "fax", "sms "] {
        assert_eq!(Channel::parse(other), None);
    }
}

#[test]
fn a_text_message_has_as_many_segments_as_a_carrier_bills() {
    let times = |text: &str, count: usize| text.repeat(count);
    let (seven, sixteen) = ("GSM-7", "UCS-2");
    let table = [
        (String::new(), seven, 1),
        ("hello".into(), seven, 1),
        ("é".into(), seven, 1),
        ("Ç".into(), seven, 1),
        ("ç".into(), sixteen, 1),
        ("`".into(), sixteen, 1),
        ("“quoted”".into(), sixteen, 1),
        ("😀".into(), sixteen, 1),
        ("שלום".into(), sixteen, 1),
        ("é".nfd(), sixteen, 1),
        // One segment of 160 septets, or several of 153.
        (times("a", 160), seven, 1),
        (times("a", 161), seven, 2),
        (times("a", 306), seven, 2),
        (times("a", 307), seven, 3),
        // Escape pairs take two septets.
        (times("€", 80), seven, 1),
        (times("€", 81), seven, 2),
        (times("a", 159) + "€", seven, 2),
        (times("[", 80), seven, 1),
        // 152 and a pair do not fit into 153: the pair goes over whole, and 306 septets need a third segment.
        (times("a", 152) + "€" + &times("a", 151), seven, 2),
        (times("a", 152) + "€" + &times("a", 152), seven, 3),
        // One segment of 70 units, or several of 67.
        (times("я", 70), sixteen, 1),
        (times("я", 71), sixteen, 2),
        (times("я", 134), sixteen, 2),
        (times("я", 135), sixteen, 3),
        (times("😀", 35), sixteen, 1),
        (times("😀", 36), sixteen, 2),
        // A pair of surrogates is not split either.
        (times("я", 66) + "😀" + &times("я", 65), sixteen, 2),
        (times("я", 66) + "😀" + &times("я", 66), sixteen, 3),
        // One character changes the encoding of all the others.
        (times("a", 70) + "ç", sixteen, 2),
    ];
    for (text, encoding, segments) in table {
        assert_eq!(
            SmsShape::of(&text),
            SmsShape { encoding, segments },
            "{text}"
        );
    }
}

#[test]
fn the_window_of_whatsapp_closes_exactly_24_hours_after_the_last_message() {
    let window = WhatsappWindow::opened_by(example::at("14:03:20"));
    let closes_at = window.expires_at;
    assert_eq!(closes_at.to_string(), "2026-11-21T14:03:20Z");
    let at = |text: &str| text.parse().expect("a time");
    assert!(window.is_open(example::at("14:03:20")));
    assert!(window.is_open(at("2026-11-21T14:03:19.999Z")));
    assert!(!window.is_open(at("2026-11-21T14:03:20Z")));
    assert!(!window.is_open(at("2026-11-21T14:03:20.001Z")));
}

/// A reply with words, choices and files.
fn reply(text: &str, choices: &[&str], files: &[&str]) -> Reply {
    let file = |name: &&str| RepFile {
        id: (*name).to_owned(),
        name: (*name).to_owned(),
        content_type: None,
        url: format!("https://desk.example/{name}"),
    };
    Reply {
        entry: EntryId::from("e1"),
        sent_at: example::at("14:05:01"),
        rep: Rep::default(),
        author: Author::Rep,
        text: text.to_owned(),
        files: files.iter().map(file).collect(),
        choices: choices.iter().map(|it| (*it).to_owned()).collect(),
    }
}

#[test]
fn a_phone_gets_the_parts_of_a_reply_that_it_may_have_and_the_rep_hears_of_the_others() {
    const ALL: &[Part] = &[Part::Text, Part::Choices, Part::Files];
    const USUAL: &[Part] = &[Part::Text, Part::Choices];
    let words = || reply("Hi", &[], &[]);
    let offer = || reply("Which?\n1. A\n2. B", &["A", "B"], &[]);
    let both = || reply("Here", &[], &["a.pdf"]);
    let files = || reply("", &[], &["a.pdf", "b.pdf"]);
    let told = |what: &str| {
        Some(format!(
            "[Not sent to the contact, who is on the phone: {what}.]"
        ))
    };
    let table = [
        (words(), USUAL, Some(words()), None),
        (words(), &[][..], None, told("your message")),
        (words(), &[Part::Choices], None, told("your message")),
        (offer(), USUAL, Some(offer()), None),
        (offer(), &[Part::Text], None, told("your choices")),
        (both(), ALL, Some(both()), None),
        (
            both(),
            USUAL,
            Some(reply("Here", &[], &[])),
            told("the file a.pdf"),
        ),
        (
            both(),
            &[Part::Files],
            Some(reply("", &[], &["a.pdf"])),
            told("your message"),
        ),
        (both(), &[], None, told("your message, and the file a.pdf")),
        (files(), USUAL, None, told("the files a.pdf, b.pdf")),
        (files(), ALL, Some(files()), None),
    ];
    for (reply, allowed, kept, notice) in table {
        let told = format!("{reply:?} {allowed:?}");
        let (found, withheld) = reply.only(allowed);
        assert_eq!(found, kept, "{told}");
        assert_eq!(withheld.map(|it| it.notice()), notice, "{told}");
    }
}

trait Decomposed {
    /// With its accent as a combining mark, which GSM-7 does not have.
    fn nfd(&self) -> String;
}

impl Decomposed for str {
    fn nfd(&self) -> String {
        self.replace('é', "e\u{301}")
    }
}
