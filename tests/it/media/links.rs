//! Links: whoever holds one may have the file until it expires, and nobody can make one.

use std::time::Duration;

use baton::domain::clock::{Timestamp, after, from_ms};
use baton::domain::ids::HandoffId;
use baton::domain::seal::MasterKey;
use baton::engine::media::{Attachment, Grant, LinkError, Links};

const KEY: [u8; 32] = [7; 32];

fn now() -> Timestamp {
    from_ms(1_795_183_402_123)
}

fn grant() -> Grant {
    Grant {
        attachment: Attachment::of(HandoffId::new(), "m1", "a1"),
        name: "Rückzahlung №5512.pdf".into(),
        content_type: "application/pdf".into(),
        expires_at: after(now(), Duration::from_hours(7 * 24)),
    }
}

fn token(link: &str) -> &str {
    link.strip_prefix("https://baton.example.com/media/")
        .expect("a link of ours")
}

#[test]
fn a_link_says_all_there_is_to_know() {
    let links = Links::new(&KEY, "https://baton.example.com/");
    let grant = grant();
    let link = links.link(&grant);
    assert_eq!(links.link(&grant), link, "the same body for the same reply");
    assert!(link.len() < 250, "{link}");
    assert_eq!(links.read(token(&link), now()), Ok(grant));
}

#[test]
fn a_link_expires_at_its_moment() {
    let links = Links::new(&KEY, "https://baton.example.com");
    let grant = grant();
    let link = links.link(&grant);
    let token = token(&link);
    let last = grant.expires_at - Duration::from_millis(1);
    assert!(links.read(token, last).is_ok());
    assert_eq!(links.read(token, grant.expires_at), Err(LinkError::Expired));
    assert_eq!(links.read(token, Timestamp::MAX), Err(LinkError::Expired));
}

#[test]
fn a_link_with_any_letter_changed_is_not_ours() {
    let links = Links::new(&KEY, "https://baton.example.com");
    let link = links.link(&grant());
    let token = token(&link);
    for at in 0..token.len() {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let tampered = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert_eq!(links.read(&tampered, now()), Err(LinkError::Forged), "{at}");
        assert_eq!(
            links.read(&token[..at], now()),
            Err(LinkError::Forged),
            "{at}"
        );
    }
    for token in [
        &format!("{token}A"),
        &format!("{token}="),
        "",
        "A",
        "💥",
        &"A".repeat(5000),
    ] {
        assert_eq!(links.read(token, now()), Err(LinkError::Forged));
    }
}

#[test]
fn a_link_under_another_key_is_not_ours() {
    let ours = Links::new(&KEY, "https://baton.example.com");
    let theirs = Links::new(&[8; 32], "https://baton.example.com");
    // Also when it has expired: a forger learns nothing by it.
    let mut grant = grant();
    grant.expires_at = now();
    assert_eq!(
        ours.read(token(&theirs.link(&grant)), now()),
        Err(LinkError::Forged)
    );
}

#[test]
fn names_that_would_do_harm_do_not_get_into_a_link() {
    let links = Links::new(&KEY, "https://baton.example.com");
    let long = format!("{}.pdf", "€".repeat(500));
    let names = [
        ("../../a.pdf", "a.pdf"),
        ("a\r\nSet-Cookie: b.pdf", "aSet-Cookie b.pdf"),
        ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
        (".htaccess", "htaccess"),
        ("  ", ""),
        (&long, &format!("{}.pdf", "€".repeat(116))),
    ];
    for (given, named) in names {
        let mut grant = grant();
        grant.name = given.to_owned();
        let read = links
            .read(token(&links.link(&grant)), now())
            .expect("a grant");
        assert_eq!(read.name, named);
    }
}

#[test]
fn a_key_for_links_comes_from_the_master_key_and_from_no_other() {
    let parse = |key: &str| MasterKey::parse(key).expect("a key");
    let text = MasterKey::generate();
    let derived = parse(&text).derive("links");
    assert_eq!(derived, parse(&text).derive("links"));
    assert_ne!(derived, parse(&text).derive("other"));
    assert_ne!(derived, parse(&MasterKey::generate()).derive("links"));
}
